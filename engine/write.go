package engine

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/exec"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// writing is a statement whose rows go to files. The first call of Result.Next runs it to its end.
type writing struct {
	output source.Output
	at     sqlerr.Pos // of the statement's location or table
}

// write prepares CREATE TABLE AS or UNLOAD, whose query is q and whose answer the number of rows.
func (q *query) write(st sql.Statement, r *Result) error {
	catalog, err := q.definer(st.Pos())
	if err != nil {
		return err
	}
	var asked *sql.Query
	var properties []sql.Property
	t := source.Target{Format: "parquet"}
	w := &writing{}
	switch st := st.(type) {
	case *sql.CreateTableAs:
		asked, properties, w.at = st.Query, st.Properties, st.Name[0].Pos()
		t.Table, t.IfNotExists, t.NoData = q.exec.Session.Qualified(parts(st.Name)), st.IfNotExists, st.NoData
		if st.Comment != nil {
			t.Comment = *st.Comment
		}
	case *sql.Unload:
		asked, properties, w.at = st.Query, st.Properties, st.Location.Pos()
		t.Location, t.Format = st.Location.Value, ""
	}
	node, err := q.plan(asked)
	if err != nil {
		return err
	}
	for _, c := range node.Schema() {
		t.Columns = append(t.Columns, sqltype.Column{Name: strings.ToLower(c.Name), Type: c.Type})
	}
	if err := checkNames(columnNames(node.Schema()), asked.Pos()); err != nil {
		return err
	}
	for _, p := range properties {
		if err := targetProperty(&t, p); err != nil {
			return err
		}
	}
	if t.Format == "" {
		return sqlerr.New(sqlerr.Syntax, w.at, "UNLOAD needs a format").WithHint("write UNLOAD (query) TO 'NAME/path' WITH (format = 'PARQUET'); there are CSV, JSON and TEXTFILE, too")
	}
	if node, err = sortedByPartition(node, t); err != nil {
		return sqlerr.At(err, asked.Pos())
	}
	rows := newTable("rows")
	rows.columns[0].Type = sqltype.BigIntType
	r.Columns = rows.columns
	if w.output, err = catalog.Create(r.ctx, t); err != nil {
		return sqlerr.At(err, w.at)
	}
	if w.output == nil {
		rows.add(int64(0))
		r.fixed, err = rows.batches()
		return err
	}
	r.writing = w
	if t.NoData {
		return nil
	}
	if r.stream, err = exec.Run(r.ctx, node, q.exec); err != nil {
		w.output.Abort()
	}
	return err
}

// sortedByPartition brings the rows of a partition together, so that one file is open at a time.
func sortedByPartition(node plan.Node, t source.Target) (plan.Node, error) {
	if t.PartitionedBy == 0 {
		return node, nil
	}
	s := &plan.Sort{Input: node, Limit: -1}
	refs := plan.ColumnRefs(node)
	for i := len(t.Columns) - t.PartitionedBy; i < len(t.Columns); i++ {
		switch c := t.Columns[i]; c.Type.Kind {
		case sqltype.Array, sqltype.Map, sqltype.Row, sqltype.JSON, sqltype.Unknown:
			return nil, sqlerr.New(sqlerr.Type, 0, "rows cannot be partitioned by column %s of type %s", c.Name, c.Type)
		}
		s.Keys = append(s.Keys, plan.SortKey{Expr: refs[i]})
	}
	return s, nil
}

// targetProperty reads a property of WITH (…). Those that only say how files are divided are taken and have no effect.
func targetProperty(t *source.Target, p sql.Property) error {
	text := func(into *string) error {
		s, ok := p.Value.(*sql.Str)
		if !ok {
			return sqlerr.New(sqlerr.Type, p.Value.Pos(), "%s takes a text, such as '%s'", p.Name, map[string]string{"format": "PARQUET", "external_location": "NAME/path"}[p.Name])
		}
		*into = s.Value
		return nil
	}
	lower := func(into *string) error {
		err := text(into)
		*into = strings.ToLower(*into)
		return err
	}
	var ignored string
	switch p.Name {
	case "format":
		return lower(&t.Format)
	case "external_location":
		if t.Table == nil {
			return sqlerr.New(sqlerr.Name, p.Pos(), "UNLOAD has its location after TO")
		}
		return text(&t.Location)
	case "compression", "write_compression", "parquet_compression":
		return lower(&t.Compression)
	case "field_delimiter":
		return text(&t.Delimiter)
	case "partitioned_by":
		return partitionedBy(t, p)
	case "compression_level", "bucket_count", "bucketed_by", "is_external", "vacuum_max_snapshots_to_keep":
		return nil
	case "table_type":
		if err := lower(&ignored); err != nil {
			return err
		}
		if ignored != "hive" {
			return sqlerr.New(sqlerr.Unknown, p.Value.Pos(), "tables of type %s are not supported", strings.ToUpper(ignored)).WithHint("leave the property out")
		}
		return nil
	}
	return sqlerr.New(sqlerr.Name, p.Pos(), "there is no property %s", p.Name).
		WithHint("there are format, write_compression, field_delimiter, partitioned_by and, for tables, external_location")
}

// partitionedBy reads ARRAY['a', 'b']: the last columns of the query, in their order.
func partitionedBy(t *source.Target, p sql.Property) error {
	list, ok := p.Value.(*sql.ArrayExpr)
	if !ok {
		return sqlerr.New(sqlerr.Type, p.Value.Pos(), "partitioned_by takes columns: ARRAY['a', 'b']")
	}
	t.PartitionedBy = len(list.Elems)
	for i, e := range list.Elems {
		s, ok := e.(*sql.Str)
		if !ok {
			return sqlerr.New(sqlerr.Type, e.Pos(), "partitioned_by takes columns: ARRAY['a', 'b']")
		}
		at := len(t.Columns) - len(list.Elems) + i
		if at < 0 || !strings.EqualFold(t.Columns[at].Name, s.Value) {
			names := make([]string, len(t.Columns))
			for i, c := range t.Columns {
				names[i] = c.Name
			}
			hint := "there is no such column"
			if slices.Contains(names, strings.ToLower(s.Value)) {
				hint = "select it at the end"
			}
			return sqlerr.New(sqlerr.Name, e.Pos(), "partitioned_by names the last columns of the query in their order, and %s is not there", s.Value).WithHint("%s", hint)
		}
	}
	return nil
}

// write runs the statement and answers with the number of its rows.
func (r *Result) write() (vec.Batch, error) {
	w := r.writing
	r.writing, r.written = nil, true
	rows, err := r.drain(w.output)
	if err == nil {
		err = w.output.Commit(r.ctx)
	}
	if err != nil {
		w.output.Abort()
		return vec.Batch{}, sqlerr.At(err, w.at)
	}
	return vec.Batch{Len: 1, Cols: []arrow.Array{vec.FromValue(sqltype.BigIntType, rows)}}, nil
}

func (r *Result) drain(to source.Output) (rows int64, err error) {
	if r.stream == nil { // WITH NO DATA
		return 0, nil
	}
	for {
		b, err := r.stream.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		if err := to.Write(b); err != nil {
			return rows, err
		}
		rows += int64(b.Len)
	}
}
