package vec

import (
	"bytes"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/trailql/trailql/engine/sqltype"
)

// TestExtents: what an ExtentWriter wrote is an Arrow stream, each extent reads back alone, and no damaged or wrong part does.
func TestExtents(t *testing.T) {
	var columns []sqltype.Column
	var b Batch
	for _, s := range samples {
		columns = append(columns, sqltype.Column{Name: s.t, Type: mustType(t, s.t)})
		b.Cols = append(b.Cols, sample(t, columns[len(columns)-1].Type, s.low, s.high))
	}
	b.Len = 3
	var file bytes.Buffer
	w := NewExtentWriter(columns, &file)
	var extents []Extent
	for _, part := range []Batch{b, b.Slice(1, 3)} {
		e, err := w.Write(part)
		if err != nil {
			t.Fatal(err)
		}
		extents = append(extents, e)
	}
	if err := w.Close(); err != nil || w.Size() != int64(file.Len()) {
		t.Fatalf("%d bytes of %d, %v", w.Size(), file.Len(), err)
	}
	stream, err := ipc.NewReader(bytes.NewReader(file.Bytes()))
	if err != nil || !stream.Next() || !stream.Next() || stream.Next() {
		t.Fatalf("it is no stream of two batches: %v", err)
	}
	start, err := PortableStart(columns)
	if err != nil {
		t.Fatal(err)
	}
	for i, from := range []int{0, 1} {
		got, err := ReadExtent(bytes.NewReader(file.Bytes()), start, columns, extents[i])
		if err != nil || got.Len != 3-from {
			t.Fatalf("%d rows, %v", got.Len, err)
		}
		for c := range columns {
			if !arrow.TypeEqual(got.Cols[c].DataType(), b.Cols[c].DataType()) {
				t.Errorf("%s comes back as %s", columns[c].Name, got.Cols[c].DataType())
			}
			for row := range got.Len {
				if !EqualRows(got.Cols[c], row, b.Cols[c], row+from) {
					t.Errorf("%s: row %d is %v", columns[c].Name, row, got.Cols[c])
				}
			}
		}
	}
	e := extents[0]
	for at := range e.Length {
		damaged := bytes.Clone(file.Bytes())
		damaged[e.Offset+at] ^= 1
		if _, err := ReadExtent(bytes.NewReader(damaged), start, columns, e); err == nil {
			t.Fatalf("a wrong bit at %d of %d goes unnoticed", at, e.Length)
		}
	}
	for _, cut := range []int64{0, e.Offset, e.Offset + e.Length - 1} {
		if _, err := ReadExtent(bytes.NewReader(file.Bytes()[:cut]), start, columns, e); err == nil {
			t.Errorf("a file of %d bytes was read", cut)
		}
	}
	if _, err := ReadExtent(bytes.NewReader(file.Bytes()), start, columns[1:], e); err == nil {
		t.Error("other columns were read")
	}
}
