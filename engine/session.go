package engine

import (
	"maps"
	"strings"

	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
)

// MaxSession is how many bytes the names and values of a Session may have together.
const MaxSession = 256 << 10

// Session is what an asker's earlier statements have set, for the statements that follow. It is a plain value: an engine keeps none, whoever
// asks gives it along and applies what a statement changes. The zero value is a session in which nothing was set.
type Session struct {
	Catalog    string            `json:"catalog,omitempty"`    // of USE, lower case; "": awsdatacatalog
	Schema     string            `json:"schema,omitempty"`     // of USE, lower case: where names without a schema are looked up; "": default
	Properties map[string]string `json:"properties,omitempty"` // of SET SESSION, by lower-case name, and the zone of SET TIME ZONE: see SHOW SESSION
	Prepared   map[string]string `json:"prepared,omitempty"`   // of PREPARE, by lower-case name
}

// Change is what a statement changes of its session.
type Change struct {
	Action Action `json:"action"`
	Name   string `json:"name"`  // of the property or the prepared statement; of USE: the catalog, "" for the one that is
	Value  string `json:"value"` // of the property; the text of the prepared statement; of USE: the schema
}

// Action is the kind of a Change.
type Action string

const (
	UseAction        Action = "use"
	SetAction        Action = "set"
	ResetAction      Action = "reset"
	PrepareAction    Action = "prepare"
	DeallocateAction Action = "deallocate"
)

// With is the session after a change; s stays as it is.
func (s Session) With(c Change) Session {
	edit := func(m *map[string]string) map[string]string {
		*m = maps.Clone(*m)
		if *m == nil {
			*m = map[string]string{}
		}
		return *m
	}
	switch c.Action {
	case UseAction:
		s.Schema = c.Value
		if c.Name != "" {
			s.Catalog = c.Name
		}
	case SetAction:
		edit(&s.Properties)[c.Name] = c.Value
	case ResetAction:
		delete(edit(&s.Properties), c.Name)
	case PrepareAction:
		edit(&s.Prepared)[c.Name] = c.Value
	case DeallocateAction:
		delete(edit(&s.Prepared), c.Name)
	}
	return s
}

func (s Session) check() error {
	bytes := len(s.Catalog) + len(s.Schema)
	for _, m := range []map[string]string{s.Properties, s.Prepared} {
		for name, value := range m {
			bytes += len(name) + len(value)
		}
	}
	if bytes > MaxSession {
		return sqlerr.New(sqlerr.Resource, 1, "what the session has set and prepared comes to more than %d bytes", MaxSession).
			WithHint("DEALLOCATE PREPARE what is no longer needed")
	}
	return nil
}

// changed is the answer of a statement that changes its session.
func (q *query) changed(c Change, text string) (*table, error) {
	if err := q.session.With(c).check(); err != nil {
		return nil, err
	}
	t := done(text)
	t.change = &c
	return t, nil
}

// use sets the schema. Any will do, as it does before a table's name.
func (q *query) use(st *sql.Use) (*table, error) {
	c := Change{Action: UseAction, Value: lowered(st.Name[len(st.Name)-1])}
	if len(st.Name) > 1 {
		c.Name = lowered(st.Name[0])
	}
	return q.changed(c, "the schema is "+sqlName(c.Value))
}

func lowered(name sql.Ident) string { return strings.ToLower(name.Name) }
