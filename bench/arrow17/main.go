// Command arrow17 prints the rows of Parquet files as JSON lines, read by arrow/go v17. It is a program of its own because v17 and v18
// cannot be linked into one: both define the same assembly symbol.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	for _, path := range os.Args[1:] {
		if err := print(path, out); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			os.Exit(1)
		}
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func print(path string, out io.Writer) error {
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: 4096}, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	records, err := r.GetRecordReader(context.Background(), nil, nil)
	if err != nil {
		return err
	}
	rows := int64(0)
	for {
		rec, err := records.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		rows += rec.NumRows()
		if err := array.RecordToJSON(rec, out); err != nil {
			return err
		}
	}
	if rows != f.NumRows() { // v17 is known to end early without an error
		return fmt.Errorf("read %d rows of %d", rows, f.NumRows())
	}
	return nil
}
