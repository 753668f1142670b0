package parquetio

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
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
		if again, _ := writePaged(t, pages, opt, codedRows(batches)...); !bytes.Equal(again, data) {
			t.Fatal("dictionary-coded rows gave other bytes")
		}
	})
}

// codedRows gives columns of rows the form of a dictionary: an entry is there for each row, in another order if vec.Take can make it.
func codedRows(batches []vec.Batch) []vec.Batch {
	out := slices.Clone(batches)
	for i, b := range out {
		out[i].Cols = slices.Clone(b.Cols)
		for k, c := range b.Cols {
			if c.DataType().ID() != arrow.STRUCT || c.Len() == 0 {
				continue
			}
			entries, codes := c, make([]int32, c.Len())
			for row := range codes {
				codes[row] = int32(c.Len() - 1 - row)
			}
			if strings.Contains(c.DataType().String(), "dictionary") {
				slices.Sort(codes)
			} else {
				entries = vec.Take(c, append(slices.Clone(codes), 0)) // the last is nobody's
			}
			valid := make([]byte, (c.Len()+7)/8)
			for row := range codes {
				if c.IsValid(row) {
					valid[row/8] |= 1 << (row % 8)
				} else {
					codes[row] = 0 // whatever it is
				}
			}
			out[i].Cols[k] = array.MakeFromData(array.NewDataWithDictionary(&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: c.DataType()}, c.Len(),
				[]*memory.Buffer{memory.NewBufferBytes(valid), memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(codes))}, c.NullN(), 0, entries.Data().(*array.Data)))
		}
	}
	return out
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
