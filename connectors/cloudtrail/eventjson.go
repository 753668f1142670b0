package cloudtrail

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"github.com/trailql/trailql/engine/vec"
)

// EventJSON rebuilds the records of a batch whose columns are named by cols (ordinals into Schema(table); all but
// _path, _row, _conflict, _commit and the partition columns are needed). One JSON object per row, in canonical form; NULL where
// _shape is NULL. In a record that was not UTF-8 the bytes in question are U+FFFD (its own bytes are in _rest).
func EventJSON(table string, cols []int, b vec.Batch) (arrow.Array, error) {
	t := tableNamed(table)
	if t == nil {
		return nil, fmt.Errorf("%q is no table of records", table)
	}
	v := view{texts: make([]texts, t.texts)}
	schema := Schema(table)
	given := map[string]arrow.Array{}
	for i, c := range cols {
		if c < 0 || c >= len(schema) || i >= len(b.Cols) {
			return nil, fmt.Errorf("eventjson: column %d is not in %s", c, table)
		}
		given[schema[c].Name] = b.Cols[i]
	}
	for _, f := range t.top.fields {
		if f.form == noColumn {
			continue
		}
		if err := v.open(f, given[f.name()], nil); err != nil {
			return nil, err
		}
	}
	var shape, rest texts
	for name, to := range map[string]*texts{colShape: &shape, colRest: &rest} {
		if err := to.open(name, given[name], nil); err != nil {
			return nil, err
		}
	}

	var out column
	out.plain = true
	var rec record
	var back rebuilder
	for i := range b.Len {
		rec.reset(t)
		if rec.shape = shape.at(i); rec.shape == nil {
			continue
		}
		rec.rest = rest.at(i)
		v.read(i, &rec)
		var ok bool
		if back.out, ok = back.append(back.out[:0], &rec); !ok {
			return nil, fmt.Errorf("eventjson: row %d does not fit its shape %q: the file is damaged, or columns are missing", i, rec.shape)
		}
		if out.data.n+len(back.out) > maxText {
			return nil, fmt.Errorf("eventjson: the records of one batch exceed %d MiB", maxText>>20)
		}
		out.set(i, back.out)
	}
	return out.array(b.Len), nil
}

const maxText = 1<<31 - 1

// view reads the columns of a batch row by row. Which rows within rows are NULL it leaves aside: the shape says so too.
type view struct {
	texts   []texts // by slot of record.texts
	list    *array.List
	items   []texts
	mapping *array.Map
	mapped  []int32 // by row: the row of mapping; nil: the same
	entries [2]texts
}

// open opens the array of a field. Row i is row[i] of the array, NULL where that is negative; row nil: row i itself.
func (v *view) open(f *field, a arrow.Array, row []int32) error {
	if a == nil {
		return fmt.Errorf("eventjson: column %s is missing", f.name())
	}
	bad := func() error { return fmt.Errorf("eventjson: column %s has the Arrow type %s", f.name(), a.DataType()) }
	switch f.form {
	case asRow:
		if d, ok := a.(*array.Dictionary); ok && row == nil {
			row = make([]int32, d.Len())
			for i := range row {
				row[i] = -1
				if d.IsValid(i) {
					row[i] = int32(d.GetValueIndex(i))
				}
			}
			a = d.Dictionary()
		}
		s, ok := a.(*array.Struct)
		if !ok || s.NumField() != len(f.sub.fields) {
			return bad()
		}
		for i, sub := range f.sub.fields {
			if err := v.open(sub, s.Field(i), row); err != nil {
				return err
			}
		}
	case asList:
		l, ok := a.(*array.List)
		if !ok {
			return bad()
		}
		s, ok := l.ListValues().(*array.Struct)
		if !ok || s.NumField() != len(f.sub.fields) {
			return bad()
		}
		v.list, v.items = l, make([]texts, len(f.sub.fields))
		for i, sub := range f.sub.fields {
			if err := v.items[i].open(sub.name(), s.Field(i), nil); err != nil {
				return err
			}
		}
	case asMap:
		m, ok := a.(*array.Map)
		if !ok {
			return bad()
		}
		v.mapping, v.mapped = m, row
		if err := v.entries[0].open(f.name(), m.Keys(), nil); err != nil {
			return err
		}
		return v.entries[1].open(f.name(), m.Items(), nil)
	default:
		return v.texts[f.slot].open(f.name(), a, row)
	}
	return nil
}

// read fills the record from row i.
func (v *view) read(i int, rec *record) {
	for slot := range v.texts {
		rec.texts[slot] = v.texts[slot].at(i)
	}
	if v.list != nil && v.list.IsValid(i) {
		from, to := v.list.ValueOffsets(i)
		for k := from; k < to; k++ {
			for n := range v.items {
				rec.list = append(rec.list, v.items[n].at(int(k)))
			}
		}
	}
	if v.mapped != nil {
		i = int(v.mapped[i])
	}
	if v.mapping != nil && i >= 0 && v.mapping.IsValid(i) {
		from, to := v.mapping.ValueOffsets(i)
		for k := from; k < to; k++ {
			rec.mapping = append(rec.mapping, v.entries[0].at(int(k)), v.entries[1].at(int(k)))
		}
	}
}

// texts reads an array of strings, plain or dictionary-coded.
type texts struct {
	none    bool    // all are NULL
	rows    []int32 // by row: the row of the array, negative for NULL; nil: the same
	valid   []byte  // validity bitmap; nil: none is NULL
	offset  int     // of the first row in valid
	codes   []int32 // nil: plain
	offsets []int32
	bytes   []byte
}

func (t *texts) open(name string, a arrow.Array, rows []int32) error {
	if a == nil {
		return fmt.Errorf("eventjson: column %s is missing", name)
	}
	t.rows = rows
	if a.NullN() > 0 {
		t.valid, t.offset = a.NullBitmapBytes(), a.Data().Offset()
	}
	plain := a
	if d, ok := a.(*array.Dictionary); ok {
		codes, ok := d.Indices().(*array.Int32)
		if !ok {
			return fmt.Errorf("eventjson: column %s has the Arrow type %s", name, a.DataType())
		}
		t.codes, plain = codes.Int32Values(), d.Dictionary()
	}
	switch s := plain.(type) {
	case *array.String:
		t.none = a.Len() == a.NullN()
		if s.Len() > 0 {
			t.offsets, t.bytes = s.ValueOffsets(), s.ValueBytes()
		}
	case *array.Null:
		t.none = true
	default:
		return fmt.Errorf("eventjson: column %s has the Arrow type %s", name, a.DataType())
	}
	return nil
}

// at returns the text of row i, nil if it is NULL.
func (t *texts) at(i int) []byte {
	if t.rows != nil {
		if i = int(t.rows[i]); i < 0 {
			return nil
		}
	}
	if t.none || t.valid != nil && !bitutil.BitIsSet(t.valid, t.offset+i) {
		return nil
	}
	if t.codes != nil {
		i = int(t.codes[i])
	}
	// ValueBytes begins at the first row's text.
	from, to := t.offsets[i]-t.offsets[0], t.offsets[i+1]-t.offsets[0]
	if from == to {
		return empty
	}
	return t.bytes[from:to]
}

var empty = []byte{}
