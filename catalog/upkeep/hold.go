package upkeep

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
)

// Hold keeps events of an account and of some days, whatever retention says. It is an object of the lake that nobody writes over; its
// release is another one beside it, so that both stay for whoever asks later.
type Hold struct {
	Name    string `json:"name"`
	Account string `json:"account,omitempty"` // "": all
	From    string `json:"from,omitempty"`    // 2006-01-02, the first day; "": all before To
	To      string `json:"to,omitempty"`      // the last day; "": all from From on
	Placed  Act    `json:"placed"`
}

const holdFolder = "_trailql/holds/"

var holdName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// covers reports whether the hold keeps a partition.
func (h *Hold) covers(p catalog.Partition) bool {
	return (h.Account == "" || h.Account == p.Account) && (h.From == "" || p.Date >= h.From) && (h.To == "" || p.Date <= h.To)
}

// AddHold places a hold. A removal that is being prepared meanwhile is prepared anew, with it: a hold that was placed is kept.
func AddHold(ctx context.Context, lake *catalog.Lake, h Hold) error {
	if !holdName.MatchString(h.Name) {
		return fmt.Errorf("a hold's name has lower-case letters, digits and hyphens, up to 64, such as case-2026-17; not %q", h.Name)
	}
	for _, day := range []string{h.From, h.To} {
		if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
			return fmt.Errorf("%q is no day such as 2026-03-01", day)
		}
	}
	if h.From != "" && h.To != "" && h.From > h.To {
		return fmt.Errorf("the hold's first day %s is after its last day %s", h.From, h.To)
	}
	if err := put(ctx, lake.Store(), holdFolder+h.Name+".json", h); err != nil {
		if errors.Is(err, blob.ErrExists) {
			return fmt.Errorf("there is or was a hold %q already; take another name", h.Name)
		}
		return fmt.Errorf("place the hold: %w", err)
	}
	return lake.Mark(ctx)
}

// RemoveHold releases a hold.
func RemoveHold(ctx context.Context, lake *catalog.Lake, name string, act Act) error {
	holds, err := Holds(ctx, lake.Store())
	if err != nil {
		return err
	}
	for _, h := range holds {
		if h.Name != name {
			continue
		}
		if err := put(ctx, lake.Store(), holdFolder+name+".released.json", act); err != nil {
			return fmt.Errorf("release the hold: %w", err)
		}
		return nil
	}
	return fmt.Errorf("there is no hold %q; trailql lake hold list shows those that there are", name)
}

// Holds lists the holds that are in force, by name.
func Holds(ctx context.Context, store blob.Store) ([]Hold, error) {
	released := map[string]bool{}
	var names []string
	err := store.List(ctx, holdFolder, "", func(info blob.Info) error {
		name := path.Base(info.Name)
		if of, ok := strings.CutSuffix(name, ".released.json"); ok {
			released[of] = true
		} else if of, ok := strings.CutSuffix(name, ".json"); ok {
			names = append(names, of)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list holds: %w", err)
	}
	holds := []Hold{}
	for _, name := range names {
		if released[name] {
			continue
		}
		var h Hold
		ok, err := read(ctx, store, holdFolder+name+".json", &h)
		if err == nil && (!ok || h.Name != name) {
			err = fmt.Errorf("%s/%s%s.json is no hold of that name", store.URL(), holdFolder, name)
		}
		if err != nil {
			return nil, err // nothing may be removed by who does not know all holds
		}
		holds = append(holds, h)
	}
	return holds, nil
}
