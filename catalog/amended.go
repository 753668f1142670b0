package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine/source"
)

// lakeColumns are the columns of cloudtrail_lake that * has, in order.
var lakeColumns = strings.Fields(`eventversion useridentity eventtime eventsource eventname awsregion sourceipaddress useragent errorcode errormessage requestparameters
	responseelements additionaleventdata requestid eventid readonly resources eventtype apiversion managementevent recipientaccountid sharedeventid annotation
	vpcendpointid vpcendpointaccountid serviceeventdetails addendum edgedevicedetails eventcontext insightdetails eventcategory sessioncredentialfromconsole
	eventjson eventjsonchecksum tlsdetails account region date`)

// amendedViews show each addendum beside the event that it amends, in both shapes of events.
func amendedViews() []*source.View {
	var logColumns []string
	for _, c := range cloudtrail.Schema(cloudtrail.Logs) {
		if !c.Hidden {
			logColumns = append(logColumns, c.Name)
		}
	}
	return []*source.View{
		amendedView("cloudtrail_amended", cloudtrail.Logs, logColumns, []string{"eventjson", "_time", "_path"}, "a.addendum.%s"),
		amendedView("cloudtrail_lake_amended", "cloudtrail_lake", lakeColumns, []string{"_time", "_path"}, "element_at(a.addendum, '%s')"),
	}
}

// amendedView is over a relation with these columns, of which the view's * leaves the hidden ones out; field says how a part of the addendum is reached. The event amended is the one of the id that the
// addendum names or, where it names none, those of the request.
func amendedView(name, of string, columns, hidden []string, field string) *source.View {
	part := func(name string) string { return fmt.Sprintf(field, name) }
	event, request := part("originalEventID"), part("originalRequestID")
	v := &source.View{Name: name, Comment: "each addendum of " + of + " beside the event that it amends, whose columns begin with original_; these are NULL where the lake does not have it"}
	items := []string{part("reason") + " AS reason", part("updatedFields") + " AS updatedfields", event + " AS originaleventid", request + " AS originalrequestid",
		"coalesce(o.eventid, r.eventid) IS NOT NULL AS original_found"}
	for _, c := range hidden {
		v.Hidden = append(v.Hidden, c, "original_"+c)
	}
	for _, c := range slices.Concat(columns, hidden) {
		items = append(items, `a."`+c+`"`, fmt.Sprintf(`coalesce(o."%s", r."%[1]s") AS "original_%[1]s"`, c))
	}
	v.SQL = "SELECT " + strings.Join(items, ", ") + fmt.Sprintf(`
FROM %[1]s a
LEFT JOIN %[1]s o ON o.eventid = %[2]s
LEFT JOIN %[1]s r ON %[2]s IS NULL AND r.requestid = %[3]s AND r.addendum IS NULL
WHERE a.addendum IS NOT NULL`, of, event, request)
	return v
}
