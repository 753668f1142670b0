package source

import (
	"testing"
	"time"

	"github.com/trailql/trailql/engine/sqltype"
)

// TestField: what is unknown is NULL, what is zero or false is not.
func TestField(t *testing.T) {
	moment := time.Date(2026, 3, 1, 6, 0, 0, 5_000_000, time.FixedZone("", 3600))
	for _, c := range []struct {
		typ  sqltype.Type
		rows []any
		want []string
	}{
		{sqltype.VarcharType, []any{"a", "", nil}, []string{"a", "NULL", "NULL"}},
		{sqltype.BigIntType, []any{int64(7), int64(0), nil}, []string{"7", "0", "NULL"}},
		{sqltype.BooleanType, []any{true, false, nil}, []string{"true", "false", "NULL"}},
		{sqltype.TimestampType, []any{moment, time.Time{}, nil}, []string{"2026-03-01 05:00:00.005", "NULL", "NULL"}},
	} {
		f := Field[any]{Name: "x", Type: c.typ, Value: func(v any) any { return v }}
		a := f.Array(c.rows)
		for i, want := range c.want {
			got := "NULL"
			if a.IsValid(i) {
				got = string(sqltype.AppendText(nil, c.typ, a, i))
			}
			if got != want {
				t.Errorf("%s: %v is %s, want %s", c.typ, c.rows[i], got, want)
			}
		}
	}
	if columns := Columns([]Field[any]{{Name: "x", Comment: "y"}}); len(columns) != 1 || columns[0].Name != "x" || columns[0].Comment != "y" {
		t.Errorf("%v", columns)
	}
}
