// Package plan holds the logical nodes of a query, the schema of each, their
// printer and the rewriting walker. A node's expressions refer to its input's
// columns by ordinal.
package plan

import (
	"slices"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// Column is an output column of a node; without a name it is printed as _col0, _col1, …
type Column = sqltype.Column

// Node is a logical operator. Trees are immutable; rewriting copies.
type Node interface {
	Schema() []Column
	Inputs() []Node
	node()
}

// Scan reads paths of a table. Conjuncts refer to Paths by ordinal; those that the source does not apply are filtered by the executor.
type Scan struct {
	Table     source.Table
	Paths     []source.Path
	Columns   []Column // one per path
	Conjuncts []expr.Expr
	Limit     int64        // a hint pushed down; -1 none
	Top       *source.TopN // a hint pushed down; nil: none
	Skips     []expr.Expr  // hints: rows for which one is not true need not be read
}

// Values yields literal rows.
type Values struct {
	Columns []Column
	Rows    [][]expr.Expr // constant expressions
}

// Filter keeps rows for which all Conjuncts are true.
type Filter struct {
	Input     Node
	Conjuncts []expr.Expr
}

// Project computes columns.
type Project struct {
	Input   Node
	Exprs   []expr.Expr
	Columns []Column
}

// Aggregate groups by expressions over the input; the output is the keys, then the aggregates, then the groupings.
// No keys: exactly one row. No aggregates: DISTINCT.
//
// With Sets each input row counts once per set, in its group by the set's keys; in the output the keys that the set leaves out are NULL.
// A set without keys has exactly one row, without input too.
type Aggregate struct {
	Input     Node
	Keys      []expr.Expr
	Aggs      []AggregateCall
	Sets      [][]int   // ordinals of keys, ascending; nil: one set of all keys
	Groupings [][]int64 // with Sets only: bigint columns, Groupings[i][s] in the rows of set s
	Columns   []Column
}

// InAllSets reports whether every group of n has a value for the key, so that what holds for the key holds for the rows of its group.
func (n *Aggregate) InAllSets(key int) bool {
	for _, set := range n.Sets {
		if !slices.Contains(set, key) {
			return false
		}
	}
	return true
}

// AggregateCall is one aggregate over the input's columns.
type AggregateCall struct {
	Fn       *fn.Aggregate
	Overload *fn.AggregateOverload
	Args     []expr.Expr
	Distinct bool
	Filter   expr.Expr // nil: all rows
	OrderBy  []SortKey // over the input's columns
	T        sqltype.Type
}

// SortKey orders by an expression. Trino's default is nulls last, whatever the direction.
type SortKey struct {
	Expr       expr.Expr
	Desc       bool
	NullsFirst bool
}

// Sort orders rows; stable. Limit ≥ 0 keeps only that many rows after Offset (top-N), with Ties also those after the last one whose
// keys equal its keys; then Limit is positive.
type Sort struct {
	Input  Node
	Keys   []SortKey
	Limit  int64 // -1: all
	Offset int64
	Ties   bool
}

// Limit keeps Limit rows (-1: all) after skipping Offset. With By it does so for each run of rows with equal values of By, by which
// the input is sorted; NULLs are equal.
type Limit struct {
	Input  Node
	Limit  int64
	Offset int64
	By     []expr.Expr
}

// JoinKind is the kind of a join.
type JoinKind uint8

const (
	InnerJoin JoinKind = iota
	LeftJoin
	CrossJoin
	SemiJoin // left rows that have a match; output is the left columns (room for IN and EXISTS)
	AntiJoin // left rows that have none
	// MarkJoin puts after each left row whether it has a match: true; NULL if the residual is NULL for some pair and true for none;
	// else false (room for comparisons with ANY).
	MarkJoin
)

// Join matches rows of two inputs; the output is the left columns, then the right ones (but see SemiJoin).
// LeftKeys[i] = RightKeys[i] must hold (NULL matches only where NullSafe says so), and Residual, over the columns of both sides, too.
type Join struct {
	Kind                JoinKind
	Left, Right         Node
	LeftKeys, RightKeys []expr.Expr // over the left input, over the right input
	NullSafe            []bool      // by key, where the keys must be NOT DISTINCT: NULL matches NULL, NaN NaN. nil: none
	Residual            expr.Expr   // nil: none
	Keep                []int       // the columns that are put out, by their ordinals in JoinColumns; nil: all
	Columns             []Column
}

// Union concatenates inputs of equal column types (UNION ALL).
type Union struct {
	Children []Node
	Columns  []Column
}

// Spool computes the rows of its input once for all places where it stands, and holds them. Rules must treat its copies alike: nothing
// that they know from above goes below it.
type Spool struct {
	Input Node
	ID    *SpoolID // the same in all copies
}

// SpoolID tells spools apart.
type SpoolID struct{ _ byte }

// Recursive yields the rows of First, then again and again those of Step, in which LastRows stands for what came last, until nothing comes
// (WITH RECURSIVE … UNION ALL). Rows that come after Step has run MaxSteps times are an error.
type Recursive struct {
	First, Step Node
	ID          *RecursionID // of the LastRows in Step
	MaxSteps    int
	Columns     []Column
}

// LastRows is what came last in the Recursive around it.
type LastRows struct {
	ID      *RecursionID
	Columns []Column
}

// RecursionID ties a Recursive to its LastRows.
type RecursionID struct{ Name string }

// Unnest puts after each input row the elements of its arrays (several: side by side, the shorter padded with NULL;
// maps give two columns; arrays of rows one column per field), then the ordinal if wanted. Outer keeps rows without elements
// (LEFT JOIN UNNEST … ON TRUE). A bigint stands for that many elements without a column: it repeats the row.
type Unnest struct {
	Input      Node
	Exprs      []expr.Expr // arrays, maps or bigints over the input
	Ordinality bool
	Outer      bool
	Whole      bool  // elements that are rows come as one column, not as one per field
	Keep       []int // ordinals of the input's columns that are put out; nil: all
	Columns    []Column
}

// Kept are the ordinals of the input's columns that are put out.
func (n *Unnest) Kept() []int { return kept(n.Keep, len(n.Input.Schema())) }

// Kept returns the ordinals in JoinColumns of the columns that are put out.
func (n *Join) Kept() []int { return kept(n.Keep, len(JoinColumns(n.Kind, n.Left, n.Right))) }

func kept(keep []int, width int) []int {
	if keep != nil {
		return keep
	}
	all := make([]int, width)
	for i := range all {
		all[i] = i
	}
	return all
}

func (n *Scan) Schema() []Column      { return n.Columns }
func (n *Values) Schema() []Column    { return n.Columns }
func (n *Filter) Schema() []Column    { return n.Input.Schema() }
func (n *Project) Schema() []Column   { return n.Columns }
func (n *Aggregate) Schema() []Column { return n.Columns }
func (n *Sort) Schema() []Column      { return n.Input.Schema() }
func (n *Limit) Schema() []Column     { return n.Input.Schema() }
func (n *Join) Schema() []Column      { return n.Columns }
func (n *Union) Schema() []Column     { return n.Columns }
func (n *Unnest) Schema() []Column    { return n.Columns }
func (n *Spool) Schema() []Column     { return n.Input.Schema() }
func (n *Recursive) Schema() []Column { return n.Columns }
func (n *LastRows) Schema() []Column  { return n.Columns }

func (n *Scan) Inputs() []Node      { return nil }
func (n *Values) Inputs() []Node    { return nil }
func (n *Filter) Inputs() []Node    { return []Node{n.Input} }
func (n *Project) Inputs() []Node   { return []Node{n.Input} }
func (n *Aggregate) Inputs() []Node { return []Node{n.Input} }
func (n *Sort) Inputs() []Node      { return []Node{n.Input} }
func (n *Limit) Inputs() []Node     { return []Node{n.Input} }
func (n *Join) Inputs() []Node      { return []Node{n.Left, n.Right} }
func (n *Union) Inputs() []Node     { return n.Children }
func (n *Unnest) Inputs() []Node    { return []Node{n.Input} }
func (n *Spool) Inputs() []Node     { return []Node{n.Input} }
func (n *Recursive) Inputs() []Node { return []Node{n.First, n.Step} }
func (n *LastRows) Inputs() []Node  { return nil }

func (*Scan) node()      {}
func (*Values) node()    {}
func (*Filter) node()    {}
func (*Project) node()   {}
func (*Aggregate) node() {}
func (*Sort) node()      {}
func (*Limit) node()     {}
func (*Join) node()      {}
func (*Union) node()     {}
func (*Unnest) node()    {}
func (*Spool) node()     {}
func (*Recursive) node() {}
func (*LastRows) node()  {}
