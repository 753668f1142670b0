package parquetio

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/trailql/trailql/connectors/blob"
)

// Over a network a request costs a wait, in which some megabytes could have come. So what a row group is known to need is asked for together,
// in few ranges, before it is decoded, and the row groups that come next are begun meanwhile.
var ( // tests have them small
	wholeFile  int64 = 1 << 20   // a file as small as that is read in one request
	joinGap    int64 = 512 << 10 // ranges as near as that are read in one request
	mostRange  int64 = 4 << 20   // what is longer is read in several at a time
	wholeBloom int64 = 256 << 10 // a bloom filter as small as that is read whole rather than in two steps
	cheap      int64 = 2 << 20   // bytes of a row group's columns that are read even if filters may leave no row of them

	// Rows of which all columns are needed come in windows of so many bytes, one of which is on its way while the one before is decoded.
	windowBytes int64 = 8 << 20
	mergeBytes  int64 = 1 << 20 // where many files are read side by side, a few rows at a time

	groupsAhead       = 8
	bytesAhead  int64 = 64 << 20 // of the process: more is held only by row groups at hand
)

// heldAhead are the bytes of all parts.
var heldAhead atomic.Int64

// ranges is an object in a store far away, whose bytes are fetched ahead. Like a reader, it is for one goroutine at a time.
type ranges struct {
	blob.Object
	count func(int) // bytes that came
	parts []*part
	turn  int // of the last window
}

// part is a range that came or is on its way.
type part struct {
	span
	turn int // 0: kept until its row group is done with
	data []byte
	err  error
	done chan struct{}
}

func (s span) end() int64 { return s.offset + s.length }

// fetch asks for spans that are not on their way yet, without waiting. They are kept until forget.
func (o *ranges) fetch(spans []span) { o.ask(spans, 0) }

// fetchWindow is fetch for spans that are kept until the window after the next one.
func (o *ranges) fetchWindow(spans []span) {
	o.turn++
	o.drop(func(p *part) bool { return p.turn > 0 && p.turn < o.turn-1 })
	o.ask(spans, o.turn)
}

func (o *ranges) ask(spans []span, turn int) {
	spans = slices.DeleteFunc(spans, func(s span) bool {
		return s.length <= 0 || s.offset < 0 || s.offset > o.Size() || s.length > o.Size()-s.offset || o.has(s)
	})
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.offset, b.offset) })
	for len(spans) > 0 {
		whole := spans[0]
		for spans = spans[1:]; len(spans) > 0 && spans[0].offset <= whole.end()+joinGap; spans = spans[1:] {
			whole.length = max(whole.end(), spans[0].end()) - whole.offset
		}
		for n := (whole.length + mostRange - 1) / mostRange; whole.length > 0; n-- {
			p := &part{span: span{whole.offset, (whole.length + n - 1) / n}, turn: turn, done: make(chan struct{})}
			whole = span{p.end(), whole.length - p.length}
			o.parts = append(o.parts, p)
			heldAhead.Add(p.length)
			go func() {
				defer close(p.done)
				data := make([]byte, p.length)
				if p.err = readAt(o.Object, data, p.offset); p.err == nil {
					p.data = data
					o.count(len(data))
				}
			}()
		}
	}
}

// has reports that all of a span is in parts.
func (o *ranges) has(s span) bool {
	for s.length > 0 {
		p := o.part(s.offset)
		if p == nil {
			return false
		}
		s = span{p.end(), s.end() - p.end()}
	}
	return true
}

func (o *ranges) part(at int64) *part {
	for _, p := range o.parts {
		if p.offset <= at && at < p.end() {
			return p
		}
	}
	return nil
}

// ReadAt waits for parts, and reads itself what is in none.
func (o *ranges) ReadAt(b []byte, at int64) (int, error) {
	n := 0
	for n < len(b) {
		p := o.part(at + int64(n))
		if p == nil {
			m, err := o.Object.ReadAt(b[n:], at+int64(n))
			o.count(m)
			return n + m, err
		}
		<-p.done
		if p.err != nil {
			return n, p.err
		}
		n += copy(b[n:], p.data[at+int64(n)-p.offset:])
	}
	return n, nil
}

// forget drops the parts before end, and all windows.
func (o *ranges) forget(end int64) {
	o.drop(func(p *part) bool { return p.turn > 0 || p.end() <= end })
}

