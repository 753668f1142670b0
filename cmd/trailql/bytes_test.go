package main

import "testing"

func TestByteSize(t *testing.T) {
	for text, want := range map[string]int64{"1GiB": 1 << 30, "1.5 GiB": 3 << 29, "512mib": 512 << 20, "2000000": 2000000, "1GB": 1e9, "64M": 64 << 20, "7b": 7} {
		var b byteSize
		if err := b.Set(text); err != nil || int64(b) != want {
			t.Errorf("%q is read as %d, %v; want %d", text, b, err, want)
		}
	}
	for _, text := range []string{"", "GiB", "-1", "0", "x", "1e300GiB", "NaN"} {
		var b byteSize
		if err := b.Set(text); err == nil {
			t.Errorf("%q is taken as a size of %d", text, b)
		}
	}
}
