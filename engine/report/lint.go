package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/sql"
	"github.com/trailql/trailql/engine/sqlerr"
)

// Lint returns all that is wrong with the packs of a folder, beyond what Load refuses: queries that are no SELECT, do not name both :from and
// :to, have no ORDER BY or would not answer the same when asked again, that do not fit the tables of the service's lake, or lack the column
// eventid; controls out of order; ids given twice; SQL files that no pack of the folder names. With svc nil nothing is held against
// tables. names are YAML files in the root of fsys; an error is one that kept a file from being read.
func Lint(ctx context.Context, fsys fs.FS, names []string, svc *service.Service) (Problems, error) {
	t := linter{fsys: fsys, service: svc, asked: map[string]bool{}}
	ids := map[string]string{}
	for _, name := range names {
		l := loader{fsys: fsys, file: name}
		p, err := l.load()
		if err != nil {
			return nil, err
		}
		t.problems = append(t.problems, l.problems...)
		if other, doubled := ids[p.ID]; doubled && p.ID != "" {
			t.problems = append(t.problems, Problem{File: name, Text: fmt.Sprintf("the id %s is that of %s too", p.ID, other)})
		}
		ids[p.ID] = name
		for i, c := range p.Controls {
			if i > 0 && l.ids[i] != nil && natural(p.Controls[i-1].ID, c.ID) > 0 {
				t.problems = append(t.problems, Problem{File: name, Line: l.ids[i].Position.Line, Column: l.ids[i].Position.Column,
					Text: fmt.Sprintf("control %s stands behind %s; sort the controls by id", c.ID, p.Controls[i-1].ID)})
			}
			if c.SQL != "" && !t.asked[c.Source] {
				t.asked[c.Source] = true
				t.query(ctx, c)
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	if err := t.unused(); err != nil {
		return nil, err
	}
	t.problems.sort()
	return t.problems, nil
}

type linter struct {
	fsys     fs.FS
	service  *service.Service
	asked    map[string]bool // SQL files that were looked at
	problems Problems
}

// sample is a period without events: a query is bound over it, not answered.
var sample = Period{From: time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)}

// query looks at one SQL file.
func (t *linter) query(ctx context.Context, c Control) {
	s := fill(c.SQL, sample)
	wrong := func(pos sqlerr.Pos, format string, args ...any) {
		p := Problem{File: c.Source, Text: fmt.Sprintf(format, args...)}
		if pos = s.source(pos); pos > 0 {
			p.Line, p.Column = sqlerr.LineColumn(c.SQL, pos)
		}
		t.problems = append(t.problems, p)
	}
	failed := func(err error) {
		var e *sqlerr.Error
		if errors.As(err, &e) {
			wrong(e.Pos, "%v", err)
		} else {
			wrong(0, "%v", err)
		}
	}
	for _, placeholder := range []string{":from", ":to"} {
		if !s.names(placeholder) {
			wrong(0, "the query does not name %s, so that it is not bound to the period", placeholder)
		}
	}
	for _, token := range sql.Tokens(s.text) {
		if word := s.text[token.Start:token.End]; !engine.Repeatable(word) {
			wrong(sqlerr.Pos(token.Start+1), "%s answers otherwise each time; evidence must be the same when it is asked for again", word)
		}
	}
	statement, err := sql.Parse(s.text)
	if err != nil {
		failed(err)
		return
	}
	query, ok := statement.(*sql.Query)
	if !ok {
		wrong(statement.Pos(), "a control is a SELECT")
		return
	}
	if len(query.OrderBy) == 0 {
		wrong(0, "the query has no ORDER BY; the hash of its rows holds for one order only")
	}
	if t.service == nil {
		return
	}
	columns, err := t.columns(ctx, s.text)
	if err != nil {
		failed(err)
		return
	}
	seen := map[string]bool{}
	for _, column := range columns {
		if seen[column.Name] {
			wrong(0, "two columns are called %s", column.Name)
		}
		seen[column.Name] = true
	}
	if !seen["eventid"] {
		wrong(0, "the query returns no column eventid, which says what events a finding is about")
	}
}

// columns binds a statement against the lake.
func (t *linter) columns(ctx context.Context, text string) ([]service.Column, error) {
	rows, err := t.service.Run(ctx, service.Request{SQL: text, Source: "report"})
	if err != nil {
		return nil, err
	}
	columns, err := rows.Columns()
	return columns, cmp.Or(err, rows.Close())
}

// unused finds the SQL files that no pack of the folder names, whether it was given or not.
func (t *linter) unused() error {
	files, err := fs.ReadDir(t.fsys, ".")
	if err != nil {
		return fmt.Errorf("reading the folder: %w", err)
	}
	var named []string
	for _, f := range files {
		if path.Ext(f.Name()) != ".yaml" {
			continue
		}
		l := loader{fsys: t.fsys, file: f.Name()}
		p, err := l.load()
		if err != nil {
			return err
		}
		for _, c := range p.Controls {
			named = append(named, c.Source)
		}
	}
	for _, f := range files {
		if path.Ext(f.Name()) == ".sql" && !slices.Contains(named, f.Name()) {
			t.problems = append(t.problems, Problem{File: f.Name(), Text: "no pack of the folder names this file"})
		}
	}
	return nil
}

// natural compares ids part by part, parts of digits as numbers: 4.2 before 4.10.
func natural(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(a, b string) int {
		m, errA := strconv.Atoi(a)
		n, errB := strconv.Atoi(b)
		if errA != nil || errB != nil {
			return strings.Compare(a, b)
		}
		return cmp.Compare(m, n)
	})
}
