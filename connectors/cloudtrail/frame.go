package cloudtrail

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
)

// window holds the part of the content that is being read: all of it from pos on that has been read so far.
type window struct {
	buf  []byte // padded with zero bytes after end
	pos  int
	end  int
	base int64 // offset of buf[0] in the content
	src  io.Reader
	eof  bool  // nothing comes after end
	err  error // of src
	step int   // bytes to read at a time, at least
}

// reset begins with the content that src reads. The buffer is lent out until hold or fill.
func (w *window) reset(src io.Reader) (buffer []byte) {
	if w.step == 0 {
		w.step = 64 << 10
	}
	w.pos, w.end, w.base, w.src, w.eof, w.err = 0, 0, 0, src, false, nil
	return w.buf
}

// hold takes content that is there as a whole, if it is not nil. pad bytes behind it are the window's.
func (w *window) hold(whole []byte) {
	if whole != nil {
		w.end, w.eof = len(whole), true
		w.buf = whole[:w.end+pad]
		clear(w.buf[w.end:])
	}
}

// fill reads until it holds more than most bytes, from the start of the content, and reports whether that is all of it.
func (w *window) fill(most int64) bool {
	for int64(w.end) <= most && !w.eof {
		w.read(int(min(int64(max(w.step, w.end)), most+1-int64(w.end))))
	}
	return w.eof
}

// shrink lets go of a buffer that only a large object needed.
func (w *window) shrink() {
	w.src = nil
	if cap(w.buf) > 16<<20 {
		w.buf = nil
	}
}

// rewind goes back to the start of content that is held as a whole.
func (w *window) rewind() { w.pos = 0 }

// bytes is what a scanner may read: the content up to end, and the padding.
func (w *window) bytes() []byte { return w.buf[:w.end+pad] }

func (w *window) offset() int64 { return w.base + int64(w.pos) }

// more reads more content and reports whether any came: at least as much as there is after pos, so that scanning something
// long again and again takes linear time. What is before pos may go.
func (w *window) more() bool {
	if w.eof {
		return false
	}
	if w.pos > 0 && w.pos >= w.end/2 {
		copy(w.buf, w.buf[w.pos:w.end])
		w.base += int64(w.pos)
		w.end -= w.pos
		w.pos = 0
	}
	from := w.end
	w.read(max(w.step, w.end-w.pos))
	return w.end > from
}

// read reads at least so many bytes, unless the content ends.
func (w *window) read(least int) {
	if w.end+least+pad > len(w.buf) {
		next := make([]byte, w.end+least+pad)
		copy(next, w.buf[:w.end])
		w.buf = next
	}
	from := w.end
	for w.end-from < least && !w.eof {
		n, err := w.src.Read(w.buf[w.end : len(w.buf)-pad])
		w.end += n
		if err != nil {
			w.eof = true
			if err != io.EOF {
				w.err = err
			}
		}
	}
	clear(w.buf[w.end : w.end+pad])
}

// peek skips white space and returns the byte at pos; ok is false at the end of the content.
func (w *window) peek() (c byte, ok bool) {
	for {
		for ; w.pos < w.end; w.pos++ {
			switch c := w.buf[w.pos]; c {
			case ' ', '\t', '\n', '\r':
			default:
				return c, true
			}
		}
		if !w.more() {
			return 0, false
		}
	}
}

// walk goes through the content once. Without rows it only checks.
type walk struct {
	*decoder
	path    []byte
	byName  Kind
	rows    *Rows
	full    func() error
	large   bool // rows may take any size; full empties them
	salvage bool // keep what can be salvaged

	kind      Kind // of the object, in the end
	records   int64
	byTable   [len(tables)]int64
	network   int64 // records of network activity
	array     bool  // the content is an array
	container bool  // the content has a Records array
	place     place // where the value at hand stands
	env       envelope
	text      []byte // at hand, of a record that is written as text; padded
	foreign   int64  // messages that are no records
	event     bool   // something looks like an event
	digest    bool   // something looks like a digest
	bad       []BadRecord
	badBytes  int64
	timed     bool
	first     int64
	last      int64
	salvaged  [][]byte
	kept      int64    // bytes of salvaged
	alike     []uint32 // records by the hash of their time and id, once there are many
	checked   int64    // offset at the last look at the memory
	size      int64    // of rows at the start, or at the last call of full
}

