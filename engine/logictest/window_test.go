package logictest_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/optimize"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// TestWindowsByDefinition compares random window functions over random rows with an evaluation row by row that follows the definitions:
// for each row its partition is sorted, its frame is picked row by row, and the function is computed from the frame's rows alone.
func TestWindowsByDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := drawRows(t)
		cat := &logictest.Catalog{}
		eng := engine.New(cat)
		if err := makeTable(cat, eng, "t", tableText(rows)); err != nil {
			t.Fatal(err)
		}
		windows := rapid.SliceOfN(rapid.Custom(drawWindow), 1, 3).Draw(t, "windows")
		for i := range windows { // rows that are equal may come in any order, but in the same one for all functions over one window
			w := &windows[i]
			w.partition, w.order, w.desc, w.first = windows[0].partition, windows[0].order, windows[0].desc, windows[0].first
		}
		text := "SELECT id"
		for _, w := range windows {
			text += ", " + w.sql()
		}
		text += " FROM t ORDER BY id"
		opt := engine.Options{
			Workers: rapid.IntRange(1, 3).Draw(t, "workers"), BatchRows: rapid.SampledFrom([]int{0, 1, 3, 50}).Draw(t, "batch"), Now: now,
			WithoutRules: rapid.SampledFrom([][]string{nil, optimize.Rules()}).Draw(t, "without"),
		}
		_, got, err := run(eng, text, opt)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		want := make([]string, len(rows))
		for i, r := range rows {
			cells := []string{strconv.Itoa(r.id)}
			for _, w := range windows {
				cells = append(cells, w.value(rows, r))
			}
			want[i] = strings.Join(cells, "\t")
		}
		if !slices.Equal(got, want) {
			for i := range want {
				if i >= len(got) || got[i] != want[i] {
					t.Fatalf("%s\nover %s\nrow %d is\n%v, want\n%s", text, tableText(rows), i, got[min(i, len(got)-1)], want[i])
				}
			}
			t.Fatalf("%s: %d rows, want %d", text, len(got), len(want))
		}
	})
}

// cells of a row: g a group, k a key, v a value, all NULL at times; o is an offset.
type windowRow struct {
	id, o   int
	g, k, v *int
}

func drawRows(t *rapid.T) []windowRow {
	n := rapid.SampledFrom([]int{0, 1, 2, 5, 12, 30, 180}).Draw(t, "rows")
	groups := rapid.SampledFrom([]int{1, 2, 3, 10}).Draw(t, "groups")
	keys := rapid.SampledFrom([]int{1, 3, 10, 1000}).Draw(t, "keys")
	// One seed: a draw of rapid's for each cell would be slow.
	next := rapid.Uint32().Draw(t, "seed")
	random := func(below int) int {
		next = next*1664525 + 1013904223 // Numerical Recipes' generator
		return int(next>>8) % below
	}
	maybe := func(x int) *int {
		if random(6) == 0 {
			return nil
		}
		return &x
	}
	rows := make([]windowRow, n)
	for i := range rows {
		rows[i] = windowRow{id: i, o: random(4), g: maybe(random(groups)), k: maybe(random(keys)), v: maybe(random(20) - 10)}
	}
	return rows
}

// tableText makes the rows a table; d and h are the key as a date and as a timestamp, f as a double.
func tableText(rows []windowRow) string {
	null := func(x *int) string {
		if x == nil {
			return "CAST(NULL AS bigint)"
		}
		return strconv.Itoa(*x)
	}
	values := []string{"(-1, 0, CAST(NULL AS bigint), CAST(NULL AS bigint), CAST(NULL AS bigint))"}
	for _, r := range rows {
		values = append(values, fmt.Sprintf("(%d, %d, %s, %s, %s)", r.id, r.o, null(r.g), null(r.k), null(r.v)))
	}
	return `SELECT id, o, g, k, v, CAST(k AS double) AS f, date_add('day', k, DATE '2024-01-01') AS d, date_add('hour', k, TIMESTAMP '2024-01-01 00:00:00') AS h
		FROM (VALUES ` + strings.Join(values, ", ") + `) AS x (id, o, g, k, v) WHERE id >= 0`
}

