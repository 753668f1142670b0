package optimize

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// pruneColumns drops the columns that nothing above uses, and narrows row columns to the fields that are used: of a scan of t,
// useridentity.arn reads one leaf. Where a whole row and a field of it are used, the row is read once.
func pruneColumns(n plan.Node, _ *fn.Session) plan.Node {
	schema := n.Schema()
	need := make([]access, len(schema))
	for i := range schema {
		need[i] = access{column: i}
	}
	narrow, at := narrowed(n, need)
	return layout(narrow, at, schema)
}

// access is a column, or a field below one: fields are ordinals into nested rows.
type access struct {
	column int
	fields []int
}

// covers reports whether b is a or below it.
func (a access) covers(b access) bool {
	return a.column == b.column && len(a.fields) <= len(b.fields) && slices.Equal(a.fields, b.fields[:len(a.fields)])
}

// accessOf returns what e reads if it is a column or a chain of fields of one.
func accessOf(e expr.Expr) (access, bool) {
	switch e := e.(type) {
	case *expr.Column:
		return access{column: e.Index}, e.Index >= 0
	case *expr.Field:
		a, ok := accessOf(e.Arg)
		if ok {
			a.fields = append(slices.Clip(a.fields), e.Index)
		}
		return a, ok
	}
	return access{}, false
}

// accesses adds what es read to need.
func accesses(need []access, es ...expr.Expr) []access {
	for _, e := range es {
		if e == nil {
			continue
		}
		expr.Walk(e, func(e expr.Expr) bool {
			a, ok := accessOf(e)
			if ok {
				need = append(need, a)
			}
			return !ok
		})
	}
	return need
}

// minimal drops accesses that another covers; the order is that of first need.
func minimal(need []access) []access {
	var out []access
	for _, a := range need {
		if slices.ContainsFunc(out, func(have access) bool { return have.covers(a) }) {
			continue
		}
		kept := out[:0:0]
		placed := false
		for _, have := range out {
			switch {
			case !a.covers(have):
				kept = append(kept, have)
			case !placed:
				kept, placed = append(kept, a), true
			}
		}
		if !placed {
			kept = append(kept, a)
		}
		out = kept
	}
	return out
}

// places says in which column of a narrowed node an access stands.
type places []place

type place struct {
	access
	at int
}

// whole are the places of all columns of a node that is not narrowed.
func whole(schema []plan.Column) places {
	var at places
	for i := range schema {
		at = append(at, place{access{column: i}, i})
	}
	return at
}

// rebase makes e read from a narrowed input.
func (p places) rebase(e expr.Expr) expr.Expr {
	// New ordinals are marked by being negative until all are placed, lest one be taken for an old one.
	e = expr.Rewrite(e, func(e expr.Expr) expr.Expr {
		a, ok := accessOf(e)
		if !ok {
			return e
		}
		for _, have := range p {
			if have.column == a.column && slices.Equal(have.fields, a.fields) {
				return &expr.Column{Index: -1 - have.at, Name: plan.Label(e), T: e.Type()}
			}
		}
		return e
	})
	return plan.MoveColumns(e, func(i int) int {
		if i >= 0 {
			panic(fmt.Sprintf("optimize: column %d was pruned but is used", i))
		}
		return -1 - i
	})
}

func (p places) rebaseAll(es []expr.Expr) []expr.Expr {
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		out[i] = p.rebase(e)
	}
	return out
}

// read returns the expression that an access stands for, over the columns of schema.
func (a access) read(schema []plan.Column) expr.Expr {
	var e expr.Expr = &expr.Column{Index: a.column, Name: schema[a.column].Name, T: schema[a.column].Type}
	for _, f := range a.fields {
		e = &expr.Field{Arg: e, Index: f}
	}
	return e
}

// layout projects n to the given schema, whose i-th column is the i-th one as a whole.
func layout(n plan.Node, at places, schema []plan.Column) plan.Node {
	p := &plan.Project{Input: n, Columns: schema}
	for i := range schema {
		p.Exprs = append(p.Exprs, at.rebase(access{column: i}.read(schema)))
	}
	if identity(p) {
		return n
	}
	return p
}

