// Package api is the Jobs API of Databricks over an engine: one file per
// resource, wire.go for the translation between our records and the wire's
// shapes. It decides nothing about jobs and never meets the store.
//
// Beside the Databricks paths there are a few under /flowctl/, for flowctl's
// own command line on the same machine: to submit a job file with the place of
// its code, to take up a run, and to follow the journal. Start reading at
// Handler.
package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"flowctl/engine"
)

// Server answers the Jobs API from an engine.
type Server struct {
	Engine *engine.Engine
	// Base is the address that run_page_url begins with; empty: none is given.
	Base string
	// User is who acts when a request names nobody.
	User string
	Log  *slog.Logger
}

// maxBody bounds a request's body.
const maxBody = 16 << 20

// Handler is the whole API. Who may call it is the caller's concern.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, v := range []string{"2.0", "2.1", "2.2"} {
		p := "/api/" + v + "/jobs/"
		mux.Handle("GET "+p+"runs/get", handle(s.runsGet))
		mux.Handle("GET "+p+"runs/list", handle(s.runsList))
		mux.Handle("GET "+p+"runs/get-output", handle(s.runsGetOutput))
		mux.Handle("POST "+p+"runs/cancel", handle(s.runsCancel))
		mux.Handle("POST "+p+"runs/delete", handle(s.runsDelete))
		mux.Handle("POST "+p+"runs/repair", handle(s.runsRepair))
	}
	mux.Handle("POST /flowctl/v1/submit", handle(s.submit))
	mux.Handle("POST /flowctl/v1/resume", handle(s.resume))
	mux.HandleFunc("GET /flowctl/v1/watch", s.watch)
	mux.Handle("GET /flowctl/v1/seq", handle(s.seq))
	mux.Handle("GET /flowctl/v1/log", handle(s.log))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &apiError{http.StatusNotFound, "ENDPOINT_NOT_FOUND", fmt.Sprintf("No API found for '%s %s'", r.Method, r.URL.Path)})
	})
	return mux
}

// handle makes a handler of a function: the query of a GET, or the JSON body,
// is read into Req; the answer or the error is written as JSON.
func handle[Req, Resp any](fn func(ctx context.Context, q Req) (Resp, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q Req
		if err := decode(w, r, &q); err != nil {
			writeError(w, err)
			return
		}
		resp, err := fn(r.Context(), q)
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, resp)
	})
}

func decode(w http.ResponseWriter, r *http.Request, q any) error {
	var body []byte
	if r.Method == http.MethodGet {
		body = queryJSON(r.URL.Query())
	} else {
		var err error
		if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
			return &apiError{http.StatusRequestEntityTooLarge, "MALFORMED_REQUEST", fmt.Sprintf("The request body cannot be read or has more than %d bytes.", maxBody)}
		}
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	err := json.Unmarshal(body, q)
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &typ):
		return &apiError{http.StatusBadRequest, "INVALID_PARAMETER_VALUE", fmt.Sprintf("%s: %s is expected, not %s.", typ.Field, typ.Type, typ.Value)}
	case err != nil:
		return &apiError{http.StatusBadRequest, "MALFORMED_REQUEST", fmt.Sprintf("Could not parse request object: %v", err)}
	}
	return nil
}

// queryJSON writes a query as a JSON object: numbers and booleans bare, so
// that one set of types serves both.
func queryJSON(v url.Values) []byte {
	o := map[string]json.RawMessage{}
	for k := range v {
		text := v.Get(k)
		if raw := []byte(text); text == "true" || text == "false" || isNumber(text) {
			o[k] = raw
		} else if quoted, err := json.Marshal(text); err == nil {
			o[k] = quoted
		}
	}
	out, err := json.Marshal(o)
	if err != nil {
		return nil
	}
	return out
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(strings.TrimPrefix(s, "-"), "0123456789") == "" && json.Valid([]byte(s))
}

// apiError is an error of the API's own.
type apiError struct {
	status  int
	code    string
	message string
}

func (e *apiError) Error() string { return e.message }

// writeError answers with the error's code and message. What is not meant for
// users is told as an internal error.
func writeError(w http.ResponseWriter, err error) {
	status, code, msg := http.StatusInternalServerError, "INTERNAL_ERROR", err.Error()
	var own *apiError
	var refusal *engine.Error
	switch {
	case errors.As(err, &own):
		status, code = own.status, own.code
	case errors.As(err, &refusal):
		code = string(refusal.Code)
		status = statusFor(refusal.Code)
	}
	writeJSON(w, status, map[string]string{"error_code": code, "message": msg})
}

// statusFor is the HTTP status of an error code.
func statusFor(c engine.Code) int {
	switch c {
	case engine.DoesNotExist:
		return http.StatusNotFound
	case engine.PermissionDenied:
		return http.StatusForbidden
	case engine.LimitExceeded:
		return http.StatusTooManyRequests
	case engine.Unavailable:
		return http.StatusServiceUnavailable
	case engine.Internal:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error_code":"INTERNAL_ERROR","message":"the answer cannot be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone hears nothing
}
