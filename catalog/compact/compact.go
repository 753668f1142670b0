// Package compact turns trail objects into commits of a lake: it lists the objects, reads those that the ledger does not
// know, drops exact copies, writes sorted files and commits data, ledger and counts as one. It also merges small files.
//
//	list → fetch → decode (all cores) → sorted runs → k-way merge → duplicates against each other and the lake → files → commit
package compact

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
)

// Options of a run; zero fields take defaults.
type Options struct {
	Memory  int64         // bytes the process may take; default 1 GiB
	Workers int           // default: all cores
	NoMerge bool          // leave small files as they are
	Grace   time.Duration // how long replaced files are kept for running queries; default 7 days
	Now     func() time.Time
	Rand    io.Reader // names of the run and its temporary folder

	Requests int           // objects that are read from their sources ahead at a time; default 128 in S3, few in folders
	Every    time.Duration // of Follow: how often it looks for new objects where they keep coming; default a minute, 15 minutes with Hints
	Pause    time.Duration // of Follow: from one commit to the next at least; default 2 minutes
	Hints    Hints         // of Follow: a queue of notifications; nil: none

	chunk      int                                                 // objects of a commit; fewer in tests
	windowRows int                                                 // rows merged at a time
	fileBytes  int64                                               // a file is ended after so many
	beat       time.Duration                                       // how often compactors tell each other that they are there
	after      func(time.Duration) (<-chan time.Time, func() bool) // of a timer, what tells its end and what stops it
}

const (
	defaultMemory = 1 << 30
	defaultGrace  = 7 * 24 * time.Hour
	objectsAtOnce = 50_000 // of a commit, and listed ahead
	objectShare   = 20_000 // bytes of the memory for each of them: names are held three times
	remoteAhead   = 128
	fetchedBytes  = 64 << 20
	largeObject   = 4 << 20  // as stored; larger ones are read as they are decoded
	windowShare   = 64 << 10 // bytes of the memory per row of a window: several windows are held at a time
	fileBytes     = 128 << 20
	fileRows      = 4 << 20
	namesKept     = 20 // of objects shown in a summary
)

// Progress counts while a run goes on; any goroutine may read it.
type Progress struct {
	Listed      atomic.Int64 // objects seen in the sources
	Objects     atomic.Int64 // of those, to be read
	Done        atomic.Int64 // read
	Bytes       atomic.Int64 // to be read, as stored
	BytesDone   atomic.Int64 // of them; moves inside of an object too
	Records     atomic.Int64 // found so far
	Quarantined atomic.Int64 // records and objects set aside so far
	Rows        atomic.Int64 // of the batch that is being sorted and written; 0 while objects are read
	RowsDone    atomic.Int64 // of them
	Commits     atomic.Int64
	Waiting     atomic.Bool // for other compactors, which have a part of the work
}

// Summary is what a run did. Listed = Earlier + New + Unknown + Unreadable, and
// Records = Rows + Duplicates + Quarantined.
type Summary struct {
	Listed     int64 // objects in the sources
	Earlier    int64 // known to the ledger already
	New        int64 // now in the ledger
	Unknown    int64 // nothing that CloudTrail writes
	Unreadable int64 // could not be read; the next run tries again
	Left       int64 // of the sources, but not in the sum: what Follow leaves to other compactors

	Records, Rows, Duplicates, Quarantined int64
	Foreign                                int64 // messages beside the records, about something else: neither read nor set aside

	Digests    int64 // of the new ones: digest files
	SetAside   int64 // of the new ones: with something in quarantine
	Altered    int64 // of those: the bytes differ from those read earlier under the same name
	Bytes      int64 // of the new ones, as stored
	FilesAdded int64 // data files written
	Merged     int64 // data files merged into others
	Commits    int64
	Began      int64 // version of the lake at the start
	Version    int64 // of the lake at the end
	Swept      catalog.Swept

	UnknownNames, UnreadableNames, SetAsideNames []string // the first of each, with the reason
}

// Clean reports that nothing was set aside, altered or unreadable.
func (s *Summary) Clean() bool { return s.SetAside == 0 && s.Unreadable == 0 }

