package cloudtrail

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"
)

// Beside {"Records":[…]}, records come one by one (a sequence, or an array) and inside of other things:
//
//	EventBridge     {"detail-type":"… via CloudTrail","source":"aws.…","detail":{record}}
//	LookupEvents    {"Events":[{"CloudTrailEvent":"record"}]}, or what stands in the array, or its texts alone
//	CloudWatch Logs {"logEvents":[{"message":"record"}]}, {"events":[…]}, or lines "2026-01-02T03:04:05.678Z record"
//	Lake            CSV with a column eventJson
//
// In a sequence or an array these may follow one another in any order. A text holds a record or an envelope of EventBridge. What is well
// formed and of no concern to CloudTrail (another event of the bus, a line of another log) is foreign: it is counted, and no record.

// envelope is what a JSON object shows of what may be inside of it.
type envelope struct {
	base     int // index of the object in the scanner's bytes
	complete bool
	end      int // of the object
	record   bool
	twice    string // a key that comes twice
	spans    [envelopeKeys]span
}

// span is a value's place from the object's start; to is 0 where the key is missing.
type span struct{ from, to int }

const (
	envelopeType = iota
	envelopeSource
	envelopeDetail
	envelopeLookup
	envelopeMessage
	envelopeTimestamp
	envelopeKeys
)

// note takes a member whose value was read.
func (e *envelope) note(b []byte, m member) {
	if m.to == 0 {
		return // of an empty object
	}
	key := b[m.start+1 : m.from]
	key = key[:max(bytes.IndexByte(key, '"'), 0)]
	var n int
	switch string(key) {
	case "detail-type":
		n = envelopeType
	case "source":
		n = envelopeSource
	case "detail":
		n = envelopeDetail
	case "CloudTrailEvent":
		n = envelopeLookup
	case "message":
		n = envelopeMessage
	case "timestamp":
		n = envelopeTimestamp
	case "eventVersion":
		e.record = true
		return
	default:
		return
	}
	if e.spans[n].to > 0 {
		e.twice = string(key)
	}
	e.spans[n] = span{m.from - e.base, m.to - e.base}
}

// holds reports whether key n has a value that begins with c.
func (e *envelope) holds(b []byte, n int, c byte) bool {
	return e.spans[n].to > 0 && b[e.base+e.spans[n].from] == c
}

// value returns the value of key n.
func (e *envelope) value(b []byte, n int) []byte {
	return b[e.base+e.spans[n].from : e.base+e.spans[n].to]
}

// bridged reports whether the object is an envelope of EventBridge.
func (e *envelope) bridged(b []byte) bool {
	return !e.record && e.holds(b, envelopeType, '"') && e.spans[envelopeDetail].to > 0
}

// place says what may stand where a value is read.
type place uint8

const (
	inRecords place = iota // a record: in a Records array
	inOuter                // a record, or something around records: in a sequence or an array at the top
	inBatch                // something around a record: in a batch of log or lookup events
	inTable                // a record as text: in a column
)

// holdsRecords returns the place that the elements of an array have, by its key and what follows, and whether they are to be read one by one.
func (w *walk) holdsRecords(key []byte) (place, bool) {
	switch {
	case bytes.HasPrefix(key, []byte(`"Records"`)):
		return inRecords, w.place == inRecords
	case w.env.record, w.place == inBatch, w.place == inTable:
	case bytes.HasPrefix(key, []byte(`"Events"`)), bytes.HasPrefix(key, []byte(`"logEvents"`)), bytes.HasPrefix(key, []byte(`"events"`)):
		return inBatch, true
	}
	return 0, false
}

var recordLead = []byte(`{"eventVersion"`)

