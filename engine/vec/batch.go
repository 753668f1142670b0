// Package vec holds the kernels over Arrow arrays: compare, boolean logic, LIKE,
// take, concat, cast, hash; each in scalar, plain and dictionary form.
//
// Memory: arrays come from the Go allocator and are left to the garbage collector;
// nobody calls Retain or Release. Arrays are never written to after they are built,
// so they may be shared by batches and goroutines.
package vec

import "github.com/apache/arrow-go/v18/arrow"

// Batch is the one thing that crosses operator borders: equally long columns. Len counts rows also where
// there are no columns. SQL types travel in the plan, not here; Arrow forms are those of sqltype.Type.Arrow,
// and top-level varchar and json columns may be dictionary-coded (sqltype.DictionaryString).
type Batch struct {
	Len  int
	Cols []arrow.Array
}

// Datum is an operand: a column, or with Const an array of length 1 that stands for every row and is never expanded.
type Datum struct {
	Arr   arrow.Array
	Const bool
}
