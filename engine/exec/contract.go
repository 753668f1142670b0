// Package exec runs a logical plan: operators over batches, row-group morsels on
// all cores, cancellation, and memory accounting.
package exec

import (
	"context"
	"time"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/vec"
)

// Options of one run.
type Options struct {
	Workers   int   // 0: GOMAXPROCS
	BatchRows int   // 0: default; rows per batch at most, in every operator
	Memory    int64 // bytes that operators may account in all; 0: no limit
	Off       source.Switches
	Session   fn.Session
}

// Stream yields the rows of a running plan. Used by one goroutine; Close may be called at any time, also twice, and waits for the workers.
type Stream struct{}

// Run starts the plan. Nothing is read before the first Next.
func Run(ctx context.Context, node plan.Node, opt Options) (*Stream, error) { panic("not written yet") }

// Next returns the next batch, never empty, or io.EOF.
func (s *Stream) Next() (vec.Batch, error) { panic("not written yet") }

// Close stops the workers and frees what the operators hold.
func (s *Stream) Close() error { panic("not written yet") }

// Metrics returns what each node of the plan did so far.
func (s *Stream) Metrics() map[plan.Node]*Metrics { panic("not written yet") }

// Metrics of one node, summed over workers.
type Metrics struct {
	Rows, Batches int64         // put out
	Wall          time.Duration // in the node, without its inputs, summed over workers
	Memory        int64         // peak accounted
	Scan          *source.Report
}

// Plan-time pruning for EXPLAIN: see source.Scan.Prune.
func Prune(ctx context.Context, node plan.Node, opt Options) (map[plan.Node]*source.Report, error) {
	panic("not written yet")
}
