package fn

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// kept holds one value of any type per group. Values are copied out of their batch, a chunk per batch; chunks are
// joined when most of what they hold has been replaced.
type kept struct {
	chunks []arrow.Array
	at     []place
	size   int64
	rows   int // in all chunks
}

// place is where the value of a group is; chunk -1 if there is none.
type place struct{ chunk, row int32 }

func (k *kept) grow(count int) {
	old := len(k.at)
	k.at = grown(k.at, count)
	for g := old; g < count; g++ {
		k.at[g] = place{-1, -1}
	}
}

func (k *kept) has(g uint32) bool { return k.at[g].chunk >= 0 }

// set keeps row rows[i] of the datum for groups[i]; of several for one group the last stays.
func (k *kept) set(d vec.Datum, rows []int32, groups []uint32) error {
	if len(rows) == 0 {
		return nil
	}
	if d.Const {
		rows = make([]int32, len(rows))
	}
	return k.put(vec.Plain(vec.Take(d.Arr, rows)), groups)
}

// put keeps row i of a chunk that is the caller's no more for groups[i].
func (k *kept) put(chunk arrow.Array, groups []uint32) error {
	for i, g := range groups {
		k.at[g] = place{int32(len(k.chunks)), int32(i)}
	}
	k.chunks = append(k.chunks, chunk)
	k.rows += chunk.Len()
	k.size += vec.Size(chunk)
	if k.rows > 2*len(k.at)+4096 {
		return k.compact()
	}
	return nil
}

func (k *kept) compact() error {
	var groups []uint32
	for g := range k.at {
		if k.has(uint32(g)) {
			groups = append(groups, uint32(g))
		}
	}
	chunk, err := k.gather(groups)
	if err != nil {
		return err
	}
	k.chunks, k.rows, k.size = nil, 0, 0
	return k.put(chunk, groups)
}

// gather is the column of the values of the groups, NULL where a group has none.
func (k *kept) gather(groups []uint32) (arrow.Array, error) {
	all, base, err := joined(k.chunks)
	if err != nil {
		return nil, err
	}
	rows := make([]int32, len(groups))
	for i, g := range groups {
		rows[i] = -1
		if p := k.at[g]; p.chunk >= 0 {
			rows[i] = base[p.chunk] + p.row
		}
	}
	return vec.Take(all, rows), nil
}

// result is the values of groups 0…count-1.
func (k *kept) result(t sqltype.Type, count int) (arrow.Array, error) {
	k.grow(count)
	if len(k.chunks) == 0 {
		return vec.Nulls(t, count), nil
	}
	groups := make([]uint32, count)
	for g := range groups {
		groups[g] = uint32(g)
	}
	return k.gather(groups)
}

// take keeps the values that other has for its groups from, under the numbers of remap.
func (k *kept) take(other *kept, from []uint32, remap []uint32) error {
	if len(from) == 0 {
		return nil
	}
	chunk, err := other.gather(from)
	if err != nil {
		return err
	}
	groups := make([]uint32, len(from))
	for i, g := range from {
		groups[i] = remap[g]
	}
	return k.put(chunk, groups)
}

// picked has for each i the value of group from[i]. The chunks, which are never written to, are shared.
func (k *kept) picked(from []uint32) kept {
	out := kept{chunks: slices.Clip(k.chunks), at: make([]place, len(from)), size: k.size, rows: k.rows}
	for i, g := range from {
		if out.at[i] = (place{-1, -1}); int(g) < len(k.at) {
			out.at[i] = k.at[g]
		}
	}
	return out
}

func (k *kept) bytes() int64 { return k.size + bytesOf(k.at) }
