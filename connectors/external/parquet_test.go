package external

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// foreign writes JSON rows as a Parquet file in forms that this program's own files do not have.
func foreign(t testing.TB, schema *arrow.Schema, rows string, props ...parquet.WriterProperty) string {
	t.Helper()
	record, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, parquet.NewWriterProperties(props...), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema(), pqarrow.WithDeprecatedInt96Timestamps(true)))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(record); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

var foreignSchema = arrow.NewSchema([]arrow.Field{
	{Name: "N", Type: arrow.PrimitiveTypes.Int32},
	{Name: "u", Type: arrow.PrimitiveTypes.Uint16, Nullable: true},
	{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "raw", Type: arrow.BinaryTypes.Binary, Nullable: true},
	{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Nanosecond}, Nullable: true},
	{Name: "price", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}, Nullable: true},
	{Name: "who", Type: arrow.StructOf(arrow.Field{Name: "Age", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, arrow.Field{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true}), Nullable: true},
	{Name: "m", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int32), Nullable: true},
}, nil)

const foreignRows = `[
{"N":1,"u":7,"name":"a","raw":"Yg==","at":"2024-01-02 03:04:05.678","price":"1.50","who":{"Age":3,"tags":["x",null]},"m":[{"key":"k","value":1}]},
{"N":2,"u":null,"name":null,"raw":null,"at":null,"price":null,"who":null,"m":null},
{"N":3,"u":65535,"name":"","raw":"","at":"1969-12-31 23:59:59.999","price":"-2.25","who":{"Age":null,"tags":[]},"m":[]}
]`

// TestForeignParquet: codecs, page versions, encodings and types that other programs write, by the names of the columns.
func TestForeignParquet(t *testing.T) {
	dir := t.TempDir()
	cols := columns(t, "name string", "n bigint", "missing array<int>", "raw string", "at timestamp", "price decimal(12,3)", "who struct<tags:array<string>,nothing:int,age:int>", "m map<string,bigint>", "u int")
	want := []string{
		"a|1|NULL|b|2024-01-02 03:04:05.678|1.500|{tags=[x, null], nothing=null, age=3}|{k=1}|7", "NULL|2|NULL|NULL|NULL|NULL|NULL|NULL|NULL",
		"|3|NULL||1969-12-31 23:59:59.999|-2.250|{tags=[], nothing=null, age=null}|{}|65535",
	}
	for name, props := range map[string][]parquet.WriterProperty{
		"snappy, v2": {parquet.WithCompression(compress.Codecs.Snappy), parquet.WithDataPageVersion(parquet.DataPageV2)},
		"gzip, rows": {parquet.WithCompression(compress.Codecs.Gzip), parquet.WithMaxRowGroupLength(1)},
		"delta":      {parquet.WithDictionaryDefault(false), parquet.WithEncodingFor("name", parquet.Encodings.DeltaByteArray), parquet.WithEncodingFor("N", parquet.Encodings.DeltaBinaryPacked)},
		"brotli":     {parquet.WithCompression(compress.Codecs.Brotli)},
	} {
		write(t, dir, map[string]string{"f.parquet": foreign(t, foreignSchema, foreignRows, props...)})
		table := &Table{TableName: "t", Cols: cols, Format: Format{Kind: Parquet}, Place: Place{root(t, dir), "f.parquet"}}
		for _, rows := range []int{0, 1, 2} {
			got, _, err := read(t, table, source.Request{BatchRows: rows})
			check(t, name, got, err, want...)
		}
		got, _, err := read(t, table, source.Request{Paths: []source.Path{{Column: 2}}, BatchRows: 2})
		check(t, name+", no column", got, err, "NULL", "NULL", "NULL")
		got, _, err = read(t, table, source.Request{Paths: []source.Path{{Column: 6, Fields: []int{2}}, {Column: 1}}})
		check(t, name+", a field", got, err, "3|1", "NULL|2", "NULL|3")
	}
	table := &Table{TableName: "t", Cols: columns(t, "name bigint"), Format: Format{Kind: Parquet}, Place: Place{root(t, dir), "f.parquet"}}
	if _, _, err := read(t, table, source.Request{}); err == nil || !strings.Contains(err.Error(), "file r/f.parquet of table t: column name: cannot cast 'a' to bigint") {
		t.Errorf("%v", err)
	}
	table.Cols = columns(t, "n array<int>")
	if _, _, err := read(t, table, source.Request{}); err == nil || !strings.Contains(err.Error(), "declared as array(integer)") {
		t.Errorf("%v", err)
	}
}

