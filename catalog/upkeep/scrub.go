package upkeep

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/trailql/trailql/catalog"
)

// ScrubOptions bound a scrub; zero fields take defaults.
type ScrubOptions struct {
	Bytes    int64 // stop after so many; 0: all files
	Rate     int64 // bytes read a second, all readers together; 0: as fast as it goes
	Parallel int   // files read at a time; default 4
	Now      func() time.Time
	Sleep    func(ctx context.Context, d time.Duration) error

	// Progress, if set, is told by any of the readers of each piece that was read.
	Progress func(files, bytes, ofFiles, ofBytes int64)
}

// Scrubbed is what a scrub read and found.
type Scrubbed struct {
	Files   int64     `json:"files"` // read, and right
	Bytes   int64     `json:"bytes"`
	Left    int64     `json:"left"`   // files that this run did not come to
	Oldest  time.Time `json:"oldest"` // when the file that waits longest was read last; zero: some never was
	NoHash  int64     `json:"no_hash"`
	Damaged []Finding `json:"damaged"`
}

// scrubState says when each file was last found right, by table and path, in seconds. It is a note: without it all files count as never read.
const scrubState = "_trailql/scrub.json"

const saveEvery = 30 * time.Second

type scrubber struct {
	lake *catalog.Lake
	opt  ScrubOptions

	mu      sync.Mutex
	seen    map[string]int64
	out     *Scrubbed
	read    int64 // bytes
	done    int64 // files
	all     [2]int64
	begun   time.Time
	saved   time.Time
	problem error
}

type scrubFile struct {
	name string
	*catalog.File
	last int64
}

// Scrub reads files whole and compares their SHA-256 with the log's, those that were not read for longest first, so that runs of a bounded
// size come round to all of them. What was read counts even if the run is cut short.
func Scrub(ctx context.Context, lake *catalog.Lake, opt ScrubOptions) (*Scrubbed, error) {
	opt.Parallel = cmp.Or(opt.Parallel, 4)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Sleep == nil {
		opt.Sleep = sleep
	}
	s := &scrubber{lake: lake, opt: opt, seen: map[string]int64{}, out: &Scrubbed{Damaged: []Finding{}}, begun: opt.Now(), saved: opt.Now()}
	before := map[string]int64{}
	if _, err := read(ctx, lake.Store(), scrubState, &before); err != nil && ctx.Err() != nil {
		return nil, err
	}
	snap, err := lake.Newest(ctx)
	if err != nil {
		return nil, err
	}
	var files []scrubFile
	for _, table := range tables() {
		of, err := snap.AllFiles(ctx, table)
		if err != nil {
			return nil, err
		}
		for _, f := range of {
			name := table + "/" + f.Path
			if f.SHA256 == nil {
				s.out.NoHash++
				continue
			}
			if at, ok := before[name]; ok {
				s.seen[name] = at
			}
			files = append(files, scrubFile{name, f, before[name]})
		}
	}
	slices.SortStableFunc(files, func(a, b scrubFile) int { return cmp.Compare(a.last, b.last) })
	n, size := 0, int64(0)
	for n < len(files) && (opt.Bytes <= 0 || size < opt.Bytes) {
		size += files[n].Size
		n++
	}
	s.all = [2]int64{int64(n), size}
	err = s.run(ctx, files[:n])
	s.out.Left = int64(len(files)) - s.done
	oldest, never := int64(0), false
	for _, f := range files {
		at, ok := s.seen[f.name]
		never = never || !ok
		if oldest == 0 || at < oldest {
			oldest = at
		}
	}
	if !never && oldest > 0 {
		s.out.Oldest = time.Unix(oldest, 0).UTC()
	}
	slices.SortFunc(s.out.Damaged, func(a, b Finding) int { return cmp.Compare(a.Name, b.Name) })
	return s.out, errors.Join(err, s.save(context.WithoutCancel(ctx)))
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *scrubber) run(ctx context.Context, files []scrubFile) error {
	next := 0
	var readers sync.WaitGroup
	for range s.opt.Parallel {
		readers.Go(func() {
			for {
				s.mu.Lock()
				if next == len(files) || ctx.Err() != nil || s.problem != nil {
					s.mu.Unlock()
					return
				}
				f := files[next]
				next++
				s.mu.Unlock()
				says, err := s.file(ctx, f)
				s.mu.Lock()
				s.note(f, says, err)
				if s.opt.Now().Sub(s.saved) > saveEvery && s.problem == nil {
					s.saved = s.opt.Now()
					s.problem = s.save(ctx)
				}
				s.mu.Unlock()
			}
		})
	}
	readers.Wait()
	return errors.Join(ctx.Err(), s.problem)
}

