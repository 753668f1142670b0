package parquetio

import (
	"fmt"
	"sync"

	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/klauspost/compress/zstd"
)

// zstdLevel is the level of every page.
const zstdLevel = 3

// zstdCodec takes the place of arrow-go's codec, which lets the whole process decode four pages at a time. Encoders and
// decoders are pooled, one thread each; frames carry a checksum, and decoding checks it.
type zstdCodec struct{}

func init() { compress.RegisterCodec(compress.Codecs.Zstd, zstdCodec{}) }

var (
	zstdEncoders = sync.Pool{New: func() any {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(zstdLevel)), zstd.WithEncoderCRC(true),
			zstd.WithEncoderConcurrency(1), zstd.WithZeroFrames(true),
			// Pages are smaller than that, but for a single long text; the default would hold 16 MiB for each encoder.
			zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic("parquetio: zstd encoder options: " + err.Error())
		}
		return e
	}}
	zstdDecoders = sync.Pool{New: func() any {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPage))
		if err != nil {
			panic("parquetio: zstd decoder options: " + err.Error())
		}
		return d
	}}
)

func (zstdCodec) EncodeLevel(dst, src []byte, _ int) []byte {
	e := zstdEncoders.Get().(*zstd.Encoder)
	defer zstdEncoders.Put(e)
	return e.EncodeAll(src, dst[:0])
}

func (c zstdCodec) Encode(dst, src []byte) []byte { return c.EncodeLevel(dst, src, zstdLevel) }

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
