package main

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqltype"
)

// A part of the manual that is made from the tables of the program stands between these comments.
var part = regexp.MustCompile(`(?ms)^<!-- made: ([a-z ]+) -->\n(.*?)^<!-- end -->$`)

// parts puts the made parts of a text in place.
func (r *reader) parts(text string) string {
	makers := map[string]func() string{
		"reserved words": reservedWords,
		"types":          typeTable,
		"casts":          castTable,
		"tables":         tableList,
		"columns":        columnTable,
		"functions":      functionChapters,
	}
	return part.ReplaceAllStringFunc(text, func(block string) string {
		name := part.FindStringSubmatch(block)[1]
		make, ok := makers[name]
		if !ok {
			r.t.Errorf("docs/sql.md: nobody makes the part %q", name)
			return block
		}
		return "<!-- made: " + name + " -->\n" + make() + "<!-- end -->"
	})
}

// reservedWords breaks the list into lines.
func reservedWords() string {
	var b strings.Builder
	width := 0
	for _, word := range sql.ReservedWords() {
		if width += len(word) + 1; width > 130 {
			b.WriteString("\n")
			width = len(word)
		} else if b.Len() > 0 {
			b.WriteString(" ")
		}
		b.WriteString(word)
	}
	return b.String() + "\n"
}

// typeTable has a row per type: its forms outside, and how a literal of it is written.
func typeTable() string {
	var b strings.Builder
	b.WriteString("| type | literal | in Arrow and Parquet results |\n| --- | --- | --- |\n")
	for _, row := range [][2]string{
		{"boolean", "`true`"}, {"tinyint", "`TINYINT '1'`"}, {"smallint", "`SMALLINT '1'`"}, {"integer", "`1`"},
		{"bigint", "`3000000000`, `BIGINT '1'`"}, {"real", "`REAL '1.5'`"}, {"double", "`1.5e0`"}, {"decimal(10,2)", "`1.5`, `DECIMAL '1.50'`"},
		{"varchar", "`'it''s'`, `U&'\\00e9'`"}, {"varchar(10)", "`CAST('a' AS varchar(10))`"}, {"char(10)", "`CHAR 'a'`"},
		{"varbinary", "`X'00ff'`"}, {"date", "`DATE '2026-03-04'`"}, {"time", "`TIME '10:00:00'`"}, {"time with time zone", "`TIME '10:00:00+01:00'`"},
		{"timestamp", "`TIMESTAMP '2026-03-04 10:00:00'`"}, {"timestamp with time zone", "`TIMESTAMP '2026-03-04 10:00:00 Europe/Berlin'`"},
		{"interval day to second", "`INTERVAL '2' DAY`"}, {"interval year to month", "`INTERVAL '3' MONTH`"},
		{"array(integer)", "`ARRAY[1, 2]`"}, {"map(varchar, integer)", "`MAP(ARRAY['a'], ARRAY[1])`"},
		{"row(a integer, b varchar)", "`ROW(1, 'x')`, `CAST(ROW(1, 'x') AS row(a integer, b varchar))`"},
		{"json", "`JSON '{\"a\": 1}'`"}, {"ipaddress", "`IPADDRESS '10.0.0.1'`"}, {"ipprefix", "`IPPREFIX '10.0.0.0/8'`"},
		{"uuid", "`UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59'`"},
	} {
		t, err := sqltype.Parse(row[0])
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", row[0], row[1], arrowForm(t))
	}
	return b.String()
}

// arrowForm is the type of a column in --format arrow; that of Parquet is made of it.
func arrowForm(t sqltype.Type) string {
	var stream bytes.Buffer
	w, err := sink.New("arrow", &stream, []sink.Column{{Name: "c", Type: t}}, sink.Options{})
	if err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	r, err := ipc.NewReader(&stream)
	if err != nil {
		panic(err)
	}
	return r.Schema().Field(0).Type.String()
}

// castTable is a matrix of the kinds of types.
func castTable() string {
	var b strings.Builder
	names := []string{"boolean", "integer", "double", "decimal(10,2)", "varchar", "char(5)", "varbinary", "date", "time", "time with time zone",
		"timestamp", "timestamp with time zone", "json", "ipaddress", "ipprefix", "uuid"}
	short := strings.NewReplacer("with time zone", "tz", "(10,2)", "", "(5)", "")
	types := make([]sqltype.Type, len(names))
	b.WriteString("| from \\ to |")
	for i, name := range names {
		var err error
		if types[i], err = sqltype.Parse(name); err != nil {
			panic(err)
		}
		b.WriteString(" " + short.Replace(name) + " |")
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(names)) + "\n")
	for i, from := range types {
		b.WriteString("| " + short.Replace(names[i]) + " |")
		for j, to := range types {
			mark := " "
			switch {
			case i == j:
				mark = "="
			case sqltype.CanCoerce(from, to):
				mark = "**✓**"
			case sqltype.CanCast(from, to):
				mark = "c"
			}
			b.WriteString(" " + mark + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// tableList has the comments of the tables of trail objects and records.
func tableList() string {
	var b strings.Builder
	b.WriteString("| table | rows |\n| --- | --- |\n")
	for _, name := range []string{cloudtrail.Logs, cloudtrail.Insights, cloudtrail.Aggregated, catalog.Files, catalog.Duplicates, catalog.Quarantine, catalog.Digests} {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, catalog.LayoutOf(name).Comment)
	}
	return b.String()
}

// columnTable has the columns of cloudtrail_logs.
func columnTable() string {
	var b strings.Builder
	b.WriteString("| column | type | |\n| --- | --- | --- |\n")
	for _, c := range catalog.LayoutOf(cloudtrail.Logs).Columns {
		comment := c.Comment
		if c.Hidden {
			comment = strings.TrimPrefix(comment+"; left out of `*`", "; ")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Name, strings.ReplaceAll(c.Type.String(), "|", "\\|"), comment)
	}
	return b.String()
}

// functionChapters links the chapters of functions.md.
func functionChapters() string {
	chapters := map[string]bool{"aggregate": true, "window": true}
	for _, f := range fn.All() {
		if _, callable := slices.BinarySearch(fn.Names(), f.Name); callable {
			chapters[f.Category] = true
		}
	}
	for _, f := range fn.Forms() {
		chapters[f.Category] = true
	}
	var links []string
	for _, c := range slices.Sorted(maps.Keys(chapters)) {
		links = append(links, fmt.Sprintf("[%s](functions.md#%s-functions)", c, strings.ReplaceAll(strings.ToLower(c), " ", "-")))
	}
	return strings.Join(links, " · ") + "\n"
}
