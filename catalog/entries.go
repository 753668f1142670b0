package catalog

import (
	"context"

	"github.com/trailql/trailql/connectors/blob"
)

const (
	// entriesAhead bounds how many entries of a log in a store far away are read at a time, largeEntry how large they may be for that.
	entriesAhead = 32
	largeEntry   = 1 << 20
)

// readAhead returns a readEntry for versions of trail_files' log that are asked for one after the other. In a store far away more and more of those
// that follow, up to last, are read meanwhile, as long as there are any.
func (l *Lake) readAhead(last int64) func(ctx context.Context, version int64) ([]byte, error) {
	read := func(ctx context.Context, version int64) ([]byte, error) { return l.readEntry(ctx, Files, version) }
	if !blob.Remote(l.store.URL()) {
		return read
	}
	type result struct {
		data []byte
		err  error
	}
	begun := map[int64]chan result{}
	most, next := 1, int64(0)
	return func(ctx context.Context, version int64) ([]byte, error) {
		for next = max(next, version); next < version+int64(most) && next <= last; next++ {
			came := make(chan result, 1)
			begun[next] = came
			go func(v int64) {
				data, err := read(ctx, v)
				came <- result{data, err}
			}(next)
		}
		came := begun[version]
		if came == nil { // not in order
			return read(ctx, version)
		}
		delete(begun, version)
		r := <-came
		switch {
		case r.err != nil: // the end mostly: nothing follows
			for v, came := range begun {
				<-came
				delete(begun, v)
			}
			most, next = 1, version+1
		case len(r.data) > largeEntry:
			most = 1
		default:
			most = min(2*most, entriesAhead)
		}
		return r.data, r.err
	}
}
