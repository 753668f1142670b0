package verify

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/vec"
)

// ledger answers SQL over the snapshot of its options.
type ledger struct {
	engine  *engine.Engine
	options engine.Options
}

// figures is the key of a context's func(engine.Stats), which is told of each query at its end.
type figures struct{}

// batches calls visit with all rows of the answer, many at a time, in order. Text columns are not coded by dictionaries.
func (l *ledger) batches(ctx context.Context, text string, visit func(vec.Batch) error) error {
	r, err := l.engine.Query(ctx, text, l.options)
	if err != nil {
		return err
	}
	for err == nil {
		var b vec.Batch
		if b, err = r.Next(); err == nil {
			b.Cols = slices.Clone(b.Cols)
			for i, c := range b.Cols {
				b.Cols[i] = vec.Plain(c)
			}
			err = visit(b)
		}
	}
	if seen, ok := ctx.Value(figures{}).(func(engine.Stats)); ok {
		seen(r.Stats())
	}
	if errors.Is(err, io.EOF) {
		return r.Close()
	}
	_ = r.Close() // its error is the one that is known already
	return err
}

// each calls visit with every row of the answer, in order.
func (l *ledger) each(ctx context.Context, text string, visit func(row) error) error {
	return l.batches(ctx, text, func(b vec.Batch) error {
		for i := range b.Len {
			if err := visit(row{b, i}); err != nil {
				return err
			}
		}
		return nil
	})
}

// row is a row of an answer. NULL reads as the zero value; its texts are valid during the visit only.
type row struct {
	batch vec.Batch
	i     int
}

func (r row) text(column int) string {
	if a, ok := r.batch.Cols[column].(*array.String); ok && a.IsValid(r.i) {
		return a.Value(r.i)
	}
	return ""
}

func (r row) number(column int) int64 {
	if a, ok := r.batch.Cols[column].(*array.Int64); ok && a.IsValid(r.i) {
		return a.Value(r.i)
	}
	return 0
}

func (r row) time(column int) time.Time {
	if a, ok := r.batch.Cols[column].(*array.Timestamp); ok && a.IsValid(r.i) {
		return time.UnixMicro(int64(a.Value(r.i))).UTC()
	}
	return time.Time{}
}

// literal spells a time in SQL.
func literal(t time.Time) string {
	return "TIMESTAMP '" + t.UTC().Format("2006-01-02 15:04:05.000000") + "'"
}

// quote spells a text in SQL.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
