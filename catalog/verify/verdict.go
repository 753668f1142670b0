package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/engine/vec"
)

// verdict is the newest of an object that the lake has.
type verdict struct {
	verdict, reason, object, digest string
	checked                         time.Time
	commit                          int64
}

// oldVerdicts adds the verdicts for which a condition holds, by the objects' URLs.
func (r *run) oldVerdicts(ctx context.Context, where string, into map[string]verdict) error {
	return r.each(ctx, `SELECT path, verdict, reason, object, digest, checked, "commit" FROM `+catalog.Verdicts+` WHERE `+where, func(row row) error {
		v := verdict{clone(row, 1), clone(row, 2), clone(row, 3), clone(row, 4), row.time(5), row.number(6)}
		path := clone(row, 0)
		if old, ok := into[path]; !ok || cmp.Or(v.checked.Compare(old.checked), cmp.Compare(v.commit, old.commit)) > 0 {
			into[path] = v
		}
		return nil
	})
}

// verdicts gathers rows of trail_verdicts.
type verdicts struct{ rows *catalog.RowBuilder }

// mostVerdicts is how many rows go into one commit.
const mostVerdicts = 200_000

func (v *verdicts) begin() { v.rows = catalog.NewRowBuilder(catalog.Verdicts) }

// put keeps a finding for the lake, unless the lake has the same of the object.
func (v *verdicts) put(ctx context.Context, r *run, f *Finding, old map[string]verdict) error {
	if o, ok := old[f.URL]; ok && o.verdict == f.Verdict && o.reason == f.Reason && o.object == f.Object && o.digest == f.digest {
		return nil
	}
	// An object may be found twice in a window, as one that two digests name.
	old[f.URL] = verdict{verdict: f.Verdict, reason: f.Reason, object: f.Object, digest: f.digest}
	for column, text := range map[string]string{"path": f.URL, "object": f.Object, "kind": f.Kind, "account": f.account, "region": f.region, "verdict": f.Verdict, "reason": f.Reason, "digest": f.digest} {
		v.rows.TextOrNull(column, strings.ToValidUTF8(text, "\uFFFD"), text != "")
	}
	v.rows.TimeOrNull("stamp", f.stamp.UnixMicro(), !f.stamp.IsZero())
	v.rows.TimeOrNull("checked", r.opt.Now().UnixMicro(), true)
	if v.rows.Len() >= mostVerdicts {
		return v.commit(ctx, r)
	}
	return nil
}

// commit writes what was gathered, whatever other writers do meanwhile: rows are only added.
func (v *verdicts) commit(ctx context.Context, r *run) error {
	n := v.rows.Len()
	if n == 0 {
		return nil
	}
	file, err := v.write(ctx, r)
	if err != nil {
		return fmt.Errorf("writing verdicts: %w", err)
	}
	for {
		snap, err := r.lake.Newest(ctx)
		if err != nil {
			return err
		}
		done, err := r.lake.Commit(ctx, snap, catalog.Change{Add: map[string][]catalog.NewFile{catalog.Verdicts: {file}}})
		if err == nil {
			r.sum.Written += int64(n)
			return nil
		}
		if done || !errors.Is(err, catalog.ErrConflict) {
			if !done {
				_ = r.lake.Store().Delete(context.WithoutCancel(ctx), catalog.Verdicts+"/"+file.Path) // what stays is swept later
			}
			return fmt.Errorf("writing verdicts: %w", err)
		}
	}
}

func (v *verdicts) write(ctx context.Context, r *run) (f catalog.NewFile, err error) {
	if f.Path, err = r.lake.NewPath(catalog.Verdicts, catalog.Partition{}); err != nil {
		return f, err
	}
	out, err := r.lake.Store().Create(ctx, catalog.Verdicts+"/"+f.Path)
	if err != nil {
		return f, err
	}
	defer out.Abort()
	layout, rest := v.rows.Layout(), v.rows.Sorted()
	f.Written, err = parquetio.Write(out, parquetio.WriteOptions{Columns: layout.Stored(false), Bloom: layout.Bloom, NoStats: layout.NoStats}, func() (vec.Batch, error) {
		if rest.Len == 0 {
			return vec.Batch{}, io.EOF
		}
		n := min(rest.Len, 16<<10)
		b := rest.Slice(0, n)
		rest = rest.Slice(n, rest.Len)
		return b, nil
	})
	if err != nil {
		return f, err
	}
	return f, out.Close()
}
