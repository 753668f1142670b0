package report

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeClock moves on only when the scheduler sleeps, so that days pass at once; it ends the scheduler when its end is reached.
type fakeClock struct {
	now, end time.Time
	stop     context.CancelFunc
	woken    func(now time.Time) time.Time // nil, or called after each sleep: what the clock shows then
}

func (c *fakeClock) Now() time.Time { return c.now }

func (c *fakeClock) Sleep(_ context.Context, d time.Duration) {
	c.now = c.now.Add(d)
	if c.woken != nil {
		c.now = c.woken(c.now)
	}
	if !c.now.Before(c.end) {
		c.stop()
	}
}

func openStore(t testing.TB, state string) *Store {
	t.Helper()
	s, err := OpenStore(context.Background(), state)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func add(t testing.TB, s *Store, sched Schedule, created string) {
	t.Helper()
	sched.Created = at(t, created)
	if err := s.Add(context.Background(), sched); err != nil {
		t.Fatal(err)
	}
}

// answered is a report without controls, which needs no service.
func answered(_ context.Context, pack string, p Period) (*Report, error) {
	return &Report{Pack: &Pack{ID: pack}, Period: p, Lake: "/lake", Snapshot: 7, Verdict: NoneFound}, nil
}

// nowhere takes reports and keeps none.
func nowhere(out string) Deliver {
	return func(context.Context, *Report) (Delivered, error) { return Delivered{Where: out}, nil }
}

// simulate runs the schedules of a store from a time to another. change may prepare the scheduler and the clock.
func simulate(t testing.TB, store *Store, from, to string, change func(*Scheduler, *fakeClock)) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	clock := &fakeClock{now: at(t, from), end: at(t, to), stop: stop}
	s := &Scheduler{Store: store, Answer: answered, Deliver: nowhere, Now: clock.Now, Sleep: clock.Sleep, Log: func(problem string) { t.Error(problem) }}
	if change != nil {
		change(s, clock)
	}
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// history is a line a run, the oldest first.
func history(t testing.TB, s *Store) []string {
	t.Helper()
	runs, err := s.Runs(context.Background(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(runs)
	var lines []string
	for _, r := range runs {
		line := fmt.Sprintf("%s %s began %s %s", r.Schedule, r.Planned.Format(time.RFC3339), r.Began.Format("01-02 15:04"), r.State)
		if r.Attempt != 1 {
			line += fmt.Sprintf(" attempt %d", r.Attempt)
		}
		if r.Missed != 0 {
			line += fmt.Sprintf(" missed %d", r.Missed)
		}
		lines = append(lines, line)
	}
	return lines
}

func wantHistory(t testing.TB, s *Store, want ...string) {
	t.Helper()
	if got := history(t, s); !slices.Equal(got, want) {
		t.Errorf("history:\n  %s\nwant:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// Each day once at 02:30 on the clocks of Berlin, where 29 March has no 02:30 and 25 October has two.
func TestSchedulerAcrossChangesOfTheClocks(t *testing.T) {
	s := openStore(t, t.TempDir())
	add(t, s, scheduleOf("30 2 * * *", "Europe/Berlin", Day), "2026-03-28T01:00:00Z")
	simulate(t, s, "2026-03-28T01:00:17Z", "2026-03-30T01:00:00Z", func(s *Scheduler, _ *fakeClock) {
		s.Done = func(r Run) {
			if !r.Began.Equal(r.Planned) {
				t.Errorf("began at %s, planned for %s", r.Began, r.Planned)
			}
		}
	})
	wantHistory(t, s,
		"nightly 2026-03-28T01:30:00Z began 03-28 01:30 ok",
		"nightly 2026-03-29T01:00:00Z began 03-29 01:00 ok",
		"nightly 2026-03-30T00:30:00Z began 03-30 00:30 ok")

	autumn := openStore(t, t.TempDir())
	add(t, autumn, scheduleOf("30 2 * * *", "Europe/Berlin", Day), "2026-10-25T00:00:00Z")
	simulate(t, autumn, "2026-10-25T00:00:00Z", "2026-10-26T02:00:00Z", nil)
	wantHistory(t, autumn,
		"nightly 2026-10-25T00:30:00Z began 10-25 00:30 ok",
		"nightly 2026-10-26T01:30:00Z began 10-26 01:30 ok")
}

// What passed before the start, and in a suspended machine, is caught up by one run of the newest, which says for how many it stands.
func TestSchedulerCatchesUpOnce(t *testing.T) {
	s := openStore(t, t.TempDir())
	add(t, s, scheduleOf("0 6 * * *", "UTC", Day), "2026-03-01T12:00:00Z")
	simulate(t, s, "2026-03-05T09:00:00Z", "2026-03-10T12:00:00Z", func(_ *Scheduler, c *fakeClock) {
		c.woken = func(now time.Time) time.Time {
			if now.Day() == 6 && now.Hour() == 7 {
				return at(t, "2026-03-09T10:17:00Z") // suspended
			}
			return now
		}
	})
	simulate(t, s, "2026-03-10T12:00:00Z", "2026-03-10T13:00:00Z", nil) // started again: nothing to do
	wantHistory(t, s,
		"nightly 2026-03-05T06:00:00Z began 03-05 09:00 ok missed 3",
		"nightly 2026-03-06T06:00:00Z began 03-06 06:00 ok",
		"nightly 2026-03-09T06:00:00Z began 03-09 10:17 ok missed 2",
		"nightly 2026-03-10T06:00:00Z began 03-10 06:00 ok")
}

// A clock that is set back does not make a planned time come twice.
func TestSchedulerWithAClockSetBack(t *testing.T) {
	s := openStore(t, t.TempDir())
	add(t, s, scheduleOf("0 6 * * *", "UTC", Day), "2026-03-01T12:00:00Z")
	back := false
	simulate(t, s, "2026-03-01T12:00:00Z", "2026-03-03T12:00:00Z", func(_ *Scheduler, c *fakeClock) {
		c.woken = func(now time.Time) time.Time {
			if !back && now.Day() == 2 && now.Hour() == 8 {
				back = true
				return now.Add(-5 * time.Hour)
			}
			return now
		}
	})
	wantHistory(t, s, "nightly 2026-03-02T06:00:00Z began 03-02 06:00 ok", "nightly 2026-03-03T06:00:00Z began 03-03 06:00 ok")
}

// A run that fails, or brings a defect to light, is recorded with its reason; the next one runs.
func TestSchedulerGoesOnAfterFailures(t *testing.T) {
	s := openStore(t, t.TempDir())
	add(t, s, scheduleOf("0 * * * *", "UTC", Day), "2026-03-05T05:30:00Z")
	hour := 0
	var told []Run
	simulate(t, s, "2026-03-05T05:30:00Z", "2026-03-05T09:30:00Z", func(s *Scheduler, _ *fakeClock) {
		s.Answer = func(ctx context.Context, pack string, p Period) (*Report, error) {
			switch hour++; hour {
			case 1:
				return nil, errors.New("the pack cis-3.0 is gone")
			case 2:
				panic("index out of range")
			}
			return answered(ctx, pack, p)
		}
		s.Deliver = func(string) Deliver {
			return func(context.Context, *Report) (Delivered, error) {
				if hour == 3 {
					return Delivered{}, errors.New("the disk is full")
				}
				return Delivered{Where: "/reports/1", SHA256: "ab"}, nil
			}
		}
		s.Done = func(r Run) { told = append(told, r) }
	})
	wantHistory(t, s,
		"nightly 2026-03-05T06:00:00Z began 03-05 06:00 failed",
		"nightly 2026-03-05T07:00:00Z began 03-05 07:00 failed",
		"nightly 2026-03-05T08:00:00Z began 03-05 08:00 failed",
		"nightly 2026-03-05T09:00:00Z began 03-05 09:00 ok")
	runs, err := s.Runs(context.Background(), 10)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(runs)
	for i, says := range []string{"the pack cis-3.0 is gone", "internal error: index out of range", "the disk is full", ""} {
		if runs[i].Error != says {
			t.Errorf("run %d: %q, want %q", i, runs[i].Error, says)
		}
	}
	if len(told) != 4 || !slices.Equal(told, runs) {
		t.Errorf("told %v, stored %v", told, runs)
	}
	if r := runs[2]; r.Verdict != NoneFound || r.Out != "" { // it was answered, not delivered
		t.Errorf("%+v", r)
	}
	if r := runs[3]; r.Out != "/reports/1" || r.SHA256 != "ab" || r.Snapshot != 7 || r.Lake != "/lake" || r.Period.String() != "2026-03-04 00:00:00 to 2026-03-05 00:00:00 UTC" {
		t.Errorf("%+v", r)
	}
}

// A stop in the middle of a run leaves it interrupted; it is run again at the next start, and then what was missed.
func TestSchedulerStoppedDuringARun(t *testing.T) {
	s := openStore(t, t.TempDir())
	add(t, s, scheduleOf("0 6 * * *", "UTC", Day), "2026-03-01T12:00:00Z")
	simulate(t, s, "2026-03-03T12:00:00Z", "2026-03-05T12:00:00Z", func(s *Scheduler, c *fakeClock) {
		s.Answer = func(ctx context.Context, _ string, _ Period) (*Report, error) {
			c.stop()
			return nil, ctx.Err()
		}
	})
	wantHistory(t, s, "nightly 2026-03-03T06:00:00Z began 03-03 12:00 interrupted missed 1")
	simulate(t, s, "2026-03-05T12:00:00Z", "2026-03-05T13:00:00Z", nil)
	wantHistory(t, s,
		"nightly 2026-03-03T06:00:00Z began 03-03 12:00 interrupted missed 1",
		"nightly 2026-03-03T06:00:00Z began 03-05 12:00 ok attempt 2 missed 1",
		"nightly 2026-03-05T06:00:00Z began 03-05 12:00 ok missed 1")
}

// A run that a crash left behind is marked at the next start and run again once: a report that kills the process does not do so for ever.
func TestSchedulerAfterACrash(t *testing.T) {
	state := t.TempDir()
	s := openStore(t, state)
	add(t, s, scheduleOf("0 6 * * *", "UTC", Day), "2026-03-01T12:00:00Z")
	crash(t, state)
	wantHistory(t, s, "nightly 2026-03-02T06:00:00Z began 03-02 06:00 running")
	simulate(t, s, "2026-03-02T06:10:00Z", "2026-03-02T07:00:00Z", nil)
	simulate(t, s, "2026-03-02T08:10:00Z", "2026-03-02T09:00:00Z", nil)
	wantHistory(t, s,
		"nightly 2026-03-02T06:00:00Z began 03-02 06:00 interrupted",
		"nightly 2026-03-02T06:00:00Z began 03-02 06:10 ok attempt 2")

	// The second attempt crashes too.
	again := openStore(t, t.TempDir())
	add(t, again, scheduleOf("0 6 * * *", "UTC", Day), "2026-03-01T12:00:00Z")
	claimed(t, again, 1)
	simulate(t, again, "2026-03-02T06:05:00Z", "2026-03-02T06:06:00Z", func(s *Scheduler, c *fakeClock) {
		s.Answer = func(ctx context.Context, _ string, _ Period) (*Report, error) {
			c.stop()
			return nil, ctx.Err()
		}
	})
	simulate(t, again, "2026-03-02T06:10:00Z", "2026-03-03T07:00:00Z", nil)
	wantHistory(t, again,
		"nightly 2026-03-02T06:00:00Z began 03-02 06:00 interrupted",
		"nightly 2026-03-02T06:00:00Z began 03-02 06:05 interrupted attempt 2",
		"nightly 2026-03-03T06:00:00Z began 03-03 06:00 ok")
}

// claimed leaves a claim of 2 March in the store, as a process does that ends there.
func claimed(t testing.TB, s *Store, attempt int) bool {
	t.Helper()
	all, err := s.Schedules(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	planned := at(t, "2026-03-02T06:00:00Z")
	ok, err := s.claim(context.Background(), &Run{schedule: all[0].id, Schedule: all[0].Name, Pack: all[0].Pack, Planned: planned, Began: planned,
		Period: Period{planned.Add(-30 * time.Hour), planned.Add(-6 * time.Hour)}, Attempt: attempt, State: RunRunning})
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// crash starts a process of its own that leads, begins the run of 2 March and is killed.
func crash(t *testing.T, state string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestChildThatIsKilled$")
	child.Env = append(os.Environ(), "REPORT_TEST_STATE="+state)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "leads\n" {
		t.Errorf("the child says %q, %v", line, err)
	}
	s := openStore(t, state)
	if release, ok, err := s.lead(context.Background()); ok || err != nil {
		t.Errorf("two lead: %v, %v", ok, err)
		if ok {
			release()
		}
	}
	_ = child.Process.Kill()
	_ = child.Wait()
}

// TestChildThatIsKilled is the process of crash.
func TestChildThatIsKilled(t *testing.T) {
	state := os.Getenv("REPORT_TEST_STATE")
	if state == "" {
		return // no test by itself
	}
	s := openStore(t, state)
	if _, ok, err := s.lead(context.Background()); !ok || err != nil {
		t.Fatal(ok, err)
	}
	claimed(t, s, 1)
	fmt.Println("leads")
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed, or the parent is
}

// Of two processes over one store one runs everything, whatever the other's clock shows; the other takes over when it ends.
func TestTwoSchedulersOverOneStore(t *testing.T) {
	state := t.TempDir()
	first, second := openStore(t, state), openStore(t, state)
	add(t, first, scheduleOf("0 6 * * *", "UTC", Day), "2026-03-01T12:00:00Z")
	asked, answer := make(chan struct{}), make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() {
		simulate(t, first, "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z", func(s *Scheduler, _ *fakeClock) {
			s.Answer = func(ctx context.Context, pack string, p Period) (*Report, error) {
				close(asked)
				<-answer
				return answered(ctx, pack, p)
			}
		})
	})
	<-asked
	simulate(t, second, "2026-03-02T06:00:00Z", "2026-03-02T09:00:00Z", func(s *Scheduler, _ *fakeClock) {
		s.Answer = func(context.Context, string, Period) (*Report, error) { panic("a second run") }
	})
	wantHistory(t, second, "nightly 2026-03-02T06:00:00Z began 03-02 06:00 running")
	close(answer)
	both.Wait()
	simulate(t, second, "2026-03-02T09:00:00Z", "2026-03-03T09:00:00Z", nil)
	wantHistory(t, first, "nightly 2026-03-02T06:00:00Z began 03-02 06:00 ok", "nightly 2026-03-03T06:00:00Z began 03-03 06:00 ok")
}

// Schedules that another process adds or removes while the loop runs count from the next poll; two that are due run one after the other,
// that which has waited longest first.
func TestSchedulesChangeWhileTheLoopRuns(t *testing.T) {
	state := t.TempDir()
	s, cli := openStore(t, state), openStore(t, state)
	running := 0
	simulate(t, s, "2026-03-01T12:00:00Z", "2026-03-04T12:00:00Z", func(s *Scheduler, c *fakeClock) {
		c.woken = func(now time.Time) time.Time {
			switch now.Format("02 15:04") {
			case "01 20:00":
				late, early := scheduleOf("0 6 * * *", "UTC", Day), scheduleOf("0 7 * * *", "Europe/Berlin", Day) // the same instant
				late.Name, early.Name = "b", "a"
				add(t, cli, late, "2026-03-01T20:00:00Z")
				add(t, cli, early, "2026-03-01T20:00:00Z")
			case "02 20:00":
				if err := cli.Remove(context.Background(), "a"); err != nil {
					t.Error(err)
				}
			}
			return now
		}
		s.Answer = func(ctx context.Context, pack string, p Period) (*Report, error) {
			if running++; running != 1 {
				t.Error("two at once")
			}
			defer func() { running-- }()
			return answered(ctx, pack, p)
		}
	})
	wantHistory(t, s,
		"a 2026-03-02T06:00:00Z began 03-02 06:00 ok",
		"b 2026-03-02T06:00:00Z began 03-02 06:00 ok",
		"b 2026-03-03T06:00:00Z began 03-03 06:00 ok",
		"b 2026-03-04T06:00:00Z began 03-04 06:00 ok")
}

// A schedule that is removed and added again begins anew.
func TestAScheduleAddedAgainBeginsAnew(t *testing.T) {
	s := openStore(t, t.TempDir())
	add(t, s, scheduleOf("0 6 * * *", "UTC", Day), "2099-01-01T00:00:00Z") // a clock that was wrong
	simulate(t, s, "2099-01-01T00:00:00Z", "2099-01-01T12:00:00Z", nil)
	if err := s.Remove(context.Background(), "nightly"); err != nil {
		t.Fatal(err)
	}
	add(t, s, scheduleOf("0 6 * * *", "UTC", Day), "2026-03-01T12:00:00Z")
	simulate(t, s, "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z", nil)
	wantHistory(t, s, "nightly 2099-01-01T06:00:00Z began 01-01 06:00 ok", "nightly 2026-03-02T06:00:00Z began 03-02 06:00 ok")
}
