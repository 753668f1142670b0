package compact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
)

// pending is an object to be read.
type pending struct {
	source int
	blob.Info
	url   string
	name  cloudtrail.ObjectName
	known []catalog.Consumed // contents read earlier under this name
}

// list reads the listings of all sources and works off the new objects, many at a time.
func (c *compactor) list(ctx context.Context) error {
	var batch []pending
	var stopped error // by consume, not by the listing
	flush := func() error {
		// Partitions come whole: objects of an account, region and day stand together in one trail, but not across trails.
		slices.SortFunc(batch, func(a, b pending) int {
			return cmp.Or(strings.Compare(a.name.Account, b.name.Account), strings.Compare(a.name.Region, b.name.Region),
				cmp.Compare(day(a.name), day(b.name)), strings.Compare(a.url, b.url))
		})
		stopped = c.consume(ctx, batch)
		batch = batch[:0]
		return stopped
	}
	for source, store := range c.sources {
		inside := c.lakeIn(store)
		err := store.List(ctx, "", func(info blob.Info) error {
			if inside != "" && strings.HasPrefix(info.Name, inside) {
				return nil
			}
			p, wanted, err := c.look(ctx, source, info)
			if err != nil || !wanted {
				stopped = err
				return err
			}
			if batch = append(batch, p); len(batch) >= c.opt.chunk {
				return flush()
			}
			return nil
		})
		var missed *blob.Unlisted
		switch {
		case stopped != nil:
			return stopped
		case errors.As(err, &missed):
			c.sum.Listed += missed.Count
			c.sum.Unreadable += missed.Count
			for _, err := range missed.First {
				c.sum.UnreadableNames = keep(c.sum.UnreadableNames, err.Error())
			}
		case err != nil:
			return fmt.Errorf("list %s: %w", store.URL(), err)
		}
	}
	return flush()
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

// look decides whether a listed object must be read.
func (c *compactor) look(ctx context.Context, source int, info blob.Info) (p pending, wanted bool, err error) {
	c.sum.Listed++
	c.progress.Listed.Add(1)
	p = pending{source: source, Info: info, url: urlOf(c.sources[source].URL() + "/" + info.Name)}
	if !strings.HasSuffix(info.Name, ".json") && !strings.HasSuffix(info.Name, ".json.gz") {
		c.unknown(p.url)
		return p, false, nil
	}
	if p.known, err = c.lake.Consumed(ctx, p.url); err != nil {
		return p, false, err
	}
	for _, k := range p.known {
		if k.ETag == info.ETag && k.Size == info.Size {
			if k.State == "" {
				c.unknown(p.url)
			} else {
				c.sum.Earlier++
			}
			return p, false, nil
		}
	}
	p.known = slices.DeleteFunc(p.known, func(k catalog.Consumed) bool { return k.State == "" })
	p.name = cloudtrail.ParseName(info.Name)
	c.progress.Objects.Add(1)
	c.progress.Bytes.Add(info.Size)
	return p, true, nil
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
