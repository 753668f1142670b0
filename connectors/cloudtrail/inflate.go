package cloudtrail

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// inflater unpacks gzip that lies in memory as a whole, which most objects do: several times as fast as a reader that must be able to
// stop anywhere. It takes nothing for good but one whole member with nothing after it, whose checksum and size are right. What it does
// not take is read again by a reader that can say what is wrong.
//
// The formats are those of RFC 1951 and RFC 1952.
type inflater struct {
	src  []byte // with inflatePad bytes behind it
	in   int
	bits uint64 // read from src and not used yet, the lowest first
	n    uint   // of them
	dst  []byte // with inflateSlack bytes behind it
	out  int

	literals  [1<<literalBits + 288<<(longestCode-literalBits)]uint32
	distances [1<<distanceBits + 32<<(longestCode-distanceBits)]uint32
	long      [1 << literalBits]uint16 // of codes longer than a table's bits, by their first bits: where the rest is looked up
	lengths   [288 + 32]uint8          // of the codes of a block
}

const (
	inflatePad   = 16
	inflateSlack = longestMatch + 32
	longestMatch = 258
	longestCode  = 15
	literalBits  = 10 // looked up at once
	distanceBits = 8
	gzipTail     = 8
)

// An entry of a table: the bits that the code takes, what it is, the bits that follow it, and the literal, the base of a length or
// distance, or where the table goes on for longer codes.
const (
	entryBits    = 0x1F
	isLength     = 1 << 5 // or distance
	isEnd        = 1 << 6
	isLong       = 1 << 7
	isWrong      = 1 << 8
	isNoLiteral  = isLength | isEnd | isLong | isWrong
	entryExtra   = 9 // shift; 4 bits
	entryValue   = 16
	entryExtraOf = 0xF
)

var literalEntries, distanceEntries = entries()

func entries() (literals [288]uint32, distances [32]uint32) {
	for i := range literals {
		literals[i] = isWrong
	}
	for i := range distances {
		distances[i] = isWrong
	}
	for i := range 256 {
		literals[i] = uint32(i) << entryValue
	}
	literals[256] = isEnd
	base := uint32(3)
	for i := range uint32(28) {
		extra := max(i/4, 1) - 1
		literals[257+i] = isLength | extra<<entryExtra | base<<entryValue
		base += 1 << extra
	}
	literals[285] = isLength | longestMatch<<entryValue
	base = 1
	for i := range uint32(30) {
		extra := max(i/2, 1) - 1
		distances[i] = isLength | extra<<entryExtra | base<<entryValue
		base += 1 << extra
	}
	return literals, distances
}

// unpack unpacks src, which has inflatePad zero bytes behind it, into dst's memory, if its content has at most so many bytes. The content
// has inflateSlack bytes of anything behind it. It reports false for all that is not whole and right, and for what may be right but is rare.
func (f *inflater) unpack(dst, src []byte, most int64) ([]byte, bool) {
	head := gzipHead(src)
	if head < 0 || len(src) < head+gzipTail {
		return dst, false
	}
	tail := src[len(src)-gzipTail:]
	size := int64(binary.LittleEndian.Uint32(tail[4:]))
	if size > most || size > int64(len(src))*1032 {
		return dst, false
	}
	if need := int(size) + inflateSlack; cap(dst) < need {
		dst = make([]byte, need+need/4)
	}
	f.src, f.in, f.bits, f.n = src[:len(src)+inflatePad], head, 0, 0
	f.dst, f.out = dst[:int(size)+inflateSlack], 0
	ok := f.blocks() && f.in-int(f.n/8) == len(src)-gzipTail && f.out == int(size)
	f.src, f.dst = nil, nil
	content := dst[:size]
	return content, ok && crc32.ChecksumIEEE(content) == binary.LittleEndian.Uint32(tail)
}

// gzipHead returns the length of the header, -1 if it is none or has parts that are rare.
func gzipHead(src []byte) int {
	const extra, name, comment = 4, 8, 16
	if len(src) < 10 || !isGzip(src) || src[2] != 8 || src[3]&^(extra|name|comment) != 0 {
		return -1
	}
	at := 10
	if src[3]&extra != 0 {
		if len(src) < at+2 {
			return -1
		}
		at += 2 + int(binary.LittleEndian.Uint16(src[at:]))
	}
	for _, flag := range []byte{name, comment} {
		if src[3]&flag == 0 {
			continue
		}
		for {
			if at >= len(src) {
				return -1
			}
			at++
			if src[at-1] == 0 {
				break
			}
		}
	}
	return at
}

