package catalog

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"hash/crc32"
	"maps"
	"math/bits"
	"slices"

	"github.com/trailql/trailql/connectors/parquetio"
)

// The index keeps the bloom filters of files, so that a needle (an access key, an event id) is looked for in a year of files without
// opening one. What a needle needs of a filter is one block. So filters of one leaf that have as many blocks are stacked: block after
// block, and of each block that of one file beside that of the next. A look-up reads one run of bytes for each number of blocks.
//
// Files come in segments, as compact runs found them; small segments are joined into larger ones, so that there are few. A file is known
// in a segment by its key alone, which no other file has, and files not in any segment are opened as ever: a segment that does not fit
// the log, whyever, leaves out no file that it was not made from.

// fileKey identifies a file by its name, of which none is used twice, and by its footer.
func fileKey(table string, f *File) int64 {
	h := sha256.New()
	h.Write([]byte(table + "/" + f.Path + "\x00"))
	h.Write(f.Footer)
	return int64(binary.LittleEndian.Uint64(h.Sum(nil)))
}

// segment is what a row of segments says.
type segment struct {
	keys   []int64 // of its files
	leaves map[string][]stack
}

// stack is filters of one leaf with as many blocks each.
type stack struct {
	blocks int
	files  []int32 // ordinals into keys, in order; one for each row group
	first  int64   // the row of stacks that has the first blocks
	each   int     // how many blocks of each filter such a row has; the last one may have fewer
}

// stackBytes is what a row of stacks has at least, if there is so much.
const stackBytes = 16 << 10

func newStack(blocks int, files []int32, first int64) stack {
	each := min(max(stackBytes/(len(files)*parquetio.BlockBytes), 1), blocks)
	return stack{blocks, files, first, each}
}

// rows is the number of rows of stacks.
func (s *stack) rows() int { return (s.blocks + s.each - 1) / s.each }

// size is what the blocks of one place of all filters take.
func (s *stack) size() int { return len(s.files) * parquetio.BlockBytes }

// encode writes a segment for the index.
func (s *segment) encode() []byte {
	var out []byte
	out = binary.AppendUvarint(out, uint64(len(s.keys)))
	for _, k := range s.keys {
		out = binary.LittleEndian.AppendUint64(out, uint64(k))
	}
	out = binary.AppendUvarint(out, uint64(len(s.leaves)))
	for _, leaf := range slices.Sorted(maps.Keys(s.leaves)) {
		out = binary.AppendUvarint(out, uint64(len(leaf)))
		out = append(out, leaf...)
		out = binary.AppendUvarint(out, uint64(len(s.leaves[leaf])))
		for _, t := range s.leaves[leaf] {
			out = binary.AppendUvarint(out, uint64(t.blocks))
			out = binary.AppendUvarint(out, uint64(t.first))
			out = binary.AppendUvarint(out, uint64(len(t.files)))
			before := int32(0)
			for _, f := range t.files {
				out = binary.AppendUvarint(out, uint64(f-before))
				before = f
			}
		}
	}
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

func decodeSegment(data []byte) (*segment, error) {
	in, ok := checked(data)
	if !ok {
		return nil, errDamagedIndex
	}
	r := varints{data: in}
	s := &segment{leaves: map[string][]stack{}}
	s.keys = make([]int64, r.count(8))
	for i := range s.keys {
		s.keys[i] = int64(r.fixed())
	}
	for range r.count(2) {
		leaf := r.text()
		for range r.count(4) {
			blocks, first := r.next(), int64(r.next())
			files := make([]int32, r.count(1))
			before := uint64(0)
			for i := range files {
				before += r.next()
				if before >= uint64(len(s.keys)) {
					return nil, errDamagedIndex
				}
				files[i] = int32(before)
			}
			if len(files) == 0 || blocks == 0 || blocks > 1<<30 || bits.OnesCount64(blocks) != 1 {
				return nil, errDamagedIndex
			}
			s.leaves[leaf] = append(s.leaves[leaf], newStack(int(blocks), files, first))
		}
	}
	if r.bad || len(r.data) > 0 {
		return nil, errDamagedIndex
	}
	return s, nil
}

// stackSum binds the bytes of a row of stacks to their place.
func stackSum(id int64, data []byte) uint32 {
	return crc32.Update(crc32.Checksum(binary.LittleEndian.AppendUint64(nil, uint64(id)), castagnoli), castagnoli, data)
}

// stackReader reads rows of stacks.
type stackReader struct{ find *sql.Stmt }

func newStackReader(ctx context.Context, tx *sql.Tx) (*stackReader, error) {
	find, err := tx.PrepareContext(ctx, "SELECT data FROM stacks WHERE id = ?")
	return &stackReader{find}, err
}

func (r *stackReader) row(ctx context.Context, s *stack, row int) ([]byte, error) {
	id := s.first + int64(row)
	var data sql.RawBytes
	rows, err := r.find.QueryContext(ctx, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, err
		}
		return nil, errDamagedIndex
	}
	if err := rows.Scan(&data); err != nil {
		return nil, err
	}
	n := len(data) - 4
	if n != min(s.each, s.blocks-row*s.each)*s.size() || stackSum(id, data[:n]) != binary.LittleEndian.Uint32(data[n:]) {
		return nil, errDamagedIndex
	}
	return slices.Clone(data[:n]), nil
}

