package optimize

import (
	"slices"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
)

// connectJoins puts the inputs of inner and cross joins into an order in which each is joined by an equality to those before it, where
// there is one: FROM a, b, c WHERE a.x = c.x AND b.y = c.y has no condition between a and b, and need not multiply them. A tree without
// cross joins keeps its order.
func connectJoins(n plan.Node, s *fn.Session) plan.Node {
	t := &joinTree{}
	if t.add(n); len(t.leaves) < 3 || !t.crossed {
		inputs := slices.Clone(n.Inputs())
		for i, in := range inputs {
			inputs[i] = connectJoins(in, s)
		}
		return plan.WithInputs(n, inputs)
	}
	for i := range t.leaves {
		t.leaves[i] = connectJoins(t.leaves[i], s)
	}
	return t.connected(n.Schema())
}

// joinTree is a tree of inner and cross joins taken apart.
type joinTree struct {
	leaves    []plan.Node
	owner     []int // of each column of all leaves: its leaf
	first     []int // of each leaf: its first column
	conjuncts []expr.Expr
	crossed   bool // a cross join was among them
}

// add takes n apart; its columns come after those that t has.
func (t *joinTree) add(n plan.Node) {
	base := len(t.owner)
	take := func(conjuncts []expr.Expr) {
		for _, e := range conjuncts {
			t.conjuncts = append(t.conjuncts, plan.MoveColumns(e, func(c int) int { return base + c }))
		}
	}
	switch n := n.(type) {
	case *plan.Filter:
		j, ok := n.Input.(*plan.Join)
		if !ok || !inner(j) || slices.ContainsFunc(n.Conjuncts, expr.Volatile) {
			break
		}
		t.add(j)
		take(n.Conjuncts)
		return
	case *plan.Join:
		if !inner(n) {
			break
		}
		t.crossed = t.crossed || n.Kind == plan.CrossJoin
		t.add(n.Left)
		t.add(n.Right)
		take(n.KeyConjuncts())
		take(expr.Conjuncts(n.Residual))
		return
	}
	t.first = append(t.first, base)
	for range n.Schema() {
		t.owner = append(t.owner, len(t.leaves))
	}
	t.leaves = append(t.leaves, n)
}

func inner(j *plan.Join) bool {
	return j.Kind == plan.CrossJoin || j.Kind == plan.InnerJoin && (j.Residual == nil || !expr.Volatile(j.Residual))
}

// connected joins the leaves anew, from the smallest on, and gives the columns of the old order.
func (t *joinTree) connected(schema []plan.Column) plan.Node {
	placed := map[int]int{} // leaf → where its columns begin
	var n plan.Node
	rest := slices.Clone(t.conjuncts)
	to := func(c int) int { return placed[t.owner[c]] + c - t.first[t.owner[c]] }
	for len(placed) < len(t.leaves) {
		next, best := -1, 0.0
		for i, leaf := range t.leaves {
			if _, ok := placed[i]; ok {
				continue
			}
			rows := guess(leaf)
			if n != nil && !t.joins(placed, i) {
				rows *= 1e12 // only if nothing else is left
			}
			if next < 0 || rows < best {
				next, best = i, rows
			}
		}
		if n == nil {
			n, placed[next] = t.leaves[next], 0
			continue
		}
		placed[next] = len(n.Schema())
		on, later := split(rest, func(e expr.Expr) bool { return t.within(e, placed) })
		for i, e := range on {
			on[i] = plan.MoveColumns(e, to)
		}
		n, rest = plan.NewJoin(plan.InnerJoin, n, t.leaves[next], on), later
	}
	refs := plan.ColumnRefs(n)
	exprs := make([]expr.Expr, len(schema))
	for c := range exprs {
		exprs[c] = refs[to(c)]
	}
	return &plan.Project{Input: n, Exprs: exprs, Columns: schema}
}

// joins reports whether an equality joins a leaf to those placed.
func (t *joinTree) joins(placed map[int]int, leaf int) bool {
	alone := map[int]int{leaf: 0}
	return slices.ContainsFunc(t.conjuncts, func(e expr.Expr) bool {
		c, ok := e.(*expr.Compare)
		return ok && (c.Op == expr.Eq || c.Op == expr.NotDistinct) && len(expr.Columns(c.Left)) > 0 && len(expr.Columns(c.Right)) > 0 &&
			(t.within(c.Left, placed) && t.within(c.Right, alone) || t.within(c.Right, placed) && t.within(c.Left, alone))
	})
}

// within reports whether e uses columns of some leaves only.
func (t *joinTree) within(e expr.Expr, leaves map[int]int) bool {
	return !slices.ContainsFunc(expr.Columns(e), func(c int) bool { _, ok := leaves[t.owner[c]]; return !ok })
}
