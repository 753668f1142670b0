package cloudtrail

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"

	stdflate "compress/flate"

	"github.com/klauspost/compress/gzip"
)

// packings are contents, packed in the ways that packers have: stored, by fixed and other codes, with short and long matches.
func packings(t testing.TB) (packed, contents [][]byte) {
	rng := rand.New(rand.NewPCG(5, 6))
	random := func(n, kinds int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.IntN(kinds))
		}
		return b
	}
	skewed := make([]byte, 200_000) // some codes are long
	for i := range skewed {
		skewed[i] = byte(min(rng.ExpFloat64()*9, 255))
	}
	texts := [][]byte{{}, []byte("a"), bytes.Repeat([]byte("a"), 70_000), bytes.Repeat([]byte("abcdefg"), 9000), generated(1, 1), generated(2, 300), random(100_000, 256), random(70_000, 3), skewed,
		append(random(40_000, 256), generated(3, 20)...)}
	for _, text := range texts {
		for level := stdflate.HuffmanOnly; level <= 9; level++ {
			var b bytes.Buffer
			var w io.WriteCloser
			var err error
			if level%2 == 0 {
				w, err = gzip.NewWriterLevel(&b, level)
			} else { // another packer
				b.Write([]byte{0x1F, 0x8B, 8, 8, 0, 0, 0, 0, 0, 255})
				b.WriteString("a name\x00")
				w, err = stdflate.NewWriter(&b, level)
			}
			if err == nil {
				_, err = w.Write(text)
			}
			if err == nil {
				err = w.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			if level%2 != 0 {
				b.Write(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(text)), uint32(len(text))))
			}
			packed, contents = append(packed, b.Bytes()), append(contents, text)
		}
	}
	return packed, contents
}

func padded16(b []byte) []byte { return append(bytes.Clone(b), make([]byte, inflatePad)...)[:len(b)] }

// Whole members are unpacked, whoever packed them, into a buffer of any size.
func TestInflate(t *testing.T) {
	packed, contents := packings(t)
	f := &inflater{}
	for i, p := range packed {
		for _, buffer := range [][]byte{nil, make([]byte, 100), make([]byte, 1<<20)} {
			got, ok := f.unpack(buffer, padded16(p), int64(len(contents[i])))
			if !ok || !bytes.Equal(got, contents[i]) {
				t.Fatalf("packing %d: %v, %d bytes of %d", i, ok, len(got), len(contents[i]))
			}
		}
		if _, ok := f.unpack(nil, padded16(p), int64(len(contents[i]))-1); ok {
			t.Errorf("packing %d: more than was allowed", i)
		}
	}
}

// Of damaged members, nothing is taken that the reader that goes step by step does not take, and nothing else comes out.
func TestInflateDamaged(t *testing.T) {
	packed, _ := packings(t)
	rng := rand.New(rand.NewPCG(7, 8))
	f := &inflater{}
	for i, p := range packed {
		for range 40 {
			damaged := bytes.Clone(p)
			switch rng.IntN(4) {
			case 0:
				damaged = damaged[:rng.IntN(len(damaged))]
			case 1:
				damaged = append(damaged, byte(rng.IntN(256)))
			default:
				at := rng.IntN(len(damaged))
				if rng.IntN(2) == 0 {
					at = rng.IntN(min(len(damaged), 60))
				}
				damaged[at] ^= 1 << rng.IntN(8)
			}
			sameUnpacked(t, f, damaged, fmt.Sprint("packing ", i))
		}
	}
}

func sameUnpacked(t *testing.T, f *inflater, packed []byte, what string) {
	t.Helper()
	got, ok := f.unpack(nil, padded16(packed), 1<<20)
	if !ok {
		return
	}
	in := bytes.NewReader(packed)
	r, err := gzip.NewReader(in)
	if err != nil {
		t.Fatalf("%s: taken, but %v", what, err)
	}
	r.Multistream(false)
	want, err := io.ReadAll(r)
	if err != nil || in.Len() > 0 || !bytes.Equal(got, want) {
		t.Fatalf("%s: taken, but %v, %d bytes left, equal %v", what, err, in.Len(), bytes.Equal(got, want))
	}
}

func FuzzInflate(f *testing.F) {
	packed, _ := packings(f)
	for _, p := range packed {
		if len(p) < 4096 {
			f.Add(p)
		}
	}
	f.Fuzz(func(t *testing.T, packed []byte) { sameUnpacked(t, &inflater{}, packed, "fuzzed") })
}

// An object that is unpacked as a whole is what it is when it is read step by step, and so is its fault.
func TestWholeAndStepByStep(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 1))
	var fast, slow Rows
	slow.decoder = &decoder{}
	slow.decoder.source.anew = true
	whole := 0
	for i := range 120 {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write(generated(uint64(i), 1+rng.IntN(30)))
		w.Close()
		packed := b.Bytes()
		switch i % 6 {
		case 1:
			packed = packed[:rng.IntN(len(packed))]
		case 2:
			packed[rng.IntN(len(packed))]++
		case 3:
			packed = append(packed, packed...)
		case 4:
			packed = generated(uint64(i), 3)
		}
		limits := Limits{Memory: 1 << (12 + rng.IntN(8))}
		f, ferr := Decode(context.Background(), opener(packed), "", "p", limits, &fast, func() error { return nil })
		s, serr := Decode(context.Background(), opener(packed), "", "p", limits, &slow, func() error { return nil })
		if got, want := fmt.Sprintf("%+v %v", f, ferr), fmt.Sprintf("%+v %v", s, serr); got != want {
			t.Fatalf("%d: %s\nstep by step: %s", i, got, want)
		}
		if fast.decoder.source.whole != nil {
			whole++
		}
	}
	sameRows(t, Logs, fast.Flush()[Logs], slow.Flush()[Logs])
	if whole < 20 {
		t.Errorf("only %d objects were unpacked as a whole", whole)
	}
}

func BenchmarkInflate(b *testing.B) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	content := generated(1, 60)
	w.Write(content)
	w.Close()
	src := padded16(packed.Bytes())
	b.Run("whole", func(b *testing.B) {
		f := &inflater{}
		b.SetBytes(int64(len(content)))
		var buffer []byte
		for b.Loop() {
			buffer, _ = f.unpack(buffer, src, 1<<20)
		}
	})
	b.Run("reader", func(b *testing.B) {
		r := new(gzip.Reader)
		b.SetBytes(int64(len(content)))
		buffer := make([]byte, len(content)+100)
		for b.Loop() {
			if err := r.Reset(bytes.NewReader(src)); err != nil {
				b.Fatal(err)
			}
			r.Multistream(false)
			if n, _ := io.ReadFull(r, buffer); n != len(content) {
				b.Fatal(n)
			}
		}
	})
}