// fill makes sure that there are at least 56 bits. It reports false far behind the end.
func (f *inflater) fill() bool {
	if f.in > len(f.src)-8 {
		return false
	}
	f.bits |= binary.LittleEndian.Uint64(f.src[f.in:]) << (f.n & 63)
	f.in += int(63-f.n) >> 3
	f.n |= 56
	return true
}

// take takes bits that are there.
func (f *inflater) take(n uint) uint32 {
	v := uint32(f.bits & (1<<n - 1))
	f.bits >>= n
	f.n -= n
	return v
}

func (f *inflater) blocks() bool {
	for {
		if !f.fill() {
			return false
		}
		last := f.take(1)
		ok := false
		switch f.take(2) {
		case 0:
			ok = f.stored()
		case 1:
			n := f.lengths[:288+32]
			for i := range n {
				switch {
				case i < 144:
					n[i] = 8
				case i < 256:
					n[i] = 9
				case i < 280:
					n[i] = 7
				case i < 288:
					n[i] = 8
				default:
					n[i] = 5
				}
			}
			ok = f.table(f.literals[:], literalBits, n[:288], literalEntries[:]) && f.table(f.distances[:], distanceBits, n[288:], distanceEntries[:]) && f.block()
		case 2:
			ok = f.dynamic() && f.block()
		}
		if !ok {
			return false
		}
		if last == 1 {
			return true
		}
	}
}

// stored copies a block that is not packed.
func (f *inflater) stored() bool {
	f.in -= int(f.n / 8)
	f.bits, f.n = 0, 0
	if f.in+4 > len(f.src) {
		return false
	}
	n := int(binary.LittleEndian.Uint16(f.src[f.in:]))
	if n^0xFFFF != int(binary.LittleEndian.Uint16(f.src[f.in+2:])) {
		return false
	}
	f.in += 4
	if f.in+n > len(f.src) || f.out+n > len(f.dst) {
		return false
	}
	copy(f.dst[f.out:], f.src[f.in:f.in+n])
	f.in += n
	f.out += n
	return true
}

var lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamic reads the tables of a block.
func (f *inflater) dynamic() bool {
	literals, distances, lengths := int(f.take(5))+257, int(f.take(5))+1, int(f.take(4))+4
	if literals > 286 || distances > 30 {
		return false
	}
	var order [19]uint8
	for _, i := range lengthOrder[:lengths] {
		if f.n < 3 && !f.fill() {
			return false
		}
		order[i] = uint8(f.take(3))
	}
	var numbers [19]uint32
	for i := range numbers {
		numbers[i] = uint32(i) << entryValue
	}
	const most = 7 // bits of a code of lengths
	codes := f.distances[:1<<distanceBits]
	if !f.table(codes, distanceBits, order[:], numbers[:]) {
		return false
	}
	n := f.lengths[:literals+distances]
	for i := 0; i < len(n); {
		if f.n < most+7 && !f.fill() {
			return false
		}
		e := codes[f.bits&(1<<distanceBits-1)]
		if e&isWrong != 0 {
			return false
		}
		f.take(uint(e & entryBits))
		v, repeat := uint8(e>>entryValue), 1
		switch v {
		case 16:
			if i == 0 {
				return false
			}
			v, repeat = n[i-1], 3+int(f.take(2))
		case 17:
			v, repeat = 0, 3+int(f.take(3))
		case 18:
			v, repeat = 0, 11+int(f.take(7))
		}
		if i+repeat > len(n) {
			return false
		}
		for range repeat {
			n[i] = v
			i++
		}
	}
	return n[256] > 0 && f.table(f.literals[:], literalBits, n[:literals], literalEntries[:]) &&
		f.table(f.distances[:], distanceBits, n[literals:], distanceEntries[:])
}

