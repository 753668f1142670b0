package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
	"github.com/trailql/trailql/engine"
)

// writeTrail generates a trail into a folder.
func writeTrail(ctx context.Context, folder string, opt synth.Options) (*synth.Truth, error) {
	last := ""
	return synth.Generate(ctx, opt, func(o synth.Object) error {
		name := filepath.Join(folder, filepath.FromSlash(o.Name))
		if dir := filepath.Dir(name); dir != last {
			if err := os.MkdirAll(dir, 0o777); err != nil {
				return err
			}
			last = dir
		}
		return os.WriteFile(name, o.Data, 0o666)
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

// asker is trailql: an engine, and what its queries may take.
type asker struct {
	*engine.Engine
	opt engine.Options
}

// openEngine opens the lake args[0] for queries that may take args[1] bytes, if given.
func openEngine(ctx context.Context, args []string) (*asker, openedLake, error) {
	memory, err := memoryOf(args)
	if err != nil {
		return nil, openedLake{}, err
	}
	debug.SetMemoryLimit(memory) // both as trailql query sets them
	debug.SetGCPercent(400)
	lake, err := openLake(ctx, args[0], catalog.Options{ReadOnly: true})
	if err != nil {
		return nil, lake, err
	}
	return &asker{engine.New(lake), engine.Options{Memory: memory / 3 * 2, Scratch: engine.NewScratch(os.TempDir())}}, lake, nil
}

// memoryOf is what a contestant may take.
func memoryOf(args []string) (int64, error) {
	if len(args) < 2 {
		return installed() / 4, nil
	}
	return strconv.ParseInt(args[1], 10, 64)
}

// ask is an asking.
func (a *asker) ask(ctx context.Context, text string, put func([]arrow.Array, int)) error {
	r, err := a.Query(ctx, text, a.opt)
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
