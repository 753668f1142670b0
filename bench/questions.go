package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// queries asks the forty over the lake as compact leaves it: DuckDB over the same files, over its own, over its own database, and over the
// trail as it was delivered.
func (b *bench) queries(ctx context.Context) error {
	lake, _, err := b.mainLake(ctx)
	if err != nil {
		return err
	}
	ordered, own, err := b.ordered(ctx)
	if err != nil {
		return err
	}
	file, db, err := b.database(ctx, lake)
	if err != nil {
		return err
	}
	var m made
	if err := told(ctx, &m, stepLake, lake); err != nil {
		return err
	}
	if own.Rows != m.Rows || db.Rows != m.Rows {
		return fmt.Errorf("trailql has %d events, DuckDB %d in its files and %d in its database", m.Rows, own.Rows, db.Rows)
	}
	all := []*contestant{
		b.ours(lake), b.theirs(lake),
		{name: "DuckDB, its own files", step: askOwnDuckDB, source: ordered, text: query.inDuckDB},
		{name: "DuckDB, its database", step: askDatabase, source: file, text: query.inDuckDB},
	}
	if b.events <= rawUpTo {
		raw := func(q query) string {
			return strings.Replace(q.raw, "RAW", rawRecords(b.path("main-trail"), "", q.record), 1)
		}
		all = append(all, &contestant{name: "DuckDB, raw trail", step: askRawDuckDB, text: raw, most: 3})
	}
	if err := b.ask(ctx, all, queries); err != nil {
		return err
	}
	b.printf("\n#### Queries over the lake as `compact` leaves it\n\n%s events in %s files (DuckDB's own: %s; its database: %.0f MB). Warm, in process; at most %d rounds, in turns.\nEach engine may take %.1f GB for queries; beyond, it writes to temporary files.\n",
		count(int(m.Rows)), count(m.Files), count(own.Files), float64(db.Bytes)/1e6, b.rounds, float64(b.memory)/1e9)
	b.compared(all[:4], queries, "query")
	b.scans(all[:2], m.Rows)
	if len(all) == 5 {
		asked := slices.DeleteFunc(slices.Clone(queries), func(q query) bool { return q.raw == "" })
		b.printf("\nOver the trail as it was delivered (at most 3 rounds):\n")
		b.compared([]*contestant{all[0], all[4]}, asked, "query")
	}
	return nil
}

// rawUpTo is the size up to which DuckDB is asked over the raw trail, where a query takes 6 s for 1,000,000 events.
const rawUpTo = 1_000_000

func (b *bench) ours(lake string) *contestant {
	return &contestant{name: "trailql", step: askLake, source: lake, text: func(q query) string { return q.sql }}
}

func (b *bench) theirs(lake string) *contestant {
	return &contestant{name: "DuckDB, same files", step: askLakeDuckDB, source: lake, text: query.inDuckDB}
}

// dense asks the forty over as many events in few files.
func (b *bench) dense(ctx context.Context) error {
	lake, g, err := b.lake(ctx, "dense", b.denseOptions(), false, "--memory", denseMemory)
	if err != nil {
		return err
	}
	var m made
	if err := told(ctx, &m, stepLake, lake); err != nil {
		return err
	}
	all := []*contestant{b.ours(lake), b.theirs(lake)}
	if err := b.ask(ctx, all, queries); err != nil {
		return err
	}
	b.printf("\n#### Queries over few files\n\nA trail of its own, one account, one region, five days, compacted with --memory "+denseMemory+": %s events (%s records) in **%s files**. Warm.\n",
		count(int(m.Rows)), count(g.Records), count(m.Files))
	b.compared(all, queries, "query")
	b.scans(all, m.Rows)
	return nil
}

