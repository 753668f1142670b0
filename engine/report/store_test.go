package report

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What is added by one handle is seen by the other as it was given; names are unique whatever their case.
func TestStoreIsShared(t *testing.T) {
	state := filepath.Join(t.TempDir(), "new", "state")
	a, b := openStore(t, state), openStore(t, state)
	ctx := context.Background()
	given := Schedule{Name: "monthly", Pack: "/packs/own", Cron: "0 6 1 * *", Zone: "Europe/Berlin", Period: Month, Out: "/reports", Created: at(t, "2026-03-01T12:00:00.000001Z")}
	if err := a.Add(ctx, given); err != nil {
		t.Fatal(err)
	}
	got, err := b.Schedules(ctx)
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	given.id = got[0].id
	if got[0] != given {
		t.Errorf("%+v, want %+v", got[0], given)
	}
	again := given
	again.Name = "MONTHLY"
	if err := b.Add(ctx, again); !errors.Is(err, ErrScheduled) || !strings.Contains(err.Error(), "MONTHLY") {
		t.Error(err)
	}
	again.Name, again.Cron = "other", "0 0 31 2 *"
	if err := b.Add(ctx, again); err == nil || !strings.Contains(err.Error(), "never comes") {
		t.Error(err)
	}
	if err := b.Remove(ctx, "monthly"); err != nil {
		t.Error(err)
	}
	if err := a.Remove(ctx, "monthly"); !errors.Is(err, ErrNoSchedule) || !strings.Contains(err.Error(), "monthly") {
		t.Error(err)
	}
}

// Of many that claim one planned time, through two handles and at once, one gets it.
func TestOneClaimsAPlannedTime(t *testing.T) {
	state := t.TempDir()
	stores := []*Store{openStore(t, state), openStore(t, state)}
	add(t, stores[0], scheduleOf("0 6 * * *", "UTC", Day), "2026-03-01T12:00:00Z")
	var won atomic.Int32
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			if claimed(t, stores[i%2], 1) {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d got it", won.Load())
	}
	if err := stores[0].Remove(context.Background(), "nightly"); err != nil {
		t.Fatal(err)
	}
	add(t, stores[0], scheduleOf("0 6 * * *", "UTC", Day), "2026-03-01T12:00:00Z")
	if !claimed(t, stores[0], 1) {
		t.Error("another schedule of the name has claims of its own")
	}
}

// A run by hand is in the history with all that is known of it, and comes back as it was.
func TestRecordOfARunByHand(t *testing.T) {
	s := openStore(t, t.TempDir())
	run := Run{Pack: "cis-3.0", Period: Period{at(t, "2026-03-01T00:00:00Z"), at(t, "2026-03-02T00:00:00Z")}, Began: at(t, "2026-03-03T01:02:03.456Z")}
	run.Finish(at(t, "2026-03-03T01:02:04Z"), &Report{Pack: &Pack{ID: "cis-3.0"}, Lake: "/lake", Snapshot: 3, Verdict: Findings,
		Answers: []Answer{{Findings: 2}, {Findings: 5}, {Findings: 100, Control: Control{State: true}}}}, Delivered{Where: "/reports/x", SHA256: "ab12"}, nil)
	if run.State != RunOK || run.Findings != 7 {
		t.Errorf("%+v", run)
	}
	failed := Run{Pack: "cis-3.0", Period: run.Period, Began: run.Began}
	failed.Finish(run.Ended, nil, Delivered{}, errors.New("no lake"))
	for _, r := range []Run{run, failed} {
		if err := s.Record(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Runs(context.Background(), 10)
	if err != nil {
		t.Fatal(err)
	}
	run.ID, failed.ID = 1, 2
	if want := []Run{failed, run}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	if _, any, err := s.Last(context.Background(), Schedule{}); any || err != nil {
		t.Error("a run by hand is none of a schedule:", any, err)
	}
}

// A file of a later trailql, and one that is no database, are refused with words, not changed.
func TestStoreThatCannotBeOpened(t *testing.T) {
	state := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(state, "reports.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("PRAGMA user_version = 2"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStore(context.Background(), state); err == nil || !strings.Contains(err.Error(), "use a newer trailql") || !strings.Contains(err.Error(), state) {
		t.Error(err)
	}
	if _, err := OpenStore(context.Background(), filepath.Join(state, "reports.db", "x")); err == nil {
		t.Error("a file taken for a folder")
	}
}

// Many processes that open a new state folder at once make one store.
func TestStoreMadeByManyAtOnce(t *testing.T) {
	state := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := OpenStore(context.Background(), state)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Record(context.Background(), Run{Pack: "p", Began: time.Unix(0, 0), Ended: time.Unix(1, 0), State: RunOK}); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	runs, err := openStore(t, state).Runs(context.Background(), 100)
	if err != nil || len(runs) != 8 {
		t.Errorf("%d runs, %v", len(runs), err)
	}
}
