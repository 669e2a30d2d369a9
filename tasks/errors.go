package tasks

import "errors"

// Causes of a cancelled context, and what Run answers to ErrDetach.
var (
	ErrCanceled = errors.New("canceled by user")
	ErrTimedOut = errors.New("timed out")
	ErrDetach   = errors.New("detached: the attempt goes on without this engine")
)

// Invalid is an error of a Runner that lies in the job, not in the user's
// code or in us: a missing file, a bad payload. The engine ends the attempt
// FAILED with Code.
type Invalid struct {
	Code    string // INVALID_RUN_CONFIGURATION, RESOURCE_NOT_FOUND, LIBRARY_INSTALLATION_ERROR, …
	Message string
}

func (e *Invalid) Error() string { return e.Message }
