package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog/compact"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// The reference reader: plain JSON by the standard library, record by record, no column, no statistics, no index. It
// shares no code with the product.

// event is one distinct record of cloudtrail_logs.
type event map[string]any

// jsonPaths gives the JSON path of each column that the questions use.
var jsonPaths = map[string]string{
	"eventversion": "eventVersion", "eventtime": "eventTime", "eventsource": "eventSource", "eventname": "eventName", "awsregion": "awsRegion",
	"sourceipaddress": "sourceIPAddress", "useragent": "userAgent", "errorcode": "errorCode", "errormessage": "errorMessage",
	"requestparameters": "requestParameters", "responseelements": "responseElements", "additionaleventdata": "additionalEventData",
	"requestid": "requestID", "eventid": "eventID", "eventtype": "eventType", "readonly": "readOnly", "recipientaccountid": "recipientAccountId",
	"sharedeventid": "sharedEventID", "vpcendpointid": "vpcEndpointId", "eventcategory": "eventCategory", "managementevent": "managementEvent",
	"useridentity.type": "userIdentity.type", "useridentity.arn": "userIdentity.arn", "useridentity.principalid": "userIdentity.principalId",
	"useridentity.accountid": "userIdentity.accountId", "useridentity.accesskeyid": "userIdentity.accessKeyId",
	"useridentity.username": "userIdentity.userName", "useridentity.invokedby": "userIdentity.invokedBy",
	"useridentity.sessioncontext.sessionissuer.username":      "userIdentity.sessionContext.sessionIssuer.userName",
	"useridentity.sessioncontext.attributes.mfaauthenticated": "userIdentity.sessionContext.attributes.mfaAuthenticated",
	"tlsdetails.tlsversion":                                   "tlsDetails.tlsVersion",
}

const null = "NULL"

// text is a column as varchar: the text of a string, the JSON of anything else, NULL for null and absence.
func (e event) text(column string) string {
	path, known := jsonPaths[column]
	if !known {
		panic("the reference reader has no column " + column)
	}
	return e.at(strings.Split(path, ".")...)
}

