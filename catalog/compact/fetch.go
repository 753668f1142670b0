package compact

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/trailql/trailql/connectors/blob"
)

// fetched is an object on its way from its source: the requests of many are under way before the first is decoded, since what takes
// long in S3 is the answer, not the bytes.
type fetched struct {
	pending
	data  []byte // all of it, unless it is large: then it is read when it is decoded
	err   error
	ready chan struct{} // closed when data and err are there
	free  func()        // gives back the memory of data
}

// fetcher reads objects ahead, in order, with a bound on requests and bytes under way.
type fetcher struct {
	c     *compactor
	items chan *fetched // nil among them: nothing more comes until resume, for the work is about to be shared anew
	again chan struct{}

	slots chan struct{} // a request under way each
	most  int64         // bytes
	held  atomic.Int64
	freed chan struct{}

	stop    context.CancelFunc
	running sync.WaitGroup
}

func (c *compactor) newFetcher(ctx context.Context, pages <-chan []pending) *fetcher {
	ctx, cancel := context.WithCancel(ctx)
	f := &fetcher{c: c, items: make(chan *fetched, c.opt.Requests), again: make(chan struct{}), slots: make(chan struct{}, c.opt.Requests),
		most: c.fetchBytes(), freed: make(chan struct{}, 1), stop: cancel}
	f.running.Go(func() {
		defer close(f.items)
		for {
			list, ok := c.gatherPages(ctx, pages)
			if !ok {
				return
			}
			for _, p := range list {
				if !f.start(ctx, p) {
					return
				}
			}
		}
	})
	return f
}

// close ends what is under way.
func (f *fetcher) close() {
	f.stop()
	for range f.items { // the feeder may stand there
	}
	f.running.Wait()
}

// resume goes on after a nil item.
func (f *fetcher) resume(ctx context.Context) {
	select {
	case f.again <- struct{}{}:
	case <-ctx.Done():
	}
}

// gatherPages waits for a page and takes what else is there, up to the objects of a batch.
func (c *compactor) gatherPages(ctx context.Context, pages <-chan []pending) ([]pending, bool) {
	var list []pending
	select {
	case page, ok := <-pages:
		if !ok {
			return nil, false
		}
		list = page
	case <-ctx.Done():
		return nil, false
	}
	for len(list) < c.opt.chunk {
		select {
		case page, ok := <-pages:
			if !ok {
				return sorted(list), true
			}
			list = append(list, page...)
			continue
		default:
		}
		break
	}
	return sorted(list), true
}

// start begins to read an object and puts it in line.
func (f *fetcher) start(ctx context.Context, p pending) bool {
	if f.c.share.changed() {
		if !f.send(ctx, nil) {
			return false
		}
		select {
		case <-f.again:
		case <-ctx.Done():
			return false
		}
	}
	if !f.c.share.mine(&p) { // any more
		p.span.left.Add(1)
		p.span.fresh.Add(-1)
		f.c.progress.Objects.Add(-1)
		f.c.progress.Bytes.Add(-p.Size)
		return true
	}
	o := &fetched{pending: p, ready: make(chan struct{}), free: func() {}}
	if p.Size > min(f.most/8, largeObject) {
		close(o.ready)
		return f.send(ctx, o)
	}
	for f.held.Load() > 0 && f.held.Load()+p.Size > f.most {
		select {
		case <-f.freed:
		case <-ctx.Done():
			return false
		}
	}
	f.held.Add(p.Size)
	o.free = func() {
		f.held.Add(-p.Size)
		select {
		case f.freed <- struct{}{}:
		default:
		}
	}
	select {
	case f.slots <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	f.running.Go(func() {
		defer func() { <-f.slots; close(o.ready) }()
		o.data, o.err = f.c.fetch(ctx, &o.pending)
	})
	return f.send(ctx, o)
}

func (f *fetcher) send(ctx context.Context, o *fetched) bool {
	select {
	case f.items <- o:
		return true
	case <-ctx.Done():
		return false
	}
}

// fetch reads all of a small object.
func (c *compactor) fetch(ctx context.Context, p *pending) ([]byte, error) {
	in, err := c.get(ctx, p)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	data := make([]byte, p.Size)
	if n, err := io.ReadFull(in, data); err != nil {
		return nil, fmt.Errorf("%s: the store sent %d of %d bytes: %w", p.url, n, p.Size, err)
	}
	// The stream must end here; an error of it, such as a failed check of its sum, may come with the end.
	switch n, err := io.Copy(io.Discard, io.LimitReader(in, 1)); {
	case err != nil:
		return nil, err
	case n > 0:
		return nil, fmt.Errorf("%s: the store sent more than the %d bytes of the object: %w", p.url, p.Size, blob.ErrChanged)
	}
	return data, nil
}

// get starts to read an object as it was listed. If it is another one by now, the listing was old: the object is taken as it is, and what the
// ledger has under its name decides what that means.
func (c *compactor) get(ctx context.Context, p *pending) (io.ReadCloser, error) {
	store := c.sources[p.span.source]
	in, err := store.Get(ctx, p.Info)
	if errors.Is(err, blob.ErrChanged) {
		var info blob.Info
		if info, err = store.Stat(ctx, p.Name); err != nil {
			return nil, err
		}
		c.progress.Bytes.Add(info.Size - p.Size)
		p.Info = info
		in, err = store.Get(ctx, info)
	}
	if err != nil {
		return nil, err
	}
	p.Version = blob.ObjectVersion(in)
	return in, nil
}

// inMemory is the bytes of an object that are there already.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }
