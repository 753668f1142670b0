package external

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// maxFolders is how many partitions one statement may write, as in Athena.
const maxFolders = 100

// Output writes rows to new files at a place: one, or one in each folder that partitions tell. They have temporary names until Publish.
// Used by one goroutine.
type Output struct {
	ctx     context.Context
	place   Place
	target  source.Target
	columns []sqltype.Column // of the files
	made    []string         // folders that were not there, the outermost first
	files   []*outFile
	folder  string // of the file that is written
	ended   bool
}

// outFile is a file that is written, or waits to be published.
type outFile struct {
	name  string
	blob  blob.Writer
	pack  io.WriteCloser // nil: not compressed
	rows  sink.Writer
	count int64
}

// Create begins to write to a place where nothing is. Errors are *sqlerr.Error.
func Create(ctx context.Context, place Place, t source.Target) (*Output, error) {
	o := &Output{ctx: ctx, place: place, target: t, columns: t.Columns[:len(t.Columns)-t.PartitionedBy]}
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := o.empty(); err != nil {
		return nil, err
	}
	o.findMissing()
	return o, nil
}

// check looks at the columns and the compression.
func (o *Output) check() error {
	t := &o.target
	if len(o.columns) == 0 {
		return sqlerr.New(sqlerr.Type, 0, "a file needs a column that the rows are not partitioned by")
	}
	nested := t.Format == "parquet" || t.Format == "json"
	for i, c := range t.Columns {
		if why := unstorable(c.Type, nested && i < len(o.columns)); why != "" {
			return sqlerr.New(sqlerr.Type, 0, "column %s is of type %s, %s", c.Name, c.Type, why).WithHint("cast it: CAST(%s AS varchar)", c.Name)
		}
	}
	known := map[string]string{"parquet": "zstd snappy gzip none", "csv": "none gzip zstd", "textfile": "gzip none zstd", "json": "gzip none zstd"}[t.Format]
	if known == "" {
		return sqlerr.New(sqlerr.Unknown, 0, "files of format %s are not written", strings.ToUpper(t.Format)).WithHint("PARQUET, CSV, TEXTFILE and JSON are")
	}
	if t.Compression == "" {
		t.Compression, _, _ = strings.Cut(known, " ")
	}
	if t.Compression == "uncompressed" {
		t.Compression = "none"
	}
	for word := range strings.FieldsSeq(known) {
		if word == t.Compression {
			return nil
		}
	}
	return sqlerr.New(sqlerr.Unknown, 0, "%s is not compressed by %s", strings.ToUpper(t.Format), strings.ToUpper(t.Compression)).
		WithHint("take one of %s", strings.ToUpper(strings.Join(strings.Fields(known), ", ")))
}

// unstorable says why values of a type are not written, "" if they are.
func unstorable(t sqltype.Type, nested bool) string {
	switch t.Kind {
	case sqltype.Boolean, sqltype.TinyInt, sqltype.SmallInt, sqltype.Integer, sqltype.BigInt, sqltype.Real, sqltype.Double, sqltype.Decimal,
		sqltype.Varchar, sqltype.Char, sqltype.Date, sqltype.Timestamp:
		return ""
	case sqltype.Varbinary:
		if nested {
			return ""
		}
	case sqltype.Array, sqltype.Map, sqltype.Row:
		if !nested {
			return "which is written to Parquet and JSON only, and not as a partition"
		}
		for _, inner := range inside(t) {
			if inner.Kind == sqltype.Char {
				return "which has a char in it"
			}
			if why := unstorable(inner, true); why != "" {
				return why
			}
		}
		for _, f := range t.Fields {
			if f.Name == "" {
				return "which has a field without a name"
			}
		}
		return ""
	}
	return "which no table over files has"
}

func inside(t sqltype.Type) []sqltype.Type {
	var out []sqltype.Type
	for _, p := range []*sqltype.Type{t.Key, t.Elem} {
		if p != nil {
			out = append(out, *p)
		}
	}
	for _, f := range t.Fields {
		out = append(out, f.Type)
	}
	return out
}