// narrowed returns n without what need does not ask for, and where the rest stands. It may put out more than is asked.
func narrowed(n plan.Node, need []access) (plan.Node, places) {
	need = minimal(need)
	schema := n.Schema()
	switch n := n.(type) {
	case *plan.Scan:
		return narrowScan(n, need)

	case *plan.Filter:
		// What the filter reads comes first, so that a scan below can read it first.
		in, at := narrowed(n.Input, append(accesses(nil, n.Conjuncts...), need...))
		return &plan.Filter{Input: in, Conjuncts: at.rebaseAll(n.Conjuncts)}, at

	case *plan.Sort:
		keys := make([]expr.Expr, len(n.Keys))
		for i, k := range n.Keys {
			keys[i] = k.Expr
		}
		in, at := narrowed(n.Input, accesses(need, keys...))
		out := *n
		out.Input, out.Keys = in, slices.Clone(n.Keys)
		for i, e := range at.rebaseAll(keys) {
			out.Keys[i].Expr = e
		}
		return &out, at

	case *plan.Limit:
		in, at := narrowed(n.Input, accesses(need, n.By...))
		return &plan.Limit{Input: in, Limit: n.Limit, Offset: n.Offset, By: at.rebaseAll(n.By)}, at

	case *plan.Spool: // its copies must stay alike, so all columns stay
		return &plan.Spool{Input: pruneColumns(n.Input, nil), ID: n.ID}, whole(schema)

	case *plan.Recursive: // what nobody above reads, the next step may
		return plan.WithInputs(n, []plan.Node{pruneColumns(n.First, nil), pruneColumns(n.Step, nil)}), whole(schema)

	case *plan.LastRows:
		return n, whole(schema)

	case *plan.Project:
		out := &plan.Project{}
		var at places
		for _, a := range need {
			e := n.Exprs[a.column]
			if _, ok := accessOf(e); !ok {
				a = access{column: a.column} // computed once, as a whole
				e = n.Exprs[a.column]
				if slices.ContainsFunc(at, func(p place) bool { return p.column == a.column }) {
					continue
				}
			}
			name := plan.Label(a.read(schema))
			for _, f := range a.fields {
				e = &expr.Field{Arg: e, Index: f}
			}
			at = append(at, place{a, len(out.Exprs)})
			out.Exprs, out.Columns = append(out.Exprs, e), append(out.Columns, plan.Column{Name: name, Type: e.Type()})
		}
		in, below := narrowed(n.Input, accesses(nil, out.Exprs...))
		out.Input, out.Exprs = in, below.rebaseAll(out.Exprs)
		return out, at

	case *plan.Aggregate:
		return narrowAggregate(n, need)

	case *plan.Join:
		return narrowJoin(n, need)

	case *plan.Union:
		// All children are cut alike: one column for each access.
		out := &plan.Union{}
		var at places
		for i, a := range need {
			e := a.read(schema)
			at = append(at, place{a, i})
			out.Columns = append(out.Columns, plan.Column{Name: plan.Label(e), Type: e.Type()})
		}
		for _, c := range n.Children {
			in, below := narrowed(c, need)
			p := &plan.Project{Input: in, Columns: out.Columns}
			for _, a := range need {
				p.Exprs = append(p.Exprs, below.rebase(a.read(c.Schema())))
			}
			out.Children = append(out.Children, p)
		}
		return out, at

	case *plan.Unnest:
		kept := n.Kept()
		below := accesses(nil, n.Exprs...)
		above := slices.DeleteFunc(slices.Clone(need), func(a access) bool { return a.column >= len(kept) })
		for i := range above {
			above[i].column = kept[above[i].column]
		}
		in, at := narrowed(n.Input, append(below, above...))
		out := &plan.Unnest{Input: in, Exprs: at.rebaseAll(n.Exprs), Ordinality: n.Ordinality, Outer: n.Outer, Whole: n.Whole, Keep: []int{}}
		// Rows that are repeated for each element do not take along what only the arrays are made of.
		outside := at.keep(above, kept, in.Schema(), &out.Keep, &out.Columns)
		if elements, ok := narrowUnnest(out, n.Columns[len(kept):], need, len(kept)); ok {
			return out, append(outside, elements...)
		}
		for i, c := range n.Columns[len(kept):] {
			outside = append(outside, place{access{column: len(kept) + i}, len(out.Columns)})
			out.Columns = append(out.Columns, c)
		}
		return out, outside

	case *plan.Window:
		return narrowWindow(n, need)

	case *plan.Values:
		out := &plan.Values{Rows: make([][]expr.Expr, len(n.Rows))}
		var at places
		for c, column := range schema {
			if !slices.ContainsFunc(need, func(a access) bool { return a.column == c }) {
				continue
			}
			at = append(at, place{access{column: c}, len(out.Columns)})
			out.Columns = append(out.Columns, column)
			for i, row := range n.Rows {
				out.Rows[i] = append(out.Rows[i], row[c])
			}
		}
		return out, at
	}
	panic(fmt.Sprintf("optimize: no pruning of %T", n))
}

