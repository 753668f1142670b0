package parquetio

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// leafValues gathers the values of a leaf for one batch: a slot per row, or below a list per element.
type leafValues struct {
	rows  int
	nulls int
	valid []byte // bitmap

	codes  []int32
	int32s []int32
	int64s []int64
	bools  []uint8
	text   strings.Builder // unlike a slice it grows without being cleared first
	ends   []int32         // of each text, 0 before the first

	levels   bool // keep the levels of all entries, for assembling
	entries  int
	def, rep []uint8 // def is at the maximum where the leaf has none
}

// appendValidity appends the validity of slots, valid where they have the given level or more; so many are not.
func (v *leafValues) appendValidity(slots []uint8, has uint8, nulls int) {
	if nulls == 0 {
		v.appendValid(len(slots))
		return
	}
	v.nulls += nulls
	for len(slots) > 0 {
		if v.rows%8 == 0 {
			v.valid = append(v.valid, 0)
		}
		n := min(len(slots), 8-v.rows%8)
		bits := uint8(0)
		for i, d := range slots[:n] {
			bit := uint8(0)
			if d >= has {
				bit = 1
			}
			bits |= bit << i
		}
		v.valid[v.rows/8] |= bits << (v.rows % 8)
		v.rows += n
		slots = slots[n:]
	}
}

func (v *leafValues) appendValid(n int) {
	if used := v.rows % 8; used > 0 && n > 0 {
		v.valid[v.rows/8] |= 255 << used
	}
	v.rows += n
	for 8*len(v.valid) < v.rows {
		v.valid = append(v.valid, 255)
	}
	if used := v.rows % 8; used > 0 && n > 0 { // of the last byte only what is used: the next slots are added to it
		v.valid[v.rows/8] &= 1<<used - 1
	}
}

// maxBatchText is how much text a batch may have: offsets are 32 bits wide.
const maxBatchText = math.MaxInt32 / 2

var errTooMuchText = errors.New("more than 1 GiB of text in one batch")

// appendTexts appends len(ends)-1 texts that stand one after the other in raw, each behind lead bytes that are none of it.
func (v *leafValues) appendTexts(raw []byte, ends []int32, lead int32) error {
	n := len(ends) - 1
	if v.text.Len()+int(ends[n]-ends[0]) > maxBatchText {
		return errTooMuchText
	}
	v.ends = slices.Grow(v.ends, n)
	if lead == 0 {
		shift := int32(v.text.Len()) - ends[0]
		_, _ = v.text.Write(raw[ends[0]:ends[n]])
		for _, end := range ends[1:] {
			v.ends = append(v.ends, end+shift)
		}
		return nil
	}
	for i, end := range ends[1:] {
		_, _ = v.text.Write(raw[ends[i]+lead : end])
		v.ends = append(v.ends, int32(v.text.Len()))
	}
	return nil
}

// appendEntries appends the texts of codes.
func (v *leafValues) appendEntries(dict *entryTable, codes []int32) error {
	size := 0
	for _, c := range codes {
		size += int(dict.ends[c+1] - dict.ends[c])
	}
	if v.text.Len()+size > maxBatchText {
		return errTooMuchText
	}
	v.text.Grow(size)
	v.ends = slices.Grow(v.ends, len(codes))
	for _, c := range codes {
		_, _ = v.text.Write(dict.raw[dict.ends[c]:dict.ends[c+1]])
		v.ends = append(v.ends, int32(v.text.Len()))
	}
	return nil
}

// spreadEnds makes the last ends, which are those of the slots that have a text, the ends of all slots: the others have empty ones.
func (v *leafValues) spreadEnds(slots []uint8, has uint8) {
	if slots == nil {
		return
	}
	n := bytes.Count(slots, []byte{has})
	before := len(v.ends) - n
	v.ends = slices.Grow(v.ends, len(slots)-n)[:before+len(slots)]
	next := before + n - 1
	for i := len(slots) - 1; i >= 0; i-- { // from behind: an end moves up, if at all
		v.ends[before+i] = v.ends[next]
		if slots[i] == has {
			next--
		}
	}
}

// keepLevels keeps the levels of the entries [from, to) of a page of n.
func (v *leafValues) keepLevels(n *node, p *page, from, to int32) {
	if !v.levels {
		return
	}
	v.entries += int(to - from)
	switch {
	case p.def != nil:
		v.def = append(v.def, p.def[from:to]...)
	case n.def > 0:
		for range to - from {
			v.def = append(v.def, uint8(n.def))
		}
	}
	if p.rep != nil {
		v.rep = append(v.rep, p.rep[from:to]...)
	}
}

func bitmapBuffer(valid []byte, nulls int) *memory.Buffer {
	if nulls == 0 {
		return nil
	}
	return memory.NewBufferBytes(valid)
}

func fixed(t arrow.DataType, n int, valid []byte, nulls int, values []byte) arrow.Array {
	return array.MakeFromData(array.NewData(t, n, []*memory.Buffer{bitmapBuffer(valid, nulls), memory.NewBufferBytes(values)}, nil, nulls, 0))
}

