package databricks_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
)

// faults is a wire that does its worst to one request in so many: it cuts the
// connection before or after the workspace has acted, answers 429, 500 or
// 503, cuts the answer short, or delivers the request twice.
type faults struct {
	mu   sync.Mutex
	rand *rand.Rand
	one  int
}

func newFaults(oneIn int) *faults { return &faults{rand: rand.New(rand.NewPCG(1, 2)), one: oneIn} }

func (f *faults) draw() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rand.IntN(f.one) != 0 {
		return -1
	}
	return f.rand.IntN(7)
}

func (f *faults) wire(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		serve := func(to http.ResponseWriter) {
			again := r.Clone(r.Context())
			again.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(to, again)
		}
		switch f.draw() {
		case 0: // cut before
			panic(http.ErrAbortHandler)
		case 1: // cut after: the answer is lost
			serve(httptest.NewRecorder())
			panic(http.ErrAbortHandler)
		case 2:
			w.Header().Set("Retry-After", "0")
			http.Error(w, `{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"too many"}`, http.StatusTooManyRequests)
		case 3: // acts, and says that it could not
			serve(httptest.NewRecorder())
			http.Error(w, `{"error_code":"INTERNAL_ERROR","message":"oops"}`, http.StatusInternalServerError)
		case 4: // the answer ends too early
			rec := httptest.NewRecorder()
			serve(rec)
			text := rec.Body.Bytes()
			w.WriteHeader(rec.Code)
			_, _ = w.Write(text[:len(text)/2]) // a client that is gone
		case 5: // delivered twice
			serve(httptest.NewRecorder())
			serve(w)
		case 6:
			http.Error(w, "<html>down for maintenance</html>", http.StatusServiceUnavailable)
		default:
			serve(w)
		}
	})
}
