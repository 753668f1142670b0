package fn

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// maxText is how many bytes of text one result column may hold. A batch holds at most 256 MiB, so what passes this
// was blown up by the query itself: rpad(x, 1000000), concat with a huge literal.
const maxText = 256 << 20

// maxElements is how many elements the arrays of one result column may hold together.
const maxElements = 1 << 25

// column is an argument as Go values: one per row, or one for all rows.
type column[A any] struct {
	values []A
	mask   int // -1, or 0 if values[0] stands for every row
}

func (c column[A]) at(i int) A { return c.values[i&c.mask] }

// columnOf reads a datum. A is the Go form of the SQL type: bool, int8…int64, float32, float64, decimal128.Num,
// string, []byte, instant; dates are int32, times, timestamps and day intervals int64, month intervals int32.
func columnOf[A any](d vec.Datum) column[A] {
	if d.Const {
		return column[A]{read[A](d.Arr), 0}
	}
	return column[A]{read[A](d.Arr), -1}
}

// arg reads the i-th argument.
func arg[A any](c *Call, i int) column[A] { return columnOf[A](c.Args[i]) }

// instant is a timestamp with time zone: microseconds of UTC and a zone key.
type instant struct {
	us   int64
	zone int16
}

// read returns the values of an array; fixed-width ones without copying. Rows that are NULL have any value,
// empty for text.
func read[A any](a arrow.Array) []A {
	var out []A
	switch p := any(&out).(type) {
	case *[]string:
		*p = texts(a)
	case *[]bool:
		b := a.(*array.Boolean)
		*p = make([]bool, b.Len())
		for i := range *p {
			(*p)[i] = b.Value(i)
		}
	case *[][]byte:
		b := a.(*array.Binary)
		*p = make([][]byte, b.Len())
		for i := range *p {
			(*p)[i] = b.Value(i)
		}
	case *[]instant:
		s := a.(*array.Struct)
		us, zones := fixed[int64](s.Field(0)), fixed[int16](s.Field(1))
		*p = make([]instant, len(us))
		for i := range *p {
			(*p)[i] = instant{us[i], zones[i]}
		}
	case *[]int8:
		*p = fixed[int8](a)
	case *[]int16:
		*p = fixed[int16](a)
	case *[]int32:
		*p = fixed[int32](a)
	case *[]int64:
		*p = fixed[int64](a)
	case *[]float32:
		*p = fixed[float32](a)
	case *[]float64:
		*p = fixed[float64](a)
	case *[]decimal128.Num:
		*p = fixed[decimal128.Num](a)
	default:
		panic("fn: no Go form of " + a.DataType().String())
	}
	return out
}

func fixed[T arrow.FixedWidthType](a arrow.Array) []T {
	data := a.Data()
	if data.Len() == 0 {
		return nil
	}
	return arrow.GetData[T](data.Buffers()[1].Bytes())[data.Offset() : data.Offset()+data.Len()]
}

func texts(a arrow.Array) []string {
	out := make([]string, a.Len())
	switch a := a.(type) {
	case *array.String:
		for i := range out {
			out[i] = a.Value(i)
		}
	case *array.Dictionary:
		if a.Len() == 0 {
			return out
		}
		entries, codes := vec.Entries(a), vec.Codes(a)
		for i := range out {
			if a.IsValid(i) {
				out[i] = entries.Value(int(codes[i]))
			}
		}
	}
	return out
}

// nullRows returns true for the rows in which one of args is NULL, nil if there is none.
func nullRows(args []vec.Datum, n int) []bool {
	var nulls []bool
	for _, d := range args {
		unknown := d.Arr.DataType().ID() == arrow.NULL
		if !unknown && vec.NullCount(d.Arr) == 0 {
			continue
		}
		if nulls == nil {
			nulls = make([]bool, n)
		}
		if d.Const || unknown {
			if !vec.IsValid(d.Arr, 0) {
				for i := range nulls {
					nulls[i] = true
				}
			}
			continue
		}
		bits, offset := d.Arr.NullBitmapBytes(), d.Arr.Data().Offset()
		for i := range nulls {
			if !bitutil.BitIsSet(bits, offset+i) {
				nulls[i] = true
			}
		}
	}
	return nulls
}

