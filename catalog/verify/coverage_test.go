package verify

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
)

// A whole trail is complete, whatever it is like, for its whole time and for any part of it. The damaged object that the generator
// plants is named by no digest.
func TestWholeTrails(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long under the race detector, which sees the same code in other tests; make test runs it")
	}
	for seed, opt := range []synth.Options{
		{Events: 500, Accounts: 1, Regions: 1, Days: 1},
		{Events: 1500, Accounts: 2, Regions: 4, Days: 2, Faults: true},
		{Events: 1500, Days: 4, Incident: true, Faults: true},
	} {
		opt.Seed, opt.Start = uint64(seed), monday
		l := generated(t, opt).lake(t)
		c := covered(t, l, at(0, 0), at(opt.Days, 0))
		expectGaps(t, fmt.Sprintf("%+v", opt), c)
		if c.Objects == 0 || c.Records == 0 || len(c.Accounts) == 0 || strings.Contains(c.Basis, "rhythm") {
			t.Errorf("%+v: %+v", opt, c)
		}
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		for range 10 {
			minutes := opt.Days * 24 * 60
			from := r.IntN(minutes)
			to := from + 1 + r.IntN(minutes-from)
			expectGaps(t, fmt.Sprintf("%+v, minutes %d to %d", opt, from, to), covered(t, l, at(0, 0).Add(time.Duration(from)*time.Minute), at(0, 0).Add(time.Duration(to)*time.Minute)))
		}
		var before []string
		for _, a := range c.Accounts {
			before = append(before, a.Account+"|"+a.Region+"|03-01 23:59|03-02 00:00|no digest covers this time")
		}
		expectGaps(t, "a minute more", covered(t, l, at(0, 0).Add(-time.Minute), at(1, 0)), before...)
	}
}

// named lists what the digests of a trail's account and region name that were delivered in [from, to): the last parts of the keys, sorted.
func (tr trail) named(t testing.TB, account, region string, from, to time.Time) (names []string) {
	t.Helper()
	for name, data := range tr {
		n := cloudtrail.ParseName(name)
		if n.Kind != cloudtrail.KindDigest || n.Account != account || n.Region != region || n.Stamp.After(to) || !n.Stamp.After(from) {
			continue
		}
		var d struct{ LogFiles []struct{ S3Object string } }
		if err := json.Unmarshal(unzip(t, data), &d); err != nil {
			t.Fatal(err)
		}
		for _, f := range d.LogFiles {
			names = append(names, path.Base(f.S3Object))
		}
	}
	slices.Sort(names)
	return names
}

