package exec

import (
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// stash keeps rows that are read again, maybe several times and for long: in memory up to a part of the budget, the others on disk.
// Filled by one goroutine, then read by any number.
type stash struct {
	run     *run
	types   []sqltype.Type
	most    int64 // bytes in memory, if there is somewhere to spill to; 0: no limit
	account account
	weigh   footprint
	rows    []stashed
	file    *spill // nil: all is in memory
	taken   int    // extents of file that take has returned
}

// stashed is one batch of a stash.
type stashed struct {
	batch  vec.Batch
	file   *spill // nil: it is batch
	extent int
}

func (s stashed) read() (vec.Batch, error) {
	if s.file != nil {
		return s.file.read(s.extent)
	}
	return s.batch, nil
}

// newStash returns one of so many stashes that keep rows together.
func (r *run) newStash(m *meter, columns []plan.Column, stashes int, doing, try string) *stash {
	s := &stash{run: r, account: account{budget: &r.budget, meter: m, spills: true, doing: doing, try: try}}
	if r.budget.spills {
		s.most = r.budget.reserved() / int64(stashes)
	}
	for _, c := range columns {
		s.types = append(s.types, c.Type)
	}
	return s
}

// add keeps a batch. Once one goes to disk all that follow do.
func (s *stash) add(b vec.Batch) error {
	if s.file == nil {
		bytes := s.weigh.of(b)
		if s.account.fits(bytes) && (s.most == 0 || s.account.held+bytes <= s.most) {
			for _, col := range b.Cols {
				settled(col)
			}
			s.rows = append(s.rows, stashed{batch: b})
			return s.account.add(bytes)
		}
		s.file = s.run.newSpill(s.account.meter, s.types)
	}
	return s.file.write(b)
}

// take returns the rows that were added since it was called last, in order.
func (s *stash) take() ([]stashed, error) {
	rows := s.rows
	s.rows = nil
	if s.file == nil {
		return rows, nil
	}
	end, err := s.file.mark()
	for ; s.taken < end; s.taken++ {
		rows = append(rows, stashed{file: s.file, extent: s.taken})
	}
	return rows, err
}

func (s *stash) close() {
	s.account.close()
	if s.file != nil {
		s.file.close()
	}
}
