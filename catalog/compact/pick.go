package compact

import (
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/vec"
)

// Decoded rows have dictionary-coded text also below rows and lists, where everything else expects plain text, and some columns of rows
// are dictionary-coded themselves; so it is with rows picked from them: the writer of files takes codes as they are. For all other uses
// usual makes the usual forms.

// rowPicker takes rows out of several batches at a time, in any order: each value is copied once.
type rowPicker []*picker

func newRowPicker(sources []vec.Batch) rowPicker {
	p := make(rowPicker, len(sources[0].Cols))
	arrays := make([]arrow.Array, len(sources))
	for i := range p {
		for k, b := range sources {
			arrays[k] = b.Cols[i]
		}
		p[i] = newPicker(arrays)
	}
	return p
}

// piece is a sequence of rows of the picker's sources: row[i] of source[i]. They are picked when they are needed.
type piece struct {
	rowPicker
	source, row []int32
}

// pick returns the rows. A dictionary has no more entries than the rows need; an entry may be there twice, if it comes from two sources.
func (p piece) pick() vec.Batch {
	b := vec.Batch{Len: len(p.row), Cols: make([]arrow.Array, len(p.rowPicker))}
	for i, c := range p.rowPicker {
		b.Cols[i] = c.pick(p.source, p.row)
	}
	return b
}

// columns is pick for some columns; the others are nil.
func (p piece) columns(columns ...int) vec.Batch {
	b := vec.Batch{Len: len(p.row), Cols: make([]arrow.Array, len(p.rowPicker))}
	for _, i := range columns {
		b.Cols[i] = p.rowPicker[i].pick(p.source, p.row)
	}
	return b
}

// take is the piece that has some of the rows.
func (p piece) take(rows []int32) piece {
	out := piece{p.rowPicker, make([]int32, len(rows)), make([]int32, len(rows))}
	for i, r := range rows {
		out.source[i], out.row[i] = p.source[r], p.row[r]
	}
	return out
}

// pieceOf is a piece of all rows of a batch.
func pieceOf(b vec.Batch) piece {
	return piece{newRowPicker([]vec.Batch{b}), make([]int32, b.Len), upTo(b.Len)}
}

// picker is a column, or part of one, of several sources.
type picker struct {
	dt       arrow.DataType
	sources  []pickSource
	children []*picker
	marks    []mark // of dictionary entries that have a new code
}

type mark struct{ source, entry int32 }

// pickSource is the column of one source.
type pickSource struct {
	a       arrow.Array
	valid   []byte // nil: no NULL
	offset  int    // of the first row in valid
	none    bool   // all are NULL
	offsets []int32
	bytes   []byte
	codes   []int32
	seen    []int32 // by entry: its new code plus one; 0 outside of pick
}

func (s *pickSource) isValid(row int32) bool {
	if s.valid == nil {
		return !s.none
	}
	i := s.offset + int(row)
	return s.valid[i>>3]>>(i&7)&1 != 0
}

// texts opens a plain array of text.
func (s *pickSource) texts(a arrow.ArrayData) {
	if a.Len() > 0 {
		s.offsets = arrow.GetOffsets[int32](a, 1)
		if b := a.Buffers()[2]; b != nil {
			s.bytes = b.Bytes()
		}
	}
}

func newPicker(arrays []arrow.Array) *picker {
	p := &picker{dt: arrays[0].DataType(), sources: make([]pickSource, len(arrays))}
	children := make([][]arrow.Array, 0)
	child := func(k int, a arrow.Array) {
		for len(children) <= k {
			children = append(children, nil)
		}
		children[k] = append(children[k], a)
	}
	for i, a := range arrays {
		s := &p.sources[i]
		s.a, s.offset, s.none = a, a.Data().Offset(), a.Len() > 0 && a.NullN() == a.Len()
		if a.NullN() > 0 {
			s.valid = a.NullBitmapBytes()
		}
		switch a := a.(type) {
		case *array.Dictionary:
			s.codes = vec.Codes(a)
			s.seen = make([]int32, a.Data().Dictionary().Len())
			if entries := a.Data().Dictionary(); entries.DataType().ID() == arrow.STRING {
				s.texts(entries)
			} else {
				child(0, array.MakeFromData(entries))
			}
		case *array.String:
			s.texts(a.Data())
		case *array.Struct:
			for k := range a.NumField() {
				child(k, a.Field(k))
			}
		case *array.List, *array.Map:
			if a.Len() > 0 {
				s.offsets = arrow.GetOffsets[int32](a.Data(), 1)
			}
			child(0, array.MakeFromData(a.Data().Children()[0]))
		}
	}
	for _, c := range children {
		p.children = append(p.children, newPicker(c))
	}
	return p
}

