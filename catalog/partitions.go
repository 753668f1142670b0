package catalog

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/prune"
)

// partitionList is the partitions of a table in order. There are many of them and few accounts, regions and days: what a query says of
// these is found out once for each, and looked up for the partitions.
type partitionList struct {
	values [3][]string // accounts, regions, dates
	facts  [3][]*facts // what is known by each alone
	all    []partitionSummary
	files  int64 // of all
}

type partitionSummary struct {
	at [3]int32 // in values
	partitionCount
}

type partitionCount struct {
	files, rows, size int64
	free              int64 // files that are not canonical: times are spelled freely in them
}

func (c partitionCount) plus(o partitionCount) partitionCount {
	return partitionCount{c.files + o.files, c.rows + o.rows, c.size + o.size, c.free + o.free}
}

func (c partitionCount) negative() partitionCount {
	return partitionCount{-c.files, -c.rows, -c.size, -c.free}
}

// countOf is one file.
func countOf(rows, size int64, canonical bool) partitionCount {
	c := partitionCount{files: 1, rows: rows, size: size}
	if !canonical {
		c.free = 1
	}
	return c
}

func (l *partitionList) partition(i int) Partition {
	at := l.all[i].at
	return Partition{l.values[0][at[0]], l.values[1][at[1]], l.values[2][at[2]]}
}

// factsOf is what is known of a partition's rows.
func (l *partitionList) factsOf(i int) *facts {
	at := l.all[i].at
	f := *l.facts[2][at[2]]
	f.account, f.region = l.facts[0][at[0]].account, l.facts[1][at[1]].region
	f.canonical = l.all[i].free == 0
	return &f
}

// find returns the place of a partition.
func (l *partitionList) find(p Partition) (int, bool) {
	return slices.BinarySearchFunc(l.all, p, func(s partitionSummary, p Partition) int {
		return Partition{l.values[0][s.at[0]], l.values[1][s.at[1]], l.values[2][s.at[2]]}.compare(p)
	})
}

// compare is the order of partitions.
func (p Partition) compare(q Partition) int {
	return cmp.Or(strings.Compare(p.Account, q.Account), strings.Compare(p.Region, q.Region), strings.Compare(p.Date, q.Date))
}

// dimension is the place in values of what bounds a leaf, -1 if nothing does.
func dimension(leaf string) int {
	switch leaf {
	case "account", "recipientaccountid", "accountid":
		return 0
	case "region", "awsregion":
		return 1
	case "date", "_time", "eventtime":
		return 2
	}
	return -1
}

// sift calls keep for each partition in which conjuncts may hold for some row, in order, and returns for how many partitions each of
// them does not.
func (l *partitionList) sift(layout *Layout, conjuncts []expr.Expr, leaves []string, keep func(i int)) (ruledOut []int64) {
	ruledOut = make([]int64, len(conjuncts))
	known := &bounds{layout: layout, leaves: leaves}
	never := func(c expr.Expr, f *facts, rows int64) bool {
		known.facts, known.rows = f, rows
		return prune.Check(c, known) == prune.Never
	}
	// Of a date there are two verdicts: for partitions with files that are not canonical, and for those without.
	type verdict [2]bool
	var alone [3][][]verdict // by dimension, by conjunct (nil: not asked), by value
	for d := range alone {
		alone[d] = make([][]verdict, len(conjuncts))
	}
	var joint []int // conjuncts over several dimensions
	for i, c := range conjuncts {
		of := -1
		for _, column := range expr.Columns(c) {
			switch d := dimension(leaves[column]); {
			case d < 0 || d == of:
			case of < 0:
				of = d
			default:
				of = len(alone)
			}
		}
		switch {
		case len(layout.Partitions) == 0 || of == len(alone):
			joint = append(joint, i)
			continue
		case of < 0:
			of = 0 // it depends on none
		}
		verdicts := make([]verdict, len(l.values[of]))
		none := true
		spelled := slices.ContainsFunc(expr.Columns(c), func(column int) bool { return leaves[column] == "eventtime" })
		for v, f := range l.facts[of] {
			out := never(c, f, 1)
			verdicts[v] = verdict{out, out}
			if spelled {
				all := *f
				all.canonical = true
				verdicts[v][1] = never(c, &all, 1)
			}
			none = none && verdicts[v] == verdict{}
		}
		if !none {
			alone[of][i] = verdicts
		}
	}
	type check struct {
		conjunct, dimension int
		verdicts            []verdict
	}
	var checks []check
	for d := range alone {
		for i, verdicts := range alone[d] {
			if verdicts != nil {
				checks = append(checks, check{i, d, verdicts})
			}
		}
	}
	for k := range l.all {
		p := &l.all[k]
		out, spelling := false, 0
		if p.free == 0 {
			spelling = 1
		}
		for _, c := range checks {
			if c.verdicts[p.at[c.dimension]][spelling] {
				ruledOut[c.conjunct]++
				out = true
			}
		}
		for _, i := range joint {
			if never(conjuncts[i], l.factsOf(k), p.rows) {
				ruledOut[i]++
				out = true
			}
		}
		if !out {
			keep(k)
		}
	}
	return ruledOut
}

