// Package upkeep keeps a lake in order: what it holds and whether that is whole, hashes of all files read again, rows removed when their
// time is over, unless a legal hold keeps them, and files removed that no reader needs.
package upkeep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/vec"
)

// recordTables are the tables of events: those that have an age.
var recordTables = []string{cloudtrail.Logs, cloudtrail.Insights, cloudtrail.Aggregated}

// tables are all of them.
func tables() []string {
	var out []string
	for _, t := range catalog.Layouts() {
		out = append(out, t.Name)
	}
	return out
}

// ask calls visit with each row of an answer over a snapshot, the newest if it is nil. NULL is nil.
func ask(ctx context.Context, lake *catalog.Lake, snap *catalog.Snapshot, text string, visit func(row []any)) error {
	var opt engine.Options
	if snap != nil {
		opt.Snapshot = snap
	}
	r, err := engine.New(lake).Query(ctx, text, opt)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range b.Len {
			row := make([]any, len(b.Cols))
			for c, col := range b.Cols {
				if d, ok := col.(*array.Dictionary); ok {
					col = vec.Plain(d)
				}
				row[c] = vec.Value(col, i)
			}
			visit(row)
		}
	}
}

// number answers a question that has one number; NULL is 0.
func number(ctx context.Context, lake *catalog.Lake, snap *catalog.Snapshot, text string) (n int64, err error) {
	err = ask(ctx, lake, snap, text, func(row []any) { n, _ = row[0].(int64) })
	return n, err
}

// read reads an object of JSON; ok is false where there is none.
func read(ctx context.Context, store blob.Store, name string, v any) (ok bool, err error) {
	data, err := store.ReadAll(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return false, fmt.Errorf("%s/%s: %w", store.URL(), name, err)
	}
	return true, nil
}

// put makes an object of JSON that is not there yet.
func put(ctx context.Context, store blob.Store, name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if err := store.PutIfAbsent(ctx, name, append(data, '\n')); err != nil {
		return fmt.Errorf("%s/%s: %w", store.URL(), name, err)
	}
	return nil
}

// Act is who does something to a lake, when and why.
type Act struct {
	Who    string    `json:"who"`
	When   time.Time `json:"when"`
	Reason string    `json:"reason"`
}
