package cloudtrail

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The manual lists every id; ids live on in written files, so the list may only grow.
func TestManualListsIDs(t *testing.T) {
	manual, err := os.ReadFile("../../docs/format.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		var walk func(path string, o *object)
		walk = func(path string, o *object) {
			var ids []string
			for _, f := range o.fields {
				if f.form != noColumn {
					ids = append(ids, fmt.Sprintf("%c %s", f.id, f.key))
				}
				if f.sub != nil {
					walk(strings.TrimPrefix(path+"."+f.key, "."), f.sub)
				}
			}
			name := table.name
			if path != "" {
				name += ", " + path
			}
			if line := fmt.Sprintf("| %s | %s |", name, strings.Join(ids, ", ")); !strings.Contains(string(manual), line) {
				t.Errorf("docs/format.md lacks the line\n%s", line)
			}
		}
		walk("", table.top)
	}
}
