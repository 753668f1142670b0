package rest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// The format "exact" is an Arrow IPC stream in the engine's own forms (sqltype.Type.Arrow, text plain), so that a result read from
// afar is the result; the format "arrow" is for other programs and turns what they do not know into text. Two forms differ from those in
// memory: the zone of a timestamp with time zone is its name, as keys mean nothing in another process, and what has no type is boolean,
// as arrow-go's validation refuses its own null arrays. The SQL type of a column stands in its field's metadata under "sql_type".
const exactMedia = "application/vnd.trailql.exact"

// Bytes of a message's head and body that a reader takes; a server sends some MiB at once, more only where one row is larger.
const (
	maxSchema = 16 << 20
	maxBatch  = 256 << 20
)

// zoneText is the form of a timestamp with time zone in a stream.
var zoneText = arrow.StructOf(sqltype.TimestampTZForm.Field(0), arrow.Field{Name: "zone", Type: arrow.BinaryTypes.String, Nullable: true})

// recoding turns the two forms, for a column or what lies inside.
type recoding struct {
	zones func(arrow.ArrayData) (arrow.ArrayData, error)
	null  arrow.DataType // of what has no type
}

var (
	outward = recoding{zoneNames, arrow.FixedWidthTypes.Boolean}
	inward  = recoding{zoneKeys, arrow.Null}
)

type exactWriter struct {
	columns []sink.Column
	schema  *arrow.Schema
	out     *ipc.Writer
}

func newExactWriter(w *bufio.Writer, columns []sink.Column) (sink.Writer, error) {
	schema, err := exactSchema(columns)
	if err != nil {
		return nil, err
	}
	return &exactWriter{columns, schema, ipc.NewWriter(w, ipc.WithSchema(schema))}, nil
}

func exactSchema(columns []sink.Column) (*arrow.Schema, error) {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		form, err := outward.recode(c.Type, array.MakeArrayOfNull(memory.DefaultAllocator, c.Type.Arrow(), 0).Data())
		if err != nil {
			return nil, err
		}
		fields[i] = arrow.Field{Name: c.Name, Type: form.DataType(), Nullable: true,
			Metadata: arrow.NewMetadata([]string{"sql_type"}, []string{c.Type.String()})}
	}
	return arrow.NewSchema(fields, nil), nil
}

func (e *exactWriter) Write(cols []arrow.Array, rows int) error {
	out := make([]arrow.Array, len(cols))
	for i, col := range cols {
		data, err := outward.recode(e.columns[i].Type, vec.Plain(col).Data())
		if err != nil {
			return err
		}
		out[i] = array.MakeFromData(data)
	}
	if err := e.out.Write(array.NewRecordBatch(e.schema, out, int64(rows))); err != nil {
		return fmt.Errorf("writing arrow: %w", err)
	}
	return nil
}

func (e *exactWriter) Close() error { return e.out.Close() }

// exactReader reads such a stream. Bytes of another making are an error, never a panic.
type exactReader struct {
	columns []service.Column
	in      *ipc.Reader
}

// newExactReader reads a stream whose columns are known, in batches of at most limit bytes. The schema in the stream is passed over: arrow-go believes the counts in a damaged
// one and asks for more memory than there is.
func newExactReader(r io.Reader, columns []service.Column, limit int64) (*exactReader, error) {
	same := make([]sink.Column, len(columns))
	for i, c := range columns {
		same[i] = sink.Column(c)
	}
	schema, err := exactSchema(same)
	if err != nil {
		return nil, err
	}
	var start bytes.Buffer
	if err := ipc.NewWriter(&start, ipc.WithSchema(schema)).Close(); err != nil {
		return nil, fmt.Errorf("reading the result: %w", err)
	}
	start.Truncate(start.Len() - 8) // the mark of the end

	var head [8]byte // a mark, and the length of the message behind it
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("reading the result: %w", err)
	}
	length := int64(binary.LittleEndian.Uint32(head[4:]))
	if binary.LittleEndian.Uint32(head[:]) != math.MaxUint32 || length > maxSchema {
		return nil, errors.New("reading the result: it is no Arrow stream")
	}
	if _, err := io.CopyN(io.Discard, r, length); err != nil {
		return nil, fmt.Errorf("reading the result: %w", err)
	}
	// ipc.NewReader of arrow-go v18.8.0 does not hand the limits on to the reader of messages that it makes.
	in, err := ipc.NewReaderFromMessageReader(
		ipc.NewMessageReader(io.MultiReader(&start, r), ipc.WithMetadataSizeLimit(maxSchema), ipc.WithBodySizeLimit(limit)))
	if err != nil {
		return nil, fmt.Errorf("reading the result: %w", err)
	}
	return &exactReader{columns, in}, nil
}

