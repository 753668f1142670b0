// Package source is what the engine asks of tables: resolve a name, scan with
// paths, conjuncts and pruning, and say what was skipped. The catalog and the
// connectors implement it; the engine never imports them.
package source

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/trailql/trailql/engine/expr"
	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Column is a column of a relation. Names are lower case and unique within the relation.
// A hidden column is found by name but left out of *.
type Column struct {
	Name    string
	Type    sqltype.Type
	Hidden  bool
	Comment string
}

// Catalog gives snapshots. Safe for concurrent use.
type Catalog interface {
	// Snapshot pins the newest version of all relations. Snapshots need no release.
	Snapshot(ctx context.Context) (Snapshot, error)
}

// Snapshot is one immutable version of all relations. Safe for concurrent use.
type Snapshot interface {
	// Version identifies the data of the snapshot's own tables; equal versions hold equal rows.
	Version() int64
	// Definitions identifies what names stand for: bindings, views, external tables. Equal ones resolve equally.
	Definitions() string
	// Resolve finds a relation by its one to three name parts (case aside); ok is false if there is none.
	Resolve(name []string) (r Relation, ok bool)
	// Names lists the relations, sorted, as they are written in FROM.
	Names() []string
	// Macros lists the functions that the catalog defines.
	Macros() []*Macro
}

// Relation is a Stored table, a View, or one of the two Bound.
type Relation interface{ relation() }

// View is a relation defined by a query text.
type View struct {
	Name       string
	SQL        string
	Schema     string   // where names in SQL without one are looked up; "": in the default one
	Columns    []string // names of its columns in place of those of the query; nil: those
	Hidden     []string // output columns that * leaves out
	Comment    string
	Definition string // the statement that made it; "": it is the catalog's own
}

func (*View) relation() {}

// Stored is the Relation that wraps a Table.
type Stored struct{ Table Table }

func (Stored) relation() {}

// Bound is a relation with columns beside its own: a name under which queries written for another table of the same shape run.
type Bound struct {
	Of      Relation // Stored or *View
	Columns []Derived
}

func (*Bound) relation() {}

// Derived is a column computed from another one of its relation. A column that the relation itself has hides it.
type Derived struct {
	Name   string // lower case
	From   string // the column that it is computed from
	Format string // a pattern of Joda's language: From, a date or timestamp, is written by it; "": the value of From as it is
	Hidden bool   // left out of *
}

// Table is a scannable relation of one snapshot. Safe for concurrent use.
type Table interface {
	Name() string
	Columns() []Column
	// Scan plans a read: it prunes by what is known without opening a file. It does no row work.
	Scan(ctx context.Context, req Request) (Scan, error)
}

// Commented is a Table that says in a sentence what it holds.
type Commented interface {
	Table
	Comment() string
}

// Partitioned is a Table whose rows are parted by the values of some columns.
type Partitioned interface {
	Table
	// PartitionColumns are their names, in order; none for a table that is not parted after all.
	PartitionColumns() []string
	// Partitions lists the parts that there are, in order, as Hive writes them: account=…/region=…/date=….
	Partitions(ctx context.Context) ([]string, error)
}

// Summarized is a Table that knows of many rows at once.
type Summarized interface {
	Table
	// Summary tells of the rows for which all conjuncts of req are true, without opening a file; nil if that is not known exactly.
	Summary(ctx context.Context, req Request) (*Summary, error)
}

// Versioned is a Table whose earlier states can be read.
type Versioned interface {
	Table
	// AsOf says which rows there were at a moment: those of which a bigint column, an ordinal into Columns, is at most version. An error
	// says why that is not known.
	AsOf(m Moment) (column int, version int64, err error)
}

// Moment is a version, or where At is not zero the newest version made at that time or before.
type Moment struct {
	Version int64
	At      time.Time
}

// Summary of rows; Columns has an Extent per path.
type Summary struct {
	Rows    int64
	Columns []Extent
}

// Extent is the least and the greatest value of a column, as Go values (int64, string), nil where all are NULL, and its NULLs.
type Extent struct {
	Min, Max      any
	BoundsUnknown bool
	Nulls         int64
	NullsUnknown  bool
}

// Path names a column or a field below it: Column is an ordinal into Table.Columns, Fields are ordinals into nested rows. Of an array of rows
// Elements are the fields that its rows have, ascending; nil: all.
type Path struct {
	Column   int
	Fields   []int
	Elements []int
}