// narrowUnnest makes a scan below read only the fields of an array's rows that need reads of n, whose columns behind the first width are these, and
// adds those to the columns of n. It returns where they stand, or false where that cannot be done, or is of no use.
func narrowUnnest(n *plan.Unnest, columns []plan.Column, need []access, width int) (places, bool) {
	if len(n.Exprs) != 1 {
		return nil, false
	}
	array, ok := n.Exprs[0].(*expr.Column)
	if !ok || array.T.Kind != sqltype.Array || array.T.Elem.Kind != sqltype.Row || slices.Contains(n.Keep, array.Index) {
		return nil, false
	}
	row := *array.T.Elem
	used := make([]bool, len(row.Fields))
	for _, a := range need {
		switch field := a.column - width; {
		case a.column < width:
		case n.Whole && field == 0:
			if len(a.fields) == 0 {
				return nil, false
			}
			used[a.fields[0]] = true
		case !n.Whole && field < len(used):
			used[field] = true
		}
	}
	var fields []int
	for i, used := range used {
		if used {
			fields = append(fields, i)
		}
	}
	if len(fields) == len(used) {
		return nil, false
	}
	if len(fields) == 0 { // the elements are counted
		fields = []int{0}
	}
	in, ok := narrowElements(n.Input, array.Index, fields)
	if !ok {
		return nil, false
	}
	var at places
	n.Input, n.Exprs = in, []expr.Expr{&expr.Column{Index: array.Index, Name: array.Name, T: in.Schema()[array.Index].Type}}
	for _, i := range fields {
		read := access{column: width + i}
		if n.Whole {
			read = access{width, []int{i}}
		}
		at = append(at, place{read, len(n.Columns)})
		n.Columns = append(n.Columns, plan.Column{Name: row.Fields[i].Name, Type: row.Fields[i].Type})
	}
	if n.Ordinality {
		at = append(at, place{access{column: width + len(columns) - 1}, len(n.Columns)})
		n.Columns = append(n.Columns, columns[len(columns)-1])
	}
	n.Whole = false
	return at, true
}

