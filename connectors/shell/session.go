package shell

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/figure"
	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/sqlerr"
)

// Config of a session. Backend, Out, Errs and Format must be given.
type Config struct {
	Backend Backend
	Names   Backend   // for what completion asks on its own; nil: Backend
	Out     io.Writer // results
	Errs    io.Writer // everything else
	Format  string    // of sink.Formats
	Quiet   bool      // no summary lines
	Params  []string  // of the one statement of a script that has an answer: literals for its ?

	// Commands allows backslash commands. They read and write files, so that a script of unknown origin should not have them.
	Commands bool

	// Interactive is for a prompt: rows wider than the terminal are written vertically, long results go to the pager.
	Interactive bool
	Size        func() (width, height int) // of the terminal that Out is; nil: it is none
	Progress    func() (width, height int) // of the terminal that Errs is; nil: it is none, and nothing is shown while a query runs
	Color       bool                       // of Out and the prompt
	Pager       string                     // command line of the pager; "": none
	Interrupts  <-chan os.Signal           // each cancels the statement that runs, and nothing else; nil: none come
}

// Session runs statements and commands one after the other, and keeps what the commands set. Used by one goroutine.
type Session struct {
	config  Config
	session engine.Session // what statements have set
	format  string
	turn    bool // wide tables are written vertically
	timing  bool
	pager   bool
	out     io.Writer
	file    *os.File // of \o; nil: results go to config.Out
	results int      // written to out
	depth   int      // of \i
	names   *names   // for completion; nil without a prompt
}

// New returns a session.
func New(c Config) *Session {
	return &Session{config: c, format: c.Format, turn: c.Interactive, timing: !c.Quiet, pager: c.Interactive && c.Pager != "", out: c.Out}
}

// Close ends what commands began: the file of \o.
func (s *Session) Close() error { return s.closeFile() }

// ask runs one statement.
func (s *Session) ask(ctx context.Context, text string) (err error) {
	if one(s.format) && s.results > 0 && !silent(text) {
		return &sqlerr.Error{Kind: sqlerr.Unknown, Msg: s.format + " holds one result, and there is one already", Hint: "name another file with \\o"}
	}
	defer func() {
		if errors.Is(err, context.Canceled) { // a server's rows say no more
			err = sqlerr.New(sqlerr.Cancelled, 0, "the query was cancelled")
		}
	}()
	begun := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.interruptible(cancel)()
	request := service.Request{SQL: text, Session: s.session}
	if !silent(text) {
		request.Params = s.config.Params
	}
	rows, err := s.config.Backend(ctx, request)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, rows.Close()) }()
	hide := s.watch(rows)
	defer hide()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	if change := rows.Query().Change; change != nil {
		return s.change(*change, columns, rows)
	}
	if !s.config.Interactive && s.results > 0 && s.format != "jsonl" && !one(s.format) {
		if _, err := fmt.Fprintln(s.out); err != nil {
			return fmt.Errorf("writing the result: %w", err)
		}
	}
	n, err := s.write(columns, hide, func(w sink.Writer) (n int64, err error) {
		for {
			batch, err := rows.Next()
			if errors.Is(err, io.EOF) {
				return n, nil
			}
			if err != nil {
				return n, err
			}
			n += int64(batch.Len)
			if err := w.Write(batch.Cols, batch.Len); err != nil {
				return n, err
			}
		}
	})
	hide()
	if errors.Is(err, errPagerLeft) {
		cancel() // nobody reads on
		err = nil
	}
	if err != nil {
		return err
	}
	if s.timing {
		s.summary(n, rows, time.Since(begun))
	}
	return nil
}

// change takes over what a statement changed of the session. Its answer says so to a person, and is no result.
func (s *Session) change(c engine.Change, columns []sink.Column, rows Rows) error {
	said, err := texts(columns, rows)
	if err != nil {
		return err
	}
	s.session = s.session.With(c)
	if s.timing {
		for _, row := range said {
			fmt.Fprintln(s.config.Errs, strings.Join(row, " "))
		}
	}
	return nil
}

