package api

import (
	"context"
	"encoding/json"
)

type telemetryRequest struct {
	ProtoLogs []json.RawMessage `json:"protoLogs"`
}

type telemetryAnswer struct {
	Errors    []any `json:"errors"`
	Succeeded int   `json:"numProtoSuccess"`
}

// telemetry thanks a client for its telemetry, and forgets it.
func telemetry(_ context.Context, q telemetryRequest) (telemetryAnswer, error) {
	return telemetryAnswer{[]any{}, len(q.ProtoLogs)}, nil
}
