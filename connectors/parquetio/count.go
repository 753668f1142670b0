package parquetio

import (
	"context"
	"fmt"

	"github.com/trailql/trailql/connectors/blob"
)

// CountRows reads from its footer how many rows a file has that no log describes.
func CountRows(ctx context.Context, store blob.Store, name string) (rows int64, err error) {
	defer caught(&err)
	object, err := store.Open(ctx, name)
	if err != nil {
		return 0, err
	}
	defer object.Close()
	foot, err := readFooter(object, [32]byte{}, func(int) {})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	for _, g := range foot.groups {
		rows += g.rows
	}
	return rows, nil
}
