package cloudtrail

import (
	"bytes"
	"encoding/base64"
	"math/bits"
	"unicode/utf8"
)

// record is one record in the form of columns. Byte slices are valid until the next read and never written to.
type record struct {
	table   *table
	texts   [][]byte // by slot; nil is NULL
	present []bool   // by slot: rows, lists and maps that are not NULL
	list    [][]byte // resources: the texts of each element, one after the other
	mapping [][]byte // keys and values in turn
	shape   []byte
	rest    []byte
	blocks  [mostBlocks]*kept // by block: where its texts were taken from, and what it is; nil: nothing that is kept

	accountKey bool // the record has the key that gives its account
}

func (r *record) reset(t *table) {
	r.table = t
	if cap(r.texts) < t.texts {
		r.texts = make([][]byte, t.texts)
	}
	if cap(r.present) < t.present {
		r.present = make([]bool, t.present)
	}
	r.texts, r.present = r.texts[:t.texts], r.present[:t.present]
	clear(r.texts)
	clear(r.present)
	clear(r.blocks[:])
	r.list, r.mapping, r.shape, r.rest = r.list[:0], r.mapping[:0], r.shape[:0], r.rest[:0]
}

// account returns the account that the record belongs to, nil if it names none: what the record gives as its recipient, and
// only where it has no such key (old versions) the caller's account.
func (r *record) account() []byte {
	id := r.texts[r.table.account]
	if !r.accountKey && r.table.otherAccount >= 0 {
		id = r.texts[r.table.otherAccount]
	}
	if !isAccount(id) {
		return nil
	}
	return id
}

// mostBlocks is the most blocks that a table has.
const mostBlocks = 2

// mostShape bounds a shape; a record with a longer one is kept whole in _rest.
const mostShape = 1 << 10

// mostElements bounds the list column: far more than any event has, and little memory even if each is {}.
const mostElements = 4096

// mostMapping bounds the entries of a map column, whose keys must be compared with each other.
const mostMapping = 64

// reader reads records from their JSON text.
type reader struct {
	scanner
	record
	top   uint64      // bits of the known top-level keys that were seen
	guess [][64]uint8 // by object and known key before: index plus one of the key that came after it last time
	canon []byte      // canonical text of the record, if it came in another form; padded
	arena []byte      // texts of strings that had escapes
	back  rebuilder
	text  []byte // of the record, canonical
	kept  [mostBlocks][]*kept
	anew  bool // every block is read anew: the slow way, for tests
}

// shrink lets go of buffers that only a large record needed.
func (r *reader) shrink() {
	for _, b := range []*[]byte{&r.canon, &r.arena, &r.rest, &r.back.out, &r.back.rest.b} {
		if cap(*b) > 1<<20 {
			*b = nil
		}
	}
	r.b, r.text = nil, nil
	clear(r.texts)
	clear(r.blocks[:])
	clear(r.list[:cap(r.list)])
	clear(r.mapping[:cap(r.mapping)])
}

// scan reads the record that starts at i, a '{', by the keys of table t.
func (r *reader) scan(t *table, b []byte, i int) int {
	r.b, r.loose, r.high, r.top = b, false, false, 0
	r.arena = r.arena[:0]
	if r.guess == nil {
		r.guess = make([][64]uint8, objects)
	}
	r.record.reset(t)
	r.rest = append(r.rest, '{')
	return r.object(t.top, i, 1, r.texts)
}

