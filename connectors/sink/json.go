package sink

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
)

// jsonWriter writes an object a row: as one array, or a line each (jsonl). NULL is null; a column of type json stays JSON.
type jsonWriter struct {
	out     *bufio.Writer
	columns []Column
	keys    [][]byte // `"name":`
	array   bool
	rows    int64
	scratch []byte
}

func newJSON(w io.Writer, columns []Column, array bool) *jsonWriter {
	j := &jsonWriter{out: bufio.NewWriter(w), columns: columns, array: array}
	for _, name := range uniqueNames(columns) {
		key, err := json.Marshal(name)
		if err != nil {
			panic("sink: a string that has no JSON form: " + err.Error())
		}
		j.keys = append(j.keys, append(key, ':'))
	}
	return j
}

func (j *jsonWriter) Write(cols []arrow.Array, rows int) error {
	for row := range rows {
		line := j.scratch[:0]
		switch {
		case !j.array:
		case j.rows == 0:
			line = append(line, "[\n"...)
		default:
			line = append(line, ",\n"...)
		}
		line = append(line, '{')
		for i, col := range cols {
			if i > 0 {
				line = append(line, ',')
			}
			line = append(line, j.keys[i]...)
			line = sqltype.AppendJSON(line, j.columns[i].Type, col, row)
		}
		line = append(line, '}')
		if !j.array {
			line = append(line, '\n')
		}
		j.scratch = line
		j.rows++
		if _, err := j.out.Write(line); err != nil {
			return fmt.Errorf("writing json: %w", err)
		}
	}
	return nil
}

func (j *jsonWriter) Close() error {
	switch {
	case j.array && j.rows == 0:
		j.out.WriteString("[]\n")
	case j.array:
		j.out.WriteString("\n]\n")
	}
	if err := j.out.Flush(); err != nil {
		return fmt.Errorf("writing json: %w", err)
	}
	return nil
}
