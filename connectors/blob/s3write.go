package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	// partBytes is the size of the first parts of an upload; a smaller object is put in one request.
	partBytes = 8 << 20
	// partsPerSize are the parts of one size before the next ones have twice as much: 10,000 parts, the most that there may be, hold 300 GB.
	partsPerSize = 2500
	// partsInFlight bounds what a writer holds: so many parts, and the one that is being filled.
	partsInFlight = 2
)

// s3Writer uploads an object in parts, which nobody sees before Close.
type s3Writer struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	s      *bucket
	name   string
	token  string
	part   []byte
	number int32

	upload  string // id; "" before the first part
	slots   chan []byte
	pending sync.WaitGroup
	mu      sync.Mutex
	parts   []types.CompletedPart
	done    bool
}

func (s *bucket) Create(ctx context.Context, name string) (Writer, error) {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return nil, err
	}
	w := &s3Writer{s: s, name: name, token: rand.Text(), slots: make(chan []byte, partsInFlight)}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	for range partsInFlight {
		w.slots <- nil
	}
	return w, nil
}

func (w *s3Writer) size() int { return partBytes << (int(w.number) / partsPerSize) }

func (w *s3Writer) Write(p []byte) (n int, err error) {
	if w.done {
		return 0, w.s.fail("write", w.name, fs.ErrClosed)
	}
	for len(p) > 0 {
		if err := context.Cause(w.ctx); err != nil {
			return n, err
		}
		if len(w.part) == w.size() {
			if err := w.send(); err != nil {
				return n, err
			}
		}
		take := min(len(p), w.size()-len(w.part))
		w.part = append(w.part, p[:take]...)
		p, n = p[take:], n+take
	}
	return n, nil
}

// send uploads the part in the background, and takes the buffer of one that is done.
func (w *s3Writer) send() error {
	if w.upload == "" {
		in := &s3.CreateMultipartUploadInput{
			Bucket: &w.s.name, Key: w.s.key(w.name), Metadata: map[string]string{ownToken: w.token}, RequestPayer: w.s.payer,
		}
		if key := w.s.access.KMSKey; key != "" {
			in.ServerSideEncryption, in.SSEKMSKeyId = types.ServerSideEncryptionAwsKms, &key
		}
		out, err := w.s.client.CreateMultipartUpload(w.ctx, in)
		if err != nil {
			return w.s.fail("write", w.name, err)
		}
		w.upload = aws.ToString(out.UploadId)
	}
	var spare []byte
	select {
	case <-w.ctx.Done():
		return context.Cause(w.ctx)
	case spare = <-w.slots:
	}
	w.number++
	part, number := w.part, w.number
	w.part = spare[:0]
	w.pending.Go(func() {
		out, err := w.s.client.UploadPart(w.ctx, &s3.UploadPartInput{
			Bucket: &w.s.name, Key: w.s.key(w.name), UploadId: &w.upload, PartNumber: &number, Body: bytes.NewReader(part),
			ContentLength: aws.Int64(int64(len(part))), RequestPayer: w.s.payer,
		})
		if err != nil {
			w.cancel(w.s.fail("write", w.name, err))
			return
		}
		w.mu.Lock()
		w.parts = append(w.parts, types.CompletedPart{
			ETag: out.ETag, PartNumber: &number, ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C,
			ChecksumCRC64NVME: out.ChecksumCRC64NVME, ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256,
		})
		w.mu.Unlock()
		w.slots <- part
	})
	return nil
}

func (w *s3Writer) Close() error {
	if w.done {
		return w.s.fail("write", w.name, fs.ErrClosed)
	}
	err := w.publish()
	if err != nil {
		_ = w.Abort()
	}
	w.done = true
	w.cancel(nil)
	return err
}

func (w *s3Writer) publish() error {
	if w.upload == "" {
		if err := context.Cause(w.ctx); err != nil {
			return err
		}
		return w.s.put(w.ctx, w.name, w.part, w.token, nil)
	}
	if len(w.part) > 0 {
		if err := w.send(); err != nil {
			return err
		}
	}
	w.pending.Wait()
	if err := context.Cause(w.ctx); err != nil {
		return err
	}
	slices.SortFunc(w.parts, func(a, b types.CompletedPart) int { return int(*a.PartNumber - *b.PartNumber) })
	_, err := w.s.client.CompleteMultipartUpload(w.ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &w.s.name, Key: w.s.key(w.name), UploadId: &w.upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: w.parts},
		RequestPayer: w.s.payer,
	})
	if err != nil {
		// An attempt whose answer was lost may have done it.
		if in, statErr := w.s.Stat(w.ctx, w.name); statErr == nil && in.Metadata[ownToken] == w.token {
			return nil
		}
		return w.s.fail("write", w.name, err)
	}
	return nil
}

// abortTime bounds what is done for an upload that nobody waits for any more.
const abortTime = 30 * time.Second

// Abort leaves nothing behind; where the store cannot be reached any more, the parts stay until a rule of the bucket removes them.
func (w *s3Writer) Abort() error {
	if w.done {
		return nil
	}
	w.done, w.part = true, nil
	w.cancel(fs.ErrClosed)
	w.pending.Wait()
	if w.upload == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTime)
	defer cancel()
	_, err := w.s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &w.s.name, Key: w.s.key(w.name), UploadId: &w.upload, RequestPayer: w.s.payer,
	})
	if err != nil && !strings.Contains(code(err), "NoSuchUpload") {
		return w.s.fail("abort", w.name, err)
	}
	return nil
}

// Settle has nothing to do: what can be seen is durable.
func (s *bucket) Settle(context.Context, string) error { return nil }

// DropUnfinished aborts uploads. It takes s3:ListBucketMultipartUploads; without it, and in stores that have no such listing, they are left to a rule of the bucket.
func (s *bucket) DropUnfinished(ctx context.Context, before time.Time) (count, bytes int64, err error) {
	pages := s3.NewListMultipartUploadsPaginator(s.client, &s3.ListMultipartUploadsInput{Bucket: &s.name, Prefix: s.key(""), RequestPayer: s.payer})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		switch status(err) {
		case http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented:
			return count, 0, nil
		}
		if err != nil {
			return count, 0, s.fail("list unfinished uploads of", "", err)
		}
		for _, u := range page.Uploads {
			name, below := strings.CutPrefix(aws.ToString(u.Key), s.prefix)
			if !below || !aws.ToTime(u.Initiated).Before(before) {
				continue
			}
			_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.name, Key: u.Key, UploadId: u.UploadId, RequestPayer: s.payer})
			if err != nil && code(err) != "NoSuchUpload" {
				return count, 0, s.fail("abort", name, err)
			}
			count++
		}
	}
	return count, 0, nil
}
