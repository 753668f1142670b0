package catalog

import (
	"sync"

	"github.com/trailql/trailql/engine/source"
)

// views are the relations that the catalog defines by SQL, by name.
var views = sync.OnceValue(func() map[string]*source.View {
	out := map[string]*source.View{}
	for _, v := range []*source.View{
		{
			Name:    "cloudtrail_lake",
			Comment: "the events of cloudtrail_logs in the shape of CloudTrail Lake: times as timestamps, flags as booleans, parameters as maps",
			SQL: `SELECT eventversion, useridentity, _time AS eventtime, eventsource, eventname, awsregion, sourceipaddress, useragent,
	errorcode, errormessage, json_to_map(requestparameters) AS requestparameters, json_to_map(responseelements) AS responseelements,
	json_to_map(additionaleventdata) AS additionaleventdata, requestid, eventid,
	CASE lower(readonly) WHEN 'true' THEN true WHEN 'false' THEN false END AS readonly,
	resources, eventtype, apiversion,
	CASE lower(managementevent) WHEN 'true' THEN true WHEN 'false' THEN false END AS managementevent,
	recipientaccountid, sharedeventid, annotation, vpcendpointid, vpcendpointaccountid,
	json_to_map(serviceeventdetails) AS serviceeventdetails,
	IF(addendum IS NOT NULL, MAP(ARRAY[CAST('reason' AS varchar), 'updatedFields', 'originalRequestID', 'originalEventID'],
		ARRAY[addendum.reason, addendum.updatedfields, addendum.originalrequestid, addendum.originaleventid])) AS addendum,
	json_to_map(edgedevicedetails) AS edgedevicedetails, eventcontext, CAST(NULL AS map(varchar, varchar)) AS insightdetails, eventcategory,
	CASE lower(sessioncredentialfromconsole) WHEN 'true' THEN true WHEN 'false' THEN false END AS sessioncredentialfromconsole,
	eventjson, CAST(NULL AS varchar) AS eventjsonchecksum, tlsdetails, account, region, date,
	_time, _shape, _rest, _path, _row, _conflict, _commit, "$path"
FROM cloudtrail_logs`,
			Hidden: []string{"_time", "_shape", "_rest", "_path", "_row", "_conflict", "_commit", "$path"},
		},
		{
			Name:    "trail_coverage",
			Comment: "what was delivered, by account, region and hour of delivery; an hour without objects is quiet if a digest came, which names what was delivered in the hour before it",
			SQL: `SELECT account, region, date_trunc('hour', stamp) AS hour, count_if(state <> 'digest') AS objects, count_if(state = 'digest') AS digests, sum(records) AS records, sum("rows") AS "rows",
	sum(duplicates) AS duplicates, sum(quarantined) AS quarantined, min(first_time) AS first_event, max(last_time) AS last_event
FROM trail_files
WHERE state <> 'altered'
GROUP BY account, region, date_trunc('hour', stamp)`,
		},
	} {
		out[v.Name] = v
	}
	return out
})