// next returns the next batch, never empty, or io.EOF.
func (e *exactReader) next() (b vec.Batch, err error) {
	defer func() {
		if p := recover(); p != nil {
			b, err = vec.Batch{}, fmt.Errorf("reading the result: it is damaged: %v", p)
		}
	}()
	for b.Len == 0 {
		record, err := e.in.Read()
		if errors.Is(err, io.EOF) {
			return vec.Batch{}, io.EOF
		}
		if err != nil {
			return vec.Batch{}, fmt.Errorf("reading the result: %w", err)
		}
		b = vec.Batch{Len: int(record.NumRows()), Cols: make([]arrow.Array, len(e.columns))}
		for i, col := range record.Columns() {
			if err := array.ValidateFull(col); err != nil {
				return vec.Batch{}, fmt.Errorf("reading the result: column %q: %w", e.columns[i].Name, err)
			}
			data, err := inward.recode(e.columns[i].Type, col.Data())
			if err != nil {
				return vec.Batch{}, fmt.Errorf("reading the result: column %q: %w", e.columns[i].Name, err)
			}
			if want := e.columns[i].Type.Arrow(); !arrow.TypeEqual(data.DataType(), want) {
				return vec.Batch{}, fmt.Errorf("reading the result: column %q is %s and not %s", e.columns[i].Name, data.DataType(), want)
			}
			b.Cols[i] = array.MakeFromData(data)
			b.Cols[i].NullN() // counted now: the array may be shared by goroutines later
		}
	}
	return b, nil
}

// recode returns data of type t with what is in it recoded; data without anything to recode is returned as it is.
func (r recoding) recode(t sqltype.Type, data arrow.ArrayData) (arrow.ArrayData, error) {
	children := data.Children()
	inner := []sqltype.Type{}
	switch t.Kind {
	case sqltype.Unknown:
		return array.MakeArrayOfNull(memory.DefaultAllocator, r.null, data.Len()).Data(), nil
	case sqltype.TimestampTZ:
		if len(children) != 2 {
			return nil, errors.New("a timestamp with time zone has no zone")
		}
		zone, err := r.zones(children[1])
		if err != nil {
			return nil, err
		}
		form := sqltype.TimestampTZForm
		if zone.DataType().ID() == arrow.STRING {
			form = zoneText
		}
		return replaced(data, form, []arrow.ArrayData{children[0], zone}), nil
	case sqltype.Array:
		inner = append(inner, *t.Elem)
	case sqltype.Map:
		inner = append(inner, sqltype.RowOf(sqltype.Field{Name: "key", Type: *t.Key}, sqltype.Field{Name: "value", Type: *t.Elem}))
	case sqltype.Row:
		for _, f := range t.Fields {
			inner = append(inner, f.Type)
		}
	}
	if len(children) != len(inner) {
		return nil, fmt.Errorf("it has not the parts of %s", t)
	}
	turned, same := make([]arrow.ArrayData, len(inner)), true
	for i := range inner {
		var err error
		if turned[i], err = r.recode(inner[i], children[i]); err != nil {
			return nil, err
		}
		same = same && turned[i] == children[i]
	}
	if same {
		return data, nil
	}
	var form arrow.DataType
	switch t.Kind {
	case sqltype.Array:
		form = arrow.ListOf(turned[0].DataType())
	case sqltype.Map:
		entry := turned[0].DataType().(*arrow.StructType)
		form = arrow.MapOf(entry.Field(0).Type, entry.Field(1).Type)
		turned[0] = replaced(turned[0], form.(*arrow.MapType).Elem(), turned[0].Children())
	default:
		fields := make([]arrow.Field, len(inner))
		for i, f := range t.Fields {
			fields[i] = arrow.Field{Name: f.Name, Type: turned[i].DataType(), Nullable: true}
		}
		form = arrow.StructOf(fields...)
	}
	return replaced(data, form, turned), nil
}

// replaced is data with other children, as long as its own were.
func replaced(data arrow.ArrayData, form arrow.DataType, children []arrow.ArrayData) arrow.ArrayData {
	return array.NewData(form, data.Len(), data.Buffers(), children, data.NullN(), data.Offset())
}

// zoneNames turns zone keys of this process into names.
func zoneNames(keys arrow.ArrayData) (arrow.ArrayData, error) {
	in, ok := array.MakeFromData(keys).(*array.Int16)
	if !ok {
		return nil, errors.New("a timestamp with time zone has no zone")
	}
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for row := range in.Len() {
		if in.IsNull(row) {
			b.AppendNull()
			continue
		}
		name, _ := sqltype.Zone(in.Value(row))
		b.Append(name)
	}
	return b.NewArray().Data(), nil
}

// zoneKeys turns names of zones into keys of this process.
func zoneKeys(names arrow.ArrayData) (arrow.ArrayData, error) {
	in, ok := array.MakeFromData(names).(*array.String)
	if !ok {
		return nil, errors.New("a timestamp with time zone has no zone")
	}
	b := array.NewInt16Builder(memory.DefaultAllocator)
	for row := range in.Len() {
		if in.IsNull(row) {
			b.AppendNull()
			continue
		}
		key, ok := sqltype.ZoneKey(in.Value(row))
		if !ok {
			return nil, fmt.Errorf("there is no time zone %q", in.Value(row))
		}
		b.Append(key)
	}
	return b.NewArray().Data(), nil
}
