// Package rest asks a Databricks workspace. Who we are is for the official
// SDK to find out; how long a workspace that is busy, cut off or garbled is
// asked again is decided here, because the SDK gives up where a run of days
// must not. Every request that it sends may be sent twice: callers ask only
// for what is idempotent, or carry an idempotency token.
//
// It knows no jobs and keeps nothing. Start reading at Do, then fault.go.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/databricks/databricks-sdk-go/config"
)

// Client asks one workspace. It is safe for use by several goroutines.
type Client struct {
	// Patience is how long a request is tried again while the workspace
	// cannot be reached, is busy or fails; 0: five minutes, below 0: until
	// ctx ends.
	Patience time.Duration
	// First and Max bound the wait between two tries; 0: half a second and
	// half a minute. The workspace's Retry-After beats both.
	First, Max time.Duration
	// Timeout bounds one try, its answer's body included; 0: a minute, and
	// ten for what sends a file.
	Timeout time.Duration
	// Trouble is told when a request fails and will be tried again, and with
	// a nil error when the workspace answers after that. It may be nil.
	Trouble func(err error, again time.Duration)
	// Names is a folder that remembers whose a login is, by its hash; empty:
	// it is asked for once.
	Names string

	cfg  func() (*config.Config, error)
	http *http.Client

	host, workspaceID string

	mu       *sync.Mutex
	resolved *config.Config
	user     string
}

// Open finds the workspace that a profile, a host and the environment name.
// Both may be empty: DATABRICKS_* and the default profile count then.
func Open(profile, host string) (*Client, error) {
	find := func() (*config.Config, error) {
		cfg := &config.Config{Profile: profile, Host: host}
		cfg.HostMetadataResolver = func(ctx context.Context, host string) (*config.HostMetadata, error) {
			if cfg.Token != "" { // only OAuth needs to know more of the host
				return nil, nil
			}
			return cfg.DefaultHostMetadataResolver()(ctx, host)
		}
		if err := cfg.EnsureResolved(); err != nil {
			return nil, fmt.Errorf("find the workspace: %w", err)
		}
		if cfg.Host == "" {
			return nil, fmt.Errorf("find the workspace: no host is given; use --profile, --host or DATABRICKS_HOST")
		}
		return cfg, nil
	}
	return open(find)
}

// New asks the workspace of a configuration.
func New(cfg *config.Config) (*Client, error) {
	return open(func() (*config.Config, error) {
		return cfg, cfg.EnsureResolved()
	})
}

func open(cfg func() (*config.Config, error)) (*Client, error) {
	c := &Client{cfg: cfg, mu: &sync.Mutex{}}
	resolved, err := c.config()
	if err != nil {
		return nil, err
	}
	// Read once, before the first login: that writes them again, unlocked.
	c.host, c.workspaceID = strings.TrimRight(resolved.Host, "/"), resolved.WorkspaceID
	var transport http.RoundTripper = resolved.HTTPTransport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 32
		transport = t
	}
	c.http = &http.Client{Transport: transport}
	return c, nil
}

// Lasting is the same client with another patience and listener.
func (c *Client) Lasting(patience time.Duration, trouble func(err error, again time.Duration)) *Client {
	d := *c
	d.Patience, d.Trouble = patience, trouble
	return &d
}

// Host is the workspace's address, without a slash at its end.
func (c *Client) Host() string { return c.host }

// WorkspaceID is the workspace's id as far as the configuration knows it.
func (c *Client) WorkspaceID() string { return c.workspaceID }

func (c *Client) config() (*config.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resolved == nil {
		cfg, err := c.cfg()
		if err != nil {
			return nil, err
		}
		c.resolved = cfg
	}
	return c.resolved, nil
}

// relogin forgets what was found out about who we are: a token may have been
// renewed where it came from.
func (c *Client) relogin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resolved = nil
}

// Body is what a request carries.
type Body struct {
	Type string // content type
	Data []byte
	// Open makes the body anew for each try; nil: Data.
	Open func() (io.ReadCloser, error)
	Size int64 // of what Open gives
}

// Get asks for what a path and a query name.
func (c *Client) Get(ctx context.Context, path string, query url.Values, answer any) error {
	return c.Do(ctx, http.MethodGet, path, query, nil, answer)
}

// Post sends a request as JSON. It must be one that may arrive twice.
func (c *Client) Post(ctx context.Context, path string, request, answer any) error {
	data, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", path, err)
	}
	return c.Do(ctx, http.MethodPost, path, nil, &Body{Type: "application/json", Data: data}, answer)
}

// Do sends a request until it is answered, refused, or Patience ends. A nil
// answer is not read. The error is an *Error if the workspace refused.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body *Body, answer any) error {
	w := c.newWait()
	for {
		err := c.try(ctx, method, path, query, body, answer)
		if err == nil {
			w.over(c)
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f := asFault(err)
		if f == nil {
			return err
		}
		if err := w.wait(ctx, c, f); err != nil {
			return err
		}
	}
}

// try sends a request once.
func (c *Client) try(ctx context.Context, method, path string, query url.Values, body *Body, answer any) error {
	ctx, stop := context.WithTimeout(ctx, c.timeout(body))
	defer stop()
	req, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return &fault{err: fmt.Errorf("ask %s: %w", path, err)}
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return &fault{err: fmt.Errorf("read the answer of %s: %w", path, err)}
	}
	if resp.StatusCode/100 != 2 {
		return c.refused(resp, path, raw)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return &fault{err: fmt.Errorf("read the answer of %s: %w: %.80q", path, err, raw)}
	}
	return nil
}

// maxAnswer bounds what is read of an answer. The largest that a workspace
// gives is a get-output of 5 MB.
const maxAnswer = 64 << 20

func (c *Client) timeout(body *Body) time.Duration {
	switch {
	case c.Timeout > 0:
		return c.Timeout
	case body != nil && body.Open != nil:
		return 10 * time.Minute
	}
	return time.Minute
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body *Body) (*http.Request, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, &fault{err: err, login: true}
	}
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body.Data)
		if body.Open != nil {
			if r, err = body.Open(); err != nil {
				return nil, err
			}
		}
	}
	to := c.host + path
	if len(query) > 0 {
		to += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, to, r)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", path, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", body.Type)
		if body.Open != nil {
			req.ContentLength = body.Size
		}
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "flowctl")
	if err := cfg.Authenticate(req); err != nil {
		return nil, &fault{err: fmt.Errorf("log in to %s: %w", c.host, err), login: true}
	}
	return req, nil
}
