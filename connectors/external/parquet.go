package external

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/prune"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

const (
	maxFooter       = 64 << 20  // thrift bytes of a footer
	parquetBatch    = 64 << 20  // bytes of a batch, by what the footer says of its row group
	maxGroupColumns = 100_000   // column chunks of a file
	maxChunk        = 512 << 20 // bytes of the columns of a row group that are read
)

// parquetRows reads row groups of a Parquet file that others may have written, by arrow-go, whose panics on damaged files end the query only.
// A column is found by its name without regard to case; one that the file does not have is NULL.
type parquetRows struct {
	reader  *reader
	object  blob.Object
	file    *file.Reader
	arrow   *pqarrow.FileReader
	fields  []int // of the file's schema, for each of scan.columns; -1: the file does not have it
	leaves  []int // that are read, sorted
	groups  []int // still to be read
	records pqarrow.RecordReader
	left    int64         // rows, where no column is read
	rest    []arrow.Array // of the last record, for the columns; nil: read another
	restLen int
}

func openParquet(r *reader, m morsel) (_ rows, err error) {
	defer func() {
		if recover() != nil {
			err = errUnforeseen
		}
	}()
	object, err := r.scan.table.Place.Root.Store.Open(r.ctx, r.file.info.Name)
	if err != nil {
		return nil, err
	}
	p := &parquetRows{reader: r, object: object}
	if err := p.start(m); err != nil {
		return nil, errors.Join(err, object.Close())
	}
	return p, nil
}

// checkFooter looks at the length of the footer before anything is allocated for it.
func checkFooter(o blob.Object) error {
	var tail [8]byte
	if o.Size() < 12 {
		return errors.New("it is too short for a Parquet file")
	}
	if _, err := o.ReadAt(tail[:], o.Size()-8); err != nil {
		return err
	}
	if string(tail[4:]) != "PAR1" {
		return errors.New("it is no Parquet file, or cut off: it does not end in PAR1")
	}
	if n := int64(binary.LittleEndian.Uint32(tail[:])); n > o.Size()-12 || n > maxFooter {
		return fmt.Errorf("its footer has %d bytes, the file %d", n, o.Size())
	}
	return nil
}

func (p *parquetRows) start(m morsel) error {
	if err := checkFooter(p.object); err != nil {
		return err
	}
	s := p.reader.scan
	in := &countedObject{p.reader, io.NewSectionReader(p.object, 0, p.object.Size())}
	props := parquet.NewReaderProperties(memory.DefaultAllocator)
	props.BufferedStreamEnabled = true
	var err error
	if p.file, err = file.NewParquetReader(in, file.WithReadProps(props)); err != nil {
		return err
	}
	meta := p.file.MetaData()
	if meta.NumRowGroups()*meta.NumColumns() > maxGroupColumns {
		return fmt.Errorf("it has %d row groups of %d columns, more than is read", meta.NumRowGroups(), meta.NumColumns())
	}
	meta.FileMetaData.KeyValueMetadata = nil // a schema of Arrow's may ask for any memory, and what is declared counts
	if p.arrow, err = pqarrow.NewFileReader(p.file, pqarrow.ArrowReadProperties{BatchSize: int64(p.reader.limit())}, memory.DefaultAllocator); err != nil {
		return err
	}
	p.findColumns()
	groups := meta.NumRowGroups()
	for g := groups * m.part / m.of; g < groups*(m.part+1)/m.of; g++ {
		s.report.RowGroups.Add(1)
		if !s.req.Off.RowGroup && p.never(g) {
			s.report.RowGroupsByStats.Add(1)
			continue
		}
		p.groups = append(p.groups, g)
	}
	return nil
}

// countedObject counts what is read of the file.
type countedObject struct {
	reader *reader
	*io.SectionReader
}

func (c *countedObject) count(n int, err error) (int, error) {
	c.reader.scan.report.BytesRead.Add(int64(n))
	if c.reader.ctx.Err() != nil {
		return n, c.reader.ctx.Err()
	}
	return n, err
}

func (c *countedObject) Read(p []byte) (int, error) { return c.count(c.SectionReader.Read(p)) }