// TestRowGroupsArePruned by statistics, and not where these may not be trusted.
func TestRowGroupsArePruned(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"f.parquet": foreign(t, foreignSchema, foreignRows, parquet.WithMaxRowGroupLength(1))})
	table := &Table{TableName: "t", Cols: columns(t, "n bigint", "name string"), Format: Format{Kind: Parquet}, Place: Place{root(t, dir), ""}}
	n := &expr.Column{Index: 0, Name: "n", T: sqltype.BigIntType}
	name := &expr.Column{Index: 1, Name: "name", T: sqltype.VarcharType}
	paths := []source.Path{{Column: 0}, {Column: 1}}
	for _, c := range []struct {
		e      expr.Expr
		pruned int64
		rows   []string
	}{
		{&expr.Compare{Op: expr.Gt, Left: n, Right: expr.NewLiteral(sqltype.BigIntType, int64(2))}, 2, []string{"3|"}},
		{&expr.Compare{Op: expr.Eq, Left: name, Right: expr.NewLiteral(sqltype.VarcharType, "a")}, 2, []string{"1|a"}},
		{&expr.Compare{Op: expr.Gt, Left: n, Right: expr.NewLiteral(sqltype.BigIntType, int64(9))}, 3, nil},
	} {
		got, report, err := read(t, table, source.Request{Paths: paths, Conjuncts: []expr.Expr{c.e}})
		check(t, expr.Format(c.e), got, err, c.rows...)
		if report.RowGroups.Load() != 3 || report.RowGroupsByStats.Load() != c.pruned {
			t.Errorf("%s: %d of %d row groups pruned", expr.Format(c.e), report.RowGroupsByStats.Load(), report.RowGroups.Load())
		}
		got, _, err = read(t, table, source.Request{Paths: paths, Conjuncts: []expr.Expr{c.e}, Off: source.Switches{RowGroup: true}})
		if err != nil || len(got) != 3 {
			t.Errorf("%s, pruning is off: %q, %v", expr.Format(c.e), got, err)
		}
	}
}

// TestDamagedParquet: whatever is wrong with a file ends the query, not the process.
func TestDamagedParquet(t *testing.T) {
	dir := t.TempDir()
	good := foreign(t, foreignSchema, foreignRows, parquet.WithCompression(compress.Codecs.Snappy))
	cols := columns(t, "name string", "n bigint", "at timestamp", "price decimal(12,3)", "who struct<tags:array<string>,age:int>", "m map<string,bigint>")
	table := &Table{TableName: "t", Cols: cols, Format: Format{Kind: Parquet}, Place: Place{root(t, dir), "f"}}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 400 {
		bad := []byte(good)
		for range 1 + random.IntN(4) {
			bad[random.IntN(len(bad))] = byte(random.IntN(256))
		}
		if i%10 == 0 {
			bad = bad[:random.IntN(len(bad))]
		}
		write(t, dir, map[string]string{"f": string(bad)})
		rows, _, err := read(t, table, source.Request{})
		if err == nil && len(rows) != 3 && len(rows) != 0 {
			continue // a count may have changed: there is no checksum over it
		}
		if err != nil && !strings.Contains(err.Error(), "file r/f of table t") {
			t.Fatalf("%d: %v", i, err)
		}
	}
	for _, text := range []string{"", "PAR1", "PAR1PAR1", "PAR1\xff\xff\xff\x7fPAR1", strings.Repeat("x", 100)} {
		write(t, dir, map[string]string{"f": text})
		if _, _, err := read(t, table, source.Request{}); err == nil {
			t.Errorf("%q: no error", fmt.Sprint(text))
		}
	}
}
