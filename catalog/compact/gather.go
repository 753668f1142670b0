package compact

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine/vec"
)

// object is what became of one trail object.
type object struct {
	pending
	cloudtrail.Object
	state       string
	reason      string
	quarantined int64
	bad         []badRow

	outcome outcome
	err     error // why it is unreadable
}

type outcome uint8

const (
	consumed   outcome = iota // goes into the ledger
	unknown                   // nothing of CloudTrail's
	unreadable                // not read; tried again next time
	same                      // the bytes are those read earlier: only the ETag is new
)

// badRow is a row of trail_quarantine.
type badRow struct {
	row    int64 // -1: the object as a whole
	offset int64
	reason string
	stored string // name of the copy of the whole object
	record string
	bytes  string // in base64, where the record is no UTF-8
	text   bool   // record is set
}

// gathered is the input of one commit: objects read, and their rows as sorted runs by table.
type gathered struct {
	objects []*object
	runs    map[string][]run
	paused  bool // the fetcher waits for resume
}

// drop frees the rows.
func (g *gathered) drop(ctx context.Context) {
	for _, runs := range g.runs {
		for _, r := range runs {
			r.drop(context.WithoutCancel(ctx))
		}
	}
}

// bytes estimates what an object holds beside its rows.
func (o *object) bytes() int64 {
	n := int64(1024)
	for _, r := range o.bad {
		n += int64(256 + len(r.record) + len(r.bytes))
	}
	if o.Digest != nil {
		for _, l := range o.Digest.Logs {
			n += int64(64 + len(l.Object) + len(l.Hash))
		}
	}
	return n
}

// gather decodes objects as they come until the memory for rows is used up, or enough were read. more is false when there are no others.
// Where the work is to be shared anew, the batch ends before objects that may be another compactor's by then.
func (c *compactor) gather(ctx context.Context, f *fetcher) (g *gathered, more bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var taken, held atomic.Int64
	var mu sync.Mutex
	g = &gathered{runs: map[string][]run{}}
	decoded := map[string][]vec.Batch{} // what stays in memory
	enough := make(chan struct{})
	end := sync.OnceFunc(func() { close(enough) })
	more = true
	var wg sync.WaitGroup
	for range c.opt.Workers {
		w := &reader{c: c, held: &held}
		take := func() *fetched {
			if held.Load() >= c.gatherBytes() || taken.Load() >= int64(c.opt.chunk) {
				end()
			}
			select {
			case <-enough:
				return nil
			default:
			}
			select {
			case o, ok := <-f.items:
				switch {
				case !ok:
					mu.Lock()
					more = false
					mu.Unlock()
				case o == nil:
					g.paused = true // by one worker alone: nothing follows before resume
					end()
				default:
					taken.Add(1)
				}
				return o
			case <-enough:
			case <-ctx.Done():
			}
			return nil
		}
		wg.Go(func() {
			for o := take(); o != nil; o = take() {
				read, err := w.read(ctx, o)
				o.free()
				if err != nil {
					if !c.soft || ctx.Err() == nil {
						cancel(err)
					}
					break
				}
				w.objects = append(w.objects, read)
				held.Add(read.bytes())
			}
			batches := w.rows.Flush()
			mu.Lock()
			defer mu.Unlock()
			g.objects = append(g.objects, w.objects...)
			for table, b := range batches {
				decoded[table] = append(decoded[table], b)
			}
			for _, r := range w.runs {
				g.runs[r.table] = append(g.runs[r.table], r.run)
			}
		})
	}
	wg.Wait()
	stopped := func() bool { return ctx.Err() != nil && !(c.soft && errors.Is(context.Cause(ctx), context.Canceled)) }
	for table, batches := range decoded {
		if stopped() {
			break
		}
		r, err := newMemoryRun(table, batches...)
		if err != nil {
			cancel(err)
			break
		}
		g.runs[table] = append(g.runs[table], r)
	}
	if stopped() {
		g.drop(ctx)
		return nil, false, context.Cause(ctx)
	}
	slices.SortFunc(g.objects, func(a, b *object) int { return strings.Compare(a.url, b.url) })
	return g, more && ctx.Err() == nil, nil
}

// reader decodes objects on one goroutine.
type reader struct {
	c       *compactor
	held    *atomic.Int64 // bytes of rows that all readers hold
	rows    cloudtrail.Rows
	bytes   int64 // of rows, as counted in held
	objects []*object
	runs    []tableRun
	fetched *fetched // the object at hand
	reading reading
}

// reading counts how much of an object was read, as part of the progress of the run.
type reading struct {
	progress *Progress
	size     int64
	times    int64 // how often it will be read
	seen     int64 // bytes read, in all readings
	counted  int64 // bytes of its size that are done
}

func (r *reading) add(n int) {
	r.seen += int64(n)
	r.to(min(r.seen/r.times, r.size))
}

