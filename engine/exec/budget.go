package exec

import (
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/figure"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// budget is the memory of one run. Operators account what they keep from batch to batch: hash tables, sort buffers,
// build sides, queued batches, accumulators. Batches in passing are not accounted; there are a few per worker.
//
// Operators that spill ask fits before they keep more, and write to disk what they hold when it says no. A quarter of the limit is theirs in equal shares,
// so that none starves however much the others hold; the rest is for who comes first, but for what batches in passing may take. What such an operator
// needs to go on, a few batches and a piece of each file that it reads, or 2 MiB for partitions that it writes, it takes also beyond its share.
type budget struct {
	allowance
	used atomic.Int64
	// parent, where set, is the budget of the whole run, to which this one's part belongs.
	parent *budget
}

// allowance is what a budget allows.
type allowance struct {
	limit   int64 // 0: none
	spills  bool  // there is somewhere to spill to
	always  bool  // for tests: nothing ever fits
	share   int64 // what each account of an operator that spills may hold at least
	passing int64 // what is left, by those that spill, to batches in passing
}

// batchesInPassing is what a worker may need for batches of wide rows, on their way from a file to the operator that keeps them.
const batchesInPassing = 16 << 20

// divide gives every worker of so many operators that spill its share.
func (b *allowance) divide(spilling int) { b.share = b.reserved() / int64(max(1, spilling)) }

// reserved is the part of the limit that is divided.
func (b *allowance) reserved() int64 { return b.limit / 4 }

// piece is how much of the rows in a file is read at once: so little that a merge of many files fits into what is reserved.
func (b *allowance) piece() int64 {
	if b.limit == 0 {
		return spillBytes
	}
	return max(spillBytes/16, min(spillBytes, b.limit/(8*mostRuns)))
}

// add changes what is used and returns how much the whole run uses.
func (b *budget) add(delta int64) int64 {
	used := b.used.Add(delta)
	if b.parent != nil {
		return b.parent.add(delta)
	}
	return used
}

// total is how much the whole run uses.
func (b *budget) total() int64 {
	if b.parent != nil {
		return b.parent.total()
	}
	return b.used.Load()
}

// account is what one operator holds of the budget. Used by one goroutine at a time.
type account struct {
	budget *budget
	meter  *meter
	spills bool   // its operator spills, where the run can: what it holds is no error, but see fits
	doing  string // for the error: "grouping rows"
	try    string // for the error: what to do
	held   int64
}

// fits reports whether an operator that spills may hold so many bytes more. It always may where there is nowhere to spill to.
func (a *account) fits(bytes int64) bool {
	b := a.budget
	return !b.spills || !b.always && a.room(bytes)
}

// room is fits without regard to tests.
func (a *account) room(bytes int64) bool {
	b := a.budget
	return b.limit == 0 || a.held+bytes <= b.share || b.total()+bytes <= max(b.limit/4, b.limit-b.reserved()-b.passing)
}

// set changes what is held to total bytes; past the budget it is a Resource error.
func (a *account) set(total int64) error {
	delta := total - a.held
	if delta == 0 {
		return nil
	}
	a.held = total
	a.meter.hold(delta)
	used := a.budget.add(delta)
	if delta > 0 && a.budget.limit > 0 && used > a.budget.limit && !(a.spills && a.budget.spills) {
		return sqlerr.New(sqlerr.Resource, 0, "the query needs more than its share of memory (%s) while %s", figure.Bytes(a.budget.limit), a.doing).
			WithHint("%s", a.try)
	}
	return nil
}

func (a *account) add(bytes int64) error { return a.set(a.held + bytes) }

func (a *account) close() { _ = a.set(0) } // giving back cannot fail

// footprint measures batches that share dictionaries: it counts each dictionary once, however many slices refer to it.
type footprint struct {
	seen map[arrow.ArrayData]struct{}
}

func (f *footprint) of(b vec.Batch) (bytes int64) {
	for _, col := range b.Cols {
		bytes += f.column(col)
	}
	return bytes
}

func (f *footprint) column(col arrow.Array) int64 {
	if col == nil {
		return 0
	}
	d, ok := col.(*array.Dictionary)
	if !ok {
		return vec.Size(col)
	}
	bytes := 4 * int64(d.Len())
	entries := d.Data().Dictionary()
	if _, ok := f.seen[entries]; ok {
		return bytes
	}
	if f.seen == nil {
		f.seen = map[arrow.ArrayData]struct{}{}
	}
	f.seen[entries] = struct{}{}
	return bytes + vec.Size(settled(d.Dictionary()))
}

// settled makes a ready to be read by several goroutines: arrow-go computes null counts and dictionaries when first asked, without a lock.
func settled(a arrow.Array) arrow.Array {
	if d, ok := a.(*array.Dictionary); ok {
		settled(d.Dictionary())
	}
	settle(a.Data())
	return a
}

func settle(d arrow.ArrayData) {
	if d.NullN() < 0 {
		array.MakeFromData(d).NullN() // which keeps the count in d
	}
	for _, child := range d.Children() {
		settle(child)
	}
}
