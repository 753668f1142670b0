package vec

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/sqltype"
)

// Set is a set of constants to look values up in. Safe for concurrent use.
type Set struct {
	texts map[string]struct{}
	ints  map[int64]struct{}
}

// NewSet returns the set of the values, of one row each and none NULL. ok is false for types that are not kept in sets: only
// text, binary, integers, intervals and times are.
func NewSet(t sqltype.Type, values []arrow.Array) (s *Set, ok bool) {
	switch t.Kind {
	case sqltype.Varchar, sqltype.Char, sqltype.JSON, sqltype.Varbinary, sqltype.IPAddress, sqltype.IPPrefix, sqltype.UUID:
		s = &Set{texts: make(map[string]struct{}, len(values))}
		for _, v := range values {
			s.texts[string(textAt(v, 0))] = struct{}{}
		}
		return s, true
	case sqltype.TinyInt, sqltype.SmallInt, sqltype.Integer, sqltype.BigInt, sqltype.IntervalDay, sqltype.IntervalYear,
		sqltype.Date, sqltype.Time, sqltype.TimeTZ, sqltype.Timestamp, sqltype.TimestampTZ:
		s = &Set{ints: make(map[int64]struct{}, len(values))}
		for _, v := range values {
			s.ints[Value(v, 0).(int64)] = struct{}{}
		}
		return s, true
	}
	return nil, false
}

// Contains returns for each row whether it is in the set, NULL for NULL. Dictionary-coded text is looked up once per entry.
func (s *Set) Contains(a arrow.Array) *array.Boolean {
	n := a.Len()
	switch t := a.DataType(); t.ID() {
	case arrow.NULL:
		return newBoolean(newBitmap(n), n, newBitmap(n))
	case arrow.STRING, arrow.BINARY, arrow.DICTIONARY:
		if d, ok := a.(*array.Dictionary); ok && worthLifting(d) {
			return TakeEntries(s.Contains(Entries(d)), d, false).(*array.Boolean)
		}
		valid, out := validityOf(a), newBitmap(n)
		if n > 0 {
			texts := textsOf(a)
			for i := range n {
				if _, ok := s.texts[texts.text(i)]; ok {
					out.set(i)
				}
			}
		}
		return newBoolean(out, n, valid)
	case arrow.INT8:
		return setContains(s.ints, fixed[int8](a), validityOf(a))
	case arrow.INT16:
		return setContains(s.ints, fixed[int16](a), validityOf(a))
	case arrow.INT32, arrow.DATE32:
		return setContains(s.ints, fixed[int32](a), validityOf(a))
	case arrow.INT64, arrow.TIME64, arrow.TIMESTAMP:
		return setContains(s.ints, fixed[int64](a), validityOf(a))
	case arrow.STRUCT:
		if isInstant(t) {
			return s.Contains(instants(a))
		}
	}
	panic(fmt.Sprintf("vec: no sets of %s", a.DataType()))
}

func setContains[T int8 | int16 | int32 | int64](set map[int64]struct{}, values []T, valid bitmap) *array.Boolean {
	out := newBitmap(len(values))
	for i, v := range values {
		if _, ok := set[int64(v)]; ok {
			out.set(i)
		}
	}
	return newBoolean(out, len(values), valid)
}
