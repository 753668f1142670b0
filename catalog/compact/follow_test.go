package compact

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
)

// clock is the time of a test. Where it runs, a wait is over at once and takes the clock to its end, by way of what the test has planned until then;
// else waits are over when the test says so.
type clock struct {
	mu    sync.Mutex
	moved sync.Cond
	now   time.Time
	runs  bool
	waits []*timer
	plan  []planned
}

type timer struct {
	at  time.Time
	end chan time.Time
}

type planned struct {
	at time.Time
	do func()
}

func newClock(runs bool) *clock {
	c := &clock{now: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), runs: runs}
	c.moved.L = &c.mu
	return c
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) after(d time.Duration) (<-chan time.Time, func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{c.now.Add(d), make(chan time.Time, 1)}
	c.waits = append(c.waits, t)
	c.moved.Broadcast()
	if c.runs {
		c.goOn()
	}
	return t.end, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.waits = slices.DeleteFunc(c.waits, func(w *timer) bool { return w == t })
		return true
	}
}

// goOn takes the clock to the end of the wait that is over first.
func (c *clock) goOn() {
	first := slices.MinFunc(c.waits, func(a, b *timer) int { return a.at.Compare(b.at) })
	for len(c.plan) > 0 && !c.plan[0].at.After(first.at) {
		do := c.plan[0]
		c.plan = c.plan[1:]
		c.now = do.at
		do.do()
	}
	c.now = first.at
	first.end <- c.now
	c.waits = slices.DeleteFunc(c.waits, func(w *timer) bool { return w == first })
}

// step waits until something waits, and ends that.
func (c *clock) step() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waits) == 0 {
		c.moved.Wait()
	}
	c.goOn()
}

type look struct {
	sum Summary
	err error
	at  time.Time
}

// following runs Follow until the test calls the returned function, which waits for its end. report may be nil.
func following(t *testing.T, l *catalog.Lake, source blob.Store, clock *clock, hints Hints, report func(look)) (end func()) {
	t.Helper()
	opt := testOptions()
	opt.Now, opt.after, opt.Hints = clock.Now, clock.after, hints
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Follow(ctx, l, []blob.Store{source}, opt, nil, func(s Summary, err error) { report(look{s, err, clock.Now()}) })
	}()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the end: %v", err)
		}
	}
}

// delivered is the name of an object that is delivered at a time.
func delivered(at time.Time, unique int) string {
	return fmt.Sprintf("AWSLogs/%s/CloudTrail/eu-west-1/%s%s_CloudTrail_eu-west-1_%sZ_%016d.json.gz", account, at.UTC().Format(dayFolders), account, at.UTC().Format(minutes), unique)
}

func TestFollow(t *testing.T) {
	l := newLake(t)
	c := newClock(true)
	s := &memoryStore{url: "s3://bucket", objects: map[string]string{}}
	n := 0
	deliver := func(now time.Time, ago time.Duration) {
		n++
		s.put(delivered(now.Add(-ago), n), content(event(fmt.Sprint("id-", n), 1, n)))
	}
	deliver(c.now, 100*24*time.Hour)
	deliver(c.now, 10*time.Minute)
	start := c.now
	var quiet int
	var expect []time.Time // when something was delivered
	plan := func(at time.Duration, do func(now time.Time)) {
		c.plan = append(c.plan, planned{start.Add(at), func() { do(c.now) }})
	}
	put := func(at, ago time.Duration) {
		expect = append(expect, start.Add(at))
		plan(at, func(now time.Time) { deliver(now, ago) })
	}
	put(10*time.Second, 0)
	put(5*time.Minute, 30*time.Minute) // late
	plan(2*time.Hour, func(time.Time) { quiet = -s.calls["list"] })
	plan(4*time.Hour, func(time.Time) { quiet += s.calls["list"] })
	put(5*time.Hour, 9*time.Hour) // later than what is newest
	put(50*time.Hour, 0)
	put(60*time.Hour, 90*24*time.Hour) // later than CloudTrail tries
	expect = append(expect, start.Add(200*time.Hour))
	plan(200*time.Hour, func(time.Time) {
		s.put("AWSLogs/222222222222/CloudTrail/us-east-1/2026/02/01/222222222222_CloudTrail_us-east-1_20260201T0000Z_x.json.gz", content(event("other", 1, 1)))
	})
	looks := make(chan look, 100)
	end := following(t, l, s, c, nil, func(l look) { looks <- l })
	for i, within := range []time.Duration{0, betweenTwo + everyMinute, 2 * everyMinute, recentEvery, quietest + everyMinute, allEvery, foldersEvery + everyMinute} {
		got := <-looks
		at := start
		if i > 0 {
			at = expect[i-1]
		}
		if took := got.at.Sub(at); got.err != nil || got.sum.New == 0 || took < 0 || took > within {
			t.Errorf("delivery %d: %+v, %v after %v", i, got.sum, got.err, took)
		}
		reconcile(t, got.sum)
	}
	end()
	if len(looks) > 0 {
		t.Errorf("nothing was new: %+v", <-looks)
	}
	if rows := len(read(t, l, catalog.Files, "path")); rows != n+1 {
		t.Errorf("%d objects in the ledger, want %d", rows, n+1)
	}
	if quiet < 2 || quiet > 40 { // where nothing comes, it is seldom listed
		t.Errorf("%d listings in two quiet hours", quiet)
	}
}

