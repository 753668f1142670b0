package catalog

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/connectors/parquetio"
	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/prune"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// table is a stored table of one snapshot. Record tables have two columns more than their files: "$path", another
// name of _path, and eventjson, rebuilt from the others.
type table struct {
	snap    *Snapshot
	layout  *Layout
	columns []source.Column
}

func newTable(s *Snapshot, l *Layout) *table {
	t := &table{s, l, l.Columns}
	if len(l.Partitions) > 0 {
		t.columns = append(slices.Clone(l.Columns),
			source.Column{Name: "$path", Type: sqltype.VarcharType, Hidden: true, Comment: "the trail object of the record"},
			source.Column{Name: "eventjson", Type: sqltype.VarcharType, Hidden: true, Comment: "the record as JSON, equal to what was delivered"})
	}
	return t
}

func (t *table) Name() string             { return t.layout.Name }
func (t *table) Columns() []source.Column { return t.columns }
func (t *table) Comment() string          { return t.layout.Comment }

// PartitionColumns are account, region and date, or none.
func (t *table) PartitionColumns() []string { return t.layout.Partitions }

// Partitions lists those that hold files.
func (t *table) Partitions(ctx context.Context) ([]string, error) {
	partitions, err := t.snap.Partitions(ctx, t.layout.Name)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(partitions))
	for i, p := range partitions {
		names[i] = p.String()
	}
	slices.Sort(names)
	return names, nil
}

// leaf is the dotted name of a path, "" if it has no statistics of its own.
func (t *table) leaf(p source.Path) string {
	c := t.columns[p.Column]
	name, typ := c.Name, c.Type
	if name == "$path" {
		name = "_path"
	}
	for _, i := range p.Fields {
		if typ.Kind != sqltype.Row || i >= len(typ.Fields) {
			return ""
		}
		name, typ = name+"."+strings.ToLower(typ.Fields[i].Name), typ.Fields[i].Type
	}
	return name
}

// facts are what a partition says of its rows, as bounds; nil where it says nothing.
type facts struct {
	account, region, date any  // the values of the partition columns, nil for NULL
	from, to              any  // the times of its day
	first, last           any  // and the texts of its first and last second
	canonical             bool // these bound eventtime: all files of the partition are canonical
}

func (p Partition) facts() *facts {
	f := &facts{}
	if p.Account != "" {
		f.account = p.Account
	}
	if p.Region != "" {
		f.region = p.Region
	}
	if day, err := time.Parse(time.DateOnly, p.Date); err == nil {
		f.date = day.Unix() / 86400
		f.from, f.to = day.UnixMicro(), day.UnixMicro()+86400*1e6-1
		f.first, f.last = p.Date+"T00:00:00Z", p.Date+"T23:59:59Z"
	}
	return f
}

// value is the value of a partition column, nil for NULL.
func (f *facts) value(column string) any {
	switch column {
	case "account":
		return f.account
	case "region":
		return f.region
	case "date":
		return f.date
	}
	return nil
}

// bounds are the statistics of one partition, or of one file in it, by the paths of a request.
type bounds struct {
	layout *Layout
	leaves []string // by path
	facts  *facts
	file   *dataFile // nil: the partition as a whole
	rows   int64
}

var _ prune.Stats = (*bounds)(nil)

func (b *bounds) Bounds(column int) (lo, hi any) {
	leaf := b.leaves[column]
	if b.file != nil {
		if s, ok := b.file.stats()[leaf]; ok && s.Min != nil {
			return s.Min, s.Max
		}
		if leaf == b.layout.Commit && !b.file.Commits {
			return b.file.Added, b.file.Added
		}
	}
	if len(b.layout.Partitions) == 0 {
		return nil, nil
	}
	switch leaf {
	case "account", "region", "date":
		v := b.facts.value(leaf)
		return v, v
	case "_time": // the partition's date is the day of it
		return b.facts.from, b.facts.to
	case "eventtime":
		if b.facts.canonical {
			return b.facts.first, b.facts.last
		}
	case "recipientaccountid", "accountid": // the account is taken from it where a record has it; else it is NULL
		return b.facts.account, b.facts.account
	case "awsregion":
		return b.facts.region, b.facts.region
	}
	return nil, nil
}

