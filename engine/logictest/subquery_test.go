package logictest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/optimize"
)

// TestCorrelated compares queries with correlated subqueries to the slow way of computing them: for each row of o by itself, with its
// values written into the text, so that nothing of that level is correlated any more. What is nested deeper then is correlated to one
// level less, and has been compared likewise.
func TestCorrelated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := &subqueries{T: t}
		cat := &logictest.Catalog{}
		eng := engine.New(cat)
		outer := g.table(t, cat, eng, "o", "a", "b")
		g.table(t, cat, eng, "u", "c", "d")
		g.table(t, cat, eng, "w", "e", "f")
		value, cond := g.value(2), g.condition(2)
		text := fmt.Sprintf("SELECT o.id, %s FROM o WHERE %s", value, cond)
		if rapid.Bool().Draw(t, "limited") { // what is not computed twice
			text = fmt.Sprintf("SELECT o.id, %s FROM (SELECT id, max(a) AS a, arbitrary(b) AS b FROM o GROUP BY id LIMIT 100) o WHERE %s", value, cond)
		}
		one := "SELECT o.id, " + value
		if rapid.Bool().Draw(t, "lateral") {
			kind, rows := g.pick("CROSS JOIN LATERAL (%s) AS x (v)", "LEFT JOIN LATERAL (%s) AS x (v) ON true"), g.rows(2)
			text = strings.Replace(text, " "+value+" ", " x.v ", 1)
			at := strings.Index(text, " o WHERE ") + len(" o ")
			text = text[:at] + fmt.Sprintf(kind, rows) + " " + text[at:]
			one = fmt.Sprintf("SELECT o.id, x.v FROM (VALUES 1) AS one "+kind, rows)
		}
		var want []string
		var wantErr error
		for _, row := range outer {
			written := strings.NewReplacer("o.id", row[0], "o.a", row[1], "o.b", row[2])
			_, rows, err := run(eng, written.Replace("SELECT 1 WHERE "+cond), engine.Options{Workers: 1})
			if err == nil && len(rows) > 0 { // by itself, for its error counts only where the condition holds
				_, rows, err = run(eng, written.Replace(one), engine.Options{Workers: 1})
			}
			if err != nil && wantErr == nil {
				wantErr = fmt.Errorf("%v: %w", row, err)
			}
			want = append(want, rows...)
		}
		slices.Sort(want)
		opt := engine.Options{Workers: 1 + rapid.IntRange(0, 1).Draw(t, "workers"), BatchRows: rapid.SampledFrom([]int{0, 1, 3}).Draw(t, "batch")}
		if rapid.Bool().Draw(t, "plain") {
			opt.WithoutRules = optimize.Rules()
		}
		_, got, err := run(eng, text, opt)
		if err != nil || wantErr != nil {
			if err == nil || wantErr == nil || !strings.Contains(wantErr.Error(), "more than one row") || !strings.Contains(err.Error(), "more than one row") {
				t.Fatalf("%s\ngot error %v\nwant %v", text, err, wantErr)
			}
			return
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("%s\nof o = %v\ngot\n%s\nwant\n%s", text, outer, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// subqueries draws expressions over o, which have two columns a and b, with subqueries over u and w.
type subqueries struct {
	*rapid.T
	depth int
}

func (g *subqueries) pick(options ...string) string {
	return rapid.SampledFrom(options).Draw(g.T, "pick")
}

// table makes a small table with NULLs and equal rows, and returns its cells as they are written in SQL.
func (g *subqueries) table(t *rapid.T, cat *logictest.Catalog, eng *engine.Engine, name, x, y string) (rows [][]string) {
	var lines []string
	for i := range rapid.IntRange(0, 6).Draw(t, "rows of "+name) {
		cell := func() string { return g.pick("CAST(NULL AS integer)", "0", "1", "1", "2", "3") }
		row := []string{fmt.Sprint(i), cell(), cell()}
		rows = append(rows, row)
		lines = append(lines, "("+strings.Join(row, ", ")+")")
	}
	lines = append(lines, "(-1, 0, 0)") // so that it has types; dropped again
	text := fmt.Sprintf("SELECT * FROM (VALUES %s) AS v (id, %s, %s) WHERE id >= 0", strings.Join(lines, ", "), x, y)
	if err := makeTable(cat, eng, name, text); err != nil {
		t.Fatal(err)
	}
	return rows
}

// outer is a value that the innermost subquery's surroundings know.
func (g *subqueries) outer() string {
	if g.depth > 1 && rapid.Bool().Draw(g.T, "near") {
		return g.pick("u.c", "u.d")
	}
	return g.pick("o.a", "o.b", "o.a", "o.a + o.b", "coalesce(o.b, 1)")
}

// names returns the relation of a subquery and its columns, which differ by depth lest names be hidden.
func (g *subqueries) names() (relation, x, y string) {
	if g.depth == 1 {
		return "u", "u.c", "u.d"
	}
	return "w", "w.e", "w.f"
}

func (g *subqueries) where(nested int) string {
	_, x, y := g.names()
	var parts []string
	for range rapid.IntRange(0, 2).Draw(g.T, "conjuncts") {
		op := g.pick("=", "=", "=", "<", ">=", "<>", "IS NOT DISTINCT FROM")
		switch rapid.IntRange(0, 7).Draw(g.T, "conjunct") {
		case 0, 1, 2:
			parts = append(parts, fmt.Sprintf("%s %s %s", g.pick(x, y), op, g.outer()))
		case 3:
			parts = append(parts, fmt.Sprintf("%s + %s %s 2", x, g.outer(), op))
		case 4:
			parts = append(parts, fmt.Sprintf("(%s = %s OR %s > %s)", x, g.outer(), y, g.outer()))
		case 5:
			parts = append(parts, fmt.Sprintf("%s %s 1", g.outer(), op))
		case 6:
			parts = append(parts, fmt.Sprintf("%s %s 1", y, op))
		case 7:
			if nested > 0 {
				parts = append(parts, g.condition(nested))
			}
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(parts, " AND ")
}

// rows draws a subquery of one column.
func (g *subqueries) rows(nested int) string {
	g.depth++
	defer func() { g.depth-- }()
	relation, x, y := g.names()
	from := relation
	switch rapid.IntRange(0, 9).Draw(g.T, "from") {
	case 0:
		from = fmt.Sprintf("%s JOIN o AS p ON p.a = %s AND p.b >= %s", relation, x, g.outer())
	case 1:
		from = fmt.Sprintf("%s LEFT JOIN o AS p ON p.a = %s AND p.b = %s", relation, x, g.outer())
	case 2:
		from = fmt.Sprintf("(SELECT * FROM %s WHERE %s = %s) AS %s", relation, y, g.outer(), relation)
	case 3:
		from = fmt.Sprintf("%s CROSS JOIN UNNEST(ARRAY[%s, 1]) AS n (k)", relation, g.outer())
	}
	where := g.where(nested - 1)
	switch rapid.IntRange(0, 9).Draw(g.T, "form") {
	case 0:
		return fmt.Sprintf("SELECT DISTINCT %s FROM %s%s", x, from, where)
	case 1:
		return fmt.Sprintf("SELECT %s FROM %s%s UNION ALL SELECT o.b FROM %s WHERE %s = %s", x, from, where, relation, y, g.outer())
	case 2:
		return fmt.Sprintf("SELECT max(%s) FROM %s%s GROUP BY %s HAVING count(*) >= %s", x, from, where, y, g.outer())
	case 3:
		return fmt.Sprintf("SELECT %s FROM %s%s ORDER BY %s, %s LIMIT %s", x, from, where, x, y, g.pick("1", "2"))
	case 4:
		return fmt.Sprintf("SELECT %s + %s FROM %s%s", x, g.outer(), from, where)
	case 5:
		return fmt.Sprintf("SELECT %s FROM %s%s INTERSECT SELECT %s FROM %s WHERE %s < %s", x, from, where, x, relation, y, g.outer())
	case 6:
		return "VALUES " + g.outer() + ", 2"
	}
	return fmt.Sprintf("SELECT %s FROM %s%s", g.pick(x, y, "coalesce("+x+", 7)"), from, where)
}

// single draws a subquery of one row and column, as a rule.
func (g *subqueries) single(nested int) string {
	g.depth++
	defer func() { g.depth-- }()
	relation, x, y := g.names()
	where := g.where(nested - 1)
	switch rapid.IntRange(0, 8).Draw(g.T, "aggregate") {
	case 0:
		return fmt.Sprintf("SELECT max(%s) + %s FROM %s%s", x, g.outer(), relation, where)
	case 1:
		return fmt.Sprintf("SELECT sum(%s + %s) FROM %s%s", x, g.outer(), relation, where)
	case 2:
		return fmt.Sprintf("SELECT count(DISTINCT %s) FROM %s%s", y, relation, where)
	case 3:
		return fmt.Sprintf("SELECT count(*) FROM %s%s HAVING count(*) <> %s", relation, where, g.outer())
	case 4:
		return fmt.Sprintf("SELECT %s FROM %s%s ORDER BY %s DESC, %s LIMIT 1", x, relation, where, x, y)
	case 5:
		// Correlated in any case: others count their rows before any row asks.
		return fmt.Sprintf("SELECT %s FROM %s WHERE %s = %s", x, relation, y, g.outer())
	case 6:
		return fmt.Sprintf("SELECT count(*) + sum(n) FROM (SELECT count(*) AS n FROM %s%s GROUP BY %s) s", relation, where, y)
	}
	return fmt.Sprintf("SELECT %s FROM %s%s", g.pick("count(*)", "count("+x+")", "min("+x+")", "array_agg("+x+" ORDER BY "+x+")"), relation, where)
}

// condition draws a condition over what is around.
func (g *subqueries) condition(nested int) string {
	c := ""
	around := func() string {
		if g.depth > 0 {
			_, x, y := g.names()
			return g.pick(x, y)
		}
		return g.pick("o.a", "o.b")
	}
	switch rapid.IntRange(0, 6).Draw(g.T, "condition") {
	case 0, 1:
		c = "EXISTS (" + g.rows(nested) + ")"
	case 2:
		c = fmt.Sprintf("%s IN (%s)", around(), g.rows(nested))
	case 3:
		c = fmt.Sprintf("%s NOT IN (%s)", around(), g.rows(nested))
	case 4:
		c = fmt.Sprintf("%s %s %s (%s)", around(), g.pick("=", "<>", "<", ">=", ">"), g.pick("ANY", "ALL"), g.rows(nested))
	case 5:
		g.depth++
		relation, x, _ := g.names()
		where := g.where(nested - 1)
		g.depth--
		c = fmt.Sprintf("%s >= (SELECT %s FROM %s%s)", around(), g.pick("count(*)", "max("+x+")"), relation, where)
	case 6:
		c = "true"
	}
	switch g.pick("", "", "NOT", "OR") {
	case "NOT":
		return "NOT " + c
	case "OR":
		return "(" + c + " OR " + around() + " = 1)"
	}
	return c
}

// value draws an expression over o.
func (g *subqueries) value(nested int) string {
	if rapid.Bool().Draw(g.T, "boolean") {
		return "(" + g.condition(nested) + ")"
	}
	return "(" + g.single(nested) + ")"
}
