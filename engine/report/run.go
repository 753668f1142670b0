package report

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine/figure"
	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// concurrent is how many queries of a report are in the service at once, so that a report never fills its queue.
const concurrent = 4

// Run answers all controls of a pack over one snapshot. A control whose query fails carries its error and is not provable; Run itself
// fails only if nothing can be said at all. The result's rows stay in the service, so that the report must be written while it is open.
//
// The verdict of the whole: not provable if the archive does not hold all of the period or a query failed; else findings if a control
// has some; else none found. Controls about state are left out of it.
func (r *Runner) Run(ctx context.Context, p *Pack, period Period) (*Report, error) {
	if err := period.check(); err != nil {
		return nil, err
	}
	now := r.Now
	if now == nil {
		now = time.Now
	}
	report := &Report{
		Pack: p, Period: Period{From: period.From.UTC(), To: period.To.UTC()}, Lake: r.Lake, Version: r.Version, Began: now().UTC(),
		Answers: make([]Answer, len(p.Controls)), service: r.Service,
	}
	snap, err := r.Service.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening a snapshot of the lake: %w", err)
	}
	report.Snapshot = snap.Version()

	var all sync.WaitGroup
	all.Go(func() { report.Coverage = r.coverage(ctx, snap, report.Period) })
	turns := make(chan struct{}, concurrent)
	var told sync.Mutex
	done := 0
	for i, c := range p.Controls {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			report.Answers[i] = r.answer(ctx, snap, c, report.Period)
			told.Lock()
			defer told.Unlock()
			if done++; r.Answered != nil {
				r.Answered(c, done)
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return nil, sqlerr.New(sqlerr.Cancelled, 0, "the report was stopped before all controls were answered")
	}
	report.Ended = now().UTC()
	report.judge()
	return report, nil
}

// coverage asks for the coverage of the period; what cannot be judged is not complete.
func (r *Runner) coverage(ctx context.Context, snap source.Snapshot, p Period) Coverage {
	if r.Covered == nil {
		return Coverage{Basis: "The coverage of the period was not judged."}
	}
	c, err := r.Covered(ctx, snap, p)
	if err != nil {
		return Coverage{Basis: sentence(fmt.Sprintf("The coverage of the period could not be judged: %v", err))}
	}
	return c
}

// answer asks the query of a control and reads its rows once, for their number and hash.
func (r *Runner) answer(ctx context.Context, snap source.Snapshot, c Control, p Period) Answer {
	a := Answer{Control: c, SQL: fill(c.SQL, p).text}
	hash := sha256.New()
	a.Findings, a.Query, a.Err = r.ask(ctx, snap, a.SQL, hash)
	if a.Err == nil {
		a.SHA256 = hex.EncodeToString(hash.Sum(nil))
	}
	return a
}

// ask runs a query and writes its rows as JSON lines.
func (r *Runner) ask(ctx context.Context, snap source.Snapshot, text string, lines io.Writer) (n int64, id string, err error) {
	rows, err := r.Service.Run(ctx, service.Request{SQL: text, Source: "report", Snapshot: snap})
	if err != nil {
		return 0, "", err
	}
	defer rows.Close()
	id = rows.Query().ID
	columns, err := rows.Columns()
	if err != nil {
		return 0, id, err
	}
	w, err := sink.New("jsonl", lines, columns, sink.Options{})
	if err != nil {
		return 0, id, err
	}
	for {
		b, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return n, id, w.Close()
		}
		if err == nil {
			err = w.Write(b.Cols, b.Len)
		}
		if err != nil {
			return 0, id, err
		}
		n += int64(b.Len)
	}
}

// judge gives the verdicts, once all answers and the coverage are there.
func (r *Report) judge() {
	var found, failed, state int
	for i := range r.Answers {
		a := &r.Answers[i]
		a.judge(r.Coverage)
		switch {
		case a.Err != nil:
			failed++
		case a.Control.State:
			state++
		case a.Findings > 0:
			found++
		}
	}
	asked := len(r.Answers) - state
	switch {
	case !r.Coverage.Complete, failed > 0, asked == 0:
		r.Verdict = NotProvable
	case found > 0:
		r.Verdict = Findings
	default:
		r.Verdict = NoneFound
	}
	var says []string
	if r.Coverage.Complete {
		says = append(says, "The archive holds all of the period.")
	} else {
		says = append(says, "It is not shown that the archive holds all of the period: "+r.Coverage.missing())
	}
	says = append(says, fmt.Sprintf("Findings in %d of %s.", found, counted(int64(asked), "control")))
	if failed > 0 {
		says = append(says, fmt.Sprintf("Not answered, as the query failed: %d of them.", failed))
	}
	if state > 0 {
		says = append(says, fmt.Sprintf("Left out: %s about state that no event shows.", counted(int64(state), "control")))
	}
	r.Reason = strings.Join(says, " ")
}

