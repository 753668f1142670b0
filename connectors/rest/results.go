package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/trailql/trailql/connectors/sink"
	"github.com/trailql/trailql/engine/service"
	"github.com/trailql/trailql/engine/sqltype"
)

// pageBytes is where a JSON page ends, after the row that passes it, however many rows were asked for.
const pageBytes = 16 << 20

// format is a way to write results. Streams are of any length; their Writer is nil for JSON pages.
type format struct {
	name, media string
	writer      func(w *bufio.Writer, columns []sink.Column) (sink.Writer, error)
}

var formats = []format{
	{"json", "application/json", nil},
	{"ndjson", "application/x-ndjson", sinkWriter("jsonl")},
	{"csv", "text/csv", sinkWriter("csv")},
	{"arrow", "application/vnd.apache.arrow.stream", sinkWriter("arrow")},
	{"exact", exactMedia, newExactWriter},
}

func sinkWriter(name string) func(*bufio.Writer, []sink.Column) (sink.Writer, error) {
	return func(w *bufio.Writer, columns []sink.Column) (sink.Writer, error) {
		return sink.New(name, w, columns, sink.Options{})
	}
}

// formatOf reads the parameter format, else the header Accept.
func formatOf(r *http.Request, params url.Values) (format, error) {
	names := make([]string, len(formats))
	for i, f := range formats {
		if names[i] = f.name; params.Get("format") == f.name {
			return f, nil
		}
	}
	if params.Has("format") {
		return format{}, newFault(http.StatusBadRequest, "request", "there is no format %q", params.Get("format")).
			where("query", "format").hint("known: %s", strings.Join(names, ", "))
	}
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return formats[0], nil
	}
	for _, item := range strings.Split(accept, ",") {
		media, options, err := mime.ParseMediaType(item)
		if err != nil || options["q"] == "0" {
			continue
		}
		for _, f := range formats {
			group, _, _ := strings.Cut(f.media, "/")
			if media == f.media || media == "*/*" || media == group+"/*" {
				return f, nil
			}
		}
	}
	return format{}, newFault(http.StatusNotAcceptable, "not_acceptable", "there is no format of the type %q", accept).
		where("header", "Accept").hint("or name one with ?format=: %s", strings.Join(names, ", "))
}

// part says what of a result is asked for, and how.
type part struct {
	format format
	from   int64
	rows   int64         // 0: the format's default, a page or all
	wait   time.Duration // for the first rows, where the query still runs
}

// results is GET /api/v1/queries/{id}/results.
func (h *handler) results(w *response, r *http.Request) error {
	params, err := parameters(r, "format", "from", "rows", "wait_ms")
	if err != nil {
		return err
	}
	p := part{}
	if p.format, err = formatOf(r, params); err != nil {
		return err
	}
	if p.from, err = number(params, "from", 0, 0, math.MaxInt64); err != nil {
		return err
	}
	most := int64(math.MaxInt64)
	if p.format.writer == nil {
		most = maxRows
	}
	if p.rows, err = number(params, "rows", 0, 1, most); err != nil {
		return err
	}
	if p.wait, err = waiting(params, defaultWait); err != nil {
		return err
	}
	q, err := h.Service.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return h.result(w, r, q, p)
}

// result answers with a part of a query's result, or why there is none.
func (h *handler) result(w *response, r *http.Request, q service.Query, p part) error {
	if q.Err != nil {
		return queryFault(show(q, h.Now()))
	}
	header := w.Header()
	header.Set("Content-Type", p.format.media)
	if q.State == service.Succeeded {
		if q.Expires.IsZero() {
			return service.ErrExpired
		}
		tag := fmt.Sprintf(`"%s.%s.%d.%d"`, q.ID, p.format.name, p.from, p.rows) // a result that is whole never changes
		header.Set("ETag", tag)
		for given := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
			if given = strings.TrimSpace(given); given == tag || given == "W/"+tag {
				w.WriteHeader(http.StatusNotModified)
				return nil
			}
		}
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	if p.format.writer == nil {
		return h.page(w, r, q, p)
	}
	return h.stream(w, r, q, p)
}

