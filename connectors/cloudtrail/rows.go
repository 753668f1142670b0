package cloudtrail

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Rows gathers decoded rows by table. Used by one goroutine; the zero value is empty.
type Rows struct {
	tables  [len(tables)]*tableRows
	number  uint64 // of the tableRows, and the states of them, so far
	decoder *decoder
}

// Bytes is the memory that the rows hold.
func (r *Rows) Bytes() int64 {
	var n int64
	for _, t := range r.tables {
		if t != nil {
			n += t.size()
		}
	}
	return n
}

// Flush returns the rows by table, columns as in Schema without _conflict and _commit, repetitive strings and repetitive rows
// (useridentity, tlsdetails) dictionary-coded, and empties r. Within rows the children may be dictionary-coded too. An entry of a
// dictionary of rows may be there twice. Tables without rows are left out.
func (r *Rows) Flush() map[string]vec.Batch {
	out := map[string]vec.Batch{}
	for i, t := range r.tables {
		if t != nil && t.n > 0 {
			out[tables[i].name] = t.flush()
		}
		r.tables[i] = nil
	}
	return out
}

// save marks the present rows; restore goes back to them.
func (r *Rows) save() {
	for _, t := range r.tables {
		if t != nil {
			t.save()
		}
	}
}

func (r *Rows) restore() {
	for _, t := range r.tables {
		if t != nil {
			t.restore()
			r.number++
			t.number = r.number
		}
	}
}

// add adds the record that rd has read, and returns its time.
func (r *Rows) add(rec *record, path []byte, ordinal int64) (micros int64, timed bool) {
	t := r.tables[rec.table.index]
	if t == nil {
		r.number++
		t = newTableRows(rec.table, r.number)
		r.tables[rec.table.index] = t
	}
	return t.add(rec, path, ordinal)
}

// tableRows are the rows of one table, column by column. A column may be shorter than the table: the rest of it is NULL.
type tableRows struct {
	t      *table
	n      int
	saved  int
	number uint64 // other than that of all others, and than its own before rows were taken back

	blocks []blockRows
	other  struct{ texts, present []int } // slots outside of blocks

	texts   []column  // by slot of record.texts; those of a block are counted by its own
	present []bitmap  // by slot of record.present; likewise
	ends    []int32   // by row: where its elements of the list end
	items   []column  // of the list: the fields of its elements
	pairs   []int32   // by row, or by block of the one that has it: where its entries of the mapping end
	entries [2]column // of the mapping: keys, values

	account, region, shape, rest, path column
	micros                             []int64
	timed                              bitmap
	ordinal                            []int64
}

// blockRows are those of one block: each a code of one that came.
type blockRows struct {
	codes    []int32 // by row; -1 is NULL
	n, saved int     // blocks that came
}

func newTableRows(t *table, number uint64) *tableRows {
	r := &tableRows{t: t, number: number, texts: make([]column, t.texts), present: make([]bitmap, t.present), blocks: make([]blockRows, len(t.blocks))}
	r.other.texts, r.other.present = t.other()
	r.rest.plain = true
	r.entries[0].plain, r.entries[1].plain = true, true
	r.plain(t.top, r.texts)
	return r
}

func (t *tableRows) plain(o *object, columns []column) {
	for _, f := range o.fields {
		switch f.form {
		case asText, asJSON:
			columns[f.slot].plain = f.plain
		case asRow:
			t.plain(f.sub, columns)
		case asList:
			t.items = make([]column, len(f.sub.fields))
			t.plain(f.sub, t.items)
		}
	}
}

func (t *tableRows) add(rec *record, path []byte, ordinal int64) (micros int64, timed bool) {
	n := t.n
	t.n++
	for i := range t.blocks {
		if rec.present[t.t.blocks[i].slot] {
			b := &t.blocks[i]
			b.codes = add(padded(b.codes, n, -1), t.block(i, rec))
		}
	}
	for _, slot := range t.other.texts {
		if text := rec.texts[slot]; text != nil {
			t.texts[slot].set(n, text)
		}
	}
	for _, slot := range t.other.present {
		if rec.present[slot] {
			t.present[slot].set(n)
		}
	}
	if len(rec.list) > 0 {
		k := t.listed()
		for i, text := range rec.list {
			if text != nil {
				t.items[i%len(t.items)].set(k+i/len(t.items), text)
			}
		}
		t.ends = add(padded(t.ends, n, int32(k)), int32(k+len(rec.list)/len(t.items)))
	}
	if account := rec.account(); account != nil {
		t.account.set(n, account)
	}
	if region := rec.texts[t.t.region]; isRegion(region) {
		t.region.set(n, region)
	}
	t.shape.set(n, rec.shape)
	if len(rec.rest) > 0 {
		t.rest.set(n, rec.rest)
	}
	t.path.set(n, path)
	t.ordinal = add(t.ordinal, ordinal)
	if micros, timed = parseInstant(rec.texts[t.t.eventTime]); timed {
		t.micros = add(padded(t.micros, n, 0), micros)
		t.timed.set(n)
	}
	return micros, timed
}

