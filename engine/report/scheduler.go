package report

import (
	"context"
	"fmt"
	"time"
)

// Scheduler runs the schedules of a store, one report at a time.
//
// Planned times that passed while nobody was there to run them (before the start, in a suspended machine, during a long report) are caught
// up once: the newest is run, and says how many it stands for. A run that a crash or a stop interrupted is run again, once.
type Scheduler struct {
	Store   *Store
	Answer  func(ctx context.Context, pack string, p Period) (*Report, error) // finds the pack and runs it
	Deliver func(out string) Deliver                                          // nil: Folder
	Done    func(Run)                                                         // nil, or told of each run that ended
	Log     func(problem string)                                              // nil, or told why the schedules cannot be read or a run not be recorded

	Now   func() time.Time                           // nil: the clock
	Sleep func(ctx context.Context, d time.Duration) // nil: by the clock; until d is over or ctx done
}

// poll is how often the store is looked at for changed schedules, and the clock for jumps.
const poll = time.Minute

// Run runs what is due until ctx is done; a run that it finds going on then is recorded as interrupted. Of several processes over one
// store one runs the schedules, and the next takes over when it ends.
func (s *Scheduler) Run(ctx context.Context) error {
	release, err := s.lead(ctx)
	if err != nil || release == nil {
		return err
	}
	defer release()
	if err := s.Store.interrupted(ctx, s.now()); err != nil && ctx.Err() == nil {
		return err
	}
	for ctx.Err() == nil {
		wait := poll
		ran, next, err := s.step(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			s.log(err)
		case ran:
			continue
		case !next.IsZero():
			wait = min(poll, max(0, next.Sub(s.now())))
		}
		s.sleep(ctx, wait)
	}
	return nil
}

// lead waits until no other process runs the schedules of the store; release is nil if ctx was done before.
func (s *Scheduler) lead(ctx context.Context) (release func(), err error) {
	for ctx.Err() == nil {
		release, ok, err := s.Store.lead(ctx)
		if ok || err != nil && ctx.Err() == nil {
			return release, err
		}
		s.sleep(ctx, poll)
	}
	return nil, nil
}

// step runs what has been due the longest. If nothing is, it returns the next planned time, zero if there is none.
func (s *Scheduler) step(ctx context.Context) (ran bool, next time.Time, err error) {
	schedules, err := s.Store.Schedules(ctx)
	if err != nil {
		return false, time.Time{}, err
	}
	now := s.now()
	var due *Run
	var out string
	for _, c := range schedules {
		r, following, err := s.due(ctx, c, now)
		if err != nil {
			s.log(err) // the others are run all the same
			continue
		}
		if r != nil && (due == nil || r.Planned.Before(due.Planned)) {
			due, out = r, c.Out
		}
		if next.IsZero() || !following.IsZero() && following.Before(next) {
			next = following
		}
	}
	if due == nil {
		return false, next, nil
	}
	claimed, err := s.Store.claim(ctx, due)
	if err != nil || !claimed {
		return true, time.Time{}, err
	}
	return true, time.Time{}, s.run(ctx, due, out)
}

// due is the run of a schedule that should have begun by now, nil if there is none, and the planned time after now.
func (s *Scheduler) due(ctx context.Context, c Schedule, now time.Time) (*Run, time.Time, error) {
	last, any, err := s.Store.Last(ctx, c)
	if err != nil {
		return nil, time.Time{}, err
	}
	if any && last.State == RunInterrupted && last.Attempt == 1 {
		return &Run{schedule: c.id, Schedule: c.Name, Pack: c.Pack, Period: last.Period, Planned: last.Planned, Attempt: 2, Missed: last.Missed,
			Began: now, State: RunRunning}, time.Time{}, nil
	}
	from := c.Created
	if any {
		from = last.Planned
	}
	slot, missed, ok, next, err := c.newest(from, now)
	if err != nil || !ok {
		return nil, next, err
	}
	return &Run{schedule: c.id, Schedule: c.Name, Pack: c.Pack, Period: slot.Period, Planned: slot.Planned, Attempt: 1, Missed: missed,
		Began: now, State: RunRunning}, next, nil
}

// run answers and delivers one claimed run and records how it went.
func (s *Scheduler) run(ctx context.Context, r *Run, out string) error {
	made, delivered, err := s.perform(ctx, r, out)
	r.Finish(s.now(), made, delivered, err)
	if err != nil && ctx.Err() != nil {
		r.State, r.Error = RunInterrupted, "the process was stopped during the run"
	}
	if err := s.Store.finish(context.WithoutCancel(ctx), *r); err != nil {
		return err
	}
	if s.Done != nil {
		s.Done(*r)
	}
	return nil
}

// perform is the work of a run. A defect in it fails the run and not the process.
func (s *Scheduler) perform(ctx context.Context, r *Run, out string) (made *Report, d Delivered, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal error: %v", p)
		}
	}()
	if made, err = s.Answer(ctx, r.Pack, r.Period); err != nil {
		return nil, Delivered{}, err
	}
	to := Folder
	if s.Deliver != nil {
		to = s.Deliver
	}
	d, err = to(out)(ctx, made)
	return made, d, err
}

func (s *Scheduler) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Scheduler) sleep(ctx context.Context, d time.Duration) {
	if s.Sleep != nil {
		s.Sleep(ctx, d)
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func (s *Scheduler) log(err error) {
	if s.Log != nil {
		s.Log(err.Error())
	}
}
