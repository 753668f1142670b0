package catalog

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/trailql/trailql/engine/source"
	"github.com/trailql/trailql/engine/sqltype"
)

// This file holds the subset of the Delta Lake protocol (reader 1, writer 2) that the lake uses: the actions of a
// log entry, one JSON object a line, and the spelling of paths, partitions and schemas. The format is described in
// PROTOCOL.md of the Delta Lake project.

// action is one line of a log entry: exactly one field is set. Kinds of actions that are not listed are ignored, as
// the protocol demands of those that a reader need not know.
type action struct {
	CommitInfo *commitInfo   `json:"commitInfo,omitempty"`
	Protocol   *protocol     `json:"protocol,omitempty"`
	MetaData   *metaData     `json:"metaData,omitempty"`
	Txn        *txn          `json:"txn,omitempty"`
	Add        *addAction    `json:"add,omitempty"`
	Remove     *removeAction `json:"remove,omitempty"`
}

type protocol struct {
	MinReaderVersion int `json:"minReaderVersion"`
	MinWriterVersion int `json:"minWriterVersion"`
}

type metaData struct {
	ID               string            `json:"id"`
	Name             string            `json:"name,omitempty"`
	Format           format            `json:"format"`
	SchemaString     string            `json:"schemaString"`
	PartitionColumns []string          `json:"partitionColumns"`
	Configuration    map[string]string `json:"configuration"`
	CreatedTime      int64             `json:"createdTime"` // milliseconds
}

type format struct {
	Provider string            `json:"provider"`
	Options  map[string]string `json:"options"`
}

type txn struct {
	AppID   string `json:"appId"`
	Version int64  `json:"version"`
}

type addAction struct {
	Path             string             `json:"path"` // URL-encoded, below the table's folder
	PartitionValues  map[string]*string `json:"partitionValues"`
	Size             int64              `json:"size"`
	ModificationTime int64              `json:"modificationTime"` // milliseconds
	DataChange       bool               `json:"dataChange"`
	Stats            string             `json:"stats,omitempty"`
	Tags             map[string]string  `json:"tags,omitempty"`
}

type removeAction struct {
	Path              string             `json:"path"`
	DeletionTimestamp int64              `json:"deletionTimestamp"` // milliseconds
	DataChange        bool               `json:"dataChange"`
	ExtendedMetadata  bool               `json:"extendedFileMetadata,omitempty"`
	PartitionValues   map[string]*string `json:"partitionValues,omitempty"`
	Size              int64              `json:"size,omitempty"`
}

// commitInfo is free for the writer's use. In the log of trail_files it carries the actions that the same batch
// makes in the other tables: that is what makes a batch one commit.
type commitInfo struct {
	Timestamp  int64  `json:"timestamp"` // milliseconds
	Operation  string `json:"operation"`
	EngineInfo string `json:"engineInfo"`
	Trailql    *batch `json:"trailql,omitempty"`
}

// Operations of commits.
const (
	operationCreate = "CREATE TABLE"
	operationWrite  = "WRITE"
	operationMerge  = "OPTIMIZE" // rows stay the same
	operationDelete = "DELETE"   // rows are removed by retention
	operationHold   = "HOLD"     // nothing but the version: see Mark
)

type batch struct {
	Tables  map[string][]action `json:"tables"`
	Receipt string              `json:"receipt,omitempty"` // of a DELETE: the object that tells what was removed
}

// Tags of an add that other engines ignore.
const (
	tagSHA256    = "trailql.sha256"    // of the file, hex
	tagFooter    = "trailql.footer"    // SHA-256 of the footer, hex
	tagCanonical = "trailql.canonical" // "true": see parquetio.File.Canonical
	tagCommits   = "trailql.commits"   // "true": the file holds each row's commit itself
)

const (
	appID      = "trailql"
	nullFolder = "__HIVE_DEFAULT_PARTITION__" // stands for NULL in a partition's path
	maxEntry   = 256 << 20                    // bytes of a log entry; larger ones are refused
)

// entryName is the name of a table's log entry in the store.
func entryName(table string, version int64) string {
	return fmt.Sprintf("%s/_delta_log/%020d.json", table, version)
}

// encodeEntry returns the text of a log entry.
func encodeEntry(actions []action) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for i := range actions {
		if err := enc.Encode(&actions[i]); err != nil {
			return nil, fmt.Errorf("encode log entry: %w", err)
		}
	}
	return out.Bytes(), nil
}