// windowSpec is a function with its window.
type windowSpec struct {
	fn          string
	n, other    int // the second and third argument
	ignoreNulls bool
	filter      bool // v > 0
	partition   bool
	order       string // the column by which: k, f, d, h
	desc, first bool   // NULLS FIRST
	unit        string // "" for no frame
	start, end  windowBound
}

type windowBound struct {
	kind   int // -2 unbounded preceding, -1 preceding, 0 current row, 1 following, 2 unbounded following
	offset int
	column bool // the offset is o
}

func drawWindow(t *rapid.T) windowSpec {
	w := windowSpec{
		fn: rapid.SampledFrom([]string{
			"row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "first_value", "last_value", "nth_value",
			"count(*)", "count", "sum", "avg", "min", "max", "array_agg", "bool_and", "max_by", "min(text)", "count_if",
		}).Draw(t, "fn"),
		n: rapid.IntRange(0, 4).Draw(t, "n"), other: rapid.IntRange(-1, 1).Draw(t, "other"),
		partition: rapid.Bool().Draw(t, "partition"),
		order:     rapid.SampledFrom([]string{"k", "f", "d", "h"}).Draw(t, "order"),
		desc:      rapid.Bool().Draw(t, "desc"), first: rapid.Bool().Draw(t, "first"),
		filter: rapid.Bool().Draw(t, "filter"), ignoreNulls: rapid.Bool().Draw(t, "ignore"),
	}
	switch w.fn {
	case "lag", "lead":
		w.filter = false
		return w
	case "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile":
		w.filter, w.ignoreNulls = false, false
		w.n = max(1, w.n)
	case "first_value", "last_value", "nth_value":
		w.filter = false
		w.n = max(1, w.n)
	default:
		w.ignoreNulls = false
	}
	w.unit = rapid.SampledFrom([]string{"", "ROWS", "RANGE", "GROUPS"}).Draw(t, "unit")
	w.start = drawBound(t, -2, 1)
	w.end = drawBound(t, max(w.start.kind, -1), 2)
	return w
}

func drawBound(t *rapid.T, from, to int) windowBound {
	return windowBound{
		kind: rapid.IntRange(from, to).Draw(t, "kind"), column: rapid.Bool().Draw(t, "column"),
		offset: rapid.SampledFrom([]int{0, 1, 2, 3, 100, 500}).Draw(t, "offset"),
	}
}

func (w windowSpec) sql() string {
	call := w.fn + "(v)"
	switch w.fn {
	case "row_number", "rank", "dense_rank", "percent_rank", "cume_dist":
		call = w.fn + "()"
	case "ntile":
		call = fmt.Sprintf("ntile(%d)", w.n)
	case "nth_value":
		call = fmt.Sprintf("nth_value(v, %d)", w.n)
	case "lag", "lead":
		call = fmt.Sprintf("%s(v, %d, %s)", w.fn, w.n, map[int]string{-1: "id", 0: "7", 1: "NULL"}[w.other])
	case "count(*)":
		call = w.fn
	case "bool_and", "count_if":
		call = w.fn + "(v > 0)"
	case "max_by":
		call = "max_by(v, id)" // the last value
	case "min(text)":
		call = "min(CAST(v AS varchar))"
	}
	if w.filter {
		call += " FILTER (WHERE v > 0)"
	}
	if w.ignoreNulls {
		call += " IGNORE NULLS"
	}
	over := ""
	if w.partition {
		over += "PARTITION BY g "
	}
	over += "ORDER BY " + w.order
	if w.desc {
		over += " DESC"
	}
	if w.first {
		over += " NULLS FIRST"
	}
	if w.unit != "" {
		over += " " + w.unit + " BETWEEN " + w.bound(w.start) + " AND " + w.bound(w.end)
	}
	return call + " OVER (" + over + ")"
}

func (w windowSpec) bound(b windowBound) string {
	offset := strconv.Itoa(b.offset)
	if b.column {
		offset = "o"
	}
	if w.unit == "RANGE" && (w.order == "d" || w.order == "h") {
		unit := map[string]string{"d": "DAY", "h": "HOUR"}[w.order]
		if b.column {
			offset = "o * INTERVAL '1' " + unit
		} else {
			offset = "INTERVAL '" + offset + "' " + unit
		}
	}
	return map[int]string{
		-2: "UNBOUNDED PRECEDING", -1: offset + " PRECEDING", 0: "CURRENT ROW", 1: offset + " FOLLOWING", 2: "UNBOUNDED FOLLOWING",
	}[b.kind]
}

