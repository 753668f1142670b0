package parquetio

import (
	"encoding/binary"
	"errors"
	"fmt"
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
		for _, v := range dst[done : done+take] {
			if v > limit {
				return nil, fmt.Errorf("code %d, the largest is %d", v, limit)
			}
		}
		done += take
		src = src[min(uint64(len(src)), count*uint64(width)):]
	}
	return dst, nil
}

// unpack reads len(dst) numbers of width bits, the lowest bits first; src has enough bytes.
func unpack[T uint8 | int32](dst []T, src []byte, width int, mask uint64) {
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
