package rest

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/trailql/trailql/engine/service"
)

// submit is POST /api/v1/queries: the result if it is there in time, else where to ask for it.
func (h *handler) submit(w *response, r *http.Request) error {
	params, err := parameters(r, "format")
	if err != nil {
		return err
	}
	format, err := formatOf(r, params)
	if err != nil {
		return err
	}
	in, err := readSubmission(w, r)
	if err != nil {
		return err
	}
	user, _, _ := net.SplitHostPort(r.RemoteAddr) // one token opens the server: all that is known of its askers
	q, err := h.Service.Submit(r.Context(), service.Request{
		SQL: in.SQL, Params: in.Params, Session: in.Session, User: user, Source: in.Source, Fresh: in.Fresh,
		MaxBytes: in.MaxBytes, MaxRows: in.MaxRows, MaxTime: time.Duration(in.maxTimeMS) * time.Millisecond,
	})
	if err != nil {
		return err
	}
	id := q.ID
	q, err = h.wait(r.Context(), id, in.wait())
	if err == nil {
		err = r.Context().Err()
	}
	if err != nil {
		// The asker left and never learned the id: nobody will fetch this result.
		_ = h.Service.Cancel(context.WithoutCancel(r.Context()), id)
		return err
	}
	w.Header().Set("Location", queryPath(id))
	if !q.State.Done() || in.wait() == 0 { // who does not wait gets the query, however fast it was
		return writeJSON(w, http.StatusAccepted, show(q, h.Now()))
	}
	return h.result(w, r, q, part{format: format, rows: in.Rows})
}

// wait waits for a query's end, no longer than d.
func (h *handler) wait(ctx context.Context, id string, d time.Duration) (service.Query, error) {
	if d == 0 {
		return h.Service.Get(ctx, id)
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return h.Service.Wait(ctx, id)
}

func queryPath(id string) string { return "/api/v1/queries/" + url.PathEscape(id) }

// query is GET /api/v1/queries/{id}.
func (h *handler) query(w *response, r *http.Request) error {
	params, err := parameters(r, "wait_ms")
	if err != nil {
		return err
	}
	d, err := waiting(params, 0)
	if err != nil {
		return err
	}
	q, err := h.wait(r.Context(), r.PathValue("id"), d)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, show(q, h.Now()))
}

// cancel is DELETE /api/v1/queries/{id}; the answer is the query as it ended.
func (h *handler) cancel(w *response, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	if err := h.Service.Cancel(r.Context(), id); err != nil {
		return err
	}
	q, err := h.wait(r.Context(), id, time.Second)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, show(q, h.Now()))
}

// historyJSON is a page of the history.
type historyJSON struct {
	Queries []queryJSON `json:"queries"`
	Next    *string     `json:"next"`
}

// history is GET /api/v1/queries.
func (h *handler) history(w *response, r *http.Request) error {
	params, err := parameters(r, "limit", "before", "state", "user")
	if err != nil {
		return err
	}
	limit, err := number(params, "limit", 100, 1, 1000)
	if err != nil {
		return err
	}
	f := service.Filter{Before: params.Get("before"), Limit: int(limit), State: service.State(params.Get("state")), User: params.Get("user")}
	switch f.State {
	case "", service.Queued, service.Running, service.Succeeded, service.Failed, service.Cancelled:
	default:
		return newFault(http.StatusBadRequest, "request", "there is no state %q", f.State).where("query", "state").
			hint("known: queued, running, succeeded, failed, cancelled")
	}
	list, err := h.Service.History(r.Context(), f)
	if err != nil {
		return err
	}
	out := historyJSON{Queries: make([]queryJSON, len(list))}
	for i, q := range list {
		out.Queries[i] = show(q, h.Now())
	}
	if len(list) == f.Limit {
		params.Set("before", list[len(list)-1].ID)
		params.Set("limit", strconv.FormatInt(limit, 10))
		next := "/api/v1/queries?" + params.Encode()
		out.Next = &next
	}
	return writeJSON(w, http.StatusOK, out)
}
