package parquetio

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine/vec"
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

// fullDisk takes so many bytes.
type fullDisk int

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(len(p), int(*d))
	*d -= fullDisk(n)
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func TestFullDisk(t *testing.T) {
	batch := damageBatch(200)
	opt := WriteOptions{Columns: damageColumns, RowGroupRows: 100, Bloom: []string{"id"}}
	data, _ := write(t, opt, batch)
	for room := 0; room < len(data); room += 97 {
		disk := fullDisk(room)
		if _, err := Write(&disk, opt, each([]vec.Batch{batch})); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("room for %d of %d bytes: %v", room, len(data), err)
		}
	}
}

func TestFailingInput(t *testing.T) {
	broken := errors.New("source broken")
	_, err := Write(io.Discard, WriteOptions{Columns: damageColumns}, func() (vec.Batch, error) { return vec.Batch{}, broken })
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	_, err = Write(io.Discard, WriteOptions{Columns: damageColumns}, each([]vec.Batch{{Len: 1}}))
	if err == nil || err.Error() != fmt.Sprintf("write parquet: a batch has 0 columns, the file %d", len(damageColumns)) {
		t.Error(err)
	}
	swapped := damageBatch(3)
	swapped.Cols[0], swapped.Cols[1] = swapped.Cols[1], swapped.Cols[0]
	if _, err = Write(io.Discard, WriteOptions{Columns: damageColumns}, each([]vec.Batch{swapped})); err == nil {
		t.Error("columns of other types passed")
	}
}
