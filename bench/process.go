package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// asking has a query answered: put takes its rows, batch by batch.
type asking func(text string, put func(cols []arrow.Array, rows int)) error

// usage is what one process took from start to end, by the kernel's count.
type usage struct {
	wall, cpu time.Duration
	peak      int64 // bytes resident. Linux counts what the parent had when it started the process too: this program stays small
}

// self is this program with another task.
func self(step string, args ...string) []string {
	name, err := os.Executable()
	if err != nil {
		name = os.Args[0]
	}
	return append([]string{name, step}, args...)
}

// run runs a command to its end and gives what it wrote to stdout. The exit codes in allowed are no errors.
func run(ctx context.Context, command []string, allowed ...int) ([]byte, usage, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begun := time.Now()
	err := cmd.Run()
	wall := time.Since(begun)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		for _, code := range allowed {
			if exit.ExitCode() == code {
				err = nil
			}
		}
	}
	if err != nil {
		return nil, usage{}, fmt.Errorf("%s: %w\n%s", command, err, stderr.Bytes())
	}
	return stdout.Bytes(), usage{wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak(cmd.ProcessState)}, nil
}

// peak is the most memory that an ended process had resident, in bytes.
func peak(p *os.ProcessState) int64 {
	if r, ok := p.SysUsage().(*syscall.Rusage); ok {
		return r.Maxrss << 10 // in KiB on Linux
	}
	return 0
}

// contestant is an engine over its files, in a process of its own that answers queries one at a time.
type contestant struct {
	name, step, source string
	text               func(q query) string // how it is asked; empty: not at all
	most               int                  // rounds; 0: as many as of the others

	times map[string][]time.Duration // by query
	peak  int64                      // bytes resident at most; known once it has stopped

	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// question is one query. The answer tells its rows, if they are to be shown: that takes longer than some queries, and is no part of what
// is measured.
type question struct {
	Text string
	Show bool // the first rows as text, and a sum of all
	All  bool // all rows as text
}

// reply is the answer to one query.
type reply struct {
	Took   time.Duration
	Opened time.Duration // from the start of the program until it could be asked
	Rows   []string      // of a large answer the first
	Count  int
	Sum    string // of the text of all rows
	Error  string
}

// shownRows are the rows of an answer that are told as they are.
const shownRows = 1000

// start starts the process, whose queries may take memory bytes; stop it.
func (c *contestant) start(ctx context.Context, memory int64) (err error) {
	command := self(c.step, c.source, fmt.Sprint(memory))
	c.cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	c.out = json.NewDecoder(out)
	return c.cmd.Start()
}

// ask has one query answered. The time is the contestant's own: from the text to the last row in its hands.
func (c *contestant) ask(q question) (r reply, err error) {
	if err = json.NewEncoder(c.in).Encode(q); err == nil {
		err = c.out.Decode(&r)
	}
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", c.name, err)
	}
	return r, nil
}

func (c *contestant) stop() error {
	err := errors.Join(c.in.Close(), c.cmd.Wait())
	c.peak = peak(c.cmd.ProcessState)
	return err
}

// begun is when this program started, about.
var begun = time.Now()

// serve answers the queries that come on stdin until it ends. ask hands over each batch of rows as Arrow arrays.
func serve(ask asking) error {
	opened := time.Since(begun)
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var q question
		if err := in.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		r := reply{Opened: opened}
		sum := sha256.New()
		begun := time.Now()
		err := ask(q.Text, func(cols []arrow.Array, rows int) {
			r.Count += rows
			if !q.Show && !q.All {
				return
			}
			for _, line := range appendText(nil, cols, rows) {
				sum.Write([]byte(line))
				sum.Write([]byte{'\n'})
				if q.All || len(r.Rows) < shownRows {
					r.Rows = append(r.Rows, line)
				}
			}
		})
		r.Took = time.Since(begun)
		if err != nil {
			r.Error = err.Error()
		}
		if q.Show {
			r.Sum = hex.EncodeToString(sum.Sum(nil))
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
}

// folderSize is the sum of the files in a folder and below.
func folderSize(folder string) (size int64, err error) {
	err = filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
