package rest

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// How long a body may take to come, and one write of an answer to go. A client that reads no more is given up, so that it holds nothing.
const (
	defaultBodyTime = 15 * time.Second
	defaultStall    = 30 * time.Second
)

// response is what handlers write to: it knows whether an answer was begun, and gives each write a new deadline.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	status  int // 0: nothing written yet
}

func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.patience()
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.patience()
	return w.ResponseWriter.Write(b)
}

// Flush sends what was written.
func (w *response) Flush() error {
	w.patience()
	return w.control.Flush()
}

// patience renews the deadline of writing; sockets know the system's clock only. A recorder in a test has no deadlines.
func (w *response) patience() { _ = w.control.SetWriteDeadline(time.Now().Add(w.stall)) }

// ServeHTTP lets a request through to its route if nothing speaks against it, and outlives it.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &response{ResponseWriter: w, control: http.NewResponseController(w), stall: h.stall}
	_, pattern := h.mux.Handler(r)
	done := h.metrics.begin(pattern, r.Method, h.Now())
	defer func() {
		p := recover()
		aborted, _ := p.(error)
		switch {
		case p == nil:
		case errors.Is(aborted, http.ErrAbortHandler):
		case out.status == 0:
			h.Log.Printf("%s: %v\n%s", pattern, p, debug.Stack())
			h.fail(out, newFault(http.StatusInternalServerError, "internal", "the server failed to answer").hint("this is a defect: please report it"))
			p = nil
		default:
			h.Log.Printf("%s: %v\n%s", pattern, p, debug.Stack())
			p = http.ErrAbortHandler
		}
		done(out.status, h.Now())
		if p != nil {
			panic(p)
		}
	}()

	header := out.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Referrer-Policy", "no-referrer")
	if r.TLS != nil {
		header.Set("Strict-Transport-Security", "max-age=31536000")
	}
	if r.Body != nil && r.Body != http.NoBody {
		_ = out.control.SetReadDeadline(time.Now().Add(h.bodyTime)) // holds for what the server drops of the body, too
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	}

	if f := h.refuse(r, pattern); f != nil {
		h.fail(out, f)
		return
	}
	if open(pattern) {
		h.mux.ServeHTTP(out, r)
		return
	}
	select {
	case h.free <- struct{}{}:
		defer func() { <-h.free }()
	default:
		h.fail(out, newFault(http.StatusTooManyRequests, "busy", "the server answers %d requests already", h.Requests))
		return
	}
	if pattern == "" {
		h.fail(out, h.missing(r))
		return
	}
	h.mux.ServeHTTP(out, r)
}

func open(pattern string) bool {
	for _, r := range routes {
		if r.open && pattern == r.method+" "+r.path {
			return true
		}
	}
	return false
}

// refuse says what speaks against a request: the name it calls the server by, where it comes from, what it shows.
func (h *handler) refuse(r *http.Request, pattern string) *fault {
	if !h.hosts[hostName(r.Host)] {
		// A page of a stranger whose name was made to point here (DNS rebinding) calls the server by that name.
		return newFault(http.StatusMisdirectedRequest, "forbidden", "this server does not go by the name %q", hostName(r.Host)).
			where("header", "Host").hint("call it localhost, or start it with --host NAME")
	}
	if err := h.origin.Check(r); err != nil {
		name := "Origin"
		if r.Header.Get("Sec-Fetch-Site") != "" {
			name = "Sec-Fetch-Site"
		}
		return newFault(http.StatusForbidden, "forbidden", "a page of another site sent this request").where("header", name)
	}
	if open(pattern) {
		return nil
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if scheme == "" {
		return newFault(http.StatusUnauthorized, "unauthorized", "the request shows no token").
			where("header", "Authorization").hint(`send "Authorization: Bearer TOKEN"`)
	}
	got := digest(strings.TrimSpace(token))
	if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], h.token[:]) != 1 || h.Token == "" {
		return newFault(http.StatusUnauthorized, "unauthorized", "the token is not this server's").
			where("header", "Authorization").hint(`send "Authorization: Bearer TOKEN"`)
	}
	return nil
}

// digest makes tokens equally long, so that comparing them tells nothing of their length.
func digest(token string) [32]byte { return sha256.Sum256([]byte(token)) }

func hostNames(more []string) map[string]bool {
	names := map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true}
	for _, name := range more {
		if name = hostName(name); name != "" {
			names[name] = true
		}
	}
	return names
}

// hostName is the name of a Host header without port, brackets and case.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
