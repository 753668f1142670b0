package external

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// Table is a table over files. The last Partitions of its columns are told by the folders that files are in: name=value, in their order.
type Table struct {
	TableName  string
	Cols       []source.Column
	Partitions int
	Format     Format
	Place      Place
	Missing    error  // why the files cannot be reached; Place is empty then
	Statement  string // that defined it
}

var (
	_ source.Defined     = (*Table)(nil)
	_ source.Changing    = (*Table)(nil)
	_ source.Partitioned = (*partitioned)(nil)
)

// Source is the table as the engine asks for it.
func (t *Table) Source() source.Table {
	if t.Partitions > 0 {
		return &partitioned{t}
	}
	return t
}

// Name is the table's name.
func (t *Table) Name() string { return t.TableName }

// Columns are those of the files, then those of the folders.
func (t *Table) Columns() []source.Column { return t.Cols }

// Definition is the statement that defined it.
func (t *Table) Definition() string { return t.Statement }

// State tells the names of the files, their sizes and when they were written.
func (t *Table) State(ctx context.Context) (string, error) {
	files, err := t.files(ctx)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%q %q\n", f.info.Name, f.info.ETag)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// partitioned is a table with folders.
type partitioned struct{ *Table }

func (t *partitioned) PartitionColumns() []string {
	var names []string
	for _, c := range t.Cols[len(t.Cols)-t.Table.Partitions:] {
		names = append(names, c.Name)
	}
	return names
}

func (t *partitioned) Partitions(ctx context.Context) ([]string, error) {
	files, err := t.files(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		names = append(names, f.folder)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// dataFile is a file of a table.
type dataFile struct {
	info   blob.Info
	folder string        // below the table's place: a=1/b=2
	values []arrow.Array // of the partition columns: one row each
}

// nullFolder stands for NULL in the name of a folder, in Hive and all who read its tables.
const nullFolder = "__HIVE_DEFAULT_PARTITION__"

// files lists the files of a table: the one at its place, or all below it. As in Hive those whose names begin with _ or . do not count.
func (t *Table) files(ctx context.Context) ([]dataFile, error) {
	if t.Missing != nil {
		return nil, t.Missing
	}
	store := t.Place.Root.Store
	if t.Place.Path != "" && t.Partitions == 0 {
		info, err := store.Stat(ctx, t.Place.Path)
		if err == nil {
			return []dataFile{{info: info}}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, t.unreadable(err)
		}
	}
	var files []dataFile
	prefix := strings.TrimPrefix(t.Place.Path+"/", "/")
	err := store.List(ctx, prefix, "", func(info blob.Info) error {
		below := strings.TrimPrefix(info.Name, prefix)
		for part := range strings.SplitSeq(below, "/") {
			if part[0] == '_' && part != nullFolder || part[0] == '.' {
				return nil
			}
		}
		f := dataFile{info: info}
		if t.Partitions > 0 {
			if err := t.place(&f, below); err != nil {
				return err
			}
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		return nil, t.unreadable(err)
	}
	return files, nil
}

func (t *Table) unreadable(err error) error {
	var e *sqlerr.Error
	if errors.As(err, &e) {
		return e
	}
	return sqlerr.Wrap(sqlerr.Data, err, "the files of table %s cannot be read", t.TableName)
}

// place reads the values of the partition columns from the folders of a file.
func (t *Table) place(f *dataFile, below string) error {
	folders := strings.Split(path.Dir(below), "/")
	columns := t.Cols[len(t.Cols)-t.Partitions:]
	if len(folders) < len(columns) {
		folders = make([]string, len(columns))
	}
	f.folder = strings.Join(folders[:len(columns)], "/")
	for i, c := range columns {
		name, value, ok := strings.Cut(folders[i], "=")
		if !ok || !strings.EqualFold(name, c.Name) {
			return sqlerr.New(sqlerr.Data, 0, "file %s/%s is in no folder %s=…, which table %s is partitioned by", t.Place, below, c.Name, t.TableName)
		}
		if value == nullFolder {
			f.values = append(f.values, vec.Nulls(c.Type, 1))
			continue
		}
		if text, err := url.PathUnescape(value); err == nil {
			value = text
		}
		cast, err := vec.Cast(vec.Datum{Arr: vec.FromValue(sqltype.VarcharType, value)}, sqltype.VarcharType, c.Type, false, nil, time.Time{}, 1)
		if err != nil {
			return sqlerr.Wrap(sqlerr.Data, err, "folder %s of table %s", f.folder, t.TableName)
		}
		f.values = append(f.values, cast.Arr)
	}
	return nil
}
