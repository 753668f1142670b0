package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine"
)

// Options of a verification; zero fields take defaults.
type Options struct {
	From, To        time.Time // digests whose span ends in it, and an hour more; zero: all
	Account, Region string    // "": all
	Reread          bool      // hash the log files of the sources again, instead of taking the hashes made when the lake read them
	Moved           []Moved
	Keys            KeySource
	Workers         int // objects read at a time: 16
	Now             func() time.Time
}

// Progress counts while a verification goes on; any goroutine may read it.
type Progress struct{ Digests, Logs, Bytes atomic.Int64 }

// Count is how many objects of a kind came to which verdict.
type Count struct {
	Verified   int64 `json:"verified"`
	Unverified int64 `json:"unverified"`
	Missing    int64 `json:"missing"`
	Altered    int64 `json:"altered,omitempty"`
	Invalid    int64 `json:"invalid,omitempty"`
	Extra      int64 `json:"extra,omitempty"`
}

func (c *Count) add(verdict string) {
	switch verdict {
	case Verified:
		c.Verified++
	case Unverified:
		c.Unverified++
	case Missing:
		c.Missing++
	case Altered:
		c.Altered++
	case Invalid:
		c.Invalid++
	case Extra:
		c.Extra++
	}
}

// Bad counts those that are not what CloudTrail delivered. An unverified one may be.
func (c Count) Bad() int64 { return c.Missing + c.Altered + c.Invalid + c.Extra }

// All counts objects that digests name, and digests: not the extra ones.
func (c Count) All() int64 { return c.Verified + c.Unverified + c.Missing + c.Altered + c.Invalid }

// otherKind is the reason of those.
const otherKind = "digests do not name files of this kind"

// Summary of a verification. Times are the first and last moment that a verified digest covers, within the period; zero if none does.
type Summary struct {
	From, To                time.Time
	Digests, Backfill, Logs Count
	Others                  int64 // log files of kinds that digests do not name; they are unverified, and not among Logs
	Gaps                    int64
	Written                 int64 // rows that trail_verdicts got
}

// Clean reports that nothing is invalid, missing, altered or extra. Gaps and what could not be decided are no fault.
func (s *Summary) Clean() bool { return s.Digests.Bad()+s.Backfill.Bad()+s.Logs.Bad() == 0 }

// run is one verification.
type run struct {
	places
	ledger
	lake     *catalog.Lake
	opt      Options
	keys     keyring
	progress *Progress
	visit    func(*Finding) error
	verdicts verdicts
	sum      Summary
}

// windowLogs bounds the log files that are judged at a time, about 500 bytes each; windowDigests the digests.
const (
	windowLogs    = 50_000
	windowDigests = 5_000
)

// Run verifies the digests in sources, and by them the log files that they name; visit hears of every object and gap. Verdicts that are
// not in the lake yet are committed to trail_verdicts. Memory is bounded whatever the size of the archive: account by account, region by region,
// backwards in time. visit and progress may be nil. On an error what was committed stays.
//
// A log file is verified if a verified digest names it and its content has the hash that the digest gives: by the hash that was
// made when the lake read it, or with Reread by reading the source again. Where the lake has no hash of it, the source is read.
func Run(ctx context.Context, lake *catalog.Lake, sources []blob.Store, opt Options, progress *Progress, visit func(*Finding) error) (Summary, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.To.IsZero() {
		opt.To = opt.Now().UTC()
	}
	if opt.Workers <= 0 {
		opt.Workers = 16
	}
	if progress == nil {
		progress = &Progress{}
	}
	if visit == nil {
		visit = func(*Finding) error { return nil }
	}
	if opt.To.Before(opt.From) {
		return Summary{}, fmt.Errorf("the period ends at %s, before it begins at %s", opt.To, opt.From)
	}
	snap, err := lake.Snapshot(ctx)
	if err != nil {
		return Summary{}, err
	}
	r := &run{places: places{sources, opt.Moved}, ledger: ledger{engine.New(lake), engine.Options{Snapshot: snap}}, lake: lake, opt: opt,
		keys: keyring{source: opt.Keys}, progress: progress, visit: visit}
	r.verdicts.begin()
	err = archives(ctx, sources, opt, func(a *archive) error { return r.archive(ctx, a) })
	if err == nil {
		err = r.verdicts.commit(ctx, r)
	}
	return r.sum, err
}

// window is a stretch of an archive: digests with their verdicts, from the newest to the oldest.
type window struct {
	*archive
	items []item
	logs  int
	// URLs of the log files that digests name; those that the next window may meet again are kept for it.
	named   map[string]time.Time
	proven  []span    // of verified digests; kept likewise
	decided time.Time // log files delivered from then on were looked at: are they named?
}