func (v *leafValues) byteArrays(t arrow.DataType) arrow.Array {
	return array.MakeFromData(array.NewData(t, v.rows, []*memory.Buffer{bitmapBuffer(v.valid, v.nulls),
		memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(v.ends)), memory.NewBufferBytes(rawText(v.text.String()))}, nil, v.nulls, 0))
}

// array builds the leaf's array; entries is the dictionary where the values are codes.
func (v *leafValues) array(t sqltype.Type, entries *array.String) (arrow.Array, error) {
	form := t.Arrow()
	switch t.Kind {
	case sqltype.Varchar, sqltype.JSON:
		if entries != nil {
			codes := array.NewData(arrow.PrimitiveTypes.Int32, v.rows, []*memory.Buffer{bitmapBuffer(v.valid, v.nulls),
				memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(v.codes))}, nil, v.nulls, 0)
			return array.NewDictionaryArray(sqltype.DictionaryString, array.MakeFromData(codes), entries), nil
		}
		return v.byteArrays(form), nil
	case sqltype.Varbinary:
		return v.byteArrays(form), nil
	case sqltype.Boolean:
		bits := make([]byte, (len(v.bools)+7)/8)
		for i, b := range v.bools {
			bits[i/8] |= b << (i % 8)
		}
		return fixed(form, v.rows, v.valid, v.nulls, bits), nil
	case sqltype.TinyInt:
		small, err := narrow[int8](v.int32s, math.MinInt8, math.MaxInt8)
		return fixed(form, v.rows, v.valid, v.nulls, arrow.Int8Traits.CastToBytes(small)), err
	case sqltype.SmallInt:
		small, err := narrow[int16](v.int32s, math.MinInt16, math.MaxInt16)
		return fixed(form, v.rows, v.valid, v.nulls, arrow.Int16Traits.CastToBytes(small)), err
	case sqltype.Integer, sqltype.Date, sqltype.Real:
		return fixed(form, v.rows, v.valid, v.nulls, arrow.Int32Traits.CastToBytes(v.int32s)), nil
	default: // bigint, timestamp, double; newShape let no other type pass
		return fixed(form, v.rows, v.valid, v.nulls, arrow.Int64Traits.CastToBytes(v.int64s)), nil
	}
}

func narrow[T int8 | int16](values []int32, lo, hi int32) ([]T, error) {
	out := make([]T, len(values))
	for i, v := range values {
		if v < lo || v > hi {
			return nil, fmt.Errorf("the value %d is outside of %d to %d", v, lo, hi)
		}
		out[i] = T(v)
	}
	return out, nil
}

// shape says how a column, or a field below it, is assembled from the leaves of one file.
type shape struct {
	t    sqltype.Type
	node *node   // nil: the file does not have it, all is NULL
	kids []shape // of a row its fields; of an array its elements; of a map keys and values
	list *node   // the repeated node of an array or map
}

// newShape matches a type with the file's schema; an error says what does not fit.
func newShape(t sqltype.Type, n *node) (shape, error) {
	s := shape{t: t, node: n}
	if n == nil {
		return s, nil
	}
	misfit := func() (shape, error) {
		return s, fmt.Errorf("%q has another form in the file than type %s needs", n.name, t)
	}
	if n.repetition == repeated {
		return misfit()
	}
	var types []sqltype.Type
	var nodes []*node
	switch t.Kind {
	case sqltype.Row:
		if n.children == nil {
			return misfit()
		}
		for _, f := range t.Fields {
			types, nodes = append(types, f.Type), append(nodes, n.child(f.Name))
		}
	case sqltype.Array, sqltype.Map:
		if len(n.children) != 1 || n.children[0].repetition != repeated {
			return misfit()
		}
		s.list = n.children[0]
		if t.Kind == sqltype.Array {
			types = []sqltype.Type{*t.Elem}
		} else {
			types = []sqltype.Type{*t.Key, *t.Elem}
		}
		if nodes = s.list.children; len(nodes) != len(types) || t.Kind == sqltype.Map && nodes[0].repetition != required {
			return misfit()
		}
	default:
		if n.children != nil || !fits(t, n) {
			return misfit()
		}
		return s, nil
	}
	for i := range types {
		kid, err := newShape(types[i], nodes[i])
		if err != nil {
			return s, err
		}
		s.kids = append(s.kids, kid)
	}
	return s, nil
}

// fits reports whether a leaf holds values of the type.
func fits(t sqltype.Type, n *node) bool {
	switch t.Kind {
	case sqltype.Boolean:
		return n.physical == physicalBoolean
	case sqltype.TinyInt, sqltype.SmallInt, sqltype.Integer:
		return n.physical == physicalInt32 && n.logical == logicalNone
	case sqltype.BigInt:
		return n.physical == physicalInt64 && n.logical == logicalNone
	case sqltype.Real:
		return n.physical == physicalFloat
	case sqltype.Double:
		return n.physical == physicalDouble
	case sqltype.Varchar, sqltype.JSON:
		return n.physical == physicalByteArray && (n.logical == logicalText || n.logical == logicalNone)
	case sqltype.Varbinary:
		return n.physical == physicalByteArray
	case sqltype.Date:
		return n.physical == physicalInt32 && n.logical == logicalDate
	case sqltype.Timestamp:
		return n.physical == physicalInt64 && n.logical == logicalTimestampMicros
	}
	return false
}

