package fn

import (
	"cmp"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var extremeAggregates = []*Aggregate{
	{
		Name:      "min",
		Doc:       "The least value; NULL if there are none.",
		Example:   "min(x) FROM (VALUES 2, 1) t (x) → 1",
		Overloads: []AggregateOverload{{Sig: "(O) -> O", New: newExtremes(false)}, {Sig: "(O, bigint) -> array(O)", New: newTops(false, false)}},
	},
	{
		Name:      "max",
		Doc:       "The greatest value, or as many of the greatest as the second argument says; NULL if there are none.",
		Example:   "max(x) FROM (VALUES 2, 1) t (x) → 2",
		Overloads: []AggregateOverload{{Sig: "(O) -> O", New: newExtremes(true)}, {Sig: "(O, bigint) -> array(O)", New: newTops(true, false)}},
	},
	{
		Name: "min_by", KeepsNulls: true,
		Doc:       "The first argument of the row whose second is the least.",
		Example:   "min_by(x, y) FROM (VALUES ('a', 2), ('b', 1)) t (x, y) → 'b'",
		Overloads: []AggregateOverload{{Sig: "(T, O) -> T", New: newExtremesBy(false)}, {Sig: "(T, O, bigint) -> array(T)", New: newTops(false, true)}},
	},
	{
		Name: "max_by", KeepsNulls: true,
		Doc:       "The first argument of the row whose second is the greatest.",
		Example:   "max_by(x, y) FROM (VALUES ('a', 2), ('b', 1)) t (x, y) → 'a'",
		Overloads: []AggregateOverload{{Sig: "(T, O) -> T", New: newExtremesBy(true)}, {Sig: "(T, O, bigint) -> array(T)", New: newTops(true, true)}},
	},
	{
		Name: "arbitrary", Aliases: []string{"any_value"},
		Doc:       "Some value that is not NULL, the first seen; NULL if there is none.",
		Example:   "arbitrary(x) FROM (VALUES 1) t (x) → 1",
		Overloads: []AggregateOverload{{Sig: "(T) -> T", New: func(_ []sqltype.Type, t sqltype.Type) Accumulator { return &firsts{t: t} }}},
	},
}

// extreme holds the least or greatest value of each group. Both methods return what took the lead.
type extreme interface {
	// update returns the rows that became their group's best; of one group the last is it.
	update(d vec.Datum, rows []int32, groups []uint32, count int) ([]int32, error)
	// merge returns the groups of other that are now the best.
	merge(other extreme, remap []uint32, count int) ([]uint32, error)
	result(t sqltype.Type, count int) (arrow.Array, error)
	bytes() int64
	gather(from []uint32) extreme // as Accumulator.Gather
}

func newExtreme(t sqltype.Type, greatest bool) extreme {
	switch t.Kind {
	case sqltype.TinyInt:
		return &ordered[int8]{greatest: greatest}
	case sqltype.SmallInt:
		return &ordered[int16]{greatest: greatest}
	case sqltype.Integer, sqltype.Date, sqltype.IntervalYear:
		return &ordered[int32]{greatest: greatest}
	case sqltype.BigInt, sqltype.Time, sqltype.Timestamp, sqltype.IntervalDay:
		return &ordered[int64]{greatest: greatest}
	case sqltype.Real:
		return &ordered[float32]{greatest: greatest}
	case sqltype.Double:
		return &ordered[float64]{greatest: greatest}
	case sqltype.Varchar:
		return &ordered[string]{greatest: greatest}
	}
	return &compared{greatest: greatest}
}

// ordered is an extreme of values that Go orders. NaN is neither the least nor the greatest of a group that has numbers, as in Trino.
type ordered[T cmp.Ordered] struct {
	greatest bool
	best     []T
	has      []bool
	held     int64 // bytes of texts
	batch    leaders
}

// leaders are the best rows of a batch so far, so that a text is copied once per batch and group, and not each time that a better one comes.
type leaders struct {
	of      []int32  // by group: its best row, plus one; 0: none
	groups  []uint32 // that have one
	entries arrow.ArrayData
	sorted  bool // entries ascend
}

// codes returns the codes of a dictionary whose entries ascend, so that codes compare as texts do; nil for any other array.
func (l *leaders) codes(a arrow.Array) (*array.Dictionary, []int32) {
	d, ok := a.(*array.Dictionary)
	if !ok {
		return nil, nil
	}
	if data := d.Data().Dictionary(); l.entries != data {
		entries := vec.Entries(d)
		l.entries, l.sorted = data, true
		for i := 1; i < entries.Len() && l.sorted; i++ {
			l.sorted = entries.Value(i-1) < entries.Value(i)
		}
	}
	if !l.sorted {
		return nil, nil
	}
	return d, vec.Codes(d)
}

// find finds the best row of each group: that of the least of values, or of the greatest; the first one of equals.
func find[V cmp.Ordered](l *leaders, values []V, greatest bool, rows []int32, groups []uint32) {
	for i, g := range groups {
		row := int32(i)
		if rows != nil {
			row = rows[i]
		}
		best := l.of[g] - 1
		switch {
		case best < 0:
			l.groups = append(l.groups, g)
		case greatest && values[row] <= values[best], !greatest && values[row] >= values[best]:
			continue
		}
		l.of[g] = row + 1
	}
}

func (o *ordered[T]) grow(count int) { o.best, o.has = grown(o.best, count), grown(o.has, count) }

// beats reports whether x comes before y.
func (o *ordered[T]) beats(x, y T) bool {
	if y != y {
		return x == x
	}
	if o.greatest {
		x, y = y, x
	}
	return x < y
}

// lead makes x the best of g. Texts are copied, so that their batch is not kept alive.
func (o *ordered[T]) lead(g uint32, x T) {
	if s, ok := any(x).(string); ok {
		if old, ok := any(o.best[g]).(string); ok {
			o.held += int64(len(s)) - int64(len(old))
		}
		x = any(strings.Clone(s)).(T)
	}
	o.best[g], o.has[g] = x, true
}

func (o *ordered[T]) update(d vec.Datum, rows []int32, groups []uint32, count int) ([]int32, error) {
	o.grow(count)
	if texts, ok := any(o).(*ordered[string]); ok && !d.Const {
		return texts.updateTexts(d.Arr, rows, groups, count), nil
	}
	col := columnOf[T](d)
	var led []int32
	for i, g := range groups {
		row := int32(i)
		if rows != nil {
			row = rows[i]
		}
		if x := col.at(int(row)); !o.has[g] || o.beats(x, o.best[g]) {
			o.lead(g, x)
			led = append(led, row)
		}
	}
	return led, nil
}

func (o *ordered[T]) updateTexts(a arrow.Array, rows []int32, groups []uint32, count int) (led []int32) {
	var text func(row int32) string
	o.batch.of = grown(o.batch.of, count)
	if d, codes := o.batch.codes(a); d != nil {
		find(&o.batch, codes, o.greatest, rows, groups)
		entries := vec.Entries(d)
		text = func(row int32) string { return entries.Value(int(codes[row])) }
	} else {
		values := read[string](a)
		find(&o.batch, values, o.greatest, rows, groups)
		text = func(row int32) string { return values[row] }
	}
	for _, g := range o.batch.groups {
		row := o.batch.of[g] - 1
		o.batch.of[g] = 0
		if x := any(text(row)).(T); !o.has[g] || o.beats(x, o.best[g]) {
			o.lead(g, x)
			led = append(led, row)
		}
	}
	o.batch.groups = o.batch.groups[:0]
	return led
}

func (o *ordered[T]) merge(other extreme, remap []uint32, count int) ([]uint32, error) {
	o.grow(count)
	p := other.(*ordered[T])
	var led []uint32
	for from, x := range p.best {
		if g := remap[from]; p.has[from] && (!o.has[g] || o.beats(x, o.best[g])) {
			o.lead(g, x)
			led = append(led, uint32(from))
		}
	}
	return led, nil
}

func (o *ordered[T]) result(t sqltype.Type, count int) (arrow.Array, error) {
	o.grow(count)
	nulls := make([]bool, count)
	for g := range nulls {
		nulls[g] = !o.has[g]
	}
	return write(t, append([]T(nil), o.best[:count]...), nulls)
}

func (o *ordered[T]) bytes() int64 {
	return bytesOf(o.best) + bytesOf(o.has) + o.held + bytesOf(o.batch.of) + bytesOf(o.batch.groups)
}

// compared is an extreme of any other type, by vec's order.
type compared struct {
	greatest bool
	best     kept
}

func (c *compared) update(d vec.Datum, rows []int32, groups []uint32, count int) ([]int32, error) {
	c.best.grow(count)
	if d.Const {
		d = vec.Datum{Arr: vec.Column(d, int(lastRow(rows, len(groups)))+1)}
	}
	lead := map[uint32]int32{} // the best row of this batch
	var led []int32
	for i, g := range groups {
		row := int32(i)
		if rows != nil {
			row = rows[i]
		}
		best, ok := lead[g]
		switch {
		case ok:
			ok = vec.CompareRows(d.Arr, int(row), d.Arr, int(best), c.greatest, false) >= 0
		case c.best.has(g):
			p := c.best.at[g]
			ok = vec.CompareRows(d.Arr, int(row), c.best.chunks[p.chunk], int(p.row), c.greatest, false) >= 0
		}
		if !ok {
			lead[g] = row
			led = append(led, row)
		}
	}
	chosen, of := make([]int32, 0, len(lead)), make([]uint32, 0, len(lead))
	for g, row := range lead {
		chosen, of = append(chosen, row), append(of, g)
	}
	return led, c.best.set(d, chosen, of)
}

func lastRow(rows []int32, n int) int32 {
	if rows == nil {
		return int32(n) - 1
	}
	return rows[len(rows)-1]
}

func (c *compared) merge(other extreme, remap []uint32, count int) ([]uint32, error) {
	c.best.grow(count)
	o := other.(*compared)
	var led []uint32
	for from := range o.best.at {
		if !o.best.has(uint32(from)) {
			continue
		}
		if g := remap[from]; c.best.has(g) {
			p, q := o.best.at[from], c.best.at[g]
			if vec.CompareRows(o.best.chunks[p.chunk], int(p.row), c.best.chunks[q.chunk], int(q.row), c.greatest, false) >= 0 {
				continue
			}
		}
		led = append(led, uint32(from))
	}
	return led, c.best.take(&o.best, led, remap)
}

func (c *compared) result(t sqltype.Type, count int) (arrow.Array, error) {
	return c.best.result(t, count)
}

func (c *compared) bytes() int64 { return c.best.bytes() }

// extremes is min or max.
type extremes struct {
	t    sqltype.Type
	best extreme
}

func newExtremes(greatest bool) func([]sqltype.Type, sqltype.Type) Accumulator {
	return func(_ []sqltype.Type, t sqltype.Type) Accumulator { return &extremes{t, newExtreme(t, greatest)} }
}

func (e *extremes) Update(args []vec.Datum, groups []uint32, count int) error {
	_, err := e.best.update(args[0], nil, groups, count)
	return err
}

func (e *extremes) Merge(other Accumulator, remap []uint32, count int) error {
	_, err := e.best.merge(other.(*extremes).best, remap, count)
	return err
}

func (e *extremes) Result(count int) (arrow.Array, error) { return e.best.result(e.t, count) }

func (e *extremes) Bytes() int64 { return e.best.bytes() }

// extremesBy is min_by or max_by: the extreme of the second argument, and the first argument of its row.
type extremesBy struct {
	t      sqltype.Type
	best   extreme
	values kept
}

func newExtremesBy(greatest bool) func([]sqltype.Type, sqltype.Type) Accumulator {
	return func(args []sqltype.Type, t sqltype.Type) Accumulator {
		return &extremesBy{t: t, best: newExtreme(args[1], greatest)}
	}
}

// validRows drops the rows in which d is NULL; rows is nil if all stay.
func validRows(d vec.Datum, groups []uint32) (rows []int32, of []uint32) {
	if d.Arr.NullN() == 0 {
		return nil, groups
	}
	rows, of = make([]int32, 0, len(groups)), make([]uint32, 0, len(groups))
	for i, g := range groups {
		row := i
		if d.Const {
			row = 0
		}
		if vec.IsValid(d.Arr, row) {
			rows, of = append(rows, int32(i)), append(of, g)
		}
	}
	return rows, of
}

func (e *extremesBy) Update(args []vec.Datum, groups []uint32, count int) error {
	e.values.grow(count)
	rows, of := validRows(args[1], groups)
	if len(of) == 0 {
		return nil
	}
	led, err := e.best.update(args[1], rows, of, count)
	if err != nil {
		return err
	}
	// only the last row to take the lead in a group is worth a copy
	last := make(map[uint32]int32, len(led))
	for _, row := range led {
		last[groups[row]] = row
	}
	chosen, in := make([]int32, 0, len(last)), make([]uint32, 0, len(last))
	for _, row := range led {
		if g := groups[row]; last[g] == row {
			chosen, in = append(chosen, row), append(in, g)
		}
	}
	return e.values.set(args[0], chosen, in)
}

func (e *extremesBy) Merge(other Accumulator, remap []uint32, count int) error {
	e.values.grow(count)
	o := other.(*extremesBy)
	led, err := e.best.merge(o.best, remap, count)
	if err != nil {
		return err
	}
	return e.values.take(&o.values, led, remap)
}

func (e *extremesBy) Result(count int) (arrow.Array, error) { return e.values.result(e.t, count) }

func (e *extremesBy) Bytes() int64 { return e.best.bytes() + e.values.bytes() }

// firsts is arbitrary.
type firsts struct {
	t      sqltype.Type
	values kept
}

func (f *firsts) Update(args []vec.Datum, groups []uint32, count int) error {
	f.values.grow(count)
	var rows []int32
	var of []uint32
	seen := map[uint32]bool{}
	for i, g := range groups {
		if !f.values.has(g) && !seen[g] {
			seen[g] = true
			rows, of = append(rows, int32(i)), append(of, g)
		}
	}
	return f.values.set(args[0], rows, of)
}

func (f *firsts) Merge(other Accumulator, remap []uint32, count int) error {
	f.values.grow(count)
	o := other.(*firsts)
	var from []uint32
	for g := range o.values.at {
		if o.values.has(uint32(g)) && !f.values.has(remap[g]) {
			from = append(from, uint32(g))
		}
	}
	return f.values.take(&o.values, from, remap)
}

func (f *firsts) Result(count int) (arrow.Array, error) { return f.values.result(f.t, count) }

func (f *firsts) Bytes() int64 { return f.values.bytes() }