// decodeEntry reads a log entry and checks whatever will be used for opening files. Errors name the line.
func decodeEntry(data []byte) ([]action, error) {
	var out []action
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxEntry)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var a action
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("line %d is no Delta action: %w", n, err)
		}
		if err := a.check(); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		out = append(out, a)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, errors.New("the entry is empty")
	}
	return out, nil
}

func (a *action) check() error {
	switch {
	case a.Protocol != nil:
		if a.Protocol.MinReaderVersion > 1 || a.Protocol.MinWriterVersion > 2 {
			return fmt.Errorf("the table demands Delta reader version %d and writer version %d, but trailql knows 1 and 2",
				a.Protocol.MinReaderVersion, a.Protocol.MinWriterVersion)
		}
	case a.Add != nil:
		_, err := fileOf(a.Add)
		return err
	case a.Remove != nil:
		if _, err := decodePath(a.Remove.Path); err != nil {
			return err
		}
		_, err := partitionOf(a.Remove.PartitionValues)
		return err
	case a.CommitInfo != nil && a.CommitInfo.Trailql != nil:
		for table, actions := range a.CommitInfo.Trailql.Tables {
			for i := range actions {
				if actions[i].CommitInfo != nil {
					return fmt.Errorf("batch of %q: nested commitInfo", table)
				}
				if err := actions[i].check(); err != nil {
					return fmt.Errorf("batch of %q: %w", table, err)
				}
			}
		}
	}
	return nil
}

// encodePath turns a name below the table's folder into the URL form of the log.
func encodePath(name string) string { return (&url.URL{Path: name}).EscapedPath() }

// decodePath is the way back. It refuses names that leave the table's folder or are no data file in it.
func decodePath(p string) (string, error) {
	name, err := url.PathUnescape(p)
	if err != nil {
		return "", fmt.Errorf("path %q is not URL-encoded: %w", p, err)
	}
	if len(name) > 1024 || !fs.ValidPath(name) || path.Ext(name) != ".parquet" || strings.HasPrefix(name, "_") || strings.ContainsAny(name, "\\\x00") {
		return "", fmt.Errorf("path %q is no data file in the table's folder", p)
	}
	return name, nil
}

// Partition is the place of rows in a partitioned table; "" is NULL. Tables without partitions use the zero value.
type Partition struct {
	Account, Region string
	Date            string // 2006-01-02
}

// String is the folder of the partition: account=…/region=…/date=…
func (p Partition) String() string {
	return "account=" + folderValue(p.Account) + "/region=" + folderValue(p.Region) + "/date=" + folderValue(p.Date)
}