func (e event) at(path ...string) string {
	var v any = map[string]any(e)
	for _, key := range path {
		object, ok := v.(map[string]any)
		if !ok {
			return null
		}
		v = object[key]
	}
	switch v := v.(type) {
	case nil:
		return null
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// scalar is what json_extract_scalar gives for a path of keys: NULL for objects and arrays.
func (e event) scalar(column string, keys ...string) string {
	var v any = e[jsonPaths[column]]
	for _, key := range keys {
		object, ok := v.(map[string]any)
		if !ok {
			return null
		}
		v = object[key]
	}
	switch v.(type) {
	case string, bool, json.Number:
		return event{"v": v}.at("v")
	}
	return null
}

func (e event) time() (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, e.text("eventtime"))
	return t.UTC(), err == nil
}

func (e event) date() string {
	if t, ok := e.time(); ok {
		return t.Format(time.DateOnly)
	}
	return null
}

var twelve = regexp.MustCompile(`^[0-9]{12}$`)

func (e event) account() string {
	id := e.text("recipientaccountid")
	if _, present := e["recipientAccountId"]; !present {
		id = e.text("useridentity.accountid")
	}
	if twelve.MatchString(id) {
		return id
	}
	return null
}

// readTrail returns the distinct records of cloudtrail_logs below dir. Objects that do not read to the end are left out, as
// the compactor sets them aside.
func readTrail(t *testing.T, dir string) []event {
	t.Helper()
	seen := map[string]bool{}
	var events []event
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".json.gz") || strings.Contains(path, "CloudTrail-Digest") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return err
		}
		content, err := io.ReadAll(z)
		if err != nil {
			return nil //nolint:nilerr // a truncated object
		}
		var file struct{ Records []json.RawMessage }
		if err := json.Unmarshal(content, &file); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, raw := range file.Records {
			var tight bytes.Buffer
			if err := json.Compact(&tight, raw); err != nil {
				return err
			}
			if seen[tight.String()] {
				continue
			}
			seen[tight.String()] = true
			e := event{}
			decoder := json.NewDecoder(bytes.NewReader(raw))
			decoder.UseNumber()
			if err := decoder.Decode(&e); err != nil {
				return err
			}
			_, insight := e["insightDetails"]
			if category := e.text("eventcategory"); !insight && category != "Insight" && category != "Aggregated" {
				events = append(events, e)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// Questions, each with the answer the slow way.
type reference struct {
	sql     string
	ordered bool // the rows have one right order
	answer  func(es []event) [][]string
}

type keep func(e event) bool

func where(es []event, all ...keep) []event {
	var out []event
	for _, e := range es {
		if !slices.ContainsFunc(all, func(k keep) bool { return !k(e) }) {
			out = append(out, e)
		}
	}
	return out
}

func is(column string, values ...string) keep {
	return func(e event) bool { v := e.text(column); return v != null && slices.Contains(values, v) }
}

func isNot(column string, values ...string) keep {
	return func(e event) bool { v := e.text(column); return v != null && !slices.Contains(values, v) }
}

func present(column string) keep { return func(e event) bool { return e.text(column) != null } }
func absent(column string) keep  { return func(e event) bool { return e.text(column) == null } }

func between(column, low, high string) keep { // low ≤ v < high
	return func(e event) bool { v := e.text(column); return v != null && v >= low && v < high }
}

func matches(column, pattern string) keep {
	re := regexp.MustCompile(`(?s)` + pattern)
	return func(e event) bool { v := e.text(column); return v != null && re.MatchString(v) }
}

func either(ks ...keep) keep {
	return func(e event) bool { return slices.ContainsFunc(ks, func(k keep) bool { return k(e) }) }
}

func project(es []event, columns ...string) [][]string {
	out := [][]string{}
	for _, e := range es {
		row := make([]string, len(columns))
		for i, c := range columns {
			row[i] = e.text(c)
		}
		out = append(out, row)
	}
	return out
}

func count(es []event) [][]string { return [][]string{{strconv.Itoa(len(es))}} }

// groups puts events into groups by their key columns; agg gives the further columns of a group.
func groups(es []event, key func(e event) []string, agg func(es []event) []string) [][]string {
	members := map[string][]event{}
	keys := map[string][]string{}
	for _, e := range es {
		k := key(e)
		id := strings.Join(k, "\x00")
		members[id], keys[id] = append(members[id], e), k
	}
	out := [][]string{}
	for id, list := range members {
		out = append(out, append(slices.Clone(keys[id]), agg(list)...))
	}
	return out
}

func by(columns ...string) func(e event) []string {
	return func(e event) []string { return project([]event{e}, columns...)[0] }
}

func size(es []event) []string { return []string{strconv.Itoa(len(es))} }

func distinct(es []event, columns ...string) int {
	seen := map[string]bool{}
	for _, e := range es {
		if row := project([]event{e}, columns...)[0]; !slices.Contains(row, null) {
			seen[strings.Join(row, "\x00")] = true
		}
	}
	return len(seen)
}

func values(es []event, column string) []string {
	var out []string
	for _, e := range es {
		if v := e.text(column); v != null {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

func first(list []string) string {
	if len(list) == 0 {
		return null
	}
	return list[0]
}

func last(list []string) string {
	if len(list) == 0 {
		return null
	}
	return list[len(list)-1]
}

// top sorts by the given comparison and keeps n.
func top(rows [][]string, n int, compare func(a, b []string) int) [][]string {
	slices.SortFunc(rows, compare)
	return rows[:min(n, len(rows))]
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

func yesNo(b bool) string { return strconv.FormatBool(b) }

// nullsLast orders text as SQL does.
func nullsLast(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == null:
		return 1
	case b == null:
		return -1
	}
	return cmp.Compare(a, b)
}

// references are the questions; ranges of time are from ≤ t < to, and the needles are taken from one event of the trail.
func references(from, to, key, ip, id, account string) []reference {
	inRange := between("eventtime", from, to)
	f := strings.NewReplacer("$fromdate", from[:10], "$todate", to[:10], "$from", from, "$to", to, "$key", key, "$ip", ip, "$id", id, "$account", account)
	list := []reference{
		{`SELECT count(*) FROM cloudtrail_logs`, true, count},
		{`SELECT count(*) FROM cloudtrail_lake`, true, count},
		{`SELECT count(eventid), count(errorcode), count(DISTINCT eventname) FROM cloudtrail_logs`, true, func(es []event) [][]string {
			return [][]string{{strconv.Itoa(len(values(es, "eventid"))), strconv.Itoa(len(values(es, "errorcode"))), strconv.Itoa(distinct(es, "eventname"))}}
		}},
		{`SELECT min(eventtime), max(eventtime), min(eventname), max(useragent) FROM cloudtrail_logs`, true, func(es []event) [][]string {
			return [][]string{{first(values(es, "eventtime")), last(values(es, "eventtime")), first(values(es, "eventname")), last(values(es, "useragent"))}}
		}},
		{`SELECT count(*) FROM cloudtrail_logs WHERE eventtime >= '$from' AND eventtime < '$to'`, true, func(es []event) [][]string { return count(where(es, inRange)) }},
		{`SELECT eventid FROM cloudtrail_logs WHERE eventtime BETWEEN '$from' AND '$to'`, false, func(es []event) [][]string {
			return project(where(es, either(inRange, is("eventtime", to))), "eventid")
		}},
		{`SELECT count(*) FROM cloudtrail_logs WHERE from_iso8601_timestamp(eventtime) >= TIMESTAMP '$fromdate 00:00:00 UTC' AND eventtime LIKE '____-__-__T__:__:__Z'`, true, func(es []event) [][]string {
			return count(where(es, matches("eventtime", `^....-..-..T..:..:..Z$`), func(e event) bool { return e.date() >= from[:10] && e.date() != null }))
		}},
		{`SELECT count(*) FROM cloudtrail_logs WHERE _time >= TIMESTAMP '$fromdate 00:00:00' AND _time < TIMESTAMP '$todate 00:00:00'`, true, func(es []event) [][]string {
			return count(where(es, func(e event) bool { d := e.date(); return d != null && d >= from[:10] && d < to[:10] }))
		}},
		{`SELECT date, count(*) FROM cloudtrail_logs GROUP BY date`, false, func(es []event) [][]string {
			return groups(es, func(e event) []string { return []string{e.date()} }, size)
		}},
		{`SELECT account, region, count(*) FROM cloudtrail_logs WHERE date >= DATE '$fromdate' GROUP BY 1, 2`, false, func(es []event) [][]string {
			late := where(es, func(e event) bool { return e.date() != null && e.date() >= from[:10] })
			return groups(late, func(e event) []string { return []string{e.account(), e.text("awsregion")} }, size)
		}},
		{`SELECT count(*) FROM cloudtrail_logs WHERE date = '$fromdate'`, true, func(es []event) [][]string {
			return count(where(es, func(e event) bool { return e.date() == from[:10] }))
		}},
		{`SELECT count(*) FROM cloudtrail_logs WHERE account IS NULL OR date IS NULL`, true, func(es []event) [][]string {
			return count(where(es, func(e event) bool { return e.account() == null || e.date() == null }))
		}},
		{`SELECT eventname, count(*) AS n FROM cloudtrail_logs GROUP BY eventname ORDER BY n DESC, eventname LIMIT 10`, true, func(es []event) [][]string {
			return top(groups(es, by("eventname"), size), 10, func(a, b []string) int {
				return cmp.Or(cmp.Compare(number(b[1]), number(a[1])), nullsLast(a[0], b[0]))
			})
		}},
		{`SELECT eventname, count(*) AS n FROM cloudtrail_logs GROUP BY eventname ORDER BY n DESC, eventname LIMIT 5 OFFSET 3`, true, func(es []event) [][]string {
			return top(groups(es, by("eventname"), size), 8, func(a, b []string) int {
				return cmp.Or(cmp.Compare(number(b[1]), number(a[1])), nullsLast(a[0], b[0]))
			})[3:]
		}},
		{`SELECT eventsource, eventname, awsregion, count(*) FROM cloudtrail_logs GROUP BY 1, 2, 3`, false, func(es []event) [][]string {
			return groups(es, by("eventsource", "eventname", "awsregion"), size)
		}},
		{`SELECT eventsource, count(DISTINCT sourceipaddress), count(DISTINCT eventid) FROM cloudtrail_logs GROUP BY eventsource`, false, func(es []event) [][]string {
			return groups(es, by("eventsource"), func(es []event) []string {
				return []string{strconv.Itoa(distinct(es, "sourceipaddress")), strconv.Itoa(distinct(es, "eventid"))}
			})
		}},
		{`SELECT DISTINCT eventsource, useridentity.type FROM cloudtrail_logs`, false, func(es []event) [][]string {
			return groups(es, by("eventsource", "useridentity.type"), func([]event) []string { return nil })
		}},
		{`SELECT userIdentity.arn, count(*) FROM cloudtrail_logs WHERE errorCode IS NOT NULL GROUP BY userIdentity.arn HAVING count(*) > 1`, false, func(es []event) [][]string {
			rows := groups(where(es, present("errorcode")), by("useridentity.arn"), size)
			return slices.DeleteFunc(rows, func(r []string) bool { return number(r[1]) <= 1 })
		}},
		{`SELECT useridentity.sessioncontext.sessionissuer.username AS role, count(*) FROM cloudtrail_logs WHERE useridentity.type = 'AssumedRole' GROUP BY 1`, false, func(es []event) [][]string {
			return groups(where(es, is("useridentity.type", "AssumedRole")), by("useridentity.sessioncontext.sessionissuer.username"), size)
		}},
		{`SELECT useridentity.sessioncontext.attributes.mfaauthenticated, count(*) FROM cloudtrail_logs GROUP BY 1`, false, func(es []event) [][]string {
			return groups(es, by("useridentity.sessioncontext.attributes.mfaauthenticated"), size)
		}},
		{`SELECT eventtime, eventname, eventid FROM cloudtrail_logs WHERE useridentity.accesskeyid = '$key' ORDER BY eventtime, eventid`, true, func(es []event) [][]string {
			return top(project(where(es, is("useridentity.accesskeyid", key)), "eventtime", "eventname", "eventid"), 1<<30, func(a, b []string) int {
				return cmp.Or(nullsLast(a[0], b[0]), nullsLast(a[2], b[2]))
			})
		}},
		{`SELECT eventname, eventid FROM cloudtrail_logs WHERE sourceipaddress = '$ip'`, false, func(es []event) [][]string {
			return project(where(es, is("sourceipaddress", ip)), "eventname", "eventid")
		}},
		{`SELECT eventname, useridentity.arn FROM cloudtrail_logs WHERE eventid = '$id'`, false, func(es []event) [][]string {
			return project(where(es, is("eventid", id)), "eventname", "useridentity.arn")
		}},
		{`SELECT count(*) FROM cloudtrail_logs WHERE eventid IN ('$id', 'nowhere', NULL)`, true, func(es []event) [][]string { return count(where(es, is("eventid", id))) }},
		{`SELECT count(*) FROM cloudtrail_logs WHERE eventid = 'ffffffff-not-there'`, true, func([]event) [][]string { return [][]string{{"0"}} }},
		{`SELECT sum(1), max(eventname), array_agg(eventid) FROM cloudtrail_logs WHERE eventname = 'no such name'`, true, func([]event) [][]string { return [][]string{{null, null, null}} }},
		{`SELECT count(*) FROM cloudtrail_logs WHERE eventname NOT IN ('GetObject', 'Decrypt')`, true, func(es []event) [][]string {
			return count(where(es, isNot("eventname", "GetObject", "Decrypt")))
		}},
		{`SELECT eventname, count(*) FROM cloudtrail_logs WHERE eventname IN ('ConsoleLogin','StopLogging','DeleteTrail','CreateUser','AttachUserPolicy','PutBucketPolicy','RunInstances','AssumeRole','GetSecretValue','ListBuckets','CreateAccessKey','GetCallerIdentity') GROUP BY 1`, false, func(es []event) [][]string {
			return groups(where(es, is("eventname", "ConsoleLogin", "StopLogging", "DeleteTrail", "CreateUser", "AttachUserPolicy", "PutBucketPolicy", "RunInstances", "AssumeRole", "GetSecretValue", "ListBuckets", "CreateAccessKey", "GetCallerIdentity")), by("eventname"), size)
		}},
		{`SELECT eventname, count(*) FROM cloudtrail_logs WHERE eventname LIKE 'Create%' OR eventname LIKE '%Key' GROUP BY 1`, false, func(es []event) [][]string {
			return groups(where(es, either(matches("eventname", `^Create`), matches("eventname", `Key$`))), by("eventname"), size)
		}},
		{`SELECT count(*) FROM cloudtrail_logs WHERE useragent LIKE '%aws_cli%' AND useragent NOT LIKE 'aws-cli/1%'`, true, func(es []event) [][]string {
			return count(where(es, matches("useragent", `aws.cli`), func(e event) bool { return !strings.HasPrefix(e.text("useragent"), "aws-cli/1") }))
		}},
		{`SELECT count(*) FROM cloudtrail_logs WHERE useridentity.arn LIKE '%\_%' ESCAPE '\'`, true, func(es []event) [][]string {
			return count(where(es, matches("useridentity.arn", `_`)))
		}},
		{`SELECT count(*) FROM cloudtrail_logs WHERE requestparameters LIKE '%bucketName%'`, true, func(es []event) [][]string {
			return count(where(es, matches("requestparameters", `bucketName`)))
		}},
		{`SELECT json_extract_scalar(requestparameters, '$.bucketName') AS bucket, count(*) FROM cloudtrail_logs GROUP BY 1`, false, func(es []event) [][]string {
			return groups(es, func(e event) []string { return []string{e.scalar("requestparameters", "bucketName")} }, size)
		}},
		{`SELECT requestparameters.bucketname, count(*) FROM cloudtrail_logs WHERE eventsource = 's3.amazonaws.com' GROUP BY 1`, false, func(es []event) [][]string {
			return groups(where(es, is("eventsource", "s3.amazonaws.com")), func(e event) []string { return []string{e.at("requestParameters", "bucketName")} }, size)
		}},
		{`SELECT eventid FROM cloudtrail_logs WHERE json_extract_scalar(responseelements, '$.credentials.accessKeyId') IS NOT NULL`, false, func(es []event) [][]string {
			return project(where(es, func(e event) bool { return e.scalar("responseelements", "credentials", "accessKeyId") != null }), "eventid")
		}},
		{`SELECT element_at(requestparameters, 'bucketName') AS b, count(*) FROM cloudtrail_lake WHERE eventsource = 's3.amazonaws.com' GROUP BY 1`, false, func(es []event) [][]string {
			return groups(where(es, is("eventsource", "s3.amazonaws.com")), func(e event) []string { return []string{e.at("requestParameters", "bucketName")} }, size)
		}},
		{`SELECT count(*) FROM cloudtrail_lake WHERE eventtime >= '$fromdate 00:00:00' AND eventtime < '$todate 00:00:00'`, true, func(es []event) [][]string {
			return count(where(es, func(e event) bool { d := e.date(); return d != null && d >= from[:10] && d < to[:10] }))
		}},
		{`SELECT readonly, count(*) FROM cloudtrail_lake GROUP BY readonly`, false, func(es []event) [][]string {
			return groups(es, func(e event) []string {
				if v := e.text("readonly"); v == "true" || v == "false" {
					return []string{v}
				}
				return []string{null}
			}, size)
		}},
		{`SELECT readonly, managementevent, eventcategory, count(*) FROM cloudtrail_logs GROUP BY 1, 2, 3`, false, func(es []event) [][]string {
			return groups(es, by("readonly", "managementevent", "eventcategory"), size)
		}},
		{`SELECT date_trunc('hour', from_iso8601_timestamp(eventtime)) AS h, count(*) FROM cloudtrail_logs WHERE eventtime >= '$from' AND eventtime < '$to' GROUP BY 1`, false, func(es []event) [][]string {
			return groups(where(es, inRange), func(e event) []string {
				t, _ := e.time()
				return []string{t.Truncate(time.Hour).Format("2006-01-02 15:04:05.000") + " UTC"}
			}, size)
		}},
		{`SELECT substr(eventtime, 1, 10) AS d, eventsource, count(*) FROM cloudtrail_logs GROUP BY 1, 2`, false, func(es []event) [][]string {
			return groups(es, func(e event) []string {
				d := e.text("eventtime")
				if d != null {
					d = d[:min(10, len(d))]
				}
				return []string{d, e.text("eventsource")}
			}, size)
		}},
		{`SELECT eventsource, count(*) AS n, count_if(errorcode IS NOT NULL) AS failed, sum(CASE WHEN errorcode = 'AccessDenied' THEN 1 ELSE 0 END) AS denied,
			count(*) FILTER (WHERE readonly = 'true') AS reads FROM cloudtrail_logs GROUP BY 1`, false, func(es []event) [][]string {
			return groups(es, by("eventsource"), func(es []event) []string {
				return []string{strconv.Itoa(len(es)), strconv.Itoa(len(where(es, present("errorcode")))), strconv.Itoa(len(where(es, is("errorcode", "AccessDenied")))),
					strconv.Itoa(len(where(es, is("readonly", "true"))))}
			})
		}},
		{`SELECT r.arn, count(*) FROM cloudtrail_logs CROSS JOIN UNNEST(resources) AS t(r) WHERE r.arn IS NOT NULL GROUP BY 1`, false, unnestARNs},
		{`SELECT arn, count(*) FROM cloudtrail_logs, UNNEST(resources) AS r(arn, accountid, type, arnprefix) WHERE arn IS NOT NULL GROUP BY 1`, false, unnestARNs},
		{`SELECT cardinality(resources) AS n, count(*) FROM cloudtrail_logs WHERE resources IS NOT NULL GROUP BY 1`, false, func(es []event) [][]string {
			has := where(es, func(e event) bool { return resources(e) != nil })
			return groups(has, func(e event) []string { return []string{strconv.Itoa(len(resources(e)))} }, size)
		}},
		{`SELECT a.eventid, b.eventid FROM cloudtrail_logs a JOIN cloudtrail_logs b
			ON json_extract_scalar(a.responseelements, '$.credentials.accessKeyId') = b.useridentity.accesskeyid WHERE a.eventname = 'AssumeRole'`, false, func(es []event) [][]string {
			uses := map[string][]event{}
			for _, e := range es {
				uses[e.text("useridentity.accesskeyid")] = append(uses[e.text("useridentity.accesskeyid")], e)
			}
			out := [][]string{}
			for _, a := range where(es, is("eventname", "AssumeRole")) {
				if issued := a.scalar("responseelements", "credentials", "accessKeyId"); issued != null {
					for _, b := range uses[issued] {
						out = append(out, []string{a.text("eventid"), b.text("eventid")})
					}
				}
			}
			return out
		}},
		{`WITH first AS (SELECT useridentity.arn AS arn, min(eventtime) AS seen FROM cloudtrail_logs GROUP BY 1)
			SELECT l.eventname, l.eventid FROM cloudtrail_logs l LEFT JOIN first f ON l.useridentity.arn = f.arn WHERE l.eventtime = f.seen`, false, func(es []event) [][]string {
			seen := map[string]string{}
			for _, e := range es {
				a, at := e.text("useridentity.arn"), e.text("eventtime")
				if s, ok := seen[a]; at != null && (!ok || at < s) {
					seen[a] = at
				}
			}
			return project(where(es, present("useridentity.arn"), present("eventtime"), func(e event) bool { return seen[e.text("useridentity.arn")] == e.text("eventtime") }), "eventname", "eventid")
		}},
		{`SELECT l.eventname, count(x.c) FROM (SELECT eventname FROM cloudtrail_logs) l LEFT JOIN (VALUES ('ConsoleLogin', 1), ('AssumeRole', 2)) AS x (n, c) ON l.eventname = x.n GROUP BY 1`, false, func(es []event) [][]string {
			return groups(es, by("eventname"), func(es []event) []string {
				return []string{strconv.Itoa(len(where(es, is("eventname", "ConsoleLogin", "AssumeRole"))))}
			})
		}},
		{`SELECT eventname FROM cloudtrail_logs WHERE errorcode IS NOT NULL UNION ALL SELECT eventsource FROM cloudtrail_logs WHERE eventname = 'ConsoleLogin'`, false, func(es []event) [][]string {
			return append(project(where(es, present("errorcode")), "eventname"), project(where(es, is("eventname", "ConsoleLogin")), "eventsource")...)
		}},
		{`SELECT regexp_extract(useragent, '^([A-Za-z0-9-]+)/', 1) AS tool, count(*) FROM cloudtrail_logs GROUP BY 1`, false, func(es []event) [][]string {
			re := regexp.MustCompile(`^([A-Za-z0-9-]+)/`)
			return groups(es, func(e event) []string {
				if m := re.FindStringSubmatch(e.text("useragent")); m != nil {
					return []string{m[1]}
				}
				return []string{null}
			}, size)
		}},
		{`SELECT count(*) FROM cloudtrail_logs WHERE regexp_like(errormessage, 'not authorized to perform: [a-z0-9-]+:')`, true, func(es []event) [][]string {
			return count(where(es, matches("errormessage", `not authorized to perform: [a-z0-9-]+:`)))
		}},
		{`SELECT lower(eventname), upper(awsregion), length(useragent), coalesce(errorcode, 'none') FROM cloudtrail_logs WHERE eventtime >= '$from' AND eventtime < '$to'`, false, func(es []event) [][]string {
			out := [][]string{}
			for _, e := range where(es, inRange) {
				agent, code := e.text("useragent"), e.text("errorcode")
				if agent != null {
					agent = strconv.Itoa(len([]rune(agent)))
				}
				if code == null {
					code = "none"
				}
				name, region := e.text("eventname"), e.text("awsregion")
				if name != null {
					name = strings.ToLower(name)
				}
				if region != null {
					region = strings.ToUpper(region)
				}
				out = append(out, []string{name, region, agent, code})
			}
			return out
		}},
		{`SELECT eventid FROM cloudtrail_logs WHERE NOT (eventname = 'GetObject' OR errorcode = 'AccessDenied')`, false, func(es []event) [][]string {
			// NOT of NULL is NULL: without an error code the second comparison is NULL.
			return project(where(es, isNot("eventname", "GetObject"), isNot("errorcode", "AccessDenied")), "eventid")
		}},
		{`SELECT errorcode IS NULL, useridentity.username IS NOT NULL, count(*) FROM cloudtrail_logs GROUP BY 1, 2`, false, func(es []event) [][]string {
			return groups(es, func(e event) []string {
				return []string{yesNo(absent("errorcode")(e)), yesNo(present("useridentity.username")(e))}
			}, size)
		}},
		{`SELECT eventtime, eventid FROM cloudtrail_logs ORDER BY eventtime DESC, eventid DESC LIMIT 20`, true, func(es []event) [][]string {
			// NULLs last also when descending: Trino's rule.
			return top(project(es, "eventtime", "eventid"), 20, func(a, b []string) int {
				desc := func(x, y string) int {
					if x == null || y == null {
						return nullsLast(x, y)
					}
					return cmp.Compare(y, x)
				}
				return cmp.Or(desc(a[0], b[0]), desc(a[1], b[1]))
			})
		}},
		{`SELECT sum(CAST(json_extract_scalar(additionaleventdata, '$.bytesTransferredOut') AS double)) > 0, count(TRY_CAST(json_extract_scalar(additionaleventdata, '$.bytesTransferredOut') AS bigint)) FROM cloudtrail_logs`, true, func(es []event) [][]string {
			n, sum := 0, 0.0
			for _, e := range es {
				if v := e.scalar("additionaleventdata", "bytesTransferredOut"); v != null {
					f, err := strconv.ParseFloat(v, 64)
					if err != nil {
						panic(err)
					}
					sum += f
					if _, err := strconv.ParseInt(v, 10, 64); err == nil {
						n++
					}
				}
			}
			if n == 0 && sum == 0 {
				return [][]string{{null, "0"}}
			}
			return [][]string{{yesNo(sum > 0), strconv.Itoa(n)}}
		}},
		{`SELECT count(*) FROM cloudtrail_logs WHERE recipientaccountid = '$account' AND awsregion <> 'us-east-1'`, true, func(es []event) [][]string {
			return count(where(es, is("recipientaccountid", account), isNot("awsregion", "us-east-1")))
		}},
		{`SELECT eventsource, min_by(eventname, _time), max(length(eventname)) FROM (SELECT eventsource, min(eventname) AS eventname, min(_time) AS _time FROM cloudtrail_logs GROUP BY eventsource) GROUP BY 1`, false, func(es []event) [][]string {
			return groups(es, by("eventsource"), func(es []event) []string {
				n := first(values(es, "eventname"))
				dated := slices.ContainsFunc(es, func(e event) bool { _, ok := e.time(); return ok })
				by := n
				if !dated {
					by = null
				}
				length := null
				if n != null {
					length = strconv.Itoa(len([]rune(n)))
				}
				return []string{by, length}
			})
		}},
	}
	for i := range list {
		list[i].sql = f.Replace(list[i].sql)
	}
	return list
}

func resources(e event) []any {
	switch r := e["resources"].(type) {
	case []any:
		return r
	case map[string]any:
		return []any{r}
	}
	return nil
}

func unnestARNs(es []event) [][]string {
	n := map[string]int{}
	for _, e := range es {
		for _, r := range resources(e) {
			if o, ok := r.(map[string]any); ok {
				if arn := event(o).at("ARN"); arn != null {
					n[arn]++
				}
			}
		}
	}
	out := [][]string{}
	for arn, c := range n {
		out = append(out, []string{arn, strconv.Itoa(c)})
	}
	return out
}

// variants are the ways each question is asked: each kind of pruning off, 1 and 2 workers, small batches.
func variants() map[string]engine.Options {
	return map[string]engine.Options{
		"default":                 {},
		"1 worker":                {Workers: 1},
		"2 workers":               {Workers: 2},
		"batches of 1":            {Workers: 2, BatchRows: 1},
		"batches of 7":            {Workers: 2, BatchRows: 7},
		"without partitions":      {Off: source.Switches{Partition: true}},
		"without file statistics": {Off: source.Switches{File: true}},
		"without row groups":      {Off: source.Switches{RowGroup: true}},
		"without blooms":          {Off: source.Switches{Bloom: true}},
		"without dictionaries":    {Off: source.Switches{Dictionary: true}},
		"without kept values":     {Off: source.Switches{PerEntry: true}},
		"without pages":           {Off: source.Switches{Page: true}},
		"without late columns":    {Off: source.Switches{Late: true}},
		"without top":             {Off: source.Switches{Top: true}},
		"without summaries":       {Off: source.Switches{Summary: true}},
		"without any skipping": {Workers: 1, Off: source.Switches{Partition: true, File: true, RowGroup: true, Bloom: true,
			Dictionary: true, Page: true, Late: true, Top: true, Summary: true}},
	}
}

// TestReference asks every question in every way, of a generated trail and of real events where they are at hand.
func TestReference(t *testing.T) {
	t.Run("generated", func(t *testing.T) {
		dir := t.TempDir()
		events := 6000
		if testing.Short() {
			events = 1500
		}
		writeTrail(t, filepath.Join(dir, "trail"), synth.Options{Seed: 11, Events: events, Days: 4, Incident: true, Faults: true})
		askAll(t, []string{filepath.Join(dir, "trail")})
	})
	t.Run("real", func(t *testing.T) {
		if testing.Short() {
			t.Skip("not with -short: it reads 31,457 events")
		}
		askAll(t, sharedTrails(t))
	})
}

// sharedTrails are the trails of real events that stand beside the project on some machines.
func sharedTrails(t *testing.T) []string {
	t.Helper()
	trails, err := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "cloudtrail", "*", "trail"))
	if err != nil {
		t.Fatal(err)
	}
	if len(trails) == 0 {
		t.Skip("../shared/data/cloudtrail is not there: no real events to read")
	}
	return trails
}

func askAll(t *testing.T, trails []string) {
	lakeDir := filepath.Join(t.TempDir(), "lake")
	if _, err := compactFolders(t.Context(), trails, lakeDir, compact.Options{}, io.Discard); err != nil {
		t.Fatal(err)
	}
	var events []event
	seen := map[string]bool{}
	for _, trail := range trails {
		for _, e := range readTrail(t, trail) {
			// The same record may stand in two trails.
			if text := e.at(); !seen[text] {
				seen[text] = true
				events = append(events, e)
			}
		}
	}
	l, err := openLake(t.Context(), lakeDir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	eng := engine.New(l)

	times := values(events, "eventtime")
	from, to := times[len(times)/4], times[len(times)*3/4]
	keyed := where(events, present("useridentity.accesskeyid"), present("eventid"))
	some := keyed[len(keyed)/2]
	for _, q := range references(from, to, some.text("useridentity.accesskeyid"), some.text("sourceipaddress"), some.text("eventid"), some.text("recipientaccountid")) {
		want := q.answer(events)
		if !q.ordered {
			sortRows(want)
		}
		for name, opt := range variants() {
			got, err := answerOf(t.Context(), eng, q.sql, opt)
			if err != nil {
				t.Errorf("%s\n%s: %v", q.sql, name, err)
				break
			}
			if !q.ordered {
				sortRows(got)
			}
			if !slices.EqualFunc(got, want, func(a, b []string) bool { return slices.Equal(a, b) }) {
				t.Errorf("%s\n%s: %d rows, want %d; %s", q.sql, name, len(got), len(want), difference(got, want))
				break
			}
		}
	}
}

func difference(got, want [][]string) string {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Sprintf("missing %q", want[i])
		case i >= len(want):
			return fmt.Sprintf("extra %q", got[i])
		case !slices.Equal(got[i], want[i]):
			return fmt.Sprintf("row %d is %q, want %q", i, got[i], want[i])
		}
	}
	return "no difference"
}

func sortRows(rows [][]string) { slices.SortFunc(rows, slices.Compare[[]string]) }

func answerOf(ctx context.Context, eng *engine.Engine, sql string, opt engine.Options) (rows [][]string, err error) {
	result, err := eng.Query(ctx, sql, opt)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, result.Close()) }()
	rows = [][]string{}
	for {
		batch, err := result.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range batch.Len {
			row := make([]string, len(batch.Cols))
			for c, col := range batch.Cols {
				row[c] = null
				if !col.IsNull(i) {
					row[c] = string(sqltype.AppendText(nil, result.Columns[c].Type, col, i))
				}
			}
			rows = append(rows, row)
		}
	}
}