// Bounds of what is kept of bad records and of salvaged ones, so that an object cannot fill the memory.
const (
	mostBad      = 10_000
	mostBadBytes = 64 << 20
	mostSalvage  = 16 << 20
	rowOverhead  = 256 // what a row costs beside its text
	// Records with one time and id are compared with each other, and so are in memory together. No trail has many of them in one object.
	mostAlike = 100_000
)

var alikeSeed = maphash.MakeSeed()

// run reads the content and decides what it is.
func (w *walk) run() error {
	if w.rows != nil {
		w.size = w.rows.Bytes()
		if w.size > mostRows {
			return errTooMany
		}
	}
	err := w.document()
	if w.win.err != nil {
		return w.win.err
	}
	trail := w.container || w.event
	if isObjectError(err) && !trail && !w.byName.records() {
		err = nil // whatever it is, CloudTrail did not write it
	}
	objects := w.records > int64(len(w.bad))
	switch {
	case err != nil:
		return err
	case trail, w.array && w.byName.records() && (objects || w.records == 0):
		w.kind = w.recordKind()
	case w.digest, w.byName == KindDigest:
		w.kind = KindDigest
	case w.byName.records():
		w.salvaged = nil
		return &ObjectError{Reason: "no Records array"}
	}
	return nil
}

// recordKind is the kind that the records show, or the name where they leave it open.
func (w *walk) recordKind() Kind {
	switch n := w.records - int64(len(w.bad)); {
	case n == 0 && w.byName.records():
		return w.byName
	case n == 0:
		return KindLog
	case w.byTable[insights.index] == n:
		return KindInsight
	case w.byTable[aggregated.index] == n:
		return KindAggregated
	case w.network == n:
		return KindNetwork
	}
	return KindLog
}

// errLarge says that the rows of an object that is held in memory take too much of it.
var errLarge = errors.New("rows over the limit")

var errTooMany = fmt.Errorf("decoded rows hold over %d MiB: take them out with Flush first", mostRows>>20)

func (w *walk) fault(at int, reason string, err error) *ObjectError {
	return &ObjectError{Reason: reason, Offset: w.win.base + int64(at), Err: err}
}

// scanFault makes an error of the object out of what the scanner found.
func (w *walk) scanFault(reason string) *ObjectError {
	f := w.reader.fault
	if f.deep {
		return w.fault(f.at, f.why, nil)
	}
	return w.fault(f.at, reason, errors.New(f.why))
}

// document reads the whole content.
func (w *walk) document() error {
	for w.win.end < 3 && w.win.more() {
	}
	if bytes.HasPrefix(w.win.buf[w.win.pos:w.win.end], []byte("\xEF\xBB\xBF")) {
		w.win.pos += 3
	}
	c, ok := w.win.peek()
	switch {
	case !ok:
		return w.fault(w.win.pos, "no JSON", errors.New("the content is empty"))
	case c == '[':
		w.array, w.place = true, inOuter
		w.win.pos++
		if err := w.elements(); err != nil {
			return err
		}
		return w.tail()
	case c == '{':
		found, err := w.wrapper()
		if err != nil {
			return err
		}
		if w.container {
			return w.tail()
		}
		w.place = inOuter
		return w.sequence(found)
	case w.stamped():
		w.place = inBatch
		return w.lines()
	}
	if n := w.csvHeader(); n >= 0 {
		w.place = inTable
		return w.table(n)
	}
	w.place = inOuter
	return w.sequence(false)
}

