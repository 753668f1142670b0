package fn

import (
	"math"
	"testing"

	"github.com/trailql/trailql/engine/sqltype"
)

// Overflow is an error, integer division cuts, % has the dividend's sign: Trino's "Mathematical functions and operators".
func TestArithmetic(t *testing.T) {
	n, i := bigint, integerOf
	check(t, []want{
		{"+", []value{n(1), n(2)}, "3", ""},
		{"+", []value{n(math.MaxInt64), n(1)}, "", "bigint overflow: 9223372036854775807 + 1"},
		{"+", []value{i(math.MaxInt32), i(1)}, "", "integer overflow"},
		{"+", []value{i(math.MaxInt32), n(1)}, "2147483648", ""},
		{"+", []value{n(1), nullOf(sqltype.BigIntType)}, "NULL", ""},
		{"+", []value{n(1), double(0.5)}, "1.5", ""},
		{"-", []value{n(math.MinInt64), n(1)}, "", "overflow"},
		{"-", []value{n(-1), n(math.MaxInt64)}, "-9223372036854775808", ""},
		{"*", []value{n(3037000500), n(3037000500)}, "", "overflow"}, // the least square beyond 2^63
		{"*", []value{n(3037000499), n(3037000499)}, "9223372030926249001", ""},
		{"*", []value{n(math.MinInt64), n(-1)}, "", "overflow"},
		{"*", []value{n(-1), n(math.MinInt64)}, "", "overflow"},
		{"*", []value{i(65536), i(65536)}, "", "overflow"},
		{"/", []value{n(-7), n(2)}, "-3", ""},
		{"/", []value{n(1), n(0)}, "", "division by zero"},
		{"/", []value{nullOf(sqltype.BigIntType), n(0)}, "NULL", ""},
		{"/", []value{n(math.MinInt64), n(-1)}, "", "overflow"},
		{"/", []value{double(1), double(0)}, "Infinity", ""},
		{"/", []value{double(0), double(0)}, "NaN", ""},
		{"%", []value{n(-7), n(3)}, "-1", ""},
		{"%", []value{n(math.MinInt64), n(-1)}, "0", ""},
		{"%", []value{n(1), n(0)}, "", "division by zero"},
		{"%", []value{double(5.5), double(2)}, "1.5", ""},
		{"negate", []value{n(math.MinInt64)}, "", "overflow"},
		{"negate", []value{n(5)}, "-5", ""},
	})
}

// Result types follow Trino's "Decimal functions and operators"; the digits can be worked out by hand.
func TestDecimals(t *testing.T) {
	d := func(p, s int, text string) value { return decimal(t, p, s, text) }
	check(t, []want{
		{"+", []value{d(3, 1, "12.5"), d(3, 2, "1.25")}, "13.75", ""},
		{"-", []value{d(3, 1, "1.0"), d(3, 2, "1.25")}, "-0.25", ""},
		{"*", []value{d(3, 1, "12.5"), d(3, 2, "1.25")}, "15.625", ""},
		{"/", []value{d(2, 1, "1.0"), bigint(3)}, "0.3", ""},
		{"/", []value{d(3, 2, "2.00"), d(2, 1, "0.3")}, "6.67", ""},
		{"/", []value{d(3, 2, "-2.00"), d(2, 1, "0.3")}, "-6.67", ""},
		{"/", []value{d(2, 1, "1.0"), d(2, 1, "0.0")}, "", "division by zero"},
		{"%", []value{d(3, 1, "12.5"), d(2, 1, "5.0")}, "2.5", ""},
		{"+", []value{d(2, 1, "1.5"), double(1)}, "2.5", ""},
		{"*", []value{d(20, 0, "12345678901234567890"), d(10, 0, "1000000000")}, "12345678901234567890000000000", ""},
		{"+", []value{d(38, 0, "99999999999999999999999999999999999999"), d(1, 0, "1")}, "", "decimal overflow"},
		{"negate", []value{d(3, 1, "12.5")}, "-12.5", ""},
		{"round", []value{d(2, 1, "2.5")}, "3", ""},
		{"round", []value{d(2, 1, "-2.5")}, "-3", ""},
		{"round", []value{d(4, 3, "1.234"), bigint(2)}, "1.230", ""},
		{"truncate", []value{d(3, 1, "-12.9")}, "-12", ""},
		{"ceil", []value{d(2, 1, "1.1")}, "2", ""},
		{"floor", []value{d(2, 1, "-1.1")}, "-2", ""},
		{"abs", []value{d(2, 1, "-1.1")}, "1.1", ""},
		{"sign", []value{d(2, 1, "-1.1")}, "-1", ""},
	})
}

// A month too short gives its last day; a date takes whole days only (Trino's "Date and time operators").
func TestTimeArithmetic(t *testing.T) {
	check(t, []want{
		{"+", []value{date(t, "2024-01-31"), months(1)}, "2024-02-29", ""},
		{"-", []value{date(t, "2024-03-31"), months(1)}, "2024-02-29", ""},
		{"+", []value{date(t, "2024-02-28"), days(2)}, "2024-03-01", ""},
		{"+", []value{days(2), date(t, "2024-02-28")}, "2024-03-01", ""},
		{"+", []value{date(t, "2024-02-28"), {sqltype.IntervalDayType, int64(1000)}}, "", "cannot add hours"},
		{"+", []value{timestamp(t, "2024-01-31 10:00:00"), {sqltype.IntervalDayType, int64(3600_000)}}, "2024-01-31 11:00:00.000", ""},
		{"-", []value{timestamp(t, "2024-01-31 10:00:00"), months(12)}, "2023-01-31 10:00:00.000", ""},
		{"+", []value{timestamp(t, "2024-01-31 10:00:00"), {sqltype.IntervalDayType, int64(math.MaxInt64)}}, "", "out of range"},
		// the clocks go forward on 31 March: a month later is the same time on the clock, a day of 24 hours is not
		{"+", []value{instantOf(t, "2024-02-29 12:00:00 Europe/Berlin"), months(2)}, "2024-04-29 12:00:00.000 Europe/Berlin", ""},
		{"+", []value{instantOf(t, "2024-03-30 12:00:00 Europe/Berlin"), days(1)}, "2024-03-31 13:00:00.000 Europe/Berlin", ""},
		{"-", []value{timestamp(t, "2024-01-02 01:00:00"), timestamp(t, "2024-01-01 02:00:00")}, "0 23:00:00.000", ""},
		{"-", []value{date(t, "2024-03-01"), date(t, "2024-02-01")}, "29 00:00:00.000", ""},
		{"-", []value{instantOf(t, "2024-01-01 00:00:00 UTC"), instantOf(t, "2024-01-01 00:00:00 +01:00")}, "0 01:00:00.000", ""},
		{"+", []value{days(1), days(2)}, "3 00:00:00.000", ""},
		{"*", []value{days(1), bigint(3)}, "3 00:00:00.000", ""},
		{"*", []value{days(1), double(0.5)}, "0 12:00:00.000", ""},
		{"/", []value{days(1), double(2)}, "0 12:00:00.000", ""},
		{"negate", []value{months(14)}, "-1-2", ""},
	})
}
