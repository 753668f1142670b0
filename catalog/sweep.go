package catalog

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/trailql/trailql/connectors/blob"
)

// Swept counts what Sweep deleted.
type Swept struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// orphanAge is how old a file must be that no version knows before it is taken for left behind by a crash: its writer
// would have committed it long ago.
const orphanAge = 24 * time.Hour

// TempFolder holds files of running compactors; nothing in it outlives its run.
const TempFolder = "_trailql/tmp/"

// Sweep deletes data files that were removed from their table longer than grace ago, so that no running query reads them any
// more, and what crashed runs left behind.
func (l *Lake) Sweep(ctx context.Context, grace time.Duration) (Swept, error) {
	var out Swept
	now := l.opt.Now()
	remove := func(info blob.Info) error {
		if err := l.store.Delete(ctx, info.Name); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		out.Files++
		out.Bytes += info.Size
		return nil
	}
	for _, t := range layouts() {
		// The listing comes before the look into the log: what was committed meanwhile is known then.
		var found []blob.Info
		err := l.store.List(ctx, t.Name+"/", "", func(info blob.Info) error {
			if path.Ext(info.Name) == ".parquet" && !strings.HasPrefix(info.Name, t.Name+"/_") {
				found = append(found, info)
			}
			return nil
		})
		if err != nil {
			return out, fmt.Errorf("sweep: %w", err)
		}
		known, err := l.removals(ctx, t.Name)
		if err != nil {
			return out, err
		}
		for _, info := range found {
			removedAt, ok := known[strings.TrimPrefix(info.Name, t.Name+"/")]
			switch {
			case ok && removedAt.IsZero(): // live
			case ok && now.Sub(removedAt) > grace, !ok && now.Sub(info.ModTime) > orphanAge:
				if err := remove(info); err != nil {
					return out, err
				}
			}
		}
	}
	var stale []blob.Info
	err := l.store.List(ctx, TempFolder, "", func(info blob.Info) error {
		if now.Sub(info.ModTime) > orphanAge {
			stale = append(stale, info)
		}
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("sweep: %w", err)
	}
	for _, info := range stale {
		if err := remove(info); err != nil {
			return out, err
		}
	}
	unfinished, bytes, err := l.store.DropUnfinished(ctx, now.Add(-orphanAge))
	out.Files, out.Bytes = out.Files+unfinished, out.Bytes+bytes
	if err != nil {
		return out, fmt.Errorf("sweep: %w", err)
	}
	return out, nil
}

// removals gives for each file that the log names when it was removed, the zero time for those that are live.
func (l *Lake) removals(ctx context.Context, table string) (map[string]time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(ctx); err != nil {
		return nil, fmt.Errorf("sweep: %w", err)
	}
	var out map[string]time.Time
	err := l.withIndex(ctx, func(x *index) error {
		out = map[string]time.Time{}
		rows, err := x.db.QueryContext(ctx, "SELECT path, removed_at FROM files WHERE tbl = ?", table)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var at *int64
			if err := rows.Scan(&name, &at); err != nil {
				return err
			}
			out[name] = time.Time{}
			if at != nil {
				out[name] = time.UnixMilli(*at)
			}
		}
		return rows.Err()
	})
	return out, err
}