// block returns the blocks of one place, one for each file.
func (r *stackReader) block(ctx context.Context, s *stack, block int) ([]byte, error) {
	data, err := r.row(ctx, s, block/s.each)
	if err != nil {
		return nil, err
	}
	at := block % s.each * s.size()
	return data[at : at+s.size()], nil
}

// clause is what some row of a file must have one of.
type clause []leafHashes

type leafHashes struct {
	leaf   string
	hashes []uint64
}

// mostHashes bounds the look-ups of a clause.
const mostHashes = 64

// candidates says for each file of the segment whether it may have, of each clause, one of the values.
func (s *segment) candidates(ctx context.Context, r *stackReader, clauses []clause) ([]bool, error) {
	var all []bool
	for _, c := range clauses {
		hit := make([]bool, len(s.keys))
		for _, l := range c {
			if err := s.look(ctx, r, l, hit); err != nil {
				return nil, err
			}
		}
		if all == nil {
			all = hit
			continue
		}
		for i := range all {
			all[i] = all[i] && hit[i]
		}
	}
	return all, nil
}

// look marks the files that may have one of the values, among them those that have no filter.
func (s *segment) look(ctx context.Context, r *stackReader, l leafHashes, hit []bool) error {
	known := make([]bool, len(s.keys))
	stacks := s.leaves[l.leaf]
	for i := range stacks {
		t := &stacks[i]
		for _, f := range t.files {
			known[f] = true
		}
		for _, h := range l.hashes {
			data, err := r.block(ctx, t, parquetio.BlockOf(h, t.blocks))
			if err != nil {
				return err
			}
			for k, f := range t.files {
				if parquetio.BlockHas(data[k*parquetio.BlockBytes:], h) {
					hit[f] = true
				}
			}
		}
	}
	for f, ok := range known {
		if !ok {
			hit[f] = true
		}
	}
	return nil
}

// segmentsOf lists the segments of a table by id. Those that are new to this process are checked: the files that say that they are in
// them must be those that they have.
func (x *index) segmentsOf(ctx context.Context, tx *sql.Tx, table string) (map[int64]*segment, error) {
	out := map[int64]*segment{}
	var unread []int64
	err := eachRow(ctx, tx, func(scan func(...any) error) error {
		var id int64
		if err := scan(&id); err != nil {
			return err
		}
		if out[id] = x.segments[id]; out[id] == nil {
			unread = append(unread, id)
		}
		return nil
	}, "SELECT id FROM segments WHERE tbl = ?", table)
	if err != nil || unread == nil {
		return out, err
	}
	for _, id := range unread {
		var head []byte
		if err := tx.QueryRowContext(ctx, "SELECT head FROM segments WHERE id = ?", id).Scan(&head); err != nil {
			return nil, err
		}
		if out[id], err = decodeSegment(head); err != nil {
			return nil, err
		}
	}
	if err := checkSegments(ctx, tx, table, out); err != nil {
		return nil, err
	}
	if len(x.segments) > 1000 { // most of them joined into others since
		clear(x.segments)
	}
	maps.Copy(x.segments, out)
	return out, nil
}

