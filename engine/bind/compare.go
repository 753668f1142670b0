package bind

import (
	"regexp"
	"strings"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

func numeric(t sqltype.Type) bool { return t.Kind >= sqltype.TinyInt && t.Kind <= sqltype.Decimal }

func temporal(t sqltype.Type) bool { return t.Kind >= sqltype.Date && t.Kind <= sqltype.TimestampTZ }

// coerce makes e of type t, to which its type is known to be coercible.
func coerce(e expr.Expr, t sqltype.Type) expr.Expr {
	from := e.Type()
	lit, constant := e.(*expr.Literal)
	switch {
	case from.Identical(t):
		return e
	case constant && from.Kind == sqltype.Varchar && t.Kind == sqltype.Varchar && (t.Length == 0 || from.Length > 0 && from.Length <= t.Length):
		return &expr.Literal{T: t, Value: lit.Value}
	case from.Kind == sqltype.Varchar && t.Kind == sqltype.Varchar && t.Length == 0:
		return e
	case constant && from.Kind == sqltype.Unknown:
		return expr.NullLiteral(t)
	}
	return &expr.Cast{Arg: e, T: t}
}

// aligned is coerce for an operand of a comparison, to which the precision of times is nothing.
func aligned(e expr.Expr, t sqltype.Type) expr.Expr {
	if e.Type().Equal(t) {
		return e
	}
	return coerce(e, t)
}

// cast is an explicit one.
func cast(arg operand, t sqltype.Type, try bool, at sqlerr.Pos) expr.Expr {
	from := arg.Type()
	switch {
	case from.Identical(t):
		return arg.Expr
	case from.Kind == sqltype.Unknown:
		return coerce(arg.Expr, t)
	case !sqltype.CanCast(from, t):
		fail(sqlerr.Type, at, "%s cannot be cast to %s", from, t)
	}
	return &expr.Cast{Arg: arg.Expr, T: t, Try: try, Pos: at}
}

// commonType returns the type to which all of es are coerced; where names what they are for errors.
func commonType(es []expr.Expr, at func(i int) sqlerr.Pos, where string) sqltype.Type {
	t := sqltype.UnknownType
	for i, e := range es {
		c, ok := sqltype.Common(t, e.Type())
		if !ok {
			failHint(sqlerr.Type, at(i), "cast one of them", "%s has values of types %s and %s, which do not go together", where, t, e.Type())
		}
		t = c
	}
	return t
}

var compareSigns = map[expr.CompareOp]string{
	expr.Eq: "=", expr.Ne: "<>", expr.Lt: "<", expr.Le: "<=", expr.Gt: ">", expr.Ge: ">=",
	expr.Distinct: "IS DISTINCT FROM", expr.NotDistinct: "IS NOT DISTINCT FROM",
}

// compare binds a comparison. Beyond Trino's coercions, text beside a time or a boolean is read as one.
func (b *binder) compare(op expr.CompareOp, l, r operand, at sqlerr.Pos) expr.Expr {
	l, r = b.readText(l, r.Type()), b.readText(r, l.Type())
	t, ok := sqltype.Common(l.Type(), r.Type())
	if !ok {
		refuseComparison(compareSigns[op], l, r, at)
	}
	if t.Kind == sqltype.Unknown {
		t = sqltype.BooleanType // NULL = NULL: any type will do
	}
	if !t.Orderable() && op >= expr.Lt && op <= expr.Ge {
		fail(sqlerr.Type, at, "values of type %s have no order", t)
	}
	return &expr.Compare{Op: op, Left: aligned(l.Expr, t), Right: aligned(r.Expr, t)}
}

func refuseComparison(sign string, l, r operand, at sqlerr.Pos) {
	text, other := l, r
	if text.Type().Kind != sqltype.Varchar {
		text, other = r, l
	}
	hint := "cast one side"
	switch o := other.Type(); {
	case (l.Type().Kind == sqltype.Row) != (r.Type().Kind == sqltype.Row):
		hint = "a subquery of several columns, like (a, b), is a row: both sides need as many"
	case text.Type().Kind != sqltype.Varchar:
	case numeric(o):
		if lit, ok := text.Expr.(*expr.Literal); ok {
			hint = "write the number without quotes: " + strings.Trim(expr.Format(lit), "'")
		} else {
			hint = "cast the text: CAST(" + expr.Format(text.Expr) + " AS " + o.String() + ")"
		}
	case o.Kind == sqltype.JSON:
		hint = "make the JSON text: json_extract_scalar(" + expr.Format(other.Expr) + ", '$')"
	}
	failHint(sqlerr.Type, at, hint, "%s cannot compare %s with %s", sign, l.Type(), r.Type())
}

func (x *exprs) inList(e *sql.InList) expr.Expr {
	arg := x.operand(e.Arg)
	all := []expr.Expr{arg.Expr}
	for _, item := range e.List {
		o := x.inFormat(arg, x.readText(x.operand(item), arg.Type()), false)
		if _, ok := sqltype.Common(arg.Type(), o.Type()); !ok {
			refuseComparison("IN", arg, o, item.Pos())
		}
		all = append(all, o.Expr)
	}
	t := commonType(all, func(i int) sqlerr.Pos {
		if i == 0 {
			return arg.at
		}
		return e.List[i-1].Pos()
	}, "IN")
	if t.Kind == sqltype.Unknown {
		t = sqltype.BooleanType
	}
	for i := range all {
		all[i] = aligned(all[i], t)
	}
	return &expr.In{Arg: all[0], List: all[1:], Memo: &fn.Memo{}}
}

// readText reads text that stands beside a date, a time, a timestamp or a boolean as one. Trino refuses such
// comparisons; CloudTrail Lake, whose queries run here unchanged, does not for constants, and eventtime is a time there and text in
// cloudtrail_logs. Text that is none is a mistake, never an empty answer.
func (b *binder) readText(o operand, beside sqltype.Type) operand {
	if !temporal(beside) && beside.Kind != sqltype.Boolean {
		return o
	}
	text, ok := b.constantText(o.Expr)
	switch {
	case ok:
	case o.Type().Kind != sqltype.Varchar || beside.Kind == sqltype.Time || beside.Kind == sqltype.TimeTZ:
		return o
	case beside.Kind == sqltype.Boolean:
		o.Expr = &expr.Cast{Arg: o.Expr, T: sqltype.BooleanType, Pos: o.at}
		return o
	default:
		o.Expr = b.apply("from_iso8601_timestamp", o.at, o)
		return o
	}
	if beside.Kind == sqltype.Boolean {
		switch strings.ToLower(text) {
		case "true":
			o.Expr = expr.NewLiteral(sqltype.BooleanType, true)
		case "false":
			o.Expr = expr.NewLiteral(sqltype.BooleanType, false)
		default:
			fail(sqlerr.Value, o.at, "text '%s' is compared with a boolean, but is neither 'true' nor 'false'", text)
		}
		return o
	}
	lit := b.timeText(text, beside)
	if lit == nil {
		failHint(sqlerr.Value, o.at, timeHints[beside.Kind], "text '%s' is compared with a %s, but cannot be read as one", text, beside)
	}
	o.Expr = lit
	return o
}

var timeHints = map[sqltype.Kind]string{
	sqltype.Date:        "write it like '2024-01-31'",
	sqltype.Time:        "write it like '12:30:00'",
	sqltype.TimeTZ:      "write it like '12:30:00 +02:00'",
	sqltype.Timestamp:   "write it like '2024-01-31 12:30:00'",
	sqltype.TimestampTZ: "write it like '2024-01-31 12:30:00 UTC'",
}

// zoned matches time text that ends in a zone.
var zoned = regexp.MustCompile(`\d:\d\d(:\d\d(\.\d+)?)?\s*([A-Za-z][A-Za-z0-9_/+-]*|[+-]\d\d:?\d\d)$`)

// timeText reads text as a t, or as a timestamp where t is a date and the text has a time of day. ISO 8601's T and Z are taken too; an
// instant beside a timestamp without zone is meant in the session's zone. It returns nil if text is no time.
func (b *binder) timeText(text string, t sqltype.Type) *expr.Literal {
	text = strings.TrimSpace(text)
	if len(text) > 10 && (text[10] == 'T' || text[10] == 't') {
		text = text[:10] + " " + text[11:]
	}
	if n := len(text); n > 10 && (text[n-1] == 'Z' || text[n-1] == 'z') && text[n-2] >= '0' && text[n-2] <= '9' {
		text = text[:n-1] + " UTC"
	}
	var e expr.Expr = expr.NewLiteral(sqltype.VarcharType, text)
	switch {
	case t.Kind == sqltype.Time || t.Kind == sqltype.TimeTZ:
		return b.tryCast(e, t)
	case t.Kind == sqltype.Date && len(text) <= 10:
		return b.tryCast(e, t)
	case t.Kind == sqltype.Date:
		t = sqltype.TimestampType
	}
	if !zoned.MatchString(text) {
		return b.tryCast(e, t)
	}
	instant := b.tryCast(e, sqltype.TimestampTZType)
	if instant == nil || t.Kind == sqltype.TimestampTZ {
		return instant
	}
	zone := expr.NewLiteral(sqltype.VarcharType, b.session.Zone.String())
	local := b.apply("at_timezone", 0, operand{Expr: instant}, operand{Expr: zone})
	return b.tryCast(local, t)
}

// tryCast computes a cast of a constant; nil if it cannot be done.
func (b *binder) tryCast(e expr.Expr, t sqltype.Type) *expr.Literal {
	lit, ok := b.fold(&expr.Cast{Arg: e, T: t, Try: true}).(*expr.Literal)
	if !ok || lit.Value.IsNull(0) {
		return nil
	}
	return lit
}