// TypeOf is the type of the path, where t is that of the column or field that it names.
func (p Path) TypeOf(t sqltype.Type) sqltype.Type {
	if p.Elements == nil {
		return t
	}
	var fields []sqltype.Field
	for _, i := range p.Elements {
		fields = append(fields, t.Elem.Fields[i])
	}
	return sqltype.ArrayOf(sqltype.RowOf(fields...))
}

// WholeColumns are the paths of all columns.
func WholeColumns(columns []Column) []Path {
	paths := make([]Path, len(columns))
	for i := range paths {
		paths[i].Column = i
	}
	return paths
}

// Request says what a scan shall read.
type Request struct {
	Paths     []Path      // the output columns, in this order
	Conjuncts []expr.Expr // boolean; their columns are ordinals into Paths; all must be true for a row to be wanted
	Skips     []expr.Expr // boolean, likewise over Paths; rows for which one is not true may be left out or not. A hint
	Filter    int         // the first Filter paths are needed by conjuncts only or too; 0 when unknown (a hint for late columns)
	Limit     int64       // no more than so many rows are wanted; negative: all. A hint
	Top       *TopN       // no rows but the first ones in some order are wanted; nil: all. A hint
	BatchRows int         // rows per batch, at most; 0: the source's own choice
	Off       Switches
	Session   *fn.Session // the query's, for evaluating the conjuncts; nil: UTC
}

// TopN is an order by one path, and how many of the rows for which all conjuncts are true come first in it. A row may be left out if at
// least so many others come strictly before it.
type TopN struct {
	Path       int // ordinal into Paths
	Desc       bool
	NullsFirst bool
	Rows       int64 // positive
}

// Ordered is a Scan that knows which morsels are the best to begin with: for a TopN, those that may hold the first rows.
type Ordered interface {
	Scan
	// Order lists all morsels; nil: as they are numbered.
	Order() []int
}

// Switches turn steps off, so that tests can run the same SQL with and without each.
type Switches struct {
	Partition  bool // pruning by partition values
	File       bool // pruning by file statistics
	Index      bool // pruning by what an index knows of the values in files
	RowGroup   bool // pruning by row-group statistics
	Bloom      bool
	Dictionary bool // pruning by dictionary entries
	Page       bool // pruning by page statistics
	Late       bool // late columns: read all columns of all rows first
	Top        bool // leaving out rows that do not come first
	Summary    bool // answering by what is known without reading
	PerEntry   bool // keeping what expressions gave for a dictionary's entries
}

// Scan is a planned read, split into morsels that any number of workers may open in any order. Safe for concurrent use.
type Scan interface {
	// Applied says per conjunct whether the batches hold only rows for which it is true; the others the caller must filter.
	Applied() []bool
	// Morsels is the number of morsels: about a row group each, in the table's order.
	Morsels() int
	// Open starts one morsel. A morsel that is pruned on opening yields io.EOF at once.
	Open(ctx context.Context, morsel int) (Reader, error)
	// Prune runs for every morsel the pruning that Open would run, reading no rows; EXPLAIN calls it. Counts enter Report.
	Prune(ctx context.Context) error
	// Report says what was skipped and read so far.
	Report() *Report
}

// Reader yields the batches of one morsel; used by one goroutine. Next returns io.EOF at the end and never an empty batch.
type Reader interface {
	Next() (vec.Batch, error)
	Close() error
}

// Report counts what a scan skipped and read. Fields are added to atomically.
type Report struct {
	Partitions, PartitionsPruned       atomic.Int64
	Files, FilesPruned                 atomic.Int64 // FilesPruned counts those in pruned partitions too
	RowGroups                          atomic.Int64 // of the files kept
	RowGroupsByStats, RowGroupsByBloom atomic.Int64
	RowGroupsByDictionary              atomic.Int64
	Pages, PagesPruned                 atomic.Int64
	BytesRead                          atomic.Int64 // compressed bytes read from the store
	RowsRead                           atomic.Int64 // rows of the row groups that were opened
	// Notes explain per conjunct what it pruned by or why it could not: set once by Table.Scan, then only read.
	Notes []Note
}

// Note is a remark on a conjunct of a scan, or on the scan as a whole.
type Note struct {
	On   string // the conjunct as expr.Format writes it; "": the scan
	Says string
}