// object reads an object with known keys, nested in depth-1 others, into texts and the other slots of the record.
func (r *reader) object(o *object, i, depth int, texts [][]byte) int {
	if depth > r.depth {
		return r.tooDeep(i)
	}
	var seen uint64
	i = r.space(i + 1)
	if r.b[i] == '}' {
		return i + 1
	}
	guess := &r.guess[o.number]
	last := uint8(0) // known key: its index plus one
	for {
		start := i
		var f *field
		// Keys mostly come in the order of the record before.
		if g := guess[last]; g > 0 && seen&(1<<(g-1)) == 0 && bytes.HasPrefix(r.b[i:], o.fields[g-1].lead) {
			f, last = o.fields[g-1], g
			seen |= 1 << (g - 1)
			i = r.space(i + len(f.lead))
		} else {
			if r.b[i] != '"' {
				return r.fail(i, "a key is missing")
			}
			if i = r.str(i); i < 0 {
				return -1
			}
			end := i
			i = r.space(i)
			if r.b[i] != ':' {
				return r.fail(i, "a colon is missing")
			}
			i = r.space(i + 1)
			if n := o.index(r.b[start+1 : end-1]); n >= 0 {
				if bit := uint64(1) << n; seen&bit == 0 {
					seen |= bit
					f = o.fields[n]
					guess[last] = uint8(n + 1)
					last = uint8(n + 1)
				}
			}
		}
		if depth == 1 {
			r.top = seen
		}
		if i = r.member(f, start, i, depth, texts); i < 0 {
			return -1
		}

		i = r.space(i)
		switch r.b[i] {
		case ',':
			i = r.space(i + 1)
		case '}':
			return i + 1
		default:
			return r.fail(i, "a comma or a closing bracket is missing")
		}
	}
}

// member reads the value at i of the member that starts at start. Field f is nil if the key is unknown or came before.
func (r *reader) member(f *field, start, i, depth int, texts [][]byte) int {
	if f == nil || f.form == noColumn {
		return r.unknown(start, i, depth)
	}
	c := r.b[i]
	if c == 'n' {
		r.shape = append(r.shape, f.id, shapeNull)
		return r.literal(i, "null")
	}
	switch f.form {
	case asText, asJSON:
		r.shape = append(r.shape, f.id)
		if c != '"' {
			if f.form == asText {
				r.shape = append(r.shape, shapeToken)
			}
			end := r.value(i, depth)
			if end >= 0 {
				texts[f.slot] = r.b[i:end]
			}
			return end
		}
		if f.form == asJSON {
			r.shape = append(r.shape, shapeString)
		}
		end := r.str(i)
		if end >= 0 {
			texts[f.slot] = r.unescaped(i+1, end-1)
		}
		return end
	case asRow:
		if c != '{' {
			break
		}
		if f.block > 0 && !r.anew {
			if end := r.repeated(r.table.blocks[f.block-1], i, depth); end != notKept {
				return end
			}
		}
		r.shape = append(r.shape, f.id, '(')
		mark := r.openRest(start, i, '{')
		if i = r.object(f.sub, i, depth+1, texts); i < 0 {
			return -1
		}
		r.present[f.slot] = true
		r.closeRest(mark, '}')
		r.shape = append(r.shape, ')')
		return i
	case asList:
		if end := r.elements(f, start, i, depth); end != notKept {
			return end
		}
	case asMap:
		if end := r.entries(f, i, depth); end != notKept {
			return end
		}
	}
	return r.unknown(start, i, depth)
}

// notKept says that a value does not fit its column, which is left as it was.
const notKept = -2

// unescaped returns the text of the string that str has just read.
func (r *reader) unescaped(from, to int) []byte {
	if !r.esc {
		return r.b[from:to]
	}
	n := len(r.arena)
	r.arena = appendUnescaped(r.arena, r.b[from:to], false)
	return r.arena[n:len(r.arena):len(r.arena)]
}

// unknown keeps a member in the rest.
func (r *reader) unknown(start, i, depth int) int {
	end := r.value(i, depth)
	if end < 0 {
		return -1
	}
	r.shape = append(r.shape, shapeUnknown)
	r.commaRest()
	r.rest = append(r.rest, r.b[start:end]...)
	return end
}

func (r *reader) commaRest() {
	if c := r.rest[len(r.rest)-1]; c != '{' && c != '[' {
		r.rest = append(r.rest, ',')
	}
}

// restMark is where the rest stood before something was opened in it, and after.
type restMark struct{ before, after int }

