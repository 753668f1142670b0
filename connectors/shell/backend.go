// Package shell is the analyst's prompt, and the runner of scripts that `trailql
// query` shares with it: statements and backslash commands in, results, progress
// and errors out. It answers nothing itself: a Backend does, in this process or
// on a server.
package shell

import (
	"context"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/vec"
)

// Backend starts one statement; ctx binds it. It takes the request's text, parameters and session. Errors about the statement are *sqlerr.Error
// with a place in its text. Safe for concurrent use.
type Backend func(ctx context.Context, r service.Request) (Rows, error)

// Rows is a running statement. Used by one goroutine, but Stats and Query may be called by any.
type Rows interface {
	// Columns waits until they are known.
	Columns() ([]service.Column, error)
	// Next returns the next batch, never empty; io.EOF at the end.
	Next() (vec.Batch, error)
	// Stats says how far the statement is, or what it took.
	Stats() engine.Stats
	Query() service.Query
	// Close ends a statement that still runs.
	Close() error
}

// Direct answers in this process and keeps no results.
func Direct(e *engine.Engine, opt engine.Options) Backend {
	return func(ctx context.Context, r service.Request) (Rows, error) {
		opt := opt
		opt.Params, opt.Session = r.Params, r.Session
		result, err := e.Query(ctx, r.SQL, opt)
		if err != nil {
			return nil, err
		}
		return direct{result, r}, nil
	}
}

type direct struct {
	*engine.Result
	request service.Request
}

func (d direct) Columns() ([]service.Column, error) { return d.Result.Columns, nil }

func (d direct) Query() service.Query {
	return service.Query{SQL: d.request.SQL, Params: d.request.Params, State: service.Running, Change: d.Change, Snapshot: d.Version, Stats: d.Stats()}
}
