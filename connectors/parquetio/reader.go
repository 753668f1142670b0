package parquetio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/vec"
)

// reader reads the row groups of a morsel.
type reader struct {
	s                   *scan
	ctx                 context.Context
	file                int
	object              blob.Object
	count               func(int) // bytes read
	footer              *footer
	shapes              []shape // of the paths
	nextGroup, endGroup int
	group               *groupReader
}

func (s *scan) open(ctx context.Context, m morsel) (r *reader, err error) {
	defer caught(&err)
	f := s.files[m.file]
	object, err := openFile(ctx, s.store, f, s.count)
	if err != nil {
		return nil, err
	}
	r = &reader{s: s, ctx: ctx, file: m.file, object: object, count: s.count}
	if _, far := object.(*ranges); far {
		r.count = func(int) {} // it counts what comes itself
	}
	if err := r.start(m); err != nil {
		_ = object.Close()
		return nil, err
	}
	return r, nil
}

func (r *reader) start(m morsel) error {
	s := r.s
	f := s.files[m.file]
	if r.object.Size() != f.Size {
		return fmt.Errorf("the file has %d bytes, the table's log says %d", r.object.Size(), f.Size)
	}
	if r.footer = footers.get(s.key(m.file)); r.footer == nil {
		var err error
		if r.footer, err = readFooter(r.object, f.FooterSHA256, r.count); err != nil {
			return err
		}
		rows := int64(0)
		for _, g := range r.footer.groups {
			rows += g.rows
		}
		if rows != f.Rows {
			return fmt.Errorf("the file has %d rows, the table's log says %d", rows, f.Rows)
		}
		footers.put(s.key(m.file), r.footer)
	}
	for i, p := range s.req.Paths {
		column := s.columns[p.Column]
		_, node, err := pathShape(column.Type, r.footer.root.child(column.Name), p.Fields)
		if err != nil {
			return err
		}
		sh, err := newShape(s.types[i], node)
		if err != nil {
			return err
		}
		r.shapes = append(r.shapes, sh)
	}
	groups := len(r.footer.groups)
	r.nextGroup, r.endGroup = groups*m.part/m.of, groups*(m.part+1)/m.of
	return nil
}

func (s *scan) count(n int) { s.report.BytesRead.Add(int64(n)) }

func (r *reader) Close() error {
	if r.group != nil {
		r.leave()
	}
	return r.object.Close()
}

func (r *reader) Next() (vec.Batch, error) {
	b, err := r.next()
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.s.fault(r.ctx, r.file, err)
	}
	return b, err
}

func (r *reader) next() (b vec.Batch, err error) {
	defer caught(&err)
	for {
		if err := r.ctx.Err(); err != nil {
			return vec.Batch{}, err
		}
		if r.group == nil {
			if more, err := r.advance(); err != nil || !more {
				return vec.Batch{}, cmp.Or(err, io.EOF)
			}
		}
		b, err := r.group.next()
		if errors.Is(err, io.EOF) {
			r.leave()
			continue
		}
		return b, err
	}
}

// advance opens the next row group that holds wanted rows; false: there is none.
func (r *reader) advance() (more bool, err error) {
	for r.group == nil {
		if err := r.ctx.Err(); err != nil {
			return false, err
		}
		if r.nextGroup == r.endGroup {
			return false, nil
		}
		if r.group, err = r.openGroup(r.nextGroup); err != nil {
			return false, err
		}
		r.nextGroup++
	}
	r.s.report.RowsRead.Add(r.group.group.rows)
	return true, r.group.fetchRows()
}

// leave is done with the row group.
func (r *reader) leave() {
	r.group.finish()
	if far, ok := r.object.(*ranges); ok {
		far.forget(r.group.end())
	}
	r.group = nil
}

// constant is the value of a path that the file does not have: one row.
func (r *reader) constant(path int) arrow.Array {
	p := r.s.req.Paths[path]
	v, ok := r.s.files[r.file].Constants[r.s.columns[p.Column].Name]
	if !ok || v == nil || len(p.Fields) > 0 {
		return vec.Nulls(r.s.types[path], 1)
	}
	return vec.FromValue(r.s.types[path], v)
}
