package cloudtrail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits bound what one object may cost; zero fields take defaults.
type Limits struct {
	Depth  int   // nesting of a record: 512
	Record int64 // bytes of a record: 16 MiB
	Ratio  int64 // expansion of gzip, once 64 MiB have come out: 400
	Memory int64 // an object whose content is larger is read twice, as a stream, instead of being held: 64 MiB
}

func (l Limits) withDefaults() Limits {
	if l.Depth <= 0 {
		l.Depth = 512
	}
	if l.Record <= 0 {
		l.Record = 16 << 20
	}
	if l.Ratio <= 0 {
		l.Ratio = 400
	}
	if l.Memory <= 0 {
		l.Memory = 64 << 20
	}
	return l
}

// Object is what Decode found.
type Object struct {
	Kind          Kind // by content where the content says, else by name
	Size          int64
	SHA256        [32]byte // of the bytes as stored
	ContentSize   int64    // uncompressed
	ContentSHA256 [32]byte // of the uncompressed bytes, as a digest has it; zero where they cannot be unpacked to their end
	Records       int64    // array elements, or lines: rows and bad records
	Bad           []BadRecord
	Foreign       int64   // messages beside the records that are none: of EventBridge or CloudWatch Logs, about something else
	First, Last   int64   // smallest and largest _time, microseconds; both 0 if no record has one
	Digest        *Digest // of kind digest: what it says; else nil
}

// BadRecord is a record that is no JSON object.
type BadRecord struct {
	Row    int64 // ordinal in the object, from 0
	Offset int64 // in the uncompressed content
	Reason string
	Bytes  []byte
}

// ObjectError says why a whole object must be set aside. Salvaged are the records that could be read before the fault,
// as far as they fit into 16 MiB.
type ObjectError struct {
	Reason   string // "corrupt gzip", "truncated gzip", "second gzip member", "bytes after the end", "no JSON", "expansion over …", …
	Offset   int64  // in the uncompressed content, or in the stored bytes for gzip faults
	Err      error
	Salvaged [][]byte
}

func (e *ObjectError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s at byte %d", e.Reason, e.Offset)
	}
	return fmt.Sprintf("%s at byte %d: %v", e.Reason, e.Offset, e.Err)
}

func (e *ObjectError) Unwrap() error { return e.Err }

// mostRows bounds what Rows may hold, so that no text column outgrows its 32-bit offsets.
const mostRows = 1 << 30

// decoder is what decoding needs again for each object.
type decoder struct {
	source content
	win    window
	reader reader
	limits Limits
}

// Decode reads one object and adds its records to rows, all or none: on an error rows is as before.
// open gives the stored bytes from the start; it is called once, or twice for content over Limits.Memory (and if the two
// readings differ, that is an error). name decides nothing but the fallback Kind; path becomes _path.
// Objects of kind digest add no rows; a broken one, or one over Limits.Record, is a fault of the object. An object whose content is
// nothing that CloudTrail writes gives KindUnknown and no rows.
// For content over Limits.Memory, or whose rows take more than twice as much, full is called between records each time that
// rows has grown by a quarter of Limits.Memory, so that the caller can empty rows; an error of it ends Decode. Rows that
// were taken out before an error the caller must drop. Rows that hold over 1 GiB are an error.
// Errors are *ObjectError for faults of the object (the Object then has its size and hash); anything else (reading failed,
// cancelled) is about the reading.
func Decode(ctx context.Context, open func() (io.ReadCloser, error), name, path string, limits Limits, rows *Rows, full func() error) (Object, error) {
	if rows.decoder == nil {
		rows.decoder = &decoder{}
	}
	d := rows.decoder
	d.limits = limits.withDefaults()
	if d.reader.depth != d.limits.Depth {
		d.reader.depth, d.reader.kept = d.limits.Depth, [mostBlocks][]*kept{} // they are as deep as was allowed
	}
	defer d.shrink()
	check := walk{decoder: d, path: []byte(strings.ToValidUTF8(path, "\uFFFD")), byName: ParseName(name).Kind}

	body, err := open()
	if err != nil {
		return Object{}, err
	}
	defer body.Close()
	if err := d.start(ctx, body); err != nil {
		return Object{}, err
	}
	held := d.win.fill(d.limits.Memory)
	if held && d.source.fault == nil {
		w := check
		w.rows, w.full = rows, full
		rows.save()
		err := w.run()
		if err != nil || !w.kind.records() {
			rows.restore()
		}
		if err == nil {
			obj, err := d.finish(&w)
			switch {
			case err != nil:
				rows.restore()
			case w.kind == KindDigest:
				return d.digest(ctx, open, &w, obj, name, true)
			}
			return obj, err
		}
		if !errors.Is(err, errLarge) && !isObjectError(err) {
			return Object{}, err
		}
		d.win.rewind()
	}

	// Look at everything before any of it is added; or, after a fault, look what can be salvaged.
	check.salvage = true
	fault := check.run()
	obj, err := d.finish(&check)
	if err != nil {
		return Object{}, err
	}
	if d.source.fault != nil {
		fault = d.source.fault
	}
	if fault != nil {
		var of *ObjectError
		if errors.As(fault, &of) {
			of.Salvaged = check.salvaged
		}
		return obj, fault
	}
	if check.kind == KindDigest {
		return d.digest(ctx, open, &check, obj, name, held)
	}
	if !check.kind.records() {
		return obj, nil
	}

	if held {
		d.win.rewind()
	} else {
		again, err := open()
		if err != nil {
			return Object{}, err
		}
		defer again.Close()
		if err := d.start(ctx, again); err != nil {
			return Object{}, err
		}
	}
	w := walk{decoder: d, path: check.path, byName: check.byName, rows: rows, full: full, large: true}
	rows.save()
	err = w.run()
	second, err2 := d.finish(&w)
	switch {
	case err2 != nil:
		err = err2
	case err == nil && second.SHA256 != obj.SHA256, isObjectError(err):
		err = fmt.Errorf("%s changed between two readings", name)
	}
	if err != nil {
		rows.restore()
		return Object{}, err
	}
	return second, nil
}

func isObjectError(err error) bool {
	var fault *ObjectError
	return errors.As(err, &fault)
}

// start begins to read an object.
func (d *decoder) start(ctx context.Context, body io.Reader) error {
	buffer := d.win.reset(&d.source)
	if err := d.source.reset(ctx, body, d.limits.Ratio, buffer, d.limits.Memory); err != nil {
		return err
	}
	d.win.hold(d.source.whole)
	return nil
}

// shrink lets go of the object, and of memory that only a large one needs.
func (d *decoder) shrink() {
	d.win.shrink()
	d.reader.shrink()
	d.source.stored.r = nil
}

// finish reads the stored bytes to their end and describes the object as w found it. The error is one of reading.
func (d *decoder) finish(w *walk) (Object, error) {
	if err := d.source.drain(); err != nil {
		return Object{}, err
	}
	obj := Object{Kind: w.kind, Size: d.source.stored.size, ContentSize: d.source.size}
	d.source.stored.hash.Sum(obj.SHA256[:0])
	if d.source.fault == nil {
		d.source.hash.Sum(obj.ContentSHA256[:0])
	}
	if w.kind.records() {
		obj.Records, obj.Bad, obj.Foreign, obj.First, obj.Last = w.records, w.bad, w.foreign, w.first, w.last
	}
	return obj, nil
}