// rows reads from the service, which ends a page where it grows large; the error of a query comes with the query.
func (h *handler) rows(ctx context.Context, id string, from, rows int64) (service.Page, error) {
	page, err := h.Service.Page(ctx, id, from, rows)
	if err == nil {
		return page, nil
	}
	if q, getErr := h.Service.Get(ctx, id); getErr == nil && q.Err != nil {
		return page, queryFault(show(q, h.Now()))
	}
	return page, err
}

// page writes one JSON page: the query with "from", "rows" and "next".
func (h *handler) page(w *response, r *http.Request, q service.Query, p part) error {
	if p.rows == 0 {
		p.rows = defaultRows
	}
	ctx, cancel := r.Context(), context.CancelFunc(func() {})
	if !q.State.Done() {
		ctx, cancel = context.WithTimeout(ctx, p.wait)
	}
	defer cancel()
	page, err := h.rows(ctx, q.ID, p.from, p.rows)
	if err != nil && (!errors.Is(err, context.DeadlineExceeded) || r.Context().Err() != nil) {
		return err
	}
	// A page that was not full is filled with what is there by now, and not waited for.
	if q, err = h.Service.Get(r.Context(), q.ID); err != nil {
		return err
	}
	if q.Err != nil {
		return queryFault(show(q, h.Now()))
	}
	head, err := json.Marshal(show(q, h.Now()))
	if err != nil {
		return fmt.Errorf("writing the query: %w", err)
	}
	ready := min(q.Rows, p.from+p.rows)

	w.WriteHeader(http.StatusOK)
	out := bufio.NewWriterSize(w, 64<<10)
	out.Write(head[:len(head)-1])
	fmt.Fprintf(out, ",\"from\":%d,\"rows\":[", p.from)
	at, written := p.from, 0
	var line []byte
	for page.Rows > 0 {
		for _, b := range page.Batches {
			for row := 0; row < b.Len && written < pageBytes; row++ {
				line = line[:0]
				if at > p.from {
					line = append(line, ',')
				}
				line = append(line, "\n["...)
				for i, col := range b.Cols {
					if i > 0 {
						line = append(line, ',')
					}
					line = sqltype.AppendJSON(line, page.Columns[i].Type, col, row)
				}
				line = append(line, ']')
				if _, err := out.Write(line); err != nil {
					return err
				}
				written += len(line)
				at++
			}
		}
		if at >= ready || written >= pageBytes {
			break
		}
		if page, err = h.rows(r.Context(), q.ID, at, ready-at); err != nil {
			return err
		}
	}
	next := "null"
	if at < q.Rows || !q.State.Done() {
		next = fmt.Sprintf("%q", queryPath(q.ID)+"/results?from="+strconv.FormatInt(at, 10)+"&rows="+strconv.FormatInt(p.rows, 10))
	}
	out.WriteString("],\"next\":" + next + "}\n")
	return out.Flush()
}

// stream writes rows to the end, as they come where the query still runs. What fails on the way cuts the connection.
func (h *handler) stream(w *response, r *http.Request, q service.Query, p part) error {
	if p.rows == 0 {
		p.rows = math.MaxInt64
	}
	page, err := h.rows(r.Context(), q.ID, p.from, p.rows)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	to, err := p.format.writer(out, page.Columns)
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	for {
		for _, b := range page.Batches {
			if err := to.Write(b.Cols, b.Len); err != nil {
				return err
			}
		}
		p.from += page.Rows
		p.rows -= page.Rows
		if !page.More || p.rows == 0 {
			break
		}
		if err := errors.Join(out.Flush(), w.Flush()); err != nil {
			return err
		}
		if page, err = h.rows(r.Context(), q.ID, p.from, p.rows); err != nil {
			return err
		}
	}
	return errors.Join(to.Close(), out.Flush())
}
