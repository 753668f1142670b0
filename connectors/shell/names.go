package shell

import (
	"context"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/sqltype"
)

// names is what completion knows of a lake. It is read in the background and answered from memory, since a prompt must
// not wait. Safe for concurrent use.
type names struct {
	known   atomic.Pointer[known]
	reading atomic.Bool
	read    atomic.Int64 // when, in Unix seconds; 0: never
}

// known is one state of names, never written to once it is published.
type known struct {
	relations []relation
	macros    []function          // of the lake, beside those of the engine
	values    map[string][]string // by column, the most frequent first
}

type relation struct {
	name    string // as SHOW TABLES has it
	columns []column
}

type column struct {
	name   string
	typ    sqltype.Type
	doc    string
	hidden bool
}

// valueColumns are the columns that values are read from, each with those for which they are offered. Partitions are among
// them in place of columns with the same values, since they are read at no cost.
var valueColumns = map[string][]string{
	"account": {"account", "recipientaccountid"}, "region": {"region", "awsregion"},
	"eventname": {"eventname"}, "eventsource": {"eventsource"}, "errorcode": {"errorcode"},
}

const (
	valuesTime = 10 * time.Second // for reading the values of one column
	staleAfter = 5 * time.Minute
)

func (n *names) now() *known {
	if k := n.known.Load(); k != nil {
		return k
	}
	return &known{}
}

// refresh reads the names if they are older than staleAfter, as now says, and nobody reads them already. Names show as soon
// as they are known. What cannot be read is not offered; nobody waits for it.
func (n *names) refresh(ctx context.Context, b Backend, now time.Time) {
	if now.Unix()-n.read.Load() < int64(staleAfter/time.Second) || !n.reading.CompareAndSwap(false, true) {
		return
	}
	defer n.reading.Store(false)
	tables, err := fetch(ctx, b, service.Request{SQL: "SHOW TABLES"})
	if err != nil {
		return
	}
	n.read.Store(now.Unix())
	k := &known{values: maps.Clone(n.now().values)}
	if k.values == nil {
		k.values = map[string][]string{}
	}
	for _, t := range tables {
		r := relation{name: t[0]}
		columns, err := fetch(ctx, b, service.Request{SQL: "SHOW COLUMNS FROM " + quoted(t[0])})
		if err != nil && ctx.Err() != nil {
			return
		}
		for _, c := range columns {
			typ, err := sqltype.Parse(c[1])
			if err != nil {
				typ = sqltype.UnknownType
			}
			r.columns = append(r.columns, column{name: c[0], typ: typ, hidden: c[2] != "", doc: c[3]})
		}
		k.relations = append(k.relations, r)
	}
	k.macros, _ = macros(ctx, b)
	n.known.Store(k)
	for from, columns := range valueColumns {
		list := readValues(ctx, b, from)
		values := maps.Clone(n.now().values)
		for _, c := range columns {
			values[c] = list
		}
		n.known.Store(&known{relations: k.relations, macros: k.macros, values: values})
	}
}

func readValues(ctx context.Context, b Backend, name string) (values []string) {
	ctx, cancel := context.WithTimeout(ctx, valuesTime)
	defer cancel()
	rows, err := fetch(ctx, b, service.Request{SQL: "SELECT " + name + ", count(*) AS n FROM cloudtrail_logs GROUP BY 1 ORDER BY 2 DESC LIMIT 1000"})
	if err != nil {
		return nil
	}
	for _, r := range rows {
		if r[0] != "" {
			values = append(values, r[0])
		}
	}
	return values
}

// relation finds one by the last part of its name, case aside.
func (k *known) relation(name string) (relation, bool) {
	for _, r := range k.relations {
		if strings.EqualFold(r.name, name) || strings.EqualFold(r.name[strings.LastIndexByte(r.name, '.')+1:], name) {
			return r, true
		}
	}
	return relation{}, false
}

func (r relation) column(name string) (column, bool) {
	for _, c := range r.columns {
		if strings.EqualFold(c.name, name) {
			return c, true
		}
	}
	return column{}, false
}
