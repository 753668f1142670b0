package compact

import (
	"context"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"testing"

	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine/vec"
)

// Rows picked from several batches are those that are taken from all of them put together.
func TestPick(t *testing.T) {
	rng := rand.New(rand.NewSource(3))
	var sources, plain []vec.Batch
	var source, row []int32 // every row of every batch
	for k := range 3 {
		var rows cloudtrail.Rows
		var events []string
		for i := range 50 * (k + 1) {
			extra := []string{
				`"userIdentity":{"type":"AssumedRole","arn":"arn:` + fmt.Sprint(rng.Intn(9)) + `","sessionContext":{"attributes":{"mfaAuthenticated":"false"}}}`,
				`"userIdentity":{"sessionContext":{"webIdFederationData":{"attributes":{"a":"` + fmt.Sprint(i) + `","b":""}}}}`,
				`"userIdentity":null,"resources":[{"ARN":"x` + fmt.Sprint(i) + `","type":"t"},{"accountId":"` + account + `"}]`,
				`"resources":[],"requestParameters":{"k":[` + fmt.Sprint(i) + `]}`,
				`"new":1,"errorCode":"denied"`,
				`"eventTime":null`,
			}[rng.Intn(6)]
			events = append(events, event(fmt.Sprint(rng.Intn(20)), 1+rng.Intn(3), i, extra))
		}
		open := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content(events...))), nil }
		if _, err := cloudtrail.Decode(context.Background(), open, "o", fmt.Sprint("o", k), cloudtrail.Limits{}, &rows, nil); err != nil {
			t.Fatal(err)
		}
		b := rows.Flush()[cloudtrail.Logs]
		sources, plain = append(sources, b), append(plain, usual(b))
		for i := range b.Len {
			source, row = append(source, int32(k)), append(row, int32(i))
		}
	}
	together, err := vec.ConcatBatches(plain)
	if err != nil {
		t.Fatal(err)
	}
	all := piece{newRowPicker(sources), source, row}
	for _, n := range []int{0, 1, 7, 500} {
		rows := make([]int32, n)
		for i := range rows {
			rows[i] = int32(rng.Intn(len(row)))
		}
		picked := all.take(rows).pick()
		again := pieceOf(picked.Slice(n/3, n)).pick() // of a slice
		want := together.Take(rows)
		for c := range want.Cols {
			got, part := usualColumn(picked.Cols[c]), usualColumn(again.Cols[c])
			sliced := usualColumn(picked.Slice(n/3, n).Cols[c])
			if got.Len() != n || part.Len() != n-n/3 || sliced.Len() != n-n/3 {
				t.Fatalf("column %d has %d and %d rows; want %d and %d", c, got.Len(), part.Len(), n, n-n/3)
			}
			for i := range n {
				if !vec.EqualRows(got, i, want.Cols[c], i) {
					t.Fatalf("column %d, row %d: %s; want %s", c, i, got.ValueStr(i), want.Cols[c].ValueStr(i))
				}
				if k := i - n/3; k >= 0 && (!vec.EqualRows(part, k, want.Cols[c], i) || !vec.EqualRows(sliced, k, want.Cols[c], i)) {
					t.Fatalf("column %d, row %d of a slice: %s, %s; want %s", c, k, part.ValueStr(k), sliced.ValueStr(k), want.Cols[c].ValueStr(i))
				}
			}
		}
	}
}