func (o *ranges) drop(which func(*part) bool) {
	o.parts = slices.DeleteFunc(o.parts, func(p *part) bool {
		if !which(p) {
			return false
		}
		heldAhead.Add(-p.length)
		return true
	})
}

func (o *ranges) Close() error {
	o.forget(o.Size())
	return o.Object.Close()
}

// openFile opens a file whose size is known. In a store far away the object is a *ranges, and a small file is on its way.
func openFile(ctx context.Context, store blob.Store, f File, count func(int)) (blob.Object, error) {
	if !blob.Remote(store.URL()) {
		return store.Open(ctx, f.Name)
	}
	o, err := blob.OpenSized(ctx, store, f.Name, f.Size)
	if err != nil {
		return nil, err
	}
	far := &ranges{Object: o, count: count}
	if f.Size <= wholeFile {
		far.fetch([]span{{0, f.Size}})
	}
	return far, nil
}

// fetchIndexes asks for what the group is pruned by, and for the page indexes of all its columns; if these are small and no bloom filter may rule
// the group out, for all of them at once.
func (g *groupReader) fetchIndexes(filters []*filter) {
	far, ok := g.r.object.(*ranges)
	if !ok {
		return
	}
	off := g.r.s.req.Off
	var spans, chunks []span
	bytes, bloom := int64(0), false
	for _, f := range filters {
		if !off.Bloom {
			for _, n := range f.needles {
				if leaf := below(g.columns[n.Column].shape, n); leaf != nil && leaf.node != nil && leaf.node.children == nil {
					if at := g.group.chunks[leaf.node.leaf].bloom; at.offset > 0 && at.length <= wholeBloom {
						spans, bloom = append(spans, at), true
					}
				}
			}
		}
		l := g.single(f)
		if l == nil {
			continue
		}
		switch {
		case l.small():
			spans = append(spans, l.chunk.pages)
		case l.coded && !off.Dictionary:
			spans = append(spans, l.dictionarySpan())
		}
		if !off.Page && l.chunk.columnIndex.length <= maxPage {
			spans = append(spans, l.chunk.columnIndex)
		}
	}
	for _, c := range g.columns {
		for _, l := range c.leaves {
			chunks = append(chunks, l.chunk.pages)
			bytes += l.chunk.pages.length
			if !l.small() && l.chunk.offsetIndex.length <= maxPage {
				spans = append(spans, l.chunk.offsetIndex)
			}
		}
	}
	if bytes <= cheap && !bloom { // no second wait
		spans = append(spans, chunks...)
	}
	far.fetch(spans)
}

// fetchRows asks for the pages of live rows: of the columns of filters, and of all columns where they are cheap. Where no filter is left, the others come
// in windows from the first row on.
func (g *groupReader) fetchRows() error {
	far, ok := g.r.object.(*ranges)
	if !ok {
		return nil
	}
	filtered := map[int]bool{} // paths
	for _, f := range g.filters {
		for _, p := range f.paths {
			filtered[p] = true
		}
	}
	var first, later []span
	bytes := int64(0)
	for p, c := range g.columns {
		for _, l := range c.leaves {
			spans, err := l.livePages(g.live)
			if err != nil {
				return err
			}
			if filtered[p] {
				first = append(first, spans...)
				continue
			}
			for _, s := range spans {
				bytes += s.length
			}
			later = append(later, spans...)
		}
	}
	g.window = min(max(g.step, g.windowBytes()*g.group.rows/max(bytes, 1)), g.group.rows)
	switch {
	case bytes <= min(cheap, g.windowBytes()):
		first, g.fetched = append(first, later...), g.group.rows
	case len(g.filters) == 0 && len(g.live) > 0:
		g.ahead = g.window
		defer func() { _ = g.fetchLate(g.live[0].from, g.live[0].from) }() // the pages are known: it cannot fail
	}
	far.fetch(first)
	return nil
}

func (g *groupReader) windowBytes() int64 {
	if g.r.s.req.BatchRows > 0 {
		return mergeBytes
	}
	return windowBytes
}

