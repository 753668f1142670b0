package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/minio/simdjson-go"
	"golang.org/x/sync/errgroup"
)

// scanTrail does what no compaction can do without: it unpacks each object and scans it once, on all cores. An object that was cut off is
// left where it ends. With a second argument it counts the records too, which is no part of the floor.
func scanTrail(ctx context.Context, args []string) error {
	counting := len(args) > 1
	names := make(chan string, 64)
	var m made
	var rows, files, size atomic.Int64
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error {
		defer close(names)
		return filepath.WalkDir(args[0], func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			select {
			case names <- name:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	for range runtime.NumCPU() {
		work.Go(func() error {
			var s objectScan
			for name := range names {
				whole, err := s.scan(name)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				files.Add(1)
				size.Add(int64(len(s.text)))
				if counting && whole {
					rows.Add(s.records())
				}
			}
			return nil
		})
	}
	err := work.Wait()
	m.Rows, m.Files, m.Bytes = rows.Load(), int(files.Load()), size.Load()
	return errors.Join(err, show(m))
}

// objectScan keeps its buffers from object to object.
type objectScan struct {
	gzip   gzip.Reader
	text   []byte
	parsed *simdjson.ParsedJson
}

// scan reads one object; whole: it was not cut off.
func (s *objectScan) scan(name string) (whole bool, err error) {
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	if err := s.gzip.Reset(f); err != nil {
		return false, err
	}
	s.text, err = readInto(s.text[:0], &s.gzip)
	if err != nil {
		return false, nil //nolint:nilerr // cut off
	}
	s.parsed, err = simdjson.Parse(s.text, s.parsed, simdjson.WithCopyStrings(false))
	return true, err
}

// readInto is io.ReadAll into a buffer that is there.
func readInto(dst []byte, r io.Reader) ([]byte, error) {
	for {
		dst = slices.Grow(dst, 4<<10)
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if errors.Is(err, io.EOF) {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

// records counts the records of the object that was scanned last. A digest has none.
func (s *objectScan) records() (n int64) {
	root := s.parsed.Iter()
	found, err := root.FindElement(nil, "Records")
	if err != nil {
		return 0
	}
	list, err := found.Iter.Array(nil)
	if err != nil {
		return 0
	}
	list.ForEach(func(simdjson.Iter) { n++ })
	return n
}
