package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/trailql/trailql/engine/fn"
	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/sqlerr"
	"github.com/trailql/trailql/engine/sqltype"
	"github.com/trailql/trailql/engine/vec"
)

// fetch answers a statement with its rows as text. For small answers only: they are held in memory.
func fetch(ctx context.Context, b Backend, request service.Request) ([][]string, error) {
	r, err := b(ctx, request)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	columns, err := r.Columns()
	if err != nil {
		return nil, err
	}
	return texts(columns, r)
}

// texts reads all rows as text.
func texts(columns []service.Column, r Rows) (rows [][]string, err error) {
	for {
		batch, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range batch.Len {
			row := make([]string, len(columns))
			for c, col := range batch.Cols {
				if vec.IsValid(col, i) {
					row[c] = string(sqltype.AppendText(nil, columns[c].Type, col, i))
				}
			}
			rows = append(rows, row)
		}
	}
}

// listing runs a statement that a command made: its errors have no place in what the person typed.
func (s *Session) listing(ctx context.Context, text string) ([][]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.interruptible(cancel)()
	rows, err := fetch(ctx, s.config.Backend, service.Request{SQL: text, Session: s.session})
	var e *sqlerr.Error
	if errors.As(err, &e) {
		return nil, errors.New(e.Error())
	}
	return rows, err
}

func describe(ctx context.Context, s *Session, args []string) error {
	if len(args) == 0 {
		return listTables(ctx, s, nil)
	}
	rows, err := s.listing(ctx, "SHOW COLUMNS FROM "+args[0])
	if err != nil {
		return err
	}
	var lines [][]string
	for _, r := range rows {
		comment := r[3]
		if r[2] != "" {
			comment = strings.TrimSuffix(r[2]+": "+comment, ": ")
		}
		t, err := sqltype.Parse(r[1])
		if err != nil {
			lines = append(lines, []string{r[0], r[1], comment})
			continue
		}
		lines = appendColumn(lines, r[0], t, comment)
	}
	return s.text([]string{"column", "type", "comment"}, lines)
}

// appendColumn adds the lines of a column: a row is followed by its fields, as they are written in a query.
func appendColumn(lines [][]string, path string, t sqltype.Type, comment string) [][]string {
	if t.Kind != sqltype.Row {
		return append(lines, []string{path, t.String(), comment})
	}
	lines = append(lines, []string{path, "row", comment})
	for _, f := range t.Fields {
		if f.Name != "" {
			lines = appendColumn(lines, path+"."+f.Name, f.Type, "")
		}
	}
	return lines
}

func listTables(ctx context.Context, s *Session, args []string) error {
	text := "SHOW TABLES"
	if len(args) > 0 {
		text += " LIKE '" + strings.ReplaceAll(strings.ReplaceAll(args[0], "'", "''"), "*", "%") + "'"
	}
	tables, err := s.listing(ctx, text)
	if err != nil {
		return err
	}
	var lines [][]string
	for _, t := range tables {
		columns, err := s.listing(ctx, "SHOW COLUMNS FROM "+quoted(t[0]))
		if err != nil {
			return fmt.Errorf("table %s: %w", t[0], err)
		}
		shown := 0
		for _, c := range columns {
			if c[2] == "" {
				shown++
			}
		}
		hidden := ""
		if shown < len(columns) {
			hidden = fmt.Sprintf(", %d hidden", len(columns)-shown)
		}
		lines = append(lines, []string{t[0], fmt.Sprintf("%d%s", shown, hidden)})
	}
	return s.text([]string{"table", "columns"}, lines)
}

// quoted writes a relation's name as it stands in a query; SHOW TABLES gives schema.name with a dot.
func quoted(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = written(p)
	}
	return strings.Join(parts, ".")
}

// function is what the manual says of one, of whatever kind.
type function struct {
	name       string
	aliases    []string
	kind       string
	doc        string
	example    string
	signatures []string
}