// nulls is nullRows of the call's arguments: the rows that are NULL in the result.
func (c *Call) nulls() []bool { return nullRows(c.Args, c.Len) }

// validity is Arrow's bitmap of nulls, and how many there are.
func validity(nulls []bool) (*memory.Buffer, int) {
	count := 0
	for _, null := range nulls {
		if null {
			count++
		}
	}
	if count == 0 {
		return nil, 0
	}
	bits := make([]byte, bitutil.BytesForBits(int64(len(nulls))))
	for i, null := range nulls {
		if !null {
			bitutil.SetBit(bits, i)
		}
	}
	return memory.NewBufferBytes(bits), count
}

// write makes the array of type t from Go values as columnOf reads them; NULL where nulls is true.
func write[R any](t sqltype.Type, values []R, nulls []bool) (arrow.Array, error) {
	switch v := any(values).(type) {
	case []string:
		size := 0
		for i, s := range v {
			if nulls == nil || !nulls[i] {
				size += len(s)
			}
		}
		w := newTextWriter(len(v))
		if size <= maxText {
			w.data = make([]byte, 0, size)
		}
		for i, s := range v {
			if nulls == nil || !nulls[i] {
				w.data = append(w.data, s...)
			}
			if !w.end() {
				break
			}
		}
		return w.array(t, nulls)
	case [][]byte:
		w := newTextWriter(len(v))
		for i, s := range v {
			if nulls == nil || !nulls[i] {
				w.data = append(w.data, s...)
			}
			if !w.end() {
				break
			}
		}
		return w.array(t, nulls)
	case []bool:
		bits := make([]byte, bitutil.BytesForBits(int64(len(v))))
		for i, b := range v {
			if b {
				bitutil.SetBit(bits, i)
			}
		}
		return fixedArray(t, bits, len(v), nulls), nil
	case []instant:
		us, zones := make([]int64, len(v)), make([]int16, len(v))
		for i, x := range v {
			us[i], zones[i] = x.us, x.zone
		}
		return instantArray(us, zones, nulls), nil
	case []int8:
		return fixedArray(t, arrow.GetBytes(v), len(v), nulls), nil
	case []int16:
		return fixedArray(t, arrow.GetBytes(v), len(v), nulls), nil
	case []int32:
		return fixedArray(t, arrow.GetBytes(v), len(v), nulls), nil
	case []int64:
		return fixedArray(t, arrow.GetBytes(v), len(v), nulls), nil
	case []float32:
		return fixedArray(t, arrow.GetBytes(v), len(v), nulls), nil
	case []float64:
		return fixedArray(t, arrow.GetBytes(v), len(v), nulls), nil
	case []decimal128.Num:
		return fixedArray(t, arrow.GetBytes(v), len(v), nulls), nil
	}
	panic("fn: no Arrow form of a Go value for " + t.String())
}

// instantArray makes a column of times with a zone.
func instantArray(us []int64, zones []int16, nulls []bool) arrow.Array {
	form, n := sqltype.TimestampTZForm, len(us)
	mask, count := validity(nulls)
	instants := array.NewData(form.Field(0).Type, n, []*memory.Buffer{mask, memory.NewBufferBytes(arrow.GetBytes(us))}, nil, count, 0)
	keys := array.NewData(form.Field(1).Type, n, []*memory.Buffer{mask, memory.NewBufferBytes(arrow.GetBytes(zones))}, nil, count, 0)
	return array.MakeFromData(array.NewData(form, n, []*memory.Buffer{mask}, []arrow.ArrayData{instants, keys}, count, 0))
}

// instantsArg reads argument i, a column of times with a zone; at most the first value of a constant.
func instantsArg(c *Call, i int) (us []int64, zones []int16) {
	s := c.Args[i].Arr.(*array.Struct)
	return fixed[int64](s.Field(0)), fixed[int16](s.Field(1))
}

