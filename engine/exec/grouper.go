package exec

import (
	"context"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/vec"
)

// grouper numbers distinct rows of key columns densely, in order of appearance. Each column's values are numbered by themselves, which
// costs a look-up per entry for dictionary codes and not per row; then the numbers are paired from left to right, and the pairs numbered. So
// any number of keys of any types needs exact tables of 64-bit words only. Without key columns there is one group, 0.
type grouper struct {
	columns []*distinct
	pairs   []pairTable // pairs[i]: group over columns 0…i, value of column i+1
	codes   []uint32    // scratch
}

func newGrouper(columns int) *grouper {
	g := &grouper{columns: make([]*distinct, columns)}
	for i := range g.columns {
		g.columns[i] = newDistinct()
	}
	for range columns - 1 {
		g.pairs = append(g.pairs, newPairTable())
	}
	return g
}

// expect says that so many groups may come.
func (g *grouper) expect(n int) {
	switch len(g.columns) {
	case 0:
	case 1:
		g.columns[0].words.expect(n)
		g.columns[0].texts.expect(n)
	default:
		g.pairs[len(g.pairs)-1].expect(n)
	}
}

// count is the number of groups.
func (g *grouper) count() int {
	switch len(g.columns) {
	case 0:
		return 1
	case 1:
		return g.columns[0].count
	}
	return len(g.pairs[len(g.pairs)-1].words)
}

// intern puts the group of each of the keys' rows into groups.
func (g *grouper) intern(keys []arrow.Array, groups []uint32) {
	if len(keys) == 0 {
		clear(groups)
		return
	}
	g.columns[0].intern(keys[0], groups)
	lefts := g.columns[0].count
	for i, key := range keys[1:] {
		g.codes = grown(g.codes, len(groups))
		g.columns[i+1].intern(key, g.codes)
		g.pairs[i].intern(groups, g.codes, lefts, g.columns[i+1].count)
		lefts = len(g.pairs[i].words)
	}
}

// internMany is intern for any number of rows: it stops where ctx is done.
func (g *grouper) internMany(ctx context.Context, keys []arrow.Array, groups []uint32) error {
	const piece = 1 << 16 // a few milliseconds of work
	some := make([]arrow.Array, len(keys))
	for from := 0; from < len(groups); from += piece {
		if ctx.Err() != nil {
			return cancelled(ctx)
		}
		to := min(from+piece, len(groups))
		for i, key := range keys {
			some[i] = vec.Slice(key, from, to)
		}
		g.intern(some, groups[from:to])
	}
	return nil
}

// lookup is what one goroutine needs to find groups in a grouper that nobody changes any more.
type lookup struct {
	grouper *grouper
	caches  []columnCache
	codes   []uint32
}

func newLookup(g *grouper) *lookup {
	return &lookup{grouper: g, caches: make([]columnCache, len(g.columns))}
}

// find puts the group of each row into groups, none where there is no such group.
func (l *lookup) find(keys []arrow.Array, groups []uint32) {
	if len(keys) == 0 {
		clear(groups)
		return
	}
	l.grouper.columns[0].find(keys[0], groups, &l.caches[0])
	for i, key := range keys[1:] {
		l.codes = grown(l.codes, len(groups))
		l.grouper.columns[i+1].find(key, l.codes, &l.caches[i+1])
		l.grouper.pairs[i].find(groups, l.codes)
	}
}

// keys returns the key columns, group i in row i.
func (g *grouper) keys() ([]arrow.Array, error) {
	keys := make([]arrow.Array, len(g.columns))
	if g.count() == 0 || len(keys) == 0 {
		return keys, nil
	}
	groups := make([]uint32, g.count())
	for i := range groups {
		groups[i] = uint32(i)
	}
	rows := make([]int32, len(groups))
	for i := len(keys) - 1; i >= 0; i-- {
		values, err := g.columns[i].values()
		if err != nil {
			return nil, sqlerr.Wrap(sqlerr.Resource, err, "the values of a grouping key are too large")
		}
		if len(keys) == 1 {
			keys[0] = values
			break
		}
		for j, group := range groups {
			rows[j] = int32(group)
			if i > 0 {
				pair := g.pairs[i-1].words[group]
				groups[j], rows[j] = uint32(pair>>32), int32(uint32(pair))
			}
		}
		keys[i] = vec.Take(values, rows)
	}
	return keys, nil
}

func (g *grouper) bytes() (n int64) {
	for _, c := range g.columns {
		n += c.bytes()
	}
	for i := range g.pairs {
		n += g.pairs[i].bytes() + 4*int64(len(g.pairs[i].direct))
	}
	return n + 4*int64(cap(g.codes))
}

// pairTable numbers pairs of numbers.
type pairTable struct {
	wordTable
	// direct has the number + 1 of the pair l, r at l<<shift + r, 0 for pairs not yet looked up. It stands before the word table while
	// there are few pairs that could be: then a look-up is one read from the cache.
	direct []uint32
	shift  int
}

// directPairs is the most entries of a direct table: 256 KiB, about a core's second cache.
const directPairs = 1 << 16

func newPairTable() pairTable { return pairTable{wordTable: newWordTable()} }

// intern replaces left[i] by the number of the pair left[i], right[i]; numbers are below lefts and rights.
func (t *pairTable) intern(left, right []uint32, lefts, rights int) {
	shift := bits.Len(uint(max(rights, 1) - 1))
	size := max(lefts, 1) << shift
	if size > directPairs {
		t.direct = nil
		for i, l := range left {
			left[i] = t.number(l, right[i])
		}
		return
	}
	if shift != t.shift || size > len(t.direct) {
		t.direct, t.shift = make([]uint32, min(2*size, directPairs)), shift
	}
	for i, l := range left {
		at := &t.direct[int(l)<<shift+int(right[i])]
		if *at == 0 {
			*at = t.number(l, right[i]) + 1
		}
		left[i] = *at - 1
	}
}

func (t *pairTable) number(l, r uint32) uint32 {
	w := uint64(l)<<32 | uint64(r)
	n := t.wordTable.find(w)
	if n == none {
		n = t.insert(w)
	}
	return n
}

// find replaces left[i] by the number of the pair, none if there is none.
func (t *pairTable) find(left, right []uint32) {
	for i, l := range left {
		if l == none || right[i] == none {
			left[i] = none
		} else {
			left[i] = t.wordTable.find(uint64(l)<<32 | uint64(right[i]))
		}
	}
}

// grown returns s with length n; contents are undefined.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
