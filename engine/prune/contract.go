// Package prune decides from statistics whether a predicate can hold: predicate ×
// statistics → never, maybe or always. It knows nothing of CloudTrail or Parquet;
// partitions, files, row groups, pages and dictionaries all use it. Doubt keeps data.
package prune

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/expr"
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
func Check(e expr.Expr, s Stats) Verdict { panic("not written yet") }

// Entries judges a predicate over the one column it uses by that column's distinct entries: Never if it is false or NULL for all
// of them and for NULL where nulls is true. A predicate that fails on an entry is Maybe.
func Entries(e expr.Expr, column int, entries arrow.Array, nulls bool) Verdict {
	panic("not written yet")
}

// EqualTo returns the values that a conjunct demands of a column (column = v, column IN (…)), for bloom filters; ok is false
// if it is no such conjunct.
func EqualTo(e expr.Expr) (column int, values []any, ok bool) { panic("not written yet") }
