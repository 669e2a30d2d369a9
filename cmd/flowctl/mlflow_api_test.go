package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// Installing MLflow takes longer than clients wait for an answer: they hear
// that it is on its way, in the words that make them ask again.
func TestMLflowOnItsWay(t *testing.T) {
	server := &mlflowServer{begun: make(chan struct{})}
	server.say("building environment with pip (15 s): Downloading pandas")
	m := &mlflowAPI{ctx: t.Context(), server: server}

	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/2.0/mlflow/experiments/create", nil))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	var said map[string]string
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &said))
	require.Equal(t, "TEMPORARILY_UNAVAILABLE", said["error_code"])
	require.Contains(t, said["message"], "Downloading pandas")

	server.proxy = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	close(server.begun)
	m.patience = mlflowPatience
	w = httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/api/2.0/mlflow/experiments/create", nil))
	require.Equal(t, http.StatusTeapot, w.Code)
}