func (p *picker) pick(source, row []int32) arrow.Array {
	switch p.dt.ID() {
	case arrow.DICTIONARY:
		return p.pickCodes(source, row)
	case arrow.STRING:
		return p.pickTexts(source, row)
	case arrow.DATE32:
		return pickFixed[arrow.Date32](p, source, row)
	case arrow.INT64:
		return pickFixed[int64](p, source, row)
	case arrow.TIMESTAMP:
		return pickFixed[arrow.Timestamp](p, source, row)
	case arrow.STRUCT:
		children := make([]arrow.Array, len(p.children))
		for i, c := range p.children {
			children[i] = c.pick(source, row)
		}
		valid, nulls := p.validity(source, row)
		return structOf(p.dt.(*arrow.StructType), children, len(row), valid, nulls)
	case arrow.LIST, arrow.MAP:
		return p.pickLists(source, row)
	}
	if len(p.sources) == 1 {
		return vec.Take(p.sources[0].a, row)
	}
	panic(fmt.Sprintf("compact: no rows can be picked of %s", p.dt))
}

// validity returns the validity bitmap of the rows, nil if none is NULL, and how many are.
func (p *picker) validity(source, row []int32) (*memory.Buffer, int) {
	out := make([]byte, (len(row)+7)/8)
	nulls := len(row)
	for i, k := range source {
		if p.sources[k].isValid(row[i]) {
			out[i>>3] |= 1 << (i & 7)
			nulls--
		}
	}
	if nulls == 0 {
		return nil, 0
	}
	return memory.NewBufferBytes(out), nulls
}

func pickFixed[T arrow.FixedWidthType](p *picker, source, row []int32) arrow.Array {
	from := make([][]T, len(p.sources))
	for i := range from {
		from[i] = arrow.GetValues[T](p.sources[i].a.Data(), 1)
	}
	out := make([]T, len(row))
	for i, k := range source {
		out[i] = from[k][row[i]]
	}
	valid, nulls := p.validity(source, row)
	return array.MakeFromData(array.NewData(p.dt, len(row), []*memory.Buffer{valid, memory.NewBufferBytes(arrow.GetBytes(out))}, nil, nulls, 0))
}

func (p *picker) pickTexts(source, row []int32) arrow.Array {
	valid, nulls := p.validity(source, row)
	offsets := make([]int32, len(row)+1)
	total := 0
	for i, k := range source {
		if s := &p.sources[k]; s.isValid(row[i]) {
			total += int(s.offsets[row[i]+1] - s.offsets[row[i]])
		}
		if total > math.MaxInt32 {
			panic("compact: more than 2 GiB of text in one window")
		}
		offsets[i+1] = int32(total)
	}
	text := make([]byte, 0, total)
	for i, k := range source {
		if offsets[i+1] > offsets[i] {
			s := &p.sources[k]
			text = append(text, s.bytes[s.offsets[row[i]]:s.offsets[row[i]+1]]...)
		}
	}
	return textArray(valid, offsets, text, nulls)
}

func textArray(valid *memory.Buffer, offsets []int32, text []byte, nulls int) arrow.Array {
	return array.MakeFromData(array.NewData(arrow.BinaryTypes.String, len(offsets)-1,
		[]*memory.Buffer{valid, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets)), memory.NewBufferBytes(text)}, nil, nulls, 0))
}

func (p *picker) pickCodes(source, row []int32) arrow.Array {
	codes := make([]int32, len(row))
	valid := make([]byte, (len(row)+7)/8)
	nulls := 0
	p.marks = p.marks[:0]
	for i, k := range source {
		s := &p.sources[k]
		if !s.isValid(row[i]) {
			nulls++
			continue
		}
		valid[i>>3] |= 1 << (i & 7)
		entry := s.codes[row[i]]
		code := s.seen[entry]
		if code == 0 {
			p.marks = append(p.marks, mark{k, entry})
			code = int32(len(p.marks))
			s.seen[entry] = code
		}
		codes[i] = code - 1
	}
	for _, m := range p.marks {
		p.sources[m.source].seen[m.entry] = 0
	}
	var buffer *memory.Buffer
	if nulls > 0 {
		buffer = memory.NewBufferBytes(valid)
	}
	entries := p.pickEntries()
	dt := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: entries.DataType()}
	return array.MakeFromData(array.NewDataWithDictionary(dt, len(row),
		[]*memory.Buffer{buffer, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(codes))}, nulls, 0, entries.Data().(*array.Data)))
}

