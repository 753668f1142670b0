package shell

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// answers is a backend of one table with one column, "text", that holds the statement. "fail" fails at its end, "wait" waits for
// its context, "slow" takes most of a second.
type answers struct {
	context.Context
	text string
	done bool
}

func backend(ctx context.Context, r service.Request) (Rows, error) {
	text := r.SQL
	if at := strings.Index(text, "oops"); at >= 0 {
		return nil, sqlerr.New(sqlerr.Name, sqlerr.Pos(at+1), "no %s", "oops")
	}
	return &answers{Context: ctx, text: text}, nil
}

func (a *answers) Columns() ([]service.Column, error) {
	return []service.Column{{Name: "text", Type: sqltype.VarcharType}}, nil
}

func (a *answers) Next() (vec.Batch, error) {
	switch {
	case a.text == "wait":
		<-a.Done()
		return vec.Batch{}, a.Err()
	case a.text == "slow" && !a.done:
		time.Sleep(950 * time.Millisecond)
	case a.done && a.text == "fail":
		return vec.Batch{}, sqlerr.New(sqlerr.Value, 0, "it failed")
	}
	if a.done {
		return vec.Batch{}, io.EOF
	}
	a.done = true
	return vec.Batch{Len: 1, Cols: textArrays(1, [][]string{{a.text}})}, nil
}

func (a *answers) Stats() engine.Stats {
	return engine.Stats{Morsels: 4, MorselsDone: 1, RowsRead: 1234, BytesRead: 2048, Files: 10, FilesPruned: 7, Partitions: 5, PartitionsPruned: 3}
}

func (a *answers) Query() service.Query { return service.Query{State: service.Running} }

func (a *answers) Close() error { return nil }

// run gives a script to a session of its own.
func run(t *testing.T, c Config, script string) (out, errs string, err error) {
	t.Helper()
	var o, e bytes.Buffer
	c.Backend, c.Out, c.Errs = backend, &o, &e
	if c.Format == "" {
		c.Format = "csv"
	}
	s := New(c)
	err = s.Script(t.Context(), script)
	return o.String(), e.String(), errors.Join(err, s.Close())
}

func TestScript(t *testing.T) {
	dir := t.TempDir()
	included, itself, file := filepath.Join(dir, "in.sql"), filepath.Join(dir, "self.sql"), filepath.Join(dir, "out")
	for name, text := range map[string]string{included: "inner;\n\n  oops;", itself: `\i ` + itself} {
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, script, out, err string
	}{
		{"statements", "a; b ;\n-- c;\n", "text\na\n\ntext\nb\n", ""},
		{"the first mistake ends it", "a;\n b oops c;\nd;", "text\na\n", "line 2:4: no oops\n   b oops c;\n     ^"},
		{"a mistake without a place", "fail", "", "it failed"},
		{"commands", "\\format jsonl\na;\n\\format csv;\nb", "{\"text\":\"a\"}\n\ntext\nb\n", ""},
		{"a command behind a statement", "a; \\format jsonl\nb", "text\na\n{\"text\":\"b\"}\n", ""},
		{"quotes in a command's line do not matter to what follows", "\\o '" + file + "'\n\\o\nit's; fine';", "text\nit's; fine'\n", ""},
		{"a backslash within a statement is none", "a\n\\format x;", "text\n\"a\n\\format x\"\n", ""},
		{"a command that does not exist", "a;\n\\fromat x", "text\na\n", "line 2:1: there is no command \\fromat; did you mean \\format? \\? lists them all\n  \\fromat x\n  ^"},
		{"too many words", "\\timing on off", "", "line 1:1: \\timing takes no more than [on|off]\n  \\timing on off\n  ^"},
		{"an included script", "a;\n\\i " + included + "\nb;", "text\na\n\ntext\ninner\n", included + ": line 3:3: no oops\n    oops;\n    ^"},
		{"quitting", "a;\n\\q\nb;", "text\na\n", ""},
		{"empty", " ; -- nothing\n", "", "what is the question? the SQL is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, _, err := run(t, Config{Commands: true}, c.script)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if out != c.out || got != c.err {
				t.Errorf("got %q and %q\nwant %q and %q", out, got, c.out, c.err)
			}
		})
	}
	if _, _, err := run(t, Config{Commands: true}, `\i `+itself); err == nil || !strings.Contains(err.Error(), "scripts include scripts 16 deep") {
		t.Errorf("a script that includes itself: %v", err)
	}
	if _, _, err := run(t, Config{}, `\o x`); err == nil {
		if _, err := os.Stat("x"); err == nil {
			t.Error("commands are not allowed, and one wrote a file")
		}
	}
	var misuse Misuse
	if out, _, err := run(t, Config{Format: "parquet"}, "a; b"); !errors.As(err, &misuse) || out != "" {
		t.Errorf("two results in one file: %q, %v", out, err)
	}
	if _, _, err := run(t, Config{Commands: true}, "\\o "+file+"\n\\format arrow\na;\n\\o "+file+"2\nb;"); err != nil {
		t.Errorf("two files, a result each: %v", err)
	}
	if _, _, err := run(t, Config{Commands: true}, "\\o "+file+"\n\\format arrow\na;\nb;"); err == nil || !strings.Contains(err.Error(), "there is one already") {
		t.Errorf("two results in one file: %v", err)
	}
}