// outer reads the value at the window's position if it is something around records. If it is to be read as a record, it reports
// false and leaves the position.
func (w *walk) outer() (done bool, err error) {
	switch b := w.win.bytes(); {
	case bytes.HasPrefix(b[w.win.pos:], recordLead):
		return false, nil
	case b[w.win.pos] == '{':
	case w.place == inBatch || b[w.win.pos] == '"':
		return w.outerText()
	default:
		return false, nil
	}
	if found, err := w.wrapper(); found || err != nil {
		return true, err
	}
	if !w.env.complete {
		return false, nil
	}
	b, e := w.win.bytes(), w.env
	e.base = w.win.pos
	end := e.base + e.end
	switch {
	case e.record:
		return false, nil
	case e.bridged(b):
		return true, w.bridge(b, &e, end)
	case e.holds(b, envelopeLookup, '"'):
		return true, w.quoted(b, &e, envelopeLookup, end)
	case e.holds(b, envelopeMessage, '"') && (w.place == inBatch || e.spans[envelopeTimestamp].to > 0):
		return true, w.quoted(b, &e, envelopeMessage, end)
	case w.place == inBatch:
		return true, w.other(end)
	}
	return false, nil
}

// outerText reads a string that may hold a record, or any other scalar or array in a batch.
func (w *walk) outerText() (bool, error) {
	s := &w.reader.scanner
	for {
		s.b = w.win.bytes()
		end := s.value(w.win.pos, 1)
		at := end
		if end < 0 {
			at = s.fault.at
		}
		if again, err := w.again(at); err != nil {
			return true, err
		} else if again {
			continue
		}
		switch text := s.b[w.win.pos:max(end, w.win.pos)]; {
		case end < 0:
			return false, nil // the usual way says what is wrong
		case text[0] == '"' && len(text) > 2 && text[1] == '{':
			return true, w.unquoted(text, end)
		case w.place == inBatch:
			return true, w.other(end)
		}
		return false, nil
	}
}

// bridge takes the record out of an envelope of EventBridge in b; the value at the window's position ends at end.
func (w *walk) bridge(b []byte, e *envelope, end int) error {
	kind := string(w.plain(e.value(b, envelopeType)))
	if !strings.HasSuffix(kind, " via CloudTrail") {
		return w.other(end)
	}
	w.event = true
	var source string
	if e.holds(b, envelopeSource, '"') {
		source = string(w.plain(e.value(b, envelopeSource)))
	}
	switch {
	case e.twice != "":
		return w.spoilt(end, e.twice+" comes twice")
	case !strings.HasPrefix(source, "aws.") || strings.HasPrefix(source, "aws.partner/"):
		// Of a customer's own events only the source, which must not begin so, tells that they are not from AWS.
		return w.spoilt(end, "envelope that does not come from AWS")
	case !e.holds(b, envelopeDetail, '{'):
		return w.spoilt(end, "envelope without a record")
	}
	from := e.base + e.spans[envelopeDetail].from
	to := w.reader.read(b, from)
	switch {
	case to < 0:
		return w.spoilt(end, w.reader.fault.why)
	case !w.reader.event():
		return w.spoilt(end, "envelope without a record")
	}
	return w.keep(b[from:to], end)
}

// plain returns the text of a string that stands in b with its quotes.
func (w *walk) plain(b []byte) []byte { return appendUnescaped(nil, b[1:len(b)-1], false) }

// quoted reads the text of key n of an envelope in the window.
func (w *walk) quoted(b []byte, e *envelope, n, end int) error {
	if e.twice != "" {
		return w.spoilt(end, e.twice+" comes twice")
	}
	return w.unquoted(e.value(b, n), end)
}

// unquoted reads a text that is written as a JSON string.
func (w *walk) unquoted(text []byte, end int) error {
	inside := text[1 : len(text)-1]
	w.text = appendUnescaped(w.text[:0], inside, false)
	if bytes.Contains(w.text, []byte("\uFFFD")) && (!utf8.Valid(inside) || loneSurrogate(inside)) {
		return w.broken(end, "text that is no Unicode")
	}
	return w.inner(end)
}

// loneSurrogate reports whether a string's inside has half a surrogate pair, which no text can hold.
func loneSurrogate(in []byte) bool {
	for i := 0; i < len(in); i++ {
		if in[i] != '\\' {
			continue
		}
		if i++; in[i] != 'u' {
			continue
		}
		switch r := fourHex(in[i+1:]); {
		case r>>10 == 0xDC00>>10:
			return true
		case r>>10 == 0xD800>>10:
			if i+11 > len(in) || in[i+5] != '\\' || in[i+6] != 'u' || fourHex(in[i+7:])>>10 != 0xDC00>>10 {
				return true
			}
			i += 6
		}
		i += 4
	}
	return false
}

