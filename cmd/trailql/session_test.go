//go:build linux || darwin

package main

import (
	"strings"
	"testing"
)

// A script's statements are one session, in this process as over a server, and those that only set something are no results.
func TestScriptsAreSessions(t *testing.T) {
	lake, state := tinyLake(t), t.TempDir()
	address := serving(t, lake, state)
	const script = "USE audit; SET TIME ZONE '+02:00';\nPREPARE p FROM SELECT eventid, current_schema AS s, current_timezone() AS z FROM cloudtrail_logs WHERE eventid = ?;\n"
	for _, answerer := range [][]string{{"--lake", lake}, {"--server", address, "--state", state}} {
		for _, c := range []struct {
			command string
			args    []string
			code    int
			out     string
			errs    string // stderr is it, or begins with it if that fails
		}{
			{"query", []string{"--quiet", "--format", "csv", script + "EXECUTE p USING 'b'; EXECUTE p USING 'c'; DEALLOCATE PREPARE p; SELECT 1 AS one"}, 0,
				"eventid,s,z\nb,audit,+02:00\n\neventid,s,z\n\none\n1\n", ""},
			{"query", []string{"--format", "csv", script + "EXECUTE IMMEDIATE 'SELECT 1 AS one'"}, 0, "one\n1\n",
				"the schema is audit\nthe time zone is +02:00\np is prepared\n(1 row in "},
			{"query", []string{"-q", "--format", "csv", "--param", "'a'", script + "EXECUTE p"}, 0, "eventid,s,z\na,audit,+02:00\n", ""},
			{"query", []string{"-q", "--format", "csv", "--param", "'b'", "--param", "1", "SELECT eventid FROM cloudtrail_logs WHERE eventid >= ? LIMIT ?"}, 0, "eventid\nb\n", ""},
			{"query", []string{"--param", "eventid", "SELECT eventid FROM cloudtrail_logs WHERE eventid = ?"}, exitFailed, "", "trailql: line 1:53: parameter 1: the value of a parameter is a literal"},
			{"query", []string{"-q", script + "EXECUTE p"}, exitFailed, "", "trailql: line 3:1: prepared statement \"p\", line 1:1: parameters (?) in the statement: 1, values given for them: 0"},
			{"shell", []string{"-q", "--format", "csv", "-e", script, "-e", "EXECUTE p USING 'b'"}, 0, "eventid,s,z\nb,audit,+02:00\n", ""},
			{"query", []string{"EXECUTE p USING 'b'"}, exitFailed, "", "trailql: line 1:9: prepared statement \"p\" does not exist"}, // of an earlier run
		} {
			code, out, errs := trailql(t, append(append([]string{c.command}, answerer...), c.args...)...)
			if code != c.code || out != c.out || !strings.HasPrefix(errs, c.errs) || c.errs == "" && errs != "" {
				t.Errorf("%s %q %q: exit %d, %q, %q\nwant %d, %q, %q", c.command, answerer, c.args, code, out, errs, c.code, c.out, c.errs)
			}
		}
	}
}
