package shell

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"unicode/utf8"
)

// errPagerLeft says that the reader of a result left its pager before the end.
var errPagerLeft = errors.New("the pager was left")

// pager passes a result to the terminal, or, once it is longer than the screen, to a program that shows it page by page.
type pager struct {
	out           io.Writer
	errs          io.Writer
	begin         func() // before anything is shown
	width, height int    // of the terminal
	command       string // "": none

	held    bytes.Buffer // until it is known whether it fits the screen
	lines   int          // of the screen, that held takes
	column  int          // of the last line
	process *exec.Cmd
	pipe    io.WriteCloser
	passed  bool // to out
}

func (p *pager) Write(b []byte) (int, error) {
	switch {
	case p.pipe != nil:
		return p.page(b)
	case p.command == "" || p.passed:
		p.begin()
		return p.out.Write(b)
	}
	p.held.Write(b)
	p.count(b)
	if p.lines < p.height-1 { // the prompt takes one
		return len(b), nil
	}
	p.begin()
	if err := p.start(); err != nil {
		fmt.Fprintf(p.errs, "the pager %q does not start: %v; turn it off with \\pager off\n", p.command, err)
		p.passed = true
		_, err := p.held.WriteTo(p.out)
		return len(b), err
	}
	held := bytes.Clone(p.held.Bytes())
	p.held.Reset()
	if _, err := p.page(held); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (p *pager) page(b []byte) (int, error) {
	n, err := p.pipe.Write(b)
	if err != nil {
		return n, errPagerLeft
	}
	return n, nil
}

// count adds what b takes on the screen, where long lines wrap.
func (p *pager) count(b []byte) {
	for len(b) > 0 {
		line, rest, ended := bytes.Cut(b, []byte{'\n'})
		p.column += utf8.RuneCount(line)
		if !ended {
			return
		}
		p.lines += 1 + max(p.column-1, 0)/max(p.width, 1)
		p.column = 0
		b = rest
	}
}

// start runs the command by the shell, as PAGER is understood everywhere. less is told to show colours, to cut lines instead
// of wrapping them, to leave what fits the screen on it, and to keep what it showed.
func (p *pager) start() error {
	c := shellCommand(p.command)
	c.Stdout, c.Stderr = p.out, p.errs
	c.Env = os.Environ()
	if os.Getenv("LESS") == "" {
		c.Env = append(c.Env, "LESS=-SRFX")
	}
	pipe, err := c.StdinPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	p.process, p.pipe = c, pipe
	return nil
}

// Close shows what is held and waits for the pager to be left.
func (p *pager) Close() error {
	p.begin()
	if p.pipe == nil {
		_, err := p.held.WriteTo(p.out)
		return err
	}
	err := p.pipe.Close()
	var left *exec.ExitError
	if w := p.process.Wait(); w != nil && !errors.As(w, &left) { // how it was left is its own affair
		err = w
	}
	return err
}
