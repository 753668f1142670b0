package compact

import (
	"context"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// records are the places of columns in batches of a record table, in the shape that decoding gives.
type records struct {
	shape
	layout                *catalog.Layout
	time, id, path, row   int
	account, region, date int
	body                  []int // columns that copies have in common: all but the provenance and the partition
	conflict              int   // in layout.Columns
}

func recordsOf(table string) *records {
	layout := catalog.LayoutOf(table)
	r := &records{shape: decodedShape(table), layout: layout}
	r.time, r.id, r.path, r.row = r.ordinal("_time"), r.ordinal("eventid"), r.ordinal("_path"), r.ordinal("_row")
	r.account, r.region, r.date = r.ordinal("account"), r.ordinal("region"), r.ordinal("date")
	for i := range r.columns {
		if !slices.Contains([]int{r.path, r.row, r.account, r.region, r.date}, i) {
			r.body = append(r.body, i)
		}
	}
	r.conflict = ordinalOf(layout.Columns, "_conflict")
	return r
}

// judge compares rows of one partition: the first `committed` stand in the lake already, the others are new and in order.
// copyOf[i] is the row of which row i is an exact copy, or -1: a committed one, else the first in order. conflict[i] says that
// a row with the same time and id has another body.
//
// Rows without an id are compared as a whole, and never conflict. all has the times and ids of the rows.
func (r *records) judge(rows piece, all vec.Batch, committed int) (copyOf []int32, conflict []bool) {
	copyOf, conflict = make([]int32, all.Len), make([]bool, all.Len)
	for i := range copyOf {
		copyOf[i] = -1
	}
	keys := []arrow.Array{all.Cols[r.time], all.Cols[r.id]}
	var order []int32 // nil: as they stand
	if committed > 0 {
		order = vec.Sort([]vec.SortKey{{Arr: keys[0]}, {Arr: keys[1]}}, all.Len) // stable: committed rows come first
		keys[0], keys[1] = vec.Take(keys[0], order), vec.Take(keys[1], order)
	}
	same := sameAsBefore(vec.Batch{Len: all.Len, Cols: keys}, []int{0, 1})

	// Members are the rows that share time and id with others.
	var members, group []int32
	groups := int32(0)
	for i := 0; i < all.Len; i++ {
		first := i < len(same) && same[i]
		again := i > 0 && same[i-1]
		if !first && !again {
			continue
		}
		if !again {
			groups++
		}
		row := int32(i)
		if order != nil {
			row = order[i]
		}
		members, group = append(members, row), append(group, groups-1)
	}
	if len(members) == 0 {
		return copyOf, conflict
	}
	body := make([]arrow.Array, len(r.body))
	hashes := make([]uint64, len(members))
	bodies := rows.take(members).columns(r.body...)
	for i, c := range r.body {
		body[i] = usualColumn(bodies.Cols[c])
		vec.Hash(body[i], hashes)
	}

	// In each round the first row left of each hash leads, and the others are compared with it: one round, unless hashes collide.
	type bucket struct {
		group int32
		hash  uint64
	}
	different := make([]int32, groups) // bodies of each group
	left := make([]int32, len(members))
	for i := range left {
		left[i] = int32(i)
	}
	for len(left) > 0 {
		leaders := map[bucket]int32{}
		var lead, follow []int32
		for _, k := range left {
			b := bucket{group[k], hashes[k]}
			if l, ok := leaders[b]; ok {
				lead, follow = append(lead, l), append(follow, k)
			} else {
				leaders[b] = k
				different[group[k]]++
			}
		}
		equal := make([]bool, len(lead))
		for i := range equal {
			equal[i] = true
		}
		for _, c := range body {
			vec.EqualAt(c, follow, c, lead, equal)
		}
		left = left[:0]
		for i, ok := range equal {
			if ok {
				copyOf[members[follow[i]]] = members[lead[i]]
			} else {
				left = append(left, follow[i])
			}
		}
	}
	id := all.Cols[r.id]
	for k, row := range members {
		conflict[row] = different[group[k]] > 1 && vec.IsValid(id, int(row))
	}
	return copyOf, conflict
}

// eventKey is what copies have in common and the lake can be asked for.
type eventKey struct {
	time  int64
	timed bool
	id    string // "" for NULL too: that costs a comparison, no more
}

// keyReader returns a function that gives the key of a row.
func keyReader(times, ids arrow.Array) func(row int) eventKey {
	t := times.(*array.Timestamp)
	id := textOf(ids)
	return func(row int) eventKey {
		k := eventKey{id: id(row)}
		if t.IsValid(row) {
			k.time, k.timed = int64(t.Value(row)), true
		}
		return k
	}
}

// textOf returns a function that gives the text of a row of a plain or dictionary-coded column, "" for NULL.
func textOf(a arrow.Array) func(row int) string {
	if d, ok := a.(*array.Dictionary); ok {
		entries := vec.Entries(d)
		return func(row int) string {
			if d.IsNull(row) {
				return ""
			}
			return entries.Value(d.GetValueIndex(row))
		}
	}
	s := a.(*array.String)
	return func(row int) string {
		if s.IsNull(row) {
			return ""
		}
		return s.Value(row)
	}
}

// committedFile is a file of the partition that is being written.
type committedFile struct {
	*catalog.File
	from, to int64               // bounds of _time
	flag     map[rowKey]struct{} // rows that turned out to conflict with new ones
}

// rowKey identifies a row by its provenance.
type rowKey struct {
	path string
	row  int64
}

func (r *records) committedFiles(files []*catalog.File) ([]*committedFile, error) {
	out := make([]*committedFile, len(files))
	for i, f := range files {
		stats := r.layout.Stats(f)
		out[i] = &committedFile{File: f, from: math.MinInt64, to: math.MaxInt64}
		if lo, ok := stats["_time"].Min.(int64); ok {
			out[i].from, out[i].to = lo, stats["_time"].Max.(int64)
		}
	}
	return out, nil
}

// hits are the committed rows that share time and id with some new row.
type hits struct {
	batch    vec.Batch // in the shape of decoded rows
	file     []*committedFile
	conflict []bool
}

// committed looks in files for rows that share time and id with rows of part, which are in order and of one partition. It reads
// times and ids first, and whole rows only where some agree.
func (b *builder) committed(ctx context.Context, r *records, files []*committedFile, part vec.Batch) (*hits, error) {
	key := keyReader(part.Cols[r.time], part.Cols[r.id])
	first, last := key(0), key(part.Len-1)
	var wanted map[eventKey]struct{}
	out := &hits{}
	var batches []vec.Batch
	for _, f := range files {
		// In a partition with a date all rows have times, in one without none has: NULL times compare by id alone.
		if first.timed && last.timed && (f.to < first.time || f.from > last.time) {
			continue
		}
		if wanted == nil {
			wanted = make(map[eventKey]struct{}, part.Len)
			for i := range part.Len {
				wanted[key(i)] = struct{}{}
			}
		}
		found, err := b.find(ctx, r, f, wanted, first, last)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			continue
		}
		rows, conflict, err := b.fetch(ctx, r, f, found)
		if err != nil {
			return nil, err
		}
		for _, batch := range rows {
			batches = append(batches, batch)
			for range batch.Len {
				out.file = append(out.file, f)
			}
		}
		out.conflict = append(out.conflict, conflict...)
	}
	if len(batches) > 0 {
		var err error
		if out.batch, err = vec.ConcatBatches(batches); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// timeRange is the condition that the times of keys meet, none where one has no time.
func timeRange(column int, from, to eventKey) []expr.Expr {
	if !from.timed || !to.timed {
		return nil
	}
	col := &expr.Column{Index: column, Name: "_time", T: sqltype.TimestampType}
	return []expr.Expr{
		&expr.Compare{Op: expr.Ge, Left: col, Right: expr.NewLiteral(sqltype.TimestampType, from.time)},
		&expr.Compare{Op: expr.Le, Left: col, Right: expr.NewLiteral(sqltype.TimestampType, to.time)},
	}
}

// find gives the wanted keys that a file has.
func (b *builder) find(ctx context.Context, r *records, f *committedFile, wanted map[eventKey]struct{}, first, last eventKey) (map[eventKey]struct{}, error) {
	req := source.Request{Limit: -1, Filter: 1, Conjuncts: timeRange(0, first, last)}
	for _, i := range []int{r.time, r.id} {
		req.Paths = append(req.Paths, source.Path{Column: r.stored(i)})
	}
	scan, err := b.c.lake.ScanFiles(ctx, r.layout, []*catalog.File{f.File}, req)
	if err != nil {
		return nil, err
	}
	found := map[eventKey]struct{}{}
	err = source.Each(source.InOrder(ctx, scan), func(batch vec.Batch) error {
		key := keyReader(batch.Cols[0], batch.Cols[1])
		for i := range batch.Len {
			if k := key(i); has(wanted, k) {
				found[k] = struct{}{}
			}
		}
		return nil
	})
	return found, err
}

// stored is the place in layout.Columns of a column of the decoded shape.
func (r *records) stored(i int) int {
	return ordinalOf(r.layout.Columns, r.columns[i].Name)
}

// fetch reads the whole rows of a file that have one of the keys.
func (b *builder) fetch(ctx context.Context, r *records, f *committedFile, found map[eventKey]struct{}) (out []vec.Batch, conflict []bool, err error) {
	const mostIDs = 1000 // in a condition: it makes use of bloom filters and dictionaries
	var first, last eventKey
	var ids []expr.Expr
	start := true
	for k := range found {
		if start || k.time < first.time || !k.timed {
			first = k
		}
		if start || k.time > last.time || !k.timed {
			last = k
		}
		start = false
		if len(found) <= mostIDs {
			ids = append(ids, expr.NewLiteral(sqltype.VarcharType, k.id))
		}
	}
	req := source.Request{Limit: -1, Filter: 2}
	for _, i := range []int{r.time, r.id} {
		req.Paths = append(req.Paths, source.Path{Column: r.stored(i)})
	}
	for i := range r.columns {
		if i != r.time && i != r.id {
			req.Paths = append(req.Paths, source.Path{Column: r.stored(i)})
		}
	}
	req.Paths = append(req.Paths, source.Path{Column: r.conflict})
	req.Conjuncts = timeRange(0, first, last)
	if len(ids) > 0 && !anyWithoutID(found) {
		req.Conjuncts = append(req.Conjuncts, &expr.In{Arg: &expr.Column{Index: 1, Name: "eventid", T: sqltype.VarcharType}, List: ids, Memo: &fn.Memo{}})
	}
	scan, err := b.c.lake.ScanFiles(ctx, r.layout, []*catalog.File{f.File}, req)
	if err != nil {
		return nil, nil, err
	}
	err = source.Each(source.InOrder(ctx, scan), func(batch vec.Batch) error {
		key := keyReader(batch.Cols[0], batch.Cols[1])
		var rows []int32
		for i := range batch.Len {
			if has(found, key(i)) {
				rows = append(rows, int32(i))
			}
		}
		if len(rows) == 0 {
			return nil
		}
		taken := batch.Take(rows)
		flags := taken.Cols[len(taken.Cols)-1].(*array.Boolean)
		for i := range rows {
			conflict = append(conflict, flags.IsValid(i) && flags.Value(i))
		}
		row := vec.Batch{Len: taken.Len, Cols: make([]arrow.Array, len(r.columns))}
		row.Cols[r.time], row.Cols[r.id] = taken.Cols[0], taken.Cols[1]
		at := 2
		for i := range r.columns {
			if i != r.time && i != r.id {
				row.Cols[i] = taken.Cols[at]
				at++
			}
		}
		out = append(out, row)
		return nil
	})
	return out, conflict, err
}

func anyWithoutID(keys map[eventKey]struct{}) bool {
	for k := range keys {
		if k.id == "" {
			return true
		}
	}
	return false
}

func has(set map[eventKey]struct{}, k eventKey) bool {
	_, ok := set[k]
	return ok
}
