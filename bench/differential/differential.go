// Package differential asks trailql and DuckDB the same generated queries over the same rows and compares the answers: as multisets, in
// order where ORDER BY is total; doubles to nine digits. Each query comes from a seed of its own, and so do its tables.
//
// Where the engines mean different things, the generator stays away or writes a thing in each one's dialect:
//
//	a / b of whole numbers       DuckDB: a double; written //
//	x / 0, overflow              DuckDB: NULL or infinite; not drawn
//	sum of bigint                DuckDB: hugeint; cast
//	a || NULL, concat            concat passes over NULL in DuckDB; || only
//	greatest, least              pass over NULL in DuckDB; not drawn
//	NaN, infinity                DuckDB: NaN = NaN, the greatest number; not drawn
//	casts of text to others      forms differ; not drawn. Double and timestamp to text: forms differ; not drawn
//	casts of doubles to bigint   DuckDB rounds halves to even; whole doubles only
//	date ± interval, date_trunc  DuckDB: a timestamp; cast to date
//	date_trunc(…) <> constant    DuckDB 1.5: true for NULL, where no value can be equal (its defect); 0 days are added to hide it
//	date_diff of timestamps      DuckDB counts boundaries; its date_sub counts whole units
//	day_of_week                  DuckDB counts from Sunday = 0; its isodow is the same
//	substr, split_part           beyond the text, before its begin: differ; not drawn
//	lpad, rpad                   DuckDB refuses empty padding; not drawn
//	count_if                     DuckDB: NULL over no rows; count(CASE …)
//	every                        unknown to DuckDB; not drawn
//	listagg                      DuckDB: string_agg(… ORDER BY …)
//	LIMIT                        stands before OFFSET in DuckDB
package differential

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // the driver

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/logictest"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// perWorld is the number of queries that share their tables.
const perWorld = 500

// pair is both engines over the same tables.
type pair struct {
	world   uint64
	trailql *engine.Engine
	duck    *sql.Conn
}

// newPair opens DuckDB; the tables come with the first query.
func newPair(ctx context.Context) (p *pair, closeAll func() error, err error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	for _, setting := range []string{"threads = 1", "order_by_non_integer_literal = true"} {
		if _, err := conn.ExecContext(ctx, "SET "+setting); err != nil {
			return nil, nil, errors.Join(err, db.Close())
		}
	}
	return &pair{duck: conn}, func() error { return errors.Join(conn.Close(), db.Close()) }, nil
}

// fill makes the tables of a seed, unless they are there.
func (p *pair) fill(ctx context.Context, seed uint64) error {
	world := seed/perWorld + 1
	if p.world == world {
		return nil
	}
	r := rand.New(rand.NewPCG(world, 0))
	cat := &logictest.Catalog{}
	p.trailql, p.world = engine.New(cat), world
	var written, quoted []string
	for _, c := range columns {
		written = append(written, c.name+" "+names[c.kind])
		quoted = append(quoted, `"`+c.name+`" `+names[c.kind])
	}
	for i, count := range rowCounts {
		name := fmt.Sprintf("t%d", i)
		if _, err := p.duck.ExecContext(ctx, "CREATE OR REPLACE TABLE "+name+" ("+strings.Join(quoted, ", ")+")"); err != nil {
			return err
		}
		var batches []vec.Batch
		if count > 0 {
			values := rows(r, count)
			if _, err := p.duck.ExecContext(ctx, "INSERT INTO "+name+" VALUES "+values); err != nil {
				return err
			}
			res, err := p.trailql.Query(ctx, "VALUES "+values, engine.Options{Workers: 1, BatchRows: 1 + r.IntN(count)})
			if err != nil {
				return err
			}
			for {
				b, err := res.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return err
				}
				batches = append(batches, b)
			}
		}
		if err := cat.AddTable(name, written, batches...); err != nil {
			return err
		}
	}
	return nil
}

// drawn is the query of a seed.
func drawn(seed uint64) (n *node, ordered bool, opt engine.Options) {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
	opt = engine.Options{Workers: 1 + g.IntN(2), BatchRows: []int{0, 0, 1, 3}[g.IntN(4)], Memory: 1 << 30}
	n, ordered = g.query()
	return n, ordered, opt
}

// verdict on one query; difference is "" where the answers agree.
type verdict struct {
	refused    bool // one of them says that it cannot do this, or DuckDB that it has a defect
	failed     bool // both say that the query is wrong
	rows       int
	difference string
	trailql    string // its answer
	duck       string
}

