package exec

import (
	"errors"
	"io"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

const (
	// fanout is how many partitions rows are spread over at a time.
	fanout = 32
	// partitionBytes is how much of a partition may wait to be written though there is no memory: fanout times that is what partitions take.
	partitionBytes = 64 << 10
	// deepest is how often the rows of a partition are spread again at most: more would not divide them either.
	deepest = 4
)

// partitions are rows spread by a hash of their keys, so that equal keys are in the same partition: in memory as long as they fit there, then
// in a temporary file. The rows of a partition stay in order. Any number of goroutines add; after end any number read.
type partitions struct {
	level int // hashes of different levels have nothing in common
	file  *spill

	lock    sync.Mutex // of all that follows, until the end
	account account    // of what waits
	parts   [fanout]partition
	rows    int64
}

// partition is a part of the rows.
type partition struct {
	rows, bytes int64       // of all; the bytes are those of plain arrays
	waiting     []vec.Batch // not in the file; plain
	size        int64       // bytes of waiting
	held        int64       // of these, those that are accounted
	written     []stretch
}

// stretch is what is between two marks of a spill.
type stretch struct{ from, to int }

// newPartitions returns partitions that account what they hold as a does.
func (r *run) newPartitions(a account, types []sqltype.Type, level int) *partitions {
	a.held, a.spills = 0, true
	return &partitions{level: level, file: r.newSpill(a.meter, types), account: a}
}

// partitionsOf returns the partition of each row; rows without keys are all in one.
func partitionsOf(keys []arrow.Array, rows, level int) []uint8 {
	hashes := make([]uint64, rows)
	for i := range hashes {
		hashes[i] = uint64(level)
	}
	for _, key := range keys {
		vec.Hash(key, hashes)
	}
	out := make([]uint8, rows)
	for i, h := range hashes {
		out[i] = uint8(h>>32) % fanout // keys are few at times: any bits do but the lowest, which tables use
	}
	return out
}

// add takes in the rows of b, whose columns have the types of the partitions.
func (p *partitions) add(b vec.Batch, keys []arrow.Array) error {
	var rows [fanout][]int32
	for row, at := range partitionsOf(keys, b.Len, p.level) {
		rows[at] = append(rows[at], int32(row))
	}
	for at, rows := range rows {
		if len(rows) == 0 {
			continue
		}
		some := b.Take(rows)
		for i, col := range some.Cols {
			some.Cols[i] = vec.Plain(col)
		}
		if err := p.put(&p.parts[at], some); err != nil {
			return err
		}
	}
	return nil
}

// arrayBytes is about what an array takes beside its values. Pieces are small: it counts.
const arrayBytes = 512

func (p *partitions) put(part *partition, b vec.Batch) error {
	size := b.Size() + arrayBytes*int64(len(b.Cols))
	p.lock.Lock()
	defer p.lock.Unlock()
	p.rows += int64(b.Len)
	part.rows += int64(b.Len)
	part.bytes += size
	part.waiting = append(part.waiting, b)
	if part.size += size; part.size < partitionBytes {
		return nil
	}
	if p.fits(part.size - part.held) {
		return p.hold(part)
	}
	return p.write(part)
}

// fits reports whether so much more may wait: there must be room for as much as waits again, in the tables that are to be made of it.
func (p *partitions) fits(more int64) bool { return p.account.fits(2*more + p.account.held) }

// hold accounts what waits; the lock is held.
func (p *partitions) hold(part *partition) error {
	more := part.size - part.held
	part.held = part.size
	return p.account.add(more)
}

// write brings what waits into the file; the lock is held.
func (p *partitions) write(part *partition) error {
	from, err := p.file.mark()
	for _, b := range part.waiting {
		if err == nil {
			err = p.file.write(b)
		}
	}
	if err != nil {
		return err
	}
	to, err := p.file.mark()
	p.drop(part)
	part.written = append(part.written, stretch{from, to})
	return err
}

// drop lets go of what waits; the lock is held.
func (p *partitions) drop(part *partition) {
	_ = p.account.add(-part.held) // giving back cannot fail
	part.waiting, part.size, part.held = nil, 0, 0
}

// end is called when all rows have been added. If some are in the file, or there is no room, it brings the others there.
func (p *partitions) end() error {
	p.lock.Lock()
	defer p.lock.Unlock()
	keep := p.hold
	more := -p.account.held
	for i := range p.parts {
		more += p.parts[i].size
	}
	if p.file.rows > 0 || !p.fits(more) {
		keep = p.write
	}
	for i := range p.parts {
		if part := &p.parts[i]; len(part.waiting) > 0 {
			if err := keep(part); err != nil {
				return err
			}
		}
	}
	return nil
}

// most is the number of rows of the largest partition.
func (p *partitions) most() (rows int64) {
	for i := range p.parts {
		rows = max(rows, p.parts[i].rows)
	}
	return rows
}

// reader reads a partition, in batches of up to spillBytes.
func (p *partitions) reader(at int) operator {
	return &partitionReader{file: p.file, rest: p.parts[at].written, waiting: p.parts[at].waiting}
}

// forget gives back the memory of a partition that nobody will read any more.
func (p *partitions) forget(at int) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.drop(&p.parts[at])
}

// close gives the space back; harmless twice. Nobody may be reading.
func (p *partitions) close() {
	for at := range p.parts {
		p.forget(at)
	}
	p.file.close()
}

// partitionReader puts together what was written piece by piece: the fewer the batches the better, above all if they are spread again.
type partitionReader struct {
	file    *spill
	rest    []stretch
	waiting []vec.Batch // after rest
	open    operator    // nil: none
	ahead   vec.Batch   // read, but too large for the batch before it
}

func (r *partitionReader) next() (vec.Batch, error) {
	var batches []vec.Batch
	var rows int
	var size int64
	for {
		b, err := r.read()
		if errors.Is(err, io.EOF) && rows > 0 {
			break
		}
		if err != nil {
			return vec.Batch{}, err
		}
		bytes := b.Size()
		if rows > 0 && (rows+b.Len > r.file.run.batchRows || size+bytes > spillBytes) {
			r.ahead = b
			break
		}
		batches = append(batches, b)
		rows += b.Len
		size += bytes
	}
	return vec.ConcatBatches(batches)
}

func (r *partitionReader) read() (vec.Batch, error) {
	if b := r.ahead; b.Len > 0 {
		r.ahead = vec.Batch{}
		return b, nil
	}
	for {
		if r.open == nil {
			if len(r.rest) == 0 {
				if len(r.waiting) == 0 {
					return vec.Batch{}, io.EOF
				}
				b := r.waiting[0]
				r.waiting = r.waiting[1:]
				return b, nil
			}
			r.open = r.file.section(r.rest[0].from, r.rest[0].to)
			r.rest = r.rest[1:]
		}
		b, err := r.open.next()
		if !errors.Is(err, io.EOF) {
			return b, err
		}
		r.open = nil
	}
}

func (r *partitionReader) close() {}