// fetchLate asks for the pages of the rows [lo, hi) of all columns, some rows of which are wanted for sure, and if rows were wanted before, for
// pages of more and more rows after them.
func (g *groupReader) fetchLate(lo, hi int64) error {
	far, ok := g.r.object.(*ranges)
	if !ok {
		return nil
	}
	to := min(hi+g.ahead, g.group.rows)
	if to <= g.fetched || hi <= g.fetched && to-g.fetched < g.ahead/2 {
		return nil
	}
	if g.fetched > 0 {
		g.ahead = min(max(2*g.ahead, hi-lo), g.window)
	}
	wanted := intersectRanges([]rowRange{{max(lo, g.fetched), to}}, append([]rowRange{{lo, hi}}, g.live...))
	g.fetched = to
	var spans []span
	for _, c := range g.columns {
		for _, l := range c.leaves {
			s, err := l.livePages(wanted)
			if err != nil {
				return err
			}
			spans = append(spans, s...)
		}
	}
	far.fetchWindow(spans)
	return nil
}

// small reports that a chunk is read whole.
func (c *columnReader) small() bool {
	return c.chunk.offsetIndex.length == 0 || c.node.rep == 0 && c.chunk.pages.length <= wholeChunk
}

func (c *columnReader) dictionarySpan() span {
	if !c.chunk.hasDict {
		return span{}
	}
	return span{c.chunk.dictionary, c.chunk.data - c.chunk.dictionary}
}

// livePages are the places of the pages that hold rows of ranges, and of the dictionary.
func (c *columnReader) livePages(live []rowRange) ([]span, error) {
	if c.small() {
		return []span{c.chunk.pages}, nil
	}
	if err := c.open(); err != nil {
		return nil, err
	}
	spans := []span{c.dictionarySpan()}
	for i, p := range c.places {
		for len(live) > 0 && live[0].to <= p.first {
			live = live[1:]
		}
		if len(live) > 0 && live[0].from < c.end(i) {
			spans = append(spans, p.span)
		}
	}
	return spans, nil
}

// upcoming are the morsels of a scan over a store far away that are begun before they are asked for. Those that nobody asks for are given up when
// it is known, at the latest when the scan's context ends.
type upcoming struct {
	ctx    context.Context // of the scan
	mu     sync.Mutex
	order  []int // of morsels
	next   int   // in order: the first that was neither begun nor asked for
	begun  map[int]*beginning
	opened []bool // by morsel
	most   int
}

type beginning struct {
	done chan struct{}
	r    *reader
	err  error
}

func (s *scan) newUpcoming(ctx context.Context) *upcoming {
	u := &upcoming{ctx: ctx, order: s.Order(), begun: map[int]*beginning{}, opened: make([]bool, len(s.morsels)), most: groupsAhead}
	if u.order == nil {
		for i := range s.morsels {
			u.order = append(u.order, i)
		}
	}
	if s.top != nil || s.req.Limit >= 0 || s.req.BatchRows > 0 { // the first ones may be enough, or other files are read beside this one
		u.most = 1
	}
	context.AfterFunc(ctx, func() { // what is begun after this fails
		for m := range s.morsels {
			u.drop(m)
		}
	})
	return u
}

// drop gives up the morsel if it was begun.
func (u *upcoming) drop(m int) {
	u.mu.Lock()
	b := u.begun[m]
	delete(u.begun, m)
	u.mu.Unlock()
	if b != nil {
		b.drop()
	}
}

// drop lets go of what is held ahead, without waiting for what is on its way.
func (b *beginning) drop() {
	go func() {
		if <-b.done; b.err == nil {
			_ = b.r.Close()
		}
	}()
}

// take gives the morsel as far as it was begun, nil if it was not, and begins others.
func (u *upcoming) take(s *scan, m int) *beginning {
	u.mu.Lock()
	defer u.mu.Unlock()
	mine := u.begun[m]
	delete(u.begun, m)
	u.opened[m] = true
	for ; u.next < len(u.order) && len(u.begun) < u.most && heldAhead.Load() < bytesAhead; u.next++ {
		at := u.order[u.next]
		if u.opened[at] || s.outdone(s.morsels[at].file) {
			continue
		}
		u.opened[at] = true
		b := &beginning{done: make(chan struct{})}
		u.begun[at] = b
		go func() {
			defer close(b.done)
			b.r, b.err = s.begin(u.ctx, s.morsels[at])
		}()
	}
	return mine
}

// begin opens a morsel and its first row group that holds wanted rows.
func (s *scan) begin(ctx context.Context, m morsel) (r *reader, err error) {
	defer caught(&err)
	if r, err = s.open(ctx, m); err != nil {
		return nil, err
	}
	if _, err = r.advance(); err != nil {
		_ = r.Close()
		return nil, err
	}
	return r, nil
}
