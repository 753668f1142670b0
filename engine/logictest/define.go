package logictest

import (
	"context"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

var _ source.Definer = (*Catalog)(nil)

// Define makes a view. There are no files, so that external tables are refused.
func (c *Catalog) Define(_ context.Context, d source.Definition) (made bool, err error) {
	name := d.Name[len(d.Name)-1]
	if _, there := c.relations[strings.ToLower(name)]; there && !d.Replace {
		if d.IfNotExists {
			return false, nil
		}
		return false, sqlerr.New(sqlerr.Name, 0, "%s exists already", name)
	}
	st, err := sql.Parse(d.Text)
	if err != nil {
		return false, err
	}
	created, ok := st.(*sql.CreateView)
	if !ok {
		return false, sqlerr.New(sqlerr.Unknown, 0, "there are no files here")
	}
	v := &source.View{Name: name, SQL: d.Text[created.Query.Pos()-1:], Definition: d.Text}
	for _, id := range created.Columns {
		v.Columns = append(v.Columns, id.Name)
	}
	c.AddView(v)
	return true, nil
}

// Drop takes a relation out of the catalog.
func (c *Catalog) Drop(_ context.Context, name []string, view bool) (dropped bool, err error) {
	key := strings.ToLower(name[len(name)-1])
	r, there := c.relations[key]
	if !there {
		return false, nil
	}
	if _, isView := r.(*source.View); isView != view {
		return false, sqlerr.New(sqlerr.Name, 0, "%s is another kind of relation", key)
	}
	delete(c.relations, key)
	c.names = slices.DeleteFunc(c.names, func(n string) bool { return strings.EqualFold(n, key) })
	return true, nil
}

// Create keeps what is written in memory.
func (c *Catalog) Create(_ context.Context, t source.Target) (source.Output, error) {
	return &output{catalog: c, target: t}, nil
}

// output makes a table of what is written; of UNLOAD nothing stays.
type output struct {
	catalog *Catalog
	target  source.Target
	batches []vec.Batch
}

func (o *output) Write(b vec.Batch) error {
	o.batches = append(o.batches, b)
	return nil
}

func (o *output) Commit(context.Context) error {
	if o.target.Table == nil {
		return nil
	}
	columns := make([]source.Column, len(o.target.Columns))
	for i, c := range o.target.Columns {
		columns[i] = source.Column{Name: strings.ToLower(c.Name), Type: c.Type}
	}
	name := o.target.Table[len(o.target.Table)-1]
	o.catalog.Add(name, source.Stored{Table: source.NewMemory(name, columns, o.batches)})
	return nil
}

func (o *output) Abort() {}
