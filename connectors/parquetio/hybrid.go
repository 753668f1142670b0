package parquetio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

var (
	errCutOff = errors.New("a page is cut off")
	errMisfit = errors.New("a page does not fit what is said of it elsewhere")
)

// decodeHybrid decodes n numbers of the RLE and bit-packing hybrid, in which Parquet stores levels and dictionary codes
// (https://parquet.apache.org/docs/file-format/data-pages/encodings/). dst's capacity is reused. A number over limit is an error.
func decodeHybrid[T uint8 | int32](dst []T, src []byte, width, n int, limit T) ([]T, error) {
	if cap(dst) < n {
		dst = make([]T, n)
	}
	dst = dst[:n]
	if width < 0 || width > 31 {
		return nil, fmt.Errorf("bit width %d", width)
	}
	bytes := (width + 7) / 8
	mask := uint64(1)<<width - 1
	for done := 0; done < n; {
		head, used := binary.Uvarint(src)
		if used <= 0 {
			return nil, errCutOff
		}
		src = src[used:]
		count := head >> 1
		if count == 0 {
			return nil, errors.New("an empty run of codes")
		}
		if head&1 == 0 { // a run of one value
			if len(src) < bytes {
				return nil, errCutOff
			}
			var v uint64
			for i := range bytes {
				v |= uint64(src[i]) << (8 * i)
			}
			src = src[bytes:]
			if v > uint64(limit) {
				return nil, fmt.Errorf("code %d, the largest is %d", v, limit)
			}
			run := dst[done:min(uint64(n), uint64(done)+min(count, uint64(n)))]
			for i := range run {
				run[i] = T(v)
			}
			done += len(run)
			continue
		}
		// count groups of 8 values; the last group may be cut off after the values that are needed
		take := n - done
		if count < uint64(take+7)/8 {
			take = int(count) * 8
		}
		if len(src) < (take*width+7)/8 {
			return nil, errCutOff
		}
		unpack(dst[done:done+take], src, width, mask)
		if mask > uint64(limit) {
			if v := slices.Max(dst[done : done+take]); v > limit {
				return nil, fmt.Errorf("code %d, the largest is %d", v, limit)
			}
		}
		done += take
		src = src[min(uint64(len(src)), count*uint64(width)):]
	}
	return dst, nil
}

// onlyRun reports whether n numbers are one run of v. Levels mostly are.
func onlyRun(src []byte, width, n int, v uint64) bool {
	head, used := binary.Uvarint(src)
	return used > 0 && head&1 == 0 && head>>1 >= uint64(n) && width <= 8 && len(src) > used && uint64(src[used]) == v
}

// unpack reads len(dst) numbers of width bits, the lowest bits first; src has enough bytes.
func unpack[T uint8 | int32](dst []T, src []byte, width int, mask uint64) {
	w := uint(width)
	switch { // eight numbers at a time, which take width bytes
	case width <= 8:
		for len(dst) >= 8 && len(src) >= 8 {
			to, v := (*[8]T)(dst), binary.LittleEndian.Uint64(src)
			for k := range to {
				to[k] = T(v & mask)
				v >>= w & 63
			}
			dst, src = dst[8:], src[width:]
		}
	case width <= 16: // half of them lie within 8 bytes, also where these begin with a half byte
		half, shift := width/2, w%2*4
		for len(dst) >= 8 && len(src) >= half+8 {
			to, lo, hi := (*[8]T)(dst), binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[half:])>>shift
			for k := range 4 {
				to[k], to[k+4] = T(lo&mask), T(hi&mask)
				lo, hi = lo>>(w&63), hi>>(w&63)
			}
			dst, src = dst[8:], src[width:]
		}
	}
	bit, i := 0, 0
	for ; i < len(dst) && bit>>3+8 <= len(src); i++ { // a number lies within the 8 bytes from where it starts
		dst[i] = T(binary.LittleEndian.Uint64(src[bit>>3:]) >> (bit & 7) & mask)
		bit += width
	}
	var last [8]byte
	for ; i < len(dst); i++ {
		clear(last[:])
		copy(last[:], src[min(bit>>3, len(src)):])
		dst[i] = T(binary.LittleEndian.Uint64(last[:]) >> (bit & 7) & mask)
		bit += width
	}
}

// bitWidth is the number of bits that levels up to limit take.
func bitWidth(limit int) int {
	n := 0
	for ; limit > 0; limit >>= 1 {
		n++
	}
	return n
}
