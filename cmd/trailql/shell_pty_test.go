//go:build linux || darwin

package main

import (
	"strings"
	"testing"
)

// openShell opens the prompt in a terminal.
func openShell(t *testing.T, lake, state string, args ...string) *terminal {
	t.Helper()
	c := command(t, append([]string{"shell", "--lake", lake, "--state", state}, args...)...)
	c.Env = append(c.Env, "PAGER=")
	return openTerminal(t, c)
}

func TestShellAtATerminal(t *testing.T) {
	lake := tinyLake(t)
	x := openShell(t, lake, t.TempDir())
	s := x.typed("SELECT 1 AS one;")
	if !strings.Contains(s, "one") {
		t.Errorf("%s", s)
	}
	t.Log("\n" + x.screen())
	x.send("\x04")
	x.leaves()
}