func sameCell(a, b *int) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// compare orders two rows as the window does.
func (w windowSpec) compare(a, b windowRow) int {
	switch {
	case sameCell(a.k, b.k):
		return 0
	case a.k == nil:
		if w.first {
			return -1
		}
		return 1
	case b.k == nil:
		return -w.compare(b, a)
	case (*a.k < *b.k) != w.desc:
		return -1
	}
	return 1
}

// value is the function's for one row, as text.
func (w windowSpec) value(rows []windowRow, of windowRow) string {
	var p []windowRow
	for _, r := range rows {
		if !w.partition || sameCell(r.g, of.g) {
			p = append(p, r)
		}
	}
	slices.SortStableFunc(p, w.compare)
	at := slices.IndexFunc(p, func(r windowRow) bool { return r.id == of.id })
	before, peers, groups := 0, 0, 1
	for i, r := range p {
		switch c := w.compare(r, of); {
		case c < 0:
			before++
			if i > 0 && w.compare(p[i-1], r) != 0 || i == 0 {
				groups++
			}
		case c == 0:
			peers++
		}
	}
	switch w.fn {
	case "row_number":
		return strconv.Itoa(at + 1)
	case "rank":
		return strconv.Itoa(before + 1)
	case "dense_rank":
		return strconv.Itoa(groups)
	case "percent_rank":
		if len(p) == 1 {
			return doubleText(0)
		}
		return doubleText(float64(before) / float64(len(p)-1))
	case "cume_dist":
		return doubleText(float64(before+peers) / float64(len(p)))
	case "ntile":
		bucket, left := 0, 0
		for i := 0; i <= at; i++ { // deal the rows out
			if left == 0 {
				bucket++
				if left = len(p) / w.n; bucket <= len(p)%w.n {
					left++
				}
			}
			left--
		}
		return strconv.Itoa(bucket)
	case "lag", "lead":
		return w.neighbour(p, at)
	}
	var frame []*int
	for i, r := range p {
		if w.inFrame(p, at, i) && (!w.filter || r.v != nil && *r.v > 0) {
			if !(w.ignoreNulls && r.v == nil) {
				frame = append(frame, r.v)
			}
		}
	}
	var present []int
	for _, v := range frame {
		if v != nil {
			present = append(present, *v)
		}
	}
	switch w.fn {
	case "first_value":
		return nth(frame, 1)
	case "last_value":
		return nth(frame, len(frame))
	case "nth_value":
		return nth(frame, w.n)
	case "max_by": // the value of the row with the greatest id, which may be NULL
		best, last := -1, "NULL"
		for i, r := range p {
			if w.inFrame(p, at, i) && (!w.filter || r.v != nil && *r.v > 0) && r.id > best {
				best, last = r.id, nth([]*int{r.v}, 1)
			}
		}
		return last
	case "count(*)":
		return strconv.Itoa(len(frame))
	case "count":
		return strconv.Itoa(len(present))
	case "count_if":
		positive := 0
		for _, v := range present {
			if v > 0 {
				positive++
			}
		}
		return strconv.Itoa(positive)
	case "array_agg":
		if len(frame) == 0 {
			return "NULL"
		}
		var cells []string
		for i := range frame {
			cells = append(cells, nth(frame, i+1))
		}
		return "[" + strings.ReplaceAll(strings.Join(cells, ", "), "NULL", "null") + "]"
	}
	if len(present) == 0 {
		return "NULL"
	}
	sum := 0
	texts := make([]string, len(present))
	for i, v := range present {
		sum += v
		texts[i] = strconv.Itoa(v)
	}
	switch w.fn {
	case "sum":
		return strconv.Itoa(sum)
	case "avg":
		return doubleText(float64(sum) / float64(len(present)))
	case "min":
		return strconv.Itoa(slices.Min(present))
	case "max":
		return strconv.Itoa(slices.Max(present))
	case "bool_and":
		return strconv.FormatBool(slices.Min(present) > 0)
	}
	return slices.Min(texts) // min(text)
}

