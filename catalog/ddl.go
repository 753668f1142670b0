package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/trailql/trailql/connectors/cloudtrail"
)

// dialect is how an engine writes what the definitions of the lake's shapes need beside plain SQL.
type dialect struct {
	quote     string                         // around identifiers
	text      string                         // the type of text
	textMap   string                         // the type of maps of text to text
	jsonMap   func(column string) string     // a JSON object as such a map, NULL for what is no object
	mapOf     func(pairs [][2]string) string // of keys and expressions
	time      func(column string) string     // a stored instant as a timestamp in UTC
	eventjson string                         // the record as JSON
}

// own is trailql's own: Athena's, and the functions that make eventjson and maps.
var own = dialect{
	quote: `"`, text: "varchar", textMap: "map(varchar, varchar)",
	jsonMap:   func(column string) string { return "json_to_map(" + column + ")" },
	mapOf:     trino.mapOf,
	time:      func(column string) string { return column },
	eventjson: "eventjson",
}

// trino is that of Trino, and of Athena, whose engine it is.
var trino = dialect{
	quote: `"`, text: "varchar", textMap: "map(varchar, varchar)",
	// An object's members as JSON; a text is itself, null is NULL, all else its JSON.
	jsonMap: func(column string) string {
		return "transform_values(TRY(CAST(json_parse(" + column + ") AS map(varchar, json))), (k, v) -> IF(json_format(v) <> 'null', coalesce(json_extract_scalar(v, '$'), json_format(v))))"
	},
	mapOf: func(pairs [][2]string) string {
		var keys, values []string
		for _, p := range pairs {
			keys, values = append(keys, "CAST('"+p[0]+"' AS varchar)"), append(values, p[1])
		}
		return "MAP(ARRAY[" + strings.Join(keys, ", ") + "], ARRAY[" + strings.Join(values, ", ") + "])"
	},
	time:      func(column string) string { return "CAST(" + column + " AS timestamp(3))" },
	eventjson: "CAST(NULL AS varchar)",
}

// spark is that of Spark SQL. Its timestamps are shown in the session's time zone, which should be UTC.
var spark = dialect{
	quote: "`", text: "string", textMap: "map<string, string>",
	jsonMap: func(column string) string { return "from_json(" + column + ", 'map<string,string>')" },
	mapOf: func(pairs [][2]string) string {
		var all []string
		for _, p := range pairs {
			all = append(all, "'"+p[0]+"', "+p[1])
		}
		return "map(" + strings.Join(all, ", ") + ")"
	},
	time:      func(column string) string { return column },
	eventjson: "CAST(NULL AS string)",
}

// lakeShape lists the columns of cloudtrail_logs, or of its files as the lake has them, in the shape of CloudTrail Lake.
func lakeShape(d *dialect) string {
	flag := func(column string) string {
		return "CASE lower(" + column + ") WHEN 'true' THEN true WHEN 'false' THEN false END AS " + column
	}
	jsonMap := func(column string) string { return d.jsonMap(column) + " AS " + column }
	addendum := d.mapOf([][2]string{{"reason", "addendum.reason"}, {"updatedFields", "addendum.updatedfields"},
		{"originalRequestID", "addendum.originalrequestid"}, {"originalEventID", "addendum.originaleventid"}})
	return strings.Join([]string{
		"eventversion", "useridentity", d.time("_time") + " AS eventtime", "eventsource", "eventname", "awsregion", "sourceipaddress", "useragent",
		"errorcode", "errormessage", jsonMap("requestparameters"), jsonMap("responseelements"), jsonMap("additionaleventdata"), "requestid", "eventid",
		flag("readonly"), "resources", "eventtype", "apiversion", flag("managementevent"),
		"recipientaccountid", "sharedeventid", "annotation", "vpcendpointid", "vpcendpointaccountid", jsonMap("serviceeventdetails"),
		"CASE WHEN addendum IS NOT NULL THEN " + addendum + " END AS addendum",
		jsonMap("edgedevicedetails"), "eventcontext", "CAST(NULL AS " + d.textMap + ") AS insightdetails", "eventcategory",
		flag("sessioncredentialfromconsole"), d.eventjson + " AS eventjson", "CAST(NULL AS " + d.text + ") AS eventjsonchecksum",
		"tlsdetails", "account", "region", "date",
	}, ",\n\t")
}

