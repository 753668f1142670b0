package catalog

import (
	"context"

	"github.com/trailql/trailql/connectors/parquetio"
)

// Touched is a file that a commit added or removed.
type Touched struct {
	Table     string
	Partition Partition
	Path      string
	Removed   bool
}

// Since lists what the versions after base, up to s, added and removed.
func (s *Snapshot) Since(ctx context.Context, base *Snapshot) (out []Touched, err error) {
	err = s.withIndex(ctx, func(x *index) error {
		out = nil
		rows, err := x.db.QueryContext(ctx, `SELECT tbl, account, region, date, path, 0 FROM files WHERE added > ? AND added <= ?
			UNION ALL SELECT tbl, account, region, date, path, 1 FROM files WHERE removed > ? AND removed <= ?`,
			base.version, s.version, base.version, s.version)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var t Touched
			if err := rows.Scan(&t.Table, &t.Partition.Account, &t.Partition.Region, &t.Partition.Date, &t.Path, &t.Removed); err != nil {
				return err
			}
			out = append(out, t)
		}
		return rows.Err()
	})
	return out, err
}

// Stats are the bounds of a file that the log keeps, by leaf.
func (t *Layout) Stats(f *File) map[string]parquetio.Stats { return unpackStats(t, f.packed) }