// Undecided is the time of delivery from which on something is to be verified after a compaction that began at a version of the lake: of the oldest
// new object, or of the oldest one of the last 31 days, as long as CloudTrail may deliver late, that is unverified; zero if there is none.
func Undecided(ctx context.Context, lake *catalog.Lake, version int64, now time.Time) (from time.Time, err error) {
	snap, err := lake.Snapshot(ctx)
	if err != nil {
		return from, err
	}
	l := ledger{engine.New(lake), engine.Options{Snapshot: snap}}
	for _, text := range []string{
		fmt.Sprintf(`SELECT min(stamp) FROM %s WHERE "commit" > %d`, catalog.Files, version),
		fmt.Sprintf(`SELECT min(stamp) FROM trail_verified WHERE verdict = '%s' AND reason <> %s AND stamp >= %s`, Unverified, quote(otherKind), literal(now.AddDate(0, 0, -31))),
	} {
		if err := l.each(ctx, text, func(r row) error {
			if at := r.time(0); !at.IsZero() && (from.IsZero() || at.Before(from)) {
				from = at.Add(-nearby)
			}
			return nil
		}); err != nil {
			return from, err
		}
	}
	return from, nil
}

// item is a finding, and the digest that it is about.
type item struct {
	*Finding
	digest *cloudtrail.Digest // nil where it cannot be believed at all
	spot
}

