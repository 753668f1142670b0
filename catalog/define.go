package catalog

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
)

var _ source.Definer = (*Lake)(nil)

// allowed refuses what this lake was not opened for.
func (l *Lake) allowed() error {
	if l.opt.Define {
		return nil
	}
	return sqlerr.New(sqlerr.Unknown, 0, "statements that define or write are not allowed here").
		WithHint(`"trailql serve" allows them with --allow-ddl, "trailql query" and "trailql shell" always`)
}

// place checks a name that a statement gives to a relation, or names one by. What the lake has of its own is out of reach.
func (l *Lake) place(name []string) (schema, relation string, err error) {
	if err := l.allowed(); err != nil {
		return "", "", err
	}
	schema, relation = defaultSchema, strings.ToLower(name[len(name)-1])
	if len(name) > 1 {
		schema = strings.ToLower(name[len(name)-2])
	}
	const rule = "letters a to z, digits and _, 128 at most"
	switch {
	case !relationName.MatchString(relation):
		return "", "", sqlerr.New(sqlerr.Name, 0, "%q is no name for a view or table", name[len(name)-1]).WithHint("take " + rule)
	case !schemaName.MatchString(schema):
		return "", "", sqlerr.New(sqlerr.Name, 0, "%q is no name for a schema", name[len(name)-2]).WithHint("take " + rule)
	case schema == "information_schema":
		return "", "", sqlerr.New(sqlerr.Name, 0, "information_schema tells of views and tables and cannot be changed")
	}
	if _, own := (&Snapshot{lake: l}).shape(relation); own {
		return "", "", sqlerr.New(sqlerr.Name, 0, "%s is the lake's own: it is filled by \"trailql compact\" and cannot be made, replaced or dropped by SQL", relation).
			WithHint("query it as it is; a view or table of your own needs another name")
	}
	if slices.ContainsFunc(l.bindings, func(b *binding) bool { return b.name == relation || b.name == schema+"."+relation }) {
		return "", "", sqlerr.New(sqlerr.Name, 0, "%s is bound to a table of the lake", strings.Join(name, ".")).
			WithHint("take another name, or take the line out of %s", BindingsFile)
	}
	return schema, relation, nil
}

// Define keeps a definition in the lake.
func (l *Lake) Define(ctx context.Context, d source.Definition) (made bool, err error) {
	schema, name, err := l.place(d.Name)
	if err != nil {
		return false, err
	}
	def := &definition{schema: schema, name: name, text: d.Text}
	if def.relation, err = l.relationOf(def); err != nil {
		return false, err
	}
	if def.unreachable != nil {
		return false, def.unreachable
	}
	there, err := l.defined(ctx, schema, name)
	if err != nil {
		return false, err
	}
	file := definitionsFolder + schema + "." + name + ".sql"
	text := []byte(d.Text + "\n")
	if d.Replace {
		if there != nil && !there.isView() {
			return false, sqlerr.New(sqlerr.Name, 0, "%s is a table, which a view cannot replace", def.written()).WithHint("DROP TABLE %s first", def.written())
		}
		if err := overwrite(ctx, l.store, file, text); err != nil {
			return false, unwritable(err)
		}
		return true, nil
	}
	err = l.store.PutIfAbsent(ctx, file, text)
	switch {
	case errors.Is(err, blob.ErrExists) && d.IfNotExists:
		return false, nil
	case errors.Is(err, blob.ErrExists):
		e := sqlerr.New(sqlerr.Name, 0, "%s exists already", def.written())
		if def.isView() {
			return false, e.WithHint("CREATE OR REPLACE VIEW gives a view another query")
		}
		return false, e.WithHint("DROP TABLE %s first, or write IF NOT EXISTS", def.written())
	case err != nil:
		return false, unwritable(err)
	}
	return true, nil
}

// Drop forgets a definition.
func (l *Lake) Drop(ctx context.Context, name []string, view bool) (dropped bool, err error) {
	schema, relation, err := l.place(name)
	if err != nil {
		return false, err
	}
	there, err := l.defined(ctx, schema, relation)
	if err != nil || there == nil {
		return false, err
	}
	if there.isView() != view {
		return false, sqlerr.New(sqlerr.Name, 0, "%s is a %s", there.written(), there.what()).WithHint("write DROP %s", strings.ToUpper(there.what()))
	}
	if err := l.store.Delete(ctx, definitionsFolder+schema+"."+relation+".sql"); err != nil {
		return false, unwritable(err)
	}
	return true, nil
}

// defined is the definition of a name as it is now, nil if there is none.
func (l *Lake) defined(ctx context.Context, schema, name string) (*definition, error) {
	s, err := l.Newest(ctx)
	if err != nil {
		return nil, err
	}
	return s.definitions.all[schema+"."+name], nil
}

// unwritable says that the lake's folder did not take a definition.
func unwritable(err error) error {
	return sqlerr.Wrap(sqlerr.Resource, err, "the definition cannot be changed in the lake")
}

// overwrite puts an object in the place of the one there is, if there is one.
func overwrite(ctx context.Context, store blob.Store, name string, data []byte) error {
	w, err := store.Create(ctx, name)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		_ = w.Abort()
		return err
	}
	return w.Close()
}