// empty wants nothing to be at the place.
func (o *Output) empty() error {
	taken := sqlerr.New(sqlerr.Value, 0, "there are files at '%s' already", o.place).WithHint("take another location, or remove them")
	store := o.place.Root.Store
	if o.place.Path != "" {
		if _, err := store.Stat(o.ctx, o.place.Path); err == nil {
			return taken
		}
	}
	err := store.List(o.ctx, strings.TrimPrefix(o.place.Path+"/", "/"), "", func(blob.Info) error { return taken })
	var e *sqlerr.Error
	if err != nil && !errors.As(err, &e) {
		return sqlerr.Wrap(sqlerr.Data, err, "'%s' cannot be written to", o.place)
	}
	return err
}

// findMissing notes which folders the files will make, so that they can be taken away again.
func (o *Output) findMissing() {
	for dir := o.place.Path; dir != "" && dir != "."; dir = path.Dir(dir) {
		if _, err := os.Stat(o.place.Root.Dir + "/" + dir); err == nil {
			return
		}
		o.made = append([]string{dir}, o.made...)
	}
}

// Write adds a batch. Rows come sorted by the columns that part them.
func (o *Output) Write(b vec.Batch) error {
	first := len(o.columns)
	if o.target.PartitionedBy == 0 {
		return o.add("", b, 0, b.Len)
	}
	for from := 0; from < b.Len; {
		to := from + 1
		for to < b.Len && sameRow(b.Cols[first:], from, to) {
			to++
		}
		if err := o.add(o.folderOf(b, from), b, from, to); err != nil {
			return err
		}
		from = to
	}
	return nil
}

func sameRow(columns []arrow.Array, i, j int) bool {
	for _, c := range columns {
		if !vec.EqualRows(c, i, c, j) {
			return false
		}
	}
	return true
}

// folderOf is the folder of a row, as Hive names it.
func (o *Output) folderOf(b vec.Batch, row int) string {
	first := len(o.columns)
	parts := make([]string, len(b.Cols)-first)
	for i, col := range b.Cols[first:] {
		c := o.target.Columns[first+i]
		value := nullFolder
		if col.IsValid(row) {
			value = escaped(string(sqltype.AppendText(nil, c.Type, col, row)))
		}
		parts[i] = escaped(strings.ToLower(c.Name)) + "=" + value
	}
	return strings.Join(parts, "/")
}

// escaped is text as part of a folder's name: what paths or Hive have a meaning for is written %XX. No name begins with a dot, so that none is
// hidden or leads anywhere.
func escaped(text string) string {
	out := strings.ReplaceAll(url.PathEscape(text), "=", "%3D")
	for _, c := range []string{":", "*", "'", "&", "+", "$", "@", "!", "(", ")", ",", ";", "~"} {
		out = strings.ReplaceAll(out, c, "%"+strings.ToUpper(hex.EncodeToString([]byte(c))))
	}
	if strings.HasPrefix(out, ".") {
		out = "%2E" + out[1:]
	}
	return out
}

// add writes rows of a batch to the file of a folder.
func (o *Output) add(folder string, b vec.Batch, from, to int) error {
	if len(o.files) == 0 || folder != o.folder {
		if err := o.open(folder); err != nil {
			return err
		}
	}
	f := o.files[len(o.files)-1]
	cols := make([]arrow.Array, len(o.columns))
	for i := range cols {
		cols[i] = vec.Slice(b.Cols[i], from, to)
	}
	f.count += int64(to - from)
	return o.failed(f.rows.Write(cols, to-from))
}

// failed makes an error of writing one that people get.
func (o *Output) failed(err error) error {
	var e *sqlerr.Error
	if err == nil || errors.As(err, &e) || o.ctx.Err() != nil {
		return err
	}
	return sqlerr.Wrap(sqlerr.Resource, err, "writing to '%s'", o.place)
}

