// Package prune decides from statistics whether a predicate can hold: predicate ×
// statistics → never, maybe or always. It knows nothing of CloudTrail or Parquet;
// partitions, files, row groups and pages all use it. Doubt keeps data.
//
// A predicate is not judged as true or false but by its outcomes: which of true, false and NULL it may yield on some row, given what
// is known of the columns. Outcomes combine by three-valued logic, so negation needs no care: NOT swaps true and false, and a NULL
// stays one. What is not understood may yield anything.
package prune

import (
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/sqltype"
)

// Verdict on a set of rows.
type Verdict uint8

const (
	Maybe  Verdict = iota // some row may match
	Never                 // no row matches
	Always                // every row matches
)

// Stats describe the columns of a set of rows; columns are the ordinals that the predicate uses.
type Stats interface {
	// Bounds returns inclusive bounds of the non-NULL values as Go values (bool, int64, float64, string), nil if unknown.
	Bounds(column int) (min, max any)
	// Nulls returns the number of NULLs and of rows; nulls is -1 if unknown.
	Nulls(column int) (nulls, rows int64)
	// Canonical reports that every non-NULL text of the column is a time of the form 2006-01-02T15:04:05Z.
	Canonical(column int) bool
}

// Check judges a boolean predicate (NULL counts as no match).
func Check(e expr.Expr, s Stats) Verdict {
	return outcomesOf(e, s).verdict()
}

// outcomes says which values a predicate may yield on some row.
type outcomes struct{ yes, no, null bool }

var anything = outcomes{yes: true, no: true, null: true}

func (o outcomes) verdict() Verdict {
	switch {
	case !o.yes:
		return Never
	case !o.no && !o.null:
		return Always
	}
	return Maybe
}

func (o outcomes) not() outcomes { return outcomes{yes: o.no, no: o.yes, null: o.null} }

// and is the outcomes of a conjunction: false if one is, else NULL if one is, else true.
func and(all []outcomes) outcomes {
	out := outcomes{yes: true}
	falseless := true // every operand may be other than false
	for _, o := range all {
		out.yes = out.yes && o.yes
		out.no = out.no || o.no
		out.null = out.null || o.null
		falseless = falseless && (o.yes || o.null)
	}
	out.null = out.null && falseless
	return out
}

// or is the dual of and.
func or(all []outcomes) outcomes {
	negated := make([]outcomes, len(all))
	for i, o := range all {
		negated[i] = o.not()
	}
	return and(negated).not()
}

func outcomesOf(e expr.Expr, s Stats) outcomes {
	switch e := e.(type) {
	case *expr.And:
		return and(each(e.Args, s))
	case *expr.Or:
		return or(each(e.Args, s))
	case *expr.Not:
		return outcomesOf(e.Arg, s).not()
	case *expr.IsNull:
		arg := spanOf(e.Arg, s)
		return outcomes{yes: arg.null, no: arg.value}
	case *expr.Compare:
		return compare(e.Op, spanOf(e.Left, s), spanOf(e.Right, s))
	case *expr.In:
		arg := spanOf(e.Arg, s)
		all := make([]outcomes, len(e.List))
		for i, item := range e.List {
			all[i] = compare(expr.Eq, arg, spanOf(item, s))
		}
		return or(all)
	case *expr.Call:
		if e.Fn.Name == "like" {
			return like(e, s)
		}
	case *expr.Column, *expr.Literal:
		if e.Type().Kind == sqltype.Boolean {
			return compare(expr.Eq, spanOf(e, s), point(true))
		}
		if e.Type().Kind == sqltype.Unknown {
			return outcomes{null: true}
		}
	}
	return anything
}

func each(args []expr.Expr, s Stats) []outcomes {
	all := make([]outcomes, len(args))
	for i, arg := range args {
		all[i] = outcomesOf(arg, s)
	}
	return all
}
