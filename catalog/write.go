package catalog

import (
	"context"
	"slices"
	"strings"

	"github.com/trailql/trailql/connectors/external"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// Create begins the files of CREATE TABLE AS and UNLOAD. A table without a location is in the first root, in a folder of its own name.
func (l *Lake) Create(ctx context.Context, t source.Target) (source.Output, error) {
	if err := l.allowed(); err != nil {
		return nil, err
	}
	t.Delimiter = hiveText(t.Delimiter)
	if len(t.Delimiter) > 1 {
		return nil, sqlerr.New(sqlerr.Value, 0, "field_delimiter takes one character, not '%s'", t.Delimiter)
	}
	out := &output{lake: l, target: t}
	location := t.Location
	if t.Table != nil {
		schema, name, err := l.place(t.Table)
		if err != nil {
			return nil, err
		}
		there, err := l.defined(ctx, schema, name)
		switch {
		case err != nil:
			return nil, err
		case there != nil && t.IfNotExists:
			return nil, nil
		case there != nil:
			return nil, sqlerr.New(sqlerr.Name, 0, "%s exists already", there.written()).WithHint("DROP %s %s first, or write IF NOT EXISTS", strings.ToUpper(there.what()), there.written())
		}
		out.name = []string{schema, name}
		if location == "" && len(l.opt.Roots) > 0 {
			location = l.opt.Roots[0].Name + "/" + (&definition{schema: schema, name: name}).written()
		}
	}
	place, err := l.opt.Roots.Find(location)
	if err != nil {
		if location == "" {
			err = sqlerr.New(sqlerr.Name, 0, "there is no folder to write to").WithHint(`start trailql with --root NAME=FOLDER`)
		}
		return nil, err
	}
	out.place = place
	if out.name != nil {
		if out.text, err = out.definition(); err != nil {
			return nil, err
		}
	}
	if out.files, err = external.Create(ctx, place, t); err != nil {
		return nil, err
	}
	return out, nil
}

// output is the files of a statement, and the table over them if there shall be one.
type output struct {
	lake   *Lake
	target source.Target
	files  *external.Output
	place  external.Place
	name   []string // of the table; nil: none
	text   string   // of its definition
}

// definition is the statement that a person would define the table by.
func (o *output) definition() (string, error) {
	t := o.target
	st := &sql.CreateExternal{Location: sql.Text{Value: o.place.String()}}
	for _, part := range o.name {
		st.Name = append(st.Name, sql.Ident{Name: part})
	}
	if o.name[0] == defaultSchema {
		st.Name = st.Name[1:]
	}
	if t.Comment != "" {
		st.Comment = &t.Comment
	}
	for i, c := range t.Columns {
		def := sql.ColumnDef{Name: sql.Ident{Name: strings.ToLower(c.Name)}, Type: c.Type}
		if i < len(t.Columns)-t.PartitionedBy {
			st.Columns = append(st.Columns, def)
		} else {
			st.Partitions = append(st.Partitions, def)
		}
	}
	switch t.Format {
	case "parquet":
		st.StoredAs = "parquet"
	case "json":
		st.Serde = &sql.Text{Value: "org.openx.data.jsonserde.JsonSerDe"}
	case "textfile":
		delimiter := t.Delimiter
		if delimiter == "" {
			delimiter = "\x01"
		}
		text := map[string]string{"\x01": `\001`, "\t": `\t`, `\`: `\\`}[delimiter]
		if text == "" {
			text = delimiter
		}
		st.Delimited, st.StoredAs = true, "textfile"
		st.Delimiters = []sql.TextPair{{Key: sql.Text{Value: "fields"}, Value: sql.Text{Value: text}}}
	default:
		return "", sqlerr.New(sqlerr.Unknown, 0, "tables of format %s are not made", strings.ToUpper(t.Format)).
			WithHint("PARQUET, JSON and TEXTFILE are; UNLOAD writes CSV, too")
	}
	return sql.Format(st), nil
}

func (o *output) Write(b vec.Batch) error { return o.files.Write(b) }

// Commit publishes the files, then defines the table. Where that cannot be done the files are taken away again.
func (o *output) Commit(ctx context.Context) error {
	if o.name == nil || !o.target.NoData {
		if err := o.files.Publish(ctx); err != nil {
			return err
		}
	}
	if o.name == nil {
		return nil
	}
	if _, err := o.lake.Define(ctx, source.Definition{Name: slices.Clone(o.name), Text: o.text}); err != nil {
		o.files.Remove(ctx)
		return err
	}
	return nil
}

func (o *output) Abort() { o.files.Abort() }
