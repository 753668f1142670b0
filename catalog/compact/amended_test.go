package compact

import (
	"strings"
	"testing"

	"github.com/trailql/trailql/engine/source"
)

// An addendum stands beside the event that it amends, in both shapes, and alone where the lake has none.
func TestAmendedEvents(t *testing.T) {
	l := newLake(t)
	addendum := func(fields string) string { return `"addendum":{` + fields + `}` }
	compactTest(t, l, nil, trail{
		objectName("eu-west-1", 1, 61, 1): content(
			event("a", 1, 1, `"requestID":"ra"`, `"errorCode":"AccessDenied"`, `"requestParameters":{"bucketName":"wrong"}`),
			event("b", 1, 2, `"requestID":"rb"`),
			event("other", 1, 2, `"requestID":"rx"`)),
		objectName("eu-west-1", 3, 61, 2): content(
			event("a2", 1, 1, `"requestID":"ra"`, `"requestParameters":{"bucketName":"right"}`, addendum(`"reason":"UPDATED_DATA","updatedFields":"requestParameters","originalRequestID":"ra","originalEventID":"a"`)),
			event("b2", 1, 2, `"requestID":"rb"`, addendum(`"reason":"UPDATED_DATA","updatedFields":"errorCode","originalRequestID":"rb"`)),
			event("c2", 1, 3, `"requestID":"rc"`, addendum(`"reason":"UPDATED_DATA","originalRequestID":"rc","originalEventID":"c"`)),
			event("d", 1, 4, `"requestID":"rd"`, addendum(`"reason":"DELIVERY_DELAY"`)),
			event("e", 1, 5, `"requestID":"ra"`)),
	}.folder(t))
	want := strings.Join([]string{
		"a2|UPDATED_DATA|requestParameters|a|true|a|right|wrong|AccessDenied|2026-02-01 00:00:01.000|true",
		"b2|UPDATED_DATA|errorCode||true|b||||2026-02-01 00:00:02.000|true",
		"c2|UPDATED_DATA||c|false||||||",
		"d|DELIVERY_DELAY|||false||||||",
	}, "\n")
	for view, bucket := range map[string]string{"cloudtrail_amended": "requestparameters.bucketName", "cloudtrail_lake_amended": "element_at(requestparameters, 'bucketName')"} {
		sql := `SELECT eventid, reason, updatedfields, originaleventid, original_found, original_eventid, ` + bucket + `, ` +
			strings.Replace(bucket, "requestparameters", "original_requestparameters", 1) + `, original_errorcode, original__time, json_extract_scalar(original_eventjson, '$.eventID') = original_eventid
FROM ` + view + ` ORDER BY eventid`
		if got, _ := query(t, l, sql, source.Switches{}); strings.Join(got, "\n") != want {
			t.Errorf("%s\n got %s\nwant %s", view, strings.Join(got, "\n"), want)
		}
	}
	// Columns of the shape that a view leaves out would be missed: the list is the shape's own.
	for view, shape := range map[string]string{"cloudtrail_amended": "cloudtrail_logs", "cloudtrail_lake_amended": "cloudtrail_lake"} {
		got, _ := query(t, l, `SELECT s.column_name FROM information_schema.columns s LEFT JOIN information_schema.columns v
ON v.table_name = '`+view+`' AND v.column_name IN (s.column_name, 'original_' || s.column_name) WHERE s.table_name = '`+shape+`' GROUP BY 1 HAVING count(v.column_name) <> 2`, source.Switches{})
		if len(got) > 0 {
			t.Errorf("%s lacks columns of %s: %v", view, shape, got)
		}
	}
}
