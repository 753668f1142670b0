package parquetio

import (
	"encoding/binary"
	"fmt"
)

// thriftReader reads Thrift's compact protocol, in which Parquet stores its metadata
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md). It reads strangers' bytes: every
// length is checked against what is left, and after the first fault all reads give zeros, so that loops end and callers
// look at err once.
type thriftReader struct {
	data  []byte
	at    int
	err   error
	depth int
}

// The types of the compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

func (r *thriftReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("metadata at byte %d: "+format, append([]any{r.at}, args...)...)
	}
	r.at = len(r.data)
}

func (r *thriftReader) byte() byte {
	if r.at >= len(r.data) {
		r.fail("cut off")
		return 0
	}
	r.at++
	return r.data[r.at-1]
}

func (r *thriftReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data[r.at:])
	if n <= 0 {
		r.fail("bad number")
		return 0
	}
	r.at += n
	return v
}

// int reads an i16, i32 or i64.
func (r *thriftReader) int() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// bytes shares the reader's memory.
func (r *thriftReader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.data)-r.at) {
		r.fail("%d bytes announced, %d left", n, len(r.data)-r.at)
		return nil
	}
	r.at += int(n)
	return r.data[r.at-int(n) : r.at : r.at]
}

// fields calls visit for each field of a struct; visit consumes the value or calls skip.
func (r *thriftReader) fields(visit func(id int16, kind byte)) {
	if r.depth++; r.depth > 32 {
		r.fail("nested too deeply")
	}
	id := int16(0)
	for r.err == nil {
		head := r.byte()
		if head == 0 {
			break
		}
		kind := head & 15
		if delta := head >> 4; delta != 0 {
			id += int16(delta)
		} else {
			id = int16(r.int())
		}
		visit(id, kind)
	}
	r.depth--
}

// list calls visit for each element; visit consumes it. The number announced is not trusted for memory: an element has at
// least one byte, so it is at most what is left.
func (r *thriftReader) list(visit func(i int, kind byte)) {
	head := r.byte()
	n := uint64(head >> 4)
	if n == 15 {
		n = r.uvarint()
	}
	if n > uint64(len(r.data)-r.at) {
		r.fail("%d elements announced, %d bytes left", n, len(r.data)-r.at)
	}
	for i := 0; i < int(n) && r.err == nil; i++ {
		visit(i, head&15)
	}
}

// bool reads the value of a boolean field, which stands in its type.
func (r *thriftReader) bool(kind byte) bool { return kind == thriftTrue }

func (r *thriftReader) skip(kind byte) {
	switch kind {
	case thriftTrue, thriftFalse:
	case thriftByte:
		r.byte()
	case thriftI16, thriftI32, thriftI64:
		r.uvarint()
	case thriftDouble:
		r.skipBytes(8)
	case thriftBinary:
		r.bytes()
	case thriftList, thriftSet:
		r.list(func(_ int, kind byte) { r.skipElement(kind) })
	case thriftMap:
		if n := r.uvarint(); n > 0 {
			kinds := r.byte()
			for i := uint64(0); i < n && r.err == nil; i++ {
				r.skipElement(kinds >> 4)
				r.skipElement(kinds & 15)
			}
		}
	case thriftStruct:
		r.fields(func(_ int16, kind byte) { r.skip(kind) })
	default:
		r.fail("unknown type %d", kind)
	}
}

// skipElement skips an element of a list or map: there a boolean has a byte of its own.
func (r *thriftReader) skipElement(kind byte) {
	if kind == thriftTrue || kind == thriftFalse {
		kind = thriftByte
	}
	if r.depth++; r.depth > 32 {
		r.fail("nested too deeply")
	}
	r.skip(kind)
	r.depth--
}

func (r *thriftReader) skipBytes(n int) {
	if n > len(r.data)-r.at {
		r.fail("cut off")
		return
	}
	r.at += n
}
