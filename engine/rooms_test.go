package engine_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/trailql/trailql/"

// rooms is the house: each room with all that it may import of ours. A room stands below what it imports.
// engine/sqlerr, engine/sqltype and engine/figure are common ground and need not be listed.
var rooms = []struct {
	name string
	may  []string
}{
	{"engine/sqlerr", nil},
	{"engine/sql", nil},
	{"engine/sqltype", nil},
	{"engine/figure", nil},
	{"connectors/blob", nil},
	{"connectors/blob/s3server", []string{"connectors/blob"}},
	{"connectors/blob/simdisk", []string{"connectors/blob"}},
	{"connectors/sink", nil},
	{"connectors/sqlitefile", nil},
	{"engine/vec", nil},
	{"engine/fn", []string{"engine/vec"}},
	{"engine/expr", []string{"engine/fn", "engine/vec"}},
	{"engine/prune", []string{"engine/expr", "engine/fn", "engine/vec"}},
	{"engine/source", []string{"engine/expr", "engine/fn", "engine/vec"}},
	{"engine/plan", []string{"engine/expr", "engine/fn", "engine/source"}},
	{"engine/bind", []string{"engine/sql", "engine/plan", "engine/expr", "engine/fn", "engine/source", "engine/vec"}},
	{"engine/optimize", []string{"engine/plan", "engine/expr", "engine/fn", "engine/prune", "engine/source", "engine/vec"}},
	{"engine/exec", []string{"engine/plan", "engine/expr", "engine/fn", "engine/source", "engine/vec"}},
	{"engine", []string{"engine/sql", "engine/bind", "engine/optimize", "engine/exec", "engine/plan", "engine/expr", "engine/fn", "engine/source", "engine/vec"}},
	{"engine/logictest", []string{"engine", "engine/source", "engine/sql", "engine/vec", "engine/optimize"}},
	{"connectors/cloudtrail", []string{"engine/source", "engine/vec"}},
	{"connectors/cloudtrail/synth", nil},
	{"connectors/trailkeys", []string{"connectors/cloudtrail"}},
	{"connectors/parquetio", []string{"connectors/blob", "engine/source", "engine/prune", "engine/expr", "engine/fn", "engine/vec"}},
	{"connectors/external", []string{"connectors/blob", "connectors/sink", "engine/source", "engine/prune", "engine/expr", "engine/vec"}},
	{"catalog", []string{"connectors/blob", "connectors/external", "connectors/sqlitefile", "connectors/cloudtrail", "connectors/parquetio", "engine/source", "engine/sql", "engine/prune", "engine/expr", "engine/vec"}},
	{"catalog/compact", []string{"catalog", "connectors/blob", "connectors/cloudtrail", "connectors/parquetio", "engine/source", "engine/expr", "engine/fn", "engine/vec"}},
	{"connectors/queue", []string{"catalog/compact"}},
	{"connectors/queue/sqsserver", nil},
	{"engine/service", []string{"connectors/sqlitefile", "engine", "engine/source", "engine/sql", "engine/vec"}},
	{"engine/report", []string{"connectors/blob", "engine", "engine/service", "engine/source", "engine/sql", "engine/vec", "connectors/sink", "connectors/sqlitefile"}},
	{"catalog/upkeep", []string{"catalog", "connectors/blob", "connectors/cloudtrail", "connectors/parquetio", "engine", "engine/source", "engine/vec"}},
	{"catalog/verify", []string{"catalog", "connectors/blob", "connectors/cloudtrail", "connectors/parquetio", "engine", "engine/report", "engine/source", "engine/expr", "engine/prune", "engine/vec"}},
	{"connectors/shell", []string{"engine", "engine/service", "engine/sql", "engine/fn", "engine/vec", "connectors/sink"}},
	{"connectors/rest", []string{"engine", "engine/service", "engine/sql", "engine/vec", "connectors/sink"}},
	{"cmd/trailql", []string{"engine", "engine/service", "engine/report", "engine/sql", "engine/vec", "catalog", "catalog/compact", "catalog/verify", "catalog/upkeep", "connectors/blob", "connectors/external", "connectors/queue", "connectors/sink", "connectors/shell", "connectors/rest",
		"connectors/cloudtrail", "connectors/cloudtrail/synth", "connectors/trailkeys"}},
}

// TestRooms reads the imports of every product file. Tests of a room may import what they need.
func TestRooms(t *testing.T) {
	place := map[string]int{}
	for i, r := range rooms {
		place[r.name] = i
	}
	for i, r := range rooms {
		for _, name := range r.may {
			if at, known := place[name]; !known || at >= i {
				t.Errorf("the list lets %s import %s, which is no room above it", r.name, name)
			}
		}
	}
	root := ".."
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if file != root && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(file, "go.mod")); err == nil && file != root {
				return fs.SkipDir // a module of its own: bench, tools
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		relative, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		room := path.Dir(filepath.ToSlash(relative))
		at, known := place[room]
		if !known {
			t.Errorf("%s: %s is no room of the house; add it to the list with what it may import", relative, room)
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			ours, found := strings.CutPrefix(imported, module)
			if !found || slices.Contains([]string{"engine/sqlerr", "engine/sqltype", "engine/figure"}, ours) {
				continue
			}
			if !slices.Contains(rooms[at].may, ours) {
				t.Errorf("%s imports %s; %s may import %v", relative, ours, room, rooms[at].may)
			}
		}
		for _, bad := range []string{"util", "common", "helper", "misc", "types"} {
			if path.Base(room) == bad || path.Base(room) == bad+"s" {
				t.Errorf("%s: no room is called %s", relative, bad)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
