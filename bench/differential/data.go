package differential

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// kind is a type of value that both engines have.
type kind int

const (
	whole kind = iota // bigint
	double
	text
	truth // boolean
	date
	timestamp
	kinds
)

// names of the kinds in SQL, the same in both.
var names = [kinds]string{"bigint", "double", "varchar", "boolean", "date", "timestamp"}

// columns of every table; id is its key and never NULL.
var columns = []struct {
	name string
	kind kind
}{{"id", whole}, {"n", whole}, {"m", whole}, {"d", double}, {"s", text}, {"r", text}, {"b", truth}, {"day", date}, {"at", timestamp}}

// rowCounts are the sizes of the tables t0, t1, ….
var rowCounts = []int{9, 5, 13, 0}

// literal draws a value. There are few, so that rows match; doubles are quarters, so that sums are exact in any order.
func literal(r *rand.Rand, k kind) string {
	switch k {
	case whole:
		return fmt.Sprintf("BIGINT '%d'", []int{0, 1, 2, 3, 5, -1, -4, 10, 100}[r.IntN(9)])
	case double:
		return []string{"0e0", "1e0", "0.5e0", "-2.25e0", "10e0", "3.75e0"}[r.IntN(6)]
	case text:
		return []string{"'a'", "'b'", "'ab'", "''", "'B'", "'é'", "' a '", "'a%c'", "'10'"}[r.IntN(9)]
	case truth:
		return []string{"true", "false"}[r.IntN(2)]
	case date:
		return fmt.Sprintf("DATE '%s'", []string{"2024-01-31", "2024-02-29", "2023-12-31", "2024-03-01", "1969-12-31"}[r.IntN(5)])
	default:
		return fmt.Sprintf("TIMESTAMP '%s'", []string{
			"2024-01-31 00:00:00", "2024-02-29 23:59:59.999", "2024-01-31 12:30:00.5", "2024-03-01 00:00:00", "1969-12-31 23:00:00",
		}[r.IntN(5)])
	}
}

// rows draws the rows of a table, as SQL.
func rows(r *rand.Rand, count int) string {
	out := make([]string, count)
	for i := range out {
		cells := []string{fmt.Sprintf("BIGINT '%d'", i+1)}
		for _, c := range columns[1:] {
			cell := literal(r, c.kind)
			if r.IntN(5) == 0 {
				cell = "NULL"
			}
			cells = append(cells, fmt.Sprintf("CAST(%s AS %s)", cell, names[c.kind]))
		}
		out[i] = "(" + strings.Join(cells, ", ") + ")"
	}
	return strings.Join(out, ", ")
}