// openRest opens a place in the rest for what is unknown below the member that starts at start; with no key if start is i.
func (r *reader) openRest(start, i int, bracket byte) restMark {
	m := restMark{before: len(r.rest)}
	r.commaRest()
	r.rest = append(r.rest, r.b[start:i]...)
	r.rest = append(r.rest, bracket)
	m.after = len(r.rest)
	return m
}

// closeRest closes the place, or takes it back if nothing came.
func (r *reader) closeRest(m restMark, bracket byte) {
	if len(r.rest) == m.after {
		r.rest = r.rest[:m.before]
		return
	}
	r.rest = append(r.rest, bracket)
}

// elements reads an array of objects, or a single object in its place, into the record's list.
func (r *reader) elements(f *field, start, i, depth int) int {
	shape := len(r.shape)
	mark := r.openRest(start, i, '[')
	r.shape = append(r.shape, f.id)
	switch r.b[i] {
	case '{':
		r.shape = append(r.shape, '(')
		if i = r.element(f.sub, i, depth+1); i < 0 {
			return -1
		}
		r.shape = append(r.shape, ')')
	case '[':
		if depth >= r.depth {
			return r.tooDeep(i)
		}
		if i = r.array(f.sub, i, depth+1); i == -1 {
			return -1
		}
	default:
		i = notKept
	}
	if i == notKept {
		r.rest, r.shape, r.list = r.rest[:mark.before], r.shape[:shape], r.list[:0]
		return notKept
	}
	r.present[f.slot] = true
	r.closeRest(mark, ']')
	return i
}

// array reads the elements of an array from its opening bracket.
func (r *reader) array(o *object, i, depth int) int {
	r.shape = append(r.shape, '[')
	first := len(r.shape)
	same := first // the first element's shape is shape[first:same]
	mixed := false
	i = r.space(i + 1)
	for n := 0; r.b[i] != ']' || n > 0; n++ {
		if r.b[i] != '{' || n == mostElements {
			return notKept
		}
		from := len(r.shape)
		if i = r.element(o, i, depth); i < 0 {
			return -1
		}
		switch {
		case n == 0:
			same = len(r.shape)
		case !mixed && bytes.Equal(r.shape[first:same], r.shape[from:]):
			r.shape = r.shape[:from]
		default:
			own := bytes.Clone(r.shape[from:])
			r.shape = r.shape[:from]
			if !mixed {
				// From here on each element needs its own shape: spell out those that were shared.
				for range n - 1 {
					r.shape = append(r.shape, ';')
					r.shape = append(r.shape, r.shape[first:same]...)
				}
			}
			mixed = true
			r.shape = append(r.shape, ';')
			r.shape = append(r.shape, own...)
		}
		i = r.space(i)
		if r.b[i] == ']' {
			break
		}
		if r.b[i] != ',' {
			return r.fail(i, "a comma or a closing bracket is missing")
		}
		i = r.space(i + 1)
	}
	r.shape = append(r.shape, ']')
	return i + 1
}

// element reads one element of the list.
func (r *reader) element(o *object, i, depth int) int {
	n := len(r.list)
	for range o.fields {
		r.list = append(r.list, nil)
	}
	mark := r.openRest(i, i, '{')
	i = r.object(o, i, depth+1, r.list[n:])
	r.closeRest(mark, '}')
	return i
}

// entries reads an object whose values are all strings into the record's mapping.
func (r *reader) entries(f *field, i, depth int) int {
	if r.b[i] != '{' {
		return notKept
	}
	if depth >= r.depth {
		return r.tooDeep(i)
	}
	i = r.space(i + 1)
	for n := 0; r.b[i] != '}' || n > 0; n++ {
		if i = r.entry(i, n); i < 0 {
			if i == notKept {
				r.mapping = r.mapping[:0]
			}
			return i
		}
		if r.b[i] == '}' {
			break
		}
		i = r.space(i + 1)
	}
	r.present[f.slot] = true
	r.shape = append(r.shape, f.id)
	return i + 1
}