// note counts a file; says is what is wrong with it, err why it could not be told.
func (s *scrubber) note(f scrubFile, says string, err error) {
	switch {
	case err != nil:
		s.problem = cmp.Or(s.problem, err)
		return
	case says != "":
		delete(s.seen, f.name) // the next run begins with it
		s.out.Damaged = append(s.out.Damaged, Finding{"file", f.name, says})
	default:
		s.seen[f.name] = s.opt.Now().Unix()
		s.out.Files++
	}
	s.done++
}

func (s *scrubber) file(ctx context.Context, f scrubFile) (says string, err error) {
	fault := func(err error) (string, error) {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		// A merge and a sweep may have removed it since the run began.
		snap, newestErr := s.lake.Newest(ctx)
		if newestErr != nil {
			return "", newestErr
		}
		table, _, _ := bytes.Cut([]byte(f.name), []byte("/"))
		files, filesErr := snap.Files(ctx, string(table), f.Partition)
		if filesErr != nil {
			return "", filesErr
		}
		if !slices.ContainsFunc(files, func(o *catalog.File) bool { return o.Path == f.Path }) {
			return "", nil
		}
		return fmt.Sprintf("it cannot be read: %v; put it back from a copy of the lake, its SHA-256 is %x", err, f.SHA256), nil
	}
	object, err := s.lake.Store().Open(ctx, f.name)
	if err != nil {
		return fault(err)
	}
	defer object.Close()
	if object.Size() != f.Size {
		return fmt.Sprintf("it has %d bytes, the log says %d; put it back from a copy of the lake, its SHA-256 is %x", object.Size(), f.Size, f.SHA256), nil
	}
	sum := sha256.New()
	piece := make([]byte, 1<<20)
	for at := int64(0); at < f.Size; {
		n := min(f.Size-at, int64(len(piece)))
		if err := s.pace(ctx, n); err != nil {
			return "", err
		}
		if k, err := object.ReadAt(piece[:n], at); int64(k) < n {
			return fault(cmp.Or(err, io.ErrUnexpectedEOF))
		}
		sum.Write(piece[:n])
		at += n
	}
	if have := sum.Sum(nil); !bytes.Equal(have, f.SHA256) {
		return fmt.Sprintf("its bytes are not those that were written: SHA-256 %x, the log says %x; put it back from a copy of the lake", have, f.SHA256), nil
	}
	return "", nil
}

// pace counts bytes that are about to be read, and waits until the rate allows them.
func (s *scrubber) pace(ctx context.Context, n int64) error {
	s.mu.Lock()
	s.read += n
	s.out.Bytes = s.read
	done, read := s.done, s.read
	s.mu.Unlock()
	if s.opt.Progress != nil {
		s.opt.Progress(done, read, s.all[0], s.all[1])
	}
	if s.opt.Rate > 0 {
		due := time.Duration(float64(read-n) / float64(s.opt.Rate) * float64(time.Second))
		if wait := due - s.opt.Now().Sub(s.begun); wait > 0 {
			return s.opt.Sleep(ctx, wait)
		}
	}
	return ctx.Err()
}

func (s *scrubber) save(ctx context.Context) error {
	data, err := json.Marshal(s.seen)
	if err != nil {
		return err
	}
	out, err := s.lake.Store().Create(ctx, scrubState)
	if err != nil {
		return fmt.Errorf("note what was scrubbed: %w", err)
	}
	defer out.Abort()
	if _, err := out.Write(data); err != nil {
		return fmt.Errorf("note what was scrubbed: %w", err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("note what was scrubbed: %w", err)
	}
	return nil
}
