package fn

import (
	"encoding/binary"
	"math/bits"
)

// spookyConst stands where SpookyHash needs a number that is neither zero nor even nor regular.
const spookyConst uint64 = 0xdeadbeefdeadbeef

// spookyLong is how many bytes a text has at least that is hashed in blocks, spookyBlock how many a block has.
const (
	spookyLong  = 192
	spookyBlock = 96
)

// Rotations of SpookyHash V2: of the rounds of a block, of the end of a long text, and of both for short ones.
var (
	spookyMix      = [12]int{11, 32, 43, 31, 17, 28, 39, 57, 55, 54, 22, 46}
	spookyEnd      = [12]int{44, 15, 34, 21, 38, 33, 10, 13, 38, 53, 42, 54}
	spookyShortMix = [12]int{50, 52, 30, 41, 54, 48, 38, 37, 62, 34, 5, 36}
	spookyShortEnd = [11]int{15, 52, 26, 51, 28, 9, 47, 54, 32, 25, 63}
)

// spookyHash64 is the first half of Bob Jenkins' SpookyHash V2 with seeds of 0 (public domain, burtleburtle.net/bob/hash/spooky.html).
func spookyHash64(b []byte) uint64 {
	if len(b) < spookyLong {
		return spookyShort(b)
	}
	var h [12]uint64
	for i := 2; i < len(h); i += 3 {
		h[i] = spookyConst
	}
	for ; len(b) >= spookyBlock; b = b[spookyBlock:] {
		for i, r := range spookyMix {
			before := (i + 11) % 12
			h[i] += binary.LittleEndian.Uint64(b[8*i:])
			h[(i+2)%12] ^= h[(i+10)%12]
			h[before] ^= h[i]
			h[i] = bits.RotateLeft64(h[i], r)
			h[before] += h[(i+1)%12]
		}
	}
	var last [spookyBlock]byte
	copy(last[:], b)
	last[spookyBlock-1] = byte(len(b))
	for i := range h {
		h[i] += binary.LittleEndian.Uint64(last[8*i:])
	}
	for range 3 {
		for i, r := range spookyEnd {
			before, next := (i+11)%12, (i+1)%12
			h[before] += h[next]
			h[(i+2)%12] ^= h[before]
			h[next] = bits.RotateLeft64(h[next], r)
		}
	}
	return h[0]
}

// spookyShort hashes what is shorter than spookyLong.
func spookyShort(b []byte) uint64 {
	h := [4]uint64{2: spookyConst, 3: spookyConst}
	mix := func(u []byte) {
		h[2] += binary.LittleEndian.Uint64(u)
		h[3] += binary.LittleEndian.Uint64(u[8:])
		for i, r := range spookyShortMix {
			x, y := (i+2)%4, (i+3)%4
			h[x] = bits.RotateLeft64(h[x], r) + h[y]
			h[i%4] ^= h[x]
		}
	}
	length := uint64(len(b))
	for ; len(b) >= 32; b = b[32:] {
		mix(b)
		h[0] += binary.LittleEndian.Uint64(b[16:])
		h[1] += binary.LittleEndian.Uint64(b[24:])
	}
	if len(b) >= 16 {
		mix(b)
		b = b[16:]
	}
	h[3] += length << 56
	if len(b) == 0 {
		h[2] += spookyConst
		h[3] += spookyConst
	}
	var rest [16]byte
	copy(rest[:], b)
	h[2] += binary.LittleEndian.Uint64(rest[:])
	h[3] += binary.LittleEndian.Uint64(rest[8:])
	for i, r := range spookyShortEnd {
		x, y := (i+3)%4, (i+2)%4
		h[x] ^= h[y]
		h[y] = bits.RotateLeft64(h[y], r)
		h[x] += h[y]
	}
	return h[0]
}
