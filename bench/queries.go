package main

// query is asked of all engines.
type query struct {
	name, sql string
	duck      string // the same for DuckDB, where its dialect differs; empty: sql
	record    string // of the raw trail: what is read of a record …
	raw       string // … and the question over RAW, its records, each r; empty: not asked
}

// inDuckDB is the query as DuckDB understands it.
func (q query) inDuckDB() string {
	if q.duck != "" {
		return q.duck
	}
	return q.sql
}

// Trails of any size hold this day, hour and account.
const (
	day     = ` eventtime >= '2026-03-04T00:00:00Z' AND eventtime < '2026-03-05T00:00:00Z' `
	hour    = ` eventtime >= '2026-03-04T09:00:00Z' AND eventtime < '2026-03-04T10:00:00Z' `
	account = ` recipientaccountid = '437971377068' `
)

// queries have one answer each, order included. json_extract_scalar is json_extract_string in DuckDB, which fails on text that is no
// JSON, where Trino gives NULL: such text is filtered out, by CASE where DuckDB may turn conditions round. A time is read from text there by
// CAST. The raw trail holds records that were
// delivered twice, so that its questions count and list distinct ids.
var queries = []query{
	// Metadata and pruning.
	{name: "count", sql: `SELECT count(*) FROM cloudtrail_logs`},
	{name: "span", sql: `SELECT min(eventtime), max(eventtime) FROM cloudtrail_logs`},
	{name: "day of account", sql: `SELECT count(*), count(errorcode) FROM cloudtrail_logs WHERE` + day + `AND` + account},
	{name: "hour", sql: `SELECT eventsource, count(*) FROM cloudtrail_logs WHERE` + hour + `GROUP BY 1 ORDER BY 2 DESC, 1`},
	{name: "range", sql: `SELECT eventname, count(*) FROM cloudtrail_logs
WHERE eventtime >= '2026-03-04T06:00:00Z' AND eventtime < '2026-03-04T12:00:00Z' GROUP BY 1 ORDER BY 2 DESC, 1`},
	{name: "address", sql: `SELECT eventtime, eventid, eventname, errorcode, date FROM cloudtrail_logs
WHERE sourceipaddress = '198.51.100.77' ORDER BY eventtime, eventid`,
		record: `STRUCT(eventTime VARCHAR, eventName VARCHAR, sourceIPAddress VARCHAR, errorCode VARCHAR, eventID VARCHAR)`,
		raw: `SELECT DISTINCT r.eventTime, r.eventID, r.eventName, r.errorCode, left(r.eventTime, 10) FROM RAW
WHERE r.sourceIPAddress = '198.51.100.77' ORDER BY 1, 2`},

	// Grouping.
	{name: "principals", sql: `SELECT useridentity.arn, count(*) FROM cloudtrail_logs WHERE eventname = 'GetSecretValue' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 50`},
	{name: "group", sql: `SELECT eventsource, eventname, count(*) FROM cloudtrail_logs GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 20`,
		record: `STRUCT(eventSource VARCHAR, eventName VARCHAR, eventID VARCHAR)`,
		raw:    `SELECT r.eventSource, r.eventName, count(DISTINCT r.eventID) FROM RAW GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 20`},
	{name: "group three", sql: `SELECT awsregion, useridentity.type, eventname, count(*), min(eventtime), max(eventtime) FROM cloudtrail_logs GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT 50`},
	{name: "group middle", sql: `SELECT useridentity.arn, eventname, count(*) FROM cloudtrail_logs GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 20`},
	{name: "group high", sql: `SELECT requestid, count(*) FROM cloudtrail_logs WHERE requestid IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20`},
	{name: "distinct", sql: `SELECT account, count(DISTINCT eventid), count(DISTINCT sourceipaddress) FROM cloudtrail_logs GROUP BY 1 ORDER BY 1`},
	{name: "addresses", sql: `SELECT recipientaccountid, count(DISTINCT sourceipaddress) FROM cloudtrail_logs GROUP BY 1 ORDER BY 1`},
	{name: "errors", sql: `SELECT eventsource, count(*), sum(CASE WHEN errorcode IS NULL THEN 0 ELSE 1 END), count(*) FILTER (WHERE errorcode = 'AccessDenied')
FROM cloudtrail_logs GROUP BY 1 ORDER BY 2 DESC, 1`},
	{name: "refused", sql: `SELECT useridentity.arn, eventsource, count(*) FROM cloudtrail_logs
WHERE errorcode LIKE '%UnauthorizedOperation' OR errorcode LIKE 'AccessDenied%' GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 10`},
	{name: "twenty", sql: `SELECT eventname, count(*) FROM cloudtrail_logs WHERE eventname IN ('CreateUser', 'DeleteUser', 'AttachUserPolicy',
'DetachUserPolicy', 'PutUserPolicy', 'CreateAccessKey', 'DeleteAccessKey', 'UpdateAccessKey', 'CreateRole', 'DeleteRole', 'AttachRolePolicy', 'PutRolePolicy',
'UpdateAssumeRolePolicy', 'StopLogging', 'DeleteTrail', 'UpdateTrail', 'RunInstances', 'TerminateInstances', 'GetSecretValue', 'ConsoleLogin') GROUP BY 1 ORDER BY 2 DESC, 1`},

	// Time.
	{name: "hours", sql: `SELECT substr(eventtime, 1, 13), count(*), count(errorcode) FROM cloudtrail_logs GROUP BY 1 ORDER BY 1`},
	{name: "by hour", sql: `SELECT format_datetime(date_trunc('hour', from_iso8601_timestamp(eventtime)), 'yyyy-MM-dd HH'), count(*) FROM cloudtrail_logs GROUP BY 1 ORDER BY 1`,
		duck: `SELECT strftime(date_trunc('hour', CAST(eventtime AS TIMESTAMP)), '%Y-%m-%d %H'), count(*) FROM cloudtrail_logs GROUP BY 1 ORDER BY 1`},
	{name: "by day", sql: `SELECT date, eventsource, count(*) FROM cloudtrail_logs GROUP BY 1, 2 ORDER BY 1, 3 DESC, 2`},
	{name: "top", sql: `SELECT eventtime, eventid, eventname, sourceipaddress FROM cloudtrail_logs ORDER BY eventtime DESC, eventid LIMIT 100`},
	{name: "newest", sql: `SELECT * FROM cloudtrail_logs ORDER BY eventtime DESC, eventid LIMIT 20`, duck: `SELECT COLUMNS FROM cloudtrail_logs ORDER BY eventtime DESC, eventid LIMIT 20`},

	// Text and JSON.
	{name: "names", sql: `SELECT eventname, count(*) FROM cloudtrail_logs WHERE eventname LIKE 'Delete%' OR eventname LIKE '%Policy%' GROUP BY 1 ORDER BY 2 DESC, 1`},
	{name: "text", sql: `SELECT region, count(*) FROM cloudtrail_logs WHERE requestparameters LIKE '%customer%' GROUP BY 1 ORDER BY 1`},
	{name: "json", sql: `SELECT json_extract_scalar(requestparameters, '$.bucketName'), count(*) FROM cloudtrail_logs
WHERE eventsource = 's3.amazonaws.com' AND requestparameters LIKE '{%' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10`},
	{name: "json filter", sql: `SELECT eventtime, eventid, eventname FROM cloudtrail_logs
WHERE eventname = 'AssumeRole' AND json_extract_scalar(requestparameters, '$.roleArn') LIKE '%role/app-server' ORDER BY eventtime, eventid LIMIT 50`,
		duck: `SELECT eventtime, eventid, eventname FROM cloudtrail_logs WHERE eventname = 'AssumeRole'
AND CASE WHEN eventname = 'AssumeRole' THEN json_extract_scalar(requestparameters, '$.roleArn') LIKE '%role/app-server' END ORDER BY eventtime, eventid LIMIT 50`},
	{name: "element", sql: `SELECT element_at(requestparameters, 'bucketName'), count(*) FROM cloudtrail_lake WHERE eventname = 'PutObject' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10`,
		duck: `SELECT json_extract_string(requestparameters, '$.bucketName'), count(*) FROM cloudtrail_logs WHERE eventname = 'PutObject' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10`},
	{name: "agents", sql: `SELECT regexp_extract(useragent, '^([A-Za-z0-9-]+)/', 1), count(*) FROM cloudtrail_logs WHERE regexp_like(useragent, '^[A-Za-z0-9-]+/') GROUP BY 1 ORDER BY 2 DESC, 1`,
		duck: `SELECT regexp_extract(useragent, '^([A-Za-z0-9-]+)/', 1), count(*) FROM cloudtrail_logs WHERE regexp_matches(useragent, '^[A-Za-z0-9-]+/') GROUP BY 1 ORDER BY 2 DESC, 1`},
	{name: "resources", sql: `SELECT r.type, count(*), count(DISTINCT r.arn) FROM cloudtrail_logs CROSS JOIN UNNEST(resources) AS t(r) GROUP BY 1 ORDER BY 2 DESC, 1`,
		duck: `SELECT r.type, count(*), count(DISTINCT r.arn) FROM (SELECT unnest(resources) AS r FROM cloudtrail_logs) GROUP BY 1 ORDER BY 2 DESC, 1`},

	// Five controls of the CIS benchmark.
	{name: "CIS unauthorised", sql: `SELECT eventtime, eventid, useridentity.arn, eventname FROM cloudtrail_logs
WHERE errorcode LIKE '%UnauthorizedOperation' OR (errorcode LIKE 'AccessDenied%' AND sourceipaddress <> 'delivery.logs.amazonaws.com' AND eventname <> 'HeadBucket') ORDER BY 1, 2 LIMIT 1000`},
	{name: "CIS no MFA", sql: `SELECT eventtime, eventid, useridentity.username FROM cloudtrail_logs WHERE eventname = 'ConsoleLogin' AND useridentity.type = 'IAMUser'
AND json_extract_scalar(additionaleventdata, '$.MFAUsed') <> 'Yes' AND json_extract_scalar(responseelements, '$.ConsoleLogin') = 'Success' ORDER BY 1, 2`},
	{name: "CIS root", sql: `SELECT eventtime, eventid, eventname FROM cloudtrail_logs WHERE useridentity.type = 'Root' AND useridentity.invokedby IS NULL AND eventtype <> 'AwsServiceEvent' ORDER BY 1, 2`},
	{name: "CIS policies", sql: `SELECT eventtime, eventid, useridentity.arn, eventname FROM cloudtrail_logs WHERE eventname IN ('DeleteGroupPolicy', 'DeleteRolePolicy', 'DeleteUserPolicy',
'PutGroupPolicy', 'PutRolePolicy', 'PutUserPolicy', 'CreatePolicy', 'DeletePolicy', 'CreatePolicyVersion', 'DeletePolicyVersion', 'AttachRolePolicy', 'DetachRolePolicy',
'AttachUserPolicy', 'DetachUserPolicy', 'AttachGroupPolicy', 'DetachGroupPolicy') AND eventsource = 'iam.amazonaws.com' ORDER BY 1, 2`},
	{name: "CIS groups", sql: `SELECT eventtime, eventid, useridentity.arn, eventname FROM cloudtrail_logs WHERE eventname IN ('AuthorizeSecurityGroupIngress', 'AuthorizeSecurityGroupEgress',
'RevokeSecurityGroupIngress', 'RevokeSecurityGroupEgress', 'CreateSecurityGroup', 'DeleteSecurityGroup', 'ModifySecurityGroupRules') ORDER BY 1, 2`},

	// Joins and windows.
	{name: "chains", sql: `SELECT b.eventname, count(*) FROM cloudtrail_logs a JOIN cloudtrail_logs b
ON b.useridentity.accesskeyid = json_extract_scalar(a.responseelements, '$.credentials.accessKeyId') WHERE a.eventname = 'AssumeRole' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20`},
	{name: "first seen", sql: `SELECT DISTINCT a.sourceipaddress FROM cloudtrail_logs a WHERE a.date = '2026-03-05' AND NOT EXISTS
(SELECT 1 FROM cloudtrail_logs b WHERE b.sourceipaddress = a.sourceipaddress AND b.date < '2026-03-05') ORDER BY 1`},
	{name: "pauses", sql: `SELECT arn, count(*) FROM (SELECT useridentity.arn AS arn, eventtime, lag(eventtime) OVER (PARTITION BY useridentity.arn ORDER BY eventtime, eventid) AS before
FROM cloudtrail_logs) t WHERE substr(eventtime, 1, 13) <> substr(before, 1, 13) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20`},
	{name: "latest each", sql: `SELECT arn, eventname, eventtime FROM (SELECT useridentity.arn AS arn, eventname, eventtime, eventid,
row_number() OVER (PARTITION BY useridentity.arn ORDER BY eventtime DESC, eventid) AS n FROM cloudtrail_logs) t WHERE n = 1 ORDER BY 1, 2, 3 LIMIT 100`},

	// Much output. Three kinds of records are left out of the export, as DuckDB's reader of JSON changes them (1.10 to 1.1, text in quotes).
	{name: "export", sql: `SELECT * FROM cloudtrail_logs WHERE` + day + `AND eventname NOT IN ('REST.GET.OBJECT', 'RotateKey', 'PutMetricAlarm') ORDER BY eventtime, eventid`,
		duck: `SELECT COLUMNS FROM cloudtrail_logs WHERE` + day + `AND eventname NOT IN ('REST.GET.OBJECT', 'RotateKey', 'PutMetricAlarm') ORDER BY eventtime, eventid`},
	{name: "sort", sql: `SELECT sum(n) FROM (SELECT row_number() OVER (ORDER BY sourceipaddress, eventtime, eventid) AS r, length(eventname) AS n FROM cloudtrail_logs) t WHERE r % 1000 = 1`},
	{name: "sort all", sql: `SELECT eventtime, eventid, eventname, sourceipaddress FROM cloudtrail_logs ORDER BY sourceipaddress, eventtime, eventid`},
}
