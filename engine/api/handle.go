package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
)

// maxBody bounds the body of a request in JSON.
const maxBody = 16 << 20

// handle makes a handler of a function: the query of a GET, or the JSON body,
// is read into Req; the answer or the error is written as JSON.
func handle[Req, Resp any](fn func(ctx context.Context, q Req) (Resp, error)) http.Handler {
	return answering(func(w http.ResponseWriter, r *http.Request) (any, error) {
		var q Req
		if err := decode(w, r, &q); err != nil {
			return nil, err
		}
		return fn(r.Context(), q)
	})
}

// answering makes a handler of a function whose answer, or error, is written as
// JSON. The function itself writes nothing: w is for reading the body.
func answering(fn func(w http.ResponseWriter, r *http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ans, err := fn(w, r)
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, http.StatusOK, ans)
	})
}

// decode reads a request into q. Fields that q does not have are ignored, and
// no body is an empty object.
func decode(w http.ResponseWriter, r *http.Request, q any) error {
	var body []byte
	if r.Method == http.MethodGet {
		body = queryJSON(r.URL.Query(), reflect.TypeOf(q).Elem())
	} else {
		var err error
		if body, err = io.ReadAll(patient(w, r, maxBody)); err != nil {
			return bodyError(err)
		}
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	err := json.Unmarshal(body, q)
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &typ):
		return &apiError{status: http.StatusBadRequest, code: "INVALID_PARAMETER_VALUE", message: fmt.Sprintf("%s: %s is expected, not %s.", typ.Field, typ.Type, typ.Value)}
	case err != nil:
		return &apiError{status: http.StatusBadRequest, code: "MALFORMED_REQUEST", message: fmt.Sprintf("Could not parse request object: %v", err)}
	}
	return nil
}

// queryJSON writes a query as a JSON object that t can be read from, so that
// one set of types serves both: what t has as text stays text, though it may
// look like a number. Of everything else an empty value is none, and yes and no
// come in any case (seen of Airflow: page_token=&expand_tasks=False).
func queryJSON(v url.Values, t reflect.Type) []byte {
	text := map[string]bool{}
	textFields(t, text)
	o := map[string]json.RawMessage{}
	for k := range v {
		value := v.Get(k)
		if lower := strings.ToLower(value); !text[k] && (lower == "true" || lower == "false") {
			value = lower
		}
		if value == "" && !text[k] {
			continue
		}
		if raw := []byte(value); !text[k] && (value == "true" || value == "false" || isNumber(value)) {
			o[k] = raw
		} else if quoted, err := json.Marshal(value); err == nil {
			o[k] = quoted
		}
	}
	out, err := json.Marshal(o)
	if err != nil {
		return nil
	}
	return out
}

// textFields notes the names of the fields of t that are strings.
func textFields(t reflect.Type, into map[string]bool) {
	if t.Kind() != reflect.Struct {
		return
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			textFields(f.Type, into)
		case f.Type.Kind() == reflect.String:
			into[name] = true
		}
	}
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(strings.TrimPrefix(s, "-"), "0123456789") == "" && json.Valid([]byte(s))
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
