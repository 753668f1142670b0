package shell

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqltype"
)

// lakeNames are those of a small lake.
func lakeNames(t testing.TB) *names {
	t.Helper()
	typ := func(text string) sqltype.Type {
		parsed, err := sqltype.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	logs := relation{name: "cloudtrail_logs", columns: []column{
		{name: "eventname", typ: typ("varchar")}, {name: "eventsource", typ: typ("varchar"), doc: "the service"}, {name: "awsregion", typ: typ("varchar")},
		{name: "useridentity", typ: typ("row(type varchar, sessioncontext row(sessionissuer row(type varchar, username varchar), attributes row(mfaauthenticated varchar)))")},
		{name: "resources", typ: typ("array(row(arn varchar, accountid varchar))")},
		{name: "date", typ: typ("date")}, {name: "$path", typ: typ("varchar"), hidden: true},
	}}
	n := &names{}
	n.known.Store(&known{
		relations: []relation{logs, {name: "trail_files", columns: []column{{name: "records", typ: typ("bigint")}}}, {name: "odd.Table", columns: []column{{name: "x", typ: typ("bigint")}}}},
		macros: []function{
			{name: "sessions_of", kind: "table", signatures: []string{"sessions_of(varchar) -> table"}},
			{name: "principal_name", kind: "scalar", signatures: []string{"principal_name(row) -> varchar"}},
		},
		values: map[string][]string{"eventname": {"GetObject", "ConsoleLogin", "O'Hara"}, "awsregion": {"us-east-1", "eu-west-1"}},
	})
	return n
}

// The cursor is at |. Wanted: what a Tab would leave of the text for each candidate, in order; "…" behind means that more may follow.
func TestComplete(t *testing.T) {
	n := lakeNames(t)
	for _, c := range []struct{ text, want string }{
		// Statements begin with a keyword, in the case of what is typed.
		{"|", "SELECT WITH EXPLAIN EXPLAIN ANALYZE SHOW TABLES SHOW COLUMNS FROM SHOW FUNCTIONS DESCRIBE VALUES"},
		{"sel|", "select"}, {"Sel|", "SELECT"}, {"SELECT 1; des|", "describe"},
		{"SHOW |", "TABLES COLUMNS FROM FUNCTIONS"}, {"EXPLAIN A|", "ANALYZE"},

		// Tables, wherever they stand.
		{"SELECT * FROM tr|", "trail_files"}, {"SELECT * FROM |", `cloudtrail_logs trail_files odd."Table" sessions_of( UNNEST( LATERAL`}, {"DESCRIBE cl|", "cloudtrail_logs"},
		{"SELECT * FROM trail_files f, c|", "cloudtrail_logs"}, {"SELECT * FROM trail_files JOIN c|", "cloudtrail_logs"},
		{"SELECT (SELECT 1 FROM tr|", "trail_files"}, {"SHOW COLUMNS FROM t|", "trail_files"},
		{"WITH mine AS (SELECT 1) SELECT * FROM m|", "mine"},
		{"SELECT * FROM awsdatacatalog.tr|", "trail_files"},
		{"SELECT * FROM trail_files wh|", "where"}, {"SELECT * FROM trail_files GR|", "GROUP BY"}, {"SELECT 1 FROM trail_files GROUP |", "BY"},
		{"SELECT * FROM \"tr|", `"trail_files"`},

		// Columns of what the statement reads, also if that stands behind the cursor; of all as long as it reads nothing.
		{"SELECT ev| FROM cloudtrail_logs", "eventname eventsource every("}, {"SELECT rec| FROM cloudtrail_logs", ""}, {"SELECT rec| FROM trail_files", "records"}, {"SELECT reco|", "records"},
		{"SELECT l.ev| FROM cloudtrail_logs l", "eventname eventsource"}, {"SELECT f.| FROM cloudtrail_logs AS l JOIN trail_files AS f ON 1 = 1", "records"},
		{"SELECT * FROM cloudtrail_logs l JOIN trail_files f ON f.|", "records"}, {"SELECT x.| FROM cloudtrail_logs l", ""},
		{"SELECT cloudtrail_logs.eventn| FROM cloudtrail_logs", "eventname"},
		{"SELECT \"$p| FROM cloudtrail_logs", `"$path"`}, {"SELECT \"eventn| FROM cloudtrail_logs", `"eventname"`},
		{"SELECT eventname AS thing FROM cloudtrail_logs ORDER BY th|", "thing then"}, {"SELECT eventname AS thing FROM cloudtrail_logs WHERE th|", "then"},
		{"SELECT 1 FROM trail_files WHERE rec|", "records"}, {"SELECT 1 FROM trail_files f WHERE |", "f. records"},
		{"SELECT extract(YEAR FROM da| ) FROM cloudtrail_logs", "date date( date_…"}, {"SELECT 1 FROM trail_files LIMIT |", ""},

		// Fields of rows, any depth; elements of arrays.
		{"SELECT useridentity.| FROM cloudtrail_logs", "type sessioncontext"}, {"SELECT useridentity.sessioncontext.sessionissuer.us|", "username"},
		{"SELECT l.UserIdentity.sessioncontext.| FROM cloudtrail_logs l", "sessionissuer attributes"}, {"SELECT resources[1].a| FROM cloudtrail_logs", "arn accountid"},
		{"SELECT eventname.| FROM cloudtrail_logs", ""}, {"SELECT useridentity.nope.| FROM cloudtrail_logs", ""},

		// Functions, with the bracket.
		{"SELECT date_tr|", "date_trunc("}, {"SELECT approx_d|", "approx_distinct("},
		// Those of the lake; the ones that give a table stand in FROM only.
		{"SELECT principal_n|", "principal_name("}, {"SELECT sessions_|", ""}, {"SELECT * FROM ses|", "sessions_of("}, {`\help ses|`, "sessions_of("},

		// Values of the column that a text is compared with.
		{"SELECT 1 FROM cloudtrail_logs WHERE eventname = '|", "'GetObject' 'ConsoleLogin' 'O''Hara'"}, {"SELECT 1 FROM x l WHERE l.EventName <> 'con|", "'ConsoleLogin'"},
		{"SELECT 1 FROM x WHERE eventname = 'con|'", "'ConsoleLogin"}, {"SELECT 1 FROM x WHERE eventname LIKE 'Get|", "'GetObject'"},
		{"SELECT 1 FROM x WHERE awsregion NOT IN ('us-east-1', '|", "'us-east-1' 'eu-west-1'"}, {"SELECT 1 FROM x WHERE eventname NOT LIKE 'O|", "'O''Hara'"},
		{"SELECT 1 FROM x WHERE records = '|", ""}, {"SELECT lower('|", ""}, {"SELECT '|", ""},

		// Nothing within comments, numbers, and behind what is whole.
		{"SELECT 1 -- sel|", ""}, {"/* sel|", ""}, {"SELECT 12|", ""}, {"SELECT 'x'|", ""},

		// Commands.
		{`\ti|`, `\timing`}, {`\pager |`, "on off"}, {`\x a|`, "auto"}, {`\format j|`, "json jsonl"}, {`\d tr|`, "trail_files"}, {`\help date_tr|`, "date_trunc("}, {`\o |`, ""},
		{"SELECT 1;\n\\tim|", `\timing`}, {"\\timing\nsel|", "select"},
	} {
		before, after, _ := strings.Cut(c.text, "|")
		from, list := complete(before, after, n)
		var got []string
		for _, k := range list {
			got = append(got, k.text)
			if !strings.HasPrefix(strings.ToLower(k.text), strings.ToLower(before[from:])) {
				t.Errorf("%s: %q does not go on from %q", c.text, k.text, before[from:])
			}
		}
		have := strings.Join(got, " ")
		if want, more := strings.CutSuffix(c.want, "…"); have != c.want && !(more && strings.HasPrefix(have, want)) {
			t.Errorf("%s\n got %s\nwant %s", c.text, have, c.want)
		}
	}
}

func TestCandidatesAreDescribed(t *testing.T) {
	n := lakeNames(t)
	for text, want := range map[string]string{
		"SELECT eventso|": "varchar: the service", "SELECT useridentit|": "row", "SELECT resource|": "array(row)",
		"SELECT date_trun|": "(varchar, date) -> date: ", `\timi|`: "[on|off] the line that says what an answer cost",
	} {
		before, _, _ := strings.Cut(text, "|")
		if _, list := complete(before, "", n); len(list) != 1 || !strings.HasPrefix(list[0].doc, want) {
			t.Errorf("%s: got %q, want one that begins with %q", text, list, want)
		}
	}
}

// What completion writes is taken as it is meant: keywords are keywords of the dialect, names are names.
func TestCandidatesAreTheDialects(t *testing.T) {
	n := lakeNames(t)
	for _, text := range []string{"", "SHOW ", "EXPLAIN ", "SELECT * FROM ", "SELECT 1 FROM trail_files GROUP ", "SELECT 1 FROM trail_files "} {
		_, list := complete(text, "", n)
		for letter := 'a'; letter <= 'z'; letter++ {
			_, more := complete("SELECT "+string(letter), "", n)
			list = append(list, more...)
		}
		for _, c := range list {
			if c.kind != "keywords" {
				continue
			}
			for _, token := range sql.Tokens(c.text) {
				word := c.text[token.Start:token.End]
				if token.Kind != sql.KeywordToken && !slices.Contains([]string{"(", "first", "last"}, word) { // NULLS FIRST, only there
					t.Errorf("%q: %q is no keyword", c.text, word)
				}
			}
		}
	}
}

// Whatever is typed, and wherever the cursor is, completion answers, and with a place in the text.
func FuzzComplete(f *testing.F) {
	for _, seed := range []string{"SELECT a.b[1].c FROM (x) y, z WHERE q IN ('a', 'b", `\d "x`, "WITH a AS (SELECT 1) SELECT ) FROM . . [ ]", "SELECT U&'\\", "/* ' */ '", "FROM ..", "]].", "'''"} {
		f.Add(seed, len(seed)/2)
		f.Add(seed, len(seed))
	}
	n := lakeNames(f)
	f.Fuzz(func(t *testing.T, text string, at int) {
		at = max(min(at, len(text)), 0)
		from, list := complete(text[:at], text[at:], n)
		if from < 0 || from > at {
			t.Errorf("%q at %d: from %d, %d candidates", text, at, from, len(list))
		}
		if got := strings.NewReplacer(colorReset, "", colorKeyword, "", colorFunction, "", colorString, "", colorNumber, "", colorComment, "",
			colorInvalid, "", colorCommand, "").Replace(highlight(text)); !strings.Contains(text, "\x1b") && got != text {
			t.Errorf("%q is shown as %q", text, got)
		}
	})
}

func TestMenu(t *testing.T) {
	var many []candidate
	for i := range 100 {
		many = append(many, candidate{text: fmt.Sprintf("column_%02d", i), doc: "varchar", kind: "columns"})
	}
	many = append(many, candidate{text: "count(", doc: "counts", kind: "functions"})
	// 10 rows: a head, 9 columns, and nothing is left for functions. All share "co", of which "c" is typed.
	if shown, _ := menu(many, 1, 80, 10); len(shown) != 1 || shown[0].text != "co" {
		t.Errorf("got %v, want what all share", shown)
	}
	shown, lists := menu(many, 2, 80, 10)
	if len(shown) != 10 || shown[0].kind != "columns, 9 of 100" || shown[9].text != "count(" || !slices.Equal(lists[:1], []string{"columns, 9 of 100"}) {
		t.Errorf("got %v, %v: the last must keep the editor from writing what only some share", shown, lists)
	}
	few := []candidate{{text: "b", kind: "values"}, {text: "a", kind: "values"}, {text: "z", kind: "tables"}, {text: "y", kind: "tables"}}
	if shown, lists := menu(slices.Clone(few), 0, 80, 10); len(shown) != 4 || shown[0].text != "b" || shown[2].text != "y" || lists != nil {
		t.Errorf("got %v, %v: values keep their order, the others are sorted", shown, lists)
	}
	if shown, _ := menu(nil, 0, 80, 10); shown != nil {
		t.Errorf("got %v of nothing", shown)
	}
	if shown, _ := menu(few, 0, 1, 0); len(shown) != 0 {
		t.Errorf("got %v on no screen", shown)
	}
}
