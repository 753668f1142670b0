package compact

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/trailql/trailql/catalog"
	"github.com/trailql/trailql/connectors/blob"
	"github.com/trailql/trailql/connectors/blob/s3server"
	"github.com/trailql/trailql/connectors/cloudtrail/synth"
	"github.com/trailql/trailql/engine/source"
)

// together holds each GET of a data file until those of other files have come too, or for good.
type together struct {
	s3server.Requests
	mu    sync.Mutex
	files map[string]bool
	want  int // 0: holds nothing
	come  chan struct{}
}

func (w *together) RoundTrip(req *http.Request) (*http.Response, error) {
	w.mu.Lock()
	if w.want > 0 && req.Method == "GET" && strings.HasSuffix(req.URL.Path, ".parquet") {
		if w.files[req.URL.Path] = true; len(w.files) == w.want {
			close(w.come)
			w.want = 0
		}
		w.mu.Unlock()
		select {
		case <-w.come:
		case <-req.Context().Done():
			return nil, req.Context().Err()
		case <-time.After(20 * time.Second):
			return nil, fmt.Errorf("only %d files are read at a time", len(w.files))
		}
	} else {
		w.mu.Unlock()
	}
	return w.Requests.RoundTrip(req)
}

func (w *together) expect(files int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files, w.want, w.come = map[string]bool{}, files, make(chan struct{})
}

