//go:build linux || darwin

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
)

// patience is how long a terminal may take to show what is expected. Far more than it takes: it ends a test that fails.
const patience = 30 * time.Second

// terminal is a program in a terminal, and what a person would see there: a screen as of a VT100, without colours.
type terminal struct {
	t       *testing.T
	command *exec.Cmd
	pty     *os.File
	exited  chan error

	mu      sync.Mutex
	changed chan struct{} // closed at the next change
	lines   [][]rune      // of the screen
	gone    []string      // lines that scrolled out at the top
	row     int
	column  int
	wrap    bool // the last column is written; the next character begins a line
	frames  int  // drawn by the line editor, which hides the cursor meanwhile
	raw     bytes.Buffer
	pending []byte // an escape sequence or character that is not complete

	clears int // of the screen by the test, so far
}

const terminalRows, terminalColumns = 40, 100

// openTerminal starts a program in a terminal.
func openTerminal(t *testing.T, c *exec.Cmd) *terminal {
	t.Helper()
	c.Env = append(c.Env, "TERM=xterm", "INPUTRC=/dev/null", "HOME="+t.TempDir())
	x := &terminal{t: t, command: c, exited: make(chan error, 1), changed: make(chan struct{})}
	for range terminalRows {
		x.lines = append(x.lines, nil)
	}
	f, err := pty.StartWithSize(c, &pty.Winsize{Rows: terminalRows, Cols: terminalColumns})
	if err != nil {
		t.Fatal(err)
	}
	x.pty = f
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := f.Read(buf)
			x.write(buf[:n])
			if err != nil { // on Linux, the end of a terminal is an error
				x.exited <- c.Wait()
				return
			}
		}
	}()
	t.Cleanup(func() {
		c.Process.Kill()
		f.Close()
		if t.Failed() {
			t.Logf("the screen at the end:\n%s", x.screen())
		}
	})
	return x
}

// send types.
func (x *terminal) send(keys string) {
	x.t.Helper()
	if _, err := x.pty.WriteString(keys); err != nil {
		x.t.Fatal(err)
	}
}

// until waits for the screen to be as it should.
func (x *terminal) until(what string, is func(screen string) bool) string {
	x.t.Helper()
	late := time.After(patience)
	for {
		_, changed := x.drawn()
		if s := x.screen(); is(s) {
			return s
		}
		select {
		case <-changed:
		case <-late:
			x.t.Fatalf("%s did not show:\n%s", what, x.screen())
		}
	}
}

// sees waits for texts to be on the screen.
func (x *terminal) sees(texts ...string) string {
	x.t.Helper()
	return x.until(strings.Join(texts, " and "), func(s string) bool {
		for _, text := range texts {
			if !strings.Contains(s, text) {
				return false
			}
		}
		return true
	})
}

// completes types, and then Tab until the text shows: what completion knows is read in the background.
func (x *terminal) completes(typed, want string) {
	x.t.Helper()
	x.send(typed)
	x.sees(typed)
	late := time.After(patience)
	for !strings.Contains(x.screen(), want) {
		before, changed := x.drawn()
		x.send("\t")
		for now := before; now == before; now, changed = x.drawn() {
			select {
			case <-changed:
			case <-late:
				x.t.Fatalf("%s does not complete to %s:\n%s", typed, want, x.screen())
			}
		}
	}
}

// drawn counts what the line editor drew, and returns what is closed at the next change.
func (x *terminal) drawn() (frames int, changed chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.frames, x.changed
}

// ready waits for an empty prompt below everything else.
func (x *terminal) ready() string {
	x.t.Helper()
	return x.until("the prompt", func(s string) bool { return strings.HasSuffix(s, "trailql>") })
}

// typed waits for the prompt, types a line, and returns the screen when the prompt is back.
func (x *terminal) typed(line string) string {
	x.t.Helper()
	x.clear()
	x.send(line + "\r")
	x.until("the end of "+line, func(s string) bool { return strings.HasSuffix(s, "trailql>") && s != "trailql>" })
	return x.screen()
}

// clear drops what is typed and clears the screen. A prompt that is there already does not tell whether Ctrl-C has come
// through, but a number typed behind it that shows does.
func (x *terminal) clear() {
	x.t.Helper()
	x.clears++
	mark := strconv.Itoa(x.clears)
	x.send("\x03" + mark)
	x.until("an empty prompt, and "+mark+" behind it", func(s string) bool { return strings.HasSuffix(s, "trailql> "+mark) })
	x.send("\x15\x0c")
	x.until("a clear screen", func(s string) bool { return s == "trailql>" })
	x.mu.Lock()
	x.raw.Reset()
	x.mu.Unlock()
}

