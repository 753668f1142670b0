package exec

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// computedRows is for how many rows arrays are computed at once: a short row can make a long array.
const computedRows = 256

func (r *run) unnest(n *plan.Unnest, input flow) flow {
	source := pieces{most: r.batchRows}
	for _, e := range n.Exprs {
		if _, stored := e.(*expr.Column); !stored {
			source.most = min(source.most, computedRows)
		}
	}
	kept := n.Kept()
	return flow{tasks: input.tasks, open: func(w *worker, task int) operator {
		return &unnestOperator{operator: input.open(w, task), run: r, worker: w, node: n, kept: kept, source: source}
	}}
}

// unnestOperator puts after each input row the elements of its arrays.
type unnestOperator struct {
	operator
	run    *run
	worker *worker
	node   *plan.Unnest
	kept   []int // columns of the input that are put out

	source pieces
	input  vec.Batch
	lists  []elements
	row    int   // of input: the next to be put out
	at     int64 // how many of its elements are out
}

// elements is one array or map per input row.
type elements struct {
	nulls   nulls
	offsets []int32       // of each row's elements in columns
	counts  []int64       // instead of offsets where there are only numbers of elements
	columns []arrow.Array // an array's elements, a column per field if they are rows; a map's keys and values
	absent  nulls         // elements that are NULL rows: all their fields are NULL
}

// of returns where the row's elements begin and how many there are.
func (e *elements) of(row int) (from, n int64) {
	if e.nulls.at(row) {
		return 0, 0
	}
	if e.counts != nil {
		return 0, max(e.counts[row], 0)
	}
	return int64(e.offsets[row]), int64(e.offsets[row+1] - e.offsets[row])
}

func newElements(a arrow.Array, t sqltype.Type, whole bool) elements {
	if a.DataType().ID() == arrow.NULL {
		return newElements(vec.Nulls(t, a.Len()), t, whole)
	}
	e := elements{nulls: nullsOf(a)}
	switch a := a.(type) {
	case *array.Int64:
		e.counts = a.Int64Values()
	case *array.Map: // before List, which it embeds
		e.offsets = a.Offsets()[a.Data().Offset():]
		e.columns = []arrow.Array{a.Keys(), a.Items()}
	case *array.List:
		e.offsets = a.Offsets()[a.Data().Offset():]
		e.columns = []arrow.Array{a.ListValues()}
		if row, ok := a.ListValues().(*array.Struct); ok && t.Elem.Kind == sqltype.Row && !whole {
			e.columns = nil
			for i := range row.NumField() {
				e.columns = append(e.columns, row.Field(i))
			}
			e.absent = nullsOf(row)
		}
	default:
		panic(fmt.Sprintf("exec: unnest of %s", a.DataType()))
	}
	return e
}

func (o *unnestOperator) next() (vec.Batch, error) {
	for {
		if o.row == o.input.Len {
			if err := o.take(); err != nil {
				return vec.Batch{}, err
			}
		}
		if b := o.put(); b.Len > 0 {
			return b, nil
		}
	}
}

// take gets the next input rows and their arrays.
func (o *unnestOperator) take() error {
	if o.worker.ctx.Err() != nil {
		return cancelled(o.worker.ctx)
	}
	if o.source.empty() {
		b, err := o.operator.next()
		if err != nil {
			return err
		}
		o.source.rest = b
	}
	b := o.source.next()
	arrays, err := evaluated(o.node.Exprs, b, o.run.session)
	if err != nil {
		return err
	}
	o.input, o.row, o.at = b, 0, 0
	o.lists = o.lists[:0]
	for i, a := range arrays {
		o.lists = append(o.lists, newElements(a, o.node.Exprs[i].Type(), o.node.Whole))
	}
	return nil
}

// oneAfterTheOther reports whether picks are elements as they stand, none left out.
func oneAfterTheOther(picks []int32) bool {
	for i, pick := range picks {
		if pick != picks[0]+int32(i) {
			return false
		}
	}
	return picks[0] >= 0
}

// put returns the next rows, a batch at most.
func (o *unnestOperator) put() vec.Batch {
	var rows []int32                       // of input
	picks := make([][]int32, len(o.lists)) // of each list's elements; -1: NULL
	var ordinals *array.Int64Builder
	if o.node.Ordinality {
		ordinals = array.NewInt64Builder(memory.DefaultAllocator)
	}
	for o.row < o.input.Len && len(rows) < o.run.batchRows {
		length := int64(0)
		for i := range o.lists {
			_, n := o.lists[i].of(o.row)
			length = max(length, n)
		}
		if length == 0 && o.node.Outer {
			rows = append(rows, int32(o.row))
			for i := range picks {
				picks[i] = append(picks[i], -1)
			}
			if ordinals != nil {
				ordinals.AppendNull()
			}
		}
		some := min(length-o.at, int64(o.run.batchRows-len(rows)))
		for i := range picks {
			e := &o.lists[i]
			from, n := e.of(o.row)
			for at := o.at; at < o.at+some; at++ {
				pick := int32(-1)
				if at < n && !e.absent.at(int(from+at)) {
					pick = int32(from + at)
				}
				picks[i] = append(picks[i], pick)
			}
		}
		for at := o.at; at < o.at+some; at++ {
			rows = append(rows, int32(o.row))
			if ordinals != nil {
				ordinals.Append(at + 1)
			}
		}
		if o.at += some; o.at == length {
			o.row, o.at = o.row+1, 0
		}
	}
	if len(rows) == 0 {
		return vec.Batch{}
	}
	b := vec.Batch{Len: o.input.Len}
	for _, column := range o.kept {
		b.Cols = append(b.Cols, o.input.Cols[column])
	}
	b = b.Take(rows)
	for i, e := range o.lists {
		whole := oneAfterTheOther(picks[i])
		for _, column := range e.columns {
			if whole {
				b.Cols = append(b.Cols, vec.Slice(column, int(picks[i][0]), int(picks[i][0])+len(rows)))
			} else {
				b.Cols = append(b.Cols, vec.Take(column, picks[i]))
			}
		}
	}
	if ordinals != nil {
		b.Cols = append(b.Cols, ordinals.NewArray())
	}
	return b
}
