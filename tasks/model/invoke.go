package model

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// maxAnswer bounds what a model may answer.
const maxAnswer = 256 << 20

// Answer is what a model said.
type Answer struct {
	Status      int
	ContentType string
	Body        []byte
}

// Invoke asks the model. The error says that there is no answer.
func (i *Instance) Invoke(ctx context.Context, contentType string, body io.Reader) (*Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+i.addr+"/invocations", body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("X-Flowctl-Key", i.key)
	resp, err := direct.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("read the model's answer: %w", err)
	}
	if len(text) > maxAnswer {
		return nil, fmt.Errorf("the model's answer has more than %d bytes", maxAnswer)
	}
	return &Answer{Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type"), Body: text}, nil
}

// direct goes to loopback, past any proxy.
var direct = &http.Transport{MaxIdleConnsPerHost: 16}
