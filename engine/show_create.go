package engine

import (
	"fmt"
	"strings"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
)

// showCreate gives the statement that made a relation, or would make it: the tables of a lake are made by compaction, so theirs is for
// reading.
func (q *query) showCreate(st *sql.ShowCreate) (*table, error) {
	name := written(st.Name)
	columns, err := q.columnsOf(st.Name)
	if err != nil {
		return nil, err
	}
	view, isView := q.resolve(st.Name).(*source.View)
	if st.View {
		if !isView {
			return nil, sqlerr.New(sqlerr.Type, st.Name[0].Pos(), "%s is no view", name).WithHint("write SHOW CREATE TABLE")
		}
		t := newTable("Create View")
		if view.Definition != "" {
			t.add(view.Definition)
			return t, nil
		}
		t.add(fmt.Sprintf("CREATE VIEW %s AS\n%s", name, strings.TrimSpace(view.SQL)))
		return t, nil
	}
	if isView {
		return nil, sqlerr.New(sqlerr.Type, st.Name[0].Pos(), "%s is a view", name).WithHint("write SHOW CREATE VIEW")
	}
	if stored, ok := q.resolve(st.Name).(source.Stored); ok {
		if defined, ok := stored.Table.(source.Defined); ok {
			t := newTable("Create Table")
			t.add(defined.Definition())
			return t, nil
		}
	}
	var lines []string
	for _, c := range columns {
		if c.Hidden {
			continue
		}
		line := "   " + sqlName(c.Name) + " " + c.Type.String()
		if c.Comment != "" {
			line += " COMMENT " + sql.Format(&sql.Str{Value: c.Comment})
		}
		lines = append(lines, line)
	}
	text := fmt.Sprintf("CREATE TABLE %s (\n%s\n)", name, strings.Join(lines, ",\n"))
	if keys := q.partitionColumns(st.Name); keys != nil {
		var quoted []string
		for _, key := range keys {
			quoted = append(quoted, sql.Format(&sql.Str{Value: key}))
		}
		text += "\nWITH (\n   partitioned_by = ARRAY[" + strings.Join(quoted, ", ") + "]\n)"
	}
	t := newTable("Create Table")
	t.add(text)
	return t, nil
}

// sqlName is a name as it is written in a statement.
func sqlName(name string) string { return sql.Format(&sql.Name{Ident: sql.Ident{Name: name}}) }