// Run brings a lake up to date with its sources. On an error what was committed before stays, and the next run goes on from there;
// the summary tells of what was done. progress may be nil. Several runs, in one process or many, share the work if they have sources in
// common; each ends when all of its sources is in the lake.
func Run(ctx context.Context, lake *catalog.Lake, sources []blob.Store, opt Options, progress *Progress) (Summary, error) {
	c, err := newCompactor(lake, sources, opt, progress)
	if err != nil {
		return Summary{}, err
	}
	defer c.close()
	err = c.run(ctx)
	c.end(ctx)
	return c.sum, err
}

func newCompactor(lake *catalog.Lake, sources []blob.Store, opt Options, progress *Progress) (*compactor, error) {
	if opt.Memory <= 0 {
		opt.Memory = defaultMemory
	}
	if opt.Workers <= 0 {
		opt.Workers = runtime.GOMAXPROCS(0)
	}
	if opt.Grace <= 0 {
		opt.Grace = defaultGrace
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Rand == nil {
		opt.Rand = rand.Reader
	}
	if opt.after == nil {
		opt.after = func(d time.Duration) (<-chan time.Time, func() bool) {
			t := time.NewTimer(d)
			return t.C, t.Stop
		}
	}
	if opt.chunk <= 0 {
		opt.chunk = int(min(max(opt.Memory/objectShare, 5_000), objectsAtOnce))
	}
	if opt.windowRows <= 0 {
		opt.windowRows = int(min(max(opt.Memory/windowShare, 1<<10), 32<<10))
	}
	if opt.fileBytes <= 0 {
		opt.fileBytes = fileBytes
	}
	if opt.Requests <= 0 {
		opt.Requests = 2 * opt.Workers
		if slices.ContainsFunc(sources, func(s blob.Store) bool { return blob.Remote(s.URL()) }) {
			opt.Requests = remoteAhead
		}
	}
	if opt.beat <= 0 {
		opt.beat = 2 * time.Second
		if blob.Remote(lake.Store().URL()) {
			opt.beat = 15 * time.Second
		}
	}
	if progress == nil {
		progress = &Progress{}
	}
	var random [8]byte
	if _, err := io.ReadFull(opt.Rand, random[:]); err != nil {
		return nil, fmt.Errorf("random name: %w", err)
	}
	id := hex.EncodeToString(random[:])
	c := &compactor{lake: lake, sources: outermost(sources), opt: opt, progress: progress, temp: catalog.TempFolder + id + "/", touched: map[place]bool{}, failed: map[string]bool{}}
	c.share = newShare(lake.Store(), id, c.sources, opt)
	if c.scratch = lake.Store(); blob.Remote(c.scratch.URL()) { // what is read again at once stays on this machine
		dir, err := os.MkdirTemp("", "trailql-")
		if err == nil {
			c.scratchDir = dir
			c.scratch, err = blob.OpenFolder(dir)
		}
		if err != nil {
			return nil, fmt.Errorf("make a folder for temporary files: %w", err)
		}
	}
	return c, nil
}

// close removes the temporary files of this machine.
func (c *compactor) close() {
	if c.scratchDir != "" {
		_ = os.RemoveAll(c.scratchDir)
	}
}

// end notes the version that the lake has now.
func (c *compactor) end(ctx context.Context) {
	if snap, err := c.lake.Newest(context.WithoutCancel(ctx)); err == nil {
		c.sum.Version = snap.Version()
	}
}

// compactor is one run.
type compactor struct {
	lake       *catalog.Lake
	sources    []blob.Store
	opt        Options
	progress   *Progress
	scratch    blob.Store // for temporary files
	temp       string     // their folder in it
	spilled    atomic.Int64
	scratchDir string         // "" where scratch is the lake
	large      sync.Mutex     // held while an object that does not fit in one piece is decoded
	touched    map[place]bool // what got files in this run
	version    int64          // of the lake, as long as this run alone commits
	share      *share
	soft       bool            // when the context ends, what was read is committed first
	failed     map[string]bool // hinted objects that could not be read, by URL
	sum        Summary
}

// place is a table, or one partition of it.
type place struct {
	table     string
	partition catalog.Partition
}

func (c *compactor) run(ctx context.Context) error {
	if err := c.share.join(ctx, c.progress); err != nil {
		return err
	}
	defer c.share.leave(ctx)
	units, err := c.units(ctx)
	if err != nil {
		return err
	}
	var left []*span
	keepLeft := func(s *span) {
		if s.left.Load() > 0 {
			left = append(left, s)
		}
	}
	if err := c.pass(ctx, nil, c.spans(units), &found{}, keepLeft); err != nil {
		return err
	}
	// What others took must be in the lake before this run says that all is done, so it is listed again when they have ended.
	for len(left) > 0 {
		if err := c.share.outwait(ctx, c.progress); err != nil {
			return err
		}
		again := left
		left = nil
		if err := c.passAgain(ctx, again, keepLeft); err != nil {
			return err
		}
	}
	// What is known may have been committed by one who has not come to the end of it, such as a run of this process that failed.
	if err := c.lake.Settle(ctx); err != nil {
		return err
	}
	return c.tidy(ctx)
}

// pass lists spans and works off what is new there, after the objects of first. done gets each span when it is listed.
func (c *compactor) pass(ctx context.Context, first []pending, spans iter.Seq[*span], f *found, done func(*span)) error {
	snap, err := c.lake.Newest(ctx)
	if err != nil {
		return err
	}
	if err := snap.Ledger(ctx); err != nil {
		return err
	}
	c.version = snap.Version()
	if c.sum.Commits == 0 {
		c.sum.Began = c.version
	}
	c.share.rest(false)
	defer c.share.rest(true)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pages := make(chan []pending, max(c.opt.chunk/pageNames, 1))
	var listing error
	var listed []*span
	var lister sync.WaitGroup
	lister.Go(func() {
		defer close(pages)
		if len(first) > 0 {
			select {
			case pages <- first:
			case <-ctx.Done():
			}
		}
		listing = c.list(ctx, spans, f, pages, func(s *span) { listed = append(listed, s) })
	})
	err = c.consume(ctx, pages)
	cancel()
	lister.Wait()
	if listing != nil && (err == nil || !errors.Is(listing, context.Canceled)) {
		err = cmp.Or(err, listing)
	}
	f.addTo(&c.sum)
	for _, s := range listed {
		done(s)
	}
	return err
}

// passAgain works off what is still new in spans where objects were left to others.
func (c *compactor) passAgain(ctx context.Context, spans []*span, done func(*span)) error {
	again := make([]*span, len(spans))
	for i, s := range spans {
		again[i] = &span{source: s.source, after: s.after, end: s.end, unit: s.unit}
	}
	err := c.pass(ctx, nil, slices.Values(again), &found{again: true}, done)
	for i, s := range again {
		// What was left and is new no more is known now. Where more is new than was left, it came meanwhile.
		if others := spans[i].left.Load() - s.fresh.Load() - s.left.Load(); others >= 0 {
			c.sum.Earlier += others
		} else {
			c.sum.Listed -= others
		}
	}
	return err
}

// tidy merges small files and sweeps what nobody needs.
func (c *compactor) tidy(ctx context.Context) (err error) {
	if !c.opt.NoMerge {
		if err := c.mergeSmall(ctx); err != nil {
			return err
		}
	}
	if err := c.lake.IndexFilters(ctx); err != nil {
		return err
	}
	if err := c.lake.Checkpoint(ctx); err != nil {
		return err
	}
	c.sum.Swept, err = c.lake.Sweep(ctx, c.opt.Grace)
	return err
}

// fixedBytes is what the process takes whatever the batch: program, index, compression.
const fixedBytes = 48 << 20

// budget is the memory for batches.
func (c *compactor) budget() int64 { return max(c.opt.Memory-fixedBytes, c.opt.Memory/4) }

// Of the budget, 60 % are accounted: 20 for decoded rows, 20 for their Arrow form (for a moment both exist, later the
// windows of the merge take the place of the first), and 20 for what is being written.
func (c *compactor) gatherBytes() int64 { return max(c.budget()/5, 1) }

// fetchBytes is for objects as stored that were read ahead.
func (c *compactor) fetchBytes() int64 { return min(max(c.budget()/16, 1<<20), fetchedBytes) }

func (c *compactor) rowGroupBytes() int64 {
	return min(max(c.budget()/40, 4<<20), 128<<20)
}

// writers is the number of files written at a time: each holds a row group as it came and as it goes.
func (c *compactor) writers() int {
	return max(1, min(c.opt.Workers, int(c.budget()/5/(2*c.rowGroupBytes()))))
}

// objectBytes is the content that is decoded in one piece; larger objects go through temporary files.
func (c *compactor) objectBytes() int64 { return max(c.gatherBytes()/int64(4*c.opt.Workers), 1<<20) }

// errInternal marks defects of this program: nothing is committed then.
var errInternal = errors.New("internal error")
