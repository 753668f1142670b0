package vec

import (
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// Cast converts n rows between two types for which sqltype.CanCast holds, as Trino's CAST does. A value that cannot be
// converted is an error of kind Value; with try it gives NULL. zone is the session's, nil for UTC: times without a zone
// are in it when they get one; now is when the query began, for times that get a day. A constant stays one, dictionary-coded text is converted once per entry.
func Cast(d Datum, from, to sqltype.Type, try bool, zone *time.Location, now time.Time, n int) (Datum, error) {
	if asIs(from, to) {
		return d, nil
	}
	if zone == nil {
		zone = time.UTC
	}
	c := caster{try: try, zone: zone, now: now}
	if dict, ok := d.Arr.(*array.Dictionary); ok {
		if worthLifting(dict) {
			entries, err := c.cast(Entries(dict), from, to)
			if err == nil {
				return Datum{Arr: TakeEntries(entries, dict, false), Const: d.Const}, nil
			}
			// it may be an entry that no row has: the rows decide
		}
		d.Arr = Plain(dict)
	}
	out, err := c.cast(d.Arr, from, to)
	return Datum{Arr: out, Const: d.Const}, err
}

// asIs reports whether values of from are values of to.
func asIs(from, to sqltype.Type) bool {
	if from.Kind != to.Kind {
		return false
	}
	switch from.Kind {
	case sqltype.Char:
		return from.Length <= to.Length
	case sqltype.Varchar:
		return to.Length == 0 || from.Length > 0 && from.Length <= to.Length
	case sqltype.Time, sqltype.TimeTZ, sqltype.Timestamp, sqltype.TimestampTZ:
		return from.Precision <= to.Precision
	case sqltype.Array:
		return asIs(*from.Elem, *to.Elem)
	case sqltype.Map:
		return asIs(*from.Key, *to.Key) && asIs(*from.Elem, *to.Elem)
	case sqltype.Row:
		if !from.Equal(to) {
			return false
		}
		for i, f := range from.Fields {
			if !asIs(f.Type, to.Fields[i].Type) {
				return false
			}
		}
		return true
	}
	return from.Equal(to)
}

// TryRows evaluates n rows and gives NULL in those that fail with an error of kind Value: it halves the rows until the
// bad ones are alone. eval returns the rows from … to-1.
func TryRows(t sqltype.Type, n int, eval func(from, to int) (arrow.Array, error)) (arrow.Array, error) {
	var parts []arrow.Array
	var run func(from, to int) error
	run = func(from, to int) error {
		out, err := eval(from, to)
		switch {
		case err == nil:
			parts = append(parts, out)
		case sqlerr.KindOf(err) != sqlerr.Value:
			return err
		case to-from <= 1:
			parts = append(parts, Nulls(t, to-from))
		default:
			middle := (from + to) / 2
			if err := run(from, middle); err != nil {
				return err
			}
			return run(middle, to)
		}
		return nil
	}
	if err := run(0, n); err != nil {
		return nil, err
	}
	return Concat(parts)
}

type caster struct {
	try  bool
	zone *time.Location
	now  time.Time
}

// fail says that a row cannot be cast.
func fail(a arrow.Array, row int, from, to sqltype.Type) error {
	const longest = 100
	text := sqltype.AppendText(nil, from, a, row)
	if len(text) > longest {
		cut := longest
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = append(text[:cut], "…"...)
	}
	return sqlerr.New(sqlerr.Value, 0, "cannot cast '%s' to %s", text, to)
}

// results collects the rows of a cast that may fail.
type results struct {
	caster
	a        arrow.Array
	from, to sqltype.Type
	valid    bitmap // nil: no NULL so far
	owned    bool   // valid may be written to
}

func (c caster) results(a arrow.Array, from, to sqltype.Type) results {
	return results{caster: c, a: a, from: from, to: to, valid: validityOf(a)}
}

// null makes a row NULL.
func (r *results) null(row int) {
	if !r.owned {
		r.valid, r.owned = r.valid.writable(r.a.Len()), true
	}
	r.valid.clear(row)
}

// bad makes a failing row NULL, or returns the error if that is not wanted or the row is NULL anyway.
func (r *results) bad(row int) error {
	if r.skip(row) {
		return nil
	}
	if !r.try {
		return fail(r.a, row, r.from, r.to)
	}
	r.null(row)
	return nil
}

func (r *results) skip(row int) bool { return r.valid != nil && !r.valid.has(row) }

func (c caster) cast(a arrow.Array, from, to sqltype.Type) (arrow.Array, error) {
	switch {
	case from.Kind == sqltype.Unknown:
		return Nulls(to, a.Len()), nil
	case asIs(from, to):
		return a, nil
	case from.Kind == sqltype.JSON:
		return c.fromJSON(a, to)
	case to.Kind == sqltype.JSON:
		return c.toJSON(a, from)
	case from.Kind == sqltype.Varchar:
		return c.fromText(a, from, to)
	case to.Kind == sqltype.Char: // from a longer one
		return cutBlanks(cutText(a, to.Length)), nil
	case to.Kind == sqltype.Varchar:
		return c.toText(a, from, to)
	case isNetwork(from) || isNetwork(to):
		return c.network(a, from, to)
	case from.Kind == sqltype.Boolean:
		values := make([]int64, a.Len())
		for _, r := range valuesOf(a.(*array.Boolean)).rows(a.Len()) {
			values[r] = 1
		}
		return c.fromInts(values, c.results(a, from, to))
	case from.IsInteger():
		return c.fromInts(integers(a), c.results(a, from, to))
	case from.Kind == sqltype.Real || from.Kind == sqltype.Double:
		return c.fromFloats(floats(a), c.results(a, from, to))
	case from.Kind == sqltype.Decimal:
		return c.fromDecimals(fixed[decimal128.Num](a), c.results(a, from, to))
	case from.Kind == sqltype.Array || from.Kind == sqltype.Map || from.Kind == sqltype.Row:
		return c.nested(a, from, to)
	}
	return c.times(a, from, to)
}

// nested casts arrays, maps and rows part by part.
func (c caster) nested(a arrow.Array, from, to sqltype.Type) (arrow.Array, error) {
	if c.try { // a part that fails makes the whole value NULL
		strict := caster{zone: c.zone, now: c.now}
		return TryRows(to, a.Len(), func(start, end int) (arrow.Array, error) {
			return strict.nested(Slice(a, start, end), from, to)
		})
	}
	valid := validityOf(a)
	if valid != nil {
		a = Take(a, identity(a.Len())) // NULL rows may hide elements that fail
	}
	switch from.Kind {
	case sqltype.Row:
		s := a.(*array.Struct)
		fields := make([]arrow.Array, s.NumField())
		for i := range fields {
			var err error
			if fields[i], err = c.cast(Mask(s.Field(i), a), from.Fields[i].Type, to.Fields[i].Type); err != nil {
				return nil, err
			}
		}
		return newStruct(to.Arrow(), a.Len(), fields, valid), nil
	case sqltype.Array:
		offsets, elems := listOffsets(a)
		offsets, elems = rebase(offsets, elems)
		elems, err := c.cast(elems, *from.Elem, *to.Elem)
		if err != nil {
			return nil, err
		}
		return newList(to.Arrow(), offsets, elems, valid), nil
	}
	offsets, entries := listOffsets(a)
	offsets, entries = rebase(offsets, entries)
	s := entries.(*array.Struct)
	keys, err := c.cast(s.Field(0), *from.Key, *to.Key)
	if err != nil {
		return nil, err
	}
	if !asIs(*from.Key, *to.Key) {
		if err := uniqueKeys(offsets, keys, *to.Key); err != nil {
			return nil, err
		}
	}
	items, err := c.cast(s.Field(1), *from.Elem, *to.Elem)
	if err != nil {
		return nil, err
	}
	return newMap(to, offsets, keys, items, valid), nil
}

// uniqueKeys fails if two keys of one map, which differed before they were cast, are equal now.
func uniqueKeys(offsets []int32, keys arrow.Array, t sqltype.Type) error {
	seen := map[string]bool{}
	for row := range len(offsets) - 1 {
		clear(seen)
		for i := offsets[row]; i < offsets[row+1]; i++ {
			key := string(sqltype.AppendText(nil, t, keys, int(i)))
			if seen[key] {
				return sqlerr.New(sqlerr.Value, 0, "cannot cast the keys of a map to %s: %s occurs twice", t, key)
			}
			seen[key] = true
		}
	}
	return nil
}

func identity(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

// newMap builds a Map array over its keys and values.
func newMap(t sqltype.Type, offsets []int32, keys, items arrow.Array, valid bitmap) arrow.Array {
	form := t.Arrow().(*arrow.MapType)
	return newList(form, offsets, newStruct(form.Elem(), keys.Len(), []arrow.Array{keys, items}, nil), valid)
}

// rebase cuts the elements to those that the offsets use.
func rebase(offsets []int32, elems arrow.Array) ([]int32, arrow.Array) {
	first, last := offsets[0], offsets[len(offsets)-1]
	if first == 0 && int(last) == elems.Len() {
		return offsets, elems
	}
	out := make([]int32, len(offsets))
	for i, o := range offsets {
		out[i] = o - first
	}
	return out, Slice(elems, int(first), int(last))
}
