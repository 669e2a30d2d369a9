package main

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"flowctl/engine"
	"flowctl/engine/jobrun"
)

// metrics are the daemon's numbers for Prometheus. What runs and tasks did is
// counted from the journal, so that nothing else has to think of it.
type metrics struct {
	registry *prometheus.Registry
	runs     *prometheus.CounterVec
	attempts *prometheus.CounterVec
	commit   prometheus.Histogram
	waited   prometheus.Histogram
	late     prometheus.Histogram
	requests *prometheus.HistogramVec
}

func newMetrics() *metrics {
	// From a hundred microseconds to about six and a half seconds.
	buckets := prometheus.ExponentialBuckets(1e-4, 2, 17)
	m := &metrics{
		registry: prometheus.NewRegistry(),
		runs:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flowctl_runs_total", Help: "Job runs that ended since the daemon started, by result."}, []string{"result"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flowctl_attempts_total", Help: "Attempts of tasks that ended since the daemon started, by result."}, []string{"result"}),
		commit:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "flowctl_commit_seconds", Help: "Time to write a batch of changes to the store.", Buckets: buckets}),
		waited:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "flowctl_loop_wait_seconds", Help: "Time that a call waited for the engine's loop.", Buckets: buckets}),
		late:     prometheus.NewHistogram(prometheus.HistogramOpts{Name: "flowctl_fire_late_seconds", Help: "How long after its scheduled time a run was made.", Buckets: prometheus.ExponentialBuckets(1e-3, 4, 12)}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "flowctl_request_seconds", Help: "Time to answer a request of the API, by method and status.", Buckets: buckets}, []string{"method", "status"}),
	}
	m.registry.MustRegister(m.runs, m.attempts, m.commit, m.waited, m.late, m.requests, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) meter() engine.Meter {
	return engine.Meter{
		Commit: func(d time.Duration) { m.commit.Observe(d.Seconds()) },
		Waited: func(d time.Duration) { m.waited.Observe(d.Seconds()) },
	}
}

// observe begins to count what an engine does.
func (m *metrics) observe(ctx context.Context, e *engine.Engine, log *slog.Logger) {
	gauge := func(name, help string, value func(engine.Load) int) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			l, err := e.Load(ctx)
			if err != nil {
				return 0 // it is stopping
			}
			return float64(value(l))
		}))
	}
	gauge("flowctl_runs_active", "Job runs under way.", func(l engine.Load) int { return l.Active })
	gauge("flowctl_runs_queued", "Job runs that wait for other runs of their job.", func(l engine.Load) int { return l.Queued })
	gauge("flowctl_attempts_running", "Attempts of tasks that are running.", func(l engine.Load) int { return l.Running })
	gauge("flowctl_attempts_waiting", "Attempts of tasks that wait for a free slot.", func(l engine.Load) int { return l.Waiting })
	seq, err := e.Seq()
	if err != nil {
		log.Error("count what the engine does", "error", err)
		return
	}
	go func() {
		for entry, err := range e.Watch(ctx, seq) {
			if err != nil {
				log.Error("count what the engine does", "error", err)
				return
			}
			m.entry(entry)
		}
	}()
}

// entry counts one entry of the journal.
func (m *metrics) entry(e jobrun.Entry) {
	if e.Run != nil && e.Run.State == jobrun.Terminated {
		m.runs.WithLabelValues(string(e.Run.Result)).Inc()
	}
	for _, c := range e.Changes {
		if c.Status.State == jobrun.Terminated {
			m.attempts.WithLabelValues(string(c.Status.Result)).Inc()
		}
	}
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// count measures every request.
func (m *metrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(s, r)
		m.requests.WithLabelValues(knownMethod(r.Method), strconv.Itoa(s.status)).Observe(time.Since(began).Seconds())
	})
}

// knownMethod keeps clients from making up series.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return method
	}
	return "other"
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
