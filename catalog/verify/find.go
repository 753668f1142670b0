package verify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
)

// archive is the digests of one account and region.
type archive struct {
	unit
	roots []string     // URLs, with their slashes, below which the log files of the digests stand
	files []digestFile // from the newest to the oldest
}

// digestFile is a digest as a listing has it.
type digestFile struct {
	spot
	chain    string // of which digests follow each other: the name without its time
	backfill bool
	stamp    time.Time // the end of its span, by its name
}

// digestFolder is one folder of digests, CloudTrail-Digest/REGION/, or "" for a copy without folders.
type digestFolder struct {
	source int
	name   string
}

// archives calls visit for each account and region that has digests in the sources, one after the other: a chain may go on in another
// bucket. Their digests are those of which the span ends in the period, or up to an hour after it, as the AWS CLI takes them.
func archives(ctx context.Context, sources []blob.Store, opt Options, visit func(*archive) error) error {
	groups := map[unit][]digestFolder{}
	for i, s := range sources {
		names, err := digestFolders(ctx, s, "")
		if err != nil {
			return fmt.Errorf("list %s: %w", s.URL(), err)
		}
		if len(names) == 0 {
			names = append(names, "")
		}
		for _, name := range names {
			n := cloudtrail.ParseName(name + "x")
			groups[unit{n.Account, n.Region}] = append(groups[unit{n.Account, n.Region}], digestFolder{i, name})
		}
	}
	for _, of := range slices.SortedFunc(maps.Keys(groups), unit.compare) {
		if of.account != "" && (opt.Account != "" && of.account != opt.Account || opt.Region != "" && of.region != opt.Region) {
			continue
		}
		found := map[unit]*archive{}
		for _, f := range groups[of] {
			if err := listDigests(ctx, sources[f.source], f, opt, found); err != nil {
				return fmt.Errorf("list %s/%s: %w", sources[f.source].URL(), f.name, err)
			}
		}
		for _, of := range slices.SortedFunc(maps.Keys(found), unit.compare) {
			a := found[of]
			slices.SortFunc(a.files, func(a, b digestFile) int {
				return cmp.Or(b.stamp.Compare(a.stamp), strings.Compare(b.name, a.name), cmp.Compare(a.source, b.source))
			})
			if err := visit(a); err != nil {
				return err
			}
		}
	}
	return nil
}

// listDigests adds the digests of a folder to those of their accounts and regions.
func listDigests(ctx context.Context, s blob.Store, f digestFolder, opt Options, found map[unit]*archive) error {
	root := s.URL() + "/"
	if f.name != "" {
		root += f.name[:strings.LastIndex(f.name, string(cloudtrail.KindDigest)+"/")]
	}
	return s.List(ctx, f.name, "", func(info blob.Info) error {
		d, of, ok := nameDigest(info.Name)
		if !ok || opt.Account != "" && of.account != opt.Account || opt.Region != "" && of.region != opt.Region ||
			d.stamp.Before(opt.From) || d.stamp.After(opt.To.Add(time.Hour)) {
			return nil
		}
		d.source = f.source
		a := found[of]
		if a == nil {
			a = &archive{unit: of}
			found[of] = a
		}
		if !slices.Contains(a.roots, root) {
			a.roots = append(a.roots, root)
		}
		a.files = append(a.files, d)
		return nil
	})
}

// digestFolders lists the folders CloudTrail-Digest/REGION/ below one, without a look into folders of other kinds.
func digestFolders(ctx context.Context, s blob.Store, below string) (found []string, err error) {
	parts, err := s.Folders(ctx, below)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		name := strings.TrimSuffix(part, "/")
		switch {
		case path.Base(below) == string(cloudtrail.KindDigest):
			found = append(found, below+part)
		case strings.HasPrefix(name, string(cloudtrail.KindLog)) && name != string(cloudtrail.KindDigest), strings.Count(below, "/") > 20:
		default:
			more, err := digestFolders(ctx, s, below+part)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	}
	return found, nil
}

// nameDigest reads a digest's name: ACCOUNT_CloudTrail-Digest_REGION_TRAIL_REGION_STAMP[_backfill].json.gz.
func nameDigest(name string) (f digestFile, of unit, ok bool) {
	file := path.Base(name)
	stem, cut := strings.CutSuffix(file, ".json.gz")
	if !cut {
		if stem, cut = strings.CutSuffix(file, ".json"); !cut {
			return f, of, false
		}
	}
	n := cloudtrail.ParseName(file)
	stem, f.backfill = strings.CutSuffix(stem, "_backfill")
	i := strings.LastIndexByte(stem, '_')
	if n.Kind != cloudtrail.KindDigest || i < 0 {
		return f, of, false
	}
	stamp, err := time.Parse("20060102T150405Z", stem[i+1:])
	f.name, f.stamp, f.chain = name, stamp, stem[:i]
	if f.backfill {
		f.chain += " backfill"
	}
	return f, unit{n.Account, n.Region}, err == nil
}

// loaded is a digest file that was read.
type loaded struct {
	digestFile
	digest   *cloudtrail.Digest // nil where it cannot be read
	fault    *cloudtrail.ObjectError
	err      error             // of reading
	metadata map[string]string // nil where none is kept
}

const mostMetadata = 64 << 10

// load reads a digest and its metadata: the store's, or what a file beside it has.
func load(ctx context.Context, s blob.Store, f digestFile) loaded {
	l := loaded{digestFile: f}
	l.err = func() error {
		info, err := s.Stat(ctx, f.name)
		if err != nil {
			return err
		}
		if l.metadata = info.Metadata; l.metadata == nil {
			if l.metadata, err = sidecar(ctx, s, f.name); err != nil {
				return err
			}
		}
		in, err := s.Get(ctx, info)
		if err != nil {
			return err
		}
		defer in.Close()
		l.digest, err = cloudtrail.ReadDigest(ctx, in, f.name, cloudtrail.Limits{})
		if errors.As(err, &l.fault) {
			return nil
		}
		return err
	}()
	return l
}

// sidecar reads what a file beside an object says of its metadata; nil where there is none.
func sidecar(ctx context.Context, s blob.Store, name string) (map[string]string, error) {
	info, err := s.Stat(ctx, name+cloudtrail.SidecarSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size > mostMetadata {
		return nil, fmt.Errorf("%s%s: %d bytes are too many for metadata", name, cloudtrail.SidecarSuffix, info.Size)
	}
	text, err := s.ReadAll(ctx, name+cloudtrail.SidecarSuffix)
	if err != nil {
		return nil, err
	}
	var file struct{ Metadata map[string]string }
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, fmt.Errorf("%s%s: %w", name, cloudtrail.SidecarSuffix, err)
	}
	out := map[string]string{}
	for k, v := range file.Metadata {
		out[strings.ToLower(k)] = v
	}
	return out, nil
}

// readAhead reads digests in order, several at a time.
func readAhead(ctx context.Context, sources []blob.Store, files []digestFile, workers int, visit func(loaded) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ahead := make(chan chan loaded, workers)
	go func() {
		defer close(ahead)
		for _, f := range files {
			one := make(chan loaded, 1)
			select {
			case ahead <- one:
			case <-ctx.Done():
				return
			}
			go func() { one <- load(ctx, sources[f.source], f) }()
		}
	}()
	for one := range ahead {
		l := <-one
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := visit(l); err != nil {
			return err
		}
	}
	return ctx.Err()
}
