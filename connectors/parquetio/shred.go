package parquetio

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"github.com/trailql/trailql/engine/vec"
)

// shredded is a leaf of one array in the form of Melnik et al., "Dremel" (VLDB 2010): an entry per value and per NULL or
// empty ancestor, with its definition and repetition level. at is the row in the leaf array, -1 where there is no value.
type shredded struct {
	leaf     arrow.Array
	def, rep []int16 // rep is nil where nothing on the path repeats
	at       []int32
}

// shred follows path down from column: child ordinals of rows; a list has the child 0 (its elements), a map 0 (keys) and
// 1 (values). Every node is optional but a map's keys. Rows may be dictionary-coded: then only the entries are looked at one by one.
func shred(column arrow.Array, path []int) shredded {
	if d, ok := column.(*array.Dictionary); ok && len(path) > 0 {
		entries := shred(d.Dictionary(), path)
		return entries.spread(d)
	}
	n := column.Len()
	s := shredded{leaf: column, def: make([]int16, n), at: make([]int32, n)}
	for i := range s.at {
		s.at[i] = int32(i)
	}
	level := int16(0) // definition level of an entry that is present so far
	repeated := int16(0)
	optional := true
	for depth := 0; ; depth++ {
		if optional {
			level++
			s.dropNulls(level)
		}
		if depth == len(path) {
			return s
		}
		child := path[depth]
		optional = true
		switch a := s.leaf.(type) {
		case *array.Struct:
			s.leaf = a.Field(child)
		case *array.Map: // before List: a map is one, of pairs
			repeated++
			level++
			s.expand(a, level, repeated)
			s.leaf = a.ListValues().(*array.Struct).Field(child) // not Keys and Items: they forget the offset of the pairs
			optional = child == 1
		case *array.List:
			repeated++
			level++
			s.expand(a, level, repeated)
			s.leaf = a.ListValues()
		default:
			panic("parquetio: no children below " + s.leaf.DataType().String())
		}
	}
}

// spread gives the rows of d what their entries have.
func (s *shredded) spread(d *array.Dictionary) shredded {
	codes, nulls := vec.Codes(d), vec.NullCount(d) > 0
	valid, offset := d.NullBitmapBytes(), d.Data().Offset()
	out := shredded{leaf: s.leaf, def: make([]int16, 0, len(codes)), at: make([]int32, 0, len(codes))}
	if s.rep == nil {
		for i, code := range codes {
			if nulls && bitutil.BitIsNotSet(valid, offset+i) {
				out.def, out.at = append(out.def, 0), append(out.at, -1)
			} else {
				out.def, out.at = append(out.def, s.def[code]), append(out.at, s.at[code])
			}
		}
		return out
	}
	var starts []int // of the entries in s
	for i, rep := range s.rep {
		if rep == 0 {
			starts = append(starts, i)
		}
	}
	starts = append(starts, len(s.rep))
	out.rep = make([]int16, 0, len(codes))
	for i, code := range codes {
		if nulls && bitutil.BitIsNotSet(valid, offset+i) {
			out.def, out.rep, out.at = append(out.def, 0), append(out.rep, 0), append(out.at, -1)
		} else {
			from, to := starts[code], starts[code+1]
			out.def, out.rep, out.at = append(out.def, s.def[from:to]...), append(out.rep, s.rep[from:to]...), append(out.at, s.at[from:to]...)
		}
	}
	return out
}

// dropNulls gives the entries whose value is not NULL the level, the others no value.
func (s *shredded) dropNulls(level int16) {
	if vec.NullCount(s.leaf) == 0 {
		for i, at := range s.at {
			if at >= 0 {
				s.def[i] = level
			}
		}
		return
	}
	valid, offset := s.leaf.NullBitmapBytes(), s.leaf.Data().Offset()
	for i, at := range s.at {
		switch {
		case at < 0:
		case bitutil.BitIsSet(valid, offset+int(at)):
			s.def[i] = level
		default:
			s.at[i] = -1
		}
	}
}

// expand replaces each entry with a list by its elements; they get the definition level, and from the second on the
// repetition level. An empty list keeps its entry, without a value.
func (s *shredded) expand(lists interface {
	ValueOffsets(int) (int64, int64)
}, level, repetition int16) {
	out := shredded{def: make([]int16, 0, len(s.def)), rep: make([]int16, 0, len(s.def)), at: make([]int32, 0, len(s.at))}
	for i, at := range s.at {
		rep := int16(0)
		if s.rep != nil {
			rep = s.rep[i]
		}
		var start, end int64
		if at >= 0 {
			start, end = lists.ValueOffsets(int(at))
		}
		if start == end {
			out.def, out.rep, out.at = append(out.def, s.def[i]), append(out.rep, rep), append(out.at, -1)
			continue
		}
		for k := start; k < end; k++ {
			out.def, out.rep, out.at = append(out.def, level), append(out.rep, rep), append(out.at, int32(k))
			rep = repetition
		}
	}
	s.def, s.rep, s.at = out.def, out.rep, out.at
}