func checkSegments(ctx context.Context, tx *sql.Tx, table string, segments map[int64]*segment) error {
	checked := 0
	err := eachRow(ctx, tx, func(scan func(...any) error) error {
		var id, files int64
		var sums [2]int64
		if err := scan(&id, &files, &sums[0], &sums[1]); err != nil {
			return err
		}
		s := segments[id]
		if s == nil || files != int64(len(s.keys)) || sums != s.sums() {
			return errDamagedIndex
		}
		checked++
		return nil
	}, "SELECT segment, count(*), sum(key >> 32), sum(key & 4294967295) FROM files WHERE tbl = ? AND segment IS NOT NULL GROUP BY segment", table)
	if err == nil && checked != len(segments) {
		err = errDamagedIndex
	}
	return err
}

// sums are those of the upper and lower halves of the keys.
func (s *segment) sums() (out [2]int64) {
	for _, k := range s.keys {
		out[0] += k >> 32
		out[1] += k & (1<<32 - 1)
	}
	return out
}

// eachRow calls f for each row of a query.
func eachRow(ctx context.Context, tx *sql.Tx, f func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// found is what a look into the segments brought.
type found struct {
	files []*File        // that may have the needles, in no order, if few may
	keys  map[int64]bool // else: for each file of the segments, by key, whether it may
}

// needles looks for clauses in the segments of a table: the files that are live at a version, without those that lack a needle. It
// returns nil if there is no segment.
func (x *index) needles(ctx context.Context, table string, version int64, clauses []clause) (*found, error) {
	tx, err := x.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one state, whatever a compactor does meanwhile
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	segments, err := x.segmentsOf(ctx, tx, table)
	if err != nil || len(segments) == 0 {
		return nil, err
	}
	r, err := newStackReader(ctx, tx)
	if err != nil {
		return nil, err
	}
	defer r.find.Close()
	may := map[int64][]bool{}
	files, hits := 0, 0
	for id, s := range segments {
		if may[id], err = s.candidates(ctx, r, clauses); err != nil {
			return nil, err
		}
		files += len(s.keys)
		for _, hit := range may[id] {
			if hit {
				hits++
			}
		}
	}
	out := &found{}
	if hits > max(files/16, 16) {
		out.keys = make(map[int64]bool, files)
		for id, s := range segments {
			for i, key := range s.keys {
				out.keys[key] = out.keys[key] || may[id][i]
			}
		}
		return out, nil
	}
	const live = "added <= ? AND (removed IS NULL OR removed > ?)"
	one, err := tx.PrepareContext(ctx, "SELECT "+fileColumnsSQL+" FROM files INDEXED BY files_key WHERE key = ? AND tbl = ? AND "+live)
	if err != nil {
		return nil, err
	}
	defer one.Close()
	seen := map[int64]bool{}
	for id, s := range segments {
		for i, hit := range may[id] {
			if !hit || seen[s.keys[i]] {
				continue
			}
			seen[s.keys[i]] = true
			rows, err := one.QueryContext(ctx, s.keys[i], table, version, version)
			if err != nil {
				return nil, err
			}
			files, err := scanFiles(rows)
			if err != nil {
				return nil, err
			}
			out.files = append(out.files, files...)
		}
	}
	for _, removed := range []string{"removed IS NULL", "removed > ?2"} { // two short runs of the index, which SQLite would not choose by itself
		rows, err := tx.QueryContext(ctx, "SELECT "+fileColumnsSQL+" FROM files INDEXED BY files_segment WHERE tbl = ?1 AND segment IS NULL AND added <= ?2 AND "+removed, table, version)
		if err != nil {
			return nil, err
		}
		files, err := scanFiles(rows)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if !seen[f.key] {
				out.files = append(out.files, f)
			}
		}
	}
	return out, nil
}