func (b *bounds) Nulls(column int) (nulls, rows int64) {
	leaf := b.leaves[column]
	if b.file != nil {
		if s, ok := b.file.stats()[leaf]; ok {
			return s.Nulls, b.rows
		}
		if leaf == b.layout.Commit && !b.file.Commits {
			return 0, b.rows
		}
	}
	if slices.Contains(b.layout.Partitions, leaf) {
		if b.facts.value(leaf) == nil {
			return b.rows, b.rows
		}
		return 0, b.rows
	}
	return -1, b.rows
}

func (b *bounds) Canonical(column int) bool {
	if b.leaves[column] != "eventtime" {
		return false
	}
	return b.facts.canonical || b.file != nil && b.file.Canonical
}

// ScanFiles scans given files of a table: the columns are the layout's.
func (l *Lake) ScanFiles(ctx context.Context, layout *Layout, files []*File, req source.Request) (source.Scan, error) {
	list := make([]parquetio.File, len(files))
	for i, f := range files {
		list[i] = l.scanned(layout, f, nil)
	}
	report := &source.Report{}
	report.Files.Store(int64(len(files)))
	return parquetio.NewScan(ctx, l.store, list, layout.Columns, req, report)
}

func (l *Lake) scanned(layout *Layout, f *File, stats map[string]parquetio.Stats) parquetio.File {
	constants, facts := map[string]any{}, f.Partition.facts()
	for _, c := range layout.Partitions {
		constants[c] = facts.value(c)
	}
	if !f.Commits {
		constants[layout.Commit] = f.Added
	}
	file := parquetio.File{Name: layout.Name + "/" + f.Path, Size: f.Size, Rows: f.Rows, Constants: constants, Stats: stats, Canonical: f.Canonical}
	copy(file.FooterSHA256[:], f.Footer) // all zero where the log has none: not checked
	return file
}

// Scan prunes partitions by their values and files by the bounds in the log, and leaves the rest to parquetio.
func (t *table) Scan(ctx context.Context, req source.Request) (source.Scan, error) {
	leaves := make([]string, len(req.Paths))
	for i, p := range req.Paths {
		leaves[i] = t.leaf(p)
	}
	partitions, err := t.snap.summaries(ctx, t.layout.Name)
	if err != nil {
		return nil, err
	}
	pruned := newTally(t, req, leaves)
	report := &source.Report{}
	var kept []int
	files := int64(0) // in those
	keep := func(i int) {
		kept = append(kept, i)
		files += partitions.all[i].files
	}
	if req.Off.Partition {
		for i := range partitions.all {
			keep(i)
		}
	} else {
		pruned.partitions = partitions.sift(t.layout, req.Conjuncts, leaves, keep)
	}
	report.Files.Store(partitions.files)
	report.FilesPruned.Store(partitions.files - files)
	if len(t.layout.Partitions) > 0 {
		report.Partitions.Store(int64(len(partitions.all)))
	}
	candidates, err := t.candidates(ctx, partitions, kept, files, req, leaves, report)
	if err != nil {
		return nil, err
	}
	report.FilesPruned.Add(files - int64(len(candidates)))
	var list []parquetio.File
	left := map[*facts]bool{} // partitions
	for _, f := range candidates {
		if !req.Off.File && pruned.never(&bounds{t.layout, leaves, f.facts, f, f.Rows}) {
			report.FilesPruned.Add(1)
			continue
		}
		left[f.facts] = true
		var stats map[string]parquetio.Stats
		if req.Top != nil {
			stats = f.stats()
		}
		list = append(list, t.snap.lake.scanned(t.layout, f.File, stats))
	}
	if len(t.layout.Partitions) > 0 {
		report.PartitionsPruned.Store(int64(len(partitions.all) - len(left))) // those of which no file is left
	}
	report.Notes = append(pruned.notes(len(partitions.all), len(candidates)), report.Notes...)
	return t.physical(ctx, list, req, report)
}

