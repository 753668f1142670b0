package report

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/trailql/trailql/engine/sqlerr"
)

//go:embed packs
var embedded embed.FS

// What a pack may be at most: it may come from anywhere, and the YAML parser takes time by the square of its size.
const (
	maxPackBytes  = 64 << 10
	maxQueryBytes = 256 << 10
	maxControls   = 500
)

// identifier is the form of the ids of packs and controls: they stand in file names, tables and command lines.
var identifier = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Problem is what is wrong with a file of a pack. Line and Column count from 1, 0 means the file as a whole.
type Problem struct {
	File         string
	Line, Column int
	Text         string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// Problems is an error that lists all that is wrong, a line each, by file and place.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// Below puts a folder before the names of the files.
func (p Problems) Below(folder string) {
	for i := range p {
		p[i].File = filepath.Join(folder, p[i].File)
	}
}

func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Packs returns the packs that come with trailql, sorted by id. An error is a defect of theirs.
func Packs() ([]*Pack, error) {
	var packs []*Pack
	err := fs.WalkDir(embedded, "packs", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".yaml" {
			return err
		}
		p, err := Load(embedded, name)
		if err != nil {
			return err
		}
		packs = append(packs, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the packs of trailql: %w", err)
	}
	slices.SortFunc(packs, func(a, b *Pack) int { return cmp.Compare(a.ID, b.ID) })
	return packs, nil
}

// Load reads the pack in the YAML file of that name and the SQL files beside it. What is wrong with them comes as Problems, all at once;
// a YAML file that cannot be read as the error of fsys, wrapped.
func Load(fsys fs.FS, name string) (*Pack, error) {
	l := loader{fsys: fsys, file: name}
	p, err := l.load()
	if err != nil {
		return nil, err
	}
	if len(l.problems) > 0 {
		l.problems.sort()
		return nil, l.problems
	}
	return p, nil
}

// Open returns a pack that comes with trailql, by its id, or the pack of a YAML file, by its path: one with a slash or that ends in .yaml.
func Open(name string) (*Pack, error) {
	if filepath.Ext(name) == ".yaml" || strings.ContainsAny(name, `/`+string(filepath.Separator)) {
		folder, err := os.OpenRoot(filepath.Dir(name)) // a pack reads nothing outside its folder, whatever its links say
		if err != nil {
			return nil, fmt.Errorf("reading the pack: %w", err)
		}
		defer folder.Close()
		p, err := Load(folder.FS(), filepath.Base(name))
		var problems Problems
		if errors.As(err, &problems) {
			problems.Below(filepath.Dir(name))
		}
		return p, err
	}
	packs, err := Packs()
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, p := range packs {
		if p.ID == name {
			return p, nil
		}
		ids = append(ids, p.ID)
	}
	return nil, fmt.Errorf("there is no pack %q; there are %s, and a path to a YAML file names a pack of your own", name, strings.Join(ids, ", "))
}

// loader reads one pack and gathers what is wrong with it.
type loader struct {
	fsys     fs.FS
	file     string
	ids      []*token.Token // of the controls: where they stand; nil: there is none
	problems Problems
}

func (l *loader) wrong(at *token.Token, format string, args ...any) {
	p := Problem{File: l.file, Text: fmt.Sprintf(format, args...)}
	if at != nil && at.Position != nil {
		p.Line, p.Column = at.Position.Line, at.Position.Column
	}
	l.problems = append(l.problems, p)
}

// load returns as much of the pack as can be understood; err if that is nothing.
func (l *loader) load() (*Pack, error) {
	text, err := read(l.fsys, l.file, maxPackBytes)
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return nil, fmt.Errorf("reading the pack %s: %w", l.file, err)
	}
	p := &Pack{file: path.Base(l.file), text: text}
	body := l.parse(text)
	if body == nil {
		return p, nil
	}
	fields := l.fields(body, "a pack", "id", "title", "about", "controls")
	p.ID = l.identifier(fields, body, "the pack")
	p.Title = l.text(fields, "title", body, "the pack")
	p.About = l.text(fields, "about", nil, "the pack")
	controls, found := fields["controls"]
	if !found {
		l.wrong(body.GetToken(), "the pack has no controls: list them under controls:")
		return p, nil
	}
	list, ok := controls.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		l.wrong(controls.GetToken(), "controls is a list with at least one control, each begun with a dash")
		return p, nil
	}
	if len(list.Values) > maxControls {
		l.wrong(controls.GetToken(), "the pack has %d controls; %d are the most", len(list.Values), maxControls)
		return p, nil
	}
	seen := map[string]int{}
	for i, node := range list.Values {
		c, at := l.control(node, fmt.Sprintf("control %d", i+1))
		if line, doubled := seen[c.ID]; doubled && c.ID != "" {
			l.wrong(at, "there are two controls %s; the first is in line %d", c.ID, line)
		} else if at != nil {
			seen[c.ID] = at.Position.Line
		}
		p.Controls, l.ids = append(p.Controls, c), append(l.ids, at)
	}
	return p, nil
}

