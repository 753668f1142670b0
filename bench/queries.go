package main

// query is asked of all engines.
type query struct {
	name, sql string
	record    string // of the raw trail: what is read of a record …
	raw       string // … and the question over RAW, its records, each r; empty: not asked
}

// queries have one answer each, order included. DuckDB gets the same text but for json_extract_scalar, which it calls
// json_extract_string; it fails on text that is no JSON, where Trino gives NULL, so such text is filtered out.
// The raw trail holds records that were delivered twice, so that its questions count and list distinct ids.
var queries = []query{
	{name: "count", sql: `SELECT count(*) FROM cloudtrail_logs`},
	{name: "group", sql: `SELECT eventsource, eventname, count(*) FROM cloudtrail_logs GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 20`,
		record: `STRUCT(eventSource VARCHAR, eventName VARCHAR, eventID VARCHAR)`,
		raw:    `SELECT r.eventSource, r.eventName, count(DISTINCT r.eventID) FROM RAW GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 20`},
	{name: "hours", sql: `SELECT substr(eventtime, 1, 13), count(*), count(errorcode) FROM cloudtrail_logs GROUP BY 1 ORDER BY 1`},
	{name: "range", sql: `SELECT eventname, count(*) FROM cloudtrail_logs
WHERE eventtime >= '2026-03-04T06:00:00Z' AND eventtime < '2026-03-04T12:00:00Z' GROUP BY 1 ORDER BY 2 DESC, 1`},
	{name: "refused", sql: `SELECT useridentity.arn, eventsource, count(*) FROM cloudtrail_logs
WHERE errorcode LIKE '%UnauthorizedOperation' OR errorcode LIKE 'AccessDenied%' GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 10`},
	{name: "json", sql: `SELECT json_extract_scalar(requestparameters, '$.bucketName'), count(*) FROM cloudtrail_logs
WHERE eventsource = 's3.amazonaws.com' AND requestparameters LIKE '{%' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10`},
	{name: "distinct", sql: `SELECT account, count(DISTINCT eventid), count(DISTINCT sourceipaddress) FROM cloudtrail_logs GROUP BY 1 ORDER BY 1`},
	{name: "text", sql: `SELECT region, count(*) FROM cloudtrail_logs WHERE requestparameters LIKE '%customer%' GROUP BY 1 ORDER BY 1`},
	{name: "top", sql: `SELECT eventtime, eventid, eventname, sourceipaddress FROM cloudtrail_logs ORDER BY eventtime DESC, eventid LIMIT 100`},
	{name: "address", sql: `SELECT eventtime, eventid, eventname, errorcode, date FROM cloudtrail_logs
WHERE sourceipaddress = '198.51.100.77' ORDER BY eventtime, eventid`,
		record: `STRUCT(eventTime VARCHAR, eventName VARCHAR, sourceIPAddress VARCHAR, errorCode VARCHAR, eventID VARCHAR)`,
		raw: `SELECT DISTINCT r.eventTime, r.eventID, r.eventName, r.errorCode, left(r.eventTime, 10) FROM RAW
WHERE r.sourceIPAddress = '198.51.100.77' ORDER BY 1, 2`},
}
