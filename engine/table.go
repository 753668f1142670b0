package engine

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/trailql/trailql/engine/plan"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// table is a small answer that needs no plan. Its cells are what vec.FromValue takes for the column; nil is NULL.
type table struct {
	columns []plan.Column
	rows    [][]any
	change  *Change // of the session
}

// newTable has columns of text.
func newTable(names ...string) *table {
	t := &table{}
	for _, name := range names {
		t.columns = append(t.columns, plan.Column{Name: name, Type: sqltype.VarcharType})
	}
	return t
}

func (t *table) add(cells ...any) { t.rows = append(t.rows, cells) }

func (t *table) batches() ([]vec.Batch, error) {
	if len(t.rows) == 0 {
		return nil, nil
	}
	b := vec.Batch{Len: len(t.rows), Cols: make([]arrow.Array, len(t.columns))}
	for c, column := range t.columns {
		cells := make([]arrow.Array, len(t.rows))
		for i, row := range t.rows {
			cells[i] = vec.FromValue(column.Type, row[c])
		}
		var err error
		if b.Cols[c], err = vec.Concat(cells); err != nil {
			return nil, err
		}
	}
	return []vec.Batch{b}, nil
}
