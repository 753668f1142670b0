// Package sqlitefile opens the small SQLite files that trailql keeps beside the data: the index of a lake, the history of queries, the
// schedules of reports. It makes what is missing, and refuses what it cannot trust: another format, a SQLite with known defects, a file
// that another process holds. The tables, and what is done about an error, are the caller's.
package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"modernc.org/sqlite" // also registers the driver named "sqlite"
)

// File says how a file is opened.
type File struct {
	Path   string        // "": in memory, gone once it is closed
	Schema string        // the statements that make its tables
	Format int           // counts the changes of Schema, from 1; kept as user_version
	Mode   fs.FileMode   // of a file that is made, before the umask
	Sync   bool          // a commit outlives a power cut; else the newest may be lost then, but never the file
	Alone  bool          // no other process may have it open until it is closed
	Wait   time.Duration // for other processes' locks
}

// Open opens a file, and makes it if it is missing or empty; its folder must be there. All goes over one connection: rows must be closed
// before the next statement. An error for which Busy is true says that another process holds the file.
func Open(ctx context.Context, f File) (_ *sql.DB, err error) {
	db, err := f.connect()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = db.Close()
		}
	}()
	var version string
	if err := db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return nil, err
	}
	if !newEnough(version) {
		return nil, fmt.Errorf("SQLite %s can corrupt its files when a log is reset; 3.51.3 or newer is needed", version)
	}
	var format int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&format); err != nil {
		return nil, err
	}
	if format == 0 {
		err := Write(ctx, db, func(tx *sql.Tx) error {
			if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&format); err != nil || format != 0 {
				return err // another process made it meanwhile
			}
			format = f.Format
			_, err := tx.ExecContext(ctx, f.Schema+fmt.Sprintf(";PRAGMA user_version = %d", f.Format))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	switch {
	case format > f.Format:
		return nil, fmt.Errorf("it has format %d, this trailql knows format %d; use a newer trailql", format, f.Format)
	case format < f.Format:
		return nil, fmt.Errorf("it has format %d, of an older trailql; this one knows format %d", format, f.Format)
	}
	return db, nil
}

func (f File) connect() (*sql.DB, error) {
	name := ":memory:"
	if f.Path != "" {
		made, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.Mode) // SQLite knows one mode only
		if err == nil {
			err = made.Close()
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		name = "file:" + (&url.URL{Path: filepath.ToSlash(f.Path)}).EscapedPath()
	}
	pragmas := []string{fmt.Sprintf("busy_timeout(%d)", f.Wait.Milliseconds())}
	if f.Alone {
		pragmas = append(pragmas, "locking_mode(EXCLUSIVE)")
	}
	synchronous := "NORMAL"
	if f.Sync {
		synchronous = "FULL"
	}
	pragmas = append(pragmas, "journal_mode(WAL)", "synchronous("+synchronous+")")
	db, err := sql.Open("sqlite", name+"?_txlock=immediate&_pragma="+strings.Join(pragmas, "&_pragma="))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// newEnough reports whether a version of SQLite is 3.51.3 or later.
func newEnough(version string) bool {
	want := []int{3, 51, 3}
	for i, part := range strings.SplitN(version, ".", 3) {
		n, err := strconv.Atoi(part)
		if err != nil || n < want[i] {
			return false
		}
		if n > want[i] {
			return true
		}
	}
	return true
}

// Write commits what f does, or nothing of it where f fails.
func Write(ctx context.Context, db *sql.DB, f func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// Changed reports whether a statement changed a row; it takes what Exec returns.
func Changed(done sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// Busy reports that another process held the file for longer than was waited.
func Busy(err error) bool {
	const busy = 5 // SQLITE_BUSY, without its extension in the higher bits
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == busy
}

// Lock takes the file at path, which holds nothing, for this process until release is called or the process ends, however it ends: the
// system gives the lock back. ok is false while another process has it.
func Lock(ctx context.Context, path string) (release func() error, ok bool, err error) {
	db, err := Open(ctx, File{Path: path, Format: 1, Mode: 0o600, Alone: true})
	switch {
	case Busy(err):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	}
	return db.Close, true, nil
}

// Remove deletes a file and what SQLite keeps beside it; that there is none is no error.
func Remove(path string) error {
	var errs []error
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
