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

	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/vec"
)

// The format "exact" is an Arrow IPC stream in the engine's own forms , so that a result read from
// afar is the result; the format "arrow" is for other programs and turns what they do not know into text. Arrays have their portable form
// (vec.Portable). The SQL type of a column stands in its field's metadata under "sql_type".
const exactMedia = "application/vnd.trailql.exact"

// Bytes of a message's head and body that a reader takes; a server sends some MiB at once, more only where one row is larger.
const (
	maxSchema = 16 << 20
	maxBatch  = 256 << 20
)

type exactWriter struct {
	columns []sink.Column
	schema  *arrow.Schema
	out     *ipc.Writer
}

func newExactWriter(w *bufio.Writer, columns []sink.Column) (sink.Writer, error) {
	schema := exactSchema(columns)
	return &exactWriter{columns, schema, ipc.NewWriter(w, ipc.WithSchema(schema))}, nil
}

func exactSchema(columns []sink.Column) *arrow.Schema {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.Name, Type: vec.PortableType(c.Type), Nullable: true,
			Metadata: arrow.NewMetadata([]string{"sql_type"}, []string{c.Type.String()})}
	}
	return arrow.NewSchema(fields, nil)
}

func (e *exactWriter) Write(cols []arrow.Array, rows int) error {
	out := make([]arrow.Array, len(cols))
	for i, col := range cols {
		var err error
		if out[i], err = vec.Portable(e.columns[i].Type, vec.Plain(col)); err != nil {
			return fmt.Errorf("writing arrow: column %q: %w", e.columns[i].Name, err)
		}
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
	var start bytes.Buffer
	if err := ipc.NewWriter(&start, ipc.WithSchema(exactSchema(same))).Close(); err != nil {
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
			kept := array.MakeFromData(col.Data()) // the reader frees its own at the next record
			if b.Cols[i], err = vec.FromPortable(e.columns[i].Type, kept); err != nil {
				return vec.Batch{}, fmt.Errorf("reading the result: column %q: %w", e.columns[i].Name, err)
			}
			b.Cols[i].NullN() // counted now: the array may be shared by goroutines later
		}
	}
	return b, nil
}
