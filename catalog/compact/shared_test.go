package compact

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/cloudtrail"
)

// Real events of 16 sources, if they stand beside the project: 31,457 records, of which 6,520 are exact copies of others.
func TestSharedEvents(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long under the race detector, which sees the same code in other tests; make test runs it")
	}
	dirs, err := filepath.Glob("../../../shared/data/cloudtrail/*/trail")
	if err != nil || len(dirs) == 0 {
		t.Skip("the development events (../shared/data/cloudtrail) are not here")
	}
	for i, d := range dirs {
		if dirs[i], err = filepath.Abs(d); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(d); err != nil {
			t.Fatal(err)
		}
	}
	l := newLake(t)
	sum := compactTest(t, l, nil, dirs...)
	t.Logf("%+v", sum)
	if sum.Records != 31457 || sum.Rows != 24937 || sum.Duplicates != 6520 || sum.Quarantined != 0 {
		t.Errorf("%d records = %d rows + %d duplicates + %d in quarantine, want 31457 = 24937 + 6520 + 0", sum.Records, sum.Rows, sum.Duplicates, sum.Quarantined)
	}
	rows := 0
	for _, table := range []string{cloudtrail.Logs, cloudtrail.Insights, cloudtrail.Aggregated} {
		n := len(read(t, l, table, "_path"))
		t.Logf("%s: %d rows", table, n)
		rows += n
	}
	if rows != 24937 || len(read(t, l, catalog.Duplicates, "path")) != 6520 {
		t.Errorf("%d rows", rows)
	}
	if again := compactTest(t, l, nil, dirs...); again.New != 0 || again.Rows != 0 || again.Earlier != sum.New {
		t.Errorf("running again: %+v", again)
	}
	// One source after the other makes the same lake.
	single := newLake(t)
	for _, d := range dirs {
		compactTest(t, single, nil, d)
	}
	equalLines(t, contents(t, single), contents(t, l), "one source a run")
}
