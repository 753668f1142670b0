package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/cloudtrail"
	"github.com/trailql/trailql/engine/source"
)

// BindingsFile is the file of a lake that says which names in other people's queries stand for which of its tables:
//
//	security.cloudtrail: {of: cloudtrail_logs, year: yyyy, month: MM, day: dd}
//	default.trail: {of: cloudtrail_logs, timestamp: yyyy/MM/dd, region_partition: region}
//	5e1f8a52-6d7c-4c1e-9d3b-0a4f7f6f2b11: {of: cloudtrail_lake}
//
// A line is a name as FROM has it, the table or view it stands for (cloudtrail_logs if of is missing), and columns that it has
// besides: each a pattern of Joda's language for the day of the event, in UTC, or the name of a column.
const BindingsFile = "_trailql/bindings.yaml"

// maxBindings bounds the file: the YAML parser takes time by the square of its size.
const maxBindings = 16 << 10

// binding is another name of a table or view.
type binding struct {
	name    string // lower case, dotted
	of      string
	columns []source.Derived
}

// bindings are sorted by name.
type bindings []*binding

// documented are the partition columns of the tables that AWS's manuals and samples make over CloudTrail's logs. They are there
// by name in cloudtrail_logs and its bindings, so that queries written for those tables run.
var documented = []source.Derived{
	{Name: "timestamp", From: "date", Format: "yyyy/MM/dd", Hidden: true},
	{Name: "year", From: "date", Format: "yyyy", Hidden: true},
	{Name: "month", From: "date", Format: "MM", Hidden: true},
	{Name: "day", From: "date", Format: "dd", Hidden: true},
	{Name: "date_partition", From: "date", Format: "yyyy/MM/dd", Hidden: true},
	{Name: "region_partition", From: "region", Hidden: true},
	{Name: "account_partition", From: "account", Hidden: true},
}

// ready is the binding of a name that nobody need bind; nil if it is none. The id of an event data store is CloudTrail Lake's way to name a
// table, and a lake has one set of events; cloudtrail_logs_ and a bucket is what CloudTrail's console calls the table that it makes in Athena.
func ready(name string) *binding {
	switch {
	case name == cloudtrail.Logs, strings.HasPrefix(name, cloudtrail.Logs+"_"):
		return &binding{name: name, of: cloudtrail.Logs, columns: documented}
	case uuid.MatchString(name):
		return &binding{name: name, of: "cloudtrail_lake"}
	}
	return nil
}

var (
	uuid    = regexp.MustCompile(`^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$`)
	pattern = regexp.MustCompile(`^[yMdH]+([-/_. ]?[yMdH]+)*$`)
)

func readBindings(ctx context.Context, store blob.Store) (bindings, error) {
	info, err := store.Stat(ctx, BindingsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the bindings: %w", err)
	}
	if info.Size > maxBindings {
		return nil, fmt.Errorf("%s has %d bytes; it may have %d at most", BindingsFile, info.Size, maxBindings)
	}
	text, err := store.ReadAll(ctx, BindingsFile)
	if err != nil {
		return nil, fmt.Errorf("read the bindings: %w", err)
	}
	out, err := parseBindings(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", BindingsFile, err)
	}
	return out, nil
}

func parseBindings(text []byte) (_ bindings, err error) {
	defer func() {
		if p := recover(); p != nil { // a stranger's bytes in a parser that is not ours
			err = fmt.Errorf("the YAML parser gave up: %v", p)
		}
	}()
	var lines map[string]map[string]string
	if err := yaml.Unmarshal(text, &lines); err != nil {
		return nil, fmt.Errorf("%w; a line looks like: security.cloudtrail: {of: cloudtrail_logs, year: yyyy, month: MM, day: dd}", err)
	}
	var out bindings
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		b, err := newBinding(name, lines[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if slices.ContainsFunc(out, func(have *binding) bool { return have.name == b.name }) {
			return nil, fmt.Errorf("%s is there twice", name)
		}
		out = append(out, b)
	}
	return out, nil
}

func newBinding(name string, keys map[string]string) (*binding, error) {
	b := &binding{name: strings.ToLower(name), of: cloudtrail.Logs}
	if slices.Contains(strings.Split(b.name, "."), "") {
		return nil, errors.New("a name is one to three words with dots between them")
	}
	if of, ok := keys["of"]; ok {
		b.of = strings.ToLower(of)
	}
	columns, ok := shapeColumns(b.of)
	if !ok {
		return nil, fmt.Errorf("of is a table of events, %s or cloudtrail_lake, and not %s", cloudtrail.Logs, b.of)
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if key == "of" {
			continue
		}
		d := source.Derived{Name: strings.ToLower(key), From: strings.ToLower(keys[key])}
		switch value := keys[key]; {
		case slices.Contains(columns, d.From):
		case !pattern.MatchString(value):
			return nil, fmt.Errorf("column %s: %s is neither a column of %s nor a pattern such as yyyy/MM/dd", key, value, b.of)
		case strings.Contains(value, "H"):
			d.From, d.Format = "_time", value
		default:
			d.From, d.Format = "date", value
		}
		b.columns = append(b.columns, d)
	}
	if b.of == cloudtrail.Logs {
		for _, d := range documented {
			if _, own := keys[d.Name]; !own {
				b.columns = append(b.columns, d)
			}
		}
	}
	return b, nil
}

// hash identifies what the bindings say.
func (all bindings) hash() string {
	h := sha256.New()
	for _, b := range all {
		fmt.Fprintf(h, "%q %q %+v\n", b.name, b.of, b.columns)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// shapeColumns are the columns of the tables of events, of which a binding may make others.
func shapeColumns(of string) (names []string, ok bool) {
	if of != cloudtrail.Logs && of != "cloudtrail_lake" {
		return nil, false
	}
	for _, c := range LayoutOf(cloudtrail.Logs).Columns {
		names = append(names, c.Name)
	}
	return names, true
}

// named finds the binding whose name is the end of the given one, the longest such.
func (all bindings) named(name []string) (found *binding, ok bool) {
	full := "." + strings.ToLower(strings.Join(name, "."))
	for _, b := range all {
		if strings.HasSuffix(full, "."+b.name) && (found == nil || len(b.name) > len(found.name)) {
			found = b
		}
	}
	return found, found != nil
}

// ending finds the one binding whose name ends with the given one: in Athena the database may be chosen beforehand.
func (all bindings) ending(name []string) (found *binding, ok bool) {
	end := "." + strings.ToLower(strings.Join(name, "."))
	for _, b := range all {
		if strings.HasSuffix("."+b.name, end) {
			if found != nil {
				return nil, false
			}
			found = b
		}
	}
	return found, found != nil
}
