package bind

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
)

// relation is a plan with the names by which its columns are found. The node may have further columns behind the named ones.
type relation struct {
	node   plan.Node
	fields []field // of the first columns of node
}

// field is the name of a column. Names match without regard to case, quoted or not.
type field struct {
	qualifier []string // the relation's name parts or its alias, lower case; nil: none
	name      string   // lower case; "" cannot be named
	hidden    bool     // left out of *, and gives way to a column of the same name that is not
	format    string   // of a derived column: the pattern that its texts follow; "": none
}

// scope is the relation around a subquery, and what the subquery uses of it.
type scope struct {
	in     *relation
	agg    *aggregation // of the clause around, for the places of columns; nil: none
	outer  *scope       // around that
	params []param
}

// param returns what stands in the subquery for e, an expression over the relation around.
func (s *scope) param(b *binder, e expr.Expr) expr.Expr {
	at := slices.IndexFunc(s.params, func(p param) bool { return expr.Equal(p.e, e) })
	if at < 0 {
		*b.outers++
		at = len(s.params)
		s.params = append(s.params, param{id: *b.outers, e: e})
	}
	return &expr.Outer{ID: s.params[at].id, Name: plan.Label(e), T: e.Type()}
}

// outerPath binds a dotted path that the relations around the subquery know; nil if none does.
func (x *exprs) outerPath(ids []sql.Ident, parts []string) expr.Expr {
	for s := x.outer; s != nil; s = s.outer {
		at, used, ambiguous := s.in.find(parts)
		switch {
		case ambiguous:
			failHint(sqlerr.Name, ids[0].Pos(), "write it with its table's name", "column %q of the query around this one is ambiguous", dotted(ids[:used]))
		case used == 0:
			continue
		}
		column := s.in.node.Schema()[at]
		c := &expr.Column{Index: at, Name: column.Name, T: column.Type}
		if s.agg != nil {
			s.agg.places[c] = ids[0].Pos()
		}
		var bound expr.Expr = c
		for _, id := range ids[used:] {
			bound = x.member(bound, id)
		}
		return s.param(x.binder, bound)
	}
	return nil
}

func lower(id sql.Ident) string { return strings.ToLower(id.Name) }

// anonymous is a relation whose columns go by the names of the node alone.
func anonymous(n plan.Node) *relation {
	rel := &relation{node: n}
	for _, c := range n.Schema() {
		rel.fields = append(rel.fields, field{name: strings.ToLower(c.Name)})
	}
	return rel
}

// visible drops the hidden columns.
func (r *relation) visible() *relation {
	if !slices.ContainsFunc(r.fields, func(f field) bool { return f.hidden }) {
		return r
	}
	out := &relation{}
	p := &plan.Project{Input: r.node}
	refs, schema := plan.ColumnRefs(r.node), r.node.Schema()
	for i, f := range r.fields {
		if !f.hidden {
			p.Exprs, p.Columns = append(p.Exprs, refs[i]), append(p.Columns, schema[i])
			out.fields = append(out.fields, f)
		}
	}
	out.node = p
	return out
}

// named reports whether f belongs to the relation that the parts name: a suffix of its qualifier.
func (f field) named(parts []string) bool {
	at := len(f.qualifier) - len(parts)
	return at >= 0 && slices.Equal(f.qualifier[at:], parts)
}

func (r *relation) hasQualifier(parts []string) bool {
	return slices.ContainsFunc(r.fields, func(f field) bool { return f.named(parts) })
}

// find looks up a dotted name. The longest prefix that names a column wins, as in Trino: t.x is column x of t before it is
// field x of column t. used is the length of that prefix; 0 if there is none.
func (r *relation) find(parts []string) (at, used int, ambiguous bool) {
	for used := min(len(parts), 4); used >= 1; used-- {
		found, twice := -1, false
		for i, f := range r.fields {
			if f.name != parts[used-1] || !f.named(parts[:used-1]) {
				continue
			}
			switch {
			case found < 0 || r.fields[found].hidden && !f.hidden:
				found, twice = i, false
			case f.hidden == r.fields[found].hidden:
				twice = true
			}
		}
		if found >= 0 {
			return found, used, twice
		}
	}
	return 0, 0, false
}

// relations lists the distinct qualifiers in sight, as they are written.
func (r *relation) relations() []string {
	var names []string
	for _, f := range r.fields {
		if name := strings.Join(f.qualifier, "."); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// unknownColumn raises the error for a name that is nowhere.
func (x *exprs) unknownColumn(ids []sql.Ident, parts []string) {
	for s := (&scope{in: x.in, outer: x.outer}); s != nil; s = s.outer {
		for n := min(len(parts)-1, 3); n >= 1; n-- {
			if !s.in.hasQualifier(parts[:n]) {
				continue
			}
			var names []string
			for _, f := range s.in.fields {
				if f.named(parts[:n]) {
					names = append(names, f.name)
				}
			}
			failHint(sqlerr.Name, ids[n].Pos(), didYouMean(parts[n], names), "column %q does not exist in %s", ids[n].Name, dotted(ids[:n]))
		}
	}
	for _, a := range x.itemAliases {
		if a.name == parts[0] {
			failHint(sqlerr.Name, ids[0].Pos(), fmt.Sprintf("repeat the expression it stands for: %s", a.text),
				"column %q does not exist: %s does not see the names given in SELECT", ids[0].Name, x.clause)
		}
	}
	names := make([]string, len(x.in.fields))
	for i, f := range x.in.fields {
		names[i] = f.name
	}
	hint := didYouMean(parts[0], append(names, x.in.relations()...))
	if len(names) == 0 && hint == "" {
		hint = "this query has no FROM; text goes in single quotes"
	}
	if hint == "" && ids[0].Quoted && len(ids) == 1 {
		hint = "text goes in single quotes"
	}
	failHint(sqlerr.Name, ids[0].Pos(), hint, "column %q does not exist", ids[0].Name)
}

func dotted(ids []sql.Ident) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.Name
	}
	return strings.Join(names, ".")
}

func didYouMean(name string, candidates []string) string {
	if near := sqlerr.Nearest(name, candidates); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return ""
}
