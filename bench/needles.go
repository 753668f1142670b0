package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// needles asks for single things in a year of 40 partitions a day.
func (b *bench) needles(ctx context.Context) error {
	opt := b.yearOptions()
	lake, g, err := b.lake(ctx, "year", opt, false)
	if err != nil {
		return err
	}
	var m made
	if err := told(ctx, &m, stepLake, lake); err != nil {
		return err
	}
	list, err := b.hidden(ctx, lake, g)
	if err != nil {
		return err
	}
	all := []*contestant{b.ours(lake), b.theirs(lake)}
	if err := b.ask(ctx, all, list); err != nil {
		return err
	}
	b.printf("\n#### Needles\n\n%d days of 5 accounts and 8 regions: %s events in %s files. All columns but the named are left aside; the answers have some rows. Warm.\n",
		opt.Days, count(int(m.Rows)), count(m.Files))
	b.compared(all, list, "needle")
	return nil
}

// hidden are the questions: for what the generator says is there once, or what the lake shows on a day in the first half.
func (b *bench) hidden(ctx context.Context, lake string, g generated) ([]query, error) {
	day := b.yearOptions()
	from, err := time.Parse(time.DateOnly, g.From)
	if err != nil {
		return nil, err
	}
	c := b.ours(lake)
	if err := c.start(ctx, b.memory); err != nil {
		return nil, err
	}
	defer c.in.Close()
	one := func(text string) (value string) {
		r, failed := c.ask(question{Text: strings.ReplaceAll(text, "DAY", "date = '"+from.AddDate(0, 0, day.Days/3).Format(time.DateOnly)+"' AND region = 'eu-west-1'"), All: true})
		if failed == nil && len(r.Rows) != 1 {
			failed = fmt.Errorf("%d rows: %s", len(r.Rows), text)
		}
		if err = errors.Join(err, failed); err != nil {
			return ""
		}
		return r.Rows[0]
	}
	event := one(`SELECT min(eventid) FROM cloudtrail_logs WHERE DAY AND eventname = 'GetObject'`)
	request := one(`SELECT min(requestid) FROM cloudtrail_logs WHERE DAY AND eventname = 'GetItem'`)
	arn := one(`SELECT min(r.arn) FROM cloudtrail_logs CROSS JOIN UNNEST(resources) AS t(r) WHERE DAY AND r.type = 'AWS::S3::Object'`)
	if err = errors.Join(err, c.stop()); err != nil {
		return nil, err
	}
	const what = `SELECT eventtime, eventid, eventname FROM `
	const order = ` ORDER BY eventtime, eventid`
	where := func(condition string) string { return what + `cloudtrail_logs WHERE ` + condition + order }
	return []query{
		{name: "access key", sql: where(`useridentity.accesskeyid = ` + literal(g.Incident.Keys[0]))},
		{name: "source address", sql: where(`sourceipaddress = ` + literal(g.Incident.IP))},
		{name: "event id", sql: where(`eventid = ` + literal(event))},
		{name: "request id", sql: where(`requestid = ` + literal(request))},
		{name: "resource, any_match", sql: where(`any_match(resources, r -> r.arn = ` + literal(arn) + `)`),
			duck: where(`len(list_filter(resources, lambda r: r.arn = ` + literal(arn) + `)) > 0`)},
		{name: "resource, UNNEST", sql: what + `cloudtrail_logs CROSS JOIN UNNEST(resources) AS t(r) WHERE r.arn = ` + literal(arn) + order,
			duck: what + `(SELECT eventtime, eventid, eventname, unnest(resources) AS r FROM cloudtrail_logs) WHERE r.arn = ` + literal(arn) + order},
	}, nil
}
