package rest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/trailql/trailql/engine/service"
)

// metrics of one server, in a registry of its own.
type metrics struct {
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	running  prometheus.Gauge
	page     http.Handler
}

func newMetrics(c Config) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "trailql_http_requests_total", Help: "Requests answered."},
			[]string{"route", "method", "code"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "trailql_http_request_seconds",
			Help: "Time until requests were answered, waiting and streaming included.", Buckets: []float64{.005, .02, .1, .5, 2, 10, 60}},
			[]string{"route"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "trailql_http_requests_running", Help: "Requests that are being answered."}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "trailql_build_info", Help: "1; the label says which version runs.",
		ConstLabels: prometheus.Labels{"version": c.Version}})
	build.Set(1)
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.requests, m.took, m.running, build, totals{c.Service},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.page = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return m
}

// begin counts a request; what it returns is called with the status of the answer. Labels are routes and known methods, never what clients made up.
func (m *metrics) begin(pattern, method string, now time.Time) func(status int, now time.Time) {
	_, path, found := strings.Cut(pattern, " ")
	if !found {
		path = "other"
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete:
	default:
		method = "other"
	}
	m.running.Inc()
	return func(status int, end time.Time) {
		m.running.Dec()
		m.requests.WithLabelValues(path, method, strconv.Itoa(status)).Inc()
		m.took.WithLabelValues(path).Observe(end.Sub(now).Seconds())
	}
}

func (h *handler) serveMetrics(w *response, r *http.Request) error {
	h.metrics.page.ServeHTTP(w, r)
	return nil
}

// totals collects what the service counts.
type totals struct{ service *service.Service }

var (
	describe = func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	ended        = describe("trailql_queries_total", "Queries that ended.", "state")
	fromCache    = describe("trailql_queries_from_cache_total", "Queries answered by an earlier result.")
	refused      = describe("trailql_queries_refused_total", "Queries refused because too many were waiting.")
	queuedNow    = describe("trailql_queries_queued", "Queries that wait.")
	runningNow   = describe("trailql_queries_running", "Queries that run.")
	rowsRead     = describe("trailql_rows_read_total", "Rows read from the lake.")
	bytesRead    = describe("trailql_bytes_read_total", "Compressed bytes read from the lake.")
	resultRows   = describe("trailql_result_rows_total", "Rows of results.")
	resultsKept  = describe("trailql_results_kept", "Results kept now.")
	resultsBytes = describe("trailql_results_kept_bytes", "Bytes of the results kept now.")
)

func (totals) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{ended, fromCache, refused, queuedNow, runningNow, rowsRead, bytesRead, resultRows, resultsKept, resultsBytes} {
		to <- d
	}
}

func (t totals) Collect(to chan<- prometheus.Metric) {
	n := t.service.Totals()
	for _, m := range []struct {
		desc   *prometheus.Desc
		kind   prometheus.ValueType
		value  int64
		labels []string
	}{
		{ended, prometheus.CounterValue, n.Succeeded, []string{string(service.Succeeded)}},
		{ended, prometheus.CounterValue, n.Failed, []string{string(service.Failed)}},
		{ended, prometheus.CounterValue, n.Cancelled, []string{string(service.Cancelled)}},
		{fromCache, prometheus.CounterValue, n.FromCache, nil},
		{refused, prometheus.CounterValue, n.Refused, nil},
		{queuedNow, prometheus.GaugeValue, n.Queued, nil},
		{runningNow, prometheus.GaugeValue, n.Running, nil},
		{rowsRead, prometheus.CounterValue, n.RowsRead, nil},
		{bytesRead, prometheus.CounterValue, n.BytesRead, nil},
		{resultRows, prometheus.CounterValue, n.ResultRows, nil},
		{resultsKept, prometheus.GaugeValue, n.Results, nil},
		{resultsBytes, prometheus.GaugeValue, n.ResultBytes, nil},
	} {
		to <- prometheus.MustNewConstMetric(m.desc, m.kind, float64(m.value), m.labels...)
	}
}
