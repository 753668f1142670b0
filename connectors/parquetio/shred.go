package parquetio

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

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
// 1 (values). Every node is optional but a map's keys.
func shred(column arrow.Array, path []int) shredded {
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

// dropNulls gives the entries whose value is not NULL the level, the others no value.
func (s *shredded) dropNulls(level int16) {
	nulls := vec.NullCount(s.leaf) > 0
	for i, at := range s.at {
		switch {
		case at < 0:
		case nulls && s.leaf.IsNull(int(at)):
			s.at[i] = -1
		default:
			s.def[i] = level
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
