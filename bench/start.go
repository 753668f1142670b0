package main

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// start has the program answer one question about a day, from its start to its end.
func (b *bench) start(ctx context.Context) error {
	lake, _, err := b.mainLake(ctx)
	if err != nil {
		return err
	}
	text := "SELECT count(*) AS n FROM cloudtrail_logs WHERE" + day
	r, err := b.theirs(lake).once(ctx, b.memory, question{Text: text, All: true})
	if err != nil {
		return err
	}
	var query, none []time.Duration
	for n := range b.starts + 1 {
		out, took, err := run(ctx, []string{b.trailql, "query", "--lake", lake, "--quiet", "--format", "csv", text})
		if err != nil {
			return err
		}
		if want := "n\n" + r.Rows[0] + "\n"; !bytes.Equal(out, []byte(want)) {
			return fmt.Errorf("the answer is %q, of DuckDB %q", out, want)
		}
		_, idle, err := run(ctx, []string{b.trailql, "--version"})
		if err != nil {
			return err
		}
		if n > 0 {
			query, none = append(query, took.wall), append(none, idle.wall)
		}
	}
	b.printf("\n#### Start\n\n%d times each, the binary and the lake cached by the system.\n\n| process, wall ms | |\n| --- | ---: |\n", b.starts)
	b.printf("| `trailql query`, count(*) of a day | %s |\n| `trailql --version` | %s |\n", span(query), span(none))
	return nil
}
