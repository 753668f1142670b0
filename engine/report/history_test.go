package report

import (
	"context"
	"errors"
	"testing"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// The relation holds what the store holds; what is not known is NULL.
func TestHistoryAsARelation(t *testing.T) {
	s := openStore(t, t.TempDir())
	run := Run{Pack: "cis-3.0", Period: Period{at(t, "2026-03-01T00:00:00Z"), at(t, "2026-03-02T00:00:00Z")}, Began: at(t, "2026-03-03T00:00:00Z")}
	run.Finish(run.Began, nil, Delivered{}, errors.New("no lake"))
	if err := s.Record(context.Background(), run); err != nil {
		t.Fatal(err)
	}
	add(t, s, scheduleOf("0 6 * * *", "UTC", Day), "2026-03-01T12:00:00Z")
	simulate(t, s, "2026-03-03T12:00:00Z", "2026-03-03T12:01:00Z", nil)

	table, err := Table(s.folder).Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	columns := table.Columns()
	paths := make([]source.Path, len(columns))
	for i := range paths {
		paths[i].Column = i
	}
	scan, err := table.Scan(context.Background(), source.Request{Paths: paths})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := scan.Open(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := reader.Next()
	if err != nil || b.Len != 2 {
		t.Fatal(b.Len, err)
	}
	for name, want := range map[string][2]any{ // the newest first
		"id":          {int64(2), int64(1)},
		"schedule":    {"nightly", nil},
		"pack":        {"cis-3.0", "cis-3.0"},
		"period_from": {at(t, "2026-03-02T00:00:00Z").UnixMicro(), at(t, "2026-03-01T00:00:00Z").UnixMicro()},
		"planned":     {at(t, "2026-03-03T06:00:00Z").UnixMicro(), nil},
		"attempt":     {int64(1), int64(0)},
		"missed":      {int64(1), int64(0)},
		"state":       {"ok", "failed"},
		"verdict":     {"none found", nil},
		"findings":    {int64(0), nil},
		"snapshot":    {int64(7), nil},
		"error":       {nil, "no lake"},
	} {
		found := false
		for i, c := range columns {
			if c.Name != name {
				continue
			}
			found = true
			if got := [2]any{vec.Value(b.Cols[i], 0), vec.Value(b.Cols[i], 1)}; got != want {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		}
		if !found {
			t.Errorf("there is no column %s", name)
		}
	}
}
