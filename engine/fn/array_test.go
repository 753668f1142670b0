package fn

import (
	"testing"

	"github.com/trailql/trailql/engine/sqltype"
)

// From Trino's "Array functions and operators".
func TestArrays(t *testing.T) {
	n, s := bigint, varchar
	a := func(text string) value { return bigints(t, text) }
	v := func(text string) value { return varchars(t, text) }
	none := nullOf(sqltype.ArrayOf(sqltype.BigIntType))
	nested := sql(t, sqltype.ArrayOf(sqltype.ArrayOf(sqltype.BigIntType)), `[[1], null, [], [2, 3]]`)
	check(t, []want{
		{"array_constructor", []value{n(1), nullOf(sqltype.BigIntType), n(3)}, "[1, null, 3]", ""},
		{"array_constructor", nil, "[]", ""},
		{"row_constructor", []value{n(1), s("a"), nullOf(sqltype.BigIntType)}, "{field0=1, field1=a, field2=null}", ""},
		{"cardinality", []value{a(`[1, null]`)}, "2", ""},
		{"cardinality", []value{none}, "NULL", ""},
		{"cardinality", []value{mapOf(t, `{"a": 1}`)}, "1", ""},
		{"contains", []value{a(`[1, 2]`), n(2)}, "true", ""},
		{"contains", []value{a(`[1, 2]`), n(3)}, "false", ""},
		{"contains", []value{a(`[1, null]`), n(3)}, "NULL", ""},
		{"contains", []value{a(`[1, null]`), n(1)}, "true", ""},
		{"contains", []value{v(`["ab", "c"]`), s("c")}, "true", ""},
		{"subscript", []value{a(`[1, 2]`), n(2)}, "2", ""},
		{"subscript", []value{a(`[1, 2]`), n(3)}, "", "the array has 2 elements, and no element 3; element_at gives NULL instead"},
		{"subscript", []value{a(`[1, 2]`), n(0)}, "", "counted from 1"},
		{"subscript", []value{a(`[1, 2]`), n(-1)}, "", "array subscript is negative: -1"},
		{"subscript", []value{none, n(1)}, "NULL", ""},
		{"element_at", []value{a(`[1, 2]`), n(-2)}, "1", ""},
		{"element_at", []value{a(`[1, 2]`), n(3)}, "NULL", ""},
		{"element_at", []value{a(`[1, 2]`), n(-3)}, "NULL", ""},
		{"element_at", []value{a(`[1, 2]`), n(0)}, "", "counted from 1"},
		{"array_join", []value{a(`[1, null, 2]`), s("-")}, "1-2", ""},
		{"array_join", []value{a(`[1, null, 2]`), s("-"), s("?")}, "1-?-2", ""},
		{"array_distinct", []value{v(`["b", "a", null, "b", null]`)}, "[b, a, null]", ""},
		{"array_union", []value{a(`[1, 2, 2]`), a(`[2, 3, null]`)}, "[1, 2, 3, null]", ""},
		{"array_intersect", []value{a(`[1, 2, 2, null]`), a(`[null, 2, 3]`)}, "[2, null]", ""},
		{"array_except", []value{a(`[1, 1, 2, null]`), a(`[2]`)}, "[1, null]", ""},
		{"arrays_overlap", []value{a(`[1, 2]`), a(`[2]`)}, "true", ""},
		{"arrays_overlap", []value{a(`[1, null]`), a(`[2]`)}, "NULL", ""},
		{"arrays_overlap", []value{a(`[1]`), a(`[2]`)}, "false", ""},
		{"array_sort", []value{a(`[3, null, 1, 2]`)}, "[1, 2, 3, null]", ""},
		{"array_sort", []value{v(`[]`)}, "[]", ""},
		{"array_max", []value{a(`[1, 3, 2]`)}, "3", ""},
		{"array_min", []value{v(`["b", "a"]`)}, "a", ""},
		{"array_max", []value{a(`[1, null]`)}, "NULL", ""},
		{"array_max", []value{a(`[]`)}, "NULL", ""},
		{"array_position", []value{a(`[1, 2, 1]`), n(1)}, "1", ""},
		{"array_position", []value{a(`[1]`), n(2)}, "0", ""},
		{"array_remove", []value{a(`[1, 2, 1, null]`), n(1)}, "[2, null]", ""},
		{"slice", []value{a(`[1, 2, 3]`), n(2), n(9)}, "[2, 3]", ""},
		{"slice", []value{a(`[1, 2, 3]`), n(-2), n(1)}, "[2]", ""},
		{"slice", []value{a(`[1, 2, 3]`), n(5), n(1)}, "[]", ""},
		{"slice", []value{a(`[1]`), n(0), n(1)}, "", "counted from 1"},
		{"slice", []value{a(`[1]`), n(1), n(-1)}, "", "must not be negative"},
		{"flatten", []value{nested}, "[1, 2, 3]", ""},
		{"reverse", []value{a(`[1, null, 3]`)}, "[3, null, 1]", ""},
		{"concat", []value{a(`[1]`), a(`[2]`), a(`[]`)}, "[1, 2]", ""},
		{"||", []value{a(`[1]`), n(2)}, "[1, 2]", ""},
		{"||", []value{n(2), a(`[1]`)}, "[2, 1]", ""},
		{"repeat", []value{s("a"), n(3)}, "[a, a, a]", ""},
		{"repeat", []value{nullOf(sqltype.VarcharType), n(2)}, "[null, null]", ""},
		{"repeat", []value{s("a"), n(-1)}, "[]", ""},
		{"repeat", []value{s("a"), n(10_001)}, "", "at most 10000"},
		{"sequence", []value{n(1), n(3)}, "[1, 2, 3]", ""},
		{"sequence", []value{n(3), n(1)}, "[3, 2, 1]", ""},
		{"sequence", []value{n(1), n(10), n(4)}, "[1, 5, 9]", ""},
		{"sequence", []value{n(1), n(10), n(-1)}, "", "must lead from"},
		{"sequence", []value{n(1), n(10), n(0)}, "", "must lead from"},
		{"sequence", []value{n(1), n(10_001)}, "", "at most 10000"},
		{"sequence", []value{n(9223372036854775806), n(9223372036854775807)}, "[9223372036854775806, 9223372036854775807]", ""},
		{"sequence", []value{date(t, "2024-02-28"), date(t, "2024-03-01")}, "[2024-02-28, 2024-02-29, 2024-03-01]", ""},
		{"sequence", []value{date(t, "2024-01-31"), date(t, "2024-03-31"), months(1)}, "[2024-01-31, 2024-02-29, 2024-03-31]", ""},
		{"sequence", []value{timestamp(t, "2024-01-01 00:00:00"), timestamp(t, "2024-01-02 00:00:00"), {sqltype.IntervalDayType, int64(43_200_000)}},
			"[2024-01-01 00:00:00.000, 2024-01-01 12:00:00.000, 2024-01-02 00:00:00.000]", ""},
		{"zip", []value{a(`[1, 2]`), v(`["a"]`)}, "[{field0=1, field1=a}, {field0=2, field1=null}]", ""},
		{"width_bucket", []value{double(2), sql(t, sqltype.ArrayOf(sqltype.DoubleType), `[1, 2, 3]`)}, "2", ""},
	})
}

