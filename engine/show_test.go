package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// parted is a catalog with one table, which has partitions, in a schema.
type parted struct{ source.Table }

func (p parted) Snapshot(context.Context) (source.Snapshot, error) { return p, nil }
func (p parted) Version() int64                                    { return 1 }
func (p parted) Definitions() string                               { return "" }
func (p parted) Names() []string                                   { return []string{"my-db.trail"} }
func (p parted) Macros() []*source.Macro                           { return nil }
func (p parted) PartitionColumns() []string                        { return []string{"day"} }
func (p parted) Partitions(context.Context) ([]string, error) {
	return []string{"day=2024-01-01", "day=2024-01-02"}, nil
}

func (p parted) Resolve(name []string) (source.Relation, bool) {
	if len(name) < 2 || name[len(name)-2] != "my-db" || name[len(name)-1] != "trail" {
		return nil, false
	}
	return source.Stored{Table: p}, true
}

func TestShowOfPartitions(t *testing.T) {
	columns := []source.Column{
		{Name: "n", Type: sqltype.BigIntType, Comment: "it's a number"}, {Name: "day", Type: sqltype.VarcharType},
		{Name: "_row", Type: sqltype.BigIntType, Hidden: true},
	}
	eng := engine.New(parted{source.NewMemory("trail", columns, nil)})
	for sql, want := range map[string]string{
		`SHOW PARTITIONS "my-db".trail`: "[day=2024-01-01 day=2024-01-02]",
		`SHOW SCHEMAS`:                  "[default information_schema my-db]",
		`SHOW TABLES FROM "my-db"`:      "[trail]",
		`SHOW TABLES`:                   "[]",
		`SHOW CREATE TABLE "my-db".trail`: "[CREATE TABLE \"my-db\".trail (\n   n bigint COMMENT 'it''s a number',\n   day varchar\n)\n" +
			"WITH (\n   partitioned_by = ARRAY['day']\n)]",
		`SELECT column_name || ': ' || coalesce(extra_info, '') FROM information_schema.columns WHERE table_schema = 'my-db'`: "[n:  day: partition key]",
	} {
		got, err := lines(eng.Query(t.Context(), sql, engine.Options{}))
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v; want %s", sql, got, err, want)
		}
	}
}

// EXPLAIN (FORMAT JSON) is one cell of JSON, with what ANALYZE measured where it was asked for.
func TestExplainJSON(t *testing.T) {
	got, err := lines(numbers(t).Query(t.Context(), "EXPLAIN ANALYZE (FORMAT JSON) SELECT i AS j FROM n WHERE i > 1", engine.Options{}))
	if err != nil || len(got) != 1 {
		t.Fatalf("%d cells, %v", len(got), err)
	}
	type node struct {
		ID, Name string
		Details  []string
		Outputs  []struct{ Symbol, Type string }
		Children []node
	}
	var root node
	if err := json.Unmarshal([]byte(got[0]), &root); err != nil {
		t.Fatal(err)
	}
	if root.ID != "0" || len(root.Outputs) != 1 || root.Outputs[0].Symbol != "j" || root.Outputs[0].Type != "bigint" {
		t.Errorf("the root is %+v, want node 0 with the column j bigint", root)
	}
	for len(root.Children) > 0 {
		root = root.Children[0]
	}
	if root.Name != "Scan" || !strings.Contains(strings.Join(root.Details, "\n"), "2 rows") {
		t.Errorf("the leaf is %+v, want the scan with its 2 rows", root)
	}
}
