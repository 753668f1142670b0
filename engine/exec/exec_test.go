package exec

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// endless is a table of one bigint column with many morsels, each of endlessly many batches of ten rows, or less by what its functions do.
type endless struct {
	morsels int
	planned error
	read    func(ctx context.Context, morsel, batch int) error // before each batch
	opened  atomic.Int64
	closed  atomic.Int64
	batches atomic.Int64
	pruned  atomic.Bool
	report  source.Report
}

func (t *endless) Name() string { return "endless" }
func (t *endless) Columns() []source.Column {
	return []source.Column{{Name: "n", Type: sqltype.BigIntType}}
}
func (t *endless) Scan(context.Context, source.Request) (source.Scan, error) {
	return &endlessScan{t}, t.planned
}

type endlessScan struct{ *endless }

func (s *endlessScan) Applied() []bool             { return nil }
func (s *endlessScan) Morsels() int                { return s.morsels }
func (s *endlessScan) Prune(context.Context) error { s.pruned.Store(true); return nil }
func (s *endlessScan) Report() *source.Report      { return &s.report }
func (s *endlessScan) Open(ctx context.Context, morsel int) (source.Reader, error) {
	s.opened.Add(1)
	return &endlessReader{endless: s.endless, ctx: ctx, morsel: morsel}, nil
}

type endlessReader struct {
	*endless
	ctx           context.Context
	morsel, batch int
}

func (r *endlessReader) Next() (vec.Batch, error) {
	if r.read != nil {
		if err := r.read(r.ctx, r.morsel, r.batch); err != nil {
			return vec.Batch{}, err
		}
	}
	r.batch++
	r.batches.Add(1)
	cells := make([]any, 10)
	for i := range cells {
		cells[i] = int64(1000*r.batch + i)
	}
	b := vec.Batch{Len: 10}
	b.Cols = append(b.Cols, columnOf(sqltype.BigIntType, cells, false))
	return b, nil
}

func (r *endlessReader) Close() error { r.closed.Add(1); return nil }

var number = &expr.Column{Index: 0, Name: "n", T: sqltype.BigIntType}

func (t *endless) scan() *plan.Scan {
	return &plan.Scan{Table: t, Paths: []source.Path{{}}, Columns: []plan.Column{{Name: "n", Type: sqltype.BigIntType}}, Limit: -1}
}

// shapes are plans over the table that keep workers busy in each of the ways there are.
func (t *endless) shapes() map[string]plan.Node {
	columns := t.scan().Columns
	one := &plan.Values{Columns: columns, Rows: [][]expr.Expr{{integer(1)}}}
	return map[string]plan.Node{
		"scan":      t.scan(),
		"sort":      &plan.Sort{Input: t.scan(), Keys: []plan.SortKey{{Expr: number}}, Limit: -1},
		"top":       &plan.Sort{Input: t.scan(), Keys: []plan.SortKey{{Expr: number}}, Limit: 3},
		"aggregate": &plan.Aggregate{Input: t.scan(), Keys: []expr.Expr{number}, Columns: columns},
		"build":     &plan.Join{Kind: plan.SemiJoin, Left: t.scan(), Right: t.scan(), LeftKeys: []expr.Expr{number}, RightKeys: []expr.Expr{number}, Columns: columns},
		"probe":     &plan.Join{Kind: plan.SemiJoin, Left: t.scan(), Right: one, LeftKeys: []expr.Expr{number}, RightKeys: []expr.Expr{number}, Columns: columns},
		"union":     &plan.Union{Children: []plan.Node{t.scan(), t.scan()}, Columns: columns},
		"window":    windowOver(t.scan(), nil, []plan.SortKey{{Expr: number}}, windowCall("row_number")),
		"whole":     windowOver(t.scan(), nil, nil, windowCall("row_number")),
		"limit":     &plan.Aggregate{Input: &plan.Limit{Input: t.scan(), Limit: -1}, Keys: []expr.Expr{number}, Columns: columns},
	}
}

// everyShape runs test for each shape and number of workers over a fresh table.
func everyShape(t *testing.T, table func() *endless, test func(t *testing.T, shape string, table *endless, workers int)) {
	for name := range table().shapes() {
		for _, workers := range []int{1, 4} {
			t.Run(name+strings.Repeat(" on many workers", workers/4), func(t *testing.T) {
				noLeaks(t)
				own := table()
				test(t, name, own, workers)
				if opened, closed := own.opened.Load(), own.closed.Load(); opened != closed {
					t.Errorf("%d readers were opened, %d closed", opened, closed)
				}
			})
		}
	}
}

