package catalog

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/prune"
	"github.com/trailql/trailql/engine/sqltype"
)

func manyPartitions() *partitionList {
	counts := &partitionCounts{}
	for i := range 300 {
		p := Partition{fmt.Sprintf("%012d", i%3), fmt.Sprintf("eu-west-%d", i%4), time.Date(2026, 1, 1+i%50, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)}
		switch i % 10 {
		case 7:
			p.Account = ""
		case 8:
			p.Region = ""
		case 9:
			p.Date = ""
		}
		counts.add(p, countOf(int64(i), int64(10*i), i%7 > 0))
	}
	return counts.list()
}

// What is found out by value rules out what the partitions themselves do.
func TestSift(t *testing.T) {
	list := manyPartitions()
	layout := LayoutOf(cloudtrail.Logs)
	leaves := []string{"account", "region", "date", "_time", "recipientaccountid", "eventname", "eventtime"}
	types := []sqltype.Type{sqltype.VarcharType, sqltype.VarcharType, sqltype.DateType, sqltype.TimestampType, sqltype.VarcharType, sqltype.VarcharType, sqltype.VarcharType}
	column := func(i int) expr.Expr { return &expr.Column{Index: i, Name: leaves[i], T: types[i]} }
	is := func(op expr.CompareOp, i int, v any) expr.Expr {
		return &expr.Compare{Op: op, Left: column(i), Right: expr.NewLiteral(types[i], v)}
	}
	day := time.Date(2026, 1, 20, 0, 0, 0, 0, time.UTC)
	conjuncts := []expr.Expr{
		is(expr.Eq, 0, "000000000001"),
		&expr.In{Arg: column(1), List: []expr.Expr{expr.NewLiteral(types[1], "eu-west-1"), expr.NewLiteral(types[1], "none")}, Memo: &fn.Memo{}},
		is(expr.Ge, 2, day.Unix()/86400),
		is(expr.Lt, 3, day.UnixMicro()+1),
		&expr.IsNull{Arg: column(0)},
		&expr.Not{Arg: &expr.IsNull{Arg: column(2)}},
		&expr.Or{Args: []expr.Expr{is(expr.Eq, 0, "000000000001"), is(expr.Gt, 3, day.UnixMicro())}},
		&expr.Or{Args: []expr.Expr{is(expr.Eq, 0, "000000000001"), is(expr.Eq, 5, "x")}},
		is(expr.Eq, 4, "000000000002"),
		is(expr.Eq, 5, "ConsoleLogin"),
		is(expr.Ge, 6, "2026-01-20T00:00:00Z"),
		is(expr.Lt, 6, "2026-01-20T00:00:01Z"),
		is(expr.Gt, 6, "2026-01-20"),
		&expr.Or{Args: []expr.Expr{is(expr.Eq, 6, "2026-01-20T10:00:00Z"), is(expr.Eq, 2, day.Unix()/86400+3)}},
		&expr.Or{Args: []expr.Expr{is(expr.Eq, 6, "2026-01-20T10:00:00Z"), is(expr.Eq, 0, "000000000001")}},
		&expr.Not{Arg: &expr.IsNull{Arg: column(6)}},
		expr.NewLiteral(sqltype.BooleanType, false),
		expr.NewLiteral(sqltype.BooleanType, true),
	}
	for i := range conjuncts {
		for _, some := range [][]expr.Expr{conjuncts[i : i+1], {conjuncts[i], conjuncts[(i+3)%len(conjuncts)]}} {
			var got, want []int
			ruledOut := list.sift(layout, some, leaves, func(i int) { got = append(got, i) })
			counts := make([]int64, len(some))
			for p := range list.all {
				out := false
				for k, c := range some {
					if prune.Check(c, &bounds{layout, leaves, list.factsOf(p), nil, list.all[p].rows + 1}) == prune.Never {
						counts[k]++
						out = true
					}
				}
				if !out {
					want = append(want, p)
				}
			}
			if !slices.Equal(got, want) || !slices.Equal(ruledOut, counts) {
				t.Errorf("%s: %d partitions kept, %v ruled out; want %d, %v", expr.Format(some[0]), len(got), ruledOut, len(want), counts)
			}
		}
	}
}

func TestPartitionListInTheIndex(t *testing.T) {
	for _, l := range []*partitionList{manyPartitions(), (&partitionCounts{}).list()} {
		data := l.encode()
		got, err := decodePartitions(data)
		if err != nil || len(got.all) != len(l.all) || len(l.all) > 0 && !reflect.DeepEqual(got, l) {
			t.Errorf("%d partitions come back as %d, %v", len(l.all), len(got.all), err)
		}
		for i := range l.all {
			if at, ok := l.find(l.partition(i)); !ok || at != i {
				t.Errorf("partition %d is found at %d", i, at)
			}
		}
		for i := range data {
			bad := slices.Clone(data)
			bad[i] ^= 0x10
			if _, err := decodePartitions(bad); err == nil {
				t.Errorf("byte %d changed, and no error", i)
			}
			if _, err := decodePartitions(data[:i]); err == nil {
				t.Errorf("cut off at %d, and no error", i)
			}
		}
	}
}

// A snapshot lists its own partitions, whatever was committed since.
func TestPartitionsOfAnOlderSnapshot(t *testing.T) {
	l := openTest(t, folder(t, t.TempDir()), 1)
	commitRows(t, l, 3)
	before := newest(t, l)
	p := Partition{"222222222222", "eu-west-1", "2026-02-27"}
	files, err := before.Files(t.Context(), cloudtrail.Logs, testPartition)
	if err != nil {
		t.Fatal(err)
	}
	before = &Snapshot{lake: l, version: before.version, definitions: before.definitions, tables: map[string]*tableFiles{}}
	if _, err := l.Commit(t.Context(), before, Change{Add: map[string][]NewFile{cloudtrail.Logs: {fakeFile(t, l, cloudtrail.Logs, p, 7)}},
		Remove: map[string][]*File{cloudtrail.Logs: files}}); err != nil {
		t.Fatal(err)
	}
	if got := rowCounts(t, before); got != "[3]" {
		t.Errorf("the older snapshot has files of %s rows", got)
	}
	if got := rowCounts(t, newest(t, l)); got != "[7]" {
		t.Errorf("the newer snapshot has files of %s rows", got)
	}
}
