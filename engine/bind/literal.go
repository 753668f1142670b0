package bind

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// number reads a number as Trino types it: digits are an integer, a bigint or else a decimal; with a point a decimal; with an exponent a double.
func number(text string, at sqlerr.Pos) expr.Expr {
	if strings.ContainsAny(text, "eE") {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			fail(sqlerr.Value, at, "number %s is outside the range of double", text)
		}
		return expr.NewLiteral(sqltype.DoubleType, v)
	}
	if !strings.Contains(text, ".") {
		if v, err := strconv.ParseInt(text, 10, 64); err == nil {
			if v >= math.MinInt32 && v <= math.MaxInt32 {
				return expr.NewLiteral(sqltype.IntegerType, v)
			}
			return expr.NewLiteral(sqltype.BigIntType, v)
		}
	}
	lit, ok := decimal(text)
	if !ok {
		fail(sqlerr.Value, at, "number %s has more than 38 digits", text)
	}
	return lit
}

// decimal reads text as a decimal of as many digits as it has, leading zeros aside; false if it is none or has more than 38.
func decimal(text string) (expr.Expr, bool) {
	whole, fraction, _ := strings.Cut(strings.TrimLeft(text, "+-"), ".")
	whole = strings.TrimLeft(whole, "0")
	digits := whole + fraction
	precision, scale := max(len(digits), 1), len(fraction)
	if precision > 38 || strings.Trim(digits, "0123456789") != "" {
		return nil, false
	}
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign = "-"
	}
	v, err := decimal128.FromString(sign+"0"+digits, 38, 0)
	if err != nil {
		return nil, false
	}
	return expr.NewLiteral(sqltype.DecimalOf(precision, scale), v), true
}

// typeOf settles a written type.
func typeOf(t sql.TypeName) sqltype.Type {
	args := make([]sqltype.Type, len(t.Args))
	for i, a := range t.Args {
		args[i] = typeOf(a)
	}
	switch {
	case t.Name == "array" && len(args) == 1:
		return sqltype.ArrayOf(args[0])
	case t.Name == "map" && len(args) == 2:
		return sqltype.MapOf(args[0], args[1])
	case t.Name == "row" && len(args) > 0:
		fields := make([]sqltype.Field, len(args))
		for i := range args {
			fields[i].Type = args[i]
			if i < len(t.FieldNames) {
				fields[i].Name = strings.ToLower(t.FieldNames[i])
			}
		}
		return sqltype.RowOf(fields...)
	}
	text := t.Name
	if len(t.Params) > 0 {
		numbers := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(t.Params)), ","), "[]")
		if first, rest, ok := strings.Cut(t.Name, " "); ok {
			text = first + "(" + numbers + ") " + rest // timestamp(3) with time zone
		} else {
			text += "(" + numbers + ")"
		}
	}
	parsed, err := sqltype.Parse(text)
	if err != nil || len(args) > 0 {
		failHint(sqlerr.Unknown, t.Pos(), typeHints[t.Name], "type %q does not exist here", text)
	}
	return parsed
}

var typeHints = map[string]string{
	"text":                     "use varchar",
	"time":                     "microseconds are the finest: time(6)",
	"timestamp":                "microseconds are the finest: timestamp(6)",
	"timestamp with time zone": "microseconds are the finest: timestamp(6) with time zone",
	"time with time zone":      "microseconds are the finest: time(6) with time zone",
	"decimal":                  "a decimal has 1 to 38 digits, and no more of them after the point",
	"varchar":                  "a length is 1 or more",
	"char":                     "a length is 1 to 65536",
	"datetime":                 "use timestamp",
}

