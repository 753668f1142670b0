package catalog

import (
	"strings"
	"testing"
)

// What the engines make of the statements is asked of them (make outgrow). Here: that each knows every table, that what is given is quoted, and that
// nothing else gets into a statement.
func TestDDL(t *testing.T) {
	for _, engine := range Engines {
		text, err := DDL(Registration{Engine: engine, Location: "s3://bucket/it's/", Catalog: "delta", Schema: "audit"})
		if err != nil {
			t.Fatal(err)
		}
		statements := strings.Split(strings.TrimSuffix(text, ";\n"), ";\n")
		for _, l := range layouts() {
			at := "'s3://bucket/it''s/" + l.Name
			if engine == "spark" {
				at = `'s3://bucket/it\'s/` + l.Name
			}
			found := 0
			for _, s := range statements {
				if strings.Contains(s, at+"'") || strings.Contains(s, at+"/'") {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%s: %d statements for %s, not one:\n%s", engine, found, l.Name, text)
			}
		}
	}
	for _, r := range []Registration{
		{Engine: "presto", Location: "s3://b/l", Schema: "a"},
		{Engine: "athena", Location: "/data/lake", Schema: "a"},
		{Engine: "athena", Location: "s3://b/l\n'; DROP TABLE x", Schema: "a"},
		{Engine: "athena", Location: "s3://b/l", Schema: "a; DROP TABLE x"},
		{Engine: "spark", Location: "s3://b/l", Schema: ""},
		{Engine: "trino", Location: "s3://b/l", Schema: "a", Catalog: "it's"},
	} {
		if text, err := DDL(r); err == nil {
			t.Errorf("%+v gives %s", r, text)
		}
	}
}
