package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/service"
)

// answerLimit bounds an answer that is not a stream of rows.
const answerLimit = 32 << 20

// Client asks a server as one asks a service in the process: methods, states and errors are those of service.Service. Safe for concurrent use.
type Client struct {
	base, token string
	http        *http.Client
}

// NewClient returns a client of the server at an address like http://127.0.0.1:8765. A token is not sent in the clear to another machine.
func NewClient(address, token string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address of a server; it looks like http://127.0.0.1:8765", address)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && token != "" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("the token would travel readable to %s; use an https address, or a tunnel to the loopback of that machine", u.Hostname())
	}
	return &Client{
		base:  u.Scheme + "://" + u.Host + strings.TrimSuffix(u.Path, "/"),
		token: token,
		http: &http.Client{
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
				TLSHandshakeTimeout: 10 * time.Second,
				DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token is for this server
		},
	}, nil
}

// Close gives idle connections back; what runs goes on.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// call sends a request; an answer that is an error comes as such, the query it is about with it. The body is the caller's to close.
func (c *Client) call(ctx context.Context, method, path string, body any, header ...string) (*http.Response, error) {
	var send io.Reader
	if body != nil {
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false) // SQL is full of < and >, each of which would take six bytes
		if err := e.Encode(body); err != nil {
			return nil, fmt.Errorf("asking the server: %w", err)
		}
		send = &text
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, send)
	if err != nil {
		return nil, fmt.Errorf("asking the server: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.http.Do(req)
	if err != nil {
		var sent *url.Error
		if errors.As(err, &sent) {
			err = sent.Err // which request it was is nothing to the asker
		}
		return nil, fmt.Errorf("the server at %s does not answer: %w", c.base, err)
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	return nil, c.answered(res)
}

// answered turns an answer that is an error back into what the service said.
func (c *Client) answered(res *http.Response) error {
	var f struct {
		Error errorJSON  `json:"error"`
		Query *queryJSON `json:"query"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, answerLimit)).Decode(&f); err != nil || f.Error.Kind == "" {
		return fmt.Errorf("the server at %s answered %s, and not as trailql does", c.base, res.Status)
	}
	if f.Query != nil && f.Query.Error != nil {
		return f.Query.Error.statement(f.Query.SQL)
	}
	for _, e := range serviceErrors {
		if f.Error.Kind == e.kind && res.StatusCode == e.status {
			return fmt.Errorf("the server at %s: %w", c.base, e.err)
		}
	}
	return fmt.Errorf("the server at %s: %s", c.base, f.Error.statement("").Error())
}

// read calls and reads an answer of JSON.
func (c *Client) read(ctx context.Context, method, path string, body, into any) error {
	res, err := c.call(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, answerLimit+1))
	if err == nil && len(text) > answerLimit {
		err = fmt.Errorf("it is longer than %d bytes", answerLimit)
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("reading the answer of the server: %w", err)
	}
	return nil
}

func (c *Client) readQuery(ctx context.Context, method, path string, body any) (service.Query, error) {
	var q queryJSON
	if err := c.read(ctx, method, path, body, &q); err != nil {
		return service.Query{}, err
	}
	return q.query(), nil
}

// Submit submits a statement and returns at once. User is what the server says it is; a snapshot cannot be given.
func (c *Client) Submit(ctx context.Context, r service.Request) (service.Query, error) {
	if r.Snapshot != nil {
		return service.Query{}, errors.New("a server takes the newest snapshot; it cannot be given one")
	}
	return c.readQuery(ctx, http.MethodPost, "/api/v1/queries", struct {
		SQL       string         `json:"sql"`
		Wait      int            `json:"wait_ms"`
		MaxBytes  int64          `json:"max_bytes,omitempty"`
		MaxRows   int64          `json:"max_rows,omitempty"`
		MaxTimeMS int64          `json:"max_time_ms,omitempty"`
		Fresh     bool           `json:"fresh,omitempty"`
		Source    string         `json:"source,omitempty"`
		Params    []string       `json:"params,omitempty"`
		Session   engine.Session `json:"session"`
	}{r.SQL, 0, max(0, r.MaxBytes), max(0, r.MaxRows), max(0, int64((r.MaxTime+time.Millisecond-1)/time.Millisecond)), r.Fresh, r.Source, r.Params, r.Session})
}

// Get returns a query as it is now.
func (c *Client) Get(ctx context.Context, id string) (service.Query, error) {
	return c.readQuery(ctx, http.MethodGet, queryPath(id), nil)
}

// Wait returns when the query is done, or ctx is: then the query as it is now, and no error.
func (c *Client) Wait(ctx context.Context, id string) (service.Query, error) {
	for ctx.Err() == nil {
		q, err := c.readQuery(ctx, http.MethodGet, queryPath(id)+"?wait_ms="+strconv.FormatInt(maxWait.Milliseconds(), 10), nil)
		if err == nil && q.State.Done() || err != nil && ctx.Err() == nil {
			return q, err
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	return c.Get(ctx, id)
}

// Page returns at most rows rows of a result, fewer only at its end; it waits for them.
func (c *Client) Page(ctx context.Context, id string, from, rows int64) (service.Page, error) {
	in, _, body, err := c.result(ctx, id, from, rows)
	if err != nil {
		return service.Page{}, err
	}
	defer body.Close()
	p := service.Page{Columns: in.columns, From: from}
	for {
		b, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return service.Page{}, c.why(ctx, id, err)
		}
		p.Batches = append(p.Batches, b)
		p.Rows += int64(b.Len)
	}
	if p.Rows == rows {
		q, err := c.Get(ctx, id)
		if err != nil {
			return service.Page{}, err
		}
		p.More = !q.State.Done() || q.Rows > from+rows
	}
	return p, nil
}

// result asks for rows, 0: all, and returns the query as it is once the first are there.
func (c *Client) result(ctx context.Context, id string, from, rows int64) (*exactReader, service.Query, io.Closer, error) {
	res, err := c.call(ctx, http.MethodGet, resultPath(id, from, rows), nil)
	if err != nil {
		return nil, service.Query{}, nil, err
	}
	q, err := c.Get(ctx, id)
	var in *exactReader
	if err == nil {
		in, err = newExactReader(res.Body, q.Columns, maxBatch)
	}
	if err != nil {
		return nil, q, nil, errors.Join(err, res.Body.Close())
	}
	return in, q, res.Body, nil
}

func resultPath(id string, from, rows int64) string {
	path := queryPath(id) + "/results?format=exact&from=" + strconv.FormatInt(from, 10)
	if rows > 0 {
		path += "&rows=" + strconv.FormatInt(rows, 10)
	}
	return path
}

// why finds the reason of a stream that broke: the query's error, or the connection's.
func (c *Client) why(ctx context.Context, id string, broken error) error {
	if q, err := c.Get(ctx, id); err == nil && q.Err != nil {
		return q.Err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return broken
}

// Cancel ends a query, waiting or running; it is no error if the query is done already.
func (c *Client) Cancel(ctx context.Context, id string) error {
	_, err := c.readQuery(ctx, http.MethodDelete, queryPath(id), nil)
	return err
}

// History lists queries, newest first.
func (c *Client) History(ctx context.Context, f service.Filter) ([]service.Query, error) {
	params := url.Values{}
	for name, value := range map[string]string{"before": f.Before, "state": string(f.State), "user": f.User} {
		if value != "" {
			params.Set(name, value)
		}
	}
	if f.Limit > 0 {
		params.Set("limit", strconv.Itoa(f.Limit))
	}
	var page historyJSON
	if err := c.read(ctx, http.MethodGet, "/api/v1/queries?"+params.Encode(), nil, &page); err != nil {
		return nil, err
	}
	list := make([]service.Query, len(page.Queries))
	for i, j := range page.Queries {
		list[i] = j.query()
	}
	return list, nil
}
