package optimize_test

import (
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/trailql/trailql/engine/bind"
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/optimize"
	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqltype"
)

var session = &fn.Session{Now: time.Date(2024, 3, 10, 12, 30, 45, 0, time.UTC), Zone: time.UTC}

func bound(t *testing.T, text string) plan.Node {
	t.Helper()
	cat := &logictest.Catalog{}
	for name, columns := range map[string][]string{
		"events": {
			"eventname varchar", "eventtime varchar", "readonly boolean", "seen timestamp(3)", "n bigint",
			"useridentity row(type varchar, arn varchar, sessioncontext row(sessionissuer row(username varchar, arn varchar)))",
			"requestparameters varchar", "resources array(row(arn varchar, accountid varchar))",
		},
		"accounts": {"id varchar", "name varchar", "n integer"},
	} {
		if err := cat.AddTable(name, columns); err != nil {
			t.Fatal(err)
		}
	}
	cat.AddView(&source.View{Name: "people", SQL: "SELECT eventname, useridentity AS who, lower(eventname) AS low FROM events"})
	st, err := sql.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	n, err := bind.Query(st.(*sql.Query), cat, session)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return n
}

// TestRules compares trees: testdata/<rule> what the rule alone makes, testdata/all what all of them make together. go test -rewrite writes
// them anew.
func TestRules(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var without []string
			if d.Cmd != "all" {
				without = slices.DeleteFunc(optimize.Rules(), func(name string) bool { return name == d.Cmd })
			}
			n, err := optimize.Run(bound(t, d.Input), session, without)
			if err != nil {
				return "error: " + err.Error()
			}
			return plan.Format(n, nil)
		})
	})
}

func TestUnknownRule(t *testing.T) {
	if _, err := optimize.Run(bound(t, "SELECT 1"), session, []string{"no_such_rule"}); err == nil {
		t.Error("an unknown rule is no error")
	}
}

// TestBadPlan shows that a plan whose expressions do not fit is found before it runs.
func TestBadPlan(t *testing.T) {
	values := &plan.Values{Columns: []plan.Column{{Name: "a", Type: sqltype.BigIntType}}}
	for name, e := range map[string]expr.Expr{
		"out of range":    &expr.Column{Index: 1, Name: "b", T: sqltype.BigIntType},
		"of other type":   &expr.Column{Index: 0, Name: "a", T: sqltype.VarcharType},
		"below a call":    &expr.Not{Arg: &expr.Column{Index: 7, T: sqltype.BooleanType}},
		"negative":        &expr.Column{Index: -1, T: sqltype.BigIntType},
		"of a lost field": &expr.Field{Arg: &expr.Column{Index: 0, T: sqltype.RowOf(sqltype.Field{Name: "x", Type: sqltype.BigIntType})}},
	} {
		p := &plan.Project{Input: values, Exprs: []expr.Expr{e}, Columns: []plan.Column{{Type: e.Type()}}}
		if _, err := optimize.Run(p, session, nil); err == nil {
			t.Errorf("a column %s is no error", name)
		}
	}
}

// TestUnnestDropsItsArrays: an array that only UNNEST reads is not repeated for each of its elements.
func TestUnnestDropsItsArrays(t *testing.T) {
	n, err := optimize.Run(bound(t, "SELECT n, eventname, r FROM events CROSS JOIN UNNEST(resources) AS u (r)"), session, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	plan.Walk(n, func(n plan.Node) {
		if u, ok := n.(*plan.Unnest); ok {
			for _, i := range u.Kept() {
				names = append(names, u.Input.Schema()[i].Name)
			}
		}
	})
	slices.Sort(names)
	if !slices.Equal(names, []string{"eventname", "n"}) {
		t.Errorf("of the input %v are put out", names)
	}
}
