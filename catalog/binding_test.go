package catalog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/source"
)

func writeBindings(t *testing.T, dir, text string) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(BindingsFile))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// shown is what a relation stands for: its table or view, then the columns beside, the hidden ones that AWS documents as +n.
func shown(r source.Relation) string {
	bound, ok := r.(*source.Bound)
	if !ok {
		bound = &source.Bound{Of: r}
	}
	var parts []string
	switch of := bound.Of.(type) {
	case source.Stored:
		parts = append(parts, of.Table.Name())
	case *source.View:
		parts = append(parts, of.Name)
	}
	hidden := 0
	for _, d := range bound.Columns {
		if d.Hidden {
			hidden++
		} else {
			parts = append(parts, d.Name+"="+strings.TrimSuffix(d.From+":"+d.Format, ":"))
		}
	}
	if hidden > 0 {
		parts = append(parts, fmt.Sprintf("+%d", hidden))
	}
	return strings.Join(parts, " ")
}

func TestBindings(t *testing.T) {
	dir := t.TempDir()
	writeBindings(t, dir, `
# what our old queries call it
Security.CloudTrail: {of: cloudtrail_logs, year: yyyy, month: M, eventhour: yyyyMMddHH, account_partition: recipientaccountid}
default.cloudtrail_logs: {timestamp: yyyy-MM-dd}
"my-db.trail": {}
one.twice: {}
two.twice: {of: cloudtrail_lake}
11111111-2222-3333-4444-555555555555: {of: cloudtrail_logs}
`)
	s := newest(t, openTest(t, folder(t, dir), 1))
	for name, want := range map[string]string{
		"security.cloudtrail":                          "cloudtrail_logs account_partition=recipientaccountid eventhour=_time:yyyyMMddHH month=date:M year=date:yyyy +4",
		"AwsDataCatalog.SECURITY.cloudtrail":           "cloudtrail_logs account_partition=recipientaccountid eventhour=_time:yyyyMMddHH month=date:M year=date:yyyy +4",
		"cloudtrail":                                   "cloudtrail_logs account_partition=recipientaccountid eventhour=_time:yyyyMMddHH month=date:M year=date:yyyy +4",
		"other.cloudtrail":                             "",
		"my-db.trail":                                  "cloudtrail_logs +7",
		"default.cloudtrail_logs":                      "cloudtrail_logs timestamp=date:yyyy-MM-dd +6",
		"cloudtrail_logs":                              "cloudtrail_logs +7", // a name of the lake's own needs no database
		"other.cloudtrail_logs":                        "cloudtrail_logs +7",
		"two.twice":                                    "cloudtrail_lake",
		"twice":                                        "", // one of two
		"11111111-2222-3333-4444-555555555555":         "cloudtrail_logs +7",
		"0A1B2C3D-4E5F-6789-ABCD-EF0123456789":         "cloudtrail_lake",
		"0a1b2c3d-4e5f-6789-abcd-ef012345678":          "",
		"default.0a1b2c3d-4e5f-6789-abcd-ef0123456789": "cloudtrail_lake",
		"default.cloudtrail_logs_my_bucket_1a2b":       "cloudtrail_logs +7", // as the console calls it
		"cloudtrail_logs_b$partitions":                 "cloudtrail_logs_b$partitions",
		"trail_files$partitions":                       "",
		"nothing$partitions":                           "",
		"$partitions":                                  "",
		"cloudtrail_logs$partitions$partitions":        "",
		"cloudtrail_logsx":                             "",
		"cloudtrail_insights":                          "cloudtrail_insights",
	} {
		r, ok := s.Resolve(strings.Split(name, "."))
		if ok != (want != "") || ok && shown(r) != want {
			t.Errorf("%s: got %s, want %s", name, shown(r), want)
		}
	}
	if names := strings.Join(s.Names(), " "); !strings.Contains(names, "security.cloudtrail") || !strings.Contains(names, "my-db.trail") {
		t.Errorf("names: %s", names)
	}
}

func TestBadBindings(t *testing.T) {
	for text, want := range map[string]string{
		"a.b: {of: trail_files}":      "a.b: of is a table of events, cloudtrail_logs or cloudtrail_lake, and not trail_files",
		"a.b: {year: 'yyyy''; drop'}": "column year: yyyy'; drop is neither a column of cloudtrail_logs nor a pattern such as yyyy/MM/dd",
		"a.b: {zone: regiom}":         "column zone: regiom is neither a column",
		"a..b: {}":                    "one to three words",
		"a.b: {}\nA.B: {}":            "there twice",
		"a.b: {}\na.b: {}":            "a.b",
		"a.b: cloudtrail_logs":        "a line looks like",
		"a.b: [":                      "a line looks like",
		"a.b: {year: [yyyy]}":         "a line looks like",
		"a.b: {}\n" + strings.Repeat("#", maxBindings): "may have 16384 at most",
	} {
		dir := t.TempDir()
		writeBindings(t, dir, text)
		if _, err := Open(t.Context(), folder(t, dir), Options{Now: testNow}); err == nil || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), BindingsFile) {
			t.Errorf("%.60s: %v, want one with %q", text, err, want)
		}
	}
}

// The file may come with somebody else's lake: whatever stands in it, it gives bindings or an error.
func FuzzParseBindings(f *testing.F) {
	f.Add("security.cloudtrail: {of: cloudtrail_logs, year: yyyy, month: MM, day: dd}\n")
	f.Add("a: &x {year: yyyy}\nb: *x\n? [c]\n: {<<: *x}\n")
	f.Add("a.b: {of: cloudtrail_lake, zone: region}\n---\nc: !!binary x\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		all, err := parseBindings([]byte(text))
		if err != nil {
			return
		}
		for _, b := range all {
			if _, ok := shapeColumns(b.of); !ok || b.name != strings.ToLower(b.name) {
				t.Errorf("binding %q of %q", b.name, b.of)
			}
		}
	})
}