// inner reads w.text, which stands in the value that ends at end.
func (w *walk) inner(end int) error {
	w.text = append(w.text, make([]byte, pad)...)
	b := w.text
	s := &w.reader.scanner
	s.b = b
	i := s.space(0)
	if b[i] != '{' {
		return w.other(end)
	}
	if !bytes.HasPrefix(b[i:], recordLead) {
		e, ok := w.members(i)
		switch {
		case !ok:
			return w.broken(end, s.fault.why)
		case s.space(e.base+e.end) < len(b)-pad:
			return w.broken(end, "something follows the record")
		case e.bridged(b):
			return w.bridge(b, &e, end)
		}
	}
	to := w.reader.read(b, i)
	if to < 0 {
		return w.broken(end, w.reader.fault.why)
	}
	s.b = b
	switch {
	case !w.reader.event() || notification(&w.reader):
		return w.other(end)
	case s.space(to) < len(b)-pad:
		return w.broken(end, "something follows the record")
	}
	w.event = true
	return w.keep(b[i:to], end)
}

// notification reports whether the record was none but a message of S3, SQS or another that has keys of the same names.
func notification(r *reader) bool {
	return r.table == logs && bytes.HasPrefix(r.texts[logSource], []byte("aws:"))
}

var logSource = logs.top.fields[logs.top.index([]byte("eventSource"))].slot

// members reads a whole object that starts at i of the scanner's bytes.
func (w *walk) members(i int) (envelope, bool) {
	place := w.place
	defer func() { w.place = place }()
	w.place = inTable // where no array is read by its elements
	e := envelope{base: i}
	for at, first := i+1, true; ; first = false {
		m := w.member(at, first)
		if m.end < 0 {
			return e, false
		}
		e.note(w.reader.b, m)
		if at = m.end; m.shut {
			e.complete, e.end = true, m.end-i
			return e, true
		}
	}
}

// broken takes a text that cannot be read: a record if it says so itself.
func (w *walk) broken(end int, why string) error {
	if w.place == inTable {
		return w.other(end)
	}
	if text := bytes.TrimLeft(w.text, " \t\r\n"); len(text) == 0 || text[0] != '{' || !bytes.Contains(text, []byte(`"eventVersion"`)) {
		return w.other(end)
	}
	w.event = true
	return w.spoilt(end, why)
}

// other leaves out what is of no concern to CloudTrail.
func (w *walk) other(end int) error {
	if w.place == inTable {
		w.event = true
		return w.spoilt(end, csvColumn+" that is no record")
	}
	w.foreign++
	w.win.pos = end
	return nil
}

// stamped reports whether the content begins with a line of an export of CloudWatch Logs.
func (w *walk) stamped() bool {
	for w.win.end-w.win.pos < 40 && w.win.more() {
	}
	return stampLength(w.win.buf[w.win.pos:w.win.end]) > 0
}

// lines reads an export of CloudWatch Logs: lines of a time, a space and a message.
func (w *walk) lines() error {
	for {
		for w.win.pos == w.win.end && w.win.more() {
		}
		if w.win.pos == w.win.end {
			return nil
		}
		end, err := w.lineEnd()
		if err != nil {
			return err
		}
		line := w.win.buf[w.win.pos:end]
		w.text = append(w.text[:0], line[stampLength(line):]...)
		switch {
		case len(bytes.TrimSpace(line)) == 0:
			w.win.pos = end
		case !utf8.Valid(w.text):
			err = w.broken(end, "text that is no Unicode")
		default:
			err = w.inner(end)
		}
		if err != nil {
			return err
		}
		if w.win.pos < w.win.end {
			w.win.pos++ // the line's end
		}
	}
}