// tail checks that nothing follows the document.
func (w *walk) tail() error {
	if _, ok := w.win.peek(); ok {
		return w.fault(w.win.pos, "bytes after the end", errors.New("the JSON document is followed by other bytes"))
	}
	return nil
}

// again reports whether a scan must run again with more content, because it came to index at, the end of what there was.
func (w *walk) again(at int) (bool, error) {
	if at < w.win.end || w.win.eof {
		return false, nil
	}
	if int64(w.win.end-w.win.pos) > w.limits.Record {
		return false, w.tooLong()
	}
	w.win.more()
	return true, nil
}

func (w *walk) tooLong() *ObjectError {
	limit := fmt.Sprintf("%d bytes", w.limits.Record)
	if w.limits.Record >= 1<<20 {
		limit = fmt.Sprintf("%d MiB", w.limits.Record>>20)
	}
	return w.fault(w.win.pos, "record over "+limit, nil)
}

// wrapper reads an object as far as needed to find arrays of records or of what holds them, and reads those.
// Without one it leaves the position at the object and reports false: the object, or what follows it, may be records itself; env is
// what it shows.
func (w *walk) wrapper() (found bool, err error) {
	s := &w.reader.scanner
	at := 1 // of the next member, from the window's position: the object's start, until an array of records is found
	w.env = envelope{}
	for first := true; ; first = false {
		var m member
		for again := true; again; {
			s.b = w.win.bytes()
			m = w.member(w.win.pos+at, first)
			reached := m.end
			if m.end < 0 {
				reached = s.fault.at
			}
			if again, err = w.again(reached); err != nil {
				return found, err
			}
		}
		w.env.base = w.win.pos
		switch {
		case m.end < 0 && found:
			return true, w.scanFault("broken JSON around the records")
		case m.end < 0:
			return false, nil
		case m.array:
			found = true
			outer := w.place
			w.place, w.container = m.place, w.container || m.place == inRecords
			w.win.pos = m.end
			if err := w.elements(); err != nil {
				return true, err
			}
			w.place = outer
			c, ok := w.win.peek()
			if !ok || c != ',' && c != '}' {
				return true, w.fault(w.win.pos, "broken JSON around the records", nil)
			}
			w.win.pos++
			if c == '}' {
				return true, nil
			}
			at = 0
		case found:
			w.win.pos, at = m.end, 0
			if m.shut {
				return true, nil
			}
		case m.shut:
			w.env.note(s.b, m)
			w.env.complete, w.env.end = true, m.end-w.win.pos
			return false, nil
		default:
			w.env.note(s.b, m)
			at = m.end - w.win.pos
		}
	}
}

// member is a member of an object: its key's place, its value's, and the end, which is after the comma or bracket that follows, or -1.
type member struct {
	start, from, to, end int
	shut                 bool  // the object ends with it, or is empty
	array                bool  // end is inside of an array whose elements are to be read one by one
	place                place // of these
}

// member reads one member of an object from i.
func (w *walk) member(i int, first bool) member {
	s := &w.reader.scanner
	i = s.space(i)
	if first && s.b[i] == '}' {
		return member{end: i + 1, shut: true}
	}
	m := member{start: i}
	if m.from = s.key(i); m.from < 0 {
		return member{end: -1}
	}
	if s.b[m.from] == '[' {
		if m.place, m.array = w.holdsRecords(s.b[m.start:]); m.array {
			m.end = m.from + 1
			return m
		}
	}
	if m.to = s.value(m.from, 1); m.to < 0 {
		return member{end: -1}
	}
	i = s.space(m.to)
	switch s.b[i] {
	case ',':
		m.end = i + 1
	case '}':
		m.end, m.shut = i+1, true
	default:
		m.end = s.fail(i, "a comma or a closing bracket is missing")
	}
	return m
}

