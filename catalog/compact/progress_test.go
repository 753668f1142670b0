package compact

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/trailql/trailql/connectors/blob"
)

// watched is a store that calls look at each read of an object and at each start of a new one.
type watched struct {
	blob.Store
	look func()
}

func (s watched) Get(ctx context.Context, info blob.Info) (io.ReadCloser, error) {
	o, err := s.Store.Get(ctx, info)
	if err != nil {
		return nil, err
	}
	return watchedObject{o, s.look}, nil
}

func (s watched) Create(ctx context.Context, name string) (blob.Writer, error) {
	s.look()
	return s.Store.Create(ctx, name)
}

type watchedObject struct {
	io.ReadCloser
	look func()
}

func (o watchedObject) Read(p []byte) (int, error) {
	o.look()
	return o.ReadCloser.Read(p)
}

// The bytes done move on within one object, held in memory or read twice, and end at the sum of all; while files are written, the
// rows are known.
func TestProgress(t *testing.T) {
	var events []string
	for i := range 20_000 {
		events = append(events, event(strings.Repeat("x", 50)+string(rune('a'+i%26)), 1, i))
	}
	dir := trail{strings.TrimSuffix(objectName("eu-west-1", 1, 0, 1), ".gz"): content(events...)}.folder(t)
	for _, memory := range []int64{1 << 30, 64 << 20} { // in the lesser one the object does not fit in one piece
		var p Progress
		var last int64
		steps, halves := 0, 0
		var writing atomic.Int64 // several files are written at a time
		source := watched{store(t, dir), func() {
			done := p.BytesDone.Load()
			switch {
			case done < last:
				t.Errorf("from %d back to %d", last, done)
			case done > last:
				steps++
			}
			if last = done; p.Done.Load() == 0 && done > p.Bytes.Load()/3 && done < p.Bytes.Load() {
				halves++
			}
		}}
		lake := openLake(t, watched{store(t, t.TempDir()), func() {
			if rows := p.Rows.Load(); rows > 0 && rows == 20_000 && p.RowsDone.Load() <= rows {
				writing.Add(1)
			}
		}})
		opt := testOptions()
		opt.Memory = memory
		sum, err := Run(context.Background(), lake, []blob.Store{source}, opt, &p)
		if err != nil || sum.Records != 20_000 {
			t.Fatalf("%+v, %v", sum, err)
		}
		if p.BytesDone.Load() != p.Bytes.Load() || p.Bytes.Load() == 0 || p.Done.Load() != 1 || p.Rows.Load() != 0 || p.RowsDone.Load() != 20_000 {
			t.Errorf("in the end %d of %d bytes, %d objects, %d of %d rows", p.BytesDone.Load(), p.Bytes.Load(), p.Done.Load(), p.RowsDone.Load(), p.Rows.Load())
		}
		if steps < 5 || halves == 0 || writing.Load() == 0 {
			t.Errorf("memory %d: %d steps within the object, %d in its middle; rows known at %d files", memory, steps, halves, writing.Load())
		}
	}
}
