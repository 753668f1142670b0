package external

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// maxRecord bounds a row of text: what is longer is no row but a file of another kind.
const maxRecord = 32 << 20

var errUnforeseen = errors.New("it is damaged in a way that was not foreseen")

// textRows reads the rows of a file of text from its beginning.
type textRows struct {
	reader  *reader
	format  Format
	object  blob.Object
	packed  io.Closer // nil: the file is not compressed
	in      *bufio.Reader
	number  int64  // of the last line, from 1
	record  []byte // the last line where it does not fit the buffer of in, or a row of several lines
	columns []*textColumn
	byField []*textColumn          // nil for a field that is not needed
	byKey   map[string]*textColumn // of JSON
	fields  fields
	starts  []int64 // the line that each row of the batch begins in
	bytes   int     // of text in the batch
	ended   bool
}

// textColumn collects the values of a column as text, and what they are cast from.
type textColumn struct {
	to, from sqltype.Type
	out      *array.StringBuilder
	row      int // rows that have a value, or NULL, already
}

func openText(r *reader) (rows, error) {
	object, err := r.scan.table.Place.Root.Store.Open(r.ctx, r.file.info.Name)
	if err != nil {
		return nil, err
	}
	t := &textRows{reader: r, format: r.scan.table.Format, object: object}
	if err := t.start(); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t *textRows) start() error {
	in := io.Reader(&countedReader{t.reader, io.NewSectionReader(t.object, 0, t.object.Size())})
	switch path.Ext(t.reader.file.info.Name) {
	case ".gz":
		z, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		in, t.packed = z, z
	case ".zst":
		const window = 128 << 20
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(window))
		if err != nil {
			return err
		}
		in, t.packed = z, z.IOReadCloser()
	case ".bz2":
		in = bzip2.NewReader(in)
	}
	t.in = bufio.NewReaderSize(in, 64<<10)
	if mark, err := t.in.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		_, _ = t.in.Discard(len(mark))
	}
	table := t.reader.scan.table
	first := len(table.Cols) - table.Partitions
	t.byField, t.byKey = make([]*textColumn, first), map[string]*textColumn{}
	for _, c := range t.reader.scan.columns {
		if c >= first {
			t.columns = append(t.columns, nil)
			continue
		}
		column := &textColumn{to: table.Cols[c].Type, from: sqltype.VarcharType}
		switch column.to.Kind {
		case sqltype.Array, sqltype.Map, sqltype.Row:
			column.from = sqltype.JSONType
		}
		t.columns = append(t.columns, column)
		t.byField[c], t.byKey[table.Cols[c].Name] = column, column
	}
	for range t.format.SkipLines {
		if _, err := t.line(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
	}
	return nil
}

// countedReader counts what is read of the file.
type countedReader struct {
	reader *reader
	in     io.Reader
}

func (c *countedReader) Read(p []byte) (int, error) {
	if err := c.reader.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.in.Read(p)
	c.reader.scan.report.BytesRead.Add(int64(n))
	return n, err
}

func (t *textRows) close() error {
	if t.packed != nil {
		_ = t.packed.Close() // what it has to say was said when the rows were read
	}
	return t.object.Close()
}

// line returns the next line without its end; it is valid until the next call. io.EOF is after the last one.
func (t *textRows) line() ([]byte, error) {
	t.record = t.record[:0]
	for {
		part, err := t.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if len(t.record)+len(part) > maxRecord {
				return nil, t.tooLong()
			}
			t.record = append(t.record, part...)
			continue
		}
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("after line %d: %w", t.number, err)
		}
		line := part
		if len(t.record) > 0 {
			t.record = append(t.record, part...)
			line = t.record
		}
		if err == io.EOF && len(line) == 0 {
			return nil, io.EOF
		}
		t.number++
		line = bytes.TrimSuffix(line, []byte{'\n'})
		return bytes.TrimSuffix(line, []byte{'\r'}), nil
	}
}

func (t *textRows) tooLong() error {
	return fmt.Errorf("line %d is longer than %d MiB", t.number+1, maxRecord>>20)
}

// next reads a batch.
func (t *textRows) next() ([]arrow.Array, int, error) {
	for _, c := range t.columns {
		if c != nil {
			c.out, c.row = array.NewStringBuilder(memory.DefaultAllocator), 0
		}
	}
	t.starts, t.bytes = t.starts[:0], 0
	var err error
	if !t.ended {
		switch t.format.Kind {
		case CSV:
			err = t.fillCSV()
		case JSON:
			err = t.fillJSON()
		default:
			err = t.fillText()
		}
	}
	if errors.Is(err, io.EOF) {
		t.ended, err = true, nil
	}
	if err != nil {
		return nil, 0, err
	}
	n := len(t.starts)
	if n == 0 {
		return nil, 0, io.EOF
	}
	columns := make([]arrow.Array, len(t.columns))
	for i, c := range t.columns {
		if c == nil {
			continue
		}
		if columns[i], err = t.finish(c, n); err != nil {
			return nil, 0, err
		}
	}
	return columns, n, nil
}

