package report

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/trailql/trailql/connectors/sqlitefile"
)

// Errors of the store; test with errors.Is.
var (
	ErrNoSchedule = errors.New("there is no such schedule")
	ErrScheduled  = errors.New("there is a schedule of that name already")
)

// RunState says how far a run is.
type RunState string

const (
	RunRunning     RunState = "running"
	RunOK          RunState = "ok"
	RunFailed      RunState = "failed"
	RunInterrupted RunState = "interrupted" // the process ended before the run did
)

// Run is one run of a pack, by hand or of a schedule.
type Run struct {
	ID       int64
	Schedule string // "": by hand
	Pack     string
	Period   Period
	Planned  time.Time // zero: by hand
	Attempt  int       // 1; 2 when the first was interrupted; 0: by hand
	Missed   int       // earlier planned times that passed without a run: this one stands for them all
	Began    time.Time
	Ended    time.Time // zero: it runs
	State    RunState
	Verdict  Verdict // "" unless a report was made, as those below
	Findings int64
	Snapshot int64
	Lake     string
	Out      string // where the report was delivered
	SHA256   string // of its report.json, hex
	Error    string

	schedule int64 // id; 0: by hand
}

// Finish puts the outcome into a run: what was found and delivered, or what failed.
func (r *Run) Finish(now time.Time, made *Report, d Delivered, err error) {
	r.Ended, r.State, r.Out, r.SHA256 = now, RunOK, d.Where, d.SHA256
	if made != nil {
		r.Pack, r.Verdict, r.Snapshot, r.Lake = made.Pack.ID, made.Verdict, made.Snapshot, made.Lake
		for _, a := range made.Answers {
			if !a.Control.State { // as in the verdict of the whole
				r.Findings += a.Findings
			}
		}
	}
	if err != nil {
		r.State, r.Error = RunFailed, err.Error()
	}
}

// Store keeps schedules and the history of runs in the file reports.db of the state folder. Several processes may share it: schedules are
// added by one while another runs them. Safe for concurrent use.
type Store struct {
	db     *sql.DB
	folder string
}

const storeFormat = 1

// Times are microseconds from 1970.
const storeSchema = `
CREATE TABLE schedules(
	id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE COLLATE NOCASE,
	pack TEXT NOT NULL, cron TEXT NOT NULL, zone TEXT NOT NULL, period TEXT NOT NULL, out TEXT NOT NULL, created INTEGER NOT NULL
);
CREATE TABLE runs(
	id INTEGER PRIMARY KEY AUTOINCREMENT, schedule_id INTEGER, schedule TEXT NOT NULL, pack TEXT NOT NULL,
	period_from INTEGER NOT NULL, period_to INTEGER NOT NULL,
	planned INTEGER, attempt INTEGER NOT NULL, missed INTEGER NOT NULL, began INTEGER NOT NULL, ended INTEGER, state TEXT NOT NULL,
	verdict TEXT NOT NULL DEFAULT '', findings INTEGER NOT NULL DEFAULT 0, snapshot INTEGER NOT NULL DEFAULT 0, lake TEXT NOT NULL DEFAULT '',
	out TEXT NOT NULL DEFAULT '', sha256 TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '',
	UNIQUE (schedule_id, planned, attempt) -- the claim: whoever inserts it runs it
)`

// OpenStore opens the store of a state folder and makes what is missing.
func OpenStore(ctx context.Context, state string) (*Store, error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, fmt.Errorf("opening the schedules in %s: %w", state, err)
	}
	db, err := sqlitefile.Open(ctx, sqlitefile.File{
		Path: filepath.Join(state, "reports.db"), Schema: storeSchema, Format: storeFormat, Mode: 0o600, Sync: true, Wait: 10 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the schedules in %s: reports.db: %w", state, err)
	}
	return &Store{db: db, folder: state}, nil
}

// Close closes the store.
func (s *Store) Close() error { return s.db.Close() }

// Add stores a schedule, whose name must be new; its first planned time is the first after Created.
func (s *Store) Add(ctx context.Context, sched Schedule) error {
	if err := sched.Check(); err != nil {
		return err
	}
	added, err := sqlitefile.Changed(s.db.ExecContext(ctx, `INSERT INTO schedules(name, pack, cron, zone, period, out, created) VALUES (?,?,?,?,?,?,?)
		ON CONFLICT (name) DO NOTHING`, sched.Name, sched.Pack, sched.Cron, sched.Zone, sched.Period, sched.Out, sched.Created.UnixMicro()))
	if err != nil {
		return fmt.Errorf("adding the schedule %s: %w", sched.Name, err)
	}
	if !added {
		return fmt.Errorf("%w: %s", ErrScheduled, sched.Name)
	}
	return nil
}

// Remove deletes a schedule; the history of its runs stays.
func (s *Store) Remove(ctx context.Context, name string) error {
	removed, err := sqlitefile.Changed(s.db.ExecContext(ctx, "DELETE FROM schedules WHERE name = ?", name))
	if err != nil {
		return fmt.Errorf("removing the schedule %s: %w", name, err)
	}
	if !removed {
		return fmt.Errorf("%w: %s", ErrNoSchedule, name)
	}
	return nil
}

// Schedules lists the schedules by name.
func (s *Store) Schedules(ctx context.Context) ([]Schedule, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, name, pack, cron, zone, period, out, created FROM schedules ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("reading the schedules: %w", err)
	}
	defer rows.Close()
	var all []Schedule
	for rows.Next() {
		var c Schedule
		var created int64
		if err := rows.Scan(&c.id, &c.Name, &c.Pack, &c.Cron, &c.Zone, &c.Period, &c.Out, &created); err != nil {
			return nil, fmt.Errorf("reading the schedules: %w", err)
		}
		c.Created = time.UnixMicro(created).UTC()
		all = append(all, c)
	}
	return all, rows.Err()
}