func (p *pair) judge(ctx context.Context, n *node, ordered bool, opt engine.Options) verdict {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	got, types, err := p.askTrailQL(ctx, n.sql(false), opt)
	want, errDuck := p.askDuck(ctx, n.sql(true), types)
	v := verdict{trailql: shown(got, err), duck: shown(want, errDuck), rows: len(got)}
	switch {
	case sqlerr.KindOf(err) == sqlerr.Internal && err != nil:
		v.difference = "trailql has a defect"
	case err != nil && errDuck != nil:
		v.failed = true
	case err != nil && strings.Contains(err.Error(), "not supported yet"), errDuck != nil && strings.Contains(errDuck.Error(), "Not implemented"),
		errDuck != nil && strings.Contains(errDuck.Error(), "INTERNAL Error"):
		v.refused = true
	case err != nil:
		v.difference = "trailql fails"
	case errDuck != nil:
		v.difference = "DuckDB fails"
	case len(got) != len(want):
		v.difference = "other number of rows"
	default:
		if !ordered {
			slices.SortFunc(got, slices.Compare)
			slices.SortFunc(want, slices.Compare)
		}
		if !slices.EqualFunc(got, want, func(a, b []string) bool { return slices.EqualFunc(a, b, sameCell) }) {
			v.difference = "other rows"
		}
	}
	return v
}

// sameCell compares cells as they are written; doubles may differ by a billionth.
func sameCell(a, b string) bool {
	if a == b {
		return true
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && strings.ContainsAny(a+b, ".e") && max(x-y, y-x) <= 1e-9*max(x, -x, y, -y)
}

func shown(rows [][]string, err error) string {
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for i, row := range rows {
		if i == 30 {
			fmt.Fprintf(&b, "… %d rows\n", len(rows))
			break
		}
		b.WriteString(strings.Join(row, " | ") + "\n")
	}
	return b.String()
}

const null = "NULL"

func (p *pair) askTrailQL(ctx context.Context, text string, opt engine.Options) ([][]string, []sqltype.Type, error) {
	res, err := p.trailql.Query(ctx, text, opt)
	if err != nil {
		return nil, nil, err
	}
	defer res.Close()
	var types []sqltype.Type
	for _, c := range res.Columns {
		types = append(types, c.Type)
	}
	var out [][]string
	for {
		b, err := res.Next()
		if errors.Is(err, io.EOF) {
			return out, types, nil
		}
		if err != nil {
			return nil, nil, err
		}
		for row := range b.Len {
			cells := make([]string, len(types))
			for c, t := range types {
				cells[c] = null
				if t.Kind != sqltype.Unknown && !b.Cols[c].IsNull(row) {
					cells[c] = string(sqltype.AppendText(nil, t, b.Cols[c], row))
				}
				if t.Kind == sqltype.Double && cells[c] != null {
					f, err := strconv.ParseFloat(cells[c], 64)
					if err != nil {
						return nil, nil, err
					}
					cells[c] = number(f)
				}
			}
			out = append(out, cells)
		}
	}
}

// number writes a double in the form in which both are compared; -0 is 0.
func number(f float64) string { return strconv.FormatFloat(f+0, 'e', 9, 64) }

// askDuck writes cells as trailql does for its types.
func (p *pair) askDuck(ctx context.Context, text string, types []sqltype.Type) ([][]string, error) {
	r, err := p.duck.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	names, err := r.Columns()
	if err != nil {
		return nil, err
	}
	values, places := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		places[i] = &values[i]
	}
	var out [][]string
	for r.Next() {
		if err := r.Scan(places...); err != nil {
			return nil, err
		}
		cells := make([]string, len(values))
		for i, v := range values {
			switch v := v.(type) {
			case nil:
				cells[i] = null
			case float64:
				cells[i] = number(v)
			case *big.Int:
				cells[i] = v.String()
			case time.Time:
				cells[i] = v.UTC().Format("2006-01-02 15:04:05.000")
				if i < len(types) && types[i].Kind == sqltype.Date {
					cells[i] = strings.TrimSuffix(cells[i], " 00:00:00.000")
				}
			default:
				cells[i] = fmt.Sprint(v)
			}
		}
		out = append(out, cells)
	}
	return out, r.Err()
}