// ask asks each contestant each query, warm: once for the answer, and then in turns for the times. Each answer must be that of the first
// contestant.
func (b *bench) ask(ctx context.Context, all []*contestant, list []query) error {
	for _, c := range all {
		if err := c.start(ctx, b.memory); err != nil {
			return err
		}
		defer c.in.Close() // ends it, where an error comes first
		c.times = map[string][]time.Duration{}
	}
	for _, q := range list {
		begun := time.Now()
		var want reply
		for n := 0; n <= b.rounds && (n <= 3 || time.Since(begun) < b.patience); n++ {
			for i, c := range all {
				text := c.text(q)
				if text == "" || c.most > 0 && n > c.most {
					continue
				}
				r, err := c.ask(question{Text: text, Show: n == 0})
				if err == nil && n == 0 && i == 0 {
					want = r
				}
				if err == nil {
					err = sameAnswer(r, want)
				}
				if err != nil {
					return fmt.Errorf("%s: %s: %w", q.name, c.name, err)
				}
				if n > 0 {
					c.times[q.name] = append(c.times[q.name], r.Took)
				}
			}
		}
		note("%-20s %s", q.name, strings.Join(medians(all, q), "  "))
	}
	for _, c := range all {
		if err := c.stop(); err != nil {
			return err
		}
	}
	return nil
}

// medians are for who waits.
func medians(all []*contestant, q query) (out []string) {
	for _, c := range all {
		if t := c.times[q.name]; len(t) > 0 {
			out = append(out, c.name+" "+millis(median(t)))
		}
	}
	return out
}

// sameAnswer says where two answers differ. No rows are no answer: such a query would show nothing. Of answers without text only the
// numbers of rows are compared.
func sameAnswer(got, want reply) error {
	if got.Count != want.Count || got.Count == 0 {
		return fmt.Errorf("%d rows; trailql has %d", got.Count, want.Count)
	}
	for i := range got.Rows {
		if got.Rows[i] != want.Rows[i] {
			return fmt.Errorf("row %d is\n%s\nthat of trailql\n%s", i, got.Rows[i], want.Rows[i])
		}
	}
	if got.Sum != "" && got.Sum != want.Sum {
		return fmt.Errorf("its %d rows differ from those of trailql after row %d", got.Count, len(got.Rows))
	}
	return nil
}

// compared prints a row for each query, and the means: the first contestant against each of the others.
func (b *bench) compared(all []*contestant, list []query, what string) {
	b.printf("\n| %s, ms | %s |", what, all[0].name)
	for _, c := range all[1:] {
		b.printf(" %s | times |", c.name)
	}
	b.printf("\n| --- | ---: |%s\n", strings.Repeat(" ---: | ---: |", len(all)-1))
	ratios := make([][]float64, len(all))
	for _, q := range list {
		b.printf("| %s | %s |", q.name, span(all[0].times[q.name]))
		for i, c := range all[1:] {
			r := ratio(c.times[q.name], all[0].times[q.name])
			ratios[i+1] = append(ratios[i+1], r)
			b.printf(" %s | %.2f |", span(c.times[q.name]), r)
		}
		b.printf("\n")
	}
	geometric, least := "| **geometric mean** | |", "| least | |"
	for i := range all[1:] {
		mean, low := means(ratios[i+1])
		geometric += fmt.Sprintf(" | **%.2f** |", mean)
		least += fmt.Sprintf(" %s | %.2f |", list[slices.Index(ratios[i+1], low)].name, low)
	}
	b.printf("%s\n%s\n", geometric, least)
	if all[0].peak > 0 {
		b.printf("| peak RSS, MB | %d |", all[0].peak/1e6)
		for _, c := range all[1:] {
			b.printf(" %d | |", c.peak/1e6)
		}
		b.printf("\n")
	}
}

// full are queries that read every event and whose work for each does not grow with their number: what they take of an event can be
// compared between sizes.
var full = []string{"group", "group three", "errors", "hours", "by hour", "names", "text", "json", "agents", "resources", "addresses"}

// scans says what full scans take.
func (b *bench) scans(all []*contestant, rows int64) {
	b.printf("\nFull scans (%s), the mean of their medians, ns an event:", strings.Join(full, ", "))
	for _, c := range all {
		var sum time.Duration
		for _, name := range full {
			sum += median(c.times[name])
		}
		b.printf(" %s %.1f;", c.name, float64(sum)/float64(len(full))/float64(rows))
	}
	b.printf(" to be compared with those of other sizes.\n")
}
