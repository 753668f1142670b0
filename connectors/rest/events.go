package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/trailql/trailql/engine"
	"github.com/trailql/trailql/engine/service"
)

// How often progress is looked at, and how often it is told even if there is none, so that who listens knows that the connection lives.
const (
	progressEvery  = 200 * time.Millisecond
	heartbeatEvery = time.Second
)

// events is GET /api/v1/queries/{id}/events, server-sent events: "progress" while the query waits and runs, "done" as the last. The data is the
// query. Ids count on from Last-Event-ID; who comes back gets the query as it is now, so that nothing has to be kept for them.
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
	type progress struct {
		state service.State
		rows  int64
		stats engine.Stats
	}
	var last progress
	var sent time.Time
	for {
		now := progress{q.State, q.Rows, q.Stats}
		now.stats.Elapsed = 0 // the clock alone is no progress
		if now != last || h.Now().Sub(sent) >= heartbeatEvery {
			last, sent = now, h.Now()
			data, err := json.Marshal(show(q, sent))
			if err != nil {
				return fmt.Errorf("writing the query: %w", err)
			}
			name := "progress"
			if q.State.Done() {
				name = "done"
			}
			number++
			if _, err = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", number, name, data); err == nil {
				err = w.Flush()
			}
			if err != nil || q.State.Done() {
				return err
			}
		}
		if q, err = h.wait(r.Context(), id, progressEvery); err != nil {
			return err
		}
		if err := r.Context().Err(); err != nil {
			return err
		}
	}
}
