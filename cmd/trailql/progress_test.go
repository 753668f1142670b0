package main

import (
	"testing"
	"time"

	"github.com/trailql/trailql/catalog/compact"
)

func TestPhase(t *testing.T) {
	for _, c := range []struct {
		bytes, done, rows, written int64
		want                       string
	}{
		{0, 0, 0, 0, ""},
		{100, 0, 0, 0, ""},
		{100, 25, 0, 0, ", 30s left"},
		{100, 100, 0, 0, ""}, // all read: nothing is known of what comes
		{100, 100, 5000, 1200, "; writing, 1,200 of 5,000"},
		{100, 50, 5000, 0, "; writing, 0 of 5,000"},
	} {
		var p compact.Progress
		p.Bytes.Store(c.bytes)
		p.BytesDone.Store(c.done)
		p.Rows.Store(c.rows)
		p.RowsDone.Store(c.written)
		if got := phase(&p, 10*time.Second); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
