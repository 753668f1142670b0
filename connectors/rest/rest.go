// Package rest is the query endpoint over HTTP, server and Go client: statements
// in, pages or streams of rows out. What programs see is fixed by openapi.json.
//
// The server trusts nobody: a token opens it, the Host header must be a name that
// it goes by, browsers' cross-origin requests are refused, and bodies, headers,
// waiting and writing are bounded.
package rest

import (
	"errors"
	"io"
	"log"
	"net/http"
	"time"

	"github.com/trailql/trailql/engine/service"
)

// Config of a server.
type Config struct {
	Service  *service.Service
	Token    string           // what askers must show as "Authorization: Bearer …"; "" lets nobody in
	Hosts    []string         // names, beside those of the loopback, by which clients may call the server; without port
	Version  string           // of the program, for the metrics
	Requests int              // answered at once; more are told to come again. 0: 512
	Now      func() time.Time // the clock; nil: the system's
	Log      *log.Logger      // defects: handlers that panicked; nil: nowhere
}

// handler is the server. Every request passes ServeHTTP (guard.go), then the route's function.
type handler struct {
	Config
	mux     *http.ServeMux
	token   [32]byte
	hosts   map[string]bool
	origin  *http.CrossOriginProtection
	free    chan struct{} // a place for each request that may be answered at once
	metrics *metrics

	bodyTime, stall time.Duration // how long a body may take to come, and one write of an answer
}

// route is one of the mux. An error that a function returns before it wrote anything becomes the answer; later it cuts the connection.
type route struct {
	method, path string
	open         bool // without a token
	serve        func(*handler, *response, *http.Request) error
}

var routes = []route{
	{"POST", "/api/v1/queries", false, (*handler).submit},
	{"GET", "/api/v1/queries", false, (*handler).history},
	{"GET", "/api/v1/queries/{id}", false, (*handler).query},
	{"DELETE", "/api/v1/queries/{id}", false, (*handler).cancel},
	{"GET", "/api/v1/queries/{id}/results", false, (*handler).results},
	{"GET", "/api/v1/queries/{id}/events", false, (*handler).events},
	{"GET", "/api/v1/openapi.json", false, (*handler).openAPI},
	{"GET", "/metrics", false, (*handler).serveMetrics},
	{"GET", "/healthz", true, (*handler).health},
}

// Handler returns the endpoint over a service. It has to be served by Server, which sets the deadlines that a handler cannot.
func Handler(c Config) http.Handler {
	if c.Requests == 0 {
		c.Requests = 512
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = log.New(io.Discard, "", 0)
	}
	h := &handler{
		Config: c, mux: http.NewServeMux(), token: digest(c.Token), hosts: hostNames(c.Hosts),
		origin: http.NewCrossOriginProtection(), free: make(chan struct{}, c.Requests), metrics: newMetrics(c),
		bodyTime: defaultBodyTime, stall: defaultStall,
	}
	for _, r := range routes {
		h.mux.HandleFunc(r.method+" "+r.path, func(w http.ResponseWriter, req *http.Request) {
			out := w.(*response)
			if err := r.serve(h, out, req); err != nil {
				if out.status != 0 {
					panic(http.ErrAbortHandler) // a broken stream must not look like its end
				}
				h.fail(out, err)
			}
		})
	}
	return h
}

// Server returns an HTTP server for a handler, with its limits of time and size set.
func Server(h http.Handler, errs *log.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          errs,
	}
}

func (h *handler) health(w *response, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// missing answers what no route takes: 405 with the methods that the path knows, else 404.
func (h *handler) missing(r *http.Request) *fault {
	nothing, _ := h.mux.Handler(r)
	probe := &probe{header: http.Header{}}
	nothing.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		f := newFault(http.StatusMethodNotAllowed, "method", "%s does not take %s", r.URL.Path, r.Method)
		f.allow = probe.header.Get("Allow")
		f.Hint = "it takes " + f.allow
		return f
	}
	f := newFault(http.StatusNotFound, "not_found", "there is nothing at %s", r.URL.Path)
	f.Hint = "/api/v1/openapi.json lists what there is"
	return f
}

// probe takes an answer's status and header only.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) WriteHeader(status int)      { p.status = status }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }

// fail answers with an error.
func (h *handler) fail(w *response, err error) {
	var f *fault
	if !errors.As(err, &f) {
		f = serviceFault(err)
	}
	if f.allow != "" {
		w.Header().Set("Allow", f.allow)
	}
	switch f.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="trailql"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	if err := writeJSON(w, f.status, f.body()); err != nil {
		panic(http.ErrAbortHandler)
	}
}