// control reads one control; at is where its id stands, nil if it has none.
func (l *loader) control(node ast.Node, what string) (c Control, at *token.Token) {
	fields := l.fields(node, what, "id", "title", "about", "state", "query")
	if fields == nil {
		return c, nil
	}
	if c.ID = l.identifier(fields, node, what); c.ID != "" {
		at = fields["id"].GetToken()
		what = "control " + c.ID
	}
	c.Title = l.text(fields, "title", node, what)
	c.About = l.text(fields, "about", nil, what)
	if state, found := fields["state"]; found {
		flag, ok := state.(*ast.BoolNode)
		if !ok {
			l.wrong(state.GetToken(), "state of %s is true or false", what)
		} else {
			c.State = flag.Value
		}
	}
	c.Source = l.text(fields, "query", node, what)
	if c.Source == "" {
		return c, at
	}
	where := fields["query"].GetToken()
	if c.Source != path.Base(c.Source) || strings.ContainsAny(c.Source, `\:`) || path.Ext(c.Source) != ".sql" {
		l.wrong(where, "query of %s names a file beside this one that ends in .sql, without a folder; found %q", what, c.Source)
		return c, at
	}
	text, err := read(l.fsys, path.Join(path.Dir(l.file), c.Source), maxQueryBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.wrong(where, "there is no file %s beside this one", c.Source)
	case err != nil:
		l.wrong(where, "reading %s: %v", c.Source, err)
	case !utf8.ValidString(text):
		l.wrong(where, "%s is no UTF-8 text", c.Source)
	case hides(text):
		l.wrong(where, "%s has characters that cannot be seen", c.Source)
	case strings.TrimSpace(text) == "":
		l.wrong(where, "%s is empty", c.Source)
	}
	c.SQL = text
	return c, at
}

// parse returns the one document of the file, nil if there is none.
func (l *loader) parse(text string) (body ast.Node) {
	defer func() {
		if p := recover(); p != nil { // a stranger's bytes in a parser that is not ours
			l.wrong(nil, "this is no YAML that can be read")
			body = nil
		}
	}()
	if deep(text) {
		l.wrong(nil, "brackets are nested too deeply for a pack")
		return nil
	}
	file, err := parser.ParseBytes([]byte(text), 0)
	var syntax yaml.Error
	switch {
	case errors.As(err, &syntax):
		l.wrong(syntax.GetToken(), "%s", syntax.GetMessage())
		return nil
	case err != nil:
		l.wrong(nil, "%v", err)
		return nil
	case len(file.Docs) == 0 || file.Docs[0].Body == nil:
		l.wrong(nil, "the file is empty; a pack has an id, a title and controls")
		return nil
	case len(file.Docs) > 1:
		l.wrong(file.Docs[1].GetToken(), "a file holds one pack; found a second document")
	}
	return file.Docs[0].Body
}

// deep tells nesting that would exhaust the parser's stack before it says so; brackets inside quotes count too, no pack has so many.
func deep(text string) bool {
	depth := 0
	for _, c := range []byte(text) {
		switch c {
		case '[', '{':
			if depth++; depth > 100 {
				return true
			}
		case ']', '}':
			depth--
		}
	}
	return false
}

// fields returns the values of a mapping by key, nil if node is none; keys other than the known ones are problems.
func (l *loader) fields(node ast.Node, what string, known ...string) map[string]ast.Node {
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		l.wrong(node.GetToken(), "%s is a mapping with the keys %s", what, strings.Join(known, ", "))
		return nil
	}
	fields := map[string]ast.Node{}
	for _, entry := range mapping.Values {
		key := entry.Key.GetToken().Value
		if slices.Contains(known, key) {
			fields[key] = entry.Value
			continue
		}
		hint := "known are " + strings.Join(known, ", ")
		if near := sqlerr.Nearest(key, known); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		l.wrong(entry.Key.GetToken(), "%s has no key %q; %s", what, key, hint)
	}
	return fields
}

// text returns a text of fields on one line, white space folded, "" with a problem if it is no text. A missing one is a problem of
// owner's; with no owner it may be missing.
func (l *loader) text(fields map[string]ast.Node, key string, owner ast.Node, what string) string {
	node, found := fields[key]
	if !found {
		if owner != nil && fields != nil {
			l.wrong(owner.GetToken(), "%s has no %s", what, key)
		}
		return ""
	}
	var text string
	switch node := node.(type) {
	case *ast.StringNode:
		text = node.Value
	case *ast.LiteralNode:
		text = node.Value.Value
	case *ast.NullNode:
	default:
		l.wrong(node.GetToken(), "%s of %s is a text; put it in quotes", key, what)
		return ""
	}
	text = strings.Join(strings.Fields(text), " ")
	switch {
	case text == "":
		l.wrong(node.GetToken(), "%s of %s is empty", key, what)
	case hides(text):
		l.wrong(node.GetToken(), "%s of %s has characters that cannot be seen", key, what)
		return ""
	}
	return text
}

func (l *loader) identifier(fields map[string]ast.Node, owner ast.Node, what string) string {
	id := l.text(fields, "id", owner, what)
	if id != "" && !identifier.MatchString(id) {
		l.wrong(fields["id"].GetToken(), "id %q of %s: an id has up to 64 letters, digits, dots, dashes and underscores and begins with a letter or digit",
			id, what)
		return ""
	}
	return id
}

// hides tells characters that steer a terminal or make a text read otherwise than it is.
func hides(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsGraphic(c) && c != '\n' && c != '\r' && c != '\t' })
}

// read returns a file of at most so many bytes.
func read(fsys fs.FS, name string, most int64) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return "", err
	}
	if int64(len(text)) > most {
		return "", fmt.Errorf("%s has more than %d bytes", name, most)
	}
	return string(text), nil
}