// write makes one result in the session's format of what fill gives, and returns what fill returns. begin is called before
// the first byte is shown on a terminal.
func (s *Session) write(columns []sink.Column, begin func(), fill func(sink.Writer) (int64, error)) (n int64, err error) {
	var opt sink.Options
	out := s.out
	if s.file == nil && s.config.Size != nil {
		width, height := s.config.Size()
		opt = sink.Options{Width: width, Styled: s.config.Color, Turn: s.turn}
		p := &pager{out: s.out, errs: s.config.Errs, begin: begin, height: height, width: width}
		if s.pager && !one(s.format) {
			p.command = s.config.Pager
		}
		defer func() { err = cmp.Or(err, p.Close()) }()
		out = p
	}
	w, err := sink.New(s.format, out, columns, opt)
	if err != nil {
		return 0, err
	}
	s.results++
	if n, err = fill(w); err != nil {
		return n, err
	}
	return n, w.Close()
}

// interruptible calls cancel at the next interrupt, until the func it returns is called.
func (s *Session) interruptible(cancel func()) (stop func()) {
	if s.config.Interrupts == nil {
		return func() {}
	}
	for len(s.config.Interrupts) > 0 {
		<-s.config.Interrupts // meant for what is over
	}
	done := make(chan struct{})
	go func() {
		select {
		case <-s.config.Interrupts:
			cancel()
		case <-done:
		}
	}()
	return func() { close(done) }
}

// summary says in a line what the answer cost.
func (s *Session) summary(n int64, rows Rows, took time.Duration) {
	line := fmt.Sprintf("%s %s in %s", figure.Count(n), figure.Plural(n, "row"), took.Round(time.Millisecond))
	if rows.Query().Cached {
		line += ", from the cache"
	} else if stats := cost(rows.Stats()); stats != "" {
		line += "; " + stats
	}
	fmt.Fprintln(s.config.Errs, "("+line+")")
}

// cost says what a query read and skipped; "" if it reads no files.
func cost(s engine.Stats) string {
	if s.Files == 0 {
		return spilled(s)
	}
	line := fmt.Sprintf("read %s of %d of %d %s", figure.Bytes(s.BytesRead), s.Files-s.FilesPruned, s.Files, figure.Plural(s.Files, "file"))
	if s.PartitionsPruned > 0 {
		line += fmt.Sprintf(", skipped %d of %d partitions", s.PartitionsPruned, s.Partitions)
	}
	if s.Spilled > 0 {
		line += ", " + spilled(s)
	}
	return line
}

// spilled says what went to temporary files; "" if nothing did.
func spilled(s engine.Stats) string {
	if s.Spilled == 0 {
		return ""
	}
	return "spilled " + figure.Bytes(s.Spilled)
}

// table shows rows of text as a result.
func (s *Session) table(heads []string, rows [][]string) error {
	_, err := s.write(textColumns(heads), func() {}, func(w sink.Writer) (int64, error) {
		return int64(len(rows)), w.Write(textArrays(len(heads), rows), len(rows))
	})
	if errors.Is(err, errPagerLeft) {
		return nil
	}
	return err
}

func (s *Session) closeFile() error {
	if s.file == nil {
		return nil
	}
	name, err := s.file.Name(), s.file.Close()
	s.file, s.out, s.results = nil, s.config.Out, 0
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

// fields are the words of a command line; one in single quotes may hold blanks.
func fields(line string) []string {
	var words []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if quoted, rest, ok := strings.Cut(line[1:], "'"); ok && line[0] == '\'' {
			words, line = append(words, quoted), rest
			continue
		}
		end := strings.IndexAny(line, " \t")
		if end < 0 {
			end = len(line)
		}
		words, line = append(words, line[:end]), line[end:]
	}
	return words
}
