package compact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
)

// Hint names an object that may be new, as a notification has it. It is no more than a hint: what is in the sources is what their
// listings say, so a hint that is wrong, doubled, late or forged changes nothing.
type Hint struct {
	Bucket, Key string // decoded: as the object is called in S3
	Version     string // "" where the notification has none
	Message     any    // of Hints alone, which finds in it what to acknowledge; never looked at
}

// Hints is a queue of notifications.
type Hints interface {
	// Next waits until there are hints and returns some of them, at most a few thousand, or none when it has waited long enough (as
	// a long poll of a queue does). An error is tried again later.
	Next(ctx context.Context) ([]Hint, error)
	// Done tells that the hints have done what they can: their objects are in the ledger by now, or are no objects of the sources. It
	// comes once for each hint, after the commit. A hint whose object could not be read is not done; the queue brings it again.
	Done(ctx context.Context, hints []Hint) error
}

const (
	everyMinute  = time.Minute
	everyHinted  = 15 * time.Minute // notifications bring what is new, the listing what they lost
	betweenTwo   = 2 * time.Minute  // commits
	recentDays   = 31               // CloudTrail tries for 30 days to deliver
	recentEvery  = 24 * time.Hour
	allEvery     = 7 * 24 * time.Hour
	foldersEvery = time.Hour
	quietest     = time.Hour // what brought nothing for long is looked at so often at least
	mostHints    = 10_000    // taken from the queue before they are worked off
	firstRetry   = 5 * time.Second
	lastRetry    = 10 * time.Minute
)

// Follow keeps a lake up to date with its sources: it lists everything once, then what is newest again and again, the last 31 days every day, and
// everything every week. It ends, without an error, when ctx does: what was read by then is committed first. report is called, on the same goroutine, after each
// look that brought something or went wrong, with what it did; after an error Follow tries again, later each time.
// The error is one that trying again would not help. progress may be nil.
func Follow(ctx context.Context, lake *catalog.Lake, sources []blob.Store, opt Options, progress *Progress, report func(Summary, error)) error {
	if opt.Every <= 0 {
		opt.Every = everyMinute
		if opt.Hints != nil {
			opt.Every = everyHinted
		}
	}
	if opt.Pause <= 0 {
		opt.Pause = betweenTwo
	}
	c, err := newCompactor(lake, sources, opt, progress)
	if err != nil {
		return err
	}
	defer c.close()
	c.soft = true
	c.share.self.Follow = true
	if c.share.join(ctx, c.progress) != nil {
		return nil // ended before it began
	}
	defer c.share.leave(ctx)
	f := &follower{c: c, units: map[unitKey]*followed{}}
	listening, stop := context.WithCancel(ctx)
	hints := f.listen(listening)
	defer func() {
		stop()
		if hints != nil {
			for range hints { // until the queue has let go
			}
		}
	}()
	var waiting []Hint
	var pause time.Time // nothing is done before
	failures, told := 0, ""
	for {
		for {
			due := f.due()
			if len(waiting) > 0 || due.Before(pause) {
				due = pause
			}
			now := c.opt.Now()
			if !due.After(now) {
				break
			}
			in := hints
			if len(waiting) >= mostHints {
				in = nil
			}
			over, stop := c.opt.after(min(due.Sub(now), opt.Every)) // who shares the work may go away meanwhile
			select {
			case <-over:
			case more := <-in:
				if waiting = append(waiting, more.hints...); more.err != nil && ctx.Err() == nil {
					report(Summary{}, fmt.Errorf("ask the queue: %w", more.err))
				}
			case <-ctx.Done():
			}
			stop()
			if ctx.Err() != nil {
				return nil
			}
		}
		c.sum, c.touched, c.failed = Summary{}, map[place]bool{}, map[string]bool{}
		err := f.look(ctx)
		if err == nil && len(waiting) > 0 {
			err = f.follow(ctx, waiting)
			waiting = nil // what was not done the queue brings again
		}
		if err == nil && c.sum.Commits > 0 {
			err = f.tidy(ctx)
		}
		c.end(ctx)
		if errors.Is(err, errInternal) {
			return err
		}
		if ctx.Err() != nil {
			err = nil // it is over, as it was asked to be
		}
		// What cannot be read is told when that is new, not at each look.
		if bad := strings.Join(c.sum.UnreadableNames, "\n"); err != nil || c.sum.Commits > 0 || bad != told {
			report(c.sum, err)
			told = bad
		}
		pause = c.opt.Now()
		switch {
		case err != nil:
			pause = pause.Add(backOff(failures))
			failures++
			continue
		case c.sum.Commits > 0:
			pause = pause.Add(opt.Pause)
		}
		failures = 0
		if ctx.Err() != nil {
			return nil
		}
	}
}

