package compact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
)

// A source is listed in spans of names, many at a time. The folders of the trail (…/ACCOUNT/KIND/REGION/, as far as they are there)
// give the places where one span ends and the next begins; in between, nothing is left out: what stands beside these folders,
// above them or in a layout of its own is in one of the spans, too.

// pending is an object to be read.
type pending struct {
	blob.Info
	url   string
	name  cloudtrail.ObjectName
	known []catalog.Consumed // contents read earlier under this name
	span  *span
}

// unit is a folder of a source that has no folders below but those of dates, and what follows it up to the next one.
type unit struct {
	source      int
	prefix, end string   // names from prefix up to and with end; "": to the last one
	years       []string // folders of years below
	name        cloudtrail.ObjectName
}

// span is a part of a source: the names greater than after, up to and with end ("": to the last one).
type span struct {
	source     int
	after, end string
	unit       *unit
	hinted     bool // it is what a queue has named; the queue itself shares the work

	// What its listing gave.
	requests int
	last     string       // newest name that has its place by date in the unit
	fresh    atomic.Int64 // objects to be read
	left     atomic.Int64 // new, but another compactor's
	failed   atomic.Int64
}

const (
	pageNames  = 1000    // listed in one request, and looked up in the ledger in one query
	mostUnits  = 200_000 // folders that are told apart in one source
	mostLevels = 12      // of folders above those of dates
)

// errEnd ends a listing at the end of its span.
var errEnd = errors.New("end of the span")

var (
	yearFolder = regexp.MustCompile(`^(19|20)\d\d/$`)
	dateFolder = regexp.MustCompile(`^(\d\d|(year|month|day|date|dt|y|m|d)=.*)/$`)
)

// listers is the number of listings at a time. Each holds two pages of new names.
func (c *compactor) listers() int { return int(min(max(c.opt.Memory>>26, 2), 16)) }