// block returns the code of block i of a record. One that came before, as far as is known, is not added again.
func (t *tableRows) block(i int, rec *record) int32 {
	known := rec.blocks[i]
	if known != nil && known.rows == t.number {
		return known.code
	}
	b, slots := &t.blocks[i], t.t.blocks[i]
	n := b.n
	b.n++
	if known != nil {
		known.rows, known.code = t.number, int32(n)
	}
	for slot := slots.texts.from; slot < slots.texts.to; slot++ {
		if text := rec.texts[slot]; text != nil {
			t.texts[slot].set(n, text)
		}
	}
	for slot := slots.present.from; slot < slots.present.to; slot++ {
		if rec.present[slot] {
			t.present[slot].set(n)
		}
	}
	if i == t.t.mapIn && len(rec.mapping) > 0 {
		k := t.mapped()
		for i, text := range rec.mapping {
			t.entries[i%2].set(k+i/2, text)
		}
		t.pairs = add(padded(t.pairs, n, int32(k)), int32(k+len(rec.mapping)/2))
	}
	return int32(n)
}

// listed is the number of elements of the list so far, mapped that of entries of the mapping.
func (t *tableRows) listed() int { return int(last(t.ends)) }
func (t *tableRows) mapped() int { return int(last(t.pairs)) }

func last(ends []int32) int32 {
	if len(ends) == 0 {
		return 0
	}
	return ends[len(ends)-1]
}

func (t *tableRows) columns(do func(c *column)) {
	for i := range t.texts {
		do(&t.texts[i])
	}
	for i := range t.items {
		do(&t.items[i])
	}
	for _, c := range []*column{&t.entries[0], &t.entries[1], &t.account, &t.region, &t.shape, &t.rest, &t.path} {
		do(c)
	}
}

func (t *tableRows) size() int64 {
	var n int64
	t.columns(func(c *column) { n += c.size() })
	for _, b := range t.present {
		n += int64(cap(b))
	}
	for i := range t.blocks {
		n += 4 * int64(cap(t.blocks[i].codes))
	}
	n += 4*int64(cap(t.ends)+cap(t.pairs)) + 8*int64(cap(t.micros)+cap(t.ordinal)) + int64(cap(t.timed))
	return n
}

func (t *tableRows) save() {
	t.saved = t.n
	for i := range t.blocks {
		t.blocks[i].saved = t.blocks[i].n
	}
	t.columns((*column).save)
}

func (t *tableRows) restore() {
	n := t.saved
	t.ends = cut(t.ends, n)
	for _, slot := range t.other.texts {
		t.texts[slot].restore(n)
	}
	for _, slot := range t.other.present {
		t.present[slot].cut(n)
	}
	for i := range t.blocks {
		b, slots := &t.blocks[i], t.t.blocks[i]
		b.n, b.codes = b.saved, cut(b.codes, n)
		for slot := slots.texts.from; slot < slots.texts.to; slot++ {
			t.texts[slot].restore(b.n)
		}
		for slot := slots.present.from; slot < slots.present.to; slot++ {
			t.present[slot].cut(b.n)
		}
		if i == t.t.mapIn {
			t.pairs = cut(t.pairs, b.n)
		}
	}
	for i := range t.items {
		t.items[i].restore(t.listed())
	}
	for i := range t.entries {
		t.entries[i].restore(t.mapped())
	}
	for _, c := range []*column{&t.account, &t.region, &t.shape, &t.rest, &t.path} {
		c.restore(n)
	}
	t.timed.cut(n)
	t.micros, t.ordinal = cut(t.micros, n), cut(t.ordinal, n)
	t.n = n
}