// Errors of the store are told and waited out; an object that cannot be read is tried until it can be.
func TestFollowThroughErrors(t *testing.T) {
	l := newLake(t)
	c := newClock(true)
	s := &memoryStore{url: "s3://bucket", objects: map[string]string{}}
	begun := c.now
	good, bad := delivered(begun, 2), delivered(begun.Add(-5*time.Hour), 1)
	s.objects[good], s.objects[bad] = content(event("a", 1, 1)), content(event("b", 1, 1))
	s.fail = func(op, name string) error {
		switch {
		case op == "list" && c.Now().Sub(begun) < 30*time.Second:
			return errors.New("slow down")
		case op == "get" && name == bad && c.Now().Sub(begun) < 10*time.Minute:
			return errors.New("kms: access denied")
		}
		return nil
	}
	looks := make(chan look, 100)
	end := following(t, l, s, c, nil, func(l look) { looks <- l })
	failures := 0
	got := <-looks
	for ; got.err != nil; got = <-looks {
		if failures++; !strings.Contains(got.err.Error(), "slow down") {
			t.Errorf("%v", got.err)
		}
	}
	if failures < 2 || failures > 6 || got.sum.New != 1 || got.sum.Unreadable != 1 || !strings.Contains(got.sum.UnreadableNames[0], "access denied") {
		t.Errorf("after %d failures %+v", failures, got.sum)
	}
	for got = <-looks; got.sum.New == 0; got = <-looks {
		if got.sum.Unreadable != 1 {
			t.Errorf("%+v", got.sum)
		}
	}
	if after := got.at.Sub(begun); after < 10*time.Minute || after > 25*time.Minute {
		t.Errorf("read after %v", after)
	}
	end()
	equalLines(t, read(t, l, catalog.Files, "state"), []string{"ok", "ok"}, "states")
}

// queue is a queue in memory.
type queue struct {
	mu   sync.Mutex
	send chan []Hint
	done []Hint
}

func (q *queue) Next(ctx context.Context) ([]Hint, error) {
	select {
	case h := <-q.send:
		if h == nil {
			return nil, errors.New("the queue is away")
		}
		return h, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (q *queue) Done(_ context.Context, hints []Hint) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done = append(q.done, hints...)
	return nil
}

// Hints bring what is new before a listing does, once, whatever they say; and a hint is done only when its object is in the lake or is none.
func TestFollowHints(t *testing.T) {
	l := newLake(t)
	c := newClock(false)
	begun := c.now
	s := &memoryStore{url: "s3://bucket/trail", objects: map[string]string{delivered(begun, 1): content(event("a", 1, 1))}}
	q := &queue{send: make(chan []Hint)}
	looks := make(chan look, 100)
	end := following(t, l, s, c, q, func(l look) { looks <- l })
	<-looks
	name := func(i int) string { return delivered(begun.Add(time.Minute), i) }
	s.mu.Lock()
	for i := 2; i < 5; i++ {
		s.objects[name(i)] = content(event(fmt.Sprint(i), 1, i))
	}
	denied := true
	s.fail = func(op, at string) error {
		if op == "get" && at == name(4) && denied {
			return errors.New("access denied")
		}
		return nil
	}
	s.mu.Unlock()
	hint := func(key string) Hint { return Hint{Bucket: "bucket", Key: key, Message: key} }
	q.send <- []Hint{hint("trail/" + name(2)), hint("trail/" + name(2)), hint("trail/gone.json"), {Bucket: "other", Key: "trail/" + name(3)}, hint("trail/" + name(4)), hint("trail/" + delivered(begun, 1))}
	q.send <- []Hint{hint("trail/" + name(3)), hint("trail/"), hint("")}
	q.send <- nil // an error; it is taken when the others are with the follower
	if got := <-looks; got.err == nil || !strings.Contains(got.err.Error(), "the queue is away") {
		t.Errorf("%+v", got)
	}
	for c.Now().Sub(begun) < betweenTwo {
		c.step()
	}
	got := <-looks
	if got.err != nil || got.sum.New != 2 || got.sum.Unreadable != 1 || got.at.Sub(begun) != betweenTwo {
		t.Errorf("%+v, %v after %v", got.sum, got.err, got.at.Sub(begun))
	}
	reconcile(t, got.sum)
	q.mu.Lock()
	if len(q.done) != 8 {
		t.Errorf("done: %v", q.done)
	}
	for _, h := range q.done {
		if h.Key == "trail/"+name(4) {
			t.Error("a hint whose object could not be read is done")
		}
	}
	q.mu.Unlock()
	s.mu.Lock()
	denied = false
	s.mu.Unlock()
	for len(looks) == 0 {
		c.step()
	}
	if got := <-looks; got.sum.New != 1 || got.at.Sub(begun) > 2*everyHinted { // by the listing
		t.Errorf("%+v, %v", got.sum, got.err)
	}
	end()
}

// What was read when the end comes is committed.
func TestFollowEndsAfterACommit(t *testing.T) {
	l := newLake(t)
	e := &endlessTrail{url: "s3://made", accounts: 1, regions: 1, days: 10, perDay: 50}
	ctx, cancel := context.WithCancel(context.Background())
	e.stop = func(n int64) error {
		if n == 200 {
			cancel()
		}
		return nil
	}
	opt := testOptions()
	opt.Requests = 4
	var sum Summary
	if err := Follow(ctx, l, []blob.Store{e}, opt, nil, func(s Summary, err error) {
		if sum = s; err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if n := len(read(t, l, catalog.Files, "path")); sum.Commits != 1 || int64(n) != sum.New || n < 100 || n > 200 {
		t.Errorf("%d objects in the ledger, %+v", n, sum)
	}
}