// follower is what Follow knows between two looks.
type follower struct {
	c                    *compactor
	units                map[unitKey]*followed
	all, recent, folders time.Time // when each was listed last
	swept                time.Time
}

type unitKey struct {
	source int
	prefix string
}

// followed is a unit that is listed from time to time.
type followed struct {
	*unit
	last  string    // newest name up to which nothing is missing
	fresh time.Time // when something new came
	due   time.Time
}

// listen takes hints from the queue.
func (f *follower) listen(ctx context.Context) <-chan hinted {
	out := make(chan hinted)
	if f.c.opt.Hints == nil {
		return nil
	}
	go func() {
		defer close(out)
		failures := 0
		for ctx.Err() == nil {
			hints, err := f.c.opt.Hints.Next(ctx)
			if len(hints) == 0 && err == nil {
				failures = 0
				continue
			}
			select {
			case out <- hinted{hints, err}:
			case <-ctx.Done():
			}
			if err != nil {
				over, stop := f.c.opt.after(backOff(failures))
				select {
				case <-over:
				case <-ctx.Done():
				}
				stop()
				failures++
			} else {
				failures = 0
			}
		}
	}()
	return out
}

type hinted struct {
	hints []Hint
	err   error
}

// backOff is how long to wait after so many failures in a row and one more.
func backOff(failures int) time.Duration { return min(firstRetry<<min(failures, 16), lastRetry) }

// due is when there is something to list again.
func (f *follower) due() time.Time {
	if f.all.IsZero() || f.c.share.lostSome() {
		f.recent = time.Time{} // who went away may have left something behind
		return time.Time{}
	}
	first := f.recent.Add(recentEvery)
	for _, u := range f.units {
		if u.due.Before(first) {
			first = u.due
		}
	}
	return first
}

// look lists what is due and works off what is new there.
func (f *follower) look(ctx context.Context) error {
	c := f.c
	now := c.opt.Now()
	everything := f.all.IsZero() || now.Sub(f.all) >= allEvery
	recent := now.Sub(f.recent) >= recentEvery
	if everything || recent || now.Sub(f.folders) >= foldersEvery {
		if err := f.discover(ctx, everything, now); err != nil {
			return err
		}
		f.folders = now
	}
	var list []*unit
	for _, u := range f.units {
		if everything || recent || !u.due.After(now) {
			list = append(list, u.unit)
		}
	}
	sortUnits(list)
	var spans iter.Seq[*span]
	switch {
	case everything:
		spans = c.spans(list)
	case recent:
		spans = c.since(list, now.AddDate(0, 0, -recentDays))
	default:
		spans = func(yield func(*span) bool) {
			for _, u := range list {
				if !yield(&span{source: u.source, after: u.resume(f.of(u).last), end: u.end, unit: u}) {
					return
				}
			}
		}
	}
	stuck := map[*unit]bool{} // what comes after something unreadable does not move the place to go on from
	due := map[*unit]time.Duration{}
	err := c.pass(ctx, nil, spans, &found{}, func(s *span) {
		u := f.of(s.unit)
		c.sum.Left += s.left.Load()
		stuck[u.unit] = stuck[u.unit] || s.failed.Load() > 0
		if !stuck[u.unit] && s.last > u.last {
			u.last = s.last
		}
		if s.fresh.Load() > 0 {
			u.fresh = now
		} else if u.fresh.IsZero() && u.last != "" {
			u.fresh = cloudtrail.ParseName(u.last).Stamp
		}
		due[u.unit] += c.opt.Every * time.Duration(s.requests)
	})
	if err != nil {
		return err
	}
	for u, least := range due {
		f := f.of(u)
		if everything || recent {
			least = c.opt.Every // it is a part that is listed the next time
		}
		f.due = now.Add(max(min(now.Sub(f.fresh)/10, quietest), c.opt.Every, least))
	}
	if everything {
		f.all = now
	}
	if everything || recent {
		f.recent = now
	}
	return nil
}