// full reports whether the batch has enough.
func (t *textRows) full() bool { return len(t.starts) >= t.reader.limit() || t.bytes >= batchBytes }

// row begins a row that starts in a line.
func (t *textRows) row(line int64) { t.starts = append(t.starts, line) }

// set gives a column its value in the row; the last one counts.
func (t *textRows) set(c *textColumn, value []byte) {
	if c.row == len(t.starts) {
		return // a key that is there twice: the first one counts
	}
	t.pad(c, len(t.starts)-1)
	c.row = len(t.starts)
	t.bytes += len(value)
	c.out.BinaryBuilder.Append(valid(value))
}

// pad fills up to n rows with NULLs.
func (t *textRows) pad(c *textColumn, n int) {
	for ; c.row < n; c.row++ {
		c.out.AppendNull()
	}
}

// valid is text as UTF-8.
func valid(text []byte) []byte { return bytes.ToValidUTF8(text, []byte("\uFFFD")) }

// finish casts the text of a column to its type. Text that is none of the type is NULL in Hive's text, and an error elsewhere.
func (t *textRows) finish(c *textColumn, n int) (arrow.Array, error) {
	t.pad(c, n)
	text := c.out.NewArray()
	if c.to.Kind == sqltype.Varbinary {
		return asBinary(text.(*array.String)), nil
	}
	try := t.format.Kind == Text || t.format.Malformed
	cast := func(a arrow.Array) (arrow.Array, error) {
		d := vec.Datum{Arr: a}
		var err error
		from := c.from
		if from.Kind == sqltype.JSON { // which has no times: they are text in it
			if d, err = vec.Cast(d, from, withoutTimes(c.to), try, nil, time.Time{}, a.Len()); err != nil {
				return nil, err
			}
			from = withoutTimes(c.to)
		}
		d, err = vec.Cast(d, from, c.to, try, nil, time.Time{}, a.Len())
		return d.Arr, err
	}
	out, err := cast(text)
	if err == nil || sqlerr.KindOf(err) != sqlerr.Value {
		return out, err
	}
	for i := range n {
		if _, err := cast(vec.Slice(text, i, i+1)); err != nil {
			return nil, fmt.Errorf("line %d: %w", t.starts[i], err)
		}
	}
	return nil, err
}

// withoutTimes is a type with text in place of what JSON has no values for.
func withoutTimes(t sqltype.Type) sqltype.Type {
	switch t.Kind {
	case sqltype.Date, sqltype.Time, sqltype.Timestamp, sqltype.TimestampTZ:
		return sqltype.VarcharType
	case sqltype.Array:
		return sqltype.ArrayOf(withoutTimes(*t.Elem))
	case sqltype.Map:
		return sqltype.MapOf(withoutTimes(*t.Key), withoutTimes(*t.Elem))
	case sqltype.Row:
		fields := make([]sqltype.Field, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = sqltype.Field{Name: f.Name, Type: withoutTimes(f.Type)}
		}
		return sqltype.RowOf(fields...)
	}
	return t
}

func asBinary(text *array.String) arrow.Array {
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	for i := range text.Len() {
		if text.IsNull(i) {
			b.AppendNull()
		} else {
			b.Append([]byte(text.Value(i)))
		}
	}
	return b.NewArray()
}

// setText gives a column a value that is written as text: a time may be in ISO's form, as JSON has it.
func (t *textRows) setText(c *textColumn, value []byte) {
	switch c.to.Kind {
	case sqltype.Timestamp:
		if len(value) > 10 && value[10] == 'T' {
			value = bytes.TrimSuffix(slices.Clone(value), []byte{'Z'})
			value[10] = ' '
		}
	case sqltype.Varchar:
	default:
		value = bytes.TrimSpace(value)
	}
	t.set(c, value)
}

// fields are the fields of a row of text, in one buffer. quoted ones came in quotes.
type fields struct {
	buf    []byte
	ends   []int
	quoted []bool
}

func (f *fields) reset() { f.buf, f.ends, f.quoted = f.buf[:0], f.ends[:0], f.quoted[:0] }

func (f *fields) end(quoted bool) {
	f.ends, f.quoted = append(f.ends, len(f.buf)), append(f.quoted, quoted)
}

func (f *fields) at(i int) []byte {
	start := 0
	if i > 0 {
		start = f.ends[i-1]
	}
	return f.buf[start:f.ends[i]]
}
