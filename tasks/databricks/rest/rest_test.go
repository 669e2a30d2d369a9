package rest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/databricks/databricks-sdk-go/config"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/tasks/databricks/rest"
)

// wire is a network that a test makes up.
type wire func(r *http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

func over(t *testing.T, w wire) *rest.Client {
	t.Helper()
	c, err := rest.New(&config.Config{
		Host: "https://w.example.com", Token: "t", HTTPTransport: w, Loaders: []config.Loader{config.ConfigAttributes},
		HostMetadataResolver: func(context.Context, string) (*config.HostMetadata, error) { return nil, nil },
	})
	require.NoError(t, err)
	return c
}

func answer(status int, header http.Header, body string) (*http.Response, error) {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
}

var errCut = errors.New("no route to host")

// A workspace that is away for minutes is asked again, a client with patience
// asks until it answers, and it does not ask often.
func TestAwayForMinutes(t *testing.T) {
	for name, tt := range map[string]struct {
		away, patience time.Duration
		fails          bool
	}{
		"away for two minutes": {away: 2 * time.Minute},
		"away for too long":    {away: 6 * time.Minute, fails: true},
		"a run of days":        {away: 30 * time.Hour, patience: -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, tries := time.Now(), 0
				c := over(t, func(*http.Request) (*http.Response, error) {
					if tries++; time.Since(began) < tt.away {
						return nil, errCut
					}
					return answer(200, nil, `{"a":1}`)
				})
				c.Patience = tt.patience
				var troubles, good int
				c.Trouble = func(err error, _ time.Duration) {
					if err == nil {
						good++
						return
					}
					troubles++
				}
				var got struct{ A int }
				err := c.Get(t.Context(), "/x", nil, &got)
				assert.LessOrEqual(t, tries, 12+int(tt.away/(15*time.Second)), "half a minute apart, jitter halves that")
				if tt.fails {
					require.ErrorIs(t, err, errCut)
					assert.LessOrEqual(t, time.Since(began), 5*time.Minute)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, 1, got.A)
				assert.Equal(t, []int{tries - 1, 1}, []int{troubles, good})
			})
		})
	}
}

// A workspace says when to come back, in seconds or as a time by its own clock.
func TestRetryAfter(t *testing.T) {
	clock := time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC) // not ours
	at := func(d time.Duration) string { return clock.Add(d).Format(http.TimeFormat) }
	for name, tt := range map[string]struct {
		status int
		after  string
		want   time.Duration
	}{
		"seconds":         {429, "7", 7 * time.Second},
		"a date":          {503, at(90 * time.Second), 90 * time.Second},
		"a date gone by":  {503, at(-time.Hour), 0},
		"beyond reason":   {429, "86400", 10 * time.Minute},
		"a date too far":  {503, at(100 * time.Hour), 10 * time.Minute},
		"nothing, jitter": {503, "", 0},
		"rubbish":         {429, "soon", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				busy := true
				c := over(t, func(*http.Request) (*http.Response, error) {
					if busy {
						busy = false
						return answer(tt.status, http.Header{"Retry-After": {tt.after}, "Date": {clock.Format(http.TimeFormat)}}, `{"error_code":"REQUEST_LIMIT_EXCEEDED"}`)
					}
					return answer(200, nil, `{}`)
				})
				c.Patience = -1
				began := time.Now()
				require.NoError(t, c.Get(t.Context(), "/x", nil, nil))
				if tt.want > 0 {
					assert.Equal(t, tt.want, time.Since(began))
					return
				}
				assert.LessOrEqual(t, time.Since(began), 500*time.Millisecond)
			})
		})
	}
}

// What will not pass is not asked for again; a garbled answer is.
func TestRefusedAndGarbled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, status := range []int{400, 403, 404, 409, 501} {
			tries := 0
			c := over(t, func(*http.Request) (*http.Response, error) {
				tries++
				return answer(status, nil, `plain words`)
			})
			err := c.Get(t.Context(), "/x", nil, nil)
			var refused *rest.Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, []int{status, 1}, []int{refused.Status, tries})
			assert.Contains(t, refused.Message, "plain words")
		}
		tries := 0
		c := over(t, func(*http.Request) (*http.Response, error) {
			if tries++; tries < 3 {
				return answer(200, nil, `{"a":`)
			}
			return answer(200, nil, `{"a":2}`)
		})
		var got struct{ A int }
		require.NoError(t, c.Get(t.Context(), "/x", nil, &got))
		assert.Equal(t, []int{2, 3}, []int{got.A, tries})
	})
}

// A token that was renewed where it comes from is found after one refusal; one
// that is wrong is refused after one more try.
func TestLoginAgain(t *testing.T) {
	var seen []string
	renew := true
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		if r.Header.Get("Authorization") == "Bearer new" {
			_, _ = io.WriteString(w, `{}`)
			return
		}
		if renew {
			assert.NoError(t, os.Setenv("DATABRICKS_TOKEN", "new")) // t.Setenv puts the former one back
		}
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error_code":"UNAUTHENTICATED","message":"Token is expired"}`)
	}))
	defer web.Close()
	t.Setenv("DATABRICKS_CONFIG_FILE", os.DevNull)
	t.Setenv("DATABRICKS_HOST", web.URL)
	t.Setenv("DATABRICKS_TOKEN", "old")
	open := func() *rest.Client {
		c, err := rest.Open("", "")
		require.NoError(t, err)
		c.First = time.Millisecond
		return c
	}
	require.NoError(t, open().Get(t.Context(), "/x", nil, nil))
	assert.Equal(t, []string{"Bearer old", "Bearer new"}, seen)

	renew, seen = false, nil
	require.NoError(t, os.Setenv("DATABRICKS_TOKEN", "wrong"))
	err := open().Get(t.Context(), "/x", nil, nil)
	assert.True(t, rest.Denied(err), "%v", err)
	assert.Len(t, seen, 2)
}