// Each fault planted in a trail gives the gaps that tell of it, and no other.
func TestPlantedGaps(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long under the race detector, which sees the same code in other tests; make test runs it")
	}
	all := generated(t, synth.Options{Seed: 5, Events: 2500, Accounts: 2, Regions: 2, Days: 3, Start: monday, Faults: true})
	// The busiest account and region.
	objects := map[unit]int{}
	var where unit
	for name := range all {
		n := cloudtrail.ParseName(name)
		u := unit{n.Account, n.Region}
		if objects[u]++; objects[u] > objects[where] {
			where = u
		}
	}
	in := func(n cloudtrail.ObjectName, from, to time.Time) bool {
		return n.Account == where.account && n.Region == where.region && !n.Stamp.Before(from) && n.Stamp.Before(to)
	}
	logsOf := func(from, to time.Time) func(string, cloudtrail.ObjectName) bool {
		return func(_ string, n cloudtrail.ObjectName) bool {
			return n.Kind != cloudtrail.KindDigest && in(n, from, to)
		}
	}
	second := time.Second // a digest's stamp is its end
	withDigests := func(from, to time.Time) func(string, cloudtrail.ObjectName) bool {
		return func(_ string, n cloudtrail.ObjectName) bool {
			return n.Kind != cloudtrail.KindDigest && in(n, from, to) || n.Kind == cloudtrail.KindDigest && in(n, from.Add(second), to.Add(second))
		}
	}
	gapOf := func(from, to time.Time, reason string) string {
		return strings.Join([]string{where.account, where.region, from.Format("01-02 15:04"), to.Format("01-02 15:04"), reason}, "|")
	}
	hours := all.named(t, where.account, where.region, at(1, 9), at(1, 12))
	one := all.named(t, where.account, where.region, at(1, 9), at(1, 10))[0]
	nameOf := func(file string) string {
		for name := range all {
			if path.Base(name) == file {
				return name
			}
		}
		t.Fatalf("no %s", file)
		return ""
	}
	digest := ""
	for name := range all {
		if n := cloudtrail.ParseName(name); n.Kind == cloudtrail.KindDigest && in(n, at(1, 10), at(1, 10).Add(second)) {
			digest = name
		}
	}
	if len(hours) < 5 {
		t.Fatalf("%d files in three hours: too few for this test", len(hours))
	}
	for _, c := range []struct {
		what   string
		drop   func(string, cloudtrail.ObjectName) bool
		change map[string][]byte
		want   []string
	}{
		{"hours, the digests left", logsOf(at(1, 9), at(1, 12)), nil, []string{gapOf(at(1, 9), at(1, 12),
			fmt.Sprintf("%d log files that the digest names are not in the lake: %s, %s, …", len(hours), hours[0], hours[1]))}},
		{"hours with their digests", withDigests(at(1, 9), at(1, 12)), nil, []string{gapOf(at(1, 9), at(1, 12), "no digest covers this time")}},
		{"a day", withDigests(at(1, 0), at(2, 0)), nil, []string{gapOf(at(1, 0), at(2, 0), "no digest covers this time")}},
		{"a log file", func(name string, _ cloudtrail.ObjectName) bool { return path.Base(name) == one }, nil,
			[]string{gapOf(at(1, 9), at(1, 10), "1 log file that the digest names is not in the lake: "+one)}},
		{"a truncated log file", nil, map[string][]byte{nameOf(one): all[nameOf(one)][:100]},
			[]string{gapOf(at(1, 9), at(1, 10), "1 log file that the digest names could not be read in full: "+one)}},
		{"a digest", func(name string, _ cloudtrail.ObjectName) bool { return name == digest }, nil, []string{gapOf(at(1, 9), at(1, 10), "no digest covers this time")}},
		{"a truncated digest", nil, map[string][]byte{digest: all[digest][:50]},
			[]string{gapOf(at(1, 9), at(1, 10), "1 digest could not be read in full: "+path.Base(digest))}},
	} {
		t.Run(c.what, func(t *testing.T) {
			tr := maps.Clone(all)
			maps.Copy(tr, c.change)
			if c.drop != nil {
				if tr = all.without(c.drop); len(tr) == len(all) {
					t.Fatal("nothing was dropped")
				}
			}
			l := tr.lake(t)
			expectGaps(t, "whole", covered(t, l, at(0, 0), at(3, 0)), c.want...)
			expectGaps(t, "the day before", covered(t, l, at(0, 0), at(1, 0)))
			expectGaps(t, "the day after", covered(t, l, at(2, 0), at(3, 0)))
		})
	}

	// Without any digests silence alone speaks: from the delivery before to the one after.
	t.Run("no digests at all", func(t *testing.T) {
		quiet := logsOf(at(1, 8), at(1, 14))
		var before, after time.Time
		bare := all.without(func(name string, n cloudtrail.ObjectName) bool {
			if n.Kind == cloudtrail.KindDigest || !in(n, at(0, 0), at(9, 0)) || quiet(name, n) {
				return true
			}
			if n.Stamp.Before(at(1, 8)) {
				before = latest(before, n.Stamp)
			} else if after.IsZero() || n.Stamp.Before(after) {
				after = n.Stamp
			}
			return false
		})
		c := covered(t, bare.lake(t), at(1, 0), at(2, 0))
		if len(c.Gaps) != 1 || !c.Gaps[0].From.Equal(before) || !c.Gaps[0].To.Equal(after) ||
			!strings.HasPrefix(c.Gaps[0].Reason, "nothing was delivered for "+spell(after.Sub(before))+"; something usually comes every 5 min, and the limit is ") {
			t.Errorf("%v; want one gap from %v to %v", lines(c), before, after)
		}
	})

	// A file that changes after it was read is evidence of an alteration, whatever its bytes are now.
	t.Run("an altered log file", func(t *testing.T) {
		dir, l := t.TempDir(), openLake(t)
		all.write(t, dir)
		compactFolder(t, l, dir)
		trail{nameOf(one): zip(t, []byte(`{"Records":[]}`))}.write(t, dir)
		compactFolder(t, l, dir)
		expectGaps(t, "whole", covered(t, l, at(0, 0), at(3, 0)), gapOf(at(1, 9), at(1, 10), "1 log file that the digest names was altered after the lake had read it: "+one))
	})

	// The truncated copies of the generator are noticed where no digest tells that they are not CloudTrail's.
	t.Run("the damaged object", func(t *testing.T) {
		bare := all.without(func(_ string, n cloudtrail.ObjectName) bool { return n.Kind == cloudtrail.KindDigest })
		c := covered(t, bare.lake(t), at(0, 0), at(1, 0))
		if n := slices.IndexFunc(lines(c), func(l string) bool { return strings.Contains(l, "|1 log file could not be read in full: ") }); n < 0 {
			t.Errorf("%v", lines(c))
		}
	})
}