// encode writes the list for the index: the values, then of each partition their places and its counts, all as varints, and a checksum.
func (l *partitionList) encode() []byte {
	var out []byte
	for _, values := range l.values {
		out = binary.AppendUvarint(out, uint64(len(values)))
		for _, v := range values {
			out = binary.AppendUvarint(out, uint64(len(v)))
			out = append(out, v...)
		}
	}
	out = binary.AppendUvarint(out, uint64(len(l.all)))
	for _, p := range l.all {
		for _, at := range p.at {
			out = binary.AppendUvarint(out, uint64(at))
		}
		out = binary.AppendUvarint(out, uint64(p.files))
		out = binary.AppendUvarint(out, uint64(p.rows))
		out = binary.AppendUvarint(out, uint64(p.size))
		out = binary.AppendUvarint(out, uint64(p.free))
	}
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errDamagedIndex = errors.New("the index is damaged")

func decodePartitions(data []byte) (*partitionList, error) {
	in, ok := checked(data)
	if !ok {
		return nil, errDamagedIndex
	}
	r := varints{data: in}
	l := &partitionList{}
	for d := range l.values {
		n := r.count(1)
		for range n {
			l.values[d] = append(l.values[d], r.text())
		}
	}
	l.all = make([]partitionSummary, r.count(7))
	for i := range l.all {
		p := &l.all[i]
		for d := range p.at {
			at := r.next()
			if at >= uint64(len(l.values[d])) {
				return nil, errDamagedIndex
			}
			p.at[d] = int32(at)
		}
		p.files, p.rows, p.size, p.free = int64(r.next()), int64(r.next()), int64(r.next()), int64(r.next())
		l.files += p.files
	}
	if r.bad || len(r.data) > 0 {
		return nil, errDamagedIndex
	}
	l.know()
	return l, nil
}

// know fills facts.
func (l *partitionList) know() {
	for d, values := range l.values {
		l.facts[d] = make([]*facts, len(values))
		for i, v := range values {
			var p Partition
			*[]*string{&p.Account, &p.Region, &p.Date}[d] = v
			l.facts[d][i] = p.facts()
		}
	}
}

// checked splits off the checksum at the end.
func checked(data []byte) ([]byte, bool) {
	n := len(data) - 4
	if n < 0 || crc32.Checksum(data[:n], castagnoli) != binary.LittleEndian.Uint32(data[n:]) {
		return nil, false
	}
	return data[:n], true
}

// varints reads what was written by encode; after a fault all is zero.
type varints struct {
	data []byte
	bad  bool
}

func (r *varints) next() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[n:]
	return v
}

func (r *varints) signed() int64 {
	v, n := binary.Varint(r.data)
	if n <= 0 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[n:]
	return v
}

// fixed reads eight bytes.
func (r *varints) fixed() uint64 {
	if len(r.data) < 8 {
		r.bad, r.data = true, nil
		return 0
	}
	v := binary.LittleEndian.Uint64(r.data)
	r.data = r.data[8:]
	return v
}

// count reads how many things of at least so many bytes follow.
func (r *varints) count(bytes int) int {
	n := r.next()
	if n > uint64(len(r.data)/bytes) {
		r.bad, r.data = true, nil
		return 0
	}
	return int(n)
}

func (r *varints) text() string {
	n := r.count(1)
	s := string(r.data[:n])
	r.data = r.data[n:]
	return s
}

// partitionCounts is a list in the making.
type partitionCounts struct {
	version int64
	of      map[Partition]partitionCount
}

func (c *partitionCounts) add(p Partition, n partitionCount) {
	if c.of == nil {
		c.of = map[Partition]partitionCount{}
	}
	c.of[p] = c.of[p].plus(n)
}

// readPartitionCounts gives what the index has of a table.
func readPartitionCounts(ctx context.Context, tx *sql.Tx, table string) (*partitionCounts, error) {
	c := &partitionCounts{}
	var data []byte
	err := tx.QueryRowContext(ctx, "SELECT list FROM partitions WHERE tbl = ?", table).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	l, err := decodePartitions(data)
	if err != nil {
		return nil, err
	}
	for i, p := range l.all {
		c.add(l.partition(i), p.partitionCount)
	}
	return c, nil
}

// list puts those that hold files in order.
func (c *partitionCounts) list() *partitionList {
	l := &partitionList{}
	var partitions []Partition
	for p, n := range c.of {
		if n.files > 0 {
			partitions = append(partitions, p)
		}
	}
	slices.SortFunc(partitions, Partition.compare)
	var places [3]map[string]int32
	for d := range places {
		places[d] = map[string]int32{}
	}
	l.all = make([]partitionSummary, len(partitions))
	for i, p := range partitions {
		s := &l.all[i]
		s.partitionCount = c.of[p]
		l.files += s.files
		for d, v := range []string{p.Account, p.Region, p.Date} {
			at, ok := places[d][v]
			if !ok {
				at = int32(len(l.values[d]))
				places[d][v] = at
				l.values[d] = append(l.values[d], v)
			}
			s.at[d] = at
		}
	}
	l.know()
	return l
}
