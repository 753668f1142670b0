package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// minute is a small question, and how many events there are.
type minute struct {
	account, at string // 2026-03-04T09:15
	want        int
}

func (m minute) sql() string {
	return `SELECT count(*) FROM cloudtrail_logs WHERE recipientaccountid = '` + m.account + `' AND eventtime >= '` + m.at + `:00Z' AND eventtime <= '` + m.at + `:59Z'`
}

// most that the clients go on, however few queries they have asked by then.
const servingAtMost = 2 * time.Minute

// serving has clients ask a server at the same time, each the next question when it has the answer to the last. No two questions are equal.
func (b *bench) serving(ctx context.Context) error {
	lake, _, err := b.mainLake(ctx)
	if err != nil {
		return err
	}
	minutes, err := b.minutes(ctx, lake)
	if err != nil {
		return err
	}
	perClient := min(b.asked, len(minutes)/b.clients)
	if perClient == 0 {
		return fmt.Errorf("%d minutes with events are too few for %d clients", len(minutes), b.clients)
	}
	state := b.path("state")
	if err := os.RemoveAll(state); err != nil { // results of before would answer
		return err
	}
	s, err := serveLake(ctx, b.trailql, lake, state)
	if err != nil {
		return err
	}
	defer s.stop() //nolint:errcheck // where an error comes first
	ended := time.Now().Add(servingAtMost)
	times := make([][]time.Duration, b.clients)
	begun := time.Now()
	clients, asking := errgroup.WithContext(ctx)
	for c := range b.clients {
		clients.Go(func() error {
			// Client c asks every b.clients-th minute from c on.
			for n := range perClient {
				if time.Now().After(ended) {
					return nil
				}
				begun := time.Now()
				if err := s.ask(asking, minutes[n*b.clients+c]); err != nil {
					return err
				}
				times[c] = append(times[c], time.Since(begun))
			}
			return nil
		})
	}
	if err := clients.Wait(); err != nil {
		return err
	}
	wall := time.Since(begun)
	used, err := s.stop()
	if err != nil {
		return err
	}
	all := slices.Sorted(slices.Values(slices.Concat(times...)))
	b.printf("\n#### Serving\n\n`trailql serve`, %d clients over HTTP on the same machine, each with a connection of its own, %s questions, no two equal: count(*) of one minute of one\naccount. The clients share the cores with the server.\n", b.clients, count(len(all)))
	b.printf("\n| queries/s | median, ms | 99th percentile, ms | most, ms | server's CPU ms a query | its peak RSS, MB |\n| ---: | ---: | ---: | ---: | ---: | ---: |\n")
	b.printf("| %.0f | %s | %s | %s | %.2f | %d |\n", float64(len(all))/wall.Seconds(), millis(median(all)), millis(all[len(all)*99/100]), millis(all[len(all)-1]),
		float64(used.cpu.Microseconds())/1e3/float64(len(all)), used.peak/1e6)
	return nil
}

// minutes are those that have events, in an order that goes through all of the trail.
func (b *bench) minutes(ctx context.Context, lake string) (list []minute, err error) {
	r, err := b.ours(lake).once(ctx, b.memory, question{All: true, Text: `SELECT recipientaccountid, substr(eventtime, 1, 16), count(*) FROM cloudtrail_logs
WHERE recipientaccountid IS NOT NULL AND eventtime LIKE '____-__-__T__:__:__Z' GROUP BY 1, 2 ORDER BY 2, 1`})
	if err != nil {
		return nil, err
	}
	for i := range r.Rows {
		cells := strings.Split(r.Rows[i*7919%len(r.Rows)], "|") // 7919 is prime
		n, err := strconv.Atoi(cells[2])
		if err != nil {
			return nil, err
		}
		list = append(list, minute{cells[0], cells[1], n})
	}
	if len(r.Rows)%7919 == 0 {
		return nil, errors.New("some minutes would be asked twice")
	}
	return list, nil
}

// served is a server under way.
type served struct {
	cmd        *exec.Cmd
	url, token string
	http       http.Client
}

var greeting = regexp.MustCompile(`serving .* at (http://\S+); the token is in (.*)$`)

// serveLake starts a server on a free port of the loopback.
func serveLake(ctx context.Context, binary, lake, state string) (*served, error) {
	s := &served{cmd: exec.CommandContext(ctx, binary, "serve", "--lake", lake, "--state", state, "--listen", "127.0.0.1:0")}
	s.http.Transport = &http.Transport{MaxIdleConnsPerHost: 1 << 10}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		found := greeting.FindStringSubmatch(lines.Text())
		if found == nil {
			continue
		}
		token, err := os.ReadFile(found[2])
		if err != nil {
			return nil, err
		}
		s.url, s.token = found[1], strings.TrimSpace(string(token))
		go func() {
			for lines.Scan() { // what it says later is read, so that it can say it
			}
		}()
		return s, nil
	}
	return nil, errors.Join(errors.New("the server ended before it served"), s.cmd.Wait())
}

// ask asks one question and checks the answer.
func (s *served) ask(ctx context.Context, m minute) error {
	body, err := json.Marshal(map[string]any{"sql": m.sql(), "wait_ms": 60_000})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/api/v1/queries", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.token)
	res, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var answer struct {
		State  string
		Cached bool
		Rows   [][]int
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("%s: %s", res.Status, text)
	}
	if answer.State != "succeeded" || answer.Cached || len(answer.Rows) != 1 || answer.Rows[0][0] != m.want {
		return fmt.Errorf("want %d for %s, have %s: %s", m.want, m.sql(), res.Status, text)
	}
	return nil
}

// stop ends the server and says what it took.
func (s *served) stop() (usage, error) {
	s.http.CloseIdleConnections()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return usage{}, err
	}
	err := s.cmd.Wait()
	p := s.cmd.ProcessState
	return usage{cpu: p.UserTime() + p.SystemTime(), peak: peak(p)}, err
}