// flush returns the rows; t is of no more use.
func (t *tableRows) flush() vec.Batch {
	b := vec.Batch{Len: t.n}
	for _, f := range t.t.top.fields {
		if f.form != noColumn {
			b.Cols = append(b.Cols, t.array(f, t.n))
		}
	}
	days := make([]int32, t.n)
	t.micros = padded(t.micros, t.n, 0)
	for i, m := range t.micros {
		days[i] = dayOf(m)
	}
	valid, nulls := t.timed.buffer(t.n)
	fixed := func(dt arrow.DataType, valid *memory.Buffer, nulls int, values []byte) arrow.Array {
		return array.MakeFromData(array.NewData(dt, t.n, []*memory.Buffer{valid, memory.NewBufferBytes(values)}, nil, nulls, 0))
	}
	b.Cols = append(b.Cols,
		t.account.array(t.n), t.region.array(t.n),
		fixed(sqltype.DateType.Arrow(), valid, nulls, arrow.Int32Traits.CastToBytes(days)),
		fixed(sqltype.TimestampType.Arrow(), valid, nulls, arrow.Int64Traits.CastToBytes(t.micros)),
		t.shape.array(t.n), t.rest.array(t.n), t.path.array(t.n),
		fixed(sqltype.BigIntType.Arrow(), nil, 0, arrow.Int64Traits.CastToBytes(t.ordinal)))
	return b
}

// array is the array of a field with n rows.
func (t *tableRows) array(f *field, n int) arrow.Array {
	switch f.form {
	case asRow:
		rows, valid := n, &t.present[f.slot]
		if f.block > 0 {
			n, valid = t.blocks[f.block-1].n, nil
		}
		children := make([]arrow.Array, len(f.sub.fields))
		for i, sub := range f.sub.fields {
			children[i] = t.array(sub, n)
		}
		a := structure(f.sub, children, n, valid)
		if f.block > 0 {
			a = coded(a, padded(t.blocks[f.block-1].codes, rows, -1))
		}
		return a
	case asList:
		rows := n
		n := t.listed()
		children := make([]arrow.Array, len(t.items))
		for i := range t.items {
			children[i] = t.items[i].array(n)
		}
		elements := structure(f.sub, children, n, nil)
		valid, nulls := t.present[f.slot].buffer(rows)
		return array.MakeFromData(array.NewData(arrow.ListOf(elements.DataType()), rows,
			[]*memory.Buffer{valid, offsets(t.ends, rows)}, []arrow.ArrayData{elements.Data()}, nulls, 0))
	case asMap:
		rows := n
		n := t.mapped()
		dt := sqltype.MapOf(sqltype.VarcharType, sqltype.VarcharType).Arrow().(*arrow.MapType)
		entries := array.NewData(dt.Elem(), n, []*memory.Buffer{nil},
			[]arrow.ArrayData{t.entries[0].array(n).Data(), t.entries[1].array(n).Data()}, 0, 0)
		valid, nulls := t.present[f.slot].buffer(rows)
		return array.MakeFromData(array.NewData(dt, rows, []*memory.Buffer{valid, offsets(t.pairs, rows)},
			[]arrow.ArrayData{entries}, nulls, 0))
	}
	return t.texts[f.slot].array(n)
}

// coded makes an array of rows that are entries of others; -1 is NULL.
func coded(entries arrow.Array, codes []int32) arrow.Array {
	valid, nulls := validCodes(codes)
	return array.MakeFromData(array.NewDataWithDictionary(&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: entries.DataType()}, len(codes),
		[]*memory.Buffer{valid, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(codes))}, nulls, 0, entries.Data().(*array.Data)))
}

// structure makes an array of rows; valid nil: none is NULL.
func structure(o *object, children []arrow.Array, n int, valid *bitmap) arrow.Array {
	fields := make([]arrow.Field, len(children))
	data := make([]arrow.ArrayData, len(children))
	for i, c := range children {
		fields[i] = arrow.Field{Name: o.fields[i].name(), Type: c.DataType(), Nullable: true}
		data[i] = c.Data()
	}
	var buffer *memory.Buffer
	nulls := 0
	if valid != nil {
		buffer, nulls = valid.buffer(n)
	}
	return array.MakeFromData(array.NewData(arrow.StructOf(fields...), n, []*memory.Buffer{buffer}, data, nulls, 0))
}

// offsets returns the offsets of n lists from their ends.
func offsets(ends []int32, n int) *memory.Buffer {
	out := make([]int32, n+1)
	copy(out[1:], padded(ends, n, last(ends)))
	return memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(out))
}
