package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
)

func defining(o *Options) { o.Define = true }

func view(name, query string) source.Definition {
	return source.Definition{Name: strings.Split(name, "."), Text: "CREATE VIEW x AS " + query}
}

// viewText is what a name stands for, "" if it is no view.
func viewText(t *testing.T, l *Lake, name string) string {
	t.Helper()
	r, _ := newest(t, l).Resolve(strings.Split(name, "."))
	v, ok := r.(*source.View)
	if !ok {
		return ""
	}
	return v.SQL
}

func TestDefineViews(t *testing.T) {
	dir := t.TempDir()
	writeBindings(t, dir, "audit.trail: {}\n")
	l := openTest(t, folder(t, dir), 1, defining)
	other := openTest(t, folder(t, dir), 2, defining) // as another process has it
	before := newest(t, other)
	for _, c := range []struct {
		d    source.Definition
		want string // an error
	}{
		{view("V", "SELECT 1 AS a"), ""},
		{view("v", "SELECT 2 AS a"), "v exists already"},
		{source.Definition{Name: []string{"v"}, Text: "CREATE VIEW v AS SELECT 2 AS a", IfNotExists: true}, ""},
		{view("sec-db.v", "SELECT 3 AS a"), ""},
		{view("awsdatacatalog.sec-db.only", "SELECT 4 AS a"), ""},
		{view("cloudtrail_logs", "SELECT 1"), "is the lake's own"},
		{view("mine.Trail_Files", "SELECT 1"), "is the lake's own"},
		{view("cloudtrail_lake", "SELECT 1"), "is the lake's own"},
		{view("audit.trail", "SELECT 1"), "is bound to a table"},
		{view("information_schema.v", "SELECT 1"), "cannot be changed"},
		{view("../../v", "SELECT 1"), "no name for a"},
		{view("a/b", "SELECT 1"), "no name for a view"},
		{source.Definition{Name: []string{"a\x00"}, Text: "CREATE VIEW x AS SELECT 1"}, "no name for a view"},
		{source.Definition{Name: []string{"..", "v"}, Text: "CREATE VIEW x AS SELECT 1"}, "no name for a schema"},
		{source.Definition{Name: []string{"a.b"}, Text: "CREATE VIEW x AS SELECT 1"}, "no name for a view"},
		{source.Definition{Name: []string{"ä"}, Text: "CREATE VIEW x AS SELECT 1"}, "no name for a view"},
		{source.Definition{Name: []string{strings.Repeat("x", 129)}, Text: "CREATE VIEW x AS SELECT 1"}, "no name for a view"},
		{source.Definition{Name: []string{"q"}, Text: "SELECT 1"}, "CREATE VIEW"},
		{source.Definition{Name: []string{"q"}, Text: "CREATE VIEW q AS"}, "expected a query"},
	} {
		_, err := l.Define(t.Context(), c.d)
		var e *sqlerr.Error
		if (err == nil) != (c.want == "") || err != nil && (!errors.As(err, &e) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: %v, want %s", c.d.Name, err, c.want)
		}
	}
	for name, want := range map[string]string{
		"v": "SELECT 1 AS a", "DEFAULT.V": "SELECT 1 AS a", "sec-db.v": "SELECT 3 AS a", "only": "SELECT 4 AS a", "x.only": "", "default.only": "", "nothing": "",
	} {
		if got := viewText(t, other, name); got != want {
			t.Errorf("%s stands for %q, want %q", name, got, want)
		}
	}
	if _, ok := before.Resolve([]string{"v"}); ok {
		t.Error("a snapshot that was taken before has the view")
	}
	after := newest(t, other)
	if before.Definitions() == after.Definitions() || before.Version() != after.Version() {
		t.Error("the snapshots are not told apart by their definitions alone")
	}
	if after != newest(t, other) {
		t.Error("another snapshot though nothing has changed")
	}
	for _, name := range []string{"v", "sec-db.v", "sec-db.only"} {
		if !slices.Contains(after.Names(), name) {
			t.Errorf("%s is not among %v", name, after.Names())
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "_trailql", "definitions", "sec-db.v.sql"))
	if err != nil || string(text) != "CREATE VIEW x AS SELECT 3 AS a\n" {
		t.Errorf("%q, %v", text, err)
	}

	replacement := view("v", "SELECT 5 AS a")
	replacement.Replace = true
	if _, err := other.Define(t.Context(), replacement); err != nil {
		t.Fatal(err)
	}
	if got := viewText(t, l, "v"); got != "SELECT 5 AS a" {
		t.Errorf("replaced, it is %q", got)
	}
	for _, c := range []struct {
		name    string
		view    bool
		dropped bool
		want    string
	}{
		{"v", false, false, "write DROP VIEW"}, {"v", true, true, ""}, {"v", true, false, ""}, {"only", true, false, ""}, {"SEC-DB.only", true, true, ""},
		{"cloudtrail_logs", false, false, "is the lake's own"}, {"cloudtrail_lake", true, false, "is the lake's own"}, {"audit.trail", false, false, "is bound"},
	} {
		dropped, err := l.Drop(t.Context(), strings.Split(c.name, "."), c.view)
		if dropped != c.dropped || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("drop %s: %v, %v; want %v, %s", c.name, dropped, err, c.dropped, c.want)
		}
	}
	if got := viewText(t, other, "v"); got != "SELECT 3 AS a" { // by its last part, now that there is one such
		t.Errorf("dropped, it is %q", got)
	}
}