func (x *exprs) typedLiteral(e *sql.TypedLiteral) expr.Expr {
	text := expr.NewLiteral(sqltype.VarcharType, e.Value)
	var lit expr.Expr
	switch {
	case e.Type.Name == "decimal" && len(e.Type.Params) == 0:
		if d, ok := decimal(strings.TrimSpace(e.Value)); ok {
			lit = d
		}
	case e.Type.Name == "json":
		if l, ok := x.constant(x.apply("json_parse", e.Pos(), operand{text, e.Pos()})); ok {
			lit = l
		}
	default:
		t := typeOf(e.Type)
		if temporal(t) && t.Kind != sqltype.Date && len(e.Type.Params) == 0 {
			if text := strings.TrimSpace(e.Value); t.Kind == sqltype.Timestamp && zoned.MatchString(text) {
				t = sqltype.TimestampTZType
			} else if t.Kind == sqltype.Time && zoned.MatchString(text) {
				t = sqltype.TimeTZType
			}
			t.Precision = min(max(3, fractionDigits(e.Value)), 6)
		}
		if t.Kind == sqltype.Char && len(e.Type.Params) == 0 {
			t.Length = min(max(1, utf8.RuneCountInString(e.Value)), sqltype.MaxChar)
		}
		if l := x.tryCast(text, t); l != nil {
			lit = l
		}
	}
	if lit == nil {
		fail(sqlerr.Value, e.Pos(), "'%s' is no %s", e.Value, e.Type.Name)
	}
	return lit
}

var fraction = regexp.MustCompile(`:\d\d\.(\d+)`)

func fractionDigits(text string) int {
	if m := fraction.FindStringSubmatch(text); m != nil {
		return len(m[1])
	}
	return 0
}

// interval reads INTERVAL '…' unit [TO unit]: months for years and months, otherwise milliseconds.
func interval(e *sql.Interval) expr.Expr {
	last := e.To
	if last == "" {
		last = e.From
	}
	first, end := unitIndex(e.From), unitIndex(last)
	if first < 0 || end < first || (first <= month) != (end <= month) || e.To != "" && (first == week || end == week) {
		fail(sqlerr.Syntax, e.Pos(), "an interval has no such units: %s", strings.TrimSpace(e.From+" "+e.To))
	}
	total, ok := intervalValue(e.Value, first, end)
	if !ok {
		failHint(sqlerr.Value, e.Pos(), "write it like INTERVAL '7' DAY", "'%s' is no interval of %s", e.Value, strings.TrimSuffix(e.From+" to "+e.To, " to "))
	}
	if e.Negative {
		total = -total
	}
	if first <= month {
		if total < math.MinInt32 || total > math.MaxInt32 {
			fail(sqlerr.Value, e.Pos(), "interval '%s' is too long", e.Value)
		}
		return expr.NewLiteral(sqltype.IntervalYearType, total)
	}
	return expr.NewLiteral(sqltype.IntervalDayType, total)
}

// intervalUnits from long to short: name and size in months (up to month) or milliseconds, and what parts them from the unit before.
var intervalUnits = []struct {
	name string
	size int64
	sep  string
}{
	{"year", 12, ""}, {"month", 1, "-"},
	{"week", 7 * 86_400_000, ""}, {"day", 86_400_000, ""}, {"hour", 3_600_000, " "}, {"minute", 60_000, ":"}, {"second", 1000, ":"},
}

const (
	month = 1
	week  = 2
)

func unitIndex(name string) int {
	for i, u := range intervalUnits {
		if u.name == name {
			return i
		}
	}
	return -1
}

// intervalValue reads '1-6', '2 10:30:00.5' and the like; false if the text does not fit the units or overflows.
func intervalValue(text string, first, end int) (int64, bool) {
	text = strings.TrimSpace(text)
	negative := strings.HasPrefix(text, "-")
	if negative || strings.HasPrefix(text, "+") {
		text = text[1:]
	}
	var total int64
	for i := first; i <= end; i++ {
		part, u := text, intervalUnits[i]
		if i < end {
			var found bool
			part, text, found = strings.Cut(text, intervalUnits[i+1].sep)
			if !found {
				return 0, false
			}
		}
		whole, fraction, point := strings.Cut(part, ".")
		n, err := strconv.ParseUint(whole, 10, 62)
		if err != nil || point && (u.name != "second" || len(fraction) == 0 || len(fraction) > 9) {
			return 0, false
		}
		if n > math.MaxInt64/uint64(u.size)/2 {
			return 0, false
		}
		total += int64(n) * u.size
		if point {
			millis, err := strconv.ParseUint((fraction + "00")[:3], 10, 16)
			if err != nil {
				return 0, false
			}
			total += int64(millis)
		}
		if total < 0 {
			return 0, false
		}
	}
	if negative {
		total = -total
	}
	return total, true
}