// Questions to a lake in S3 have the answers of the same lake in a folder, take few requests, read several files at a time, and say how much
// was read.
func TestRequestsOfQueries(t *testing.T) {
	server := s3server.Start(t)
	trailDir, dir := t.TempDir(), t.TempDir()
	_, err := synth.Generate(t.Context(), synth.Options{Events: 40_000, Accounts: 1, Regions: 1, Days: 4, Seed: 1}, func(o synth.Object) error {
		name := filepath.Join(trailDir, filepath.FromSlash(o.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			return err
		}
		return os.WriteFile(name, o.Data, 0o666)
	})
	if err != nil {
		t.Fatal(err)
	}
	near := openLake(t, store(t, dir))
	compactTest(t, near, nil, trailDir)
	// The lake's files as they are, so that they are the same.
	url := server.Bucket(t, "lake")
	to := server.Open(t, url, server.Access())
	err = near.Store().List(t.Context(), "", "", func(in blob.Info) error {
		if strings.HasPrefix(in.Name, "_trailql/") {
			return nil
		}
		data, err := near.Store().ReadAll(t.Context(), in.Name)
		if err != nil {
			return err
		}
		return to.PutIfAbsent(t.Context(), in.Name, data)
	})
	if err != nil {
		t.Fatal(err)
	}
	seen := &together{}
	access := server.Access()
	access.Transport = seen
	far, err := catalog.Open(t.Context(), server.Open(t, url, access), catalog.Options{Now: testNow, ReadOnly: true, IndexPath: filepath.Join(t.TempDir(), "index.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })

	for _, c := range []struct {
		sql  string
		gets int // of data files, at most
	}{
		// A day is a file: its footer, and what is asked of it, at one or two places.
		{`SELECT eventname, count(*) FROM cloudtrail_logs WHERE date = DATE '2026-03-02' GROUP BY 1 ORDER BY 2 DESC, 1`, 3},
		{`SELECT count(*), min(eventtime) FROM cloudtrail_logs WHERE date = DATE '2026-03-02' AND eventname = 'ConsoleLogin'`, 3},
		{`SELECT * FROM cloudtrail_logs WHERE date = DATE '2026-03-03' ORDER BY eventid LIMIT 20`, 3},
		{`SELECT eventid, requestparameters FROM cloudtrail_logs WHERE date = DATE '2026-03-03' AND eventid LIKE 'a1%' ORDER BY eventid`, 2},
		{`SELECT account, count(*), count(DISTINCT sourceipaddress) FROM cloudtrail_logs GROUP BY 1`, 12},
		{`SELECT eventid FROM cloudtrail_logs WHERE errorcode = 'AccessDenied' ORDER BY eventtime DESC, eventid LIMIT 3`, 8},
		{`SELECT count(*) FROM cloudtrail_logs`, 0},
	} {
		want, _ := query(t, near, c.sql, source.Switches{})
		if _, _ = query(t, far, "SELECT count(*) FROM trail_verified WHERE false", source.Switches{}); strings.Contains(c.sql, "DISTINCT") {
			seen.expect(4)
		}
		seen.Take()
		got, stats := query(t, far, c.sql, source.Switches{})
		if !slices.Equal(got, want) {
			t.Errorf("%s\n got %.300q\nwant %.300q", c.sql, got, want)
		}
		var gets []string
		bytes := int64(0)
		all := seen.Take()
		for _, r := range all {
			if !strings.Contains(r, ".parquet") {
				continue
			}
			gets = append(gets, r)
			var from, to int64
			if _, err := fmt.Sscanf(r[strings.LastIndexByte(r, ' ')+1:], "bytes=%d-%d", &from, &to); err != nil {
				t.Errorf("%s: %s is no ranged read", c.sql, r)
			}
			bytes += to - from + 1
		}
		t.Logf("%s: %d requests, %d bytes, and %d about the lake", c.sql, len(gets), bytes, len(all)-len(gets))
		if len(gets) > c.gets {
			t.Errorf("%s: %d requests, more than %d:\n%s", c.sql, len(gets), c.gets, strings.Join(gets, "\n"))
		}
		// What was asked for and is not needed any more, because the first rows were found elsewhere, may come when the query is over.
		if stats.BytesRead > bytes || stats.BytesRead < bytes && !strings.Contains(c.sql, "LIMIT") {
			t.Errorf("%s: %d bytes are counted, %d were asked for", c.sql, stats.BytesRead, bytes)
		}
		if again, _ := query(t, far, c.sql, source.Switches{}); !slices.Equal(again, want) {
			t.Errorf("%s: another answer the second time", c.sql)
		}
		if n := len(seen.Take()); n > c.gets+2 {
			t.Errorf("%s: %d requests the second time, more than %d", c.sql, n, c.gets+2)
		}
	}
}

// Compactors that race over one lake in S3 commit each object once.
func TestCompactorsRaceInS3(t *testing.T) {
	server := s3server.Start(t)
	url := server.Bucket(t, "lake")
	dir := randomTrail(3, 12).folder(t)
	alone := newLake(t)
	compactTest(t, alone, nil, dir)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			l, err := catalog.Open(context.Background(), server.Open(t, url, server.Access()), catalog.Options{Now: testNow})
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			if _, err := Run(context.Background(), l, []blob.Store{store(t, dir)}, testOptions(), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	raced, err := catalog.Open(t.Context(), server.Open(t, url, server.Access()), catalog.Options{Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	defer raced.Close()
	for _, sql := range []string{
		`SELECT eventid, eventtime, account, region, eventjson, _conflict FROM cloudtrail_logs ORDER BY 1, 2, 5`,
		`SELECT path, records, state FROM trail_files ORDER BY 1`,
		`SELECT sum(rows), sum(duplicates), sum(quarantined) FROM trail_files`,
		`SELECT count(*) FROM trail_duplicates`,
	} {
		want, _ := query(t, alone, sql, source.Switches{})
		got, _ := query(t, raced, sql, source.Switches{})
		if !slices.Equal(got, want) {
			t.Errorf("%s\n got %.500q\nwant %.500q", sql, got, want)
		}
	}
}

// farLake passes for a store over a network.
type farLake struct{ *hookStore }

func (farLake) URL() string { return "far://lake" }

// Rows that do not fit in memory wait in files of this machine, not in a lake far away.
func TestTemporaryFilesStayHere(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	var events []string
	for i := range 4000 {
		events = append(events, event(fmt.Sprintf("id-%04d", i*7919%4000), 1, i%86400, `"requestParameters":{"text":"`+strings.Repeat("x", 500)+`"}`))
	}
	src := trail{objectName("eu-west-1", 1, 0, 1): content(events...)}.folder(t)
	far := farLake{&hookStore{Store: store(t, t.TempDir()), before: func(op, name string) error {
		if op == "create" && strings.HasPrefix(name, catalog.TempFolder) {
			t.Errorf("%s is made in the lake", name)
		}
		return nil
	}}}
	l, near := openLake(t, far), newLake(t)
	c := compactTest(t, l, func(o *Options) { o.Memory = 8 << 20 }, src)
	compactTest(t, near, nil, src)
	if c.Rows != 4000 {
		t.Errorf("%d rows", c.Rows)
	}
	equalLines(t, contents(t, l), contents(t, near), "contents")
	left, err := os.ReadDir(temp)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