// macros asks a lake for the functions that are its own.
func macros(ctx context.Context, b Backend) (list []function, err error) {
	rows, err := fetch(ctx, b, service.Request{SQL: "SHOW FUNCTIONS"})
	if err != nil {
		return nil, err
	}
	names := fn.Names()
	for _, r := range rows {
		if _, known := slices.BinarySearch(names, r[0]); !known {
			list = append(list, function{name: r[0], kind: r[3], doc: r[5], signatures: []string{r[0] + "(" + r[2] + ") -> " + r[1]}})
		}
	}
	return list, nil
}

// functions returns those that can be called by name in any lake, and more, sorted.
func functions(more []function) []function {
	names := fn.Names()
	callable := func(name string) bool { _, found := slices.BinarySearch(names, name); return found }
	all := slices.Clone(more)
	for _, f := range fn.All() {
		if !callable(f.Name) {
			continue
		}
		g := function{name: f.Name, aliases: f.Aliases, kind: f.Category, doc: f.Doc, example: f.Example}
		for _, o := range f.Overloads {
			g.signatures = append(g.signatures, f.Name+o.Sig)
		}
		all = append(all, g)
	}
	for _, a := range fn.Aggregates() {
		g := function{name: a.Name, aliases: a.Aliases, kind: "aggregate", doc: a.Doc, example: a.Example}
		for _, o := range a.Overloads {
			g.signatures = append(g.signatures, a.Name+o.Sig)
		}
		all = append(all, g)
	}
	for _, f := range fn.Forms() {
		all = append(all, function{name: f.Name, kind: f.Category, doc: f.Doc, example: f.Example, signatures: []string{f.Name + f.Sig}})
	}
	for _, w := range fn.Windows() {
		g := function{name: w.Name, aliases: w.Aliases, kind: "window", doc: w.Doc, example: w.Example}
		for _, o := range w.Overloads {
			g.signatures = append(g.signatures, w.Name+o.Sig)
		}
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b function) int { return strings.Compare(a.name, b.name) })
	return all
}

func listFunctions(ctx context.Context, s *Session, args []string) error {
	match := func(string) bool { return true }
	if len(args) > 0 {
		pattern := strings.ToLower(strings.ReplaceAll(args[0], "*", "%"))
		if !strings.Contains(pattern, "%") {
			pattern = "%" + pattern + "%"
		}
		like, err := vec.CompileLike(pattern, "", false)
		if err != nil {
			return fmt.Errorf("the pattern cannot be read: %w", err)
		}
		match = like.Match
	}
	own, err := macros(ctx, s.config.Backend)
	if err != nil {
		return err
	}
	var rows [][]string
	for _, f := range functions(own) {
		if match(f.name) || slices.ContainsFunc(f.aliases, match) {
			for i, sig := range f.signatures {
				rows = append(rows, []string{sig, map[bool]string{true: f.doc}[i == 0]})
			}
		}
	}
	if len(rows) == 0 {
		return fmt.Errorf("there is no function like %q", args[0])
	}
	return s.text([]string{"function", "what it does"}, rows)
}

func help(ctx context.Context, s *Session, args []string) error {
	if len(args) == 0 {
		return listCommands(ctx, s, nil)
	}
	name := strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(args[0], ")"), "("))
	own, err := macros(ctx, s.config.Backend)
	if err != nil {
		return err
	}
	names := fn.Names()
	for _, f := range functions(own) {
		names = append(names, f.name)
		if f.name != name && !slices.Contains(f.aliases, name) {
			continue
		}
		text := strings.Join(f.signatures, "\n") + "\n\n" + f.doc
		if len(f.aliases) > 0 {
			text += "\nAlso called " + strings.Join(f.aliases, ", ") + "."
		}
		if f.example != "" {
			text += "\n\n  " + f.example
		}
		_, err := fmt.Fprintln(s.out, text)
		return err
	}
	if near := sqlerr.Nearest(name, names); near != "" {
		return fmt.Errorf(`there is no function %q; did you mean %q?`, name, near)
	}
	return fmt.Errorf(`there is no function %q; \df lists them`, name)
}
