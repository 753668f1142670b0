package service

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// TestQueueOrder: who came first runs first; beyond the queue nobody is taken; a place is free as soon as a waiting query is cancelled.
func TestQueueOrder(t *testing.T) {
	var mu sync.Mutex
	var order []string
	var tables []Table
	g := newGate()
	for i := range 5 {
		tables = append(tables, Table{Name: fmt.Sprint("t", i), Open: func(context.Context) (source.Table, error) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, fmt.Sprint("t", i))
			return source.NewMemory("t", []source.Column{{Name: "i", Type: sqltype.BigIntType}}, nil), nil
		}})
	}
	s := open(t, Config{Tables: append(tables, g.table()), Limits: Limits{Concurrent: 1, Queue: 4}})
	running := submit(t, s, "SELECT * FROM gate")
	<-g.begun
	var ids []string
	for i := range 4 {
		ids = append(ids, submit(t, s, fmt.Sprint("SELECT * FROM t", i)).ID)
	}
	_, err := s.Submit(t.Context(), Request{SQL: "SELECT 1"})
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "4 wait") {
		t.Errorf("beyond the queue: %v", err)
	}
	if totals := s.Totals(); totals.Queued != 4 || totals.Running != 1 || totals.Refused != 1 {
		t.Errorf("%+v", totals)
	}
	if err := s.Cancel(t.Context(), ids[1]); err != nil {
		t.Fatal(err)
	}
	if q, err := s.Get(t.Context(), ids[1]); err != nil || q.State != Cancelled || !q.Started.IsZero() || q.Err == nil {
		t.Errorf("%+v, %v", q, err)
	}
	ids = append(ids, submit(t, s, "SELECT * FROM t4").ID) // in the place of the cancelled one
	close(g.open)
	for _, id := range append(ids, running.ID) {
		wait(t, s, id)
	}
	if want := []string{"t0", "t2", "t3", "t4"}; !slices.Equal(order, want) {
		t.Errorf("ran in the order %v, want %v", order, want)
	}
	if err := s.Cancel(t.Context(), ids[0]); err != nil { // done already
		t.Error(err)
	}
	if totals := s.Totals(); totals.Queued != 0 || totals.Cancelled != 1 || totals.Succeeded != 5 {
		t.Errorf("%+v", totals)
	}
}

func TestTooLong(t *testing.T) {
	s := open(t, Config{Limits: Limits{Text: 20}})
	if _, err := s.Submit(t.Context(), Request{SQL: "SELECT 'xxxxxxxxxxxxxxxx'"}); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
	ask(t, s, "SELECT 1")
}

func TestIDs(t *testing.T) {
	s := open(t, Config{Rand: rand.NewChaCha8([32]byte{1})})
	again := open(t, Config{Rand: rand.NewChaCha8([32]byte{1})})
	if a, b := submit(t, s, "SELECT 1").ID, submit(t, again, "SELECT 1").ID; a != b || a[14] != '4' || strings.Count(a, "-") != 4 {
		t.Errorf("%s, %s", a, b)
	}
	broken := open(t, Config{Rand: strings.NewReader("short")})
	if _, err := broken.Submit(t.Context(), Request{SQL: "SELECT 1"}); err == nil {
		t.Error("an id without chance")
	}
}

