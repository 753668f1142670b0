package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/logictest"
)

// TestExamples runs the example of each function: both sides must print the same. A side that is no expression is the printed result itself.
func TestExamples(t *testing.T) {
	eng := engine.New(&logictest.Catalog{})
	shown := func(query string) (string, error) {
		rows, err := lines(eng.Query(context.Background(), query, engine.Options{Now: time.Date(2024, 3, 10, 12, 30, 45, 0, time.UTC)}))
		return strings.Join(rows, "\n"), err
	}
	check := func(name, example string) {
		call, want, _ := strings.Cut(example, " → ")
		got, err := shown("SELECT " + call)
		if err != nil {
			t.Errorf("%s: %s: %v", name, call, err)
			return
		}
		if result, err := shown("SELECT " + want); err == nil {
			want = result
		}
		if got != want {
			t.Errorf("%s: %s is %s, want %s", name, call, got, want)
		}
	}
	for _, f := range fn.All() {
		check(f.Name, f.Example)
	}
	for _, a := range fn.Aggregates() {
		check(a.Name, a.Example)
	}
}