func TestCancelStopsEveryShape(t *testing.T) {
	table := func() *endless { return &endless{morsels: 100} }
	everyShape(t, table, func(t *testing.T, shape string, table *endless, workers int) {
		ctx, cancel := context.WithCancel(context.Background())
		table.read = func(context.Context, int, int) error {
			if table.batches.Load() >= 50 {
				cancel()
			}
			return nil
		}
		s, err := Run(ctx, table.shapes()[shape], Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for err == nil {
			_, err = s.Next()
		}
		if sqlerr.KindOf(err) != sqlerr.Cancelled {
			t.Fatalf("got %v", err)
		}
	})
}

func TestCloseStopsEveryShape(t *testing.T) {
	table := func() *endless { return &endless{morsels: 100} }
	everyShape(t, table, func(t *testing.T, shape string, table *endless, workers int) {
		busy := make(chan struct{})
		var once sync.Once
		table.read = func(context.Context, int, int) error {
			if table.batches.Load() >= 50 {
				once.Do(func() { close(busy) })
			}
			return nil
		}
		s, err := Run(context.Background(), table.shapes()[shape], Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() {
			var err error
			for err == nil {
				_, err = s.Next()
			}
			ended <- err
		}()
		<-busy
		if err := s.Close(); err != nil { // from another goroutine, while Next runs
			t.Error(err)
		}
		if err := <-ended; sqlerr.KindOf(err) != sqlerr.Cancelled {
			t.Errorf("Next returned %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("the second Close returned %v", err)
		}
	})
}

func TestCloseBeforeTheFirstNextReadsNothing(t *testing.T) {
	table := func() *endless { return &endless{morsels: 10} }
	everyShape(t, table, func(t *testing.T, shape string, table *endless, workers int) {
		s, err := Run(context.Background(), table.shapes()[shape], Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if n := table.opened.Load(); n > 0 {
			t.Errorf("%d morsels were opened", n)
		}
	})
}

func TestErrorsOfTablesAndDefects(t *testing.T) {
	for name, c := range map[string]struct {
		read func(context.Context, int, int) error
		kind sqlerr.Kind
		says string
	}{
		"a damaged file":  {func(context.Context, int, int) error { return errors.New("bad magic") }, sqlerr.Data, "table endless cannot be read: bad magic"},
		"an error of SQL": {func(context.Context, int, int) error { return sqlerr.New(sqlerr.Value, 3, "division by zero") }, sqlerr.Value, "division by zero"},
		"a panic":         {func(context.Context, int, int) error { panic("index out of range") }, sqlerr.Internal, "the query hit a defect of trailql at exec_test.go:"},
		"late, in a morsel": {func(_ context.Context, _, batch int) error {
			if batch == 20 {
				return errors.New("bad page")
			}
			return nil
		}, sqlerr.Data, "bad page"},
	} {
		t.Run(name, func(t *testing.T) {
			table := func() *endless { return &endless{morsels: 5, read: c.read} }
			everyShape(t, table, func(t *testing.T, shape string, table *endless, workers int) {
				_, err := execute(table.shapes()[shape], Options{Workers: workers})
				if sqlerr.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("got %v of kind %s", err, sqlerr.KindOf(err))
				}
			})
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	doing := map[string]string{"sort": "while sorting rows", "aggregate": "while grouping rows", "limit": "while grouping rows", "build": "while joining",
		"window": "while sorting rows", "whole": "while computing window functions"}
	table := func() *endless { return &endless{morsels: 100} }
	everyShape(t, table, func(t *testing.T, shape string, table *endless, workers int) {
		says, holds := doing[shape]
		if !holds { // the others run for ever in little memory
			return
		}
		_, err := execute(table.shapes()[shape], Options{Workers: workers, Memory: 1 << 20})
		if sqlerr.KindOf(err) != sqlerr.Resource || !strings.Contains(err.Error(), "(1 MiB) "+says) {
			t.Fatalf("got %v", err)
		}
	})
}

// Rows that wait for their turn are bounded, so a large result needs little memory.
func TestGatherKeepsLittle(t *testing.T) {
	noLeaks(t)
	table := &endless{morsels: 8, read: func(_ context.Context, _, batch int) error {
		if batch == 2000 {
			return io.EOF
		}
		return nil
	}}
	s, err := Run(context.Background(), table.scan(), Options{Workers: 4, Memory: 10 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows := 0
	for err == nil {
		var b vec.Batch
		b, err = s.Next()
		rows += b.Len
	}
	if !errors.Is(err, io.EOF) || rows != 8*2000*10 {
		t.Errorf("%d rows, then %v", rows, err)
	}
}

// The top rows of very many fit into little memory.
func TestTopNKeepsLittle(t *testing.T) {
	for _, workers := range []int{1, 4} {
		table := &endless{morsels: 8, read: func(_ context.Context, _, batch int) error {
			if batch == 5000 {
				return io.EOF
			}
			return nil
		}}
		node := &plan.Sort{Input: table.scan(), Keys: []plan.SortKey{{Expr: number, Desc: true}}, Limit: 2}
		rows, err := execute(node, Options{Workers: workers, BatchRows: 100, Memory: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		same(t, rows, []row{{int64(5000009)}, {int64(5000009)}}, true)
	}
}

func TestLimitStopsTheWorkers(t *testing.T) {
	for _, workers := range []int{1, 4} {
		noLeaks(t)
		table := &endless{morsels: 1000}
		rows, err := execute(&plan.Limit{Input: table.scan(), Limit: 25}, Options{Workers: workers})
		if err != nil || len(rows) != 25 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		if n := table.opened.Load(); n > int64(workers) {
			t.Errorf("%d workers opened %d morsels", workers, n)
		}
	}
}

func TestDeadlineAndCause(t *testing.T) {
	node := (&endless{morsels: 1}).scan()
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancel()
	s, err := Run(ctx, node, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(); sqlerr.KindOf(err) != sqlerr.Cancelled || !strings.Contains(err.Error(), "longer than it may") {
		t.Errorf("past the deadline: %v", err)
	}
	limit := sqlerr.New(sqlerr.Resource, 0, "the query returned more rows than it may")
	caused, cancelCause := context.WithCancelCause(context.Background())
	cancelCause(limit)
	if s, err = Run(caused, node, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(); !errors.Is(err, limit) {
		t.Errorf("with a cause: %v", err)
	}
}

func TestScanPlanningFails(t *testing.T) {
	table := &endless{planned: errors.New("no such object")}
	if _, err := Run(context.Background(), table.scan(), Options{}); sqlerr.KindOf(err) != sqlerr.Data {
		t.Errorf("got %v", err)
	}
}

func TestPrune(t *testing.T) {
	left, right := &endless{morsels: 3}, &endless{morsels: 4}
	join := &plan.Join{Kind: plan.CrossJoin, Left: left.scan(), Right: &plan.Filter{Input: right.scan()}}
	reports, err := Prune(context.Background(), join, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(reports) != 2 || !left.pruned.Load() || !right.pruned.Load() || left.opened.Load()+right.opened.Load() != 0 {
		t.Errorf("%d reports; pruned %v and %v", len(reports), left.pruned.Load(), right.pruned.Load())
	}
}

func TestMetrics(t *testing.T) {
	r := people(rand.New(rand.NewPCG(1, 1)), 500)
	scan := r.scan(rand.New(rand.NewPCG(1, 1)), true)
	sort := &plan.Sort{Input: scan, Keys: []plan.SortKey{{Expr: r.column(4)}}, Limit: -1}
	limit := &plan.Limit{Input: sort, Limit: 10}
	s, err := Run(context.Background(), limit, Options{Workers: 2, BatchRows: 100})
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = s.Next()
	}
	s.Close()
	m := s.Metrics()
	if m[scan].Rows != 500 || m[sort].Rows != 100 || m[limit].Rows != 10 {
		t.Errorf("rows: %d, %d, %d", m[scan].Rows, m[sort].Rows, m[limit].Rows)
	}
	if m[scan].Scan == nil || m[scan].Scan.RowsRead.Load() != 500 {
		t.Error("the scan's report is missing")
	}
	if m[sort].Memory == 0 || m[sort].Wall == 0 {
		t.Errorf("the sort held %d bytes and took %v", m[sort].Memory, m[sort].Wall)
	}
}