func TestFinished(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "SELECT 1": false, "SELECT 1;": true, "SELECT ';": false, "SELECT ';';": true, "SELECT 1 -- ;": false, "SELECT 1; -- why": true,
		"SELECT 1; /* why": false, "SELECT 1; SELECT 2": false, `SELECT ";`: false, `\d`: true, "\\d\nSELECT": false, "exit": true, "-- only this": true, "/* a */": true, "/* a": false,
		`\o it's`: true,
	} {
		if got := finished(text); got != want {
			t.Errorf("%q: finished is %v", text, got)
		}
	}
}

func TestSummary(t *testing.T) {
	_, errs, err := run(t, Config{}, "a")
	if want := "; read 2 KiB of 3 of 10 files, skipped 3 of 5 partitions)\n"; err != nil || !strings.HasPrefix(errs, "(1 row in ") || !strings.HasSuffix(errs, want) {
		t.Errorf("got %q, %v", errs, err)
	}
	if _, errs, _ := run(t, Config{Quiet: true}, "a"); errs != "" {
		t.Errorf("got %q", errs)
	}
}

// The line of progress comes after patience, in steps, and is gone before anything else is written.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o, e bytes.Buffer
		s := New(Config{Backend: backend, Out: &o, Errs: &e, Format: "csv", Progress: func() (int, int) { return 60, 24 }})
		if err := s.Script(t.Context(), "slow"); err != nil {
			t.Fatal(err)
		}
		const first = "\r25 % · 300ms · 1,234 rows, 2 KiB read · 7 of 10 files skip…\x1b[K"
		parts := strings.SplitAfter(e.String(), "\x1b[K")
		if len(parts) != 9 || parts[0] != first || parts[6] != strings.Replace(first, "300ms", "900ms", 1) {
			t.Errorf("got %q, of which the first should be %q", parts, first)
		}
		if tail := parts[len(parts)-2:]; tail[0] != "\r\x1b[K" || !strings.HasPrefix(tail[1], "(1 row in 950ms") {
			t.Errorf("the end is %q", tail)
		}
		e.Reset()
		if err := s.Script(t.Context(), "quick"); err != nil || strings.Contains(e.String(), "\r") {
			t.Errorf("a quick answer flickers: %q, %v", e.String(), err)
		}
	})
}

// An interrupt ends the statement that runs; one from before does not.
func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		interrupts := make(chan os.Signal, 1)
		interrupts <- os.Interrupt
		var o, e bytes.Buffer
		s := New(Config{Backend: backend, Out: &o, Errs: &e, Format: "csv", Interrupts: interrupts})
		if err := s.Script(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		go func() {
			time.Sleep(time.Second)
			interrupts <- os.Interrupt
		}()
		if err := s.Script(t.Context(), "wait; never"); err == nil || err.Error() != "the query was cancelled" {
			t.Errorf("got %v", err)
		}
		if err := s.Script(t.Context(), "b"); err != nil || !strings.HasSuffix(o.String(), "text\nb\n") || strings.Contains(o.String(), "never") {
			t.Errorf("got %q, %v", o.String(), err)
		}
	})
}

// leaving is a reader that goes away.
type leaving struct{ left atomic.Bool }

func (l *leaving) Write([]byte) (int, error) {
	l.left.Store(true)
	return 0, syscall.EPIPE
}

func TestReaderLeaves(t *testing.T) {
	var e bytes.Buffer
	s := New(Config{Backend: backend, Out: &leaving{}, Errs: &e, Format: "csv"})
	if err := s.Script(t.Context(), "a"); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("got %v, want an error that tells why", err)
	}
}

func TestPager(t *testing.T) {
	lines := func(n int) string { return strings.Repeat("line\n", n) }
	for _, c := range []struct {
		name, command, text, want string
	}{
		{"fits the screen", "sed s/^/paged-/", lines(8), lines(8)},
		{"longer", "sed s/^/paged-/", lines(9), strings.Repeat("paged-line\n", 9)},
		{"one line that wraps", "wc -l | tr -d ' '", strings.Repeat("x", 90) + "\n", "1\n"},
		{"no pager", "", lines(50), lines(50)},
	} {
		var out, errs bytes.Buffer
		begun := 0
		p := &pager{out: &out, errs: &errs, begin: func() { begun++ }, width: 10, height: 10, command: c.command}
		for _, b := range []byte(c.text) {
			if _, err := p.Write([]byte{b}); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Close(); err != nil || out.String() != c.want || errs.String() != "" || begun == 0 {
			t.Errorf("%s: %q, %q, %v; begun %d times", c.name, out.String(), errs.String(), err, begun)
		}
	}
	var out, errs bytes.Buffer
	p := &pager{out: &out, errs: &errs, begin: func() {}, width: 10, height: 10, command: "exit 3"}
	var err error
	for range 100_000 {
		if _, err = p.Write([]byte("line\n")); err != nil {
			break
		}
	}
	if !errors.Is(err, errPagerLeft) || p.Close() != nil {
		t.Errorf("a pager that leaves: %v", err)
	}
}

func TestPastedTextIsHarmless(t *testing.T) {
	if got := harmless("SELECT\t'ö'\n\x1b[31m;\x07\x00\u009b"); got != "SELECT 'ö'\n[31m;" {
		t.Errorf("got %q", got)
	}
}