func (f *follower) of(u *unit) *followed { return f.units[unitKey{u.source, u.prefix}] }

// discover finds units that are new; anew, it looks at all of them again.
func (f *follower) discover(ctx context.Context, anew bool, now time.Time) error {
	there := map[unitKey]*followed{}
	for source := range f.c.sources {
		known := map[string]*unit{}
		for key, u := range f.units {
			if key.source == source && key.prefix != "" && !anew {
				known[key.prefix] = u.unit
			}
		}
		units, err := f.c.discover(ctx, source, known)
		if err != nil {
			return err
		}
		for _, u := range units {
			key := unitKey{source, u.prefix}
			if there[key] = f.units[key]; there[key] == nil {
				there[key] = &followed{due: now}
			}
			there[key].unit = u
		}
	}
	f.units = there
	return nil
}

// follow reads the objects that hints name and tells the queue.
func (f *follower) follow(ctx context.Context, hints []Hint) error {
	c := f.c
	found := &found{}
	infos := make([]map[string]blob.Info, len(c.sources)) // by name
	urls := make([]string, len(hints))
	at := make([]int, len(hints))
	stats := make([]blob.Info, len(hints))
	errs := make([]error, len(hints))
	err := parallel(ctx, c.opt.Requests, len(hints), func(ctx context.Context, i int) error {
		urls[i] = "s3://" + hints[i].Bucket + "/" + hints[i].Key
		at[i] = slices.IndexFunc(c.sources, func(s blob.Store) bool { return strings.HasPrefix(urls[i], s.URL()+"/") })
		if at[i] < 0 {
			return nil
		}
		store := c.sources[at[i]]
		stats[i], errs[i] = store.Stat(ctx, strings.TrimPrefix(urls[i], store.URL()+"/"))
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	for i := range hints {
		switch {
		case at[i] < 0 || errors.Is(errs[i], fs.ErrNotExist):
		case errs[i] != nil:
			found.missed = orMake(found.missed)
			if text := errs[i].Error(); !found.missed[text] {
				found.missed[text] = true
				found.unlisted++
			}
			c.failed[urlOf(urls[i])] = true
		default:
			if inside := c.lakeIn(c.sources[at[i]]); inside == "" || !strings.HasPrefix(stats[i].Name, inside) {
				infos[at[i]] = orMake(infos[at[i]])
				infos[at[i]][stats[i].Name] = stats[i]
			}
		}
	}
	snap, err := c.lake.Newest(ctx)
	if err == nil {
		err = snap.Ledger(ctx) // what other hints brought is known
	}
	if err != nil {
		return err
	}
	var fresh []pending
	for source, of := range infos {
		var list []blob.Info
		for _, info := range of {
			list = append(list, info)
		}
		page, err := c.look(ctx, &span{source: source, hinted: true}, list, found)
		if err != nil {
			return err
		}
		fresh = append(fresh, page...)
	}
	if err := c.pass(ctx, fresh, func(func(*span) bool) {}, found, func(*span) {}); err != nil {
		return err
	}
	done := hints[:0:0]
	for i, h := range hints {
		if !c.failed[urlOf(urls[i])] {
			done = append(done, h)
		}
	}
	if err := c.opt.Hints.Done(ctx, done); err != nil {
		return fmt.Errorf("tell the queue what was done: %w", err)
	}
	return nil
}

func orMake[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		m = map[K]V{}
	}
	return m
}

// tidy merges after each commit, and sweeps, for which all of the lake is listed, once a day.
func (f *follower) tidy(ctx context.Context) error {
	now := f.c.opt.Now()
	if now.Sub(f.swept) < recentEvery {
		if !f.c.opt.NoMerge {
			if err := f.c.mergeSmall(ctx); err != nil {
				return err
			}
		}
		return f.c.lake.IndexFilters(ctx)
	}
	f.swept = now
	return f.c.tidy(ctx)
}
