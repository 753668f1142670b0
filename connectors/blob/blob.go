// Package blob is the store under trails and lakes: a folder, later S3 too.
// Names are slash-separated, relative to the store's root, and checked: no name can leave the root.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrExists is returned (wrapped) by PutIfAbsent when the name is taken.
var ErrExists = errors.New("object exists already")

// Errors about a missing object wrap fs.ErrNotExist.

// Info describes an object. ETag changes when the bytes may have changed (for a folder: size and modification time).
type Info struct {
	Name    string
	Size    int64
	ModTime time.Time
	ETag    string
}

// Unlisted is the error of a List that met entries it could not look at, such as a folder without permission or a link that
// leads nowhere, and visited everything else.
type Unlisted struct {
	Count int64
	First []error // of at most 20 entries, each with its name
}

func (u *Unlisted) Error() string {
	if u.Count == 1 {
		return u.First[0].Error()
	}
	return fmt.Sprintf("%v; and %d more that cannot be listed", u.First[0], u.Count-1)
}

func (u *Unlisted) Unwrap() []error { return u.First }

func (u *Unlisted) add(err error) {
	u.Count++
	if len(u.First) < 20 {
		u.First = append(u.First, err)
	}
}

// Object is an open object: ranged reads, safe for concurrent use.
type Object interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Store is a tree of immutable-by-convention objects. Safe for concurrent use.
type Store interface {
	// URL is the root as a person writes it: "/data/lake", "s3://bucket/prefix"; joined with a name by "/" it is the object's URL.
	URL() string
	// List calls visit for each object whose name starts with prefix, in ascending byte order of names, until visit fails.
	// What it cannot look at does not stop it: the error is an *Unlisted in the end.
	List(ctx context.Context, prefix string, visit func(Info) error) error
	Stat(ctx context.Context, name string) (Info, error)
	Open(ctx context.Context, name string) (Object, error)
	ReadAll(ctx context.Context, name string) ([]byte, error)
	// Create streams a new object; it is visible only after Close succeeded and durable from then on
	// (for a folder: temporary name, fsync, rename, fsync of the folder). Abort discards it.
	Create(ctx context.Context, name string) (Writer, error)
	// PutIfAbsent makes the object, durable and whole, or fails with ErrExists and changes nothing.
	PutIfAbsent(ctx context.Context, name string, data []byte) error
	// Delete removes an object; a missing one is no error.
	Delete(ctx context.Context, name string) error
}

// Writer is a new object being written.
type Writer interface {
	io.Writer
	Close() error // publish
	Abort() error // discard; harmless after Close
}