// candidates lists the files of partitions, without those that lack a needle by the bloom filters in the index.
func (t *table) candidates(ctx context.Context, partitions *partitionList, kept []int, files int64, req source.Request, leaves []string, report *source.Report) ([]*dataFile, error) {
	var clauses []clause
	if !req.Off.Index && files >= max(fewFiles, partitions.files/indexShare) {
		clauses = t.clauses(req, leaves)
	}
	var at *found
	if clauses != nil {
		err := t.snap.withIndex(ctx, func(x *index) (err error) {
			at, err = x.needles(ctx, t.layout.Name, t.snap.version, clauses)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if at == nil {
		return t.snap.load(ctx, t.layout.Name, kept)
	}
	var out []*dataFile
	if at.keys != nil {
		all, err := t.snap.load(ctx, t.layout.Name, kept)
		if err != nil {
			return nil, err
		}
		for _, f := range all {
			if may, known := at.keys[f.key]; may || !known {
				out = append(out, f)
			}
		}
	} else {
		slices.SortFunc(at.files, func(a, b *File) int { return cmp.Or(a.Partition.compare(b.Partition), cmp.Compare(a.Path, b.Path)) })
		known := map[int]*facts{}
		for _, f := range at.files {
			place, ok := partitions.find(f.Partition)
			if !ok {
				return nil, fmt.Errorf("%s/%s is in a partition that the table does not list", t.layout.Name, f.Path)
			}
			if _, ok := slices.BinarySearch(kept, place); !ok {
				continue
			}
			if known[place] == nil {
				known[place] = partitions.factsOf(place)
			}
			out = append(out, newDataFile(t.layout, f, known[place]))
		}
	}
	report.Notes = append(report.Notes, source.Note{Says: fmt.Sprintf("bloom filters in the index rule out %d of %d files", files-int64(len(out)), files)})
	return out, nil
}

// tally counts per conjunct what it ruled out.
type tally struct {
	t          *table
	req        source.Request
	leaves     []string
	partitions []int64
	files      []int64
}

func newTally(t *table, req source.Request, leaves []string) *tally {
	return &tally{t, req, leaves, make([]int64, len(req.Conjuncts)), make([]int64, len(req.Conjuncts))}
}

// never reports whether some conjunct holds for no row of a file, and counts all that do not.
func (y *tally) never(b *bounds) bool {
	never := false
	for i, c := range y.req.Conjuncts {
		if prune.Check(c, b) == prune.Never {
			y.files[i]++
			never = true
		}
	}
	return never
}

func (y *tally) notes(partitions, files int) []source.Note {
	var out []source.Note
	for i, c := range y.req.Conjuncts {
		var parts []string
		if y.partitions[i] > 0 {
			parts = append(parts, fmt.Sprintf("%d of %d partitions", y.partitions[i], partitions))
		}
		if y.files[i] > 0 {
			parts = append(parts, fmt.Sprintf("%d of %d files", y.files[i], files))
		}
		var note string
		switch {
		case len(parts) > 0:
			note = "rules out " + strings.Join(parts, " and ")
		case !y.bounded(c):
			note = "no statistics of its columns in the log, so it cannot rule out partitions or files"
		default:
			note = "rules out no partition or file"
		}
		out = append(out, source.Note{On: expr.Format(c), Says: note})
	}
	return out
}

// bounded reports whether the log keeps statistics of some column of a conjunct.
func (y *tally) bounded(c expr.Expr) bool {
	for _, i := range expr.Columns(c) {
		leaf := y.leaves[i]
		if slices.Contains(y.t.layout.Partitions, leaf) || slices.Contains(y.t.layout.Statistics, leaf) || leaf == y.t.layout.Commit {
			return true
		}
	}
	return false
}

// physical plans the read of files: request columns that no file has are replaced by those they are made from.
func (t *table) physical(ctx context.Context, files []parquetio.File, req source.Request, report *source.Report) (source.Scan, error) {
	stored := len(t.layout.Columns)
	phys := req
	phys.Paths = nil
	place := make([]int, len(req.Paths)) // of each requested path among the physical ones, -1: eventjson
	rebuilt := false
	for i, p := range req.Paths {
		if i == req.Filter {
			phys.Filter = len(phys.Paths)
		}
		switch {
		case p.Column < stored:
		case t.columns[p.Column].Name == "$path":
			p = source.Path{Column: ordinal(t.layout.Columns, "_path")}
		default:
			place[i], rebuilt = -1, true
			continue
		}
		place[i] = len(phys.Paths)
		phys.Paths = append(phys.Paths, p)
	}
	if req.Top != nil {
		top := *req.Top
		if top.Path = place[top.Path]; top.Path >= 0 {
			phys.Top = &top
		} else {
			phys.Top = nil
		}
	}
	if !rebuilt {
		phys.Filter = req.Filter
		return parquetio.NewScan(ctx, t.snap.lake.store, files, t.layout.Columns, phys, report)
	}
	if req.Filter >= len(req.Paths) {
		phys.Filter = len(phys.Paths)
	}
	s := &rebuildScan{table: t.layout.Name, place: place, first: len(phys.Paths), applied: make([]bool, len(req.Conjuncts))}
	for i, c := range t.layout.Columns {
		if !slices.Contains(t.layout.Partitions, c.Name) && !slices.Contains([]string{"_path", "_row", "_conflict", "_commit"}, c.Name) {
			s.columns = append(s.columns, i)
			phys.Paths = append(phys.Paths, source.Path{Column: i})
		}
	}
	phys.Conjuncts, phys.Skips = nil, nil
	var pushed []int
	for i, c := range req.Conjuncts {
		if slices.ContainsFunc(expr.Columns(c), func(col int) bool { return place[col] < 0 }) {
			phys.Limit, phys.Top = -1, nil // the caller still drops rows
			continue
		}
		pushed = append(pushed, i)
		phys.Conjuncts = append(phys.Conjuncts, expr.Rewrite(c, func(e expr.Expr) expr.Expr {
			if col, ok := e.(*expr.Column); ok && place[col.Index] != col.Index {
				moved := *col
				moved.Index = place[col.Index]
				return &moved
			}
			return e
		}))
	}
	var err error
	if s.Scan, err = parquetio.NewScan(ctx, t.snap.lake.store, files, t.layout.Columns, phys, report); err != nil {
		return nil, err
	}
	for k, ok := range s.Scan.Applied() {
		s.applied[pushed[k]] = ok
	}
	return s, nil
}

// rebuildScan adds eventjson to the batches of another scan.
type rebuildScan struct {
	source.Scan
	table   string
	place   []int // of each output column among the physical ones, -1: eventjson
	first   int   // physical columns from here on serve eventjson
	columns []int // their ordinals in the table
	applied []bool
}

func (s *rebuildScan) Applied() []bool { return s.applied }

func (s *rebuildScan) Order() []int {
	if o, ok := s.Scan.(source.Ordered); ok {
		return o.Order()
	}
	return nil
}

func (s *rebuildScan) Open(ctx context.Context, morsel int) (source.Reader, error) {
	r, err := s.Scan.Open(ctx, morsel)
	if err != nil {
		return nil, err
	}
	return &rebuildReader{r, s}, nil
}

type rebuildReader struct {
	source.Reader
	scan *rebuildScan
}

func (r *rebuildReader) Next() (vec.Batch, error) {
	b, err := r.Reader.Next()
	if err != nil {
		return b, err
	}
	s := r.scan
	text, err := cloudtrail.EventJSON(s.table, s.columns, vec.Batch{Len: b.Len, Cols: b.Cols[s.first : s.first+len(s.columns)]})
	if err != nil {
		return vec.Batch{}, fmt.Errorf("rebuild eventjson: %w", err)
	}
	out := vec.Batch{Len: b.Len, Cols: make([]arrow.Array, len(s.place))}
	for i, p := range s.place {
		if p < 0 {
			out.Cols[i] = text
		} else {
			out.Cols[i] = b.Cols[p]
		}
	}
	return out, nil
}

// textReader returns a function that gives the text of a row of a plain or dictionary-coded column, "" for NULL.
func textReader(a arrow.Array) func(row int) string {
	switch a := a.(type) {
	case *array.Dictionary:
		entries, ok := a.Dictionary().(*array.String)
		if !ok {
			break
		}
		return func(row int) string {
			if a.IsNull(row) {
				return ""
			}
			return entries.Value(a.GetValueIndex(row))
		}
	case *array.String:
		return func(row int) string {
			if a.IsNull(row) {
				return ""
			}
			return a.Value(row)
		}
	}
	return func(int) string { return "" }
}
