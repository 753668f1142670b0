package blob

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// bucket is a Store below a prefix of an S3 bucket.
type bucket struct {
	client *s3.Client
	name   string
	prefix string // of all keys: "" or ends in a slash
	url    string
	access Access
	payer  types.RequestPayer
}

// openS3 opens "bucket/prefix". That the bucket is there is asked at once, what may be done in it shows later.
func openS3(ctx context.Context, place string, access Access) (Store, error) {
	name, prefix, _ := strings.Cut(place, "/")
	prefix = strings.TrimSuffix(prefix, "/")
	s := &bucket{name: name, url: "s3://" + name, access: access}
	if name == "" {
		return nil, fmt.Errorf("s3://%s: name the bucket: s3://bucket/prefix", place)
	}
	if prefix != "" {
		if err := checkName(prefix); err != nil {
			return nil, fmt.Errorf("s3://%s: %w", place, err)
		}
		s.prefix, s.url = prefix+"/", s.url+"/"+prefix
	}
	if access.RequesterPays {
		s.payer = types.RequestPayerRequester
	}
	var err error
	if s.client, err = reach(ctx, name, access); err != nil {
		return nil, fmt.Errorf("open %s: %w", s.url, err)
	}
	return s, nil
}

func (s *bucket) URL() string { return s.url }

func (s *bucket) key(name string) *string { return aws.String(s.prefix + name) }

// fail names the object and what can be done about the error.
func (s *bucket) fail(verb, name string, err error) error {
	return fmt.Errorf("%s %s/%s: %w", verb, s.url, name, explained(err))
}

// tag is an ETag without its quotation marks, which headers have and listings of some stores do not.
func tag(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }

func quoted(etag string) *string {
	if etag == "" {
		return nil
	}
	return aws.String(`"` + etag + `"`)
}

// version is the id of an object's version; objects from before a bucket kept versions have "null".
func version(id *string) string {
	if v := aws.ToString(id); v != "null" {
		return v
	}
	return ""
}

// List visits no placeholders of folders ("a/b/", empty), which consoles leave. Keys that are no names are Unlisted.
func (s *bucket) List(ctx context.Context, prefix, after string, visit func(Info) error) error {
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		if err := checkName(prefix[:i]); err != nil {
			return err
		}
	}
	in := &s3.ListObjectsV2Input{Bucket: &s.name, Prefix: s.key(prefix), EncodingType: types.EncodingTypeUrl, RequestPayer: s.payer}
	if after != "" {
		in.StartAfter = s.key(after)
	}
	var missed Unlisted
	last := ""
	err := s.pages(ctx, prefix, in, func(page *s3.ListObjectsV2Output) error {
		for _, o := range page.Contents {
			key, err := decoded(page, o.Key)
			name, below := strings.CutPrefix(key, s.prefix)
			if err != nil || !below || !strings.HasPrefix(name, prefix) {
				return fmt.Errorf("the store listed %q, which was not asked for", aws.ToString(o.Key))
			}
			if name == "" { // the placeholder of the store's own folder
				continue
			}
			if name <= last || name <= after {
				return fmt.Errorf("the store listed %q after %q: its listings must be in the order of bytes", name, max(last, after))
			}
			last = name
			if temporary(name) || strings.HasSuffix(name, "/") && aws.ToInt64(o.Size) == 0 {
				continue
			}
			if err := checkName(name); err != nil {
				missed.add(fmt.Errorf("list %s: %w", s.url, err))
				continue
			}
			in := Info{Name: name, Size: aws.ToInt64(o.Size), ModTime: aws.ToTime(o.LastModified), ETag: tag(o.ETag)}
			if err := visit(in); err != nil {
				return &visited{err}
			}
		}
		return nil
	})
	var stopped *visited
	switch {
	case errors.As(err, &stopped):
		return stopped.err
	case err != nil:
		return err
	case missed.Count > 0:
		return &missed
	}
	return nil
}

// visited carries an error of a visit out of a listing as it is.
type visited struct{ err error }

func (v *visited) Error() string { return v.err.Error() }