// archive verifies one account and region.
func (r *run) archive(ctx context.Context, a *archive) error {
	chains := map[string]*chain{}
	w := &window{archive: a, named: map[string]time.Time{}}
	err := readAhead(ctx, r.sources, a.files, r.opt.Workers, func(l loaded) error {
		c := chains[l.chain]
		if c == nil {
			c = &chain{run: r, region: a.region}
			chains[l.chain] = c
		}
		if f := c.between(&l); f != nil {
			w.items = append(w.items, item{Finding: f})
		}
		f, err := c.judge(ctx, &l)
		if err != nil {
			return err
		}
		if f.Verdict == Invalid {
			l.digest = nil // whoever wrote it could name anything
		} else if l.digest != nil {
			w.logs += len(l.digest.Logs)
		}
		w.items = append(w.items, item{f, l.digest, l.spot})
		r.progress.Digests.Add(1)
		if w.logs >= windowLogs || len(w.items) >= windowDigests {
			return r.judge(ctx, w, false)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range chains {
		if f := c.end(r.opt.From); f != nil {
			w.items = append(w.items, item{Finding: f})
		}
	}
	return r.judge(ctx, w, true)
}

// nearby is how far from its digest's span the time in a log file's name may be.
const nearby = 2 * time.Hour

// judge judges the log files of a window's digests, those of them that no digest names, and ends the window.
func (r *run) judge(ctx context.Context, w *window, last bool) error {
	var from, to time.Time
	for _, it := range w.items {
		if begin := it.stamp.Add(-time.Hour); !it.stamp.IsZero() && (from.IsZero() || begin.Before(from)) {
			from = begin
		}
		to = latest(to, it.stamp)
		if it.digest == nil {
			continue
		}
		begin, end := time.UnixMicro(it.digest.Start).UTC(), time.UnixMicro(it.digest.End).UTC()
		from, to = earliest(from, begin), latest(to, end)
		if it.Verdict == Verified && !it.Backfill {
			w.proven = append(w.proven, span{begin, end})
		}
		if it.Verdict == Verified {
			r.found(begin, end)
		}
	}
	near := map[string][]*logFile{}
	old := map[string]verdict{}
	if !from.IsZero() {
		within := fmt.Sprintf(`account = %s AND region = %s AND stamp >= %s AND stamp < %s`, quote(w.account), quote(w.region), literal(from.Add(-nearby)), literal(to.Add(nearby)))
		if err := r.ledgerFiles(ctx, within, w.roots, near); err != nil {
			return err
		}
		if err := r.oldVerdicts(ctx, within, old); err != nil {
			return err
		}
	}
	findings, err := r.logs(ctx, w, near, old)
	if err != nil {
		return err
	}
	for i, it := range w.items {
		if err := r.tell(ctx, it.Finding, old); err != nil {
			return err
		}
		for _, f := range findings[i] {
			if err := r.tell(ctx, f, old); err != nil {
				return err
			}
		}
	}
	least := from.Add(time.Hour)
	if last {
		least = r.opt.From
	}
	if !from.IsZero() {
		if err := r.unnamed(ctx, w, near, least, old); err != nil {
			return err
		}
		for name, stamp := range w.named {
			if !stamp.Before(least) {
				delete(w.named, name)
			}
		}
		w.proven = slices.DeleteFunc(w.proven, func(s span) bool { return s.from.After(least.Add(nearby)) })
		w.decided = least
	}
	w.items, w.logs = w.items[:0], 0
	return nil
}

// found widens what verified digests cover.
func (r *run) found(from, to time.Time) {
	if from = latest(from, r.opt.From); r.sum.From.IsZero() || from.Before(r.sum.From) {
		r.sum.From = from
	}
	r.sum.To = latest(r.sum.To, earliest(to, r.opt.To))
}

// tell passes a finding on, counts it and keeps its verdict.
func (r *run) tell(ctx context.Context, f *Finding, old map[string]verdict) error {
	switch {
	case f.Kind == "gap":
		r.sum.Gaps++
	case f.Kind == "log":
		r.sum.Logs.add(f.Verdict)
	case f.Backfill:
		r.sum.Backfill.add(f.Verdict)
	default:
		r.sum.Digests.add(f.Verdict)
	}
	if err := r.visit(f); err != nil {
		return err
	}
	if f.Kind == "gap" {
		return nil
	}
	return r.verdicts.put(ctx, r, f, old)
}

// logFile is a log file as the ledger has it: one row, or two where its bytes changed.
type logFile struct {
	path, kind, reason string
	hash               string // of its content; "" where the ledger has none
	state              string
	stamp              time.Time
	altered            bool // other bytes came later
}

// ledgerFiles adds the log files of the ledger for which a condition holds, by the last part of their names.
func (r *run) ledgerFiles(ctx context.Context, where string, roots []string, into map[string][]*logFile) error {
	return r.each(ctx, `SELECT path, kind, reason, content_sha256, state, stamp FROM `+catalog.Files+` WHERE `+logFiles+` AND `+where, func(row row) error {
		name := row.text(0)
		if !slices.ContainsFunc(roots, func(root string) bool { return strings.HasPrefix(name, root) }) {
			return nil
		}
		file := &logFile{path: clone(row, 0), kind: clone(row, 1), reason: clone(row, 2), hash: clone(row, 3), state: clone(row, 4), stamp: row.time(5)}
		base := path.Base(file.path)
		for _, other := range into[base] {
			if other.path != file.path {
				continue
			}
			// Which of the rows is older does not matter: what was read first stands in the lake.
			if file.state == catalog.StateAltered {
				other.altered = true
			} else {
				file.altered = other.altered || other.state == catalog.StateAltered
				*other = *file
			}
			return nil
		}
		into[base] = append(into[base], file)
		return nil
	})
}

// logs judges the log files that the digests of a window name: a list for each item.
func (r *run) logs(ctx context.Context, w *window, near map[string][]*logFile, old map[string]verdict) ([][]*Finding, error) {
	// What is not near its digest may still be in the ledger, under its own name.
	var apart []string
	for _, it := range w.items {
		if it.digest == nil {
			continue
		}
		for _, l := range it.digest.Logs {
			url := r.expected(it.spot, it.digest.Bucket, it.digest.Object, l.Bucket, l.Object)
			if !slices.ContainsFunc(near[path.Base(l.Object)], func(f *logFile) bool { return f.path == url }) {
				apart = append(apart, quote(url))
			}
		}
	}
	for part := range slices.Chunk(apart, 500) {
		where := `path IN (` + strings.Join(part, ", ") + `)`
		if err := r.ledgerFiles(ctx, where, []string{""}, near); err != nil {
			return nil, err
		}
		if err := r.oldVerdicts(ctx, where, old); err != nil {
			return nil, err
		}
	}
	findings := make([][]*Finding, len(w.items))
	var reads []func() error
	for i, it := range w.items {
		if it.digest == nil {
			continue
		}
		for _, l := range it.digest.Logs {
			base := path.Base(l.Object)
			stamp := cloudtrail.ParseName(l.Object).Stamp
			f := &Finding{Kind: "log", URL: r.expected(it.spot, it.digest.Bucket, it.digest.Object, l.Bucket, l.Object), Object: l.Bucket + "/" + l.Object, Backfill: it.Backfill,
				account: w.account, region: w.region, stamp: stamp, digest: it.URL}
			findings[i] = append(findings[i], f)
			w.named[f.URL] = stamp
			var file *logFile
			elsewhere := ""
			for _, n := range near[base] {
				if n.path == f.URL {
					file = n
				} else {
					elsewhere = n.path
				}
			}
			r.progress.Logs.Add(1)
			if it.Verdict != Verified {
				f.Verdict, f.Reason = Unverified, "the digest that names it is "+it.Verdict
				continue
			}
			if file != nil && !r.opt.Reread && file.judge(l.Hash, f) {
				continue
			}
			reads = append(reads, func() error { return r.read(ctx, l, file, elsewhere, f) })
		}
	}
	return findings, together(ctx, r.opt.Workers, reads)
}

// judge gives the verdict of a log file by the ledger, false if the ledger has no hash of it.
func (file *logFile) judge(hash string, f *Finding) bool {
	switch {
	case file.hash == "" && file.state == catalog.StateOK:
		return false
	case file.hash == "":
		f.Verdict, f.Reason = Altered, "invalid format: "+file.reason
	case !strings.EqualFold(file.hash, hash):
		f.Verdict, f.Reason = Altered, "hash value doesn't match"
	case file.altered || file.state == catalog.StateAltered:
		f.Verdict, f.Reason = Altered, "the archive has other bytes by now than those that were read first, which are the ones that the digest names and the lake holds"
	default:
		f.Verdict = Verified
	}
	return true
}

// read gives the verdict of a log file by reading it from its source. file is nil where the ledger does not have it.
func (r *run) read(ctx context.Context, l cloudtrail.DigestLog, file *logFile, elsewhere string, f *Finding) error {
	object, sum, err := r.hash(ctx, f.URL)
	var fault *cloudtrail.ObjectError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errElsewhere):
		f.Verdict, f.Reason = Unverified, "it is in a bucket that is none of the sources"
	case errors.Is(err, fs.ErrNotExist):
		f.Verdict, f.Reason = Missing, "not found"
		if elsewhere != "" {
			f.Reason = "not found; a file of this name is at " + elsewhere
		} else if file != nil {
			f.Reason = "not found; the lake holds its records, read before"
		}
	case errors.As(err, &fault):
		f.Verdict, f.Reason = Altered, "invalid format: "+fault.Error()
	case err != nil:
		f.Verdict, f.Reason = Unverified, fmt.Sprintf("cannot be read: %v", err)
	case !strings.EqualFold(sum, l.Hash):
		f.Verdict, f.Reason = Altered, "hash value doesn't match"
	case file != nil && file.hash != "" && !strings.EqualFold(file.hash, l.Hash):
		f.Verdict, f.Reason = Altered, "the lake holds the records of other bytes than the archive has now, which are the ones that the digest names"
	case file == nil && !r.opt.Reread:
		f.Verdict, f.Reason = Unverified, "it is right in the archive, but not in the lake yet: compact it"
	default:
		f.Verdict = Verified
	}
	r.progress.Bytes.Add(object)
	return nil
}

var errElsewhere = errors.New("in none of the sources")

// hash reads an object of the sources for the hash of its content, hex.
func (r *run) hash(ctx context.Context, url string) (size int64, sum string, err error) {
	at, ok := r.find(url)
	if !ok {
		return 0, "", errElsewhere
	}
	info, err := r.sources[at.source].Stat(ctx, at.name)
	if err != nil {
		return 0, "", err
	}
	in, err := r.sources[at.source].Get(ctx, info)
	if err != nil {
		return 0, "", err
	}
	defer in.Close()
	o, err := cloudtrail.Hash(ctx, in, cloudtrail.Limits{})
	return o.Size, fmt.Sprintf("%x", o.ContentSHA256), err
}

// together runs functions, some at a time, and returns the first error.
func together(ctx context.Context, workers int, do []func() error) error {
	var wg sync.WaitGroup
	var next atomic.Int64
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for range min(workers, len(do)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(do) {
					return
				}
				if err := do[i](); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// unnamed judges log files of the lake that no digest names, delivered from least on and not looked at before. One is extra if verified digests
// cover its delivery and the half hour after it; where they do not reach so far yet, it has no verdict.
func (r *run) unnamed(ctx context.Context, w *window, near map[string][]*logFile, least time.Time, old map[string]verdict) error {
	var files []*logFile
	for _, list := range near {
		for _, file := range list {
			if _, named := w.named[file.path]; !named && !file.stamp.Before(least) && (w.decided.IsZero() || file.stamp.Before(w.decided)) {
				files = append(files, file)
			}
		}
	}
	slices.SortFunc(files, func(a, b *logFile) int { return strings.Compare(a.path, b.path) })
	var newest time.Time
	for _, s := range w.proven {
		newest = latest(newest, s.to)
	}
	covered := func(t time.Time) bool {
		return slices.ContainsFunc(w.proven, func(s span) bool { return !t.Before(s.from) && t.Before(s.to) })
	}
	for _, file := range files {
		f := &Finding{Kind: "log", URL: file.path, account: w.account, region: w.region, stamp: file.stamp}
		later := file.stamp.Add(30 * time.Minute)
		switch {
		case file.kind != string(cloudtrail.KindLog):
			f.Verdict, f.Reason = Unverified, otherKind
			r.sum.Others++
			if err := r.verdicts.put(ctx, r, f, old); err != nil {
				return err
			}
			continue
		case w.decided.IsZero() && !later.Before(newest):
			continue
		case covered(file.stamp) && covered(later):
			f.Verdict, f.Reason = Extra, "no digest names it"
		default:
			f.Verdict, f.Reason = Unverified, "no verified digest covers its delivery"
		}
		if err := r.tell(ctx, f, old); err != nil {
			return err
		}
	}
	return nil
}
