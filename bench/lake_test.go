// Package bench holds trailql against other readers of its files.
package bench

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/catalog/compact"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/sqltype"
)

var (
	lakeFolder = flag.String("lake", "", "folder of a lake to use; default: one made from a generated trail")
	events     = flag.Int("events", 20_000, "records of the generated trail, about")
)

// tables are those that a lake stores.
var tables = []string{
	catalog.Files, catalog.Duplicates, catalog.Quarantine, cloudtrail.Logs, cloudtrail.Insights, cloudtrail.Aggregated,
}

// testLake is a lake and the folder it stands in.
type testLake struct {
	*catalog.Lake
	folder string
}

// openLake opens the lake of -lake, or generates a trail and compacts it.
func openLake(t testing.TB) testLake {
	t.Helper()
	ctx := context.Background()
	folder := *lakeFolder
	if folder == "" {
		folder = t.TempDir()
	}
	store, err := blob.OpenFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	lake, err := catalog.Open(ctx, store, catalog.Options{ReadOnly: *lakeFolder != ""})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lake.Close() })
	if *lakeFolder != "" {
		return testLake{lake, folder}
	}
	trail := t.TempDir()
	_, err = synth.Generate(ctx, synth.Options{Seed: 1, Events: *events, Incident: true, Faults: true}, func(o synth.Object) error {
		name := filepath.Join(trail, filepath.FromSlash(o.Name))
		return errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, o.Data, 0o666))
	})
	if err != nil {
		t.Fatal(err)
	}
	source, err := blob.OpenFolder(trail)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := compact.Run(ctx, lake, []blob.Store{source}, compact.Options{}, nil); err != nil {
		t.Fatal(err)
	}
	return testLake{lake, folder}
}

// files are the paths of a table's data files in the newest snapshot, and their rows as the log has them.
func (l testLake) files(t testing.TB, table string) (paths []string, rows int64) {
	t.Helper()
	ctx := context.Background()
	snapshot, err := l.Newest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	partitions, err := snapshot.Partitions(ctx, table)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range partitions {
		files, err := snapshot.Files(ctx, table, p)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			paths = append(paths, filepath.Join(l.folder, table, filepath.FromSlash(f.Path)))
			rows += f.Rows
		}
	}
	return paths, rows
}

// null stands for NULL among the cells of an answer.
const null = "NULL"

// ask returns trailql's answer: per row its cells, joined.
func ask(t testing.TB, e *engine.Engine, text string) []string {
	t.Helper()
	r, err := e.Query(context.Background(), text, engine.Options{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer r.Close()
	var rows []string
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatalf("%s: %v", text, err)
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
