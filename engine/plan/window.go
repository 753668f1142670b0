package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// Window computes functions over rows that are partitioned and ordered alike; the output is the columns of the input that are kept, then one per
// function. The rows come out partition by partition, in the window's order.
type Window struct {
	Input       Node
	PartitionBy []expr.Expr
	OrderBy     []SortKey // none: all rows of a partition are peers
	Calls       []WindowCall
	Keep        []int // ordinals of the input's columns that are put out; nil: all
	Most        int64 // of each partition the first so many rows are wanted; the others may be put out or not. 0: all are
	Columns     []Column
}

// WindowCall is one function over the input's columns.
type WindowCall struct {
	Fn          *fn.WindowFunction
	Overload    *fn.WindowOverload
	Args        []expr.Expr
	Filter      expr.Expr // of an aggregate: the rows that count; nil: all
	IgnoreNulls bool
	Frame       Frame
	T           sqltype.Type
}

// Frame is the rows around the current one that a function sees.
type Frame struct {
	Unit       FrameUnit
	Start, End FrameBound
}

// FrameUnit is what offsets count, and what CURRENT ROW stands for: with Rows the row, else it and its peers.
type FrameUnit uint8

const (
	Range  FrameUnit = iota // differences of the sort key
	Rows                    // rows
	Groups                  // groups of peers
)

// FrameBound is an end of a frame.
type FrameBound struct {
	Kind BoundKind
	// Offset goes with Preceding and Following: a bigint, or for Range what is added to or taken from the sort key. It must be
	// neither NULL nor negative.
	Offset expr.Expr
	// Key and Edge are set beside the Offset of a Range: the sort key, and the last value of it that is inside, in a common type.
	Key, Edge expr.Expr
	Pos       sqlerr.Pos
}

// BoundKind is the form of a bound.
type BoundKind uint8

const (
	UnboundedPreceding BoundKind = iota
	Preceding
	CurrentRow
	Following
	UnboundedFollowing
)

// DefaultFrame is the one that a window has without saying so: up to the current row and its peers.
var DefaultFrame = Frame{Unit: Range, End: FrameBound{Kind: CurrentRow}}

var (
	unitWords  = [...]string{Range: "range", Rows: "rows", Groups: "groups"}
	boundWords = [...]string{
		UnboundedPreceding: "unbounded preceding", Preceding: "preceding", CurrentRow: "current row",
		Following: "following", UnboundedFollowing: "unbounded following",
	}
)

func (n *Window) Schema() []Column { return n.Columns }
func (n *Window) Inputs() []Node   { return []Node{n.Input} }
func (*Window) node()              {}

// Kept are the ordinals of the input's columns that are put out.
func (n *Window) Kept() []int { return kept(n.Keep, len(n.Input.Schema())) }

// SortKeys is the order in which the rows come out: by the partition, then as the window says.
func (n *Window) SortKeys() []SortKey {
	keys := make([]SortKey, 0, len(n.PartitionBy)+len(n.OrderBy))
	for _, e := range n.PartitionBy {
		keys = append(keys, SortKey{Expr: e})
	}
	return append(keys, n.OrderBy...)
}

// Sorted reports whether the input is a window whose rows come out in the order that n needs.
func (n *Window) Sorted() bool { return sortedBy(n.Input, n.SortKeys()) }

func sortedBy(n Node, keys []SortKey) bool {
	w, ok := n.(*Window)
	if !ok {
		return false
	}
	kept, below := w.Kept(), slices.Clone(keys) // the keys over the input of w
	for i, key := range keys {
		if SidesOf(key.Expr, len(kept))&RightSide != 0 {
			return false
		}
		below[i].Expr = MoveColumns(key.Expr, func(c int) int { return kept[c] })
	}
	own := w.SortKeys()
	if len(below) <= len(own) && slices.EqualFunc(below, own[:len(below)], SortKey.Equal) {
		return true
	}
	return (len(own) == 0 || w.Sorted()) && sortedBy(w.Input, below) // rows that w leaves in their order
}

// Equal reports whether two keys order alike. One that is computed anew each time is like no other.
func (k SortKey) Equal(l SortKey) bool {
	return k.Desc == l.Desc && k.NullsFirst == l.NullsFirst && expr.Equal(k.Expr, l.Expr) && !expr.Volatile(k.Expr)
}

// Exprs returns the expressions of the bound, which may be none.
func (b FrameBound) Exprs() []expr.Expr {
	return slices.DeleteFunc([]expr.Expr{b.Offset, b.Key, b.Edge}, func(e expr.Expr) bool { return e == nil })
}

// Equal reports whether two frames are the same.
func (f Frame) Equal(g Frame) bool {
	same := func(a, b FrameBound) bool {
		return a.Kind == b.Kind && slices.EqualFunc(a.Exprs(), b.Exprs(), expr.Equal)
	}
	return f.Unit == g.Unit && same(f.Start, g.Start) && same(f.End, g.End)
}

// Exprs returns all expressions of the call, those of its frame too.
func (c WindowCall) Exprs() []expr.Expr {
	es := slices.Concat(c.Args, c.Frame.Start.Exprs(), c.Frame.End.Exprs())
	if c.Filter != nil {
		es = append(es, c.Filter)
	}
	return es
}

// Label is the call as it is written, with its frame if it has one of its own.
func (c WindowCall) Label() string { return strings.ReplaceAll(describeWindowCall(c), `"`, "") }

func describeWindowCall(c WindowCall) string {
	args := list(c.Args)
	if len(c.Args) == 0 && c.Fn.Name == "count" {
		args = "*"
	}
	s := c.Fn.Name + "(" + args + ")"
	if c.Filter != nil {
		s += " FILTER " + expr.Format(c.Filter)
	}
	if c.IgnoreNulls {
		s += " IGNORE NULLS"
	}
	if f := c.Frame; c.Fn.Framed && !f.Equal(DefaultFrame) {
		s += " " + unitWords[f.Unit] + " between " + describeBound(f.Start) + " and " + describeBound(f.End)
	}
	return s
}

func describeBound(b FrameBound) string {
	if b.Offset != nil {
		return expr.Format(b.Offset) + " " + boundWords[b.Kind]
	}
	return boundWords[b.Kind]
}

func describeWindow(n *Window) string {
	s := "Window"
	if len(n.PartitionBy) > 0 {
		s += " by " + list(n.PartitionBy)
	}
	if len(n.OrderBy) > 0 {
		s += " order by " + sortKeys(n.OrderBy)
	}
	if len(n.PartitionBy)+len(n.OrderBy) > 0 && n.Sorted() {
		s += ", sorted already"
	}
	if n.Most > 0 {
		s += fmt.Sprintf(", first %d of each", n.Most)
	}
	calls := make([]string, len(n.Calls))
	for i, c := range n.Calls {
		calls[i] = describeWindowCall(c)
	}
	return s + ": " + strings.Join(calls, ", ")
}
