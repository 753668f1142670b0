package source

import (
	"context"

	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Definer is a Catalog in which statements define views and external tables, and write files. Names have one to three parts, as in
// FROM; those without a schema are in the default one. What it refuses is a *sqlerr.Error. Safe for concurrent use.
type Definer interface {
	Catalog
	// Define keeps a definition; snapshots taken from then on have it. made is false if there is one of that name and it may stay.
	// Places in its errors are in d.Text.
	Define(ctx context.Context, d Definition) (made bool, err error)
	// Drop forgets a view or an external table; the files of a table stay. dropped is false if there is nothing of that name.
	Drop(ctx context.Context, name []string, view bool) (dropped bool, err error)
	// Create begins to write the rows of a query to files. There is nothing to be seen of them before Output.Commit. The Output is nil if there is
	// a table of that name and it may stay.
	Create(ctx context.Context, t Target) (Output, error)
}

// Definition is a relation as a statement defines it.
type Definition struct {
	Name        []string
	Text        string // CREATE VIEW … or CREATE EXTERNAL TABLE …
	Replace     bool   // in place of a view that there is
	IfNotExists bool   // what there is may stay
}

// Target says where the rows of a query go, and how they are written.
type Target struct {
	Table         []string // the table to be defined over them; nil: none
	IfNotExists   bool     // a table that there is may stay
	NoData        bool     // no row will come
	Comment       string   // of the table
	Location      string   // as it is written; "": a folder with the table's name
	Format        string   // lower case: parquet, csv, textfile, json
	Compression   string   // lower case: gzip, zstd, snappy, none; "": as is usual for the format
	Delimiter     string   // of fields in text; "": as is usual for the format
	Columns       []sqltype.Column
	PartitionedBy int // so many of the last columns are told by folders; the rows come sorted by them
}

// Output takes the rows that are written. Used by one goroutine.
type Output interface {
	// Write takes a batch with an array for each column of the target.
	Write(b vec.Batch) error
	// Commit makes the files, and the table over them if there shall be one.
	Commit(ctx context.Context) error
	// Abort leaves nothing behind; harmless after Commit.
	Abort()
}

// Defined is a Table that a statement defined.
type Defined interface {
	Table
	// Definition is the statement, as it was written.
	Definition() string
}

// Changing is a Table whose rows may change within one version of the catalog, as files do that others write.
type Changing interface {
	Table
	// State identifies the rows as they are now: equal states, equal rows.
	State(ctx context.Context) (string, error)
}