// elements reads the records of an array, from after its opening bracket to after its closing one.
func (w *walk) elements() error {
	if c, ok := w.win.peek(); ok && c == ']' {
		w.win.pos++
		return nil
	}
	for {
		if err := w.element(); err != nil {
			return err
		}
		c, ok := w.win.peek()
		switch {
		case !ok:
			return w.fault(w.win.pos, "truncated JSON", errors.New("the content ends among the records"))
		case c == ',':
			w.win.pos++
		case c == ']':
			w.win.pos++
			return nil
		default:
			return w.fault(w.win.pos, "broken JSON", errors.New("something stands between the records"))
		}
	}
}

// element reads one element of an array of records.
func (w *walk) element() error {
	w.win.peek()
	if w.place != inRecords {
		if done, err := w.outer(); done || err != nil {
			return err
		}
	}
	for {
		end := w.read()
		at := end
		if end < 0 {
			if at = w.reader.fault.at; w.reader.fault.deep {
				return w.scanFault("")
			}
		}
		if again, err := w.again(at); err != nil {
			return err
		} else if again {
			continue
		}
		if end >= 0 {
			return w.good(end)
		}
		// Not valid, or no object. Its end is where its brackets close.
		why := w.reader.fault.why
		s := &w.reader.scanner
		s.b = w.win.bytes()
		end = s.frame(w.win.pos)
		if end < 0 {
			at = s.fault.at
		} else {
			at = end
		}
		if again, err := w.again(at); err != nil {
			return err
		} else if again {
			continue
		}
		switch {
		case end < 0 && s.fault.at >= w.win.end || w.win.pos == w.win.end:
			return w.fault(w.win.end, "truncated JSON", errors.New("the content ends inside a record"))
		case end < 0:
			return w.scanFault("broken JSON")
		case end == w.win.pos:
			return w.fault(end, "broken JSON", errors.New("a record is missing"))
		}
		return w.spoilt(end, why)
	}
}

// read reads the value at the window's position as a record.
func (w *walk) read() int {
	b := w.win.bytes()
	if b[w.win.pos] == '{' {
		end := w.reader.read(b, w.win.pos)
		w.event = w.event || w.reader.event()
		return end
	}
	w.reader.b = b
	end := w.reader.value(w.win.pos, 1)
	if end < 0 || end >= w.win.end && !w.win.eof {
		return end
	}
	return w.reader.fail(w.win.pos, "no JSON object")
}

// sequence reads values that follow one another: JSON Lines, or simply one. More says that there was one before.
func (w *walk) sequence(more bool) error {
	objects := more
	for {
		if _, ok := w.win.peek(); !ok {
			break
		}
		if done, err := w.outer(); err != nil {
			return err
		} else if done {
			objects = true
			continue
		}
		var end int
		why := "no JSON object"
		for {
			end = w.read()
			at := end
			if end < 0 {
				if at = w.reader.fault.at; w.reader.fault.deep {
					return w.scanFault("")
				}
				why = w.reader.fault.why
			}
			again, err := w.again(at)
			if err != nil {
				return err
			}
			if !again {
				break
			}
		}
		if end >= 0 && w.win.buf[w.win.pos] == '{' {
			objects = true
			if err := w.good(end); err != nil {
				return err
			}
			continue
		}
		end, err := w.line()
		if err != nil {
			return err
		}
		if err := w.spoilt(end, why); err != nil {
			return err
		}
		if !objects && w.badBytes > w.limits.Record {
			break // a text of some other kind
		}
	}
	if !objects {
		bad := w.bad[0]
		return &ObjectError{Reason: "no JSON", Offset: bad.Offset, Err: errors.New(bad.Reason)}
	}
	return nil
}

