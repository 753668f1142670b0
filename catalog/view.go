package catalog

import (
	"slices"
	"strings"
	"sync"

	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine/source"
)

// lakeView is the view in CloudTrail Lake's shape.
const lakeView = "cloudtrail_lake"

// lakeHidden are the columns of cloudtrail_logs that its shape has none for; they are there by name.
var lakeHidden = []string{"_time", "_shape", "_rest", "_path", "_row", "_conflict", "_commit"}

// views are the relations that the catalog defines by SQL, by name.
var views = sync.OnceValue(func() map[string]*source.View {
	out := map[string]*source.View{}
	for _, v := range append(amendedViews(), []*source.View{
		{
			Name:    lakeView,
			Comment: "the events of cloudtrail_logs in the shape of CloudTrail Lake: times as timestamps, flags as booleans, parameters as maps",
			SQL:     "SELECT " + lakeShape(&own) + ", " + strings.Join(lakeHidden, ", ") + `, "$path"` + "\nFROM " + cloudtrail.Logs,
			Hidden:  append(slices.Clone(lakeHidden), "$path"),
		},
		{
			Name:    "trail_verified",
			Comment: "the verdict that counts of each trail object that was verified: the newest; a record reaches it by its _path",
			SQL: `SELECT path, object, kind, account, region, stamp, verdict, reason, digest, checked, commit
FROM (SELECT *, row_number() OVER (PARTITION BY path ORDER BY checked DESC, commit DESC) AS newest FROM trail_verdicts)
WHERE newest = 1`,
		},
	}...) {
		out[v.Name] = v
	}
	return out
})
