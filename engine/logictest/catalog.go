// Package logictest runs SQL cases from text files against the whole engine, over
// tables in memory: see TestLogic for the format. Its catalog serves other rooms' tests, too.
package logictest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Catalog holds relations in memory. It is its own snapshot, so it must not change while queries run.
type Catalog struct {
	relations map[string]source.Relation // by lower-case name
	names     []string
	macros    []*source.Macro
}

// Add puts a relation into the catalog, in place of one of that name.
func (c *Catalog) Add(name string, r source.Relation) {
	if c.relations == nil {
		c.relations = map[string]source.Relation{}
	}
	if _, replaced := c.relations[strings.ToLower(name)]; !replaced {
		c.names = append(c.names, name)
	}
	c.relations[strings.ToLower(name)] = r
	slices.Sort(c.names)
}

// AddTable puts a table in memory into the catalog. A column is written "name type"; one whose name begins with _ or $ is hidden.
func (c *Catalog) AddTable(name string, columns []string, batches ...vec.Batch) error {
	out := make([]source.Column, len(columns))
	for i, column := range columns {
		columnName, text, _ := strings.Cut(column, " ")
		t, err := sqltype.Parse(text)
		if err != nil {
			return err
		}
		out[i] = source.Column{Name: columnName, Type: t, Hidden: columnName[0] == '_' || columnName[0] == '$'}
	}
	c.Add(name, source.Stored{Table: source.NewMemory(name, out, batches)})
	return nil
}

// AddView puts a view into the catalog.
func (c *Catalog) AddView(v *source.View) { c.Add(v.Name, v) }

// AddMacro puts a function into the catalog.
func (c *Catalog) AddMacro(m *source.Macro) { c.macros = append(c.macros, m) }

// AddBound puts another name of a relation into the catalog. A column is written "name=from" or "name=from:format"; one whose name
// begins with _ is hidden, and is called without it.
func (c *Catalog) AddBound(name, of string, columns ...string) error {
	bound := &source.Bound{Of: c.relations[strings.ToLower(of)]}
	if bound.Of == nil {
		return fmt.Errorf("there is no relation %s", of)
	}
	for _, text := range columns {
		column, from, _ := strings.Cut(text, "=")
		from, format, _ := strings.Cut(from, ":")
		column, hidden := strings.CutPrefix(column, "_")
		bound.Columns = append(bound.Columns, source.Derived{Name: column, From: from, Format: format, Hidden: hidden})
	}
	c.Add(name, bound)
	return nil
}

// Snapshot returns c itself.
func (c *Catalog) Snapshot(context.Context) (source.Snapshot, error) { return c, nil }

// Version is always 1.
func (c *Catalog) Version() int64 { return 1 }

// Definitions tells nothing apart: nothing is cached over it.
func (c *Catalog) Definitions() string { return "" }

// Resolve finds a relation by its last name part; a schema before it must be "default".
func (c *Catalog) Resolve(name []string) (source.Relation, bool) {
	if n := len(name); n > 1 && !strings.EqualFold(name[n-2], "default") {
		return nil, false
	}
	r, ok := c.relations[strings.ToLower(name[len(name)-1])]
	return r, ok
}

// Names lists the relations.
func (c *Catalog) Names() []string { return c.names }

// Macros lists the functions.
func (c *Catalog) Macros() []*source.Macro { return c.macros }
