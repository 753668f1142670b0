package parquetio

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestWhatIsWrittenTheReferenceReaderReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns, batches := randomTable(t)
		opt := WriteOptions{Columns: columns, RowGroupRows: rapid.IntRange(1, 60).Draw(t, "group")}
		pages := rapid.IntRange(1, 40).Draw(t, "page")
		data, w := writePaged(t, pages, opt, batches...)
		rows := 0
		for _, b := range batches {
			rows += b.Len
		}
		if w.Rows != int64(rows) || w.Bytes != int64(len(data)) || w.SHA256 != sha256.Sum256(data) {
			t.Fatalf("%+v for %d rows, %d bytes", w, rows, len(data))
		}
		table := reference(t, data)
		for i := range columns {
			if got, want := tableText(table, i), columnText(batches, i); !slices.Equal(got, want) {
				t.Fatalf("column %d %s:\ngot  %v\nwant %v", i, columns[i].Type, got, want)
			}
		}
		if again, _ := writePaged(t, pages, opt, batches...); !bytes.Equal(again, data) {
			t.Fatal("the same input gave other bytes")
		}
	})
}
