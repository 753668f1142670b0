package prune

import (
	"cmp"
	"math"
	"time"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// span is what is known of the values that an expression takes on the rows: inclusive bounds of those that are not NULL, as Go
// values (nil: unknown), and whether there may be NULLs, and others.
type span struct {
	min, max    any
	null, value bool
	nan         bool // NaN may be among the values, whatever the bounds
}

var unknown = span{null: true, value: true, nan: true}

func point(v any) span { return span{min: v, max: v, value: true} }

// utc is the session in which bounds and entries are evaluated. Steps that depend on the session's zone are not seen through (see monotone).
var utc = &fn.Session{Zone: time.UTC}

// simple reports whether values of the type are of the Go types of Stats.Bounds and ordered like them.
func simple(t sqltype.Type) bool {
	switch t.Kind {
	case sqltype.Boolean, sqltype.TinyInt, sqltype.SmallInt, sqltype.Integer, sqltype.BigInt, sqltype.Real, sqltype.Double, sqltype.Varchar,
		sqltype.Date, sqltype.Time, sqltype.Timestamp, sqltype.TimestampTZ, sqltype.IntervalDay, sqltype.IntervalYear:
		return true
	}
	return false
}

func floating(t sqltype.Type) bool { return t.Kind == sqltype.Real || t.Kind == sqltype.Double }

func spanOf(e expr.Expr, s Stats) span {
	if literal, ok := e.(*expr.Literal); ok {
		switch {
		case literal.T.Kind == sqltype.Unknown || literal.Value.IsNull(0):
			return span{null: true}
		case !simple(literal.T):
			return span{value: true, nan: true}
		}
		v := vec.Value(literal.Value, 0)
		if f, ok := v.(float64); ok && math.IsNaN(f) {
			return span{value: true, nan: true}
		}
		return point(v)
	}
	c, canonical, ok := monotone(e)
	if !ok {
		return spanOfConstant(e, s)
	}
	out := columnSpan(c, s)
	if _, plain := e.(*expr.Column); plain {
		return out
	}
	if canonical && !s.Canonical(c.Index) {
		return unknown
	}
	if mayAddNulls(e) {
		out.null = true
	}
	out.min = image(e, c, out.min, canonical)
	out.max = image(e, c, out.max, canonical)
	out.nan = floating(e.Type())
	return out
}

// spanOfConstant sees through parts of a date or timestamp, in order or not, where its column has one value only: as a partition's date has.
func spanOfConstant(e expr.Expr, s Stats) span {
	c, ok := datePart(e)
	if !ok {
		return unknown
	}
	out := columnSpan(c, s)
	if out.min == nil || out.min != out.max {
		return unknown
	}
	out.min = image(e, c, out.min, false)
	out.max = out.min
	out.nan = floating(e.Type())
	return out
}

// columnSpan is what the statistics say of a column.
func columnSpan(c *expr.Column, s Stats) span {
	out := span{null: true, value: true, nan: floating(c.T)}
	if nulls, rows := s.Nulls(c.Index); nulls >= 0 && rows > 0 {
		out.null, out.value = nulls > 0, nulls < rows
	}
	lo, hi := s.Bounds(c.Index)
	if fits(lo, c.T) {
		out.min = lo
	}
	if fits(hi, c.T) {
		out.max = hi
	}
	if n, ok := order(out.min, out.max); ok && n > 0 { // no honest bounds
		out.min, out.max = nil, nil
	}
	return out
}

// fits reports whether v is a Go value of type t that has a place in an order.
func fits(v any, t sqltype.Type) bool {
	if !simple(t) {
		return false
	}
	switch v := v.(type) {
	case bool:
		return t.Kind == sqltype.Boolean
	case float64:
		return floating(t) && !math.IsNaN(v)
	case string:
		return t.Kind == sqltype.Varchar
	case int64:
		return t.Kind != sqltype.Boolean && t.Kind != sqltype.Varchar && !floating(t)
	}
	return false
}

// order compares two bounds; ok is false if one is unknown or they are not alike. Text compares by bytes.
func order(a, b any) (n int, ok bool) {
	switch a := a.(type) {
	case bool:
		if b, ok := b.(bool); ok {
			switch {
			case a == b:
				return 0, true
			case b:
				return -1, true
			}
			return 1, true
		}
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b), true
		}
	case float64:
		if b, ok := b.(float64); ok {
			return cmp.Compare(a, b), true
		}
	case string:
		if b, ok := b.(string); ok {
			return cmp.Compare(a, b), true
		}
	}
	return 0, false
}

// compare is the outcomes of a comparison between any value of a and any of b.
func compare(op expr.CompareOp, a, b span) outcomes {
	var out outcomes
	if a.value && b.value {
		out = compareValues(op, a, b)
	}
	switch op {
	case expr.Distinct, expr.NotDistinct:
		same, different := a.null && b.null, a.null && b.value || a.value && b.null
		if op == expr.Distinct {
			same, different = different, same
		}
		out.yes, out.no = out.yes || same, out.no || different
	default:
		out.null = a.null || b.null
	}
	return out
}

// compareValues leaves NULL aside.
func compareValues(op expr.CompareOp, a, b span) outcomes {
	less, equal, greater := true, true, true
	if n, ok := order(a.min, b.max); ok {
		less, equal = n < 0, n <= 0
	}
	if n, ok := order(a.max, b.min); ok {
		greater, equal = n > 0, equal && n >= 0
	}
	nan := a.nan || b.nan // NaN compares as false, but is other than all values
	switch op {
	case expr.Eq:
		return outcomes{yes: equal, no: less || greater || nan}
	case expr.Ne:
		return outcomes{yes: less || greater || nan, no: equal}
	case expr.Lt:
		return outcomes{yes: less, no: equal || greater || nan}
	case expr.Le:
		return outcomes{yes: less || equal, no: greater || nan}
	case expr.Gt:
		return outcomes{yes: greater, no: equal || less || nan}
	case expr.Ge:
		return outcomes{yes: greater || equal, no: less || nan}
	case expr.Distinct: // here NaN is the same as NaN
		return outcomes{yes: less || greater || nan, no: equal || nan}
	case expr.NotDistinct:
		return outcomes{yes: equal || nan, no: less || greater || nan}
	}
	return anything
}