// leaves waits for the program to end.
func (x *terminal) leaves() {
	x.t.Helper()
	select {
	case err := <-x.exited:
		if err != nil {
			x.t.Fatalf("it left with %v", err)
		}
	case <-time.After(patience):
		x.t.Fatalf("it does not leave:\n%s", x.screen())
	}
}

// screen is what the terminal shows, without blanks at the ends of lines and empty lines at the end.
func (x *terminal) screen() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var b strings.Builder
	for _, line := range x.lines {
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// output is all bytes since the last typed.
func (x *terminal) output() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.raw.String()
}

func (x *terminal) write(p []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.raw.Write(p)
	x.pending = append(x.pending, p...)
	for len(x.pending) > 0 {
		n := x.step(x.pending)
		if n == 0 {
			break
		}
		x.pending = x.pending[n:]
	}
	close(x.changed)
	x.changed = make(chan struct{})
}

// step shows one character or obeys one sequence, and returns its length; 0 if it is not complete.
func (x *terminal) step(p []byte) int {
	switch c := p[0]; {
	case c == 0x1b:
		return x.escape(p)
	case c == '\r':
		x.column, x.wrap = 0, false
	case c == '\n':
		x.down()
	case c == '\b':
		x.column, x.wrap = max(x.column-1, 0), false
	case c == '\t':
		x.column = min(x.column/8*8+8, terminalColumns-1)
	case c < ' ':
	case !utf8.FullRune(p):
		return 0
	default:
		r, size := utf8.DecodeRune(p)
		x.put(r)
		return size
	}
	return 1
}

func (x *terminal) put(r rune) {
	if x.wrap {
		x.column, x.wrap = 0, false
		x.down()
	}
	line := x.lines[x.row]
	for len(line) <= x.column {
		line = append(line, ' ')
	}
	line[x.column] = r
	x.lines[x.row] = line
	if x.column == terminalColumns-1 {
		x.wrap = true
	} else {
		x.column++
	}
}

func (x *terminal) down() {
	if x.row < terminalRows-1 {
		x.row++
		return
	}
	x.gone = append(x.gone, string(x.lines[0]))
	x.lines = append(x.lines[1:], nil)
}

// escape obeys the sequences that line editors use and skips the others.
func (x *terminal) escape(p []byte) int {
	if len(p) < 2 {
		return 0
	}
	switch p[1] {
	case '[':
	case 'D':
		x.down()
		return 2
	default:
		return 2
	}
	end := bytes.IndexFunc(p[2:], func(r rune) bool { return r >= 0x40 && r <= 0x7e })
	if end < 0 {
		return 0
	}
	end += 2
	var args [2]int
	for i, s := range strings.Split(strings.TrimLeft(string(p[2:end]), "?>="), ";") {
		if i < len(args) {
			args[i], _ = strconv.Atoi(s)
		}
	}
	by := max(args[0], 1)
	switch p[end] {
	case 'A':
		x.row = max(x.row-by, 0)
	case 'B':
		x.row = min(x.row+by, terminalRows-1)
	case 'C':
		x.column = min(x.column+by, terminalColumns-1)
	case 'D':
		x.column = max(x.column-by, 0)
	case 'G':
		x.column = min(by-1, terminalColumns-1)
	case 'H', 'f':
		x.row, x.column = min(by-1, terminalRows-1), min(max(args[1], 1)-1, terminalColumns-1)
	case 'J':
		if args[0] == 2 || args[0] == 3 {
			for i := range x.lines {
				x.lines[i] = nil
			}
			break
		}
		x.cut(x.row, x.column)
		for i := x.row + 1; i < terminalRows; i++ {
			x.lines[i] = nil
		}
	case 'K':
		switch args[0] {
		case 0:
			x.cut(x.row, x.column)
		case 1:
			for i := 0; i <= x.column && i < len(x.lines[x.row]); i++ {
				x.lines[x.row][i] = ' '
			}
		case 2:
			x.lines[x.row] = nil
		}
	case 'n':
		if args[0] == 6 {
			fmt.Fprintf(x.pty, "\x1b[%d;%dR", x.row+1, x.column+1)
		}
		return end + 1
	case 'h':
		if args[0] == 25 {
			x.frames++
		}
		return end + 1
	default:
		return end + 1
	}
	x.wrap = false
	return end + 1
}

func (x *terminal) cut(row, column int) {
	if len(x.lines[row]) > column {
		x.lines[row] = x.lines[row][:column]
	}
}
