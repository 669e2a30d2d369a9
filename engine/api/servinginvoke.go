package api

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"flowctl/engine/serving"
	"flowctl/engine/workspace"
)

// maxInvocation bounds what is asked of a model. A workspace takes 16 MB.
const maxInvocation = 64 << 20

// invoke asks a model. Which entity answered is told in the header that a
// workspace tells it in.
func (s *Server) invoke(w http.ResponseWriter, r *http.Request) {
	v, err := s.endpoint(r, workspace.CanQuery)
	if err != nil {
		writeError(w, err)
		return
	}
	ans, entity, err := s.Serving.Invoke(r.Context(), v.Namespace, v.endpoint.Name, r.PathValue("entity"), serving.Request{
		ContentType: r.Header.Get("Content-Type"), Body: patient(w, r, maxInvocation),
	})
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", ans.ContentType)
	w.Header().Set("served-model-name", entity)
	w.WriteHeader(ans.Status)
	_, _ = w.Write(ans.Body) // a client that is gone hears nothing
}

// endpointMetrics writes what an endpoint's entities have answered, as
// Prometheus reads it.
func (s *Server) endpointMetrics(w http.ResponseWriter, r *http.Request) {
	v, err := s.endpoint(r, workspace.CanView)
	if err != nil {
		writeError(w, err)
		return
	}
	counts := s.Serving.Counts(v.endpoint)
	var b strings.Builder
	for _, m := range []struct {
		name, help string
		value      func(serving.Count) string
	}{
		{"request_count_total", "Requests answered.", func(c serving.Count) string { return fmt.Sprint(c.Requests) }},
		{"request_5xx_count_total", "Requests that ended in an error of the model.", func(c serving.Count) string { return fmt.Sprint(c.Errors) }},
		{"request_latency_seconds_total", "Seconds that all answers took together.", func(c serving.Count) string { return fmt.Sprintf("%.6f", c.Seconds) }},
	} {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s counter\n", m.name, m.help, m.name)
		for _, entity := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&b, "%s{endpoint_name=%q,served_model_name=%q} %s\n", m.name, v.endpoint.Name, entity, m.value(counts[entity]))
		}
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_, _ = w.Write([]byte(b.String())) // a client that is gone hears nothing
}
