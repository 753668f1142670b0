package parquetio

import (
	"context"
	"fmt"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/source"
)

// CheckPages decodes every page of columns of a file, and builds nothing of them: bytes that changed, counts that do not agree, and codes without
// an entry are errors, and lists whose leaves have not the same number of elements.
func CheckPages(ctx context.Context, store blob.Store, f File, columns []source.Column) error {
	req := source.Request{Paths: source.WholeColumns(columns), Limit: -1}
	opened, err := NewScan(ctx, store, []File{f}, columns, req, &source.Report{})
	if err != nil {
		return err
	}
	s := opened.(*scan)
	for _, m := range s.morsels {
		if err := s.checkPages(ctx, m); err != nil {
			return s.fault(ctx, m.file, err)
		}
	}
	return nil
}

func (s *scan) checkPages(ctx context.Context, m morsel) (err error) {
	defer caught(&err)
	r, err := s.open(ctx, m)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		if more, err := r.advance(); err != nil || !more {
			return err
		}
		if err := r.group.check(); err != nil {
			return err
		}
		r.leave()
	}
}

// check checks all columns.
func (g *groupReader) check() error {
	elements := map[*node]int64{} // by list
	for _, c := range g.columns {
		for _, l := range c.leaves {
			n, err := l.check()
			if err != nil {
				return err
			}
			if l.list == nil {
				continue
			}
			if before, seen := elements[l.list]; seen && before != n {
				return fmt.Errorf("lists of %q have %d and %d values", l.list.name, before, n)
			}
			elements[l.list] = n
		}
	}
	return nil
}

// check decodes all pages, lets go of the dictionary, and returns how many elements the list above has.
func (c *columnReader) check() (elements int64, err error) {
	defer func() { c.dict = nil }()
	if err := c.open(); err != nil {
		return 0, err
	}
	for i := range c.places {
		if err := c.load(i); err != nil {
			return 0, err
		}
		elements += int64(c.page.elements(c.slot))
	}
	return elements, nil
}

// elements counts the entries that have the level of definition or more.
func (p *page) elements(level uint8) (n int) {
	if p.def == nil {
		return p.entries
	}
	for _, d := range p.def {
		if d >= level {
			n++
		}
	}
	return n
}
