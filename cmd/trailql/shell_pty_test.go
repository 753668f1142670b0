//go:build linux || darwin

package main

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/trailql/trailql/connectors/cloudtrail/synth"
)

// shellLake is a generated lake of some hundred events.
func shellLake(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	trail, lake := filepath.Join(dir, "trail"), filepath.Join(dir, "lake")
	if _, err := synth.Generate(t.Context(), synth.Options{Seed: 5, Events: 600, Days: 2}, func(o synth.Object) error { return writeObject(trail, o) }); err != nil {
		t.Fatal(err)
	}
	compactTo(t, 0, lake, trail)
	return lake
}

// openShell opens the prompt in a terminal.
func openShell(t *testing.T, pager string, args ...string) *terminal {
	t.Helper()
	c := command(t, append([]string{"shell"}, args...)...)
	c.Env = append(c.Env, "PAGER="+pager, "NO_COLOR=")
	x := openTerminal(t, c)
	x.ready()
	return x
}

// has says what a screen lacks.
func has(t *testing.T, screen string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(screen, text) {
			t.Errorf("the screen does not show %q:\n%s", text, screen)
		}
	}
}

// hours is a query that takes them.
const hours = "SELECT count(*) FROM UNNEST(sequence(1, 10000)) AS a (n) CROSS JOIN UNNEST(sequence(1, 10000)) AS b (n) CROSS JOIN UNNEST(sequence(1, 10000)) AS c (n)"

