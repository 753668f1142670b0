package main

import (
	"flag"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/catalog/compact"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
	"github.com/trailql/trailql/engine"
)

var lakeFolder = flag.String("lake", "", "folder of a lake to use, one of trailql demo; default: one made from a generated trail")

// tables are those that a lake stores.
var tables = []string{
	catalog.Files, catalog.Duplicates, catalog.Quarantine, catalog.Digests, cloudtrail.Logs, cloudtrail.Insights, cloudtrail.Aggregated,
}

// aLake opens the lake of -lake, or generates a trail and compacts it.
func aLake(t testing.TB) openedLake {
	t.Helper()
	folder := *lakeFolder
	if folder == "" {
		folder = t.TempDir()
	}
	lake, err := openLake(t.Context(), folder, catalog.Options{ReadOnly: *lakeFolder != ""})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lake.Close() })
	if *lakeFolder != "" {
		return lake
	}
	trail := t.TempDir()
	if _, err := writeTrail(t.Context(), trail, synth.Options{Seed: 1, Events: 20_000, Incident: true, Faults: true}); err != nil {
		t.Fatal(err)
	}
	source, err := blob.OpenFolder(trail)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := compact.Run(t.Context(), lake.Lake, []blob.Store{source}, compact.Options{}, nil); err != nil {
		t.Fatal(err)
	}
	return lake
}

// dataFiles is files, or the end of the test.
func dataFiles(t testing.TB, l openedLake, table string) ([]string, int64) {
	t.Helper()
	paths, rows, err := l.files(t.Context(), table)
	if err != nil {
		t.Fatal(err)
	}
	return paths, rows
}

// ask is asker.ask, or the end of the test.
func ask(t testing.TB, e *engine.Engine, text string) []string {
	t.Helper()
	var rows []string
	err := (&asker{Engine: e}).ask(t.Context(), text, func(cols []arrow.Array, n int) { rows = appendText(rows, cols, n) })
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
