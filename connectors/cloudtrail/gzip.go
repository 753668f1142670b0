package cloudtrail

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

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

// content reads an object's content: it unpacks gzip, known by its first bytes, whatever the name, and hashes what comes out.
type content struct {
	stored stored
	raw    *bufio.Reader // over stored
	gzip   *gzip.Reader  // kept for the next object
	packed bool
	hash   hash.Hash    // of the content so far
	head   []byte       // the first bytes of the content
	size   int64        // content so far
	ratio  int64        // allowed
	fault  *ObjectError // of the packing

	whole    []byte // the content, if it was unpacked as a whole: there is nothing to read then
	inflater *inflater
	read     []byte // the stored bytes that were read for that
	anew     bool   // nothing is unpacked as a whole: the slow way, for tests
}

// wholeBytes is the size as stored up to which an object is unpacked as a whole.
const wholeBytes = 4 << 20

// ratioFrom is the size of content from which its expansion is looked at.
const ratioFrom = 64 << 20

// reset starts to read r, or unpacks all of it, into a buffer that it may keep, if that is at most so many bytes. The error is one of
// reading.
func (c *content) reset(ctx context.Context, r io.Reader, ratio int64, buffer []byte, most int64) error {
	c.stored = stored{ctx: ctx, r: r, hash: sha256.New()}
	c.whole = nil
	if c.hash == nil {
		c.hash = sha256.New()
	}
	c.hash.Reset()
	if !c.anew {
		if c.unpack(buffer, min(most, ratioFrom)) {
			c.size, c.ratio, c.fault, c.packed = 0, ratio, nil, true
			c.took(c.whole)
			return nil
		}
		if c.stored.err != nil {
			return c.stored.err
		}
		c.stored = stored{ctx: ctx, r: io.MultiReader(bytes.NewReader(c.read), r), hash: sha256.New()}
	}
	if c.raw == nil {
		c.raw = bufio.NewReaderSize(&c.stored, 64<<10)
	} else {
		c.raw.Reset(&c.stored)
	}
	c.size, c.ratio, c.fault, c.packed, c.head = 0, ratio, nil, false, c.head[:0]
	magic, _ := c.raw.Peek(2)
	if c.stored.err != nil {
		return c.stored.err
	}
	if !isGzip(magic) {
		return nil
	}
	c.packed = true
	var err error
	if c.gzip == nil {
		c.gzip, err = gzip.NewReader(c.raw)
	} else {
		err = c.gzip.Reset(c.raw)
	}
	if err != nil {
		c.broken(err)
		return c.stored.err
	}
	c.gzip.Multistream(false) // what follows the first member is a fault, not more content
	return nil
}

const headBytes = 16

// joined reports whether content that begins so may come in several gzip members: Firehose writes batches of CloudWatch Logs one after
// the other as they reach it, packed. In a log file another member is a fault: many readers would take what somebody added for records.
func joined(head []byte) bool { return bytes.HasPrefix(head, []byte(`{"messageType"`)) }

// unpack reads what is stored and unpacks it into buffer. It reports false where that does not work out; c.read has what was read.
func (c *content) unpack(buffer []byte, most int64) bool {
	p := c.read[:0]
	for ended := false; !ended; {
		if len(p) >= 2 && !isGzip(p) || len(p) > wholeBytes {
			c.read = p
			return false
		}
		p = slices.Grow(p, max(len(p), 16<<10))
		n, err := c.stored.Read(p[len(p) : cap(p)-inflatePad])
		p = p[:len(p)+n]
		ended = err != nil
	}
	c.read = p
	if c.stored.err != nil {
		return false
	}
	clear(p[len(p) : len(p)+inflatePad])
	if c.inflater == nil {
		c.inflater = &inflater{}
	}
	whole, ok := c.inflater.unpack(buffer, p, most)
	if ok {
		c.whole = whole
	}
	return ok
}

func isGzip(magic []byte) bool { return len(magic) >= 2 && magic[0] == 0x1F && magic[1] == 0x8B }

// Read returns content; io.EOF also after a fault.
func (c *content) Read(p []byte) (n int, err error) {
	if c.fault != nil || c.whole != nil {
		return 0, io.EOF
	}
	if !c.packed {
		n, err = c.raw.Read(p)
		c.took(p[:n])
		return n, err
	}
	n, err = c.gzip.Read(p)
	c.took(p[:n])
	c.head = append(c.head, p[:min(n, headBytes-len(c.head))]...)
	if c.size > ratioFrom && c.size/c.ratio > c.stored.size {
		c.set(fmt.Sprintf("expansion over %d", c.ratio), nil)
		return 0, io.EOF
	}
	switch {
	case errors.Is(err, io.EOF):
		if magic, _ := c.raw.Peek(2); isGzip(magic) && joined(c.head) && c.stored.err == nil {
			if err := c.gzip.Reset(c.raw); err != nil {
				c.broken(err)
				return n, cmp.Or(c.stored.err, io.EOF)
			}
			c.gzip.Multistream(false)
			return n, nil
		} else if isGzip(magic) {
			c.set("second gzip member", nil)
		} else if len(magic) > 0 {
			c.set("bytes after the end", errors.New("the gzip member is followed by other bytes"))
		}
		if c.stored.err != nil {
			return n, c.stored.err
		}
	case err != nil:
		c.broken(err)
		if c.stored.err != nil {
			return n, c.stored.err
		}
		err = io.EOF
	}
	return n, err
}

func (c *content) took(p []byte) {
	c.hash.Write(p)
	c.size += int64(len(p))
}

// broken notes an error of gunzip.
func (c *content) broken(err error) {
	reason := "corrupt gzip"
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		reason = "truncated gzip"
	}
	c.set(reason, err)
}

func (c *content) set(reason string, err error) {
	c.fault = &ObjectError{Reason: reason, Offset: c.stored.size - int64(c.raw.Buffered()), Err: err}
}

// drain reads what is left, so that sizes and hash are those of the whole object and no fault of the packing is missed.
func (c *content) drain() error {
	if c.stored.err == nil && c.whole == nil {
		// Faults met on the way are kept in c.
		_, _ = io.Copy(io.Discard, struct{ io.Reader }{c})
		_, _ = io.Copy(io.Discard, c.raw)
	}
	return c.stored.err
}
