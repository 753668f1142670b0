package sqltype

import (
	"slices"
	"strings"
	"testing"
)

// conversions says of each type what it is coerced to by itself and what only a CAST makes of it, after Trino's TypeCoercion and its casts;
// what is in neither list is refused.
var conversions = []struct{ from, implicit, explicit string }{
	{"unknown", "boolean tinyint smallint integer bigint real double decimal(38,9) varchar char(5) varbinary date time(3) time(3)·with·time·zone timestamp(3) " +
		"timestamp(3)·with·time·zone interval·day·to·second interval·year·to·month array(bigint) map(varchar,·bigint) row(a·bigint) json uuid ipaddress ipprefix", ""},
	{"boolean", "", "tinyint smallint integer bigint real double decimal(38,9) varchar json"},
	{"tinyint", "smallint integer bigint real double decimal(38,9)", "boolean varchar json"},
	{"smallint", "integer bigint real double decimal(38,9)", "boolean tinyint varchar json"},
	{"integer", "bigint real double decimal(38,9)", "boolean tinyint smallint varchar json"},
	{"bigint", "real double decimal(38,9)", "boolean tinyint smallint integer varchar json"},
	{"real", "double", "boolean tinyint smallint integer bigint decimal(38,9) varchar json"},
	{"double", "", "boolean tinyint smallint integer bigint real decimal(38,9) varchar json"},
	{"decimal(38,9)", "real double", "boolean tinyint smallint integer bigint varchar json"},
	{"varchar", "", "boolean tinyint smallint integer bigint real double decimal(38,9) char(5) varbinary date time(3) time(3)·with·time·zone timestamp(3) timestamp(3)·with·time·zone " +
		"json uuid ipaddress ipprefix"}, // to char(65536) implicitly
	{"char(5)", "varchar", ""}, // Trino has overloads of its functions instead
	{"varbinary", "", "uuid ipaddress"},
	{"date", "timestamp(3) timestamp(3)·with·time·zone", "varchar json"},
	{"time(3)", "time(3)·with·time·zone", "varchar timestamp(3) timestamp(3)·with·time·zone"},
	{"time(3)·with·time·zone", "", "varchar time(3) timestamp(3) timestamp(3)·with·time·zone"},
	{"timestamp(3)", "timestamp(3)·with·time·zone", "varchar date time(3) time(3)·with·time·zone json"},
	{"timestamp(3)·with·time·zone", "", "varchar date time(3) time(3)·with·time·zone timestamp(3)"},
	{"interval·day·to·second", "", "varchar"},
	{"interval·year·to·month", "", "varchar"},
	{"array(bigint)", "", "json"},
	{"map(varchar,·bigint)", "", "json"},
	{"row(a·bigint)", "", "json"},
	{"json", "", "boolean tinyint smallint integer bigint real double decimal(38,9) varchar array(bigint) map(varchar,·bigint) row(a·bigint)"},
	{"uuid", "", "varchar varbinary"},
	{"ipaddress", "", "varchar varbinary ipprefix"},
	{"ipprefix", "", "varchar ipaddress"},
}

func TestEveryConversion(t *testing.T) {
	typ := func(name string) Type { return parse(t, strings.ReplaceAll(name, "·", " ")) }
	for _, a := range conversions {
		implicit, explicit := strings.Fields(a.implicit), strings.Fields(a.explicit)
		for _, b := range conversions {
			from, to := typ(a.from), typ(b.from)
			coerces := a.from == b.from || slices.Contains(implicit, b.from)
			if got := CanCoerce(from, to); got != coerces {
				t.Errorf("CanCoerce(%s, %s) is %t", from, to, got)
			}
			if casts := coerces || slices.Contains(explicit, b.from); CanCast(from, to) != casts {
				t.Errorf("CanCast(%s, %s) is %t", from, to, !casts)
			}
			want, some := to, true
			switch back := slices.Contains(strings.Fields(b.implicit), a.from); {
			case from.Kind == Varchar && to.Kind == Char, from.Kind == Char && to.Kind == Varchar:
				want = CharOf(MaxChar)
			case back:
				want = from
			case !coerces:
				some = false
			}
			if got, ok := Common(from, to); ok != some || ok && !got.Identical(want) {
				t.Errorf("Common(%s, %s) is %v %t, want %v %t", from, to, got, ok, want, some)
			}
		}
	}
}
