// Package compact turns trail objects into commits of a lake: it lists the objects, reads those that the ledger does not
// know, drops exact copies, writes sorted files and commits data, ledger and counts as one. It also merges small files.
//
//	list → decode (all cores) → sorted runs → k-way merge → duplicates against each other and the lake → files → commit
package compact

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
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
	Rand    io.Reader // name of the run's temporary folder

	chunk      int   // objects listed before they are read; smaller in tests
	windowRows int   // rows merged at a time
	fileBytes  int64 // a file is ended after so many
}

const (
	defaultMemory = 1 << 30
	defaultGrace  = 7 * 24 * time.Hour
	listedAtOnce  = 50_000
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
}

// Summary is what a run did. Listed = Earlier + New + Unknown + Unreadable, and
// Records = Rows + Duplicates + Quarantined.
type Summary struct {
	Listed     int64 // objects in the sources
	Earlier    int64 // known to the ledger already
	New        int64 // now in the ledger
	Unknown    int64 // nothing that CloudTrail writes
	Unreadable int64 // could not be read; the next run tries again

	Records, Rows, Duplicates, Quarantined int64

	Digests    int64 // of the new ones: digest files
	SetAside   int64 // of the new ones: with something in quarantine
	Altered    int64 // of those: the bytes differ from those read earlier under the same name
	Bytes      int64 // of the new ones, as stored
	FilesAdded int64 // data files written
	Merged     int64 // data files merged into others
	Commits    int64
	Version    int64 // of the lake at the end
	Swept      catalog.Swept

	UnknownNames, UnreadableNames, SetAsideNames []string // the first of each, with the reason
}

// Clean reports that nothing was set aside, altered or unreadable.
func (s *Summary) Clean() bool { return s.SetAside == 0 && s.Unreadable == 0 }

// Run brings a lake up to date with its sources. On an error what was committed before stays, and the next run goes on from there;
// the summary tells of what was done. progress may be nil.
func Run(ctx context.Context, lake *catalog.Lake, sources []blob.Store, opt Options, progress *Progress) (Summary, error) {
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
	if opt.chunk <= 0 {
		opt.chunk = listedAtOnce
	}
	if opt.windowRows <= 0 {
		opt.windowRows = int(min(max(opt.Memory/windowShare, 1<<10), 32<<10))
	}
	if opt.fileBytes <= 0 {
		opt.fileBytes = fileBytes
	}
	if progress == nil {
		progress = &Progress{}
	}
	var id [8]byte
	if _, err := io.ReadFull(opt.Rand, id[:]); err != nil {
		return Summary{}, fmt.Errorf("random name: %w", err)
	}
	c := &compactor{lake: lake, sources: outermost(sources), opt: opt, progress: progress, temp: catalog.TempFolder + hex.EncodeToString(id[:]) + "/", touched: map[place]bool{}}
	err := c.run(ctx)
	if snap, newestErr := lake.Newest(context.WithoutCancel(ctx)); newestErr == nil {
		c.sum.Version = snap.Version()
	}
	return c.sum, err
}

// compactor is one run.
type compactor struct {
	lake     *catalog.Lake
	sources  []blob.Store
	opt      Options
	progress *Progress
	temp     string // folder of the run's temporary files
	spilled  atomic.Int64
	large    sync.Mutex     // held while an object that does not fit in one piece is decoded
	touched  map[place]bool // what got files in this run
	version  int64          // of the lake, as long as this run alone commits
	sum      Summary
}

// place is a table, or one partition of it.
type place struct {
	table     string
	partition catalog.Partition
}

func (c *compactor) run(ctx context.Context) error {
	snap, err := c.lake.Newest(ctx)
	if err != nil {
		return err
	}
	if err := snap.Ledger(ctx); err != nil {
		return err
	}
	c.version = snap.Version()
	if err := c.list(ctx); err != nil {
		return err
	}
	if !c.opt.NoMerge {
		if err := c.mergeSmall(ctx); err != nil {
			return err
		}
	}
	if err := c.lake.IndexFilters(ctx); err != nil {
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

func (c *compactor) rowGroupBytes() int64 {
	return min(max(c.budget()/32, 4<<20), 128<<20)
}

// writers is the number of files written at a time: each holds a row group as it came and as it goes.
func (c *compactor) writers() int {
	return max(1, min(c.opt.Workers, int(c.budget()/5/(2*c.rowGroupBytes()))))
}

// objectBytes is the content that is decoded in one piece; larger objects go through temporary files.
func (c *compactor) objectBytes() int64 { return max(c.gatherBytes()/int64(4*c.opt.Workers), 1<<20) }

// errInternal marks defects of this program: nothing is committed then.
var errInternal = errors.New("internal error")
