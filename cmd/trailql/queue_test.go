package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/catalog/compact"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/queue"
	"github.com/trailql/trailql/connectors/queue/sqsserver"
)

// unlisted is a bucket whose listings are empty, so that only notifications tell of its objects.
type unlisted struct {
	blob.Store
	url string
}

func (u unlisted) URL() string { return u.url }
func (u unlisted) List(context.Context, string, string, func(blob.Info) error) error {
	return nil
}
func (u unlisted) Folders(context.Context, string) ([]string, error) { return nil, nil }

// notification tells of an object in each form in turn.
func notification(n int, bucket, key string) string {
	quoted := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	ofS3 := `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":` + quoted(bucket) + `},"object":{"key":` + quoted(url.QueryEscape(key)) + `}}}]}`
	ofTrail := `{"s3Bucket":` + quoted(bucket) + `,"s3ObjectKey":[` + quoted(key) + `]}`
	switch n % 5 {
	case 0:
		return `{"Type":"Notification","Message":` + quoted(ofTrail) + `}`
	case 1:
		return `{"Type":"Notification","Message":` + quoted(ofS3) + `}`
	case 2:
		return ofS3
	case 3:
		return ofTrail
	}
	return `{"detail-type":"Object Created","source":"aws.s3","detail":{"bucket":{"name":` + quoted(bucket) + `},"object":{"key":` + quoted(key) + `}}}`
}

// A trail that notifications tell of, in all forms and partly twice, gives the lake that the folder gives. Messages are deleted after the
// commit; who dies in between finds them again, and nothing comes twice.
func TestQueueGivesTheSameLake(t *testing.T) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	if code, _, errs := trailql(t, "demo", "--trail-only", "--dir", dir, "--events", "300", "--days", "1", "--accounts", "1", "--regions", "1"); code != 0 {
		t.Fatal(errs)
	}
	trail, folder, lake := filepath.Join(dir, "trail"), filepath.Join(dir, "lake1"), filepath.Join(dir, "lake2")
	if code, _, errs := trailql(t, "compact", trail, "--lake", folder); code != 0 && code != exitQuarantine {
		t.Fatal(errs)
	}

	server := sqsserver.Start(t)
	source, err := blob.OpenFolder(trail)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	err = source.List(t.Context(), "", "", func(in blob.Info) error {
		total++
		server.Send(notification(total, "org-trail", "some/where/"+in.Name))
		if total%7 == 0 {
			server.Send(notification(total+1, "org-trail", "some/where/"+in.Name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Send(notification(2, "elsewhere", "x.json.gz"))
	server.Send("poison")

	dead := true
	server.Fail(func(action string, id int) string {
		if action != "DeleteMessageBatch" {
			return ""
		}
		if _, err := os.Stat(filepath.Join(lake, "trail_files", "_delta_log", fmt.Sprintf("%020d.json", 0))); err != nil {
			t.Error("a message is deleted before the commit")
		}
		if dead {
			return "AccessDenied"
		}
		return ""
	})
	follow := func(enough func(new int64, err error) bool) (new int64) {
		store, err := openStore(t.Context(), lake)
		if err != nil {
			t.Fatal(err)
		}
		l, err := catalog.Open(t.Context(), store, catalog.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		q, err := queue.Open(t.Context(), server.URL, queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		opt := compact.Options{Memory: 256 << 20, Workers: 2, Pause: time.Nanosecond, Hints: noticed{q, func(err error) {
			if enough(new, err) {
				cancel()
			}
		}}}
		err = compact.Follow(ctx, l, []blob.Store{unlisted{source, "s3://org-trail/some/where"}}, opt, nil, func(s compact.Summary, err error) {
			if new += s.New; enough(new, err) {
				cancel()
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return new
	}
	sent := len(server.Left())
	first := follow(func(_ int64, err error) bool { return err != nil }) // dies after its first commit, before it could tell
	if first == 0 || len(server.Left()) != sent {
		t.Errorf("%d objects, %d of %d messages are left", first, len(server.Left()), sent)
	}
	server.Advance(time.Hour)
	server.Fail(nil)
	follow(func(int64, error) bool { return slices.Equal(server.Left(), []string{"poison"}) })

	for _, sql := range []string{
		`SELECT *, eventjson, _time, _row, _conflict FROM cloudtrail_logs ORDER BY eventid, eventtime, _row`,
		`SELECT substr(path, -60) AS name, kind, state, records, rows + duplicates AS kept, quarantined, sha256, size FROM trail_files ORDER BY 1`,
	} {
		code, want, errs := trailql(t, "query", "-q", "--format", "csv", "--lake", folder, sql)
		code2, got, errs2 := trailql(t, "query", "-q", "--format", "csv", "--lake", lake, sql)
		if code != 0 || code2 != 0 || want != got || strings.Count(want, "\n") < 3 {
			t.Errorf("%s\nfolder: %.300s%s\nqueue: %.300s%s", sql, want, errs, got, errs2)
		}
	}
}

// noticed is a queue whose acknowledgements are noticed.
type noticed struct {
	*queue.Queue
	done func(err error)
}

func (n noticed) Done(ctx context.Context, hints []compact.Hint) error {
	err := n.Queue.Done(ctx, hints)
	n.done(err)
	return err
}

// --queue says what is wrong with an address.
func TestQueueAddress(t *testing.T) {
	code, _, errs := trailql(t, "compact", t.TempDir(), "--lake", t.TempDir(), "--queue", "trail")
	if code != exitFailed || !strings.Contains(errs, "write its URL") {
		t.Error(code, errs)
	}
}
