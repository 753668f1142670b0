package synth

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Planted is a fault in the archive of a trail, done after CloudTrail delivered and signed it.
type Planted struct {
	Kind    string    `json:"kind"` // one of PlantKinds
	Account string    `json:"account"`
	Region  string    `json:"region"`
	From    time.Time `json:"from"`    // the first hour of delivery that it is about
	To      time.Time `json:"to"`      // the hour after the last
	Objects []string  `json:"objects"` // names: deleted, altered, damaged, added, forged
}

// PlantKinds are the kinds of faults; those planted are of one after the other.
//
//	deleted  a log file that a digest names is gone
//	altered  a log file has one record less
//	extra    a log file was added that CloudTrail never delivered
//	damaged  a log file was cut off
//	forged   a log file is gone, and the digest that named it names it no more
//	chain    a digest is gone
//	outage   the log files and digests of some hours are gone
var PlantKinds = []string{"deleted", "altered", "extra", "damaged", "forged", "chain", "outage"}

// planter plants faults into the days of a trail, one a day and account at most: so none hides another. The first day and the last are left
// alone, for there chains begin and end.
type planter struct {
	kinds   map[[2]int]string // by day and account
	seed    uint64
	planted []Planted
}

func newPlanter(opt Options) *planter {
	p := &planter{kinds: map[[2]int]string{}, seed: opt.Seed}
	r := rand.New(rand.NewPCG(opt.Seed, 0x706c616e74))
	days := opt.Days - 2
	for i, slot := range r.Perm(max(0, days*opt.Accounts))[:max(0, min(opt.Plant, days*opt.Accounts))] {
		p.kinds[[2]int{1 + slot/opt.Accounts, slot % opt.Accounts}] = PlantKinds[i%len(PlantKinds)]
	}
	return p
}

// day plants the fault of a day and account, if there is one, into its objects.
func (p *planter) day(d *day, objects []Object, dayIndex, accountIndex int) ([]Object, error) {
	kind, ok := p.kinds[[2]int{dayIndex, accountIndex}]
	if !ok {
		return objects, nil
	}
	r := rand.New(rand.NewPCG(p.seed, uint64(dayIndex)<<20|uint64(accountIndex)|1<<60))
	target, ok := p.target(d, objects, r)
	if !ok {
		return objects, nil // nothing was delivered: nothing to do harm to
	}
	f := Planted{Kind: kind, Account: d.a.id, Region: target.region, From: target.stamp.Truncate(time.Hour)}
	f.To = f.From.Add(time.Hour)
	_, _, digest := d.span(target.region, f.From.Hour())
	at := func(name string) int { return slices.IndexFunc(objects, func(o Object) bool { return o.Name == name }) }
	drop := func(gone func(Object) bool) {
		objects = slices.DeleteFunc(objects, func(o Object) bool {
			if gone(o) {
				f.Objects = append(f.Objects, o.Name)
				return true
			}
			return false
		})
	}
	// change replaces the text of an object by another.
	change := func(name string, other func(string) string) error {
		o := &objects[at(name)]
		text, err := unzipped(o.Data)
		if err != nil {
			return err
		}
		f.Objects = append(f.Objects, name)
		o.Data, err = zip([]byte(other(text)))
		return err
	}
	var err error
	switch kind {
	case "deleted":
		drop(func(o Object) bool { return o.Name == target.name })
	case "altered":
		err = change(target.name, withoutFirst)
	case "extra":
		o := objects[at(target.name)]
		o.Name = strings.TrimSuffix(o.Name, ".json.gz")
		o.Name = o.Name[:len(o.Name)-16] + letters(r, 16, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") + ".json.gz"
		var text string
		if text, err = unzipped(o.Data); err == nil {
			o.Data, err = zip([]byte(strings.Replace(text, `"eventID":"`, `"eventID":"f0`, 1)))
		}
		objects = append(objects, o)
		f.Objects = []string{o.Name}
	case "damaged":
		o := &objects[at(target.name)]
		o.Data = o.Data[:len(o.Data)*2/3]
		f.Objects = []string{o.Name}
	case "forged":
		drop(func(o Object) bool { return o.Name == target.name })
		err = change(digest, func(text string) string { return withoutFile(text, target.name) })
	case "chain":
		drop(func(o Object) bool { return o.Name == digest })
	case "outage":
		f.To = f.From.Add(time.Duration(1+r.IntN(min(6, 24-f.From.Hour()))) * time.Hour)
		var digests []string
		for at := f.From; at.Before(f.To); at = at.Add(time.Hour) {
			_, _, name := d.span(target.region, at.Hour())
			digests = append(digests, name)
		}
		drop(func(o Object) bool {
			log, ok := logFile(d, o)
			return ok && log.region == target.region && !log.stamp.Before(f.From) && log.stamp.Before(f.To) || slices.Contains(digests, o.Name)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("planting the fault %q: %w", kind, err)
	}
	p.planted = append(p.planted, f)
	slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	return objects, nil
}

// delivered is a log file that digests name.
type delivered struct {
	name, region string
	stamp        time.Time
}

// logFile tells of a log file of a day; ok is false for other objects.
func logFile(d *day, o Object) (delivered, bool) {
	words := strings.Split(path.Base(o.Name), "_")
	if len(words) != 5 || words[1] != "CloudTrail" {
		return delivered{}, false
	}
	stamp, err := time.Parse("20060102T1504Z", words[3])
	return delivered{o.Name, words[2], stamp}, err == nil
}

// target draws one of the log files that were delivered on the day.
func (p *planter) target(d *day, objects []Object, r *rand.Rand) (delivered, bool) {
	var all []delivered
	for _, o := range objects {
		if log, ok := logFile(d, o); ok && log.stamp.Before(d.start.AddDate(0, 0, 1)) {
			all = append(all, log)
		}
	}
	if len(all) == 0 {
		return delivered{}, false
	}
	return all[r.IntN(len(all))], true
}

// withoutFirst is the text of a log file without its first record.
func withoutFirst(text string) string {
	const head = `{"Records":[`
	depth, quoted := 0, false
	for i := len(head); i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			if depth--; depth == 0 {
				return head + strings.TrimPrefix(text[i+1:], ",")
			}
		}
	}
	return text
}

// withoutFile is the text of a digest that does not name a log file.
func withoutFile(text, name string) string {
	from := strings.Index(text, fmt.Sprintf(`{"s3Bucket":"trail-archive","s3Object":%q`, name))
	if from < 0 {
		return text
	}
	to := from + strings.Index(text[from:], "}") + 1
	rest := strings.TrimPrefix(text[to:], ",")
	before := text[:from]
	if len(rest) == len(text[to:]) { // it was the last
		before = strings.TrimSuffix(before, ",")
	}
	return before + rest
}

func unzipped(data []byte) (string, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return "", fmt.Errorf("reading an object of the trail: %w", err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return "", fmt.Errorf("reading an object of the trail: %w", err)
	}
	return string(text), nil
}
