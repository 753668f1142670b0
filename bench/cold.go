package main

import (
	"context"
	"fmt"
	"time"
)

// cold asks each query in a process that has just started, over files that the system has not in memory, where it lets itself be told so.
func (b *bench) cold(ctx context.Context) error {
	lake, _, err := b.mainLake(ctx)
	if err != nil {
		return err
	}
	file, _, err := b.database(ctx, lake)
	if err != nil {
		return err
	}
	all := []*contestant{b.ours(lake), b.theirs(lake), {name: "DuckDB, its database", step: askDatabase, source: file, text: query.inDuckDB}}
	cache := "before each, the system's page cache is dropped"
	if !b.drop {
		cache = "the system's page cache was not dropped, so that the files come from memory"
	} else if err := dropCaches(); err != nil {
		b.drop, cache = false, fmt.Sprintf("the system's page cache could not be dropped (%v), so that the files come from memory", err)
	}
	for _, c := range all {
		c.times = map[string][]time.Duration{}
	}
	for _, q := range queries {
		begun := time.Now()
		var want reply
		for n := 0; n < b.colds && (n == 0 || time.Since(begun) < b.patience); n++ {
			for i, c := range all {
				if b.drop {
					if err := dropCaches(); err != nil {
						return err
					}
				}
				r, err := c.once(ctx, b.memory, question{Text: c.text(q), Show: n == 0})
				if err == nil && n == 0 && i == 0 {
					want = r
				}
				if err == nil {
					err = sameAnswer(r, want)
				}
				if err != nil {
					return fmt.Errorf("%s: %s: %w", q.name, c.name, err)
				}
				c.times[q.name] = append(c.times[q.name], r.Opened+r.Took)
			}
		}
		note("%s", q.name)
	}
	b.printf("\n#### Cold queries\n\nEach query the first of a process, at most %d times; %s. From the start of the program to the last row: opening the lake or\nDuckDB is in it, loading the program is not.\n", b.colds, cache)
	for _, c := range all {
		c.peak = 0 // of the last query only
	}
	b.compared(all, queries, "query, cold")
	return nil
}

// once asks one question in a process of its own.
func (c *contestant) once(ctx context.Context, memory int64, q question) (r reply, err error) {
	if err := c.start(ctx, memory); err != nil {
		return r, err
	}
	r, err = c.ask(q)
	if err != nil {
		c.in.Close()
		return r, err
	}
	return r, c.stop()
}