// Record adds a run by hand that has ended to the history.
func (s *Store) Record(ctx context.Context, r Run) error {
	_, err := s.db.ExecContext(ctx, `INSERT INTO runs(schedule, pack, period_from, period_to, attempt, missed, began, ended, state,
		verdict, findings, snapshot, lake, out, sha256, error) VALUES ('', ?, ?, ?, 0, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.Pack, r.Period.From.UnixMicro(), r.Period.To.UnixMicro(), r.Began.UnixMicro(), r.Ended.UnixMicro(), r.State,
		r.Verdict, r.Findings, r.Snapshot, r.Lake, r.Out, r.SHA256, r.Error)
	if err != nil {
		return fmt.Errorf("recording the run: %w", err)
	}
	return nil
}

// Last is the newest run of a schedule; ok is false if there is none.
func (s *Store) Last(ctx context.Context, sched Schedule) (r Run, ok bool, err error) {
	runs, err := s.runs(ctx, "WHERE schedule_id = ? ORDER BY planned DESC, attempt DESC LIMIT 1", sched.id)
	if err != nil || len(runs) == 0 {
		return Run{}, false, err
	}
	return runs[0], true, nil
}

// Runs lists the newest runs, the newest first.
func (s *Store) Runs(ctx context.Context, limit int) ([]Run, error) {
	return s.runs(ctx, "ORDER BY id DESC LIMIT ?", limit)
}

func (s *Store) runs(ctx context.Context, which string, args ...any) ([]Run, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, coalesce(schedule_id, 0), schedule, pack, period_from, period_to, planned, attempt, missed, began, ended,
		state, verdict, findings, snapshot, lake, out, sha256, error FROM runs `+which, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the history of reports: %w", err)
	}
	defer rows.Close()
	var all []Run
	for rows.Next() {
		var r Run
		var from, to, began int64
		var planned, ended sql.NullInt64
		if err := rows.Scan(&r.ID, &r.schedule, &r.Schedule, &r.Pack, &from, &to, &planned, &r.Attempt, &r.Missed, &began, &ended,
			&r.State, &r.Verdict, &r.Findings, &r.Snapshot, &r.Lake, &r.Out, &r.SHA256, &r.Error); err != nil {
			return nil, fmt.Errorf("reading the history of reports: %w", err)
		}
		r.Period, r.Began = Period{From: time.UnixMicro(from).UTC(), To: time.UnixMicro(to).UTC()}, time.UnixMicro(began).UTC()
		if planned.Valid {
			r.Planned = time.UnixMicro(planned.Int64).UTC()
		}
		if ended.Valid {
			r.Ended = time.UnixMicro(ended.Int64).UTC()
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// claim begins a run of a schedule. It is false if another process has it, or if the schedule was removed meanwhile.
func (s *Store) claim(ctx context.Context, r *Run) (bool, error) {
	done, err := s.db.ExecContext(ctx, `INSERT INTO runs(schedule_id, schedule, pack, period_from, period_to, planned, attempt, missed, began, state)
		SELECT id, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM schedules WHERE id = ? ON CONFLICT (schedule_id, planned, attempt) DO NOTHING`,
		r.Schedule, r.Pack, r.Period.From.UnixMicro(), r.Period.To.UnixMicro(), r.Planned.UnixMicro(), r.Attempt, r.Missed, r.Began.UnixMicro(),
		r.State, r.schedule)
	if err != nil {
		return false, fmt.Errorf("beginning the run of %s: %w", r.Schedule, err)
	}
	n, err := done.RowsAffected()
	if err != nil || n == 0 {
		return false, err
	}
	r.ID, err = done.LastInsertId()
	return true, err
}

// finish stores the outcome of a run that was claimed.
func (s *Store) finish(ctx context.Context, r Run) error {
	_, err := s.db.ExecContext(ctx, `UPDATE runs SET pack = ?, ended = ?, state = ?, verdict = ?, findings = ?, snapshot = ?, lake = ?, out = ?, sha256 = ?,
		error = ? WHERE id = ?`, r.Pack, r.Ended.UnixMicro(), r.State, r.Verdict, r.Findings, r.Snapshot, r.Lake, r.Out, r.SHA256, r.Error, r.ID)
	if err != nil {
		return fmt.Errorf("recording the run of %s: %w", r.Schedule, err)
	}
	return nil
}

// interrupted marks the runs that a process left behind when it ended. Only who leads may call it.
func (s *Store) interrupted(ctx context.Context, now time.Time) error {
	_, err := s.db.ExecContext(ctx, "UPDATE runs SET state = ?, ended = ?, error = 'the process ended during the run' WHERE state = ?",
		RunInterrupted, now.UnixMicro(), RunRunning)
	if err != nil {
		return fmt.Errorf("looking for interrupted runs: %w", err)
	}
	return nil
}

// lead makes this process the one that runs the schedules, until release is called or it ends. It is false while another process leads.
func (s *Store) lead(ctx context.Context) (release func(), ok bool, err error) {
	unlock, ok, err := sqlitefile.Lock(ctx, filepath.Join(s.folder, "reports.lock"))
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("locking the schedules: %w", err)
	case !ok:
		return nil, false, nil
	}
	return func() { _ = unlock() }, true, nil // nothing is in the file that could be lost
}
