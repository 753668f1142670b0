package shell

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/trailql/trailql/engine/figure"
	"github.com/trailql/trailql/engine/service"
)

// A statement that is over soon shows no progress: it would only flicker.
const (
	patience = 300 * time.Millisecond
	tick     = 100 * time.Millisecond
)

// watch shows on the terminal how far rows are, until the func it returns is called; then the line is gone. It may be called twice.
func (s *Session) watch(rows Rows) (hide func()) {
	if s.config.Progress == nil {
		return func() {}
	}
	begun := time.Now()
	stop, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		timer := time.NewTimer(patience)
		defer timer.Stop()
		shown := false
		for {
			select {
			case <-stop:
				if shown {
					fmt.Fprint(s.config.Errs, "\r\x1b[K")
				}
				return
			case <-timer.C:
				width, _ := s.config.Progress()
				line := runewidth.Truncate(progress(rows, time.Since(begun)), max(width-1, 0), "…")
				fmt.Fprint(s.config.Errs, "\r"+line+"\x1b[K")
				shown = true
				timer.Reset(tick)
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(stop)
		<-gone
	})
}

// progress is one line about a statement that runs.
func progress(rows Rows, since time.Duration) string {
	clock := since.Truncate(100 * time.Millisecond).String()
	if rows.Query().State == service.Queued {
		return "waiting for other queries, " + clock
	}
	var parts []string
	st := rows.Stats()
	if st.Morsels > 0 {
		parts = append(parts, fmt.Sprintf("%d %%", 100*st.MorselsDone/st.Morsels))
	}
	parts = append(parts, clock, fmt.Sprintf("%s rows, %s read", figure.Count(st.RowsRead), figure.Bytes(st.BytesRead)))
	if st.FilesPruned > 0 {
		parts = append(parts, fmt.Sprintf("%s of %s files skipped", figure.Count(st.FilesPruned), figure.Count(st.Files)))
	}
	return strings.Join(append(parts, "Ctrl-C cancels"), " · ")
}
