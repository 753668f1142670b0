package prune

import (
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// canonicalTime is the one text form in which the order of bytes is the order of time (see Stats.Canonical).
const canonicalTime = "2006-01-02T15:04:05Z"

// The patterns that read the canonical form. Others may fail on it, or read its parts in an order of their own; parse_datetime with a
// quoted 'Z' takes the zone from the session.
var (
	canonicalDateParse     = []string{"%Y-%m-%dT%H:%i:%sZ", "%Y-%m-%dT%H:%i:%SZ", "%Y-%m-%dT%TZ"}
	canonicalParseDatetime = []string{
		"yyyy-MM-dd'T'HH:mm:ssZ", "yyyy-MM-dd'T'HH:mm:ssZZ", "YYYY-MM-dd'T'HH:mm:ssZ", "YYYY-MM-dd'T'HH:mm:ssZZ",
	}
)

// monotone reports whether e is a function of one column that never falls as the column's value rises, so that bounds of the column
// give bounds of e. With canonical that holds only if the column's texts are canonical times; then values with a time zone on the way are in
// UTC all. No step may depend on the session's zone, which is not known here.
func monotone(e expr.Expr) (column *expr.Column, canonical, ok bool) {
	switch e := e.(type) {
	case *expr.Column:
		return e, false, true
	case *expr.Try:
		return monotone(e.Arg)
	case *expr.Cast:
		if day, ok := dayText(e.Arg); ok && e.T.Kind == sqltype.Date {
			return day, true, true
		}
		column, canonical, ok = monotone(e.Arg)
		return column, canonical, ok && castKeepsOrder(e.Arg.Type().Kind, e.T.Kind, canonical)
	case *expr.Call:
		return monotoneCall(e)
	}
	return nil, false, false
}

func castKeepsOrder(from, to sqltype.Kind, canonical bool) bool {
	integer := func(k sqltype.Kind) bool {
		return k == sqltype.TinyInt || k == sqltype.SmallInt || k == sqltype.Integer || k == sqltype.BigInt
	}
	switch {
	case integer(from):
		return integer(to) || to == sqltype.Double
	case from == sqltype.Varchar: // shortened
		return to == sqltype.Varchar
	case from == sqltype.Date:
		return to == sqltype.Date || to == sqltype.Timestamp
	case from == sqltype.Timestamp:
		return to == sqltype.Date || to == sqltype.Timestamp
	case from == sqltype.TimestampTZ:
		return to == sqltype.TimestampTZ || canonical && (to == sqltype.Date || to == sqltype.Timestamp)
	}
	return false
}

func monotoneCall(e *expr.Call) (column *expr.Column, canonical, ok bool) {
	text := func(i int) string { // the value of a literal text, or ""
		s, _ := literalValue(e.Args, i).(string)
		return s
	}
	reads := false // the canonical form
	switch e.Fn.Name {
	case "from_iso8601_timestamp":
		reads = len(e.Args) == 1
	case "date_parse":
		reads = slices.Contains(canonicalDateParse, text(1))
	case "parse_datetime":
		reads = slices.Contains(canonicalParseDatetime, text(1))
	}
	if reads {
		column, ok = e.Args[0].(*expr.Column)
		return column, true, ok && column.T.Kind == sqltype.Varchar
	}
	switch e.Fn.Name { // those that read the day of it
	case "date", "from_iso8601_date":
		reads = len(e.Args) == 1
	case "date_parse":
		reads = text(1) == "%Y-%m-%d"
	}
	if reads {
		if day, ok := dayText(e.Args[0]); ok {
			return day, true, true
		}
	}
	arg := 0
	switch {
	case beginning(e):
	case (e.Fn.Name == "date" || e.Fn.Name == "year") && len(e.Args) == 1:
	case e.Fn.Name == "date_trunc" && text(0) != "":
		arg = 1
	default:
		return nil, false, false
	}
	column, canonical, ok = monotone(e.Args[arg])
	switch e.Args[arg].Type().Kind {
	case sqltype.Varchar:
		ok = ok && arg == 0 && len(e.Args) > 1 // substr
	case sqltype.Date, sqltype.Timestamp:
	case sqltype.TimestampTZ:
		ok = ok && canonical // else each value may have a zone of its own
	default:
		ok = false
	}
	return column, canonical, ok
}

// literalValue returns the value of the i-th argument if it is a literal, else nil.
func literalValue(args []expr.Expr, i int) any {
	if i >= len(args) {
		return nil
	}
	literal, ok := args[i].(*expr.Literal)
	if !ok || !simple(literal.T) {
		return nil
	}
	return vec.Value(literal.Value, 0)
}

// beginning reports whether e is the beginning of a text: substr(text, 1[, length]).
func beginning(e *expr.Call) bool {
	if e.Fn.Name != "substr" || e.Args[0].Type().Kind != sqltype.Varchar || literalValue(e.Args, 1) != int64(1) {
		return false
	}
	length, known := literalValue(e.Args, 2).(int64)
	return len(e.Args) == 2 || known && length >= 0
}

// dayText returns the column of substr(column, 1, 10): the day, if the column's texts are canonical times.
func dayText(e expr.Expr) (*expr.Column, bool) {
	call, ok := e.(*expr.Call)
	if !ok || !beginning(call) || literalValue(call.Args, 2) != int64(10) {
		return nil, false
	}
	column, ok := call.Args[0].(*expr.Column)
	return column, ok
}

// dateParts are functions of a date or timestamp, and of constants, that do not depend on the session.
var dateParts = []string{"format_datetime", "date_format", "month", "day", "quarter", "week", "day_of_week", "day_of_year", "hour"}

// datePart returns the column of date parts of it: format_datetime(column, 'MM'), month(column).
func datePart(e expr.Expr) (column *expr.Column, ok bool) {
	call, ok := e.(*expr.Call)
	if !ok || !slices.Contains(dateParts, call.Fn.Name) {
		return nil, false
	}
	for i := range call.Args[1:] {
		if literalValue(call.Args, i+1) == nil {
			return nil, false
		}
	}
	arg := call.Args[0]
	if cast, ok := arg.(*expr.Cast); ok && !cast.Try && cast.T.Kind == sqltype.Timestamp {
		arg = cast.Arg
	}
	column, ok = arg.(*expr.Column)
	return column, ok && (column.T.Kind == sqltype.Date || column.T.Kind == sqltype.Timestamp)
}

// mayAddNulls reports whether e can be NULL where its column is not.
func mayAddNulls(e expr.Expr) (adds bool) {
	expr.Walk(e, func(e expr.Expr) bool {
		switch e := e.(type) {
		case *expr.Try:
			adds = true
		case *expr.Cast:
			adds = adds || e.Try
		}
		return true
	})
	return adds
}

// image returns the value of e where its column c is bound; nil if there is none, or bound is nil.
func image(e expr.Expr, c *expr.Column, bound any, canonical bool) any {
	if bound == nil {
		return nil
	}
	if canonical {
		// A bound need not be a value of the column: one in another form could be read as another time.
		if t, err := time.Parse(canonicalTime, bound.(string)); err != nil || t.Format(canonicalTime) != bound {
			return nil
		}
	}
	value := vec.FromValue(c.T, bound)
	if vec.Value(value, 0) != bound { // beyond the type's range
		return nil
	}
	e = expr.Rewrite(e, func(e expr.Expr) expr.Expr {
		if e, ok := e.(*expr.Column); ok {
			return &expr.Column{Index: 0, Name: e.Name, T: e.T}
		}
		return e
	})
	d, err := expr.Eval(e, vec.Batch{Len: 1, Cols: []arrow.Array{value}}, utc)
	if err != nil || !simple(e.Type()) {
		return nil
	}
	v := vec.Value(d.Arr, 0)
	if !fits(v, e.Type()) {
		return nil
	}
	return v
}
