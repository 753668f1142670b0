package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
	"github.com/trailql/trailql/engine"
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

// appendText adds a line per row: its cells, joined.
func appendText(lines []string, cols []arrow.Array, rows int) []string {
	for i := range rows {
		cells := make([]string, len(cols))
		for c, col := range cols {
			cells[c] = col.ValueStr(i)
			if _, nested := col.DataType().(arrow.NestedType); nested && col.IsValid(i) {
				cells[c] = lowerFields(cells[c])
			}
		}
		lines = append(lines, strings.Clone(strings.Join(cells, "|"))) // DuckDB frees its arrays
	}
	return lines
}

// lowerFields writes a JSON value with the names of its fields in lower case: in DuckDB's own files they are as CloudTrail writes them.
func lowerFields(text string) string {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return text
	}
	var lower func(v any) any
	lower = func(v any) any {
		switch v := v.(type) {
		case []any:
			for i := range v {
				v[i] = lower(v[i])
			}
		case map[string]any:
			out := make(map[string]any, len(v))
			for name, field := range v {
				out[strings.ToLower(name)] = lower(field)
			}
			return out
		}
		return v
	}
	out, err := json.Marshal(lower(v))
	if err != nil {
		return text
	}
	return string(out)
}

// askTrailQL is an asking, once it has its engine.
func askTrailQL(ctx context.Context, e *engine.Engine, text string, put func([]arrow.Array, int)) error {
	r, err := e.Query(ctx, text, engine.Options{})
	if err != nil {
		return fmt.Errorf("trailql: %s: %w", text, err)
	}
	defer r.Close()
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("trailql: %s: %w", text, err)
		}
		put(b.Cols, b.Len)
	}
}
