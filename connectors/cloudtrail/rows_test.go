package cloudtrail

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine/sqltype"
)

// Bytes is what the compactor's memory budget trusts: compare it with the heap.
func TestBytesIsHonest(t *testing.T) {
	distinct := func(n int) []byte {
		var b strings.Builder
		b.WriteString(`{"Records":[`)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"eventName":"name-%d","sourceIPAddress":"10.%d","userAgent":"some agent of some length %d"}`, i, i, i)
		}
		b.WriteString(`]}`)
		return []byte(b.String())
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for _, c := range []struct {
		why     string
		content []byte
	}{
		{"usual events", generated(1, 20_000)},
		{"dictionaries of distinct texts", distinct(50_000)},
		{"hardly any columns", []byte(`[` + event1 + strings.Repeat(",{}", 100_000) + `]`)},
	} {
		before := heap()
		var rows Rows
		if _, err := Decode(context.Background(), opener(c.content), "", "p", Limits{}, &rows, nil); err != nil {
			t.Fatal(err)
		}
		rows.decoder = nil
		held := heap() - before
		if said := rows.Bytes(); float64(said) < 0.8*float64(held) || float64(said) > 1.2*float64(held) {
			t.Errorf("%s: said %d bytes, holds %d", c.why, said, held)
		}
		runtime.KeepAlive(rows)
		runtime.KeepAlive(c.content)
	}
}

// Flush gives the columns of Schema, without the last two, in the forms that sqltype allows.
func TestFlushForms(t *testing.T) {
	var rows Rows
	for _, content := range [][]byte{generated(1, 20), []byte(`{"Records":[{"insightDetails":{}},{"eventCategory":"Aggregated"}]}`)} {
		if _, err := Decode(context.Background(), opener(content), "", "p", Limits{}, &rows, nil); err != nil {
			t.Fatal(err)
		}
	}
	if rows.Len() != 22 {
		t.Errorf("%d rows", rows.Len())
	}
	batches := rows.Flush()
	for _, table := range []string{Logs, Insights, Aggregated} {
		schema, b := Schema(table), batches[table]
		if len(b.Cols) != len(schema)-2 {
			t.Fatalf("%s: %d columns of %d", table, len(b.Cols), len(schema))
		}
		for i, c := range b.Cols {
			if c.Len() != b.Len {
				t.Errorf("%s.%s: %d rows of %d", table, schema[i].Name, c.Len(), b.Len)
			}
			if got, want := undictionaried(c.DataType()), schema[i].Type.Arrow(); !arrow.TypeEqual(got, want) {
				t.Errorf("%s.%s is %s; want %s", table, schema[i].Name, got, want)
			}
			if v, ok := c.(interface{ ValidateFull() error }); ok {
				if err := v.ValidateFull(); err != nil {
					t.Errorf("%s.%s: %v", table, schema[i].Name, err)
				}
			}
		}
	}
	if _, ok := col(t, Logs, batches[Logs], "eventname").(*array.Dictionary); !ok {
		t.Error("eventname is not dictionary-coded")
	}
	if rows.Len() != 0 || len(rows.Flush()) != 0 {
		t.Error("Flush left rows behind")
	}
}

func undictionaried(t arrow.DataType) arrow.DataType {
	switch t := t.(type) {
	case *arrow.DictionaryType:
		return undictionaried(t.ValueType)
	case *arrow.StructType:
		fields := t.Fields()
		for i := range fields {
			fields[i].Type = undictionaried(fields[i].Type)
		}
		return arrow.StructOf(fields...)
	case *arrow.ListType:
		return arrow.ListOf(undictionaried(t.Elem()))
	}
	return t
}

func TestSchema(t *testing.T) {
	if Schema("nothing") != nil {
		t.Error("a schema of no table")
	}
	for _, table := range tables {
		seen := map[string]bool{}
		schema := Schema(table.name)
		for i, c := range schema {
			if c.Name != strings.ToLower(c.Name) || seen[c.Name] {
				t.Errorf("%s: column %q is twice there, or not lower case", table.name, c.Name)
			}
			seen[c.Name] = true
			if hidden := i >= len(schema)-7; c.Hidden != hidden {
				t.Errorf("%s: column %s hidden: %v", table.name, c.Name, c.Hidden)
			}
			if strings.HasPrefix(c.Type.String(), "varchar") && !c.Type.Equal(sqltype.VarcharType) {
				t.Errorf("%s: %s is %s", table.name, c.Name, c.Type)
			}
		}
		// Ids of keys must be unique within an object, and must not collide with the marks of a shape.
		var walk func(o *object)
		walk = func(o *object) {
			ids := map[byte]bool{}
			for _, f := range o.fields {
				if f.form == noColumn {
					continue
				}
				if ids[f.id] || strings.IndexByte("x0#$()[];=", f.id) >= 0 {
					t.Errorf("%s: id %q of %s", table.name, f.id, f.key)
				}
				ids[f.id] = true
				if f.sub != nil {
					walk(f.sub)
				}
			}
		}
		walk(table.top)
	}
}

// Len is the number of rows of all tables.
func (r *Rows) Len() int64 {
	var n int64
	for _, t := range r.tables {
		if t != nil {
			n += int64(t.n)
		}
	}
	return n
}