func TestDefineNeedsLeave(t *testing.T) {
	l := openTest(t, folder(t, t.TempDir()), 1)
	for _, err := range []error{
		func() error { _, err := l.Define(t.Context(), view("v", "SELECT 1")); return err }(),
		func() error { _, err := l.Drop(t.Context(), []string{"v"}, true); return err }(),
		func() error { _, err := l.Create(t.Context(), source.Target{Table: []string{"v"}}); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), "not allowed here") || !strings.Contains(err.Error(), "--allow-ddl") {
			t.Errorf("%v", err)
		}
	}
}

// TestDefinitionFilesOfStrangers: a file that holds no definition, or one that is damaged, takes nothing else away.
func TestDefinitionFilesOfStrangers(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, folder(t, dir), 1, defining)
	if _, err := l.Define(t.Context(), view("good", "SELECT 1 AS a")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"default.bad.sql": "CREATE VIEW x AS SELEC", "default.empty.sql": "", "readme.txt": "x", "nodot.sql": "x", "a.b.c.sql": "x", "default.UPPER.sql": "x"} {
		if err := os.WriteFile(filepath.Join(dir, "_trailql", "definitions", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := viewText(t, l, "good"); got != "SELECT 1 AS a" {
		t.Errorf("good is %q", got)
	}
	if got := viewText(t, l, "bad"); got != "CREATE VIEW x AS SELEC" { // whoever uses it is told what is wrong with it
		t.Errorf("bad is %q", got)
	}
	for _, name := range []string{"nodot", "c", "b", "upper"} {
		if _, ok := newest(t, l).Resolve([]string{name}); ok {
			t.Errorf("%s is there", name)
		}
	}
	if dropped, err := l.Drop(t.Context(), []string{"bad"}, true); err != nil || !dropped {
		t.Errorf("%v, %v", dropped, err)
	}
}

// TestRacingDefinitions: of many who define one name, one wins.
func TestRacingDefinitions(t *testing.T) {
	dir := t.TempDir()
	openTest(t, folder(t, dir), 0, defining)
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		l := openTest(t, folder(t, dir), int64(i), defining)
		wg.Go(func() {
			made, err := l.Define(t.Context(), view("v", fmt.Sprintf("SELECT %d AS a", i)))
			switch {
			case made && err == nil:
				won.Add(1)
			case err == nil || !strings.Contains(err.Error(), "exists already"):
				t.Errorf("made %v, %v", made, err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d have won", won.Load())
	}
}

// TestDefinitionCutOffAnywhere: with the disk full at any call, the view is there whole or not at all, and so is its replacement.
func TestDefinitionCutOffAnywhere(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, folder(t, dir), 1, defining)
	if _, err := l.Define(t.Context(), view("v", "SELECT 1 AS a")); err != nil {
		t.Fatal(err)
	}
	full := openTest(t, fullDisk{folder(t, dir)}, 2, defining)
	d := view("w", "SELECT 2 AS a")
	if _, err := full.Define(t.Context(), d); err == nil || !strings.Contains(err.Error(), "cannot be changed in the lake") {
		t.Errorf("%v", err)
	}
	d = view("v", "SELECT 2 AS a")
	d.Replace = true
	if _, err := full.Define(t.Context(), d); err == nil || !strings.Contains(err.Error(), "cannot be changed in the lake") {
		t.Errorf("%v", err)
	}
	if v, w := viewText(t, l, "v"), viewText(t, l, "w"); v != "SELECT 1 AS a" || w != "" {
		t.Errorf("v is %q, w is %q", v, w)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "_trailql", "definitions"))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// fullDisk takes no definition.
type fullDisk struct{ blob.Store }

var errFull = &fs.PathError{Op: "write", Path: "x", Err: errors.New("no space left on device")}

func (s fullDisk) Create(ctx context.Context, name string) (blob.Writer, error) {
	w, err := s.Store.Create(ctx, name)
	if err != nil || !strings.HasPrefix(name, definitionsFolder) {
		return w, err
	}
	return fullWriter{w}, nil
}

func (s fullDisk) PutIfAbsent(ctx context.Context, name string, data []byte) error {
	if strings.HasPrefix(name, definitionsFolder) {
		return errFull
	}
	return s.Store.PutIfAbsent(ctx, name, data)
}

type fullWriter struct{ blob.Writer }

func (w fullWriter) Write([]byte) (int, error) { return 0, errFull }