// line returns the end of a line that is no JSON. A line that begins with a bracket takes with it the lines after it that do
// not, so that no inner object of a broken record passes for a record.
func (w *walk) line() (int, error) {
	from := w.win.pos
	object := w.win.buf[from] == '{'
	for i := 0; ; {
		b := w.win.buf[w.win.pos+i : w.win.end]
		n := bytes.IndexByte(b, '\n')
		if n >= 0 && (!object || n+1 < len(b)) {
			if i += n + 1; !object || b[n+1] == '{' {
				return w.win.pos + i - 1, nil
			}
			continue
		}
		if again, err := w.again(w.win.end); err != nil {
			return 0, err
		} else if !again {
			return w.win.end, nil
		}
	}
}

// good takes the record that ends at end and was read.
func (w *walk) good(end int) error { return w.keep(w.win.buf[w.win.pos:end], end) }

// keep takes the record that was read; the value that holds it ends at end.
func (w *walk) keep(raw []byte, end int) error {
	n := int64(len(raw))
	if n > w.limits.Record {
		return w.tooLong()
	}
	r := &w.reader
	w.digest = w.digest || r.digest()
	w.byTable[r.table.index]++
	if r.table == logs && string(r.texts[logs.category]) == "NetworkActivity" {
		w.network++
	}
	if w.records >= mostAlike {
		if err := w.tooMuchAlike(); err != nil {
			return err
		}
	}
	if w.salvage {
		if w.kept += n + rowOverhead; w.kept <= mostSalvage {
			w.salvaged = append(w.salvaged, bytes.Clone(raw))
		}
	}
	if w.rows != nil {
		if micros, ok := w.rows.add(&r.record, w.path, w.records); ok {
			if !w.timed {
				w.first, w.last, w.timed = micros, micros, true
			}
			w.first, w.last = min(w.first, micros), max(w.last, micros)
		}
	}
	w.records++
	w.win.pos = end
	if w.rows != nil && (w.records%256 == 0 || w.win.offset()-w.checked > 1<<20) {
		return w.measure()
	}
	return nil
}

// tooMuchAlike counts the record at hand among those that have the same time and id, or neither. The counts are of hashes, in a fixed number of places: few that are
// frequent are found, many that are rare do not matter.
func (w *walk) tooMuchAlike() error {
	if w.alike == nil {
		w.alike = make([]uint32, 1<<16)
	}
	r := &w.reader
	var h maphash.Hash
	h.SetSeed(alikeSeed)
	h.Write(r.texts[r.table.eventTime])
	h.WriteByte(0)
	if r.table.eventID >= 0 {
		h.Write(r.texts[r.table.eventID])
	}
	n := &w.alike[h.Sum64()%uint64(len(w.alike))]
	if *n++; *n > mostAlike {
		return w.fault(w.win.pos, fmt.Sprintf("over %d records with one time and id", mostAlike), nil)
	}
	return nil
}

// measure looks at the memory that the rows take.
func (w *walk) measure() error {
	w.checked = w.win.offset()
	size := w.rows.Bytes()
	switch {
	case w.full == nil:
	case !w.large && size-w.size > 2*w.limits.Memory:
		return errLarge
	case w.large && size-w.size > w.limits.Memory/4:
		if err := w.full(); err != nil {
			return err
		}
		size = w.rows.Bytes()
		w.size = size
	}
	if size > mostRows {
		return errTooMany
	}
	return nil
}

// spoilt takes the piece up to end as a record that is none.
func (w *walk) spoilt(end int, why string) error {
	if int64(end-w.win.pos) > w.limits.Record {
		return w.tooLong()
	}
	w.badBytes += int64(end - w.win.pos)
	if len(w.bad) == mostBad || w.badBytes > mostBadBytes {
		return w.fault(w.win.pos, "too many bad records", nil)
	}
	piece := bytes.TrimRight(w.win.buf[w.win.pos:end], " \t\r\n")
	w.bad = append(w.bad, BadRecord{Row: w.records, Offset: w.win.offset(), Reason: why, Bytes: bytes.Clone(piece)})
	w.records++
	w.win.pos = end
	return nil
}