// pickEntries returns the marked entries.
func (p *picker) pickEntries() arrow.Array {
	if len(p.children) > 0 {
		source, row := make([]int32, len(p.marks)), make([]int32, len(p.marks))
		for i, m := range p.marks {
			source[i], row[i] = m.source, m.entry
		}
		return p.children[0].pick(source, row)
	}
	total := 0
	for _, m := range p.marks {
		s := &p.sources[m.source]
		total += int(s.offsets[m.entry+1] - s.offsets[m.entry])
	}
	offsets := make([]int32, len(p.marks)+1)
	text := make([]byte, 0, total)
	for i, m := range p.marks {
		s := &p.sources[m.source]
		text = append(text, s.bytes[s.offsets[m.entry]:s.offsets[m.entry+1]]...)
		offsets[i+1] = int32(len(text))
	}
	return textArray(nil, offsets, text, 0)
}

func (p *picker) pickLists(source, row []int32) arrow.Array {
	valid, nulls := p.validity(source, row)
	offsets := make([]int32, len(row)+1)
	var from, at []int32
	for i, k := range source {
		if s := &p.sources[k]; s.isValid(row[i]) {
			for e := s.offsets[row[i]]; e < s.offsets[row[i]+1]; e++ {
				from, at = append(from, k), append(at, e)
			}
		}
		offsets[i+1] = int32(len(at))
	}
	elements := p.children[0].pick(from, at)
	dt := p.dt
	if dt.ID() == arrow.LIST {
		dt = arrow.ListOf(elements.DataType())
	}
	return array.MakeFromData(array.NewData(dt, len(row), []*memory.Buffer{valid, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))},
		[]arrow.ArrayData{elements.Data()}, nulls, 0))
}

// usual gives a batch the usual forms: no dictionaries of rows, or below rows and lists.
func usual(b vec.Batch) vec.Batch {
	out := vec.Batch{Len: b.Len, Cols: make([]arrow.Array, len(b.Cols))}
	for i, c := range b.Cols {
		out.Cols[i] = usualColumn(c)
	}
	return out
}

// usualColumn is usual for one column.
func usualColumn(a arrow.Array) arrow.Array {
	switch a := a.(type) {
	case *array.Dictionary:
		if a.Data().Dictionary().DataType().ID() == arrow.STRING {
			break
		}
		rows := slices.Clone(vec.Codes(a))
		for i := range rows {
			if a.IsNull(i) {
				rows[i] = -1
			}
		}
		return vec.Take(usualColumn(a.Dictionary()), rows)
	case *array.Struct:
		children := make([]arrow.Array, a.NumField())
		for i := range children {
			children[i] = vec.Plain(usualColumn(a.Field(i)))
		}
		valid, nulls := newPicker([]arrow.Array{a}).validity(make([]int32, a.Len()), upTo(a.Len()))
		return structOf(a.DataType().(*arrow.StructType), children, a.Len(), valid, nulls)
	case *array.List:
		elements := vec.Plain(usualColumn(a.ListValues()))
		return array.MakeFromData(array.NewData(arrow.ListOf(elements.DataType()), a.Len(), a.Data().Buffers(), []arrow.ArrayData{elements.Data()}, a.NullN(), a.Data().Offset()))
	}
	return a
}

// upTo returns the rows 0 … n-1.
func upTo(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

// structOf makes an array of rows with the names of dt.
func structOf(dt *arrow.StructType, children []arrow.Array, n int, valid *memory.Buffer, nulls int) arrow.Array {
	fields := make([]arrow.Field, len(children))
	data := make([]arrow.ArrayData, len(children))
	for i, c := range children {
		fields[i] = arrow.Field{Name: dt.Field(i).Name, Type: c.DataType(), Nullable: true}
		data[i] = c.Data()
	}
	return array.MakeFromData(array.NewData(arrow.StructOf(fields...), n, []*memory.Buffer{valid}, data, nulls, 0))
}
