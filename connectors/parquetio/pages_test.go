package parquetio

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Numbers come back from the hybrid of runs and packed groups as they went in, whatever their runs.
func TestHybrid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(1, 31).Draw(t, "width")
		limit := int32(uint32(1)<<width - 1)
		var values []int32
		for range rapid.IntRange(0, 20).Draw(t, "runs") {
			v := rapid.Int32Range(0, limit).Draw(t, "value")
			values = append(values, slices.Repeat([]int32{v}, rapid.SampledFrom([]int{1, 1, 2, 5, 7, 8, 9, 16, 100}).Draw(t, "times"))...)
		}
		packed := appendHybrid([]byte("before"), values, uint(width))[len("before"):]
		got, err := decodeHybrid[int32](nil, packed, width, len(values), limit)
		if err != nil || !slices.Equal(got, values) {
			t.Fatalf("%v went in; %v, %v came out", values, got, err)
		}
		if bound := (len(values)+7)/8*width + 8*(len(values)/8+2); len(packed) > bound {
			t.Fatalf("%d numbers of %d bits take %d bytes", len(values), width, len(packed))
		}
	})
}

// Texts whose lengths stand apart come back, in pages of any size.
func TestApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOfN(rapid.SampledFrom([]int{0, 1, 20, 36, 37, 300, 70_000}), 0, 400).Draw(t, "lengths")
		var values []string
		for i, n := range lengths {
			values = append(values, strings.Repeat(string(rune('a'+i%26)), n))
		}
		ends, raw, err := deltaEnds(nil, appendApart(nil, values), len(values))
		if err != nil {
			t.Fatal(err)
		}
		if string(raw) != strings.Join(values, "") {
			t.Fatal("other text")
		}
		at := int32(0)
		for i, v := range values {
			if at += int32(len(v)); ends[len(ends)-len(values)+i] != at {
				t.Fatalf("text %d of %d ends at %d, not at %d", i, len(values), ends[len(ends)-len(values)+i], at)
			}
		}
	})
}
