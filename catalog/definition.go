package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
)

// definitionsFolder holds what statements have defined: a file SCHEMA.NAME.sql for each view and external table, with the very statement.
// The name of the file is the name of the relation, whatever the statement in it says.
const definitionsFolder = "_trailql/definitions/"

// defaultSchema is the schema of names without one.
const defaultSchema = "default"

// Names of schemas and relations. They are parts of names of files, the same on every system, so they are as narrow as Athena's.
var (
	schemaName   = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]{0,127}$`)
	relationName = regexp.MustCompile(`^[a-z0-9_]{1,128}$`)
)

// definition is a view or an external table that a statement made.
type definition struct {
	schema, name string
	etag         string // of its file
	text         string
	relation     source.Relation
	unreachable  error // of an external table: why its location is out of reach, with the place in the text
}

// written is its name as FROM has it.
func (d *definition) written() string {
	if d.schema == defaultSchema {
		return d.name
	}
	return d.schema + "." + d.name
}

func (d *definition) isView() bool { _, ok := d.relation.(*source.View); return ok }

func (d *definition) what() string {
	if d.isView() {
		return "view"
	}
	return "table"
}

// definitions are those of one moment, by schema and name with a dot between. They do not change.
type definitions struct {
	all  map[string]*definition
	hash string // of names and texts
}

// readDefinitions reads the definitions that there are; those of before that have not changed are taken over.
func (l *Lake) readDefinitions(ctx context.Context, before *definitions) (*definitions, error) {
	now, same := &definitions{all: map[string]*definition{}}, true
	err := l.store.List(ctx, definitionsFolder, "", func(info blob.Info) error {
		base, ok := strings.CutSuffix(strings.TrimPrefix(info.Name, definitionsFolder), ".sql")
		schema, name, dotted := strings.Cut(base, ".")
		if !ok || !dotted || !schemaName.MatchString(schema) || !relationName.MatchString(name) {
			return nil // no file of ours
		}
		if before != nil {
			if d := before.all[base]; d != nil && d.etag == info.ETag {
				now.all[base] = d
				return nil
			}
		}
		if info.Size > sql.MaxText {
			return fmt.Errorf("%s has %d bytes; a statement may have %d at most", info.Name, info.Size, sql.MaxText)
		}
		text, err := l.store.ReadAll(ctx, info.Name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // dropped since
		}
		if err != nil {
			return err
		}
		d := &definition{schema: schema, name: name, etag: info.ETag, text: strings.TrimSpace(string(text))}
		if d.relation, err = l.relationOf(d); err != nil {
			// The view says what is wrong when it is used: one bad file must not take the others away.
			d.relation = &source.View{Name: d.written(), SQL: d.text, Definition: d.text}
		}
		now.all[base], same = d, false
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the definitions of views and tables: %w", err)
	}
	if before != nil && same && len(now.all) == len(before.all) {
		return before, nil
	}
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(now.all)) {
		fmt.Fprintf(h, "%q %q\n", key, now.all[key].text)
	}
	now.hash = hex.EncodeToString(h.Sum(nil))
	return now, nil
}

// relationOf is what a definition's text makes.
func (l *Lake) relationOf(d *definition) (source.Relation, error) {
	st, err := sql.Parse(d.text)
	if err != nil {
		return nil, err
	}
	switch st := st.(type) {
	case *sql.CreateView:
		v := &source.View{Name: d.written(), Schema: d.schema, SQL: d.text[st.Query.Pos()-1:], Definition: d.text}
		for _, id := range st.Columns {
			v.Columns = append(v.Columns, id.Name)
		}
		if st.Comment != nil {
			v.Comment = *st.Comment
		}
		return v, nil
	case *sql.CreateExternal:
		t, err := l.externalTable(d, st)
		if err != nil {
			return nil, err
		}
		return source.Stored{Table: t}, nil
	}
	return nil, sqlerr.New(sqlerr.Syntax, 1, "a definition is a CREATE VIEW or CREATE EXTERNAL TABLE statement")
}

// find looks a name up: with a schema there must be that one; without, the default one goes before the only one that has the name.
func (d *definitions) find(name []string) (*definition, bool) {
	last := strings.ToLower(name[len(name)-1])
	if len(name) > 1 {
		found := d.all[strings.ToLower(name[len(name)-2])+"."+last]
		return found, found != nil
	}
	if found := d.all[defaultSchema+"."+last]; found != nil {
		return found, true
	}
	var found *definition
	for _, other := range d.all {
		if other.name == last {
			if found != nil {
				return nil, false
			}
			found = other
		}
	}
	return found, found != nil
}
