package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// How often progress is looked at, and how long a connection may be silent.
const (
	progressEvery  = 200 * time.Millisecond
	heartbeatEvery = 15 * time.Second
)

// events is GET /api/v1/queries/{id}/events, server-sent events: "progress" whenever the query looks different, and "done" as the last. The
// data is the query. Ids count on from Last-Event-ID; who comes back gets the query as it is now, so that nothing has to be kept for them.
func (h *handler) events(w *response, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	id := r.PathValue("id")
	q, err := h.Service.Get(r.Context(), id)
	if err != nil {
		return err
	}
	number, _ := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 63)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	var last []byte
	sent := h.Now()
	for {
		data, err := json.Marshal(show(q, h.Now()))
		if err != nil {
			return fmt.Errorf("writing the query: %w", err)
		}
		name := "progress"
		if q.State.Done() {
			name = "done"
		}
		switch {
		case !bytes.Equal(data, last):
			number++
			_, err = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", number, name, data)
			last, sent = data, h.Now()
		case h.Now().Sub(sent) >= heartbeatEvery:
			_, err = fmt.Fprint(w, ":\n\n")
			sent = h.Now()
		}
		if err == nil {
			err = w.Flush()
		}
		if err != nil || q.State.Done() {
			return err
		}
		if q, err = h.wait(r.Context(), id, progressEvery); err != nil {
			return err
		}
		if err := r.Context().Err(); err != nil {
			return err
		}
	}
}