// folderValue spells a partition value in a path as Hive does: bytes that are not plain become %XX.
func folderValue(v string) string {
	if v == "" {
		return nullFolder
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		c := v[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' && i > 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// values is the partition in the form of the log.
func (p Partition) values(columns []string) map[string]*string {
	out := make(map[string]*string, len(columns))
	for i, v := range []string{p.Account, p.Region, p.Date}[:len(columns)] {
		if v == "" {
			out[columns[i]] = nil
		} else {
			out[columns[i]] = &v
		}
	}
	return out
}

// partitionOf reads the log's form. A value that is missing counts as NULL, as "" does.
func partitionOf(values map[string]*string) (Partition, error) {
	get := func(column string) string {
		if v := values[column]; v != nil {
			return *v
		}
		return ""
	}
	p := Partition{Account: get("account"), Region: get("region"), Date: get("date")}
	if p.Date != "" {
		if _, err := time.Parse(time.DateOnly, p.Date); err != nil {
			return p, fmt.Errorf("partition date %q is no date", p.Date)
		}
	}
	return p, nil
}

// File is a data file of a table.
type File struct {
	Path       string // below the table's folder
	Partition  Partition
	Size, Rows int64
	Added      int64  // the version that brought it
	Canonical  bool   // see parquetio.File
	Commits    bool   // the file holds each row's commit itself (it was merged); else it is Added for all rows
	SHA256     []byte // of the file
	Footer     []byte // SHA-256 of the footer; see parquetio.File
	stats      string // as in the log; see decodeStats. Only while the log is read
	packed     []byte // from the index; see packStats
	key        int64  // see fileKey
}

// addedAt is the version that brought the file, given the one of the entry or checkpoint in which it stands.
func (f *File) addedAt(version int64) int64 {
	if f.Added > 0 {
		return f.Added
	}
	return version
}

// fileOf reads an add.
func fileOf(a *addAction) (*File, error) {
	name, err := decodePath(a.Path)
	if err != nil {
		return nil, err
	}
	p, err := partitionOf(a.PartitionValues)
	if err != nil {
		return nil, err
	}
	var counts struct {
		NumRecords int64 `json:"numRecords"`
	}
	if a.Stats != "" {
		if err := json.Unmarshal([]byte(a.Stats), &counts); err != nil {
			return nil, fmt.Errorf("statistics of %s are no JSON: %w", name, err)
		}
	}
	if a.Size < 0 || counts.NumRecords < 0 {
		return nil, fmt.Errorf("%s: negative size or number of rows", name)
	}
	sum, err := hashTag(a, tagSHA256)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	footer, err := hashTag(a, tagFooter)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var added int64
	if text, ok := a.Tags[tagAdded]; ok {
		if added, err = strconv.ParseInt(text, 10, 64); err != nil || added < 0 {
			return nil, fmt.Errorf("%s: tag %s is no version", name, tagAdded)
		}
	}
	return &File{Path: name, Partition: p, Size: a.Size, Rows: counts.NumRecords, Canonical: a.Tags[tagCanonical] == "true",
		Added: added, Commits: a.Tags[tagCommits] == "true", SHA256: sum, Footer: footer, stats: a.Stats}, nil
}

// hashTag reads a SHA-256 from a tag; nil if there is none.
func hashTag(a *addAction, tag string) ([]byte, error) {
	text, ok := a.Tags[tag]
	if !ok {
		return nil, nil
	}
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != sha256.Size {
		return nil, fmt.Errorf("tag %s is no SHA-256 in hexadecimal", tag)
	}
	return sum, nil
}

type schemaField struct {
	Name     string         `json:"name"`
	Type     any            `json:"type"`
	Nullable bool           `json:"nullable"`
	Metadata map[string]any `json:"metadata"`
}

// schemaString is Delta's JSON form of a table's columns.
func schemaString(columns []source.Column) (string, error) {
	fields := make([]schemaField, len(columns))
	for i, c := range columns {
		t, err := deltaType(c.Type)
		if err != nil {
			return "", fmt.Errorf("column %s: %w", c.Name, err)
		}
		fields[i] = schemaField{c.Name, t, true, map[string]any{}}
	}
	out, err := json.Marshal(map[string]any{"type": "struct", "fields": fields})
	return string(out), err
}

// schemaNames lists the columns of a schema string.
func schemaNames(s string) ([]string, error) {
	var schema struct {
		Fields []schemaField `json:"fields"`
	}
	if err := json.Unmarshal([]byte(s), &schema); err != nil {
		return nil, fmt.Errorf("schemaString is no JSON: %w", err)
	}
	names := make([]string, len(schema.Fields))
	for i, f := range schema.Fields {
		names[i] = f.Name
	}
	return names, nil
}

func deltaType(t sqltype.Type) (any, error) {
	switch t.Kind {
	case sqltype.Boolean:
		return "boolean", nil
	case sqltype.TinyInt:
		return "byte", nil
	case sqltype.SmallInt:
		return "short", nil
	case sqltype.Integer:
		return "integer", nil
	case sqltype.BigInt:
		return "long", nil
	case sqltype.Real:
		return "float", nil
	case sqltype.Double:
		return "double", nil
	case sqltype.Decimal:
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale), nil
	case sqltype.Varchar, sqltype.JSON:
		return "string", nil
	case sqltype.Varbinary:
		return "binary", nil
	case sqltype.Date:
		return "date", nil
	case sqltype.Timestamp:
		return "timestamp", nil
	case sqltype.Array:
		elem, err := deltaType(*t.Elem)
		return map[string]any{"type": "array", "elementType": elem, "containsNull": true}, err
	case sqltype.Map:
		key, err := deltaType(*t.Key)
		if err != nil {
			return nil, err
		}
		value, err := deltaType(*t.Elem)
		return map[string]any{"type": "map", "keyType": key, "valueType": value, "valueContainsNull": true}, err
	case sqltype.Row:
		fields := make([]schemaField, len(t.Fields))
		for i, f := range t.Fields {
			ft, err := deltaType(f.Type)
			if err != nil {
				return nil, err
			}
			fields[i] = schemaField{f.Name, ft, true, map[string]any{}}
		}
		return map[string]any{"type": "struct", "fields": fields}, nil
	}
	return nil, fmt.Errorf("type %s has no form in Delta Lake", t)
}
