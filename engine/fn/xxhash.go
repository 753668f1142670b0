package fn

import (
	"encoding/binary"
	"math/bits"
)

// The primes of xxHash64.
const (
	xxPrime1 uint64 = 11400714785074694791
	xxPrime2 uint64 = 14029467366897019727
	xxPrime3 uint64 = 1609587929392839161
	xxPrime4 uint64 = 9650029242287828579
	xxPrime5 uint64 = 2870177450012600261
)

// xxHash64 is the hash of Yann Collet's specification, "xxHash fast digest algorithm" 0.1.1, with seed 0.
func xxHash64(b []byte) uint64 {
	n := uint64(len(b))
	round := func(acc, lane uint64) uint64 {
		return bits.RotateLeft64(acc+lane*xxPrime2, 31) * xxPrime1
	}
	h := xxPrime5
	if n >= 32 {
		acc := [4]uint64{0, xxPrime2, 0, 0}
		acc[0] = xxPrime1
		acc[0] += xxPrime2
		acc[3] -= xxPrime1
		for ; len(b) >= 32; b = b[32:] {
			for i := range acc {
				acc[i] = round(acc[i], binary.LittleEndian.Uint64(b[8*i:]))
			}
		}
		h = bits.RotateLeft64(acc[0], 1) + bits.RotateLeft64(acc[1], 7) + bits.RotateLeft64(acc[2], 12) + bits.RotateLeft64(acc[3], 18)
		for _, a := range acc {
			h = (h^round(0, a))*xxPrime1 + xxPrime4
		}
	}
	h += n
	for ; len(b) >= 8; b = b[8:] {
		h = bits.RotateLeft64(h^round(0, binary.LittleEndian.Uint64(b)), 27)*xxPrime1 + xxPrime4
	}
	if len(b) >= 4 {
		h = bits.RotateLeft64(h^uint64(binary.LittleEndian.Uint32(b))*xxPrime1, 23)*xxPrime2 + xxPrime3
		b = b[4:]
	}
	for _, c := range b {
		h = bits.RotateLeft64(h^uint64(c)*xxPrime5, 11) * xxPrime1
	}
	h ^= h >> 33
	h *= xxPrime2
	h ^= h >> 29
	h *= xxPrime3
	return h ^ h>>32
}
