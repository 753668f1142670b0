// Package blob is the store under trails and lakes: a folder, or a prefix of an S3 bucket.
// Names are slash-separated, relative to the store's root, and checked: no name can leave the root.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// ErrExists is returned (wrapped) by PutIfAbsent when the name is taken.
var ErrExists = errors.New("object exists already")

// ErrChanged is returned (wrapped) by reads of an object that is no longer the one that was listed or opened.
var ErrChanged = errors.New("object has changed")

// Errors about a missing object wrap fs.ErrNotExist.

// Info describes an object. ETag changes when the bytes may have changed (for a folder: size, modification time, file number).
type Info struct {
	Name    string
	Size    int64
	ModTime time.Time
	ETag    string
	Version string // of the object in a versioned bucket; "" elsewhere, and in listings, which do not have it

	// Metadata is what its writer said of it, keys in lower case without "x-amz-meta-". Stat gives it; nil in listings and where the
	// store keeps none.
	Metadata map[string]string
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
	// List calls visit for each object whose name starts with prefix and is greater than after ("": all), in ascending byte order of
	// names, until visit fails. What it cannot look at does not stop it: the error is an *Unlisted in the end, beside that of visit.
	List(ctx context.Context, prefix, after string, visit func(Info) error) error
	// Folders returns the next parts of the names that start with prefix, which is "" or ends in "/", as far as these parts end in a
	// "/", with it, ascending. What it cannot look at is an *Unlisted error, beside the others; an empty folder may be among them.
	Folders(ctx context.Context, prefix string) ([]string, error)
	Stat(ctx context.Context, name string) (Info, error)
	// Open opens an object for ranged reads, all of which are of the state that it has now: else they fail with ErrChanged.
	Open(ctx context.Context, name string) (Object, error)
	// Get reads the whole object that was listed as info, in one request; another one under that name is ErrChanged. A stream that
	// ends early ends with an error, not io.EOF.
	Get(ctx context.Context, info Info) (io.ReadCloser, error)
	ReadAll(ctx context.Context, name string) ([]byte, error)
	// Create streams a new object; it is visible only after Close succeeded and durable from then on
	// (for a folder: temporary name, fsync, rename, fsync of the folder). Abort discards it.
	Create(ctx context.Context, name string) (Writer, error)
	// PutIfAbsent makes the object, durable and whole, or fails with ErrExists and changes nothing: the object that is there is durable, too.
	// After any other error the object may be there or not, and if it is there, may not be durable.
	PutIfAbsent(ctx context.Context, name string, data []byte) error
	// Settle makes an object durable whose maker, another process or a call that failed, may not have come so far. It is one that others made with PutIfAbsent.
	Settle(ctx context.Context, name string) error
	// Delete removes an object; a missing one is no error.
	Delete(ctx context.Context, name string) error
	// DropUnfinished deletes what writers that died left behind, if they last wrote to it before a time: temporary files, uploads without an end. No object is touched.
	// bytes is what that frees, as far as the store says. A store that does not let its caller look for such things has none.
	DropUnfinished(ctx context.Context, before time.Time) (count, bytes int64, err error)
}

// Writer is a new object being written.
type Writer interface {
	io.Writer
	Close() error // publish
	Abort() error // discard; harmless after Close
}

// Access is what it takes to reach S3 beside the usual environment and configuration files of AWS. The zero value uses these alone.
type Access struct {
	Endpoint      string // URL of a store that speaks S3; "": Amazon's
	Region        string // "": asked of the bucket
	Profile       string // of the configuration files
	Role          string // ARN of a role to assume
	PathStyle     bool   // the bucket in the path, not in the host's name
	RequesterPays bool
	KMSKey        string // that new objects are encrypted with; "": as the bucket says

	// For tests; zero values are what everybody else wants.
	Transport http.RoundTripper               // under all requests, which are not bounded then
	Delay     func(attempt int) time.Duration // before the attempt after this one
	Stall     time.Duration                   // after so long without progress a request is given up and made again
}

// Open opens a folder, which is made if it is missing, or what is below "s3://bucket/prefix".
func Open(ctx context.Context, url string, access Access) (Store, error) {
	scheme, rest, ok := strings.Cut(url, "://")
	switch {
	case !ok:
		return OpenFolder(url)
	case scheme == "s3":
		return openS3(ctx, rest, access)
	}
	return nil, fmt.Errorf("%s: stores are folders or s3://bucket/prefix", url)
}

// Remote reports whether a store's URL is one of S3 rather than a folder.
func Remote(url string) bool { return strings.Contains(url, "://") }