// TestWaitEndsWithItsContext though the query runs on.
func TestWaitEndsWithItsContext(t *testing.T) {
	g := newGate()
	s := open(t, Config{Tables: []Table{g.table()}})
	q := submit(t, s, "SELECT * FROM gate")
	<-g.begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := s.Wait(ctx, q.ID); err != nil || got.State != Running {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := s.Page(ctx, q.ID, 0, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("the page: %v", err)
	}
	close(g.open)
	if got := wait(t, s, q.ID); got.State != Succeeded {
		t.Errorf("%+v", got)
	}
}

// TestRunEndsWithItsContext, and with Close.
func TestRunEndsWithItsContext(t *testing.T) {
	g := newGate()
	s := open(t, Config{Tables: []Table{g.table()}})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := s.Run(ctx, Request{SQL: "SELECT * FROM gate"})
	if err != nil {
		t.Fatal(err)
	}
	<-g.begun
	cancel()
	if q := wait(t, s, r.Query().ID); q.State != Cancelled {
		t.Errorf("%+v", q)
	}
	if _, err := r.Next(); !errors.Is(err, context.Canceled) && sqlerr.KindOf(err) != sqlerr.Cancelled {
		t.Error(err)
	}
	r.Close()
	if r, err = s.Run(t.Context(), Request{SQL: "SELECT * FROM gate"}); err != nil {
		t.Fatal(err)
	}
	<-g.begun
	r.Close()
	if q := wait(t, s, r.Query().ID); q.State != Cancelled {
		t.Errorf("%+v", q)
	}
}

// TestManyClients: 200 at once, each pages through its result; afterwards no goroutine, file or record is left.
func TestManyClients(t *testing.T) {
	before := runtime.NumGoroutine()
	folder := t.TempDir()
	s, err := Open(t.Context(), Config{Catalog: numbers(t, 5000), State: folder, Limits: Limits{Queue: 400, KeepBytes: 2 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	for c := range 200 {
		clients.Go(func() {
			sql := fmt.Sprintf("SELECT i FROM n WHERE i %% 200 >= %d ORDER BY i", c%50)
			q, err := s.Submit(t.Context(), Request{SQL: sql, User: fmt.Sprint("c", c)})
			if err != nil {
				t.Error(err)
				return
			}
			if c%7 == 0 {
				if err := s.Cancel(t.Context(), q.ID); err != nil {
					t.Error(err)
				}
			}
			rows := int64(0)
			for more := true; more; {
				p, err := s.Page(t.Context(), q.ID, rows, 700)
				if c%7 == 0 && sqlerr.KindOf(err) == sqlerr.Cancelled || errors.Is(err, ErrExpired) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				rows += p.Rows
				more = p.More
			}
			if want := int64(5000 - c%50*25); rows != want {
				t.Errorf("%s: %d rows, want %d", sql, rows, want)
			}
			if _, err := s.History(t.Context(), Filter{Limit: 5}); err != nil {
				t.Error(err)
			}
		})
	}
	clients.Wait()
	totals := s.Totals()
	if totals.Succeeded+totals.Cancelled != 200 || totals.Failed != 0 || totals.Queued != 0 {
		t.Errorf("%+v", totals)
	}
	s.mu.Lock()
	if len(s.live) != 0 || len(s.pins) != 0 || len(s.queue) != 0 {
		t.Errorf("left in memory: %d queries, %d pins, %d queued", len(s.live), len(s.pins), len(s.queue))
	}
	s.mu.Unlock()
	shut(t, s)
	for i := 0; runtime.NumGoroutine() > before; i++ { // what is on its way out
		if i > 1e6 {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
		runtime.Gosched()
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		for _, fd := range open {
			if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(to, folder) {
				t.Errorf("%s is still open", to)
			}
		}
	}
}

// TestCancelAtAnyMoment: whichever end comes first, the state, the history and the folder agree.
func TestCancelAtAnyMoment(t *testing.T) {
	s := open(t, Config{Catalog: numbers(t, 3000), State: t.TempDir()})
	var clients sync.WaitGroup
	for c := range 300 {
		clients.Go(func() {
			q, err := s.Submit(t.Context(), Request{SQL: fmt.Sprintf("SELECT i + %d FROM n", c%100), Fresh: c%2 == 0})
			if err != nil {
				t.Error(err)
				return
			}
			for range rand.IntN(2000) {
				runtime.Gosched()
			}
			if err := s.Cancel(t.Context(), q.ID); err != nil {
				t.Error(err)
			}
			if q, err = s.Wait(t.Context(), q.ID); err != nil || q.State != Cancelled && q.State != Succeeded {
				t.Errorf("%+v, %v", q, err)
			}
			if _, err := s.Page(t.Context(), q.ID, 0, 10); (err == nil) != (q.State == Succeeded) {
				t.Errorf("%s, and its page: %v", q.State, err)
			}
		})
	}
	clients.Wait()
	s.queries.Wait()
	results, bytes, err := s.history.kept(t.Context())
	totals := s.Totals()
	if err != nil || totals.Results != results || totals.ResultBytes != bytes || len(files(t, s)) != int(results) {
		t.Errorf("%d results of %d bytes in the history, %d files, %+v, %v", results, bytes, len(files(t, s)), totals, err)
	}
	if totals.Succeeded+totals.Cancelled != 300 || totals.Succeeded-totals.FromCache != results || len(s.pins) != 0 {
		t.Errorf("%+v, %d pins", totals, len(s.pins))
	}
}

// TestTimeLimit runs on a clock of its own.
func TestTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		s, err := Open(t.Context(), Config{Catalog: numbers(t, 10), Tables: []Table{g.table()}, Limits: Limits{Time: 2 * time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			own, want time.Duration
			text      string
		}{{0, 2 * time.Minute, "2m;"}, {time.Minute, time.Minute, "1m;"}, {3 * time.Minute, 2 * time.Minute, "2m;"}} {
			q, err := s.Submit(t.Context(), Request{SQL: "SELECT * FROM gate", MaxTime: c.own})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			q = wait(t, s, q.ID)
			if q.State != Failed || q.Err.Kind != sqlerr.Resource || !strings.Contains(q.Err.Error(), c.text) || time.Since(began) != c.want {
				t.Errorf("after %s: %+v", time.Since(began), q)
			}
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		30 * time.Minute: "30m", 2 * time.Hour: "2h", 90 * time.Second: "1m30s", 20 * time.Second: "20s", 90 * time.Minute: "1h30m",
		10 * time.Second: "10s", time.Hour + time.Second: "1h0m1s", 1500 * time.Millisecond: "1.5s",
	} {
		if got := duration(d); got != want {
			t.Errorf("%s is shown as %s, want %s", d, got, want)
		}
	}
}
