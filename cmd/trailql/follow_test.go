package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// until is a writer that calls done when a text was written.
type until struct {
	mu   sync.Mutex
	all  bytes.Buffer
	text string
	done func()
}

func (u *until) Write(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all.Write(p)
	if strings.Contains(u.all.String(), u.text) {
		u.done()
	}
	return len(p), nil
}

// Following says what each commit brought, ends with the context as with a signal, and tells by its exit code whether something is set aside.
func TestCompactFollow(t *testing.T) {
	for _, c := range []struct {
		trail objects
		code  int
		says  []string
	}{
		{objects{trailName(1): gzipped(recordsOf(eventOf("a"), eventOf("b"))), trailName(2): gzipped(recordsOf(eventOf("b")))}, 0,
			[]string{"Z 2 new objects: 3 records = 2 rows + 1 duplicates + 0 quarantined; ", "the lake is at version 1"}},
		{objects{trailName(1): gzipped(recordsOf(eventOf("a"))), trailName(2): []byte("no gzip")}, exitQuarantine, []string{"Z 2 new objects: ", "1 object set aside in trail_quarantine"}},
	} {
		lake := filepath.Join(t.TempDir(), "lake")
		ctx, cancel := context.WithCancel(t.Context())
		errs := &until{text: "the lake is at version", done: cancel}
		var out bytes.Buffer
		code := run(ctx, []string{"compact", c.trail.write(t, t.TempDir()), "--lake", lake, "--follow"}, nil, &out, errs)
		cancel()
		if code != c.code || out.Len() > 0 {
			t.Errorf("exit %d, want %d; on stdout %q", code, c.code, out.String())
		}
		for _, s := range c.says {
			if !strings.Contains(errs.all.String(), s) {
				t.Errorf("no %q in %s", s, errs.all.String())
			}
		}
	}
}