// isLeaf reports whether the shape is read as it is, without assembling.
func (s *shape) isLeaf() bool { return s.node != nil && s.node.children == nil }

// leaves adds the leaves that assembling needs. Of a row of which the file has no wanted field, the first leaf tells
// where it is NULL.
func (s *shape) leaves(into []*node) []*node {
	if s.node == nil {
		return into
	}
	if s.isLeaf() {
		return append(into, s.node)
	}
	before := len(into)
	for i := range s.kids {
		into = s.kids[i].leaves(into)
	}
	if len(into) == before {
		into = append(into, s.node.firstLeaf())
	}
	return into
}

func (n *node) firstLeaf() *node {
	for n.children != nil {
		n = n.children[0]
	}
	return n
}

// assemble builds the array of s. from holds the leaves by ordinal. present is the definition level from which on an entry has a
// slot in the nearest repeated node above s, rep that node's repetition level; n is the number of slots, for shapes without
// a node.
func (s *shape) assemble(from map[int]*leafValues, present, rep, n int) (arrow.Array, error) {
	if s.node == nil {
		return vec.Nulls(s.t, n), nil
	}
	if s.isLeaf() {
		return from[s.node.leaf].array(s.t, nil)
	}
	def, reps := from[s.leaves(nil)[0].leaf].entryLevels()
	slots := make([]uint8, 0, n)
	valid := leafValues{}
	validity := func() {
		nulls := 0
		for _, d := range slots {
			if int(d) < s.node.def {
				nulls++
			}
		}
		valid.appendValidity(slots, uint8(s.node.def), nulls)
	}
	switch s.t.Kind {
	case sqltype.Row:
		for e, d := range def {
			if int(d) >= present && int(reps[e]) <= rep {
				slots = append(slots, d)
			}
		}
		validity()
		fields := make([]arrow.ArrayData, len(s.kids))
		for i := range s.kids {
			a, err := s.kids[i].assemble(from, present, rep, valid.rows)
			if err != nil {
				return nil, err
			}
			if a.Len() != valid.rows {
				return nil, fmt.Errorf("fields of %q have %d and %d values", s.node.name, a.Len(), valid.rows)
			}
			fields[i] = a.Data()
		}
		return array.MakeFromData(array.NewData(s.t.Arrow(), valid.rows, []*memory.Buffer{bitmapBuffer(valid.valid, valid.nulls)}, fields, valid.nulls, 0)), nil
	default:
		offsets := make([]int32, 0, n+1)
		elements := int32(0)
		for e, d := range def {
			switch r := int(reps[e]); {
			case int(d) < present:
			case r <= rep: // a new list
				offsets, slots = append(offsets, elements), append(slots, d)
				if int(d) >= s.list.def {
					elements++
				}
			case r == s.list.rep:
				elements++
			}
		}
		offsets = append(offsets, elements)
		validity()
		form := s.t.Arrow()
		kids := make([]arrow.ArrayData, len(s.kids))
		for i := range s.kids {
			a, err := s.kids[i].assemble(from, s.list.def, s.list.rep, int(elements))
			if err != nil {
				return nil, err
			}
			if a.Len() != int(elements) {
				return nil, fmt.Errorf("lists of %q have %d and %d values", s.node.name, a.Len(), elements)
			}
			kids[i] = a.Data()
		}
		if m, ok := form.(*arrow.MapType); ok {
			kids = []arrow.ArrayData{array.NewData(m.Elem(), int(elements), []*memory.Buffer{nil}, kids, 0, 0)}
		}
		return array.MakeFromData(array.NewData(form, valid.rows, []*memory.Buffer{bitmapBuffer(valid.valid, valid.nulls),
			memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))}, kids, valid.nulls, 0)), nil
	}
}

// entryLevels returns the levels of all entries.
func (v *leafValues) entryLevels() (def, rep []uint8) {
	if def, rep = v.def, v.rep; len(def) == 0 {
		def = slices.Repeat([]uint8{math.MaxUint8}, v.entries)
	}
	if len(rep) == 0 {
		rep = make([]uint8, v.entries)
	}
	return def, rep
}

// pathShape follows the fields of a path, each an ordinal into a row type; the node is nil where the file does not have it.
func pathShape(t sqltype.Type, n *node, fields []int) (sqltype.Type, *node, error) {
	for _, f := range fields {
		if t.Kind != sqltype.Row || f < 0 || f >= len(t.Fields) {
			return t, nil, fmt.Errorf("parquetio: a path leads below %s", t)
		}
		if n != nil {
			if n.children == nil || n.repetition == repeated {
				return t, nil, fmt.Errorf("%q has another form in the file than type %s needs", n.name, t)
			}
			n = n.child(t.Fields[f].Name)
		}
		t = t.Fields[f].Type
	}
	return t, n, nil
}
