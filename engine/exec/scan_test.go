package exec

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
)

func TestScanKeepsTheOrder(t *testing.T) {
	sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		r := people(rng, 100)
		return r.scan(rng, s.coded), r.rows
	})
}

func TestScanFiltersWhatTheSourceDoesNot(t *testing.T) {
	sweep(t, true, func(s setting, rng *rand.Rand) (plan.Node, []row) {
		r := people(rng, 100)
		var want []row
		for _, row := range r.rows {
			if row[0] == "name-1" && row[2] != nil && row[2].(int64) < 2 {
				want = append(want, row)
			}
		}
		return r.scan(rng, s.coded, equal(r.column(0), text("name-1")), less(r.column(2), integer(2))), want
	})
}

// backwards is a table that wants its morsels read from the last to the first.
type backwards struct {
	source.Table
	opened []int
}

func (b *backwards) Scan(ctx context.Context, req source.Request) (source.Scan, error) {
	s, err := b.Table.Scan(ctx, req)
	return &backwardsScan{s, b}, err
}

type backwardsScan struct {
	source.Scan
	table *backwards
}

func (s *backwardsScan) Order() []int {
	var order []int
	for m := s.Morsels() - 1; m >= 0; m-- {
		order = append(order, m)
	}
	return order
}

func (s *backwardsScan) Open(ctx context.Context, morsel int) (source.Reader, error) {
	s.table.opened = append(s.table.opened, morsel)
	return s.Scan.Open(ctx, morsel)
}

// TestSortTakesMorselsInTheOrderOfTheSource, through a projection, too. Which of equal rows comes first goes by the table's order all the same.
func TestSortTakesMorselsInTheOrderOfTheSource(t *testing.T) {
	r := people(rand.New(rand.NewPCG(1, 1)), 100)
	scan := r.scan(rand.New(rand.NewPCG(1, 2)), false)
	table := &backwards{Table: scan.Table}
	scan.Table = table
	project := &plan.Project{Input: scan, Exprs: []expr.Expr{r.column(0)}, Columns: scan.Columns[:1]}
	constant := []plan.SortKey{{Expr: integer(1)}}
	rows, err := execute(&plan.Sort{Input: project, Keys: constant, Limit: 3}, Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(table.opened) < 2 || !slices.IsSortedFunc(table.opened, func(a, b int) int { return b - a }) {
		t.Errorf("morsels opened: %v", table.opened)
	}
	want := []row{{r.rows[0][0]}, {r.rows[1][0]}, {r.rows[2][0]}}
	same(t, rows, want, true)
}
