package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/sqltype"
)

// writeTrail generates a trail, with the incident and the faults, into a folder.
func writeTrail(ctx context.Context, folder string, seed uint64, events int) (*synth.Truth, error) {
	opt := synth.Options{Seed: seed, Events: events, Incident: true, Faults: true}
	return synth.Generate(ctx, opt, func(o synth.Object) error {
		name := filepath.Join(folder, filepath.FromSlash(o.Name))
		return errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, o.Data, 0o666))
	})
}

// openedLake is a lake and the folder it stands in.
type openedLake struct {
	*catalog.Lake
	folder string
}

func openLake(ctx context.Context, folder string, opt catalog.Options) (openedLake, error) {
	store, err := blob.OpenFolder(folder)
	if err != nil {
		return openedLake{}, err
	}
	lake, err := catalog.Open(ctx, store, opt)
	return openedLake{lake, folder}, err
}

// files are the paths of a table's data files in the newest snapshot, and their rows as the log has them.
func (l openedLake) files(ctx context.Context, table string) (paths []string, rows int64, err error) {
	snapshot, err := l.Newest(ctx)
	if err != nil {
		return nil, 0, err
	}
	partitions, err := snapshot.Partitions(ctx, table)
	if err != nil {
		return nil, 0, err
	}
	for _, p := range partitions {
		files, err := snapshot.Files(ctx, table, p)
		if err != nil {
			return nil, 0, err
		}
		for _, f := range files {
			paths = append(paths, filepath.Join(l.folder, table, filepath.FromSlash(f.Path)))
			rows += f.Rows
		}
	}
	return paths, rows, nil
}

// null stands for NULL among the cells of an answer.
const null = "NULL"

// askTrailQL returns trailql's answer: per row its cells, joined.
func askTrailQL(ctx context.Context, e *engine.Engine, text string) ([]string, error) {
	r, err := e.Query(ctx, text, engine.Options{})
	if err != nil {
		return nil, fmt.Errorf("trailql: %s: %w", text, err)
	}
	defer r.Close()
	var rows []string
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("trailql: %s: %w", text, err)
		}
		for i := range b.Len {
			cells := make([]string, len(b.Cols))
			for c, col := range b.Cols {
				cells[c] = null
				if col.IsValid(i) {
					cells[c] = string(sqltype.AppendText(nil, r.Columns[c].Type, col, i))
				}
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
	}
}
