package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

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

// contestant is a running process that answers queries, one at a time.
type contestant struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// reply is the answer to one query.
type reply struct {
	Took  time.Duration
	Rows  []string
	Error string
}

// start starts the step that answers queries over a source.
func start(ctx context.Context, step, source string) (*contestant, error) {
	command := self(step, source)
	c := &contestant{cmd: exec.CommandContext(ctx, command[0], command[1:]...)}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(out)
	return c, c.cmd.Start()
}

// ask has one query answered. The time is the contestant's own: from the text to the last row in its hands.
func (c *contestant) ask(text string) (reply, error) {
	if err := json.NewEncoder(c.in).Encode(text); err != nil {
		return reply{}, err
	}
	var r reply
	if err := c.out.Decode(&r); err != nil {
		return reply{}, fmt.Errorf("%s: %w", c.cmd.Args[1:], err)
	}
	if r.Error != "" {
		return reply{}, errors.New(r.Error)
	}
	return r, nil
}

// stop ends the contestant and gives the most memory it had resident.
func (c *contestant) stop() (int64, error) {
	c.in.Close()
	err := c.cmd.Wait()
	return peak(c.cmd.ProcessState), err
}

// serve answers the queries that come on stdin until it ends.
func serve(ask func(text string) ([]string, error)) error {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var text string
		if err := in.Decode(&text); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var r reply
		begun := time.Now()
		rows, err := ask(text)
		r.Took, r.Rows = time.Since(begun), rows
		if err != nil {
			r.Error = err.Error()
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
}

// folderSize is the sum of the files in a folder and below.
func folderSize(folder string) (size int64) {
	filepath.Walk(folder, func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			size += info.Size()
		}
		return nil
	})
	return size
}