func (c *countedObject) ReadAt(p []byte, off int64) (int, error) {
	return c.count(c.SectionReader.ReadAt(p, off))
}

func (p *parquetRows) findColumns() {
	s := p.reader.scan
	first := len(s.table.Cols) - s.table.Partitions
	wanted := map[int]bool{}
	for _, c := range s.columns {
		at := -1
		if c < first {
			for i, f := range p.arrow.Manifest.Fields {
				if strings.EqualFold(f.Field.Name, s.table.Cols[c].Name) {
					at = i
					break
				}
			}
		}
		p.fields = append(p.fields, at)
		if at >= 0 {
			leavesOf(&p.arrow.Manifest.Fields[at], wanted)
		}
	}
	for leaf := range p.file.MetaData().Schema.NumColumns() {
		if wanted[leaf] {
			p.leaves = append(p.leaves, leaf)
		}
	}
}

func leavesOf(f *pqarrow.SchemaField, into map[int]bool) {
	if f.IsLeaf() {
		into[f.ColIndex] = true
	}
	for i := range f.Children {
		leavesOf(&f.Children[i], into)
	}
}

// never reports whether the statistics of a row group rule all of its rows out.
func (p *parquetRows) never(group int) bool {
	b := &groupBounds{rows: p, group: p.file.MetaData().RowGroup(group)}
	for _, c := range p.reader.scan.req.Conjuncts {
		if prune.Check(c, b) == prune.Never {
			return true
		}
	}
	return false
}

// groupBounds are the statistics of a row group, as far as they can be trusted: those of columns that are stored as they are declared.
type groupBounds struct {
	rows  *parquetRows
	group *metadata.RowGroupMetaData
}

func (b *groupBounds) stats(path int) (metadata.TypedStatistics, sqltype.Kind) {
	s := b.rows.reader.scan
	req := s.req.Paths[path]
	if len(req.Fields) > 0 {
		return nil, 0
	}
	for i, c := range s.columns {
		if c != req.Column || b.rows.fields[i] < 0 {
			continue
		}
		f := &b.rows.arrow.Manifest.Fields[b.rows.fields[i]]
		if !f.IsLeaf() {
			return nil, 0
		}
		chunk, err := b.group.ColumnChunk(f.ColIndex)
		if err != nil {
			return nil, 0
		}
		stats, err := chunk.Statistics()
		if err != nil || stats == nil || !storedAs(f.Field.Type, s.table.Cols[c].Type.Kind) {
			return nil, 0
		}
		return stats, s.table.Cols[c].Type.Kind
	}
	return nil, 0
}

// storedAs reports whether values of a form in a file stand for the same ones of a type.
func storedAs(form arrow.DataType, kind sqltype.Kind) bool {
	switch form.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64:
		return kind == sqltype.BigInt || kind == sqltype.Integer || kind == sqltype.SmallInt || kind == sqltype.TinyInt
	case arrow.STRING:
		return kind == sqltype.Varchar
	case arrow.DATE32:
		return kind == sqltype.Date
	case arrow.FLOAT64:
		return kind == sqltype.Double
	}
	return false
}

func (b *groupBounds) Bounds(path int) (lo, hi any) {
	stats, _ := b.stats(path)
	if stats == nil || !stats.HasMinMax() {
		return nil, nil
	}
	switch s := stats.(type) {
	case *metadata.Int32Statistics:
		return int64(s.Min()), int64(s.Max())
	case *metadata.Int64Statistics:
		return s.Min(), s.Max()
	case *metadata.Float64Statistics:
		if math.IsNaN(s.Min()) || math.IsNaN(s.Max()) {
			return nil, nil
		}
		return s.Min(), s.Max()
	case *metadata.ByteArrayStatistics:
		if len(s.Max()) == 0 && len(s.Min()) > 0 { // a maximum that was too long to be written
			return nil, nil
		}
		return string(s.Min()), string(s.Max())
	}
	return nil, nil
}

