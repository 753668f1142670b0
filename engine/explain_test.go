package engine

import (
	"slices"
	"testing"

	"github.com/trailql/trailql/engine/source"
)

func TestReportLines(t *testing.T) {
	var r source.Report
	r.Partitions.Store(10)
	r.PartitionsPruned.Store(7)
	r.Files.Store(20)
	r.FilesPruned.Store(15)
	r.RowGroups.Store(5)
	r.RowGroupsByStats.Store(1)
	r.RowGroupsByDictionary.Store(2)
	r.Notes = []source.Note{{On: "date", Says: "prunes partitions"}, {Says: "top 3"}, {On: "date", Says: "may prune pages"}}
	want := []string{
		"keeps partitions 3 of 10, files 5 of 20, row groups 2 of 5 (skipped by statistics 1, bloom filter 0, dictionary 2)",
		"date: prunes partitions; may prune pages",
		"top 3",
	}
	if got := reportLines(&r); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := reportLines(&source.Report{}); got != nil {
		t.Errorf("a table without parts gives %q, want nothing", got)
	}
	if got := reportLines(nil); got != nil {
		t.Errorf("a node that is no scan gives %q, want nothing", got)
	}
}
