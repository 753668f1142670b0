package fn

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/sqltype"
)

// The functions of date and time that Trino has from Teradata.
var teradataFunctions = []*Function{
	{
		Name: "to_char", Category: dates, CanFail: true,
		Doc:     "The time as text in a format of Teradata's language: yyyy, yy, mm, dd, hh24, hh, mi, ss and the signs - / , . ; : between them.",
		Example: "to_char(TIMESTAMP '2024-01-31 10:20:30', 'yyyy/mm/dd hh24:mi:ss') → '2024/01/31 10:20:30'",
		Overloads: []Overload{
			{Sig: "(timestamp, varchar) -> varchar", Eval: formatWith(teradataPattern)},
			{Sig: "(timestamp with time zone, varchar) -> varchar", Eval: formatWith(teradataPattern)},
		},
	},
	{
		Name: "to_timestamp", Category: dates, CanFail: true,
		Doc:     "Text in a format of Teradata's language (see to_char) as a timestamp.",
		Example: "to_timestamp('2024/01/31 10:20', 'yyyy/mm/dd hh24:mi') → TIMESTAMP '2024-01-31 10:20:00.000'",
		Overloads: []Overload{{Sig: "(varchar, varchar) -> timestamp", Eval: func(c *Call) (arrow.Array, error) {
			local := parseLocal(c, teradataPattern)
			return eachRow(c, local)
		}}},
	},
	{
		Name: "to_date", Category: dates, CanFail: true,
		Doc:     "Text in a format of Teradata's language (see to_char) as a date.",
		Example: "to_date('31.01.2024', 'dd.mm.yyyy') → DATE '2024-01-31'",
		Overloads: []Overload{{Sig: "(varchar, varchar) -> date", Eval: func(c *Call) (arrow.Array, error) {
			local := parseLocal(c, teradataPattern)
			return eachRow(c, func(i int) (int32, error) {
				us, err := local(i)
				days, _ := sqltype.DayOf(us)
				return int32(days), err
			})
		}}},
	},
}

// teradataFields are the words of a format, hh24 before hh.
var teradataFields = []struct {
	word  string
	field timeField
}{
	{"yyyy", timeField{kind: fieldYear, width: 4, most: 4}}, {"yy", timeField{kind: fieldYear2, width: 2, most: 2}},
	{"mm", timeField{kind: fieldMonth, width: 2, most: 2}}, {"dd", timeField{kind: fieldDay, width: 2, most: 2}},
	{"hh24", timeField{kind: fieldHour, width: 2, most: 2}}, {"hh", timeField{kind: fieldHalf12, width: 2, most: 2}},
	{"mi", timeField{kind: fieldMinute, width: 2, most: 2}}, {"ss", timeField{kind: fieldSecond, width: 2, most: 2}},
}

// teradataPattern reads a format of Teradata's language, in small letters as in Trino.
func teradataPattern(format string) (timePattern, error) {
	var p timePattern
scan:
	for i := 0; i < len(format); {
		if strings.IndexByte(" -/,.;:", format[i]) >= 0 {
			p = p.literal(format[i : i+1])
			i++
			continue
		}
		for _, f := range teradataFields {
			if strings.HasPrefix(format[i:], f.word) {
				p = append(p, f.field)
				i += len(f.word)
				continue scan
			}
		}
		return nil, valueError("%s means nothing in a format: use yyyy, yy, mm, dd, hh24, hh, mi, ss and - / , . ; : between them", shown(format[i:]))
	}
	return p, nil
}
