package verify

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
)

// KeySource gives the public keys of a region that were valid at some time of a period, as CloudTrail's ListPublicKeys does.
type KeySource interface {
	PublicKeys(ctx context.Context, region string, from, to time.Time) ([]cloudtrail.PublicKey, error)
}

var (
	errNoKey  = errors.New("public key not found")
	errNoKeys = errors.New("no public key of the region is known")
)

// keyring finds keys, and remembers them. Not safe for concurrent use.
type keyring struct {
	source KeySource
	known  map[string]map[string]*rsa.PublicKey // by region and fingerprint
	asked  map[string]bool                      // region and day
}

// find is the key of a fingerprint, of a region, for a digest that was signed at about some time.
func (k *keyring) find(ctx context.Context, region, fingerprint string, at time.Time) (*rsa.PublicKey, error) {
	fingerprint = strings.ToLower(fingerprint)
	if key := k.known[region][fingerprint]; key != nil {
		return key, nil
	}
	if k.source != nil {
		if k.known == nil {
			k.known, k.asked = map[string]map[string]*rsa.PublicKey{}, map[string]bool{}
		}
		day := region + at.UTC().Format(time.DateOnly)
		if !k.asked[day] {
			from := at.UTC().Truncate(24 * time.Hour)
			keys, err := k.source.PublicKeys(ctx, region, from.Add(-time.Hour), from.Add(26*time.Hour))
			if err != nil {
				return nil, fmt.Errorf("public keys of %s: %w", region, err)
			}
			k.asked[day] = true
			if k.known[region] == nil && len(keys) > 0 {
				k.known[region] = map[string]*rsa.PublicKey{}
			}
			for _, key := range keys {
				k.known[region][key.Fingerprint] = key.RSA
			}
		}
	}
	switch key := k.known[region][fingerprint]; {
	case key != nil:
		return key, nil
	case len(k.known[region]) == 0:
		return nil, errNoKeys
	}
	return nil, errNoKey
}

// SavedKeys are the keys in files, as `trailql keys save` and `aws cloudtrail list-public-keys` write them. A file that is called
// REGION.json holds keys of that region alone, any other keys of all.
type SavedKeys struct {
	byRegion map[string][]cloudtrail.PublicKey // "": of all
}

const mostKeyBytes = 16 << 20

// OpenKeys reads all files NAME.json of a store.
func OpenKeys(ctx context.Context, store blob.Store) (*SavedKeys, error) {
	saved := &SavedKeys{byRegion: map[string][]cloudtrail.PublicKey{}}
	n := 0
	err := store.List(ctx, "", "", func(info blob.Info) error {
		stem, ok := strings.CutSuffix(info.Name, ".json")
		if !ok || strings.Contains(stem, "/") {
			return nil
		}
		if info.Size > mostKeyBytes {
			return fmt.Errorf("%s: %d bytes are too many for public keys", info.Name, info.Size)
		}
		text, err := store.ReadAll(ctx, info.Name)
		if err != nil {
			return err
		}
		keys, err := cloudtrail.ParsePublicKeys(text)
		if err != nil {
			return fmt.Errorf("%s: %w", info.Name, err)
		}
		if !isRegionName(stem) {
			stem = ""
		}
		saved.byRegion[stem] = append(saved.byRegion[stem], keys...)
		n += len(keys)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("public keys in %s: %w", store.URL(), err)
	}
	if n == 0 {
		return nil, fmt.Errorf("no public keys in %s; save them with: trailql keys save", store.URL())
	}
	return saved, nil
}

// PublicKeys returns the keys of a region whatever the period: a saved file may lack validity, and a fingerprint names one key only.
func (s *SavedKeys) PublicKeys(_ context.Context, region string, _, _ time.Time) ([]cloudtrail.PublicKey, error) {
	return append(slices.Clone(s.byRegion[region]), s.byRegion[""]...), nil
}

// isRegionName reports whether a file's name is one of a region: letters, then words, then a digit, as us-gov-west-1.
func isRegionName(s string) bool {
	parts := strings.Split(s, "-")
	if len(parts) < 3 || len(parts[0]) != 2 || len(parts[len(parts)-1]) != 1 {
		return false
	}
	last := parts[len(parts)-1][0]
	return last >= '0' && last <= '9' && !strings.ContainsFunc(s, func(r rune) bool { return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') })
}

// SaveKeys adds the keys of a region to its file in a store: those that are there stay, for a key that is no longer given out cannot
// be had again. It returns how many are new and how many the file has.
func SaveKeys(ctx context.Context, store blob.Store, region string, keys []cloudtrail.PublicKey) (added, all int, err error) {
	if !isRegionName(region) {
		return 0, 0, fmt.Errorf("%q is no region", region)
	}
	name := region + ".json"
	by := map[string]cloudtrail.PublicKey{}
	switch info, err := store.Stat(ctx, name); {
	case err == nil && info.Size <= mostKeyBytes:
		text, err := store.ReadAll(ctx, name)
		if err != nil {
			return 0, 0, err
		}
		old, err := cloudtrail.ParsePublicKeys(text)
		if err != nil {
			return 0, 0, fmt.Errorf("%s/%s: %w", store.URL(), name, err)
		}
		for _, k := range old {
			by[k.Fingerprint] = k
		}
	case err == nil:
		return 0, 0, fmt.Errorf("%s/%s: %d bytes are too many for public keys", store.URL(), name, info.Size)
	case !errors.Is(err, fs.ErrNotExist):
		return 0, 0, err
	}
	before := len(by)
	for _, k := range keys {
		by[k.Fingerprint] = k
	}
	list := slices.SortedFunc(maps.Values(by), func(a, b cloudtrail.PublicKey) int {
		if c := a.From.Compare(b.From); c != 0 {
			return c
		}
		return strings.Compare(a.Fingerprint, b.Fingerprint)
	})
	text, err := cloudtrail.WritePublicKeys(list)
	if err != nil {
		return 0, 0, err
	}
	out, err := store.Create(ctx, name)
	if err != nil {
		return 0, 0, err
	}
	defer out.Abort()
	if _, err := out.Write(text); err != nil {
		return 0, 0, err
	}
	return len(by) - before, len(by), out.Close()
}
