package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const schema = `CREATE TABLE t(n INTEGER)`

func open(t *testing.T, f File) *sql.DB {
	t.Helper()
	db, err := Open(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func count(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOpen: what was written is there at the next opening, under any name, and nobody else may read a private file.
func TestOpen(t *testing.T) {
	for _, name := range []string{"plain.db", "with space ? # % é.db"} {
		f := File{Path: filepath.Join(t.TempDir(), name), Schema: schema, Format: 1, Mode: 0o600}
		db := open(t, f)
		if _, err := db.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if n := count(t, open(t, f)); n != 1 {
			t.Errorf("%s: %d rows, want the one that was written", name, n)
		}
		info, err := os.Stat(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", name, info.Mode().Perm())
		}
	}
	if n := count(t, open(t, File{Schema: schema, Format: 1})); n != 0 {
		t.Errorf("%d rows in a new file in memory", n)
	}
}

// TestOpenRefuses: another format, bytes that are no SQLite file, a missing folder; each error says so, and the file stays as it was.
func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	f := File{Path: filepath.Join(folder, "a.db"), Schema: schema, Format: 2, Mode: 0o600}
	if err := open(t, f).Close(); err != nil {
		t.Fatal(err)
	}
	f.Format = 1
	if _, err := Open(t.Context(), f); err == nil || !strings.Contains(err.Error(), "format 2") || !strings.Contains(err.Error(), "format 1") {
		t.Errorf("a newer format: %v", err)
	}
	text := strings.Repeat("no database ", 1000)
	f.Path = filepath.Join(folder, "text")
	if err := os.WriteFile(f.Path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), f); err == nil {
		t.Error("a text was opened")
	}
	if got, err := os.ReadFile(f.Path); err != nil || string(got) != text {
		t.Error("the text was changed")
	}
	f.Path = filepath.Join(folder, "none", "a.db")
	if _, err := Open(t.Context(), f); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
}

// TestOpenAtOnce: of several that make a file at once one does, the others find it made.
func TestOpenAtOnce(t *testing.T) {
	f := File{Path: filepath.Join(t.TempDir(), "a.db"), Schema: schema, Format: 1, Mode: 0o600, Wait: time.Minute}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			db, err := Open(context.Background(), f)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := db.ExecContext(context.Background(), "INSERT INTO t VALUES (1)"); err != nil {
				t.Error(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := count(t, open(t, f)); n != 8 {
		t.Errorf("%d rows, want 8", n)
	}
}

// TestAlone: a file that is opened alone is busy for others until it is closed.
func TestAlone(t *testing.T) {
	f := File{Path: filepath.Join(t.TempDir(), "a.db"), Schema: schema, Format: 1, Mode: 0o600, Alone: true}
	db := open(t, f)
	if _, err := Open(t.Context(), f); !Busy(err) {
		t.Errorf("opened twice: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, f)
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, ok, err := Lock(t.Context(), path)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, ok, err := Lock(t.Context(), path); ok || err != nil {
		t.Errorf("locked twice: %t, %v", ok, err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	release, ok, err = Lock(t.Context(), path)
	if !ok || err != nil {
		t.Fatal("not given back:", ok, err)
	}
	if err := release(); err != nil {
		t.Error(err)
	}
}

// TestWrite: what a failing function did is undone, and its error comes back.
func TestWrite(t *testing.T) {
	db := open(t, File{Schema: schema, Format: 1})
	fault := errors.New("fault")
	err := Write(t.Context(), db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); err != nil {
			return err
		}
		return fault
	})
	if n := count(t, db); !errors.Is(err, fault) || n != 0 {
		t.Errorf("%d rows, error %v", n, err)
	}
	for statement, want := range map[string]bool{"INSERT INTO t VALUES (1)": true, "DELETE FROM t WHERE n = 2": false} {
		if got, err := Changed(db.ExecContext(t.Context(), statement)); got != want || err != nil {
			t.Errorf("%s: %t, %v", statement, got, err)
		}
	}
}

func TestRemove(t *testing.T) {
	folder := t.TempDir()
	f := File{Path: filepath.Join(folder, "a.db"), Schema: schema, Format: 1, Mode: 0o600}
	if err := open(t, f).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Path+"-wal", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Remove(f.Path); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestNewEnough(t *testing.T) {
	for version, want := range map[string]bool{"3.51.3": true, "3.51.10": true, "3.52.0": true, "4.0.0": true, "3.51.2": false, "3.9.9": false, "x": false} {
		if got := newEnough(version); got != want {
			t.Errorf("newEnough(%s) = %t", version, got)
		}
	}
}