// lineEnd returns the index of the end of the line at the window's position.
func (w *walk) lineEnd() (int, error) {
	for seen := 0; ; {
		rest := w.win.buf[w.win.pos:w.win.end]
		if n := bytes.IndexByte(rest[seen:], '\n'); n >= 0 {
			return w.win.pos + seen + n, nil
		}
		seen = len(rest)
		if again, err := w.again(w.win.end); err != nil {
			return 0, err
		} else if !again {
			return w.win.end, nil
		}
	}
}

// stampLength returns the length of a line's time and the space after it, 0 if it does not begin with one.
func stampLength(line []byte) int {
	const form = "0000-00-00T00:00:00"
	if len(line) <= len(form) {
		return 0
	}
	for i := range len(form) {
		if c := line[i]; form[i] == '0' && (c < '0' || c > '9') || form[i] != '0' && c != form[i] {
			return 0
		}
	}
	i := len(form)
	if line[i] == '.' {
		for i++; i < len(line) && line[i] >= '0' && line[i] <= '9'; i++ {
		}
	}
	if i+1 < len(line) && line[i] == 'Z' && line[i+1] == ' ' {
		return i + 2
	}
	return 0
}

// csvColumn is the column of a query's result that has the record.
const csvColumn = "eventJson"

// csvRow splits the row at the window's position. Fields are as they stand there, with their quotes. The row ends at end, which is
// before the line's end.
func (w *walk) csvRow() (fields []span, end int, err error) {
	for {
		b, i := w.win.bytes(), w.win.pos
		fields = fields[:0]
		fault := -1
		for {
			from := i
			if b[i] == '"' {
				for i++; i < w.win.end; i++ {
					if b[i] == '"' {
						if b[i+1] != '"' {
							break
						}
						i++
					}
				}
				if i++; i > w.win.end {
					i = w.win.end
					fault = from
				}
			}
			for i < w.win.end && b[i] != ',' && b[i] != '\n' && b[i] != '\r' {
				i++
			}
			fields = append(fields, span{from - w.win.pos, i - w.win.pos})
			if i == w.win.end || b[i] != ',' {
				break
			}
			i++
		}
		again, err := w.again(i)
		switch {
		case err != nil:
			return nil, 0, err
		case again:
			continue
		case fault >= 0:
			return nil, 0, w.fault(fault, "truncated CSV", errors.New("the content ends inside a quoted field"))
		}
		return fields, i, nil
	}
}

// field appends the text of a field.
func (w *walk) field(dst []byte, f span) []byte {
	b := w.win.buf[w.win.pos+f.from : w.win.pos+f.to]
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return append(dst, b...)
	}
	b = b[1 : len(b)-1]
	for {
		n := bytes.Index(b, []byte(`""`))
		if n < 0 {
			return append(dst, b...)
		}
		dst = append(dst, b[:n+1]...)
		b = b[n+2:]
	}
}

// mostHeader bounds what is looked at to see whether the content begins with a line of column names.
const mostHeader = 64 << 10

// csvHeader returns the ordinal of the column with the record, -1 if the content is no such table.
func (w *walk) csvHeader() int {
	for w.win.end-w.win.pos < mostHeader && bytes.IndexByte(w.win.buf[w.win.pos:w.win.end], '\n') < 0 && w.win.more() {
	}
	line := w.win.buf[w.win.pos:min(w.win.end, w.win.pos+mostHeader)]
	line, _, _ = bytes.Cut(line, []byte("\n"))
	for n, name := range bytes.Split(bytes.TrimRight(line, "\r"), []byte(",")) {
		if strings.EqualFold(strings.Trim(string(name), `"`), csvColumn) {
			return n
		}
	}
	return -1
}

// table reads the result of a query: CSV whose column number n has the records.
func (w *walk) table(n int) error {
	for header := true; ; header = false {
		if _, ok := w.win.peek(); !ok {
			return nil
		}
		fields, end, err := w.csvRow()
		switch {
		case err != nil:
			return err
		case header:
			w.win.pos = end
		case n >= len(fields):
			err = w.other(end)
		default:
			w.text = w.field(w.text[:0], fields[n])
			if utf8.Valid(w.text) {
				err = w.inner(end)
			} else {
				err = w.broken(end, "text that is no Unicode")
			}
		}
		if err != nil {
			return err
		}
	}
}