// discover finds the units of a source, in order of names, by asking for folders level by level. Units of known are taken as they are. What
// cannot be looked at here is met again by the listing, which says so.
func (c *compactor) discover(ctx context.Context, source int, known map[string]*unit) ([]*unit, error) {
	store := c.sources[source]
	inside := c.lakeIn(store)
	var units []*unit
	level := []string{""}
	for depth := 0; len(level) > 0; depth++ {
		children := make([][]string, len(level))
		err := parallel(ctx, 4*c.listers(), len(level), func(ctx context.Context, i int) error {
			if u := known[level[i]]; u != nil || depth == mostLevels || inside != "" && strings.HasPrefix(level[i], inside) {
				return nil
			}
			var err error
			children[i], err = store.Folders(ctx, level[i])
			var missed *blob.Unlisted
			if errors.As(err, &missed) {
				err = nil
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list folders of %s: %w", store.URL(), err)
		}
		var below []string
		for i, prefix := range level {
			if u := known[prefix]; u != nil {
				units = append(units, u)
				continue
			}
			years := slices.DeleteFunc(slices.Clone(children[i]), func(f string) bool { return !yearFolder.MatchString(f) })
			dated := len(years) > 0 || slices.ContainsFunc(children[i], dateFolder.MatchString)
			if !dated && len(children[i]) > 0 && len(units)+len(below)+len(children[i]) <= mostUnits {
				for _, f := range children[i] {
					below = append(below, prefix+f)
				}
				continue
			}
			units = append(units, &unit{source: source, prefix: prefix, years: years, name: cloudtrail.ParseName(prefix + "2000/01/01/x")})
		}
		level = below
	}
	slices.SortFunc(units, func(a, b *unit) int { return strings.Compare(a.prefix, b.prefix) })
	if len(units) == 0 || units[0].prefix != "" {
		units = slices.Insert(units, 0, &unit{source: source}) // what comes before the first
	}
	for i, u := range units {
		u.end = ""
		if i+1 < len(units) {
			u.end = units[i+1].prefix
		}
	}
	return units, nil
}

// units finds the units of all sources, in order of work: partitions come whole, also across kinds and trails.
func (c *compactor) units(ctx context.Context) ([]*unit, error) {
	var all []*unit
	for i := range c.sources {
		units, err := c.discover(ctx, i, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, units...)
	}
	sortUnits(all)
	return all, nil
}

func sortUnits(units []*unit) {
	slices.SortStableFunc(units, func(a, b *unit) int {
		return cmp.Or(strings.Compare(a.name.Account, b.name.Account), strings.Compare(a.name.Region, b.name.Region),
			cmp.Compare(a.source, b.source), strings.Compare(a.prefix, b.prefix))
	})
}

// spans yields all of the units, in spans of a month where a listing is a request for each thousand names.
func (c *compactor) spans(units []*unit) iter.Seq[*span] {
	return func(yield func(*span) bool) {
		for _, u := range units {
			after := u.prefix
			if blob.Remote(c.sources[u.source].URL()) {
				for _, year := range u.years {
					for month := 1; month <= 12; month++ {
						end := fmt.Sprintf("%s%s%02d/", u.prefix, year, month)
						if !yield(&span{source: u.source, after: after, end: end, unit: u}) {
							return
						}
						after = end
					}
				}
			}
			if !yield(&span{source: u.source, after: after, end: u.end, unit: u}) {
				return
			}
		}
	}
}

// found counts what listings gave.
type found struct {
	mu                        sync.Mutex
	listed, earlier, unlisted int64
	unknown                   []string // the first of them
	unknowns                  int64
	missed                    map[string]bool // what could not be listed: neighbouring spans may meet the same
	again                     bool            // listed before in this run: what is known now was counted then
}

// list lists spans, several at a time, and sends pages of new objects in the order of the spans. done gets each span that is complete.
func (c *compactor) list(ctx context.Context, spans iter.Seq[*span], f *found, pages chan<- []pending, done func(*span)) error {
	type task struct {
		span  *span
		pages chan []pending
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	order := make(chan *task, c.listers()-1)
	running.Go(func() {
		defer close(order)
		for s := range spans {
			t := &task{span: s, pages: make(chan []pending, 1)}
			select {
			case order <- t:
			case <-ctx.Done():
				return
			}
			running.Go(func() {
				defer close(t.pages)
				t.err = c.listSpan(ctx, s, f, t.pages)
			})
		}
	})
	for t := range order {
		for page := range t.pages {
			select {
			case pages <- page:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if t.err != nil {
			return t.err
		}
		if done != nil {
			done(t.span)
		}
	}
	return ctx.Err()
}

// commonFolder is the longest prefix that ends in a slash of all names of a span.
func commonFolder(after, end string) string {
	n := 0
	for n < len(after) && n < len(end) && after[n] == end[n] {
		n++
	}
	return after[:strings.LastIndexByte(after[:n], '/')+1]
}

func (c *compactor) listSpan(ctx context.Context, s *span, f *found, pages chan<- []pending) error {
	store := c.sources[s.source]
	inside := c.lakeIn(store)
	infos := make([]blob.Info, 0, pageNames)
	flush := func() error {
		page, err := c.look(ctx, s, infos, f)
		infos = infos[:0]
		if err != nil || len(page) == 0 {
			return err
		}
		s.fresh.Add(int64(len(page)))
		select {
		case pages <- page:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	seen := 0
	var stopped error // by what is done with the names, not by the listing
	err := store.List(ctx, commonFolder(s.after, s.end), s.after, func(info blob.Info) error {
		if s.end != "" && info.Name > s.end {
			return errEnd
		}
		if inside != "" && strings.HasPrefix(info.Name, inside) {
			return nil
		}
		seen++
		if infos = append(infos, info); len(infos) == pageNames {
			stopped = flush()
		}
		return stopped
	})
	s.requests = 1 + seen/pageNames
	var missed *blob.Unlisted
	switch {
	case ctx.Err() != nil || stopped != nil:
		return cmp.Or(ctx.Err(), stopped)
	case errors.As(err, &missed):
		f.miss(missed)
	case err != nil && !errors.Is(err, errEnd):
		return fmt.Errorf("list %s: %w", store.URL(), err)
	}
	return flush()
}

func (f *found) miss(u *blob.Unlisted) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.missed == nil {
		f.missed = map[string]bool{}
	}
	for _, err := range u.First {
		if text := err.Error(); !f.missed[text] && !f.again {
			f.unlisted++
			if len(f.missed) < 10_000 {
				f.missed[text] = true
			}
		}
	}
	if !f.again {
		f.unlisted += u.Count - int64(len(u.First))
	}
}

// addTo adds what was found to a summary.
func (f *found) addTo(s *Summary) {
	s.Listed += f.listed + f.unlisted
	s.Earlier += f.earlier
	s.Unknown += f.unknowns
	s.Unreadable += f.unlisted
	for _, name := range f.unknown {
		s.UnknownNames = keep(s.UnknownNames, name)
	}
	names := make([]string, 0, len(f.missed))
	for name := range f.missed {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s.UnreadableNames = keep(s.UnreadableNames, name)
	}
}

// look decides which of some listed objects must be read.
func (c *compactor) look(ctx context.Context, s *span, infos []blob.Info, f *found) (page []pending, err error) {
	if len(infos) == 0 {
		return nil, nil
	}
	root := c.sources[s.source].URL() + "/"
	var unknown []string
	var unknowns, earlier, listed int64
	urls := make([]string, 0, len(infos))
	for _, info := range infos {
		if strings.HasSuffix(info.Name, cloudtrail.SidecarSuffix) {
			continue // it tells of the object beside it, and verification reads it
		}
		url := urlOf(root + info.Name)
		listed++
		if !cloudtrail.MayHold(info.Name) {
			unknown, unknowns = keep(unknown, url), unknowns+1
			continue
		}
		page = append(page, pending{Info: info, url: url, span: s})
		urls = append(urls, url)
	}
	known, err := c.lake.Consumed(ctx, urls)
	if err != nil {
		return nil, err
	}
	all := page
	page = page[:0]
	for i, p := range all {
		p.name = cloudtrail.ParseName(p.Name)
		s.note(&p)
		p.known = known[i]
		at := slices.IndexFunc(p.known, func(k catalog.Consumed) bool { return k.ETag == p.ETag && k.Size == p.Size })
		switch {
		case at < 0:
		case p.known[at].State == "":
			unknown, unknowns = keep(unknown, p.url), unknowns+1
			continue
		default:
			earlier++
			continue
		}
		p.known = slices.DeleteFunc(p.known, func(k catalog.Consumed) bool { return k.State == "" })
		if !c.share.mine(&p) {
			s.left.Add(1)
			continue
		}
		page = append(page, p)
		c.progress.Objects.Add(1)
		c.progress.Bytes.Add(p.Size)
	}
	clear(all[len(page):])
	if f.again {
		return page, nil
	}
	c.progress.Listed.Add(listed)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listed += listed
	f.earlier += earlier
	f.unknowns += unknowns
	for _, url := range unknown {
		f.unknown = keep(f.unknown, url)
	}
	return page, nil
}

// note keeps the newest name that stands where its date says, for the next listing to go on from.
func (s *span) note(p *pending) {
	if u := s.unit; u != nil && !p.name.Stamp.IsZero() && p.Name == u.prefix+p.name.Stamp.Format(dayFolders)+path.Base(p.Name) {
		s.last = p.Name
	}
}

const (
	dayFolders = "2006/01/02/"
	minutes    = "20060102T1504"
	overlap    = time.Hour // what comes late by no more is found by the next listing of what is newest
)

// resume is the name after which a later listing of a unit begins, if last is the newest that this one has found.
func (u *unit) resume(last string) string {
	if last == "" {
		return u.prefix
	}
	name := cloudtrail.ParseName(last)
	from := name.Stamp.Add(-overlap)
	folder := u.prefix + from.Format(dayFolders)
	file := path.Base(last)
	at := strings.LastIndex(file, name.Stamp.Format(minutes))
	if name.Kind == cloudtrail.KindDigest || at < 0 {
		return folder // names of digests are by trail first
	}
	return folder + file[:at] + from.Format(minutes)
}

// since yields of the units what was delivered after a time, and all of those that have no folders of dates.
func (c *compactor) since(units []*unit, from time.Time) iter.Seq[*span] {
	return func(yield func(*span) bool) {
		for _, u := range units {
			after := u.prefix
			if len(u.years) > 0 {
				after += from.UTC().Format(dayFolders)
			}
			if !yield(&span{source: u.source, after: after, end: u.end, unit: u}) {
				return
			}
		}
	}
}

// sorted orders objects so that partitions come whole.
func sorted(list []pending) []pending {
	slices.SortFunc(list, func(a, b pending) int {
		return cmp.Or(strings.Compare(a.name.Account, b.name.Account), strings.Compare(a.name.Region, b.name.Region),
			cmp.Compare(day(a.name), day(b.name)), strings.Compare(a.url, b.url))
	})
	return list
}

// outermost leaves out the sources that are inside of others, or the same: each object is listed once.
func outermost(sources []blob.Store) []blob.Store {
	var out []blob.Store
	for i, s := range sources {
		covered := false
		for j, other := range sources {
			here, there := s.URL()+"/", other.URL()+"/"
			covered = covered || here == there && j < i || here != there && strings.HasPrefix(here, there)
		}
		if !covered {
			out = append(out, s)
		}
	}
	return out
}

// lakeIn returns the prefix of the lake's own objects in a source, "" if the lake is not in it.
func (c *compactor) lakeIn(source blob.Store) string {
	inside, ok := strings.CutPrefix(c.lake.Store().URL()+"/", source.URL()+"/")
	if !ok {
		return ""
	}
	return inside
}

// urlOf is an object's URL as the tables have it, which hold text: bytes of a file's name that are no UTF-8 are percent-encoded.
func urlOf(url string) string {
	if utf8.ValidString(url) {
		return url
	}
	var out strings.Builder
	for len(url) > 0 {
		r, n := utf8.DecodeRuneInString(url)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&out, "%%%02X", url[0])
		} else {
			out.WriteString(url[:n])
		}
		url = url[n:]
	}
	return out.String()
}

func day(n cloudtrail.ObjectName) int64 { return n.Stamp.Unix() / 86400 }

func (c *compactor) unknown(url string) {
	c.sum.Unknown++
	c.sum.UnknownNames = keep(c.sum.UnknownNames, url)
}

func keep(names []string, name string) []string {
	if len(names) < namesKept {
		names = append(names, name)
	}
	return names
}

// parallel calls f for 0 to n-1, so many at a time, until one fails.
func parallel(ctx context.Context, at, n int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var running sync.WaitGroup
	for range min(at, n) {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := f(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}
