package parquetio

import (
	"fmt"
	"sync"

	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/klauspost/compress/zstd"
)

// Levels of pages. Plain text of trails repeats near by or, like ids, not at all: a higher level makes it hardly smaller, in twice the
// time. Numbers and codes are few.
const (
	zstdText  = 1
	zstdOther = 3
)

// zstdSlack is the room behind what is decoded that lets the decoder copy in long steps up to the end.
const zstdSlack = 64

// zstdCodec takes the place of arrow-go's codec, which lets the whole process decode four pages at a time. Encoders and
// decoders are pooled, one thread each; frames carry a checksum, and decoding checks it.
type zstdCodec struct{}

func init() { compress.RegisterCodec(compress.Codecs.Zstd, zstdCodec{}) }

var (
	zstdEncoders = map[int]*sync.Pool{zstdText: zstdEncoderPool(zstdText), zstdOther: zstdEncoderPool(zstdOther)}
	zstdDecoders = sync.Pool{New: func() any {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPage))
		if err != nil {
			panic("parquetio: zstd decoder options: " + err.Error())
		}
		return d
	}}
)

func zstdEncoderPool(level int) *sync.Pool {
	return &sync.Pool{New: func() any {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithEncoderCRC(true),
			zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true),
			zstd.WithAllLitEntropyCompression(true), // hexadecimal digits do not repeat, and still have only 4 bits each
			// Pages are smaller than that, but for a single long text; the default would hold 16 MiB for each encoder.
			zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic("parquetio: zstd encoder options: " + err.Error())
		}
		return e
	}}
}

// EncodeLevel takes any level but zstdText for zstdOther.
func (zstdCodec) EncodeLevel(dst, src []byte, level int) []byte {
	if level != zstdText {
		level = zstdOther
	}
	e := zstdEncoders[level].Get().(*zstd.Encoder)
	defer zstdEncoders[level].Put(e)
	return e.EncodeAll(src, dst[:0])
}

func (c zstdCodec) Encode(dst, src []byte) []byte { return c.EncodeLevel(dst, src, zstdOther) }

// CompressBound is the bound that zstd.h states for one frame, and 18 bytes for the largest header with its checksum.
func (zstdCodec) CompressBound(n int64) int64 { return n + n>>8 + 64 + 18 }

// DecodeWithError decodes whole frames of together at most maxPage bytes.
func (zstdCodec) DecodeWithError(dst, src []byte) ([]byte, error) {
	d := zstdDecoders.Get().(*zstd.Decoder)
	defer zstdDecoders.Put(d)
	return d.DecodeAll(src, dst[:0])
}

func (c zstdCodec) Decode(dst, src []byte) []byte {
	out, err := c.DecodeWithError(dst, src)
	if err != nil {
		panic(fmt.Errorf("zstd: %w", err)) // the interface has no error; arrow-go calls DecodeWithError where there is one
	}
	return out
}