func (b *groupBounds) Nulls(path int) (nulls, rows int64) {
	stats, _ := b.stats(path)
	if stats == nil || !stats.HasNullCount() {
		return -1, b.group.NumRows()
	}
	return stats.NullCount(), b.group.NumRows()
}

func (b *groupBounds) Canonical(int) bool { return false }

func (p *parquetRows) close() error {
	p.records = nil // left to the garbage collector
	return p.object.Close()
}

func (p *parquetRows) next() ([]arrow.Array, int, error) {
	most := p.reader.limit()
	for p.restLen == 0 {
		if err := p.read(); err != nil {
			return nil, 0, err
		}
	}
	n := min(most, p.restLen)
	out := make([]arrow.Array, len(p.rest))
	for i, a := range p.rest {
		if a != nil {
			out[i], p.rest[i] = vec.Slice(a, 0, n), vec.Slice(a, n, p.restLen)
		}
	}
	p.restLen -= n
	return out, n, nil
}

// read reads the next record of the file: it may hold more rows than a batch.
func (p *parquetRows) read() error {
	s := p.reader.scan
	p.rest = make([]arrow.Array, len(s.columns))
	if len(p.leaves) == 0 { // no column is asked for, or none that the file has
		if len(p.groups) == 0 {
			return io.EOF
		}
		rows := p.file.MetaData().RowGroup(p.groups[0]).NumRows()
		if p.left == 0 {
			p.left = rows
		}
		p.restLen = int(min(p.left, int64(p.reader.limit())))
		if p.left -= int64(p.restLen); p.left == 0 {
			p.groups = p.groups[1:]
		}
		p.fillMissing()
		return nil
	}
	for {
		if p.records == nil {
			if len(p.groups) == 0 {
				return io.EOF
			}
			if err := p.openGroup(p.groups[0]); err != nil {
				return err
			}
			p.groups = p.groups[1:]
		}
		record, err := p.records.Read()
		if errors.Is(err, io.EOF) || err == nil && record == nil {
			p.records = nil
			continue
		}
		if err != nil {
			return err
		}
		p.restLen = int(record.NumRows())
		return p.conform(record)
	}
}

func (p *parquetRows) openGroup(group int) error {
	meta := p.file.MetaData().RowGroup(group)
	var bytes int64
	for _, leaf := range p.leaves {
		chunk, err := meta.ColumnChunk(leaf)
		if err != nil {
			return err
		}
		if chunk.TotalCompressedSize() > p.object.Size() || chunk.TotalCompressedSize() < 0 {
			return fmt.Errorf("row group %d: a column of %d bytes in a file of %d", group, chunk.TotalCompressedSize(), p.object.Size())
		}
		bytes += max(0, chunk.TotalUncompressedSize())
	}
	rows := int64(p.reader.limit())
	if n := meta.NumRows(); n > 0 && bytes/n > parquetBatch/rows {
		rows = max(1, parquetBatch/(bytes/n+1))
	}
	p.arrow.Props.BatchSize = rows
	var err error
	p.records, err = p.arrow.GetRecordReader(context.WithoutCancel(p.reader.ctx), p.leaves, []int{group})
	return err
}

// conform takes the columns of a record in the forms of their types.
func (p *parquetRows) conform(record arrow.RecordBatch) error {
	s := p.reader.scan
	for i, c := range s.columns {
		if p.fields[i] < 0 {
			continue
		}
		name := p.arrow.Manifest.Fields[p.fields[i]].Field.Name
		at := record.Schema().FieldIndices(name)
		if len(at) == 0 {
			return fmt.Errorf("column %s cannot be read", name)
		}
		var err error
		if p.rest[i], err = conform(record.Column(at[0]), s.table.Cols[c].Type); err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
	}
	p.fillMissing()
	return nil
}

// fillMissing gives the columns that the file does not have their NULLs.
func (p *parquetRows) fillMissing() {
	s := p.reader.scan
	for i, c := range s.columns {
		if p.fields[i] < 0 && c < len(s.table.Cols)-s.table.Partitions {
			p.rest[i] = vec.Nulls(s.table.Cols[c].Type, p.restLen)
		}
	}
}

var _ source.Reader = (*reader)(nil)
