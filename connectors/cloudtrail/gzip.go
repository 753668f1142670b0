package cloudtrail

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/gzip"
)

// stored reads an object as it is stored: it hashes and counts.
type stored struct {
	ctx  context.Context
	r    io.Reader
	hash hash.Hash
	size int64
	err  error // of reading: no fault of the object
}

func (s *stored) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.err = err
		return 0, err
	}
	n, err := s.r.Read(p)
	s.hash.Write(p[:n])
	s.size += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// content reads an object's content: it unpacks gzip, known by its first bytes, whatever the name.
type content struct {
	stored stored
	raw    *bufio.Reader // over stored
	gzip   *gzip.Reader  // kept for the next object
	packed bool
	size   int64        // content so far
	ratio  int64        // allowed
	fault  *ObjectError // of the packing
}

// ratioFrom is the size of content from which its expansion is looked at.
const ratioFrom = 64 << 20

// reset starts to read r. The error is one of reading.
func (s *content) reset(ctx context.Context, r io.Reader, ratio int64) error {
	s.stored = stored{ctx: ctx, r: r, hash: sha256.New()}
	if s.raw == nil {
		s.raw = bufio.NewReaderSize(&s.stored, 64<<10)
	} else {
		s.raw.Reset(&s.stored)
	}
	s.size, s.ratio, s.fault, s.packed = 0, ratio, nil, false
	magic, _ := s.raw.Peek(2)
	if s.stored.err != nil {
		return s.stored.err
	}
	if !isGzip(magic) {
		return nil
	}
	s.packed = true
	var err error
	if s.gzip == nil {
		s.gzip, err = gzip.NewReader(s.raw)
	} else {
		err = s.gzip.Reset(s.raw)
	}
	if err != nil {
		s.broken(err)
		return s.stored.err
	}
	s.gzip.Multistream(false) // what follows the first member is a fault, not more content
	return nil
}

func isGzip(magic []byte) bool { return len(magic) >= 2 && magic[0] == 0x1F && magic[1] == 0x8B }

// Read returns content; io.EOF also after a fault.
func (s *content) Read(p []byte) (n int, err error) {
	if s.fault != nil {
		return 0, io.EOF
	}
	if !s.packed {
		n, err = s.raw.Read(p)
		s.size += int64(n)
		return n, err
	}
	n, err = s.gzip.Read(p)
	s.size += int64(n)
	if s.size > ratioFrom && s.size/s.ratio > s.stored.size {
		s.set(fmt.Sprintf("expansion over %d", s.ratio), nil)
		return 0, io.EOF
	}
	switch {
	case err == io.EOF:
		if magic, _ := s.raw.Peek(2); isGzip(magic) {
			s.set("second gzip member", nil)
		} else if len(magic) > 0 {
			s.set("bytes after the end", errors.New("the gzip member is followed by other bytes"))
		}
		if s.stored.err != nil {
			return n, s.stored.err
		}
	case err != nil:
		s.broken(err)
		if s.stored.err != nil {
			return n, s.stored.err
		}
		err = io.EOF
	}
	return n, err
}

// broken notes an error of gunzip.
func (s *content) broken(err error) {
	reason := "corrupt gzip"
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		reason = "truncated gzip"
	}
	s.set(reason, err)
}

func (s *content) set(reason string, err error) {
	s.fault = &ObjectError{Reason: reason, Offset: s.stored.size - int64(s.raw.Buffered()), Err: err}
}

// drain reads what is left of the stored bytes, so that size and hash are those of the whole object.
func (s *content) drain() error {
	if s.stored.err == nil {
		io.Copy(io.Discard, s.raw)
	}
	return s.stored.err
}