// temporary reports that a name is one of a file being written, which a folder copied to a bucket may hold.
func temporary(name string) bool {
	return strings.HasPrefix(name, tempPrefix) || strings.Contains(name, "/"+tempPrefix)
}

func (s *bucket) pages(ctx context.Context, prefix string, in *s3.ListObjectsV2Input, each func(*s3.ListObjectsV2Output) error) error {
	for {
		page, err := s.client.ListObjectsV2(ctx, in)
		if err != nil {
			return s.fail("list", prefix, err)
		}
		if err := each(page); err != nil {
			var v *visited
			if errors.As(err, &v) {
				return err
			}
			return s.fail("list", prefix, err)
		}
		if !aws.ToBool(page.IsTruncated) {
			return ctx.Err()
		}
		if aws.ToString(page.NextContinuationToken) == "" {
			return s.fail("list", prefix, errors.New("the store cut its listing off and did not say where it goes on"))
		}
		in.ContinuationToken = page.NextContinuationToken
	}
}

// decoded is a key of a listing: XML has no place for some characters, so keys are asked for in an encoding, which not all stores know.
func decoded(page *s3.ListObjectsV2Output, key *string) (string, error) {
	if page.EncodingType == types.EncodingTypeUrl {
		return url.QueryUnescape(aws.ToString(key))
	}
	return aws.ToString(key), nil
}

func (s *bucket) Folders(ctx context.Context, prefix string) ([]string, error) {
	if prefix != "" {
		if err := checkPrefix(prefix); err != nil {
			return nil, err
		}
	}
	in := &s3.ListObjectsV2Input{
		Bucket: &s.name, Prefix: s.key(prefix), Delimiter: aws.String("/"), EncodingType: types.EncodingTypeUrl, RequestPayer: s.payer,
	}
	var out []string
	var missed Unlisted
	err := s.pages(ctx, prefix, in, func(page *s3.ListObjectsV2Output) error {
		for _, p := range page.CommonPrefixes {
			key, err := decoded(page, p.Prefix)
			part, below := strings.CutPrefix(key, s.prefix+prefix)
			if err != nil || !below {
				return fmt.Errorf("the store listed %q, which was not asked for", aws.ToString(p.Prefix))
			}
			if temporary(part) {
				continue
			}
			if err := checkPrefix(part); err != nil {
				missed.add(fmt.Errorf("list %s/%s: %w", s.url, prefix, err))
				continue
			}
			out = append(out, part)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(out)
	if missed.Count > 0 {
		return out, &missed
	}
	return out, nil
}

func (s *bucket) Stat(ctx context.Context, name string) (Info, error) {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return Info{}, err
	}
	h, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.name, Key: s.key(name), RequestPayer: s.payer})
	if err != nil {
		return Info{}, s.fail("stat", name, err)
	}
	return Info{
		Name: name, Size: aws.ToInt64(h.ContentLength), ModTime: aws.ToTime(h.LastModified), ETag: tag(h.ETag), Version: version(h.VersionId),
		Metadata: h.Metadata,
	}, nil
}

// s3Object reads ranges, all of the state whose ETag the first answer had.
type s3Object struct {
	ctx  context.Context
	s    *bucket
	name string
	size int64
	etag chan string // holds one: "" before the first answer
}

func (s *bucket) Open(ctx context.Context, name string) (Object, error) {
	in, err := s.Stat(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.object(ctx, name, in.Size, in.ETag), nil
}

func (s *bucket) object(ctx context.Context, name string, size int64, etag string) Object {
	o := &s3Object{ctx: ctx, s: s, name: name, size: size, etag: make(chan string, 1)}
	o.etag <- etag
	return o
}

func (s *bucket) openSized(ctx context.Context, name string, size int64) (Object, error) {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return nil, err
	}
	return s.object(ctx, name, size, ""), nil
}

func (o *s3Object) Size() int64  { return o.size }
func (o *s3Object) Close() error { return nil }