// loose lists the live files of a table that are in no segment. What is not needed for reading their filters is left out.
func (x *index) loose(ctx context.Context, table string) (out []*File, err error) {
	tx, err := x.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	segments, err := x.segmentsOf(ctx, tx, table)
	if err != nil {
		return nil, err
	}
	if err := checkSegments(ctx, tx, table, segments); err != nil {
		return nil, err
	}
	err = eachRow(ctx, tx, func(scan func(...any) error) error {
		f := &File{}
		out = append(out, f)
		return scan(&f.Partition.Account, &f.Partition.Region, &f.Partition.Date, &f.Path, &f.Size, &f.Footer, &f.key)
	}, `SELECT account, region, date, path, size, footer, key FROM files
		WHERE tbl = ? AND segment IS NULL AND removed IS NULL AND footer IS NOT NULL ORDER BY account, region, date, path`, table)
	return out, err
}

// filtered is a file with its filters by leaf.
type filtered struct {
	key     int64
	filters map[string][]parquetio.Filter // of each row group
}

// addSegment puts files into a new segment, together with those of segments that are not much larger, so that there are few segments and
// a file moves rarely.
func (x *index) addSegment(ctx context.Context, table string, files []filtered) error {
	return x.write(ctx, func(tx *sql.Tx) error {
		segments, err := x.segmentsOf(ctx, tx, table)
		if err != nil {
			return err
		}
		loose, err := keysOf(ctx, tx, table, "segment IS NULL") // another process may have been faster, or have removed some
		if err != nil {
			return err
		}
		files = slices.DeleteFunc(files, func(f filtered) bool { return !loose[f.key] })
		if len(files) == 0 {
			return nil
		}
		b := &segmentBuilder{ctx: ctx, tx: tx, out: &segment{leaves: map[string][]stack{}}}
		b.addFiles(files)
		bySize := slices.SortedFunc(maps.Keys(segments), func(i, j int64) int { return len(segments[i].keys) - len(segments[j].keys) })
		var joined []int64
		for _, id := range bySize {
			if len(segments[id].keys) > 2*len(b.out.keys) {
				break
			}
			live, err := keysOf(ctx, tx, table, "segment = ?", id)
			if err != nil {
				return err
			}
			b.addSegment(segments[id], live)
			joined = append(joined, id)
		}
		if err := b.write(); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, "INSERT INTO segments(tbl, head) VALUES (?, ?)", table, b.out.encode())
		if err != nil {
			return err
		}
		id, err := done.LastInsertId()
		if err != nil {
			return err
		}
		for _, old := range joined {
			if err := dropSegment(ctx, tx, table, old, segments[old]); err != nil {
				return err
			}
		}
		mark, err := tx.PrepareContext(ctx, "UPDATE files SET segment = ? WHERE key = ? AND tbl = ?")
		if err != nil {
			return err
		}
		defer mark.Close()
		for _, key := range b.out.keys {
			if _, err := mark.ExecContext(ctx, id, key, table); err != nil {
				return err
			}
		}
		return nil
	})
}

// keysOf lists files of a table by a condition on the segment.
func keysOf(ctx context.Context, tx *sql.Tx, table, condition string, args ...any) (map[int64]bool, error) {
	keys := map[int64]bool{}
	err := eachRow(ctx, tx, func(scan func(...any) error) error {
		var key int64
		err := scan(&key)
		keys[key] = true
		return err
	}, "SELECT key FROM files WHERE tbl = ? AND removed IS NULL AND "+condition, append([]any{table}, args...)...)
	return keys, err
}

