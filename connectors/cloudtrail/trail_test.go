package cloudtrail

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/vec"
)

// opener gives the same bytes at each opening.
func opener(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// decode decodes one object with default limits.
func decode(t testing.TB, name string, content []byte) (Object, map[string]vec.Batch, error) {
	t.Helper()
	var rows Rows
	obj, err := Decode(context.Background(), opener(content), name, name, Limits{}, &rows, nil)
	return obj, rows.Flush(), err
}

// rebuilt returns the records of a batch as JSON.
func rebuilt(t testing.TB, table string, b vec.Batch) []string {
	t.Helper()
	cols := make([]int, len(b.Cols))
	for i := range cols {
		cols[i] = i
	}
	a, err := EventJSON(table, cols, b)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, b.Len)
	for i := range out {
		if a.IsNull(i) {
			t.Fatalf("record %d of %s was not rebuilt", i, table)
		}
		out[i] = a.(*array.String).Value(i)
	}
	return out
}

// col returns a column by its name.
func col(t testing.TB, table string, b vec.Batch, name string) arrow.Array {
	t.Helper()
	for i, c := range Schema(table) {
		if c.Name == name {
			return undone(b.Cols[i])
		}
	}
	t.Fatalf("no column %s in %s", name, table)
	return nil
}

// undone gives rows that are dictionary-coded, and the texts in rows, the plain form.
func undone(a arrow.Array) arrow.Array {
	switch a := a.(type) {
	case *array.Dictionary:
		entries, ok := a.Dictionary().(*array.Struct)
		if !ok {
			return a
		}
		rows := make([]int32, a.Len())
		for i := range rows {
			if rows[i] = -1; a.IsValid(i) {
				rows[i] = int32(a.GetValueIndex(i))
			}
		}
		return vec.Take(undone(entries), rows)
	case *array.Struct:
		fields := make([]arrow.Field, a.NumField())
		data := make([]arrow.ArrayData, a.NumField())
		for i := range fields {
			child := vec.Plain(undone(a.Field(i)))
			fields[i] = arrow.Field{Name: a.DataType().(*arrow.StructType).Field(i).Name, Type: child.DataType(), Nullable: true}
			data[i] = child.Data()
		}
		return array.NewStructData(array.NewData(arrow.StructOf(fields...), a.Len(), a.Data().Buffers(), data, a.NullN(), 0))
	}
	return a
}

// tokens is the independent reading of a JSON value: the token stream of encoding/json, which keeps the order of members,
// duplicate keys and the text of numbers.
func tokens(t testing.TB, text []byte) string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var out strings.Builder
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return out.String()
		}
		if err != nil {
			t.Fatalf("encoding/json refuses %.200q: %v", text, err)
		}
		fmt.Fprintf(&out, "%T %q\n", tok, fmt.Sprint(tok))
	}
}

// sharedData finds the folder of real events beside the project.
func sharedData(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		data := filepath.Join(dir, "shared", "data", "cloudtrail")
		if s, err := os.Stat(data); err == nil && s.IsDir() {
			return data
		}
		if filepath.Dir(dir) == dir {
			t.Skip("no folder shared/data/cloudtrail beside the project: the test on real events is left out")
		}
		dir = filepath.Dir(dir)
	}
}

// Every event of the development set is decoded and rebuilt; README.md there gives the numbers.
func TestRealEvents(t *testing.T) {
	root := sharedData(t)
	var files, digests, events int
	shapes := map[string]int{}
	var rows Rows
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".json.gz") || strings.Contains(path, "/raw/") {
			return err
		}
		stored, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		obj, err := Decode(context.Background(), opener(stored), path, path, Limits{}, &rows, nil)
		if err != nil || len(obj.Bad) > 0 {
			t.Errorf("%s: %v, %d bad records", path, err, len(obj.Bad))
			return nil
		}
		files++
		if obj.Kind == KindDigest {
			digests++
		}
		batches := rows.Flush()

		z, err := gzip.NewReader(bytes.NewReader(stored))
		if err != nil {
			return err
		}
		var want struct{ Records []json.RawMessage }
		if err := json.NewDecoder(z).Decode(&want); err != nil {
			return err
		}
		if int64(len(want.Records)) != obj.Records {
			t.Errorf("%s: %d records of %d", path, obj.Records, len(want.Records))
		}
		for table, b := range batches {
			ordinals := col(t, table, b, colRow).(*array.Int64)
			for i, got := range rebuilt(t, table, b) {
				events++
				if original := want.Records[ordinals.Value(i)]; tokens(t, []byte(got)) != tokens(t, original) {
					t.Errorf("%s, record %d: rebuilt\n%s\nfrom\n%s", path, i, got, original)
				}
				shape := col(t, table, b, colShape).(*array.Dictionary)
				shapes[shape.Dictionary().(*array.String).Value(shape.GetValueIndex(i))]++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if events != 31_457 || digests != 2 {
		t.Errorf("%d events and %d digests in %d files; want 31,457 and 2", events, digests, files)
	}
	if len(shapes) > 600 || shapes[shapeWhole] > 0 || shapes[shapeBytes] > 0 {
		t.Errorf("%d shapes, %d records kept whole: the columns should do", len(shapes), shapes[shapeWhole]+shapes[shapeBytes])
	}
	t.Logf("%d events in %d files, %d shapes", events, files, len(shapes))
}