func (o *s3Object) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > o.size {
		return 0, o.s.fail("read", o.name, fmt.Errorf("no byte %d in %d", off, o.size))
	}
	end := min(off+int64(len(p)), o.size)
	if off == end {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	r := &s3Stream{ctx: o.ctx, s: o.s, name: o.name, size: o.size, at: off, end: end, ranged: true}
	r.etag = <-o.etag
	if r.etag != "" {
		o.etag <- r.etag
	} else { // others wait until the first answer says which state they must read
		err := r.open()
		o.etag <- r.etag
		if err != nil {
			return 0, err
		}
	}
	defer r.Close()
	n, err := io.ReadFull(r, p[:end-off])
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (s *bucket) Get(ctx context.Context, in Info) (io.ReadCloser, error) {
	if err := errors.Join(ctx.Err(), checkName(in.Name)); err != nil {
		return nil, err
	}
	return s.stream(&s3Stream{ctx: ctx, s: s, name: in.Name, etag: in.ETag, size: in.Size, end: in.Size})
}

func (s *bucket) stream(r *s3Stream) (io.ReadCloser, error) {
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

func (s *bucket) ReadAll(ctx context.Context, name string) ([]byte, error) {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return nil, err
	}
	r := &s3Stream{ctx: ctx, s: s, name: name, size: -1, end: -1}
	if err := r.open(); err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	b.Grow(int(min(r.size, 1<<20)) + bytes.MinRead)
	if _, err := b.ReadFrom(r); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// s3Stream reads the bytes [at, end) of one state of an object. A connection that breaks or stalls, and an answer that is not what was
// asked for, is asked again for what is missing.
type s3Stream struct {
	ctx     context.Context
	s       *bucket
	name    string
	etag    string // "": of the first answer
	version string
	size    int64 // of the object; -1: of the first answer
	at, end int64 // end -1: the object's
	ranged  bool  // the range is asked for from the beginning

	body   io.ReadCloser
	faults int   // since progress was made
	mark   int64 // where they began
}

// enough is the progress after which faults are counted anew: a long stream may break more often than a short one.
const enough = 4 << 20

// open asks until there is an answer with the wanted bytes.
func (r *s3Stream) open() error {
	for {
		err := r.ask()
		if err == nil {
			return nil
		}
		var misfit *misfitError
		if !errors.As(err, &misfit) {
			return r.s.fail("read", r.name, err) // asked as often as makes sense already
		}
		if err := r.fault(err); err != nil {
			return err
		}
	}
}

// misfitError is an answer that does not fit the question.
type misfitError struct{ text string }

func (m *misfitError) Error() string { return m.text }

func (r *s3Stream) ask() error {
	in := &s3.GetObjectInput{Bucket: &r.s.name, Key: r.s.key(r.name), IfMatch: quoted(r.etag), RequestPayer: r.s.payer}
	ranged := r.ranged || r.at > 0
	if ranged {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", r.at, r.end-1))
	}
	out, err := r.s.client.GetObject(r.ctx, in)
	if err != nil {
		return err
	}
	length, size := aws.ToInt64(out.ContentLength), aws.ToInt64(out.ContentLength)
	if ranged {
		var from, to int64
		if n, err := fmt.Sscanf(aws.ToString(out.ContentRange), "bytes %d-%d/%d", &from, &to, &size); n != 3 || err != nil || from != r.at || to >= r.end || length != to+1-from {
			_ = out.Body.Close()
			return &misfitError{fmt.Sprintf("asked for bytes %d-%d, the store answered with %q of %d bytes", r.at, r.end-1, aws.ToString(out.ContentRange), length)}
		}
	}
	if r.size < 0 {
		r.size = size
	}
	if r.end < 0 {
		r.end = size
	}
	etag := tag(out.ETag)
	switch {
	case size != r.size, r.etag != "" && etag != "" && r.etag != etag:
		_ = out.Body.Close()
		return fmt.Errorf("%w: %d bytes, ETag %s; expected %d, %s", ErrChanged, size, etag, r.size, r.etag)
	case length != r.end-r.at:
		_ = out.Body.Close()
		return &misfitError{fmt.Sprintf("asked for %d bytes, the store sends %d", r.end-r.at, length)}
	}
	r.etag, r.version, r.body = etag, version(out.VersionId), out.Body
	return nil
}

// fault waits before the next attempt, or gives up.
func (r *s3Stream) fault(err error) error {
	if r.at-r.mark >= enough {
		r.faults = 0
	}
	r.mark = r.at
	if r.faults++; r.faults >= attempts || r.ctx.Err() != nil {
		if r.ctx.Err() != nil {
			err = context.Cause(r.ctx)
		}
		return r.s.fail("read", r.name, err)
	}
	return pause(r.ctx, r.s.access.delay(r.faults))
}

func (r *s3Stream) Read(p []byte) (int, error) {
	for {
		if r.at == r.end {
			return 0, io.EOF
		}
		if len(p) == 0 {
			return 0, nil
		}
		if r.body == nil {
			if err := r.open(); err != nil {
				return 0, err
			}
		}
		n, err := r.body.Read(p[:min(int64(len(p)), r.end-r.at)])
		r.at += int64(n)
		if n > 0 || err == nil {
			return n, nil // an error comes again, or the rest is asked for anew
		}
		_ = r.body.Close()
		r.body = nil
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err := r.fault(err); err != nil {
			return 0, err
		}
	}
}

func (r *s3Stream) Close() error {
	if r.body == nil {
		return nil
	}
	body := r.body
	r.body = nil
	if r.at == r.end { // so that the connection serves again
		_, _ = io.CopyN(io.Discard, body, 1)
	}
	return body.Close()
}

// ObjectVersion is the version of the object that Get reads; "" where the store keeps none.
func ObjectVersion(r io.Reader) string {
	if s, ok := r.(*s3Stream); ok {
		return s.version
	}
	return ""
}

// OpenSized is Open for an object that is known to have so many bytes: the store is not asked before the first read, which then says
// whether the object is missing or has another size.
func OpenSized(ctx context.Context, s Store, name string, size int64) (Object, error) {
	if b, ok := s.(*bucket); ok {
		return b.openSized(ctx, name, size)
	}
	o, err := s.Open(ctx, name)
	if err == nil && o.Size() != size {
		_ = o.Close()
		return nil, fmt.Errorf("open %s/%s: %w: it has %d bytes, %d were expected", s.URL(), name, ErrChanged, o.Size(), size)
	}
	return o, err
}

// ownToken is the key of the metadata by which a writer knows its own object again.
const ownToken = "trailql-writer"

func (s *bucket) PutIfAbsent(ctx context.Context, name string, data []byte) error {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return err
	}
	return s.put(ctx, name, data, rand.Text(), aws.String("*"))
}

// put makes an object in one request. If a first attempt made it and its answer was lost, a second one finds the name taken by an object with
// our token.
func (s *bucket) put(ctx context.Context, name string, data []byte, token string, ifNoneMatch *string) error {
	in := &s3.PutObjectInput{
		Bucket: &s.name, Key: s.key(name), Body: bytes.NewReader(data), ContentLength: aws.Int64(int64(len(data))),
		IfNoneMatch: ifNoneMatch, Metadata: map[string]string{ownToken: token}, RequestPayer: s.payer,
	}
	if s.access.KMSKey != "" {
		in.ServerSideEncryption, in.SSEKMSKeyId = types.ServerSideEncryptionAwsKms, &s.access.KMSKey
	}
	_, err := s.client.PutObject(ctx, in)
	if status(err) == 412 {
		h, headErr := s.Stat(ctx, name)
		if headErr == nil && h.Metadata[ownToken] == token {
			return nil
		}
		return fmt.Errorf("write %s/%s: %w", s.url, name, ErrExists)
	}
	if err != nil {
		return s.fail("write", name, err)
	}
	return nil
}

func (s *bucket) Delete(ctx context.Context, name string) error {
	if err := errors.Join(ctx.Err(), checkName(name)); err != nil {
		return err
	}
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.name, Key: s.key(name), RequestPayer: s.payer})
	if err != nil && !errors.Is(explained(err), fs.ErrNotExist) {
		return s.fail("delete", name, err)
	}
	return nil
}

// pause waits; the error is that of an ended context.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
