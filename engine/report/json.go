package report

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine/vec"
)

// The JSON form, documented in docs/reports.md: one object whose last key, controls, is written as it is read.
type reportJSON struct {
	Pack     packJSON  `json:"pack"`
	Period   Period    `json:"period"`
	Lake     string    `json:"lake"`
	Snapshot int64     `json:"snapshot"`
	Version  string    `json:"version"`
	Began    time.Time `json:"began"`
	Ended    time.Time `json:"ended"`
	Verdict  Verdict   `json:"verdict"`
	Reason   string    `json:"reason"`
	Coverage Coverage  `json:"coverage"`
}

type packJSON struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	About string `json:"about,omitempty"`
}

type controlJSON struct {
	ID       string        `json:"id"`
	Title    string        `json:"title"`
	About    string        `json:"about,omitempty"`
	State    bool          `json:"state,omitempty"`
	Verdict  Verdict       `json:"verdict"`
	Reason   string        `json:"reason"`
	Error    string        `json:"error,omitempty"`
	Source   string        `json:"source"`
	SQL      string        `json:"sql"`
	Findings int64         `json:"findings"`
	SHA256   string        `json:"sha256,omitempty"`
	Columns  []sink.Column `json:"columns"`
}

// JSON writes everything as one object, the rows of a control as a list of objects, one a line; rows are streamed.
func (r *Report) JSON(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriter(w)
	coverage := r.Coverage
	if coverage.Gaps == nil {
		coverage.Gaps = []Gap{}
	}
	if coverage.Accounts == nil {
		coverage.Accounts = []Account{}
	}
	if coverage.Verification.Objects == nil {
		coverage.Verification.Objects = []Object{}
	}
	err := unclosed(out, reportJSON{
		Pack: packJSON{r.Pack.ID, r.Pack.Title, r.Pack.About}, Period: r.Period, Lake: r.Lake, Snapshot: r.Snapshot, Version: r.Version,
		Began: r.Began, Ended: r.Ended, Verdict: r.Verdict, Reason: r.Reason, Coverage: coverage,
	}, "controls")
	if err != nil {
		return err
	}
	out.WriteString("[")
	for i := range r.Answers {
		if i > 0 {
			out.WriteString(",")
		}
		out.WriteString("\n")
		if err := r.answerJSON(ctx, out, &r.Answers[i]); err != nil {
			return err
		}
	}
	out.WriteString("]}\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing the report as JSON: %w", err)
	}
	return nil
}

func (r *Report) answerJSON(ctx context.Context, out *bufio.Writer, a *Answer) error {
	c := controlJSON{
		ID: a.Control.ID, Title: a.Control.Title, About: a.Control.About, State: a.Control.State, Verdict: a.Verdict, Reason: a.Reason,
		Source: a.Control.Source, SQL: a.SQL, Findings: a.Findings, SHA256: a.SHA256, Columns: []sink.Column{},
	}
	if a.Err != nil {
		c.Error = failure(a.SQL, a.Err)
	}
	columns, err := r.columns(ctx, a)
	if err != nil {
		return err
	}
	c.Columns = append(c.Columns, columns...)
	if err := unclosed(out, c, "rows"); err != nil {
		return err
	}
	rows, err := sink.New("json", out, columns, sink.Options{})
	if err != nil {
		return err
	}
	err = r.pages(ctx, a, -1, func(b vec.Batch) error { return rows.Write(b.Cols, b.Len) })
	if err != nil {
		return err
	}
	if err := rows.Close(); err != nil {
		return err
	}
	out.WriteString("}")
	return nil
}

// unclosed writes an object without its closing brace and a last key, whose value the caller writes.
func unclosed(out *bufio.Writer, object any, last string) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // SQL stays readable
	e.SetIndent("", " ")
	if err := e.Encode(object); err != nil {
		return fmt.Errorf("writing the report as JSON: %w", err)
	}
	text.Truncate(text.Len() - len("\n}\n"))
	out.Write(text.Bytes())
	out.WriteString(",\n " + `"` + last + `": `)
	return nil
}
