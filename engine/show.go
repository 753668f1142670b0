package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// answer answers the statements that are no query.
func (q *query) answer(ctx context.Context, st sql.Statement) (*table, error) {
	switch st := st.(type) {
	case *sql.Explain:
		return q.explain(ctx, st)
	case *sql.ShowTables:
		return q.showTables(st)
	case *sql.ShowColumns:
		return q.showColumns(st)
	case *sql.ShowFunctions:
		return showFunctions(st)
	}
	return nil, sqlerr.New(sqlerr.Unknown, st.Pos(), "this statement is not supported yet")
}

// showTables lists relations. A schema that qualifies no name is taken for the default one, whatever it is called.
func (q *query) showTables(st *sql.ShowTables) (*table, error) {
	match, err := matcher(st.Like)
	if err != nil {
		return nil, err
	}
	prefix := ""
	if len(st.Schema) > 0 {
		prefix = strings.ToLower(st.Schema[len(st.Schema)-1].Name) + "."
	}
	names := q.snapshot.Names()
	inSchema := func(name string) bool { return strings.HasPrefix(strings.ToLower(name), prefix) }
	if !slices.ContainsFunc(names, inSchema) {
		prefix = ""
	}
	t := newTable("Table")
	for _, name := range names {
		if prefix == "" && strings.Contains(name, ".") || !inSchema(name) {
			continue
		}
		if name = name[len(prefix):]; match(name) {
			t.add(name)
		}
	}
	return t, nil
}

// showColumns lists a relation's columns; those that * leaves out are marked.
func (q *query) showColumns(st *sql.ShowColumns) (*table, error) {
	t := newTable("Column", "Type", "Extra", "Comment")
	parts := make([]string, len(st.Table))
	for i, id := range st.Table {
		parts[i] = id.Name
	}
	relation := q.resolve(parts)
	var derived []source.Derived
	if bound, ok := relation.(*source.Bound); ok {
		relation, derived = bound.Of, bound.Columns
	}
	if stored, ok := relation.(source.Stored); ok {
		types := map[string]string{}
		add := func(name, typ string, hidden bool, comment string) {
			extra := ""
			if hidden {
				extra = "hidden"
			}
			if types[name] == "" {
				types[name] = typ
				t.add(name, typ, extra, comment)
			}
		}
		for _, c := range stored.Table.Columns() {
			add(c.Name, c.Type.String(), c.Hidden, c.Comment)
		}
		for _, d := range derived {
			if d.Format == "" {
				add(d.Name, types[d.From], d.Hidden, "the same as "+d.From)
			} else {
				add(d.Name, sqltype.VarcharType.String(), d.Hidden, d.From+" as "+d.Format)
			}
		}
		return t, nil
	}
	// A view's columns are those of SELECT * from it; so is the error for a name that does not exist.
	name := &sql.TableName{At: sql.At{At: st.Table[0].Pos()}, Name: st.Table}
	node, err := q.plan(&sql.Query{Body: &sql.Select{Items: []sql.SelectItem{{Star: true}}, From: []sql.TableExpr{name}}})
	if err != nil {
		return nil, err
	}
	for _, c := range plan.ShownNames(node.Schema()) {
		t.add(c.Name, c.Type.String(), "", "")
	}
	return t, nil
}

func (q *query) resolve(name []string) source.Relation {
	r, _ := q.snapshot.Resolve(name)
	return r
}

func showFunctions(st *sql.ShowFunctions) (*table, error) {
	match, err := matcher(st.Like)
	if err != nil {
		return nil, err
	}
	t := newTable("Function", "Return Type", "Argument Types", "Function Type", "Deterministic", "Description")
	add := func(name, sig, kind string, deterministic bool, doc string) {
		args, result, _ := strings.Cut(sig, " -> ")
		if match(name) {
			t.add(name, result, args[1:len(args)-1], kind, fmt.Sprint(deterministic), doc)
		}
	}
	names := fn.Names()
	for _, f := range fn.All() {
		if _, callable := slices.BinarySearch(names, f.Name); !callable {
			continue
		}
		for _, o := range f.Overloads {
			add(f.Name, o.Sig, "scalar", !f.Volatile, f.Doc)
		}
	}
	for _, a := range fn.Aggregates() {
		for _, o := range a.Overloads {
			add(a.Name, o.Sig, "aggregate", !a.OrderSensitive, a.Doc)
		}
	}
	for _, f := range fn.Forms() {
		add(f.Name, f.Sig, "scalar", true, f.Doc)
	}
	for _, w := range fn.Windows() {
		for _, o := range w.Overloads {
			add(w.Name, o.Sig, "window", true, w.Doc)
		}
	}
	slices.SortStableFunc(t.rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return t, nil
}

// matcher is LIKE without regard to case; nil matches everything.
func matcher(pattern *string) (func(string) bool, error) {
	if pattern == nil {
		return func(string) bool { return true }, nil
	}
	like, err := vec.CompileLike(strings.ToLower(*pattern), "", false)
	if err != nil {
		return nil, err
	}
	return func(s string) bool { return like.Match(strings.ToLower(s)) }, nil
}

// table is an answer of text that needs no plan.
type table struct {
	columns []plan.Column
	rows    [][]string
}

func newTable(names ...string) *table {
	t := &table{}
	for _, name := range names {
		t.columns = append(t.columns, plan.Column{Name: name, Type: sqltype.VarcharType})
	}
	return t
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) batches() []vec.Batch {
	if len(t.rows) == 0 {
		return nil
	}
	b := vec.Batch{Len: len(t.rows), Cols: make([]arrow.Array, len(t.columns))}
	for c := range t.columns {
		column := array.NewStringBuilder(memory.DefaultAllocator)
		for _, row := range t.rows {
			column.Append(row[c])
		}
		b.Cols[c] = column.NewArray()
	}
	return []vec.Batch{b}
}
