package rest

import (
	"encoding/json"
	"strings"
	"testing"
)

// Whatever comes, it is a submission that a plain JSON reader reads equally, or an error with a place in the body.
func FuzzDecodeSubmission(f *testing.F) {
	for _, seed := range []string{
		`{"sql": "SELECT 1"}`, `{"sql": "SELECT 'ž'", "wait_ms": 0, "rows": 5, "max_bytes": 1, "max_rows": 2, "max_time_ms": 3, "fresh": true}`,
		`{"sql": "x", "sql": "y"}`, `{"\u0073ql": "x"}`, `{"sql": 1e9}`, `[{}]`, `{"a\"b": 1}`, `{"sql": "\ud800"}`, "\ufeff{}", `{"sql":"x"}}`, ``, `{`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s, fault := decodeSubmission(body)
		if fault != nil {
			if s != nil || fault.Kind != "request" || fault.Message == "" || fault.In != "body" || fault.status != 400 {
				t.Fatalf("%+v", fault)
			}
			if lines := 1 + strings.Count(string(body), "\n"); fault.Line > lines {
				t.Fatalf("line %d of %d", fault.Line, lines)
			}
			return
		}
		var plain struct {
			SQL  string `json:"sql"`
			Rows int64  `json:"rows"`
			Wait *int64 `json:"wait_ms"`
		}
		if err := json.Unmarshal(body, &plain); err != nil {
			t.Fatalf("taken, but %v", err)
		}
		if s.SQL != plain.SQL || s.Rows != plain.Rows || plain.Wait != nil && s.waitMS != *plain.Wait || plain.Wait == nil && s.waitMS != 10_000 {
			t.Fatalf("%+v, want %+v", s, plain)
		}
	})
}