func dropSegment(ctx context.Context, tx *sql.Tx, table string, id int64, s *segment) error {
	if _, err := tx.ExecContext(ctx, "UPDATE files SET segment = NULL WHERE tbl = ? AND segment = ?", table, id); err != nil {
		return err
	}
	for _, stacks := range s.leaves {
		for i := range stacks {
			if _, err := tx.ExecContext(ctx, "DELETE FROM stacks WHERE id >= ? AND id < ?", stacks[i].first, stacks[i].first+int64(stacks[i].rows())); err != nil {
				return err
			}
		}
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM segments WHERE id = ?", id)
	return err
}

// segmentBuilder makes a segment of files and of other segments.
type segmentBuilder struct {
	ctx   context.Context
	tx    *sql.Tx
	out   *segment
	parts map[string]map[int][]part // by leaf and number of blocks
}

// part is filters with as many blocks: loose ones, or those of an old stack.
type part struct {
	files []int32 // ordinals into the new keys
	loose []parquetio.Filter
	old   *stack
	rank  []int32 // their places in the old stack
}

func (b *segmentBuilder) add(leaf string, blocks int, p part) {
	if b.parts == nil {
		b.parts = map[string]map[int][]part{}
	}
	if b.parts[leaf] == nil {
		b.parts[leaf] = map[int][]part{}
	}
	b.parts[leaf][blocks] = append(b.parts[leaf][blocks], p)
}

func (b *segmentBuilder) addFiles(files []filtered) {
	sorted := map[string]map[int]*part{}
	for _, f := range files {
		at := int32(len(b.out.keys))
		b.out.keys = append(b.out.keys, f.key)
		for leaf, filters := range f.filters {
			if sorted[leaf] == nil {
				sorted[leaf] = map[int]*part{}
			}
			for _, filter := range filters {
				blocks := len(filter) / parquetio.BlockBytes
				p := sorted[leaf][blocks]
				if p == nil {
					p = &part{}
					sorted[leaf][blocks] = p
				}
				p.files, p.loose = append(p.files, at), append(p.loose, filter)
			}
		}
	}
	for leaf, of := range sorted {
		for blocks, p := range of {
			b.add(leaf, blocks, *p)
		}
	}
}

func (b *segmentBuilder) addSegment(s *segment, live map[int64]bool) {
	places := make([]int32, len(s.keys)) // in the new segment, -1: removed
	for i, key := range s.keys {
		places[i] = -1
		if live[key] {
			places[i] = int32(len(b.out.keys))
			b.out.keys = append(b.out.keys, key)
		}
	}
	for leaf, stacks := range s.leaves {
		for i := range stacks {
			p := part{old: &stacks[i]}
			for k, f := range stacks[i].files {
				if places[f] >= 0 {
					p.files, p.rank = append(p.files, places[f]), append(p.rank, int32(k))
				}
			}
			if len(p.files) > 0 {
				b.add(leaf, stacks[i].blocks, p)
			}
		}
	}
}

// write writes the stacks, one row at a time.
func (b *segmentBuilder) write() error {
	var next int64
	if err := b.tx.QueryRowContext(b.ctx, "SELECT coalesce(max(id), 0) + 1 FROM stacks").Scan(&next); err != nil {
		return err
	}
	put, err := b.tx.PrepareContext(b.ctx, "INSERT INTO stacks VALUES (?, ?)")
	if err != nil {
		return err
	}
	defer put.Close()
	r, err := newStackReader(b.ctx, b.tx)
	if err != nil {
		return err
	}
	defer r.find.Close()
	for _, leaf := range slices.Sorted(maps.Keys(b.parts)) {
		for _, blocks := range slices.Sorted(maps.Keys(b.parts[leaf])) {
			parts := b.parts[leaf][blocks]
			var files []int32
			for _, p := range parts {
				files = append(files, p.files...) // in order, as parts are
			}
			s := newStack(blocks, files, next)
			rows := make([]oldRow, len(parts))
			for row := range s.rows() {
				var data []byte
				for block := row * s.each; block < min((row+1)*s.each, blocks); block++ {
					for i := range parts {
						if data, err = parts[i].append(b.ctx, data, r, block, &rows[i]); err != nil {
							return err
						}
					}
				}
				data = binary.LittleEndian.AppendUint32(data, stackSum(next, data))
				if _, err := put.ExecContext(b.ctx, next, data); err != nil {
					return err
				}
				next++
			}
			b.out.leaves[leaf] = append(b.out.leaves[leaf], s)
		}
	}
	return nil
}

// oldRow is the row of an old stack that was read last.
type oldRow struct {
	row  int
	data []byte
}

// append adds the blocks of one place.
func (p *part) append(ctx context.Context, out []byte, r *stackReader, block int, at *oldRow) ([]byte, error) {
	const size = parquetio.BlockBytes
	if p.old == nil {
		for _, f := range p.loose {
			out = append(out, f[block*size:][:size]...)
		}
		return out, nil
	}
	if row := block / p.old.each; at.data == nil || at.row != row {
		var err error
		if at.data, err = r.row(ctx, p.old, row); err != nil {
			return nil, err
		}
		at.row = row
	}
	from := at.data[block%p.old.each*p.old.size():]
	for _, k := range p.rank {
		out = append(out, from[k*size:][:size]...)
	}
	return out, nil
}
