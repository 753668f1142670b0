package vec

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/trailql/trailql/engine/sqltype"
)

// PortableSchema is the Arrow schema of columns in their portable form. The SQL type of each stands in its field's metadata as sql_type.
func PortableSchema(columns []sqltype.Column) *arrow.Schema {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = arrow.Field{Name: c.Name, Type: PortableType(c.Type), Nullable: true,
			Metadata: arrow.NewMetadata([]string{"sql_type"}, []string{c.Type.String()})}
	}
	return arrow.NewSchema(fields, nil)
}

// PortableStart is what an Arrow IPC stream of such a schema begins with. Who knows the columns reads record batches behind it, rather than
// believe a schema that may be damaged.
func PortableStart(columns []sqltype.Column) ([]byte, error) {
	var start bytes.Buffer
	if err := ipc.NewWriter(&start, ipc.WithSchema(PortableSchema(columns))).Close(); err != nil {
		return nil, err
	}
	return start.Bytes()[:start.Len()-8], nil // without the mark of the end
}

// PortableRecord gives a batch its portable form; its arrays may be dictionary-coded.
func PortableRecord(columns []sqltype.Column, b Batch) (arrow.RecordBatch, error) {
	cols, err := portableColumns(columns, b)
	if err != nil {
		return nil, err
	}
	return array.NewRecordBatch(PortableSchema(columns), cols, int64(b.Len)), nil
}

func portableColumns(columns []sqltype.Column, b Batch) ([]arrow.Array, error) {
	cols := make([]arrow.Array, len(columns))
	for i, c := range columns {
		var err error
		if cols[i], err = Portable(c.Type, Plain(b.Cols[i])); err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
	}
	return cols, nil
}

// FromPortableRecord is the way back. The batch outlives the record and its reader, and may be read by several goroutines.
func FromPortableRecord(columns []sqltype.Column, record arrow.RecordBatch) (Batch, error) {
	b := Batch{Len: int(record.NumRows()), Cols: make([]arrow.Array, len(columns))}
	for i, c := range columns {
		kept := array.MakeFromData(record.Column(i).Data()) // the reader frees its own at the next record
		var err error
		if b.Cols[i], err = FromPortable(c.Type, kept); err != nil {
			return Batch{}, fmt.Errorf("column %q: %w", c.Name, err)
		}
		b.Cols[i].NullN() // arrow-go counts when first asked, without a lock
	}
	return b, nil
}
