package fn

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// state is the state of one group of an aggregate of one argument: a small value, its zero value that of no input.
type state[S, A, R any] interface {
	add(x A) S
	merge(other S) S
	// result is the aggregate's value; false means NULL.
	result() (R, bool)
}

// fold is an accumulator made of a state per group. For the aggregates that queries use most there are accumulators
// with loops of their own.
type fold[A, R any, S state[S, A, R]] struct {
	t      sqltype.Type
	states []S
}

func newFold[A, R any, S state[S, A, R]](_ []sqltype.Type, t sqltype.Type) Accumulator {
	return &fold[A, R, S]{t: t}
}

func (f *fold[A, R, S]) Update(args []vec.Datum, groups []uint32, count int) error {
	f.states = grown(f.states, count)
	col := columnOf[A](args[0])
	for i, g := range groups {
		f.states[g] = f.states[g].add(col.at(i))
	}
	return nil
}

func (f *fold[A, R, S]) Merge(other Accumulator, remap []uint32, count int) error {
	f.states = grown(f.states, count)
	for g, s := range other.(*fold[A, R, S]).states {
		f.states[remap[g]] = f.states[remap[g]].merge(s)
	}
	return nil
}

func (f *fold[A, R, S]) Result(count int) (arrow.Array, error) {
	f.states = grown(f.states, count)
	out, nulls := make([]R, count), make([]bool, count)
	for g := range out {
		r, ok := f.states[g].result()
		out[g], nulls[g] = r, !ok
	}
	return write(f.t, out, nulls)
}

func (f *fold[A, R, S]) Bytes() int64 { return bytesOf(f.states) }

// foldPairs is fold over two arguments.
type foldPairs[A, B, R any, S state[S, pair[A, B], R]] struct {
	fold[pair[A, B], R, S]
}

// pair is the arguments of one row.
type pair[A, B any] struct {
	a A
	b B
}

func newFoldPairs[A, B, R any, S state[S, pair[A, B], R]](_ []sqltype.Type, t sqltype.Type) Accumulator {
	return &foldPairs[A, B, R, S]{fold[pair[A, B], R, S]{t: t}}
}

func (f *foldPairs[A, B, R, S]) Update(args []vec.Datum, groups []uint32, count int) error {
	f.states = grown(f.states, count)
	a, b := columnOf[A](args[0]), columnOf[B](args[1])
	for i, g := range groups {
		f.states[g] = f.states[g].add(pair[A, B]{a.at(i), b.at(i)})
	}
	return nil
}

func (f *foldPairs[A, B, R, S]) Merge(other Accumulator, remap []uint32, count int) error {
	return f.fold.Merge(&other.(*foldPairs[A, B, R, S]).fold, remap, count)
}