// The prompt, as a person at a terminal sees it.
func TestShellAtATerminal(t *testing.T) {
	lake, state := shellLake(t), t.TempDir()
	x := openShell(t, "cat", "--lake", lake, "--state", state)

	t.Run("edit lines", func(t *testing.T) {
		x.t = t
		x.clear()
		x.send("SELECT 'grün' AS a,\r 2 AS b\r")
		x.until("two lines and a third", func(s string) bool { return s == "trailql> SELECT 'grün' AS a,\n      ->  2 AS b\n      ->" })
		// Up twice, behind the first quote, where two letters go and three come; then down to the end.
		x.send("\x1b[A\x1b[A\x01\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C")
		x.send("\x04\x04fröhlich-")
		x.until("the first line changed", func(s string) bool {
			return s == "trailql> SELECT 'fröhlich-ün' AS a,\n      ->  2 AS b\n      ->"
		})
		x.send("\x1b[B\x1b[B;\r")
		has(t, x.until("the answer", func(s string) bool { return strings.HasSuffix(s, "trailql>") && strings.Contains(s, "row in") }),
			" a           | b\n-------------+---\n fröhlich-ün | 2\n(1 row in ")
	})

	t.Run("a session", func(t *testing.T) {
		x.t = t
		has(t, x.typed("PREPARE n FROM SELECT ? AS a, current_schema AS s;"), "trailql> PREPARE n FROM SELECT ? AS a, current_schema AS s;\nn is prepared\ntrailql>")
		has(t, x.typed("USE audit;"), "\nthe schema is audit\ntrailql>")
		has(t, x.typed("EXECUTE n USING 'grün';"), " grün | audit\n(1 row in ")
		has(t, x.typed("EXECUTE m USING 1;"), "line 1:9: prepared statement \"m\" does not exist; did you mean \"n\"?")
		has(t, x.typed("DEALLOCATE PREPARE n;"), "\nn is forgotten\ntrailql>")
		has(t, x.typed("EXECUTE n USING 1;"), "line 1:9: prepared statement \"n\" does not exist")
	})

	t.Run("paste", func(t *testing.T) {
		x.t = t
		x.clear()
		x.send("\x1b[200~SELECT 1 AS a;\r\n\tSELECT 'ä\x1b[31m' AS b\x1b[201~")
		x.until("both lines, and nothing run yet", func(s string) bool { return s == "trailql> SELECT 1 AS a;\n      ->  SELECT 'ä[31m' AS b" })
		x.send(";\r")
		has(t, x.until("both answers", func(s string) bool { return strings.Count(s, "(1 row in") == 2 }), " a\n---\n 1\n(1 row in ", " b\n-------\n ä[31m\n")
	})

	t.Run("complete", func(t *testing.T) {
		x.t = t
		for _, c := range []struct{ typed, becomes string }{
			{"SELECT useridentity.sess", "SELECT useridentity.sessioncontext"},
			{"SELECT useridentity.sessioncontext.sessionis", "SELECT useridentity.sessioncontext.sessionissuer"},
			{"SELECT l.sourcei", "l.sourcei"}, // no such name yet
			{"SELECT eventname FROM cloudtrail_lo", "SELECT eventname FROM cloudtrail_logs"},
			{"SELECT json_array_con", "SELECT json_array_contains("},
			{"SELECT a.useri", "SELECT a.useri"},
			{"SELECT 1 FROM cloudtrail_logs a WHERE a.useragen", "a.useragent"},
			{"SELECT 'ö' FROM cloudtrail_logs WHERE recip", "WHERE recipientaccountid"},
			{"SELECT 1 FROM cloudtrail_logs WHERE eventname = 'ConsoleLogin", "'ConsoleLogin'"},
			{"SELECT 1 FROM cloudtrail_logs WHERE awsregion IN ('us-east-1', 'us-w", "'us-west-2'"},
			{"SELECT 1 FROM trail_files WHE", "trail_files WHERE"},
			{`\tim`, `\timing`},
			{`\format mark`, `\format markdown`},
			{`\d trail_qu`, `\d trail_quarantine`},
		} {
			x.clear()
			x.completes(c.typed, c.becomes)
		}
		// Several: what they share is written, a list shown, and the next Tab takes the first.
		x.clear()
		x.completes("SELECT json_extr", "json_extract_scalar(  -- (varchar, varchar) -> varchar")
		has(t, x.screen(), "trailql> SELECT json_extract\nfunctions\n")
		x.send("\t")
		x.until("the first of the list", func(s string) bool { return strings.HasPrefix(s, "trailql> SELECT json_extract(\n") })
		x.clear()
	})

	t.Run("history", func(t *testing.T) {
		x.t = t
		x.clear()
		x.typed("SELECT 41 AS old;")
		x.typed("SELECT 'new\rer' AS y;")
		x.clear()
		x.send("\x1b[A")
		x.until("the last statement, whole", func(s string) bool { return s == "trailql> SELECT 'new\n      -> er' AS y;" })
		x.clear()
		x.send("\x12")
		x.sees("inc-search")
		x.clear() // Ctrl-C leaves the search
		x.send("\x12")
		x.sees("inc-search")
		x.send("old")
		x.sees("trailql> SELECT 41 AS old;")
		x.clear() // and takes what was found with it
		x.send("\x12")
		x.sees("inc-search")
		x.send("old")
		x.sees("trailql> SELECT 41 AS old;")
		x.send("\r")
		has(t, x.until("the answer", func(s string) bool { return strings.HasSuffix(s, "trailql>") }), "  41\n")
	})

	t.Run("cancel", func(t *testing.T) {
		x.t = t
		x.clear()
		x.send(hours + ";\r")
		x.sees("Ctrl-C cancels") // the line of progress
		x.send("\x03")
		s := x.until("the end of the query", func(s string) bool { return strings.HasSuffix(s, "the query was cancelled\ntrailql>") })
		if strings.Contains(s, "Ctrl-C cancels") {
			t.Errorf("the line of progress stays:\n%s", s)
		}
		has(t, x.typed("SELECT 'alive' AS shell;"), " alive\n")
		x.clear()
		x.send("SELECT half of it")
		x.sees("half of it")
		x.send("\x03")
		x.until("the statement dropped", func(s string) bool { return strings.HasSuffix(s, "half of it\ntrailql>") })
		has(t, x.typed("SELECT 'alive' AS still;"), " alive\n")
	})

	t.Run("output", func(t *testing.T) {
		x.t = t
		const one = "SELECT 'x' AS a, NULL AS n, 1 AS i;"
		for format, want := range map[string]string{
			"table": " a | n    | i\n---+------+---\n x | NULL | 1\n(1 row in ", "vertical": "-[ row 1 ]--------------------\na | x\nn | NULL\ni | 1\n(1 row in ",
			"csv": "a,n,i\nx,,1\n(1 row", "json": "[\n{\"a\":\"x\",\"n\":null,\"i\":1}\n]\n(1 row", "jsonl": "{\"a\":\"x\",\"n\":null,\"i\":1}\n(1 row",
			"markdown": "| a | n | i |\n| --- | --- | ---: |\n| x | | 1 |\n(1 row",
		} {
			x.typed(`\format ` + format)
			has(t, x.typed(one), want)
		}
		has(t, x.typed(`\format parquet`), "parquet is not for terminals")
		has(t, x.typed(`\format tabel`), "did you mean table?")
		if x.typed(`\format table`); !strings.Contains(x.output(), "the format is table") {
			t.Errorf("%q", x.output())
		}
		x.typed("SELECT NULL AS n, 'NULL' AS t;")
		if !strings.Contains(x.output(), " \x1b[2mNULL\x1b[22m | NULL") {
			t.Errorf("NULL looks like the text: %q", x.output())
		}

		// Wider than the terminal: cut, or vertical.
		const wide = "SELECT eventid, eventid AS e2, eventid AS e3 FROM cloudtrail_logs ORDER BY 1 LIMIT 1;"
		x.typed(`\x auto`)
		has(t, x.typed(wide), "-[ row 1 ]", "\ne3      | ")
		x.typed(`\x off`)
		s := x.typed(wide)
		has(t, s, "…", " eventid ")
		x.typed(`\x on`)
		has(t, x.typed("SELECT 1 AS i;"), "-[ row 1 ]")
		x.typed(`\x auto`)

		file := filepath.Join(t.TempDir(), "o.csv")
		x.typed(`\format csv`)
		x.typed(`\o ` + file)
		if s := x.typed("SELECT 5 AS five;"); strings.Contains(s, "five\n5") {
			t.Errorf("the result is shown, though it goes to a file:\n%s", s)
		}
		x.typed(`\o`)
		if text, err := os.ReadFile(file); err != nil || string(text) != "five\n5\n" {
			t.Errorf("%q, %v", text, err)
		}
		x.typed(`\format table`)

		has(t, x.typed(`\timing`), "timing is off")
		if s := x.typed("SELECT 6 AS six;"); strings.Contains(s, "row in") {
			t.Errorf("timing is off:\n%s", s)
		}
		has(t, x.typed(`\timing on`), "timing is on")
	})

	t.Run("describe", func(t *testing.T) {
		x.t = t
		has(t, x.typed(`\d`), " cloudtrail_logs ", " trail_coverage ")
		has(t, x.typed(`\dt *quar*`), " trail_quarantine ")
		has(t, x.typed(`\d trail_duplicates`), " column ", " varchar ")
		has(t, x.typed(`\d nowhere`), `"nowhere"`)
		has(t, x.typed(`\df regexp_*`), "regexp_like(varchar, varchar) -> boolean")
		has(t, x.typed(`\help date_trunk`), `did you mean "date_trunc"?`)
		has(t, x.typed(`\help substr`), "substr(varchar, bigint) -> varchar\n", "  substr('abc', 2) → 'bc'\n")
		has(t, x.typed(`\dz`), `there is no command \dz; did you mean \d`)
		has(t, x.typed(`\?`), `\help [FUNCTION]`, "Ctrl-R")
		has(t, x.typed("SELECT evntname\rFROM cloudtrail_logs;"), "line 1:8: column \"evntname\" does not exist; did you mean \"eventname\"?\n  SELECT evntname\n         ^\n")
	})

	t.Run("long result", func(t *testing.T) {
		x.t = t
		// The pager is cat, so that all lines pass, and the last are on the screen.
		s := x.typed("SELECT n FROM UNNEST(sequence(1, 5000)) AS t (n);")
		has(t, s, "\n 4999\n 5000\n(5,000 rows in ")
		x.typed(`\pager off`)
		has(t, x.typed("SELECT n FROM UNNEST(sequence(1, 5000)) AS t (n);"), "\n 4999\n 5000\n(5,000 rows in ")
		// A statement at the bottom of the screen, longer than what is left of it.
		x.send("SELECT\r1\rAS\rbottom")
		x.until("four lines", func(s string) bool {
			return strings.HasSuffix(s, "trailql> SELECT\n      -> 1\n      -> AS\n      -> bottom")
		})
		x.send("\x1b[A\x1b[A2")
		x.until("a change in the second line", func(s string) bool {
			return strings.HasSuffix(s, "trailql> SELECT\n      -> 12\n      -> AS\n      -> bottom")
		})
		x.send("\x1b[B\x1b[B\x05_;\r")
		x.until("the answer", func(s string) bool { return strings.Contains(s, "12\n(1 row") && strings.HasSuffix(s, "trailql>") })
	})

	x.t = t
	x.send("\x04")
	x.leaves()

	// What was typed is known to the next shell, and nobody else can read it.
	info, err := os.Stat(filepath.Join(state, "history"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the history: %v, %v", info, err)
	}
	y := openShell(t, "false", "--lake", lake, "--state", state)
	y.clear()
	y.send("\x1b[A")
	y.until("the last statement", func(s string) bool { return strings.HasPrefix(s, "trailql> SELECT\n      -> 12") })
	y.clear()
	// A pager that is left at once, before it has read all, ends the query and not the shell.
	y.send("SELECT n FROM UNNEST(sequence(1, 10000)) AS t (n) CROSS JOIN UNNEST(sequence(1, 10000)) AS u (m);\r")
	y.until("the end of the query", func(s string) bool { return strings.Contains(s, " rows in ") && strings.HasSuffix(s, "trailql>") })
	has(t, y.typed("SELECT 'alive' AS shell;"), " alive\n")
	y.send("exit\r")
	y.leaves()
}

// SIGTERM at the prompt, and while a query runs, ends the shell, with the terminal as it was.
func TestShellIsTerminated(t *testing.T) {
	lake := tinyLake(t)
	for _, busy := range []bool{false, true} {
		x := openShell(t, "cat", "--lake", lake, "--state", t.TempDir())
		if busy {
			x.send(hours + ";\r")
			x.sees("Ctrl-C cancels")
		} else {
			x.send("SELECT unfinished")
			x.sees("unfinished")
		}
		if err := x.command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		x.leaves()
		if !strings.Contains(x.output(), "\x1b[?2004l") {
			t.Errorf("pasting is still bracketed: %q", x.output())
		}
	}
}

// The root command without arguments is the shell, on a terminal where a lake is.
func TestShellIsTheRootCommand(t *testing.T) {
	c := command(t)
	c.Env = append(c.Env, "TRAILQL_LAKE="+tinyLake(t), "TRAILQL_STATE="+t.TempDir(), "NO_COLOR=1")
	x := openTerminal(t, c)
	x.ready()
	has(t, x.typed("SELECT count(*) AS n FROM cloudtrail_logs;"), " 2\n(1 row in ")
	if strings.Contains(x.output(), "\x1b[32m") || strings.Contains(x.output(), "\x1b[1;34m") {
		t.Errorf("NO_COLOR is set: %q", x.output())
	}
	x.send(`\q` + "\r")
	x.leaves()

	c = command(t)
	c.Env = append(c.Env, "TRAILQL_LAKE="+filepath.Join(t.TempDir(), "none"))
	x = openTerminal(t, c)
	x.sees("Available Commands")
	x.leaves()
}

// The same prompt over a server.
func TestShellOverAServer(t *testing.T) {
	lake, state := tinyLake(t), t.TempDir()
	address := serving(t, lake, state)
	x := openShell(t, "cat", "--server", address, "--state", state)
	has(t, x.typed("SELECT eventid FROM cloudtrail_logs ORDER BY 1;"), " eventid\n---------\n a\n b\n(2 rows in ")
	has(t, x.typed("SELECT evntname FROM cloudtrail_logs;"), `did you mean "eventname"?`, "\n         ^\n")
	has(t, x.typed(`\d trail_duplicates`), " varchar ")
	x.clear()
	x.completes("SELECT useridentity.sess", "useridentity.sessioncontext")
	x.clear()
	x.send(hours + ";\r")
	x.sees("Ctrl-C cancels")
	x.send("\x03")
	x.until("the end of the query", func(s string) bool { return strings.HasSuffix(s, "cancelled\ntrailql>") })
	has(t, x.typed("SELECT 'alive' AS shell;"), " alive\n")
	// The server knows how the query ended.
	has(t, x.typed("SELECT state, count(*) AS n FROM query_history WHERE sql LIKE '%sequence(1, 10000)%' AND state = 'cancelled' GROUP BY 1;"), " cancelled | 1\n")
	// What completion asks on its own stands apart from what the person asked.
	has(t, x.typed("SELECT count_if(source = 'shell completion') > 0 AND count_if(source = 'shell' AND sql = 'SHOW TABLES') = 0 AS apart FROM query_history;"), " true\n")
	x.send("\x04")
	x.leaves()

	code, out, errs := trailql(t, "query", "--server", address, "--state", state, "--format", "csv", "SELECT count(*) AS n FROM cloudtrail_logs")
	if code != 0 || out != "n\n2\n" || !strings.HasPrefix(errs, "(1 row in ") {
		t.Errorf("query --server: exit %d, %q, %q", code, out, errs)
	}
	token := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(token, []byte("0123456789abcdef0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := trailql(t, "shell", "--server", address, "--token-file", token, "-e", "SELECT 1"); code != exitFailed || !strings.Contains(errs, "token") {
		t.Errorf("a wrong token: exit %d, %q", code, errs)
	}
	if code, _, errs := trailql(t, "shell", "--server", address, "--lake", lake, "-e", "SELECT 1"); code != exitUsage || !strings.Contains(errs, "not both") {
		t.Errorf("a lake and a server: exit %d, %q", code, errs)
	}
}

// serving starts "trailql serve" and returns its address.
func serving(t *testing.T, lake, state string) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	c := command(t, "serve", "--lake", lake, "--state", state, "--listen", address)
	said, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Signal(os.Interrupt)
		c.Wait()
	})
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "http://"+address) {
			go func() {
				for lines.Scan() {
				}
			}()
			return "http://" + address
		}
	}
	t.Fatal("the server does not start")
	return ""
}
