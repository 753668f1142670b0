package verify

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/catalog/compact"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/report"
)

// trail is trail objects by name, as stored.
type trail map[string][]byte

// generated is a trail of the generator.
func generated(t testing.TB, opt synth.Options) trail {
	t.Helper()
	tr := trail{}
	if _, err := synth.Generate(context.Background(), opt, func(o synth.Object) error { tr[o.Name] = o.Data; return nil }); err != nil {
		t.Fatal(err)
	}
	return tr
}

// without is the trail but for the objects for which drop is true.
func (tr trail) without(drop func(name string, n cloudtrail.ObjectName) bool) trail {
	out := maps.Clone(tr)
	maps.DeleteFunc(out, func(name string, _ []byte) bool { return drop(name, cloudtrail.ParseName(name)) })
	return out
}

// lake compacts the trail and opens its lake.
func (tr trail) lake(t testing.TB) *catalog.Lake {
	t.Helper()
	dir := t.TempDir()
	tr.write(t, dir)
	l := openLake(t)
	compactFolder(t, l, dir)
	return l
}

func (tr trail) write(t testing.TB, dir string) {
	t.Helper()
	for name, data := range tr {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func openLake(t testing.TB) *catalog.Lake {
	t.Helper()
	l, err := catalog.Open(context.Background(), folder(t, t.TempDir()), catalog.Options{Computed: Tables()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func folder(t testing.TB, dir string) blob.Store {
	t.Helper()
	s, err := blob.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func compactFolder(t testing.TB, l *catalog.Lake, dir string) {
	t.Helper()
	if _, err := compact.Run(context.Background(), l, []blob.Store{folder(t, dir)}, compact.Options{Workers: 2, Memory: 256 << 20}, nil); err != nil {
		t.Fatal(err)
	}
}

// covered judges a period of a lake.
func covered(t testing.TB, l *catalog.Lake, from, to time.Time) report.Coverage {
	t.Helper()
	snap, err := l.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	c, err := Coverage(engine.New(l), engine.Options{})(context.Background(), snap, report.Period{From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	if c.Complete != (len(c.Gaps) == 0) {
		t.Errorf("complete is %v with %d gaps", c.Complete, len(c.Gaps))
	}
	return c
}

// lines are the gaps as text, from the longest to the shortest.
func lines(c report.Coverage) []string {
	var out []string
	for _, g := range c.Gaps {
		out = append(out, strings.Join([]string{g.Account, g.Region, g.From.Format("01-02 15:04"), g.To.Format("01-02 15:04"), g.Reason}, "|"))
	}
	return out
}

func unzip(t testing.TB, data []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func zip(t testing.TB, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
