package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/trailql/trailql/engine/report"
)

// kind of a gap. Gaps of one kind that touch are one.
type kind uint8

const (
	nothing    kind = iota // no object in the whole period
	beyond                 // the period goes on after the newest delivery
	silence                // longer than usual
	uncovered              // by digests
	missing                // files are not in the lake
	unread                 // files could not be read in full
	altered                // the bytes of files changed
	refuted                // files are not what their digests say
	invalid                // digests are not CloudTrail's
	unknowable             // files whose names tell no time could not be read in full
)

// gap is a stretch of one unit's time. Names are those of the first files it is about.
type gap struct {
	unit
	kind     kind
	from, to time.Time
	hour     time.Time // of delivery, where it is told more exactly than by from and to; else zero
	n        int64     // files
	names    []string
	digest   bool   // the files are digests, else log files
	named    bool   // the files are named by digests
	said     string // what the kind alone does not say
}

// namesShown is how many files the reason of a gap names.
const namesShown = 2

// join takes in b, which is of the same kind and unit, if the two touch.
func (g *gap) join(b gap) bool {
	if b.from.After(g.to) || g.from.After(b.to) {
		return false
	}
	return g.merge(b)
}

// merge takes in b if it says the same of the same unit.
func (g *gap) merge(b gap) bool {
	if g.unit != b.unit || g.kind != b.kind || g.digest != b.digest || g.said != b.said {
		return false
	}
	if b.from.Before(g.from) {
		g.from = b.from
	}
	if b.to.After(g.to) {
		g.to = b.to
	}
	g.n += b.n
	for _, name := range b.names {
		if len(g.names) < namesShown {
			g.names = append(g.names, name)
		}
	}
	return true
}

func (g *gap) reason() string {
	files, are, were := "log files", "are", "were"
	if g.digest {
		files = "digests"
	}
	if g.n == 1 {
		files, are, were = strings.TrimSuffix(files, "s"), "is", "was"
	}
	files = fmt.Sprintf("%d %s", g.n, files)
	if g.named {
		files += " that the digest names"
	}
	names := strings.Join(g.names, ", ")
	if g.n > int64(len(g.names)) {
		names += ", …"
	}
	switch g.kind {
	case nothing:
		return "nothing was delivered in this period" + g.said
	case beyond:
		return "the period goes beyond the newest delivery that the lake has"
	case silence:
		return g.said
	case uncovered:
		return "no digest covers this time"
	case missing:
		return fmt.Sprintf("%s %s not in the lake: %s", files, are, names)
	case unread:
		return fmt.Sprintf("%s could not be read in full: %s", files, names)
	case altered:
		return fmt.Sprintf("%s %s altered after the lake had read %s: %s", files, were, map[bool]string{true: "it", false: "them"}[g.n == 1], names)
	case refuted:
		return fmt.Sprintf("%s %s not what the digest says: %s", files, are, names)
	case invalid:
		return fmt.Sprintf("%s %s not valid: %s", files, are, names)
	case unknowable:
		return fmt.Sprintf("%s, delivered at an unknown time, could not be read in full: %s", files, names)
	}
	return ""
}

// gaps collects what is missing. It holds a bounded number of gaps: when there are more, it lets go of the shortest.
type gaps struct {
	list    []gap
	dropped int64
	units   map[unit]int64 // gaps of each
}

// most is the number of gaps that a coverage lists.
const most = 1000

// add takes the gap if it is not empty. Gaps of one unit and kind must come in the order of their starts.
func (s *gaps) add(g gap) {
	if !g.from.Before(g.to) {
		return
	}
	// The one that it may touch is near the end: only gaps of other kinds of the same unit come between.
	for i := len(s.list) - 1; i >= 0 && i >= len(s.list)-8 && s.list[i].unit == g.unit; i-- {
		if s.list[i].join(g) {
			return
		}
	}
	if s.units == nil {
		s.units = map[unit]int64{}
	}
	s.units[g.unit]++
	if s.list = append(s.list, g); len(s.list) >= 4*most {
		s.cut()
	}
}

// cut keeps the longest gaps.
func (s *gaps) cut() {
	slices.SortStableFunc(s.list, func(a, b gap) int {
		return cmp.Or(cmp.Compare(b.to.Sub(b.from), a.to.Sub(a.from)), strings.Compare(a.account, b.account), strings.Compare(a.region, b.region),
			a.from.Compare(b.from), cmp.Compare(a.kind, b.kind))
	})
	if len(s.list) > most {
		s.dropped += int64(len(s.list) - most)
		s.list = slices.Clone(s.list[:most])
	}
}

func (s *gaps) report() (out []report.Gap, more int64) {
	s.cut()
	for i := range s.list {
		g := &s.list[i]
		out = append(out, report.Gap{Account: g.account, Region: g.region, From: g.from, To: g.to, Reason: g.reason()})
	}
	return out, s.dropped
}

// spell writes a length of time shortly.
func spell(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int64(d.Round(time.Second)/time.Second))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int64(d.Round(time.Minute)/time.Minute))
	case d < 48*time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Hours()), ".0") + " h"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Hours()/24), ".0") + " days"
}
