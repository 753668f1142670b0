// Package engine is the façade: open, query, explain, cancel. The flow is
//
//	text → sql.Parse → bind → plan → optimize → exec → batches
package engine

import (
	"context"
	"time"

	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// Engine answers SQL over a catalog. Safe for concurrent use.
type Engine struct{}

// New returns an engine over cat.
func New(cat source.Catalog) *Engine { panic("not written yet") }

// Options of one query; the zero value is right for a shell.
type Options struct {
	Workers      int             // 0: all cores
	BatchRows    int             // 0: default
	Memory       int64           // bytes the query may hold; 0: no limit
	Now          time.Time       // zero: the clock
	Off          source.Switches // steps turned off, for tests
	WithoutRules []string        // optimizer rules turned off, for tests
}

// Result is a running query. Used by one goroutine.
type Result struct {
	Columns []plan.Column // names as shown: _col0 … for unnamed ones
	Version int64         // of the snapshot
}

// Query parses, binds, plans and starts one statement (SELECT, EXPLAIN, SHOW, DESCRIBE). Errors are *sqlerr.Error with a place in text.
// Cancel ctx or Close the result to stop it.
func (e *Engine) Query(ctx context.Context, text string, opt Options) (*Result, error) {
	panic("not written yet")
}

// Next returns the next batch, never empty, or io.EOF.
func (r *Result) Next() (vec.Batch, error) { panic("not written yet") }

// Close ends the query; harmless twice.
func (r *Result) Close() error { panic("not written yet") }

// Stats says what the query read and skipped so far, summed over its scans.
func (r *Result) Stats() Stats { panic("not written yet") }

// Stats of a query.
type Stats struct {
	Rows                       int64 // returned
	RowsRead, BytesRead        int64
	Partitions, Files          int64 // of the tables scanned
	PartitionsPruned           int64
	FilesPruned                int64
	RowGroups, RowGroupsPruned int64
	Elapsed                    time.Duration
	Memory                     int64 // peak accounted
}