// narrowElements returns n with only these fields of the rows in a column that is an array of them; false where n, or what is below, reads it or
// computes it.
func narrowElements(n plan.Node, column int, fields []int) (plan.Node, bool) {
	reads := func(es ...expr.Expr) bool {
		return slices.ContainsFunc(es, func(e expr.Expr) bool { return slices.Contains(expr.Columns(e), column) })
	}
	switch n := n.(type) {
	case *plan.Scan:
		if n.Paths[column].Elements != nil || reads(n.Conjuncts...) {
			return nil, false
		}
		out := *n
		out.Paths, out.Columns = slices.Clone(n.Paths), slices.Clone(n.Columns)
		out.Paths[column].Elements = fields
		c := &out.Columns[column]
		var names []string
		for _, i := range fields {
			names = append(names, c.Type.Elem.Fields[i].Name)
		}
		c.Name += "[" + strings.Join(names, ", ") + "]"
		c.Type = out.Paths[column].TypeOf(c.Type)
		return &out, true
	case *plan.Filter:
		if reads(n.Conjuncts...) {
			return nil, false
		}
		in, ok := narrowElements(n.Input, column, fields)
		return &plan.Filter{Input: in, Conjuncts: n.Conjuncts}, ok
	case *plan.Project:
		c, ok := n.Exprs[column].(*expr.Column)
		if !ok {
			return nil, false
		}
		for i, e := range n.Exprs {
			if i != column && slices.Contains(expr.Columns(e), c.Index) {
				return nil, false
			}
		}
		in, ok := narrowElements(n.Input, c.Index, fields)
		if !ok {
			return nil, false
		}
		out := &plan.Project{Input: in, Exprs: slices.Clone(n.Exprs), Columns: slices.Clone(n.Columns)}
		out.Columns[column].Type = in.Schema()[c.Index].Type
		out.Exprs[column] = &expr.Column{Index: c.Index, Name: c.Name, T: out.Columns[column].Type}
		return out, true
	}
	return nil, false
}

// keep adds to ordinals and columns those of the places that above reads, of a node with these columns below. It returns where they stand above;
// kept are the columns that the node had before, by what they were called there.
func (p places) keep(above []access, kept []int, below []plan.Column, ordinals *[]int, columns *[]plan.Column) (outside places) {
	for _, p := range p {
		if !slices.ContainsFunc(above, func(a access) bool { return p.covers(a) || a.covers(p.access) }) {
			continue
		}
		to := slices.Index(*ordinals, p.at)
		if to < 0 {
			to = len(*ordinals)
			*ordinals, *columns = append(*ordinals, p.at), append(*columns, below[p.at])
		}
		outside = append(outside, place{access{slices.Index(kept, p.column), p.fields}, to})
	}
	return outside
}

// narrowJoin drops what nobody reads, and does not put out what only the condition reads: rows are repeated for each match.
func narrowJoin(n *plan.Join, need []access) (plan.Node, places) {
	width := len(n.Left.Schema())
	kept := n.Kept()
	above := slices.Clone(need)
	for i := range above {
		above[i].column = kept[above[i].column]
	}
	if n.Kind == plan.MarkJoin { // the mark is of neither side
		above = slices.DeleteFunc(above, func(a access) bool { return a.column == width })
	}
	left, right := accesses(nil, n.LeftKeys...), accesses(nil, n.RightKeys...)
	for _, a := range accesses(slices.Clip(above), n.Residual) {
		if a.column < width {
			left = append(left, a)
		} else {
			right = append(right, access{a.column - width, a.fields})
		}
	}
	l, at := narrowed(n.Left, left)
	r, atRight := narrowed(n.Right, right)
	out := &plan.Join{Kind: n.Kind, Left: l, Right: r, LeftKeys: at.rebaseAll(n.LeftKeys), RightKeys: atRight.rebaseAll(n.RightKeys),
		NullSafe: n.NullSafe, Keep: []int{}}
	leftWidth := len(l.Schema())
	both := slices.Clip(at)
	for _, p := range atRight {
		both = append(both, place{access{p.column + width, p.fields}, p.at + leftWidth})
	}
	if n.Residual != nil {
		out.Residual = both.rebase(n.Residual)
	}
	switch n.Kind {
	case plan.InnerJoin, plan.LeftJoin, plan.CrossJoin:
		at = both
	}
	outside := at.keep(above, kept, plan.JoinColumns(n.Kind, l, r), &out.Keep, &out.Columns)
	if n.Kind == plan.MarkJoin {
		outside = append(outside, place{access{column: slices.Index(kept, width)}, len(out.Columns)})
		out.Keep, out.Columns = append(out.Keep, leftWidth), append(out.Columns, n.Columns[len(n.Columns)-1])
	}
	return out, outside
}

