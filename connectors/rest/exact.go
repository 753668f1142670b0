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

// The format "exact" is an Arrow IPC stream of vec.PortableRecord, so that a result read from afar is the result; the format "arrow" is for
// other programs and turns what they do not know into text.
const exactMedia = "application/vnd.trailql.exact"

// Bytes of a message's head and body that a reader takes; a server sends some MiB at once, more only where one row is larger.
const (
	maxSchema = 16 << 20
	maxBatch  = 256 << 20
)

type exactWriter struct {
	columns []sink.Column
	out     *ipc.Writer
}

func newExactWriter(w *bufio.Writer, columns []sink.Column) (sink.Writer, error) {
	return &exactWriter{columns, ipc.NewWriter(w, ipc.WithSchema(vec.PortableSchema(columns)))}, nil
}

func (e *exactWriter) Write(cols []arrow.Array, rows int) error {
	record, err := vec.PortableRecord(e.columns, vec.Batch{Len: rows, Cols: cols})
	if err == nil {
		err = e.out.Write(record)
	}
	if err != nil {
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

// newExactReader reads a stream whose columns are known, in batches of at most limit bytes. The schema in the stream is passed over: arrow-go
// believes the counts in a damaged one and asks for more memory than there is.
func newExactReader(r io.Reader, columns []service.Column, limit int64) (*exactReader, error) {
	start, err := vec.PortableStart(columns)
	if err != nil {
		return nil, fmt.Errorf("reading the result: %w", err)
	}
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
		ipc.NewMessageReader(io.MultiReader(bytes.NewReader(start), r), ipc.WithMetadataSizeLimit(maxSchema), ipc.WithBodySizeLimit(limit)))
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
		for i, col := range record.Columns() {
			if err := array.ValidateFull(col); err != nil {
				return vec.Batch{}, fmt.Errorf("reading the result: column %q: %w", e.columns[i].Name, err)
			}
		}
		if b, err = vec.FromPortableRecord(e.columns, record); err != nil {
			return vec.Batch{}, fmt.Errorf("reading the result: %w", err)
		}
	}
	return b, nil
}
