package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// folder is a file system of files by name.
func folder(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

const goodSQL = "SELECT eventid FROM events WHERE _time >= :from AND _time < :to ORDER BY eventid"

func TestLoad(t *testing.T) {
	p, err := Load(folder(map[string]string{"packs/a.yaml": `# a pack
id: mine-1.0
title: Mine
about: |
  Two lines
  of it.
controls:
  - id: "1.1"
    title: >-
      Folded
      title
    query: a.sql
  - {id: b, title: State, about: It is., state: true, query: a.sql}
`, "packs/a.sql": goodSQL}), "packs/a.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s|%s|%s|%+v", p.ID, p.Title, p.About, p.Controls)
	want := fmt.Sprintf("mine-1.0|Mine|Two lines of it.|[{ID:1.1 Title:Folded title About: State:false SQL:%s Source:a.sql} "+
		"{ID:b Title:State About:It is. State:true SQL:%[1]s Source:a.sql}]", goodSQL)
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Everything that is wrong is told at once, each with its place.
func TestLoadErrors(t *testing.T) {
	control := func(lines ...string) string {
		return "id: p\ntitle: P\ncontrols:\n  - " + strings.Join(lines, "\n    ") + "\n"
	}
	long := strings.Repeat("x", 65)
	for _, c := range []struct{ why, yaml, want string }{
		{"nothing", "", "p.yaml: the file is empty; a pack has an id, a title and controls"},
		{"only a comment", "# x\n", "p.yaml: the file is empty; a pack has an id, a title and controls"},
		{"a list", "- a\n", "p.yaml:1:1: a pack is a mapping with the keys id, title, about, controls"},
		{"no YAML", "id: \"p\n", "p.yaml:1:5: "},
		{"key twice", "id: p\nid: q\n", "p.yaml:2:1: "},
		{"tabs", "id: p\n\ttitle: P\n", "p.yaml:2:1: "},
		{"two documents", control("id: a", "title: A", "query: a.sql") + "---\nid: q\n", "a file holds one pack"},
		{"nothing in it", "{}\n", "p.yaml:1:1: the pack has no id\np.yaml:1:1: the pack has no title\np.yaml:1:1: the pack has no controls: list them under controls:"},
		{"unknown key", "id: p\ntitle: P\ncontrol: []\n", `p.yaml:3:1: a pack has no key "control"; did you mean "controls"?`},
		{"far key", control("id: a", "title: A", "query: a.sql", "xyzzy: 1"), `p.yaml:7:5: control 1 has no key "xyzzy"; known are id, title, about, state, query`},
		{"empty list", "id: p\ntitle: P\ncontrols: []\n", "p.yaml:3:11: controls is a list with at least one control, each begun with a dash"},
		{"no list", "id: p\ntitle: P\ncontrols: a\n", "p.yaml:3:11: controls is a list"},
		{"no mapping", "id: p\ntitle: P\ncontrols:\n  - a\n", "p.yaml:4:5: control 1 is a mapping with the keys id, title, about, state, query"},
		{"no title, no query", control("id: a"), "control a has no title\n"},
		{"and the query", control("id: a"), "control a has no query"},
		{"no id", control("title: A", "query: a.sql"), "control 1 has no id"},
		{"number as id", control("id: 4.10", "title: A", "query: a.sql"), "p.yaml:4:9: id of control 1 is a text; put it in quotes"},
		{"bad id", control("id: a/b", "title: A", "query: a.sql"), `p.yaml:4:9: id "a/b" of control 1: an id has up to 64`},
		{"long id", control("id: "+long, "title: A", "query: a.sql"), "an id has up to 64"},
		{"empty title", control("id: a", "title:", "query: a.sql"), "title of control a is empty"},
		{"blank title", control("id: a", `title: "  "`, "query: a.sql"), "p.yaml:5:12: title of control a is empty"},
		{"control character", control("id: a", `title: "a\e[31m"`, "query: a.sql"), "p.yaml:5:12: title of control a has characters that cannot be seen"},
		{"state as text", control("id: a", "title: A", `state: "yes"`, "query: a.sql"), "p.yaml:6:12: state of control a is true or false"},
		{"alias", control("id: &x a", "title: *x", "query: a.sql"), "p.yaml:4:9: id of control 1 is a text"},
		{"merge", control("<<: {id: a}", "title: A", "query: a.sql"), "has no key"},
		{"id twice", control("id: a", "title: A", "query: a.sql") + "  - id: a\n    title: B\n    query: a.sql\n", "p.yaml:7:9: there are two controls a; the first is in line 4"},
		{"missing file", control("id: a", "title: A", "query: b.sql"), "p.yaml:6:12: there is no file b.sql beside this one"},
		{"path", control("id: a", "title: A", "query: ../a.sql"), `p.yaml:6:12: query of control a names a file beside this one that ends in .sql, without a folder; found "../a.sql"`},
		{"other path", control("id: a", "title: A", `query: '..\a.sql'`), "p.yaml:6:12: query of control a names a file"},
		{"no ending", control("id: a", "title: A", "query: a"), "p.yaml:6:12: query of control a names a file"},
		{"empty file", control("id: a", "title: A", "query: empty.sql"), "p.yaml:6:12: empty.sql is empty"},
		{"no UTF-8", control("id: a", "title: A", "query: latin.sql"), "p.yaml:6:12: latin.sql is no UTF-8 text"},
		{"escape sequence", control("id: a", "title: A", "query: escape.sql"), "p.yaml:6:12: escape.sql has characters that cannot be seen"},
		{"text turned round", control("id: a", "title: A", "query: bidi.sql"), "p.yaml:6:12: bidi.sql has characters that cannot be seen"},
		{"title turned round", control("id: a", "title: \u202eA", "query: a.sql"), "p.yaml:5:12: title of control a has characters that cannot be seen"},
		{"large file", control("id: a", "title: A", "query: large.sql"), "p.yaml:6:12: reading large.sql: large.sql has more than 262144 bytes"},
		{"nesting", strings.Repeat("[", 50_000), "p.yaml: brackets are nested too deeply for a pack"},
		{"many controls", "id: p\ntitle: P\ncontrols:" + strings.Repeat("\n  - a", 501), "the pack has 501 controls; 500 are the most"},
	} {
		t.Run(c.why, func(t *testing.T) {
			p, err := Load(folder(map[string]string{"p.yaml": c.yaml, "a.sql": goodSQL, "empty.sql": " \n", "latin.sql": "SELECT '\xe9'", "escape.sql": "SELECT '\x1b[2J'", "bidi.sql": "SELECT 1 /* \u202e */",
				"large.sql": strings.Repeat(" ", maxQueryBytes+1)}), "p.yaml")
			var problems Problems
			if p != nil || !errors.As(err, &problems) {
				t.Fatalf("got %v, %v", p, err)
			}
			if !strings.Contains(err.Error()+"\n", c.want) {
				t.Errorf("got\n%v\nwant\n%s", err, c.want)
			}
		})
	}
	if _, err := Load(folder(nil), "p.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := Load(folder(map[string]string{"p.yaml": strings.Repeat("#", maxPackBytes+1)}), "p.yaml"); err == nil || !strings.Contains(err.Error(), "65536") {
		t.Errorf("a large file: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("id: p\ntitle: P\ncontrols:\n  - {id: a, title: A, query: a.sql}\n")
	f.Add("? - :\n- !!a &b *c\n|+\n")
	f.Add("\"\\u")
	f.Fuzz(func(t *testing.T, yaml string) {
		p, err := Load(folder(map[string]string{"p.yaml": yaml, "a.sql": goodSQL}), "p.yaml")
		if err != nil {
			return
		}
		if !identifier.MatchString(p.ID) || p.Title == "" || len(p.Controls) == 0 {
			t.Errorf("%q gave %+v", yaml, p)
		}
		for _, c := range p.Controls {
			if c.SQL != goodSQL || c.Source != "a.sql" || c.Title == "" || !identifier.MatchString(c.ID) {
				t.Errorf("%q gave %+v", yaml, c)
			}
		}
	})
}

// A pack of one's own is a path; it reads nothing outside its folder.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("p.yaml", "id: p\ntitle: P\ncontrols:\n  - {id: a, title: A, query: a.sql}\n")
	write("a.sql", goodSQL)
	p, err := Open(filepath.Join(dir, "p.yaml"))
	if err != nil || p.ID != "p" {
		t.Fatalf("%v, %v", p, err)
	}
	if p, err := Open("cis-3.0"); err != nil || p.ID != "cis-3.0" {
		t.Errorf("the pack that comes along: %v, %v", p, err)
	}
	if _, err := Open("cis-9.9"); err == nil || !strings.Contains(err.Error(), `no pack "cis-9.9"; there are cis-1.4, cis-3.0`) {
		t.Errorf("a pack that is not there: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "q.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	write("bad.yaml", "id: p\n")
	if _, err := Open(filepath.Join(dir, "bad.yaml")); err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, "bad.yaml")+":1:") {
		t.Errorf("a problem without the path of its file: %v", err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "a.sql")), os.Symlink(secret, filepath.Join(dir, "a.sql"))); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	if _, err := Open(filepath.Join(dir, "p.yaml")); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a link out of the folder was followed: %v", err)
	}
}

// What is exported is the pack again, and nothing is written over.
func TestExport(t *testing.T) {
	p, err := Open("cis-3.0")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new")
	if err := p.Export(dir); err != nil {
		t.Fatal(err)
	}
	again, err := Open(filepath.Join(dir, "cis-3.0.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(again) != fmt.Sprint(p) {
		t.Errorf("the copy differs:\n%v\n%v", again, p)
	}
	if err := p.Export(dir); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("a second export: %v", err)
	}
}