// From Trino's "Map functions and operators".
func TestMaps(t *testing.T) {
	n, s := bigint, varchar
	m := func(text string) value { return mapOf(t, text) }
	check(t, []want{
		{"element_at", []value{m(`{"a": 1, "b": 2}`), s("b")}, "2", ""},
		{"element_at", []value{m(`{"a": 1}`), s("x")}, "NULL", ""},
		{"element_at", []value{nullOf(m(`{}`).t), s("x")}, "NULL", ""},
		{"subscript", []value{m(`{"a": 1}`), s("x")}, "", "the map has no key 'x'"},
		{"map", []value{bigints(t, `[1, 2]`), varchars(t, `["a", null]`)}, "{1=a, 2=null}", ""},
		{"map", []value{bigints(t, `[1, 1]`), varchars(t, `["a", "b"]`)}, "", "the key '1' occurs twice"},
		{"map", []value{bigints(t, `[1, null]`), varchars(t, `["a", "b"]`)}, "", "must not be NULL"},
		{"map", []value{bigints(t, `[1]`), varchars(t, `["a", "b"]`)}, "", "as many values as keys"},
		{"map", nil, "{}", ""},
		{"map_keys", []value{m(`{"a": 1, "b": 2}`)}, "[a, b]", ""},
		{"map_values", []value{m(`{"a": 1, "b": 2}`)}, "[1, 2]", ""},
		{"map_entries", []value{m(`{"a": 1}`)}, "[{field0=a, field1=1}]", ""},
		{"map_concat", []value{m(`{"a": 1, "b": 2}`), m(`{"b": 3}`)}, "{b=3, a=1}", ""},
	})
	entries, err := evaluate("map_entries", m(`{"a": 1, "b": 2}`))
	if err != nil {
		t.Fatal(err)
	}
	check(t, []want{
		{"map_from_entries", []value{entries}, "{a=1, b=2}", ""},
	})
	twice, err := evaluate("concat", entries, entries)
	if err != nil {
		t.Fatal(err)
	}
	check(t, []want{{"map_from_entries", []value{twice}, "", "occurs twice"}})
	// keys that are no texts take another way
	byNumber, err := evaluate("map", bigints(t, `[10, 20]`), varchars(t, `["a", "b"]`))
	if err != nil {
		t.Fatal(err)
	}
	check(t, []want{
		{"element_at", []value{byNumber, n(20)}, "b", ""},
		{"element_at", []value{byNumber, n(30)}, "NULL", ""},
	})
}
