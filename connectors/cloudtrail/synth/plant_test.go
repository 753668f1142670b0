package synth

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Each fault of the truth is in the archive, of every kind, and the archive differs from the one without faults in nothing else.
func TestPlantedFaults(t *testing.T) {
	opt := Options{Seed: 3, Accounts: 3, Regions: 1, Days: 9, Events: 1, Even: true, Sign: true}
	byName := func(opt Options) (map[string]string, *Truth) {
		objects, truth := collect(t, opt)
		out := map[string]string{}
		for _, o := range objects {
			out[o.Name] = string(o.Data)
		}
		return out, truth
	}
	whole, _ := byName(opt)
	opt.Plant = 21
	have, truth := byName(opt)
	kinds := map[string]int{}
	touched := map[string]string{}
	for _, f := range truth.Planted {
		kinds[f.Kind]++
		for _, name := range f.Objects {
			touched[name] = f.Kind
		}
	}
	for _, kind := range PlantKinds {
		if kinds[kind] != 3 {
			t.Errorf("%d faults %q, want 3", kinds[kind], kind)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(whole)) {
		now, there := have[name]
		switch kind := touched[name]; {
		case kind == "" && now != whole[name]:
			t.Errorf("%s differs, and no fault tells of it", name)
		case (kind == "deleted" || kind == "chain" || kind == "outage") && there:
			t.Errorf("%s is said to be gone (%s)", name, kind)
		case (kind == "altered" || kind == "damaged" || kind == "forged" && strings.Contains(name, "Digest")) && (!there || now == whole[name]):
			t.Errorf("%s is as it was (%s)", name, kind)
		}
		if kind := touched[name]; there && (kind == "altered" || kind == "forged") {
			before, _ := unzipped([]byte(whole[name]))
			after, err := unzipped([]byte(now))
			if err != nil || len(after) >= len(before) || !strings.HasSuffix(after, "]}") {
				t.Errorf("%s (%s): %d bytes of %d, %v", name, kind, len(after), len(before), err)
			}
		}
	}
	for name := range have {
		if _, there := whole[name]; !there && touched[name] != "extra" {
			t.Errorf("%s is new", name)
		}
	}
}
