package catalog

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/trailql/trailql/connectors/external"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
)

// externalTable is the table that a CREATE EXTERNAL TABLE statement makes. What the statement says is checked, the files are not looked at. A
// location that cannot be reached is an error only of who reads the table: the next process may have other roots.
func (l *Lake) externalTable(d *definition, st *sql.CreateExternal) (source.Table, error) {
	if err := ownTrail(st); err != nil {
		return nil, err
	}
	t := &external.Table{TableName: d.written(), Partitions: len(st.Partitions), Statement: d.text}
	for _, c := range slices.Concat(st.Columns, st.Partitions) {
		name := strings.ToLower(c.Name.Name)
		if slices.ContainsFunc(t.Cols, func(other source.Column) bool { return other.Name == name }) {
			return nil, sqlerr.New(sqlerr.Name, c.Name.Pos(), "there are two columns %s", name)
		}
		column := source.Column{Name: name, Type: c.Type}
		if c.Comment != nil {
			column.Comment = *c.Comment
		}
		t.Cols = append(t.Cols, column)
	}
	for _, c := range st.Partitions {
		switch c.Type.Kind {
		case sqltype.Array, sqltype.Map, sqltype.Row, sqltype.Varbinary:
			return nil, sqlerr.New(sqlerr.Type, c.Name.Pos(), "a table cannot be partitioned by values of type %s", c.Type)
		}
	}
	var err error
	if t.Format, err = formatOf(st); err != nil {
		return nil, err
	}
	if t.Place, err = l.opt.Roots.Find(st.Location.Value); err != nil {
		var e *sqlerr.Error
		if errors.As(err, &e) {
			t.Missing = &sqlerr.Error{Kind: sqlerr.Data, Msg: "the files of table " + t.TableName + " cannot be reached: " + e.Msg, Hint: e.Hint}
			e.Pos = st.Location.Pos()
		}
		d.unreachable = err
	}
	return t.Source(), nil
}

// ownTrail refuses a table over CloudTrail's own objects: the lake has their events.
func ownTrail(st *sql.CreateExternal) error {
	about := st.Location.Value
	for _, text := range []*sql.Text{st.Serde, st.InputFormat} {
		if text != nil {
			about += " " + text.Value
		}
	}
	if !strings.Contains(about, "/AWSLogs/") && !strings.Contains(strings.ToLower(about), "cloudtrail") {
		return nil
	}
	name := st.Name[len(st.Name)-1].Name
	if len(st.Name) > 1 {
		name = st.Name[len(st.Name)-2].Name + "." + name
	}
	return sqlerr.New(sqlerr.Unknown, st.Location.Pos(), "the lake has CloudTrail's events already, in cloudtrail_logs").
		WithHint("query that, or put the line \"%s: {}\" into %s, so that queries of this name run; \"trailql compact\" adds events", strings.ToLower(name), BindingsFile)
}

// serdes are the formats by the names of Hive's SerDes, without their packages and in lower case, and by those of STORED AS.
var (
	serdes = map[string]external.Kind{
		"lazysimpleserde": external.Text, "opencsvserde": external.CSV, "jsonserde": external.JSON, "parquethiveserde": external.Parquet,
	}
	storages = map[string]external.Kind{
		"": external.Text, "textfile": external.Text, "parquet": external.Parquet, "jsonfile": external.JSON, "json": external.JSON, "csv": external.CSV,
	}
)