// table makes the lookup table of codes with the given lengths. It reports false if they are no complete set of codes, save for a single
// code or none, which some packers give where nothing repeats.
func (f *inflater) table(t []uint32, width uint, lengths []uint8, values []uint32) bool {
	var count [longestCode + 1]int
	for _, n := range lengths {
		count[n]++
	}
	var next [longestCode + 2]uint32
	left := 1
	for n := 1; n <= longestCode; n++ {
		if left = 2*left - count[n]; left < 0 {
			return false
		}
		next[n+1] = (next[n] + uint32(count[n])) << 1
	}
	if left > 0 {
		if used := len(lengths) - count[0]; used > 1 || used == 1 && count[1] == 0 {
			return false
		}
		for i := range t[:1<<width] {
			t[i] = isWrong | 1
		}
	}
	free := 1 << width // where the next part for longer codes goes
	clear(f.long[:1<<width])
	for symbol, length := range lengths {
		if length == 0 {
			continue
		}
		n := uint(length)
		code := uint(bits.Reverse16(uint16(next[n])) >> (16 - n))
		next[n]++
		if n <= width {
			for i := code; i < 1<<width; i += 1 << n {
				t[i] = values[symbol] | uint32(n)
			}
			continue
		}
		first := code & (1<<width - 1)
		at := uint(f.long[first])
		if at == 0 {
			at = uint(free)
			free += 1 << (longestCode - width)
			if free > len(t) {
				return false
			}
			f.long[first] = uint16(at)
			t[first] = isLong | uint32(width) | uint32(at)<<entryValue
		}
		for i := code >> width; i < 1<<(longestCode-width); i += 1 << (n - width) {
			t[at+i] = values[symbol] | uint32(n-width)
		}
	}
	return true
}

// block unpacks what follows the tables.
func (f *inflater) block() bool {
	src, in, b, n := f.src, f.in, f.bits, f.n
	dst, out := f.dst, f.out
	literals, distances := &f.literals, &f.distances
	last := len(src) - 8
	room := len(dst) - inflateSlack // what ends behind it is too much
	for {
		if in > last || out > room {
			return false
		}
		b |= binary.LittleEndian.Uint64(src[in:]) << (n & 63)
		in += int(63-n) >> 3
		n |= 56

		// Up to three literals, and a longer code behind two of them, fit into 56 bits; a length with its distance takes up to 48.
		e := literals[b&(1<<literalBits-1)]
		if e&isNoLiteral == 0 {
			b >>= e & entryBits
			n -= uint(e & entryBits)
			dst[out] = byte(e >> entryValue)
			out++
			e = literals[b&(1<<literalBits-1)]
			if e&isNoLiteral == 0 {
				b >>= e & entryBits
				n -= uint(e & entryBits)
				dst[out] = byte(e >> entryValue)
				out++
				e = literals[b&(1<<literalBits-1)]
			}
			if e&isNoLiteral == 0 {
				b >>= e & entryBits
				n -= uint(e & entryBits)
				dst[out] = byte(e >> entryValue)
				out++
				continue
			}
			if in > last {
				return false
			}
			b |= binary.LittleEndian.Uint64(src[in:]) << (n & 63)
			in += int(63-n) >> 3
			n |= 56
		}
		if e&isLong != 0 {
			b >>= literalBits
			n -= literalBits
			e = literals[uint64(e>>entryValue)+b&(1<<(longestCode-literalBits)-1)]
			if e&isNoLiteral == 0 {
				b >>= e & entryBits
				n -= uint(e & entryBits)
				dst[out] = byte(e >> entryValue)
				out++
				continue
			}
		}
		b >>= e & entryBits
		n -= uint(e & entryBits)
		if e&isLength == 0 {
			f.in, f.bits, f.n, f.out = in, b, n, out
			return e&isEnd != 0
		}
		extra := e >> entryExtra & entryExtraOf
		length := int(e>>entryValue) + int(b&(1<<extra-1))
		b >>= extra
		n -= uint(extra)

		e = distances[b&(1<<distanceBits-1)]
		if e&isLong != 0 {
			b >>= distanceBits
			n -= distanceBits
			e = distances[uint64(e>>entryValue)+b&(1<<(longestCode-distanceBits)-1)]
		}
		b >>= e & entryBits
		n -= uint(e & entryBits)
		if e&isLength == 0 {
			return false
		}
		extra = e >> entryExtra & entryExtraOf
		distance := int(e>>entryValue) + int(b&(1<<extra-1))
		b >>= extra
		n -= uint(extra)
		if distance > out {
			return false
		}
		from, end := out-distance, out+length
		switch {
		case distance >= length && length > 64:
			copy(dst[out:end], dst[from:])
		case distance >= 16: // so many at a time, a little over the end
			for ; out < end; from, out = from+16, out+16 {
				*(*[16]byte)(dst[out:]) = *(*[16]byte)(dst[from:])
			}
		case distance >= 8:
			for ; out < end; from, out = from+8, out+8 {
				binary.LittleEndian.PutUint64(dst[out:], binary.LittleEndian.Uint64(dst[from:]))
			}
		default:
			for ; out < end; from, out = from+1, out+1 {
				dst[out] = dst[from]
			}
		}
		out = end
	}
}