func narrowScan(n *plan.Scan, need []access) (plan.Node, places) {
	need = minimal(append(accesses(nil, n.Conjuncts...), need...))
	out := &plan.Scan{Table: n.Table, Limit: n.Limit}
	var at places
	for i, a := range need {
		e := a.read(n.Columns)
		path := n.Paths[a.column]
		out.Paths = append(out.Paths, source.Path{Column: path.Column, Fields: slices.Concat(path.Fields, a.fields)})
		out.Columns = append(out.Columns, plan.Column{Name: plan.Label(e), Type: e.Type()})
		at = append(at, place{a, i})
	}
	out.Conjuncts = at.rebaseAll(n.Conjuncts)
	return out, at
}

// narrowAggregate drops aggregates that nobody reads. Keys make the groups, so all stay; one aggregate must where there are no keys.
func narrowAggregate(n *plan.Aggregate, need []access) (plan.Node, places) {
	out := &plan.Aggregate{Sets: n.Sets, Columns: slices.Clone(n.Columns[:len(n.Keys)])}
	var at places
	wanted := func(column int) bool {
		return slices.ContainsFunc(need, func(a access) bool { return a.column == column })
	}
	below := accesses(nil, n.Keys...)
	for i := range n.Keys {
		at = append(at, place{access{column: i}, i})
	}
	for i, a := range n.Aggs {
		column := len(n.Keys) + i
		wanted := wanted(column)
		last := len(n.Keys) == 0 && len(out.Aggs) == 0 && i == len(n.Aggs)-1
		if !wanted && !last {
			continue
		}
		at = append(at, place{access{column: column}, len(out.Columns)})
		out.Aggs, out.Columns = append(out.Aggs, a), append(out.Columns, n.Columns[column])
		below = accesses(below, a.Args...)
		below = accesses(below, a.Filter)
		for _, k := range a.OrderBy {
			below = accesses(below, k.Expr)
		}
	}
	for i, g := range n.Groupings {
		if column := len(n.Keys) + len(n.Aggs) + i; wanted(column) {
			at = append(at, place{access{column: column}, len(out.Columns)})
			out.Groupings, out.Columns = append(out.Groupings, g), append(out.Columns, n.Columns[column])
		}
	}
	in, from := narrowed(n.Input, below)
	out.Input, out.Keys = in, n.Keys
	return plan.MapExprs(out, from.rebase), at
}

// narrowWindow drops functions that nobody reads; without any the rows need no window.
func narrowWindow(n *plan.Window, need []access) (plan.Node, places) {
	kept := n.Kept()
	width := len(kept)
	var above []access // of the input, by what stands above the window
	for _, a := range need {
		if a.column < width {
			above = append(above, access{kept[a.column], a.fields})
		}
	}
	below := slices.Clone(above)
	out := *n
	out.Keep, out.Calls, out.Columns = []int{}, nil, nil
	var at places
	for i, c := range n.Calls {
		if !slices.ContainsFunc(need, func(a access) bool { return a.column == width+i }) {
			continue
		}
		at = append(at, place{access{column: width + i}, len(out.Calls)})
		out.Calls, out.Columns = append(out.Calls, c), append(out.Columns, n.Columns[width+i])
		below = accesses(below, c.Exprs()...)
	}
	if len(out.Calls) == 0 {
		in, from := narrowed(n.Input, below)
		for i, p := range from {
			from[i].column = slices.Index(kept, p.column)
		}
		return in, from
	}
	below = accesses(below, n.PartitionBy...)
	for _, k := range n.OrderBy {
		below = accesses(below, k.Expr)
	}
	in, from := narrowed(n.Input, below)
	out.Input = in
	// The rows do not take along what only the window reads.
	var columns []plan.Column
	outside := from.keep(above, kept, in.Schema(), &out.Keep, &columns)
	for i := range at {
		at[i].at += len(columns)
	}
	out.Columns = slices.Concat(columns, out.Columns)
	return plan.MapExprs(&out, from.rebase), slices.Concat(outside, at)
}
