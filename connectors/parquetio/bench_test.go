package parquetio

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

var benchColumns = []source.Column{
	{Name: "_time", Type: sqltype.TimestampType},
	{Name: "eventname", Type: sqltype.VarcharType},
	{Name: "eventid", Type: sqltype.VarcharType},
	{Name: "identity", Type: sqltype.RowOf(sqltype.Field{Name: "type", Type: sqltype.VarcharType}, sqltype.Field{Name: "arn", Type: sqltype.VarcharType})},
	{Name: "resources", Type: sqltype.ArrayOf(sqltype.RowOf(sqltype.Field{Name: "arn", Type: sqltype.VarcharType}))},
	{Name: "requestparameters", Type: sqltype.VarcharType},
}

// benchBatch is one row group of made-up events, about 600 bytes each.
func benchBatch() vec.Batch {
	const n = defaultGroupRows
	b := vec.Batch{Len: n}
	for i, c := range benchColumns {
		bl := array.NewBuilder(memory.DefaultAllocator, c.Type.Arrow())
		for row := range n {
			h := uint32(row) * 2654435761
			switch i {
			case 0:
				bl.(*array.TimestampBuilder).Append(arrow.Timestamp(row) * 250e3)
			case 1:
				bl.(*array.StringBuilder).Append(fmt.Sprintf("Event%d", h>>16%300))
			case 2:
				bl.(*array.StringBuilder).Append(fmt.Sprintf("%08x-%04x-4000-8000-%012x", h, row&0xffff, uint64(h)*uint64(row)))
			case 3:
				s := bl.(*array.StructBuilder)
				s.Append(true)
				s.FieldBuilder(0).(*array.StringBuilder).Append([]string{"AssumedRole", "AWSService", "IAMUser"}[h>>8%3])
				s.FieldBuilder(1).(*array.StringBuilder).Append(fmt.Sprintf("arn:aws:sts::111122223333:assumed-role/role-%d/session", h>>12%2000))
			case 4:
				l := bl.(*array.ListBuilder)
				if row%4 > 0 {
					l.AppendNull()
					continue
				}
				l.Append(true)
				for k := range row % 3 {
					s := l.ValueBuilder().(*array.StructBuilder)
					s.Append(true)
					s.FieldBuilder(0).(*array.StringBuilder).Append(fmt.Sprintf("arn:aws:s3:::bucket-%d", (h>>4+uint32(k))%500))
				}
			case 5:
				bl.(*array.StringBuilder).Append(fmt.Sprintf(`{"bucketName":"bucket-%d","Host":"bucket-%d.s3.amazonaws.com","key":"logs/%x/%x.json.gz","x":[%d,%d,%d]}`, h%500, h%500, h, row, h%7, h%11, h%13))
			}
		}
		b.Cols = append(b.Cols, bl.NewArray())
	}
	return b
}

var benchOptions = WriteOptions{Columns: benchColumns, Bloom: []string{"eventid"}, NoStats: []string{"requestparameters"}}

func BenchmarkWrite(b *testing.B) {
	batch := benchBatch()
	b.ReportAllocs()
	for b.Loop() {
		var buf bytes.Buffer
		if _, err := Write(&buf, benchOptions, each([]vec.Batch{batch})); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(batch.Size())
		b.ReportMetric(float64(buf.Len())/float64(batch.Len), "B/row")
	}
}

func BenchmarkScan(b *testing.B) {
	batch := benchBatch()
	data, w := write(b, benchOptions, batch)
	store, files := newMemoryStore(data)
	files[0].Rows = w.Rows
	equal := func(column int, v string) []expr.Expr {
		return []expr.Expr{&expr.Compare{Op: expr.Eq, Left: &expr.Column{Index: column, T: sqltype.VarcharType}, Right: expr.NewLiteral(sqltype.VarcharType, v)}}
	}
	id := batch.Cols[2].(*array.String).Value(77777)
	for _, c := range []struct {
		name string
		req  source.Request
		rows int64
	}{
		{"all columns", source.Request{Paths: source.WholeColumns(benchColumns)}, w.Rows},
		{"codes of two columns", source.Request{Paths: []source.Path{{Column: 1}, {Column: 3, Fields: []int{0}}}}, w.Rows},
		{"times", source.Request{Paths: []source.Path{{Column: 0}}}, w.Rows},
		{"one event by id, all columns", source.Request{Paths: source.WholeColumns(benchColumns), Conjuncts: equal(2, id)}, 1},
		{"no such id", source.Request{Paths: source.WholeColumns(benchColumns), Conjuncts: equal(2, "5d0f")}, 0},
		{"one name of 300, two columns", source.Request{Paths: []source.Path{{Column: 1}, {Column: 5}}, Conjuncts: equal(0, "Event7")}, -1},
		{"rows only", source.Request{}, w.Rows},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				batches, _, err := scanAll(store, files, benchColumns, c.req)
				if n := countRows(batches); err != nil || c.rows >= 0 && n != c.rows {
					b.Fatalf("%d rows, %v", n, err)
				}
			}
		})
	}
}