func (w windowSpec) neighbour(p []windowRow, at int) string {
	step, left, id := 1, w.n, p[at].id
	if w.fn == "lag" {
		step = -1
	}
	for left > 0 {
		at += step
		if at < 0 || at >= len(p) {
			break
		}
		if !w.ignoreNulls || p[at].v != nil {
			left--
		}
	}
	switch {
	case left == 0:
		return nth([]*int{p[at].v}, 1)
	case w.other == -1:
		return strconv.Itoa(id)
	case w.other == 0:
		return "7"
	}
	return "NULL"
}

func nth(frame []*int, n int) string {
	if n < 1 || n > len(frame) || frame[n-1] == nil {
		return "NULL"
	}
	return strconv.Itoa(*frame[n-1])
}

// inFrame reports whether row i is in the frame of the row at.
func (w windowSpec) inFrame(p []windowRow, at, i int) bool {
	if w.unit == "" {
		return w.compare(p[i], p[at]) <= 0
	}
	return w.inside(p, at, i, w.start, 1) && w.inside(p, at, i, w.end, -1)
}

// inside reports whether row i is on the right side of one bound; side is 1 for a start, -1 for an end.
func (w windowSpec) inside(p []windowRow, at, i int, b windowBound, side int) bool {
	offset := b.offset
	if b.column {
		offset = p[at].o
	}
	switch b.kind {
	case -2, 2:
		return true
	case -1:
		offset = -offset
	case 0:
		offset = 0
	}
	switch w.unit {
	case "ROWS":
		return side*(i-at-offset) >= 0
	case "GROUPS":
		groups := 0 // from the row's to i's
		for j := min(at, i) + 1; j <= max(at, i); j++ {
			if w.compare(p[j-1], p[j]) != 0 {
				groups++
			}
		}
		if i < at {
			groups = -groups
		}
		return side*(groups-offset) >= 0
	}
	if b.kind == 0 || p[at].k == nil || p[i].k == nil { // NULL is its own peer, and before or behind all values
		return side*w.compare(p[i], p[at]) >= 0
	}
	distance := *p[i].k - *p[at].k
	if w.desc {
		distance = -distance
	}
	return side*(distance-offset) >= 0
}

func doubleText(x float64) string {
	return string(sqltype.AppendText(nil, sqltype.DoubleType, vec.FromValue(sqltype.DoubleType, x), 0))
}

func BenchmarkWindows(b *testing.B) {
	cat := &logictest.Catalog{}
	eng := engine.New(cat)
	text := `SELECT a * 1000 + b AS id, (a * 1000 + b) * 7919 % 1000 AS g, (a * 1000 + b) * 104729 % 1000003 AS k, a AS v, CAST(b AS double) AS x
		FROM UNNEST(sequence(1, 1000)) AS q (a) CROSS JOIN UNNEST(sequence(1, 1000)) AS r (b)`
	batches, _, err := collect(eng, text, engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := cat.AddTable("t", []string{"id bigint", "g bigint", "k bigint", "v bigint", "x double"}, batches...); err != nil {
		b.Fatal(err)
	}
	for _, call := range []string{
		"row_number() OVER (PARTITION BY g ORDER BY k)", "row_number() OVER (ORDER BY k)", "sum(v) OVER (PARTITION BY g)", "sum(v) OVER (ORDER BY k)",
		"avg(x) OVER (ORDER BY k ROWS 6 PRECEDING)", "max(v) OVER (ORDER BY k ROWS 1000 PRECEDING)", "sum(v) OVER (ORDER BY k RANGE 5000 PRECEDING)",
		"lag(k) OVER (PARTITION BY g ORDER BY k)", "count(*) OVER (PARTITION BY g ORDER BY k)", "min(x) OVER (ORDER BY k)",
	} {
		b.Run(call, func(b *testing.B) {
			for b.Loop() {
				if _, rows, err := run(eng, "SELECT max(w) FROM (SELECT "+call+" AS w FROM t)", engine.Options{}); err != nil || len(rows) != 1 {
					b.Fatal(err)
				}
			}
		})
	}
}
