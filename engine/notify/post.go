package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"flowctl/engine/workspace"
)

const (
	// patience is how long a recipient may take to answer.
	patience = 10 * time.Second
	// pagerDuty is the address of PagerDuty's Events API.
	pagerDuty = "https://events.pagerduty.com/v2/enqueue"
)

// newClient posts and follows nowhere: a redirect would make a GET of it.
func newClient() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// post sends a message to a destination over HTTP. Every request carries three
// headers, in the manner of Standard Webhooks (standardwebhooks.com), whose
// libraries can check them:
//
//	webhook-id         the event's id: the same at each try, and for each
//	                   destination that the event is told to
//	webhook-timestamp  when this request was made, in seconds
//	webhook-signature  "v1," and base64 of HMAC-SHA256(key, id.timestamp.body)
//
// The signature is there if the destination is a generic webhook with a
// password. The key is the password, or if that begins with "whsec_" what
// follows it, decoded from base64.
//
// Any answer but 2xx is a failure, and 410 Gone the end.
func (o *Outbox) post(ctx context.Context, m message, c workspace.DestinationConfig) error {
	var to string
	var body any
	switch {
	case c.Webhook != nil:
		to, body = c.Webhook.URL, m.payload()
	case c.Slack != nil:
		to, body = c.Slack.URL, m.slack()
	case c.Teams != nil:
		to, body = c.Teams.URL, m.teams()
	case c.PagerDuty != nil:
		to, body = o.opt.pagerDuty, m.pagerDutyEvent(c.PagerDuty.IntegrationKey)
	default:
		return refusedf("the destination has no configuration")
	}
	raw, err := encode(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(raw))
	if err != nil {
		return refusedf("the destination's address cannot be read")
	}
	stamp := decimal(o.opt.Now().Unix())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "flowctl")
	req.Header.Set("webhook-id", m.Event)
	req.Header.Set("webhook-timestamp", stamp)
	if w := c.Webhook; w != nil && w.Username != "" {
		req.SetBasicAuth(w.Username, w.Password)
	}
	if w := c.Webhook; w != nil && w.Password != "" {
		req.Header.Set("webhook-signature", sign(w.Password, m.Event, stamp, raw))
	}
	resp, err := o.web.Do(req)
	if err != nil {
		return hideURL(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case resp.StatusCode == http.StatusGone:
		return refusedf("the destination answered %s", resp.Status)
	}
	return fmt.Errorf("the destination answered %s: %s", resp.Status, strings.Join(strings.Fields(string(said)), " "))
}

// sign makes the signature of a request.
func sign(password, id, stamp string, body []byte) string {
	key := []byte(password)
	if b64, ok := strings.CutPrefix(password, "whsec_"); ok {
		if raw, err := base64.StdEncoding.DecodeString(b64); err == nil {
			key = raw
		}
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// hideURL keeps a destination's address, which may hold a secret, out of logs.
func hideURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