func fixedArray(t sqltype.Type, values []byte, n int, nulls []bool) arrow.Array {
	mask, count := validity(nulls)
	return array.MakeFromData(array.NewData(t.Arrow(), n, []*memory.Buffer{mask, memory.NewBufferBytes(values)}, nil, count, 0))
}

// textWriter builds a varchar, json or varbinary column: append to data, then call end, once a row.
type textWriter struct {
	data    []byte
	offsets []int32
	full    bool
}

func newTextWriter(n int) *textWriter {
	return &textWriter{offsets: append(make([]int32, 0, n+1), 0)}
}

// end ends a row; false says that the column has grown too large and will be refused.
func (w *textWriter) end() bool {
	if len(w.data) > maxText {
		w.full = true
		return false
	}
	w.offsets = append(w.offsets, int32(len(w.data)))
	return true
}

// cut forgets all rows but the first n.
func (w *textWriter) cut(n int) {
	w.offsets = w.offsets[:n+1]
	w.data = w.data[:w.offsets[n]]
}

func (w *textWriter) array(t sqltype.Type, nulls []bool) (arrow.Array, error) {
	if w.full {
		return nil, tooMuchText()
	}
	n := len(w.offsets) - 1
	mask, count := validity(nulls)
	buffers := []*memory.Buffer{mask, memory.NewBufferBytes(arrow.GetBytes(w.offsets)), memory.NewBufferBytes(w.data)}
	return array.MakeFromData(array.NewData(t.Arrow(), n, buffers, nil, count, 0)), nil
}

func tooMuchText() error {
	return sqlerr.New(sqlerr.Resource, 0, "the text computed for one batch of rows is larger than %d MiB", maxText>>20)
}

// listArray makes an array(…) column from the elements of all rows one after the other; offsets has a
// row's start and the next row's, as Arrow wants them.
func listArray(t sqltype.Type, offsets []int32, elements arrow.Array, nulls []bool) arrow.Array {
	mask, count := validity(nulls)
	buffers := []*memory.Buffer{mask, memory.NewBufferBytes(arrow.GetBytes(offsets))}
	return array.MakeFromData(array.NewData(t.Arrow(), len(offsets)-1, buffers, []arrow.ArrayData{elements.Data()}, count, 0))
}

// mapArray makes a map(…) column likewise.
func mapArray(t sqltype.Type, offsets []int32, keys, values arrow.Array, nulls []bool) arrow.Array {
	mask, count := validity(nulls)
	form := t.Arrow().(*arrow.MapType)
	entries := array.NewData(form.Elem(), keys.Len(), []*memory.Buffer{nil}, []arrow.ArrayData{keys.Data(), values.Data()}, 0, 0)
	buffers := []*memory.Buffer{mask, memory.NewBufferBytes(arrow.GetBytes(offsets))}
	return array.MakeFromData(array.NewData(form, len(offsets)-1, buffers, []arrow.ArrayData{entries}, count, 0))
}

// rowArray makes a row(…) column of n rows.
func rowArray(t sqltype.Type, fields []arrow.Array, n int, nulls []bool) arrow.Array {
	mask, count := validity(nulls)
	children := make([]arrow.ArrayData, len(fields))
	for i, f := range fields {
		children[i] = f.Data()
	}
	return array.MakeFromData(array.NewData(t.Arrow(), n, []*memory.Buffer{mask}, children, count, 0))
}

// valueError is an error about a value of the query's data.
func valueError(format string, args ...any) error {
	return sqlerr.New(sqlerr.Value, 0, format, args...)
}

// shown is s for an error message: quoted, and cut if long.
func shown(s string) string {
	const most = 100
	if len(s) > most {
		s = s[:most] + "…"
	}
	return "'" + s + "'"
}

// toInt32 fits n into an offset or an index; values beyond stick to the ends.
func toInt32(n int64) int32 { return int32(max(math.MinInt32, min(math.MaxInt32, n))) }