// to moves the progress of the object on; it never goes back.
func (r *reading) to(done int64) {
	if done > r.counted {
		r.progress.BytesDone.Add(done - r.counted)
		r.counted = done
	}
}

type tableRun struct {
	table string
	run   run
}

// errTooLarge stops the decoding of an object whose rows do not fit in one piece.
var errTooLarge = errors.New("too large for one piece")

// lakeError is an error of writing to the lake, not of reading the object.
type lakeError struct{ err error }

func (e *lakeError) Error() string { return e.err.Error() }
func (e *lakeError) Unwrap() error { return e.err }

// read decodes one object. The error is one that ends the run; faults of the object are in the object.
func (w *reader) read(ctx context.Context, f *fetched) (*object, error) {
	c := w.c
	select {
	case <-f.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w.fetched = f
	o := &object{pending: f.pending, state: catalog.StateOK}
	w.reading = reading{progress: c.progress, size: o.pending.Size, times: 1}
	defer func() {
		w.fetched = nil
		w.reading.to(o.pending.Size)
		c.progress.Done.Add(1)
		c.progress.Records.Add(o.Records)
		c.progress.Quarantined.Add(o.quarantined)
	}()
	if f.err != nil {
		return o, o.failed(ctx, f.err)
	}
	if len(o.known) > 0 {
		return o, w.compare(ctx, o)
	}
	if err := w.decode(ctx, o); err != nil {
		var fault *cloudtrail.ObjectError
		if errors.As(err, &fault) && ctx.Err() == nil {
			return o, w.setAside(ctx, o, fault)
		}
		return o, o.failed(ctx, err)
	}
	switch o.Kind {
	case cloudtrail.KindUnknown:
		o.outcome = unknown
		return o, nil
	case cloudtrail.KindDigest:
		o.state, o.Records = catalog.StateDigest, 0
	}
	for _, b := range o.Bad {
		r := badRow{row: b.Row, offset: b.Offset, reason: b.Reason}
		r.setRecord(b.Bytes)
		o.bad = append(o.bad, r)
	}
	if o.Foreign > 0 {
		o.reason = fmt.Sprintf("%d messages beside the records are about something else", o.Foreign)
	}
	if o.quarantined = int64(len(o.Bad)); o.quarantined > 0 {
		o.state, o.reason = catalog.StateQuarantined, o.Bad[0].Reason
	}
	o.Bad = nil
	return o, nil
}

// failed notes that the object could not be read. The error it returns is one that ends the run.
func (o *object) failed(ctx context.Context, err error) error {
	var lake *lakeError
	if ctx.Err() != nil || errors.As(err, &lake) {
		return cmp.Or(ctx.Err(), err)
	}
	o.outcome, o.err = unreadable, err
	return nil
}

func (r *badRow) setRecord(b []byte) {
	if utf8.Valid(b) {
		r.record, r.text = string(b), true
	} else {
		r.bytes = base64.StdEncoding.EncodeToString(b)
	}
}

// decode adds the object's rows to the reader's, or, if they are many, makes runs of their own of them.
func (w *reader) decode(ctx context.Context, o *object) (err error) {
	open := func() (io.ReadCloser, error) { return w.open(ctx, o) }
	limits := cloudtrail.Limits{Memory: w.c.objectBytes()}
	// What is larger as stored is not smaller unpacked: trying it in one piece would read it in vain.
	if o.pending.Size <= limits.Memory {
		o.Object, err = cloudtrail.Decode(ctx, open, o.pending.Name, o.url, limits, &w.rows, func() error { return errTooLarge })
		if !errors.Is(err, errTooLarge) {
			now := w.rows.Bytes()
			w.held.Add(now - w.bytes)
			w.bytes = now
			return err
		}
	}
	w.reading.seen, w.reading.times = 0, 2
	w.c.large.Lock() // one at a time: its runs are as large as memory allows, so that they are few
	defer w.c.large.Unlock()
	var rows cloudtrail.Rows
	var runs []tableRun
	o.Object, err = cloudtrail.Decode(ctx, open, o.pending.Name, o.url, limits, &rows, func() error {
		if rows.Bytes() < w.c.gatherBytes()/2 {
			return nil
		}
		return w.spill(ctx, &rows, &runs)
	})
	if err == nil {
		err = w.spill(ctx, &rows, &runs)
	}
	if err != nil {
		for _, r := range runs {
			r.run.drop(context.WithoutCancel(ctx))
		}
		return err
	}
	w.runs = append(w.runs, runs...)
	return nil
}

// spill makes sorted runs in temporary files of rows.
func (w *reader) spill(ctx context.Context, rows *cloudtrail.Rows, runs *[]tableRun) error {
	for table, b := range rows.Flush() {
		sorted, err := newMemoryRun(table, b)
		if err != nil {
			return err
		}
		r, err := w.c.newFileRun(ctx, table, sorted)
		if err != nil {
			return &lakeError{err}
		}
		*runs = append(*runs, tableRun{table, r})
	}
	return nil
}

// compare reads an object whose name is known with another ETag: the same bytes change nothing, others are evidence of
// an alteration and go to quarantine whole.
func (w *reader) compare(ctx context.Context, o *object) error {
	sum, size, err := w.hash(ctx, o)
	if err != nil {
		return o.failed(ctx, err)
	}
	o.SHA256, o.Object.Size = sum, size
	for _, k := range o.known {
		if k.SHA256 == hex.EncodeToString(sum[:]) {
			o.outcome, o.state = same, k.State
			return nil
		}
	}
	o.Kind = o.name.Kind
	o.state, o.reason = catalog.StateAltered, "the bytes differ from those read earlier under the same name"
	return w.keepWhole(ctx, o, badRow{row: -1, reason: o.reason}, nil)
}

// setAside puts an object that cannot be read as a whole into quarantine.
func (w *reader) setAside(ctx context.Context, o *object, fault *cloudtrail.ObjectError) error {
	o.Kind = cmp.Or(o.Kind, o.name.Kind)
	o.state, o.reason = catalog.StateQuarantined, fault.Reason
	return w.keepWhole(ctx, o, badRow{row: -1, offset: fault.Offset, reason: fault.Error()}, fault.Salvaged)
}

// keepWhole copies an object into the lake's quarantine, and lists it there once, or once for each record salvaged from it.
func (w *reader) keepWhole(ctx context.Context, o *object, row badRow, salvaged [][]byte) error {
	stored, err := w.copyObject(ctx, o)
	if err != nil {
		return o.failed(ctx, err)
	}
	row.stored = stored
	if len(salvaged) == 0 {
		o.bad = []badRow{row}
	}
	for i, text := range salvaged {
		r := row
		r.row = int64(i)
		r.setRecord(text)
		o.bad = append(o.bad, r)
	}
	o.Records, o.quarantined, o.First, o.Last, o.Bad = int64(len(o.bad)), int64(len(o.bad)), 0, 0, nil
	return nil
}

// copyObject copies the stored bytes under their hash.
func (w *reader) copyObject(ctx context.Context, o *object) (string, error) {
	suffix := ".json"
	if strings.HasSuffix(o.pending.Name, ".gz") {
		suffix = ".json.gz"
	}
	name := "_trailql/quarantine/" + hex.EncodeToString(o.SHA256[:]) + suffix
	store := w.c.lake.Store()
	// One that is there already, as after a run that failed, is written again: it need be neither whole nor durable.
	in, err := w.open(ctx, o)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := store.Create(ctx, name)
	if err != nil {
		return "", &lakeError{fmt.Errorf("write to the quarantine: %w", err)}
	}
	defer out.Abort()
	sum := sha256.New()
	to := &failedWrite{w: out}
	if _, err := io.Copy(to, io.TeeReader(in, sum)); err != nil {
		if to.err != nil {
			return "", &lakeError{fmt.Errorf("write to the quarantine: %w", to.err)}
		}
		return "", err
	}
	if [32]byte(sum.Sum(nil)) != o.SHA256 {
		return "", errors.New("the object changed while it was read")
	}
	if err := out.Close(); err != nil {
		return "", &lakeError{fmt.Errorf("write to the quarantine: %w", err)}
	}
	return name, nil
}

// failedWrite keeps the error of a writer, to tell it from one of the reader in io.Copy.
type failedWrite struct {
	w   io.Writer
	err error
}

func (f *failedWrite) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	f.err = err
	return n, err
}

// hash reads an object for its hash alone.
func (w *reader) hash(ctx context.Context, o *object) (sum [32]byte, size int64, err error) {
	in, err := w.open(ctx, o)
	if err != nil {
		return sum, 0, err
	}
	defer in.Close()
	h := sha256.New()
	if size, err = io.Copy(h, in); err != nil {
		return sum, 0, err
	}
	return [32]byte(h.Sum(nil)), size, nil
}

// stream reads an object, which counts in the progress; it stops when ctx is done.
type stream struct {
	io.ReadCloser
	ctx     context.Context
	reading *reading
}

// open starts to read the object at hand.
func (w *reader) open(ctx context.Context, o *object) (io.ReadCloser, error) {
	if w.fetched.data != nil {
		return &stream{inMemory{bytes.NewReader(w.fetched.data)}, ctx, &w.reading}, nil
	}
	b, err := w.c.get(ctx, &o.pending)
	if err != nil {
		return nil, err
	}
	return &stream{b, ctx, &w.reading}, nil
}

func (s *stream) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.ReadCloser.Read(p)
	s.reading.add(n)
	return n, err
}