// open ends the file before and begins the one of a folder.
func (o *Output) open(folder string) error {
	if err := o.finish(); err != nil {
		return err
	}
	if len(o.files) == maxFolders {
		return sqlerr.New(sqlerr.Resource, 0, "the rows have more than %d partitions", maxFolders).WithHint("write them in several statements, or partition by fewer values")
	}
	var id [8]byte
	rand.Read(id[:]) // never fails
	end := map[string]string{"parquet": ".parquet", "csv": ".csv", "textfile": ".txt", "json": ".json"}[o.target.Format]
	if o.target.Format != "parquet" {
		end += map[string]string{"gzip": ".gz", "zstd": ".zst"}[o.target.Compression]
	}
	f := &outFile{name: o.place.in(strings.TrimPrefix(folder+"/part-"+hex.EncodeToString(id[:])+end, "/"))}
	var err error
	if f.blob, err = o.place.Root.Store.Create(o.ctx, f.name); err != nil {
		return o.failed(err)
	}
	o.files, o.folder = append(o.files, f), folder
	to := io.Writer(f.blob)
	if o.target.Format != "parquet" {
		switch o.target.Compression {
		case "gzip":
			f.pack = gzip.NewWriter(f.blob)
		case "zstd":
			if f.pack, err = zstd.NewWriter(f.blob, zstd.WithEncoderConcurrency(1)); err != nil {
				return o.failed(err)
			}
		}
		if f.pack != nil {
			to = f.pack
		}
	}
	if o.target.Format == "textfile" {
		f.rows = newHiveText(to, o.columns, o.target.Delimiter)
		return nil
	}
	format := o.target.Format
	if format == "json" {
		format = "jsonl"
	}
	rows, err := sink.New(format, to, o.columns, sink.Options{Compression: o.target.Compression})
	if err != nil {
		return o.failed(err)
	}
	f.rows = rows
	return nil
}

// finish writes what ends the file that is open; it has its temporary name still.
func (o *Output) finish() error {
	if len(o.files) == 0 {
		return nil
	}
	f := o.files[len(o.files)-1]
	if f.rows == nil {
		return nil
	}
	err := f.rows.Close()
	f.rows = nil
	if f.pack != nil {
		err = errors.Join(err, f.pack.Close())
	}
	return o.failed(err)
}

// Publish makes the files. A query without rows makes one without rows, so that the columns can be read from it; with folders it makes none.
// After an error nothing is left.
func (o *Output) Publish(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			o.Remove(ctx)
		}
	}()
	if len(o.files) == 0 && o.target.PartitionedBy == 0 {
		if err := o.open(""); err != nil {
			return err
		}
	}
	if err := errors.Join(o.finish(), ctx.Err()); err != nil {
		return err
	}
	if err := o.empty(); err != nil { // another statement may have been faster
		return err
	}
	for _, f := range o.files {
		if err := f.blob.Close(); err != nil {
			return o.failed(err)
		}
	}
	o.ended = true
	return nil
}

// Abort leaves nothing behind; harmless after Publish.
func (o *Output) Abort() {
	if !o.ended {
		o.Remove(o.ctx)
	}
}

// Remove takes away what was written, published or not, and the folders that were made for it.
func (o *Output) Remove(ctx context.Context) {
	o.ended = true
	ctx = context.WithoutCancel(ctx)
	for _, f := range o.files {
		_ = f.blob.Abort()
		_ = o.place.Root.Store.Delete(ctx, f.name)
	}
	root, err := os.OpenRoot(o.place.Root.Dir)
	if err != nil {
		return
	}
	defer root.Close()
	for _, f := range o.files { // only empty folders can be removed
		for dir := path.Dir(f.name); dir != o.place.Path && dir != "."; dir = path.Dir(dir) {
			_ = root.Remove(dir)
		}
	}
	for i := len(o.made) - 1; i >= 0; i-- {
		_ = root.Remove(o.made[i])
	}
}
