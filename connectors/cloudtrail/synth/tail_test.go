package synth

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

// recordsOf are the records of an object.
func recordsOf(t *testing.T, o Object) []json.RawMessage {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(o.Data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Records []json.RawMessage }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatalf("%s: %v", o.Name, err)
	}
	return file.Records
}

// TestTail: a busy account has records of all lengths up to 100 kB, few of them long, and storms that are slowed down.
func TestTail(t *testing.T) {
	objects, truth := collect(t, Options{Seed: 7, Events: 22_000, Days: 1, Accounts: 1, Regions: 2})
	var sizes []int
	calls := map[string]bool{}
	throttled, records := 0, 0
	for _, o := range objects {
		for _, raw := range recordsOf(t, o) {
			records++
			sizes = append(sizes, len(raw))
			var e struct{ EventName, ErrorCode string }
			if err := json.Unmarshal(raw, &e); err != nil {
				t.Fatal(err)
			}
			if len(raw) > 6000 {
				calls[e.EventName] = true
			}
			if e.ErrorCode == "ThrottlingException" {
				throttled++
			}
		}
	}
	if records != truth.Records {
		t.Errorf("%d records, the truth has %d", records, truth.Records)
	}
	slices.Sort(sizes)
	if median, most := sizes[len(sizes)/2], sizes[len(sizes)-1]; median > 2000 || most < 80_000 || most > longest+2000 {
		t.Errorf("half of the records are up to %d bytes long, all up to %d", median, most)
	}
	for _, from := range []int{2000, 4000, 8000, 16_000, 32_000, 64_000} {
		if n := countBetween(sizes, from, 2*from); n < 4 || n > len(sizes)/50 {
			t.Errorf("%d of %d records have %d to %d bytes", n, len(sizes), from, 2*from)
		}
	}
	for _, c := range longCalls {
		if !calls[c.name] {
			t.Errorf("no long %s", c.name)
		}
	}
	if throttled == 0 {
		t.Error("no storm")
	}
}

func countBetween(sorted []int, from, to int) int {
	a, _ := slices.BinarySearch(sorted, from)
	b, _ := slices.BinarySearch(sorted, to)
	return b - a
}

// TestEvenDays: one object to each account, region and day, if so told, and no digests.
func TestEvenDays(t *testing.T) {
	opt := Options{Seed: 7, Events: 12_000, Days: 3, Accounts: 5, Regions: 8, Even: true, Interval: 24 * time.Hour, Incident: true}
	objects, truth := collect(t, opt)
	folders := map[string]int{}
	records := 0
	for _, o := range objects {
		n := len(recordsOf(t, o))
		records += n
		if strings.Contains(o.Name, "/CloudTrail/") {
			folders[o.Name[:strings.LastIndexByte(o.Name, '/')]] = n
		}
	}
	if truth.Digests != 0 || len(objects) != truth.Objects || records != truth.Records {
		t.Errorf("%d objects, %d records; the truth has %d, %d and %d digests", len(objects), records, truth.Objects, truth.Records, truth.Digests)
	}
	if len(folders) != 3*5*8 {
		t.Errorf("%d folders of accounts, regions and days, want 120", len(folders))
	}
	for name, n := range folders {
		if n < 25 || n > 500 {
			t.Errorf("%s: %d records, of 100 in the middle", name, n)
		}
	}
}
