package sink

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/trailql/trailql/engine/sqltype"
)

// records turns result columns into the record batches of an Arrow schema that other programs understand: text plain,
// a timestamp with time zone as its instant in UTC, intervals and what contains them as text. The SQL type stands in
// the field's metadata under "sql_type".
type records struct {
	columns []Column
	schema  *arrow.Schema
}

func newRecords(columns []Column) records {
	r := records{columns: columns}
	fields := make([]arrow.Field, len(columns))
	for i, name := range uniqueNames(columns) {
		t := columns[i].Type
		form := t.Arrow()
		switch {
		case t.Kind == sqltype.TimestampTZ:
			form = instant(sqltype.TimestampTZForm)
		case textual(t):
			form = arrow.BinaryTypes.String
		}
		fields[i] = arrow.Field{Name: name, Type: form, Nullable: true,
			Metadata: arrow.NewMetadata([]string{"sql_type"}, []string{t.String()})}
	}
	r.schema = arrow.NewSchema(fields, nil)
	return r
}

func instant(form *arrow.StructType) arrow.DataType { return form.Field(0).Type }

// textual says which types have no form that other programs would read rightly.
func textual(t sqltype.Type) bool {
	switch t.Kind {
	case sqltype.Unknown, sqltype.TimeTZ, sqltype.IntervalDay, sqltype.IntervalYear, sqltype.Char, sqltype.UUID, sqltype.IPAddress, sqltype.IPPrefix:
		return true
	case sqltype.Array:
		return textualInside(*t.Elem)
	case sqltype.Map:
		return textualInside(*t.Key) || textualInside(*t.Elem)
	case sqltype.Row:
		for _, f := range t.Fields {
			if textualInside(f.Type) {
				return true
			}
		}
		return len(t.Fields) == 0
	}
	return false
}

func textualInside(t sqltype.Type) bool { return t.Kind == sqltype.TimestampTZ || textual(t) }

func (r records) batch(cols []arrow.Array, rows int) arrow.RecordBatch {
	out := make([]arrow.Array, len(cols))
	for i, col := range cols {
		out[i] = r.column(r.columns[i].Type, col, rows)
	}
	return array.NewRecordBatch(r.schema, out, int64(rows))
}

func (r records) column(t sqltype.Type, col arrow.Array, rows int) arrow.Array {
	_, coded := col.(*array.Dictionary)
	switch {
	case t.Kind == sqltype.TimestampTZ:
		b := array.NewTimestampBuilder(memory.DefaultAllocator, instant(sqltype.TimestampTZForm).(*arrow.TimestampType))
		instants := col.(*array.Struct).Field(0).(*array.Timestamp)
		for row := range rows {
			if col.IsNull(row) {
				b.AppendNull()
			} else {
				b.Append(instants.Value(row))
			}
		}
		return b.NewArray()
	case coded || textual(t):
		b := array.NewStringBuilder(memory.DefaultAllocator)
		var scratch []byte
		for row := range rows {
			if col.IsNull(row) {
				b.AppendNull()
				continue
			}
			scratch = sqltype.AppendText(scratch[:0], t, col, row)
			b.Append(string(scratch))
		}
		return b.NewArray()
	}
	return col
}

// arrowWriter writes the Arrow IPC stream format.
type arrowWriter struct {
	records
	out *ipc.Writer
}

func newArrow(w io.Writer, columns []Column) *arrowWriter {
	r := newRecords(columns)
	return &arrowWriter{records: r, out: ipc.NewWriter(w, ipc.WithSchema(r.schema))}
}

func (a *arrowWriter) Write(cols []arrow.Array, rows int) error {
	if err := a.out.Write(a.batch(cols, rows)); err != nil {
		return fmt.Errorf("writing arrow: %w", err)
	}
	return nil
}

func (a *arrowWriter) Close() error {
	if err := a.out.Close(); err != nil {
		return fmt.Errorf("writing arrow: %w", err)
	}
	return nil
}

// parquetWriter writes one Parquet file, without a stored Arrow schema.
type parquetWriter struct {
	records
	out *pqarrow.FileWriter
}

var codecs = map[string]compress.Compression{
	"": compress.Codecs.Zstd, "zstd": compress.Codecs.Zstd, "snappy": compress.Codecs.Snappy, "gzip": compress.Codecs.Gzip, "none": compress.Codecs.Uncompressed,
}

func newParquet(w io.Writer, columns []Column, compression string) (*parquetWriter, error) {
	codec, ok := codecs[compression]
	if !ok {
		return nil, fmt.Errorf("parquet is not compressed by %q", compression)
	}
	r := newRecords(columns)
	out, err := pqarrow.NewFileWriter(r.schema, keepOpen{w},
		parquet.NewWriterProperties(parquet.WithCompression(codec), parquet.WithMaxRowGroupLength(128<<10),
			parquet.WithBatchSize(64)),
		pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, fmt.Errorf("writing parquet: %w", err)
	}
	return &parquetWriter{records: r, out: out}, nil
}

// keepOpen hides Close: pqarrow closes what it writes to.
type keepOpen struct{ io.Writer }

func (p *parquetWriter) Write(cols []arrow.Array, rows int) error {
	if err := p.out.WriteBuffered(p.batch(cols, rows)); err != nil {
		return fmt.Errorf("writing parquet: %w", err)
	}
	return nil
}

func (p *parquetWriter) Close() error {
	if err := p.out.Close(); err != nil {
		return fmt.Errorf("writing parquet: %w", err)
	}
	return nil
}