// Engines whose statements DDL writes.
var Engines = []string{"athena", "trino", "spark"}

// Registration says where another engine finds the lake, and under which names it shall know it.
type Registration struct {
	Engine   string // one of Engines
	Location string // URL of the lake as that engine reaches it
	Catalog  string // of Trino: the Delta Lake connector's; the others have none
	Schema   string
}

// events is the name of the table of events as it is stored; cloudtrail_logs is a view over it.
const events = "cloudtrail_events"

var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,127}$`)

// DDL is the text of statements, each ended by a semicolon and a line end, that make the lake's tables known to another engine, which reads them where they stand,
// and two views over them: cloudtrail_logs and cloudtrail_lake. Nothing is copied; what is added to the lake later is there at once.
func DDL(r Registration) (string, error) {
	if !slices.Contains(Engines, r.Engine) {
		return "", fmt.Errorf("no statements are known for %q; there are those for %s", r.Engine, strings.Join(Engines, ", "))
	}
	names := []string{r.Schema}
	if r.Engine == "trino" {
		names = append(names, r.Catalog)
	}
	for _, name := range names {
		if !plainName.MatchString(name) {
			return "", fmt.Errorf("%q cannot be the name of a schema or catalog: it has lower-case letters, digits and _", name)
		}
	}
	if strings.ContainsFunc(r.Location, func(c rune) bool { return c < ' ' }) || !strings.Contains(r.Location, "://") {
		return "", fmt.Errorf("location %q is no URL, such as s3://bucket/lake", r.Location)
	}
	location := strings.TrimSuffix(strings.ReplaceAll(r.Location, "'", "''"), "/")
	schema, d := r.Schema, &trino
	switch r.Engine {
	case "trino":
		schema = r.Catalog + "." + r.Schema
	case "spark":
		d = &spark
		location = strings.ReplaceAll(strings.ReplaceAll(strings.TrimSuffix(r.Location, "/"), `\`, `\\`), "'", `\'`)
	}

	var out strings.Builder
	statement := func(format string, args ...any) { fmt.Fprintf(&out, format+";\n", args...) }
	statement("CREATE SCHEMA IF NOT EXISTS %s", schema)
	for _, t := range layouts() {
		name, at := t.Name, location+"/"+t.Name
		if name == cloudtrail.Logs {
			name = events
		}
		switch r.Engine {
		case "athena":
			statement("CREATE EXTERNAL TABLE IF NOT EXISTS %s.%s LOCATION '%s/' TBLPROPERTIES ('table_type' = 'DELTA')", schema, name, at)
		case "trino":
			statement("CALL %s.system.register_table(schema_name => '%s', table_name => '%s', table_location => '%s')", r.Catalog, r.Schema, name, at)
		case "spark":
			statement("CREATE TABLE IF NOT EXISTS %s.%s USING DELTA LOCATION '%s'", schema, name, at)
		}
	}
	logs := make([]string, 0, len(LayoutOf(cloudtrail.Logs).Columns))
	for _, c := range LayoutOf(cloudtrail.Logs).Columns {
		column := d.quote + c.Name + d.quote
		if c.Name == "_time" {
			column = d.time(column) + " AS " + column
		}
		logs = append(logs, column)
	}
	hidden := make([]string, 0, len(lakeHidden))
	for _, name := range lakeHidden {
		column := name
		if name == "_time" {
			column = d.time(name) + " AS " + name
		}
		hidden = append(hidden, column)
	}
	statement("CREATE OR REPLACE VIEW %s.%s AS SELECT\n\t%s\nFROM %s.%s", schema, cloudtrail.Logs, strings.Join(logs, ", "), schema, events)
	statement("CREATE OR REPLACE VIEW %s.%s AS SELECT\n\t%s,\n\t%s\nFROM %s.%s", schema, lakeView, lakeShape(d), strings.Join(hidden, ", "), schema, events)
	if r.Engine == "spark" {
		// What the questions about CloudTrail ask of JSON text, and Spark calls otherwise.
		statement("CREATE OR REPLACE FUNCTION %s.json_extract_scalar(json STRING, path STRING) RETURNS STRING RETURN get_json_object(json, path)", schema)
	}
	return out.String(), nil
}
