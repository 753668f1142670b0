package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The shell without a prompt: -e, -f and stdin are scripts, with commands.
func TestShellScripts(t *testing.T) {
	lake, dir := tinyLake(t), t.TempDir()
	t.Setenv("TRAILQL_STATE", dir)
	script := filepath.Join(dir, "q.sql")
	if err := os.WriteFile(script, []byte("\\format csv\nSELECT count(*) AS n FROM cloudtrail_logs;\n\\o "+filepath.Join(dir, "out.csv")+"\nSELECT 7 AS seven;\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		args  []string
		stdin string
		code  int
		out   string
		errs  string // stderr holds it
	}{
		{"statements", []string{"-e", "SELECT 1 AS a", "-e", "SELECT 2 AS b; SELECT 3 AS c", "--format", "csv"}, "", 0, "a\n1\n\nb\n2\n\nc\n3\n", "(1 row in "},
		{"commands", []string{"-e", `\format jsonl`, "-e", "SELECT 1 AS a", "-q"}, "", 0, "{\"a\":1}\n", ""},
		{"the first mistake ends it", []string{"-e", "SELECT 1 AS a", "-e", "SELECT x", "-e", "SELECT 3", "--format", "jsonl"}, "", exitFailed, "{\"a\":1}\n", "trailql: line 1:8: "},
		{"a file", []string{"-f", script, "-q"}, "", 0, "n\n2\n", ""},
		{"stdin", []string{"--format", "csv", "-q"}, "SELECT 5 AS five;\n\\format json\nSELECT 6 AS six", 0, "five\n5\n\n[\n{\"six\":6}\n]\n", ""},
		{"stdin by name", []string{"-f", "-", "--format", "csv", "-q"}, "SELECT 5 AS five", 0, "five\n5\n", ""},
		{"a mistake in stdin", []string{"--format", "csv"}, "SELECT 1 AS a;\n\n\\fromat csv", exitFailed, "a\n1\n", "line 3:1: there is no command \\fromat; did you mean \\format?"},
		{"nothing", nil, "", exitUsage, "", "the SQL is empty"},
		{"both", []string{"-e", "SELECT 1", "-f", script}, "", exitUsage, "", "not both"},
		{"no such format", []string{"--format", "xml", "-e", "SELECT 1"}, "", exitUsage, "", `"xml"`},
		{"several results in a file of one", []string{"--format", "parquet", "-e", "SELECT 1; SELECT 2"}, "", exitUsage, "", "one statement"},
		{"several in parts", []string{"--format", "arrow", "-e", "SELECT 1", "-e", "SELECT 2"}, "", exitUsage, "", "one statement"},
		{"no lake", []string{"--lake", dir, "-e", "SELECT 1"}, "", exitFailed, "", "no lake"},
		{"no server", []string{"--server", "http://127.0.0.1:1", "-e", "SELECT 1"}, "", exitFailed, "", "127.0.0.1:1"},
		{"no address", []string{"--server", "nonsense", "-e", "SELECT 1"}, "", exitUsage, "", `"nonsense"`},
		{"no token", []string{"--server", "http://127.0.0.1:1", "--token-file", filepath.Join(dir, "none"), "-e", "SELECT 1"}, "", exitFailed, "", "token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"shell"}, c.args...)
			if !strings.Contains(strings.Join(args, " "), "--lake") && !strings.Contains(strings.Join(args, " "), "--server") {
				args = append(args, "--lake", lake)
			}
			var out, errs bytes.Buffer
			code := run(t.Context(), args, strings.NewReader(c.stdin), &out, &errs)
			if code != c.code || out.String() != c.out || !strings.Contains(errs.String(), c.errs) || c.errs == "" && errs.Len() > 0 {
				t.Errorf("exit %d, stdout %q, stderr %q\nwant %d, %q and %q", code, out.String(), errs.String(), c.code, c.out, c.errs)
			}
		})
	}
	if text, err := os.ReadFile(filepath.Join(dir, "out.csv")); err != nil || string(text) != "seven\n7\n" {
		t.Errorf("the file of \\o holds %q, %v", text, err)
	}

	// query runs scripts of unknown origin, so commands are nothing to it.
	if code, _, errs := trailql(t, "query", "--lake", lake, `\o `+filepath.Join(dir, "stolen")); code != exitFailed || !strings.Contains(errs, "line 1:1") {
		t.Errorf("query with a command: exit %d, %q", code, errs)
	}
	if _, err := os.Stat(filepath.Join(dir, "stolen")); err == nil {
		t.Error("query ran a command")
	}
}

// A reader that goes away, as head does, ends the shell without a word, and the temporary state is gone.
func TestShellClosedPipe(t *testing.T) {
	temporary := t.TempDir()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	c := command(t, "shell", "--lake", tinyLake(t), "--format", "csv", "-e", "SELECT * FROM UNNEST(sequence(1, 10000)) AS t (n) CROSS JOIN UNNEST(sequence(1, 100)) AS u (m)")
	c.Env = append(c.Env, "TMPDIR="+temporary)
	c.Stdout = w
	code, errs := exitOf(t, c)
	w.Close()
	if code != exitFailed || errs != "" {
		t.Errorf("exit %d, %q", code, errs)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