// formatOf reads how the files are laid out.
func formatOf(st *sql.CreateExternal) (external.Format, error) {
	f := external.Format{Delimiter: 1, Items: 2, Keys: 3, Null: `\N`}
	kind, ok := storages[st.StoredAs]
	if !ok {
		return f, sqlerr.New(sqlerr.Unknown, st.StoredAsAt.Pos(), "files stored as %s are not read", strings.ToUpper(st.StoredAs)).
			WithHint("PARQUET, TEXTFILE and JSONFILE are")
	}
	f.Kind = kind
	if st.InputFormat != nil && strings.Contains(st.InputFormat.Value, "Parquet") {
		f.Kind = external.Parquet
	}
	if st.Serde != nil {
		name := st.Serde.Value[strings.LastIndexByte(st.Serde.Value, '.')+1:]
		if f.Kind, ok = serdes[strings.ToLower(name)]; !ok {
			return f, sqlerr.New(sqlerr.Unknown, st.Serde.Pos(), "the SerDe %s is not known", st.Serde.Value).
				WithHint("LazySimpleSerDe, OpenCSVSerde, JsonSerDe and ParquetHiveSerDe are")
		}
	}
	if f.Kind == external.CSV {
		f.Delimiter, f.Quote, f.Escape = ',', '"', '\\'
	}
	pairs := slices.Concat(st.Delimiters, st.Serdes, st.Properties)
	slices.SortStableFunc(pairs, func(a, b sql.TextPair) int { // what else says the delimiter counts more
		return strings.Compare(strconv.FormatBool(!isSerialization(a)), strconv.FormatBool(!isSerialization(b)))
	})
	for _, p := range pairs {
		if err := setProperty(&f, p); err != nil {
			return f, err
		}
	}
	return f, nil
}

func isSerialization(p sql.TextPair) bool {
	return strings.EqualFold(p.Key.Value, "serialization.format")
}

// setProperty reads a property of a SerDe or a table, or a clause of ROW FORMAT DELIMITED. Those that say nothing about the form of files are
// taken and have no effect, as they are for other engines.
func setProperty(f *external.Format, p sql.TextPair) error {
	value, at := hiveText(p.Value.Value), p.Value.Pos()
	one := func(into *byte) error {
		if n, err := strconv.ParseUint(value, 10, 8); err == nil && len(value) > 1 {
			value = string([]byte{byte(n)})
		}
		if len(value) != 1 {
			return sqlerr.New(sqlerr.Value, at, "%s takes one character, not '%s'", p.Key.Value, p.Value.Value)
		}
		*into = value[0]
		return nil
	}
	switch strings.ToLower(p.Key.Value) {
	case "fields", "field.delim", "separatorchar", "serialization.format":
		if isSerialization(p) && f.Kind != external.Text || f.Kind == external.JSON || f.Kind == external.Parquet {
			return nil
		}
		return one(&f.Delimiter)
	case "escape", "escape.delim", "escapechar":
		return one(&f.Escape)
	case "quotechar":
		return one(&f.Quote)
	case "items", "collection.delim", "colelction.delim": // the second is Hive's own way to write it
		return one(&f.Items)
	case "keys", "mapkey.delim":
		return one(&f.Keys)
	case "lines", "line.delim":
		if value != "\n" {
			return sqlerr.New(sqlerr.Unknown, at, "lines end with '\\n' only")
		}
	case "null", "serialization.null.format":
		f.Null = value
	case "skip.header.line.count":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > 1000 {
			return sqlerr.New(sqlerr.Value, at, "skip.header.line.count is a number of lines, not '%s'", value)
		}
		f.SkipLines = n
	case "ignore.malformed.json":
		f.Malformed = strings.EqualFold(value, "true")
	case "projection.enabled":
		if strings.EqualFold(value, "true") {
			return sqlerr.New(sqlerr.Unknown, at, "partition projection is not supported").WithHint("folders named column=value are found by themselves")
		}
	case "table_type":
		if strings.EqualFold(value, "iceberg") {
			return sqlerr.New(sqlerr.Unknown, at, "tables of Iceberg are not supported")
		}
	}
	return nil
}

// hiveText resolves the escapes of a string in Hive: \t, \n, \r, \\, quotes, \001 and \u0001.
func hiveText(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out.WriteByte(s[i])
			continue
		}
		rest := s[i+1:]
		if len(rest) >= 5 && rest[0] == 'u' {
			if n, err := strconv.ParseUint(rest[1:5], 16, 32); err == nil {
				out.WriteRune(rune(n))
				i += 5
				continue
			}
		}
		if len(rest) >= 3 {
			if n, err := strconv.ParseUint(rest[:3], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		i++
		switch s[i] {
		case 't':
			out.WriteByte('\t')
		case 'n':
			out.WriteByte('\n')
		case 'r':
			out.WriteByte('\r')
		case 'N':
			out.WriteString(`\N`)
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String()
}