// entry reads entry n of a mapping, up to the comma or bracket after it.
func (r *reader) entry(i, n int) int {
	if r.b[i] != '"' || n == mostMapping {
		return notKept
	}
	start := i
	if i = r.str(i); i < 0 {
		return -1
	}
	key := r.unescaped(start+1, i-1)
	for k := 0; k < len(r.mapping); k += 2 {
		if bytes.Equal(r.mapping[k], key) {
			return notKept
		}
	}
	if i = r.space(i); r.b[i] != ':' {
		return notKept
	}
	if i = r.space(i + 1); r.b[i] != '"' {
		return notKept
	}
	start = i
	if i = r.str(i); i < 0 {
		return -1
	}
	r.mapping = append(r.mapping, key, r.unescaped(start+1, i-1))
	if i = r.space(i); r.b[i] != ',' && r.b[i] != '}' {
		return notKept
	}
	return i
}

// read reads the record that starts at b[i], a '{', and returns the index after it, or -1 with a fault. Afterwards r holds the
// record's columns, for the table that it belongs to.
func (r *reader) read(b []byte, i int) int {
	end := r.scan(logs, b, i)
	if end < 0 {
		return -1
	}
	raw := b[i:end]
	r.text = raw
	valid := !r.high || utf8.Valid(raw)
	if r.loose || !valid {
		r.canon = appendCanonical(r.canon[:0], raw)
		r.text = r.canon
		r.canon = append(r.canon, make([]byte, pad)...)
		b, i = r.canon, 0
		r.scan(logs, b, i)
	}
	top := r.top
	if t := r.belongs(); t != logs {
		r.scan(t, b, i)
		r.top = top
	}
	r.accountKey = r.top&hasAccount != 0
	r.finish()
	switch {
	case !valid:
		r.shape = append(r.shape[:0], shapeBytes...)
		r.rest = append(r.rest[:0], '"')
		r.rest = base64.StdEncoding.AppendEncode(r.rest, raw)
		r.rest = append(r.rest, '"')
	case len(r.shape) > mostShape || !r.rebuilds():
		r.shape = append(r.shape[:0], shapeWhole...)
		r.rest = append(r.rest[:0], r.text...)
	}
	return end
}

// finish closes the rest.
func (r *reader) finish() {
	if len(r.rest) == 1 {
		r.rest = r.rest[:0] // nothing came: NULL
		return
	}
	r.rest = append(r.rest, '}')
}

// rebuilds reports whether the columns give back the record.
func (r *reader) rebuilds() bool { return r.back.equals(r.text, &r.record) }

// The bits that top-level keys have in reader.top.
var (
	hasVersion        = topBit("eventVersion")
	hasTime           = topBit("eventTime")
	hasName           = topBit("eventName")
	hasID             = topBit("eventID")
	hasSource         = topBit("eventSource")
	hasAccount        = topBit("recipientAccountId")
	hasInsightDetails = topBit(keyInsightDetails)
	hasOtherID        = topBit(keyOtherID)
	hasTimeWindow     = topBit(keyTimeWindow)
	hasDigestStart    = topBit(keyDigestStart)
	hasDigestObject   = topBit(keyDigestObject)
)

func topBit(key string) uint64 { return 1 << logs.top.index([]byte(key)) }

// belongs returns the table that the record belongs to, once it was scanned as one of logs.
func (r *reader) belongs() *table {
	switch category := r.texts[logs.category]; {
	case string(category) == "Insight" || r.top&hasInsightDetails != 0:
		return insights
	case string(category) == "Aggregated" || r.top&(hasID|hasOtherID|hasTimeWindow) == hasOtherID|hasTimeWindow:
		return aggregated
	}
	return logs
}

// event reports whether the record looks like an event of CloudTrail: it has a version, or two of the other keys that all have.
func (r *reader) event() bool {
	return r.top&hasVersion != 0 || bits.OnesCount64(r.top&(hasTime|hasName|hasID|hasSource)) >= 2
}

// digest reports whether the record is a log file validation digest.
func (r *reader) digest() bool {
	return r.top&hasDigestStart != 0 && r.top&hasDigestObject != 0
}
