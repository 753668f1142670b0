package fn

import "testing"

func TestSmoke(t *testing.T) {
	check(t, []want{
		{"substr", []value{text_("abc"), bigint(2)}, "bc", ""},
		{"+", []value{bigint(1), bigint(2)}, "3", ""},
		{"json_extract_scalar", []value{text_(`{"a":{"b":"x"}}`), text_("$.a.b")}, "x", ""},
		{"date_trunc", []value{text_("month"), sqlTS(t, "2024-01-31 10:00:00")}, "2024-01-01 00:00:00.000", ""},
	})
}