func (a *Answer) judge(c Coverage) {
	n := counted(a.Findings, "event")
	switch {
	case a.Err != nil:
		a.Verdict = NotProvable
		a.Reason = sentence("The query failed: " + failure(a.SQL, a.Err))
	case a.Control.State:
		a.Verdict = NotProvable
		a.Reason = fmt.Sprintf("The control is about state that no event shows; for information: %s of the period.", n)
	case a.Findings > 0:
		a.Verdict = Findings
		a.Reason = fmt.Sprintf("%s of the period to look at.", n)
		if !c.Complete {
			a.Reason += " There may be more, as it is not shown that the archive holds all of the period."
		}
	case !c.Complete:
		a.Verdict = NotProvable
		a.Reason = "No event matches, but it is not shown that the archive holds all of the period: " + c.missing()
	default:
		a.Verdict = NoneFound
		a.Reason = "No event matches, and the archive holds all of the period."
	}
}

// missing says what is missing, in a sentence or two; for a coverage that is not complete.
func (c Coverage) missing() string {
	if len(c.Gaps) == 0 {
		return sentence(c.Basis)
	}
	if n := int64(len(c.Gaps)) + c.MoreGaps; n > 1 {
		return sentence(fmt.Sprintf("%s gaps, the longest: %s", figure.Count(n), c.Gaps[0]))
	}
	return sentence(c.Gaps[0].String())
}

// String is the gap in a sentence.
func (g Gap) String() string {
	where := "all accounts"
	if g.Account != "" {
		where = "account " + g.Account
	}
	if g.Region != "" {
		where += ", " + g.Region
	}
	return fmt.Sprintf("%s, %s: %s", Period{g.From, g.To}, where, g.Reason)
}

// failure says in a line why a query failed and where in its text.
func failure(text string, err error) string {
	var e *sqlerr.Error
	if errors.As(err, &e) && e.Pos > 0 {
		line, column := sqlerr.LineColumn(text, e.Pos)
		return fmt.Sprintf("line %d:%d: %v", line, column, err)
	}
	return err.Error()
}

// pageRows is how many rows are read from the service at once.
const pageRows = 1000

// columns are those of an answer's rows; none if its query failed.
func (r *Report) columns(ctx context.Context, a *Answer) ([]sink.Column, error) {
	if a.SHA256 == "" {
		return nil, nil
	}
	q, err := r.service.Get(ctx, a.Query)
	if err != nil {
		return nil, fmt.Errorf("reading the columns of control %s: %w; run the report again", a.Control.ID, err)
	}
	return q.Columns, nil
}

// pages reads the rows of an answer again, in order, page by page; at most limit of them, all if it is negative.
func (r *Report) pages(ctx context.Context, a *Answer, limit int64, each func(vec.Batch) error) error {
	if limit < 0 || limit > a.Findings {
		limit = a.Findings
	}
	for at := int64(0); at < limit; {
		page, err := r.service.Page(ctx, a.Query, at, min(pageRows, limit-at))
		if err != nil {
			return fmt.Errorf("reading the rows of control %s: %w; run the report again", a.Control.ID, err)
		}
		if page.Rows == 0 {
			return fmt.Errorf("reading the rows of control %s: only %d of %d are there; run the report again", a.Control.ID, at, limit)
		}
		for _, b := range page.Batches {
			if err := each(b); err != nil {
				return err
			}
		}
		at += page.Rows
	}
	return nil
}

// sentence ends a text with a full stop.
func sentence(text string) string { return strings.TrimRight(text, ".") + "." }

// counted is a number with its noun: 1 event, 2 events.
func counted(n int64, noun string) string {
	return figure.Count(n) + " " + figure.Plural(n, noun)
}
