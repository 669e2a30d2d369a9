package api

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"syscall"

	"flowctl/engine/workspace"
)

// apiError is an error of the API's own.
type apiError struct {
	status  int
	code    string
	message string
	details []any // as google.rpc.Status has them
}

func (e *apiError) Error() string { return e.message }

// invalid refuses a request's value.
func invalid(format string, args ...any) error {
	return &apiError{status: http.StatusBadRequest, code: "INVALID_PARAMETER_VALUE", message: fmt.Sprintf(format, args...)}
}

// refusal is an error in Databricks' vocabulary, of whichever room.
type refusal interface {
	error
	ErrorCode() string
}

// errorBody is how every error is written.
type errorBody struct {
	Code    string `json:"error_code"`
	Message string `json:"message"`
	Details []any  `json:"details,omitempty"`
}

// writeError answers with the error's code and message. What is not meant for
// users is told as an internal error.
func writeError(w http.ResponseWriter, err error) {
	status, body := http.StatusInternalServerError, errorBody{Code: "INTERNAL_ERROR", Message: err.Error()}
	var own *apiError
	var ref refusal
	switch {
	case errors.As(err, &own):
		status, body.Code, body.Details = own.status, own.code, own.details
	case errors.As(err, &ref):
		status, body.Code = statusFor(ref.ErrorCode()), ref.ErrorCode()
	case errors.Is(err, syscall.ENOSPC):
		status, body = http.StatusInsufficientStorage, errorBody{Code: workspace.DiskFull, Message: "No space is left on the disk of this machine."}
	}
	writeJSON(w, status, body)
}

// statuses are the HTTP statuses of error codes; the others are 400.
var statuses = map[string]int{
	"UNAUTHENTICATED":         http.StatusUnauthorized,
	"PERMISSION_DENIED":       http.StatusForbidden,
	"RESOURCE_DOES_NOT_EXIST": http.StatusNotFound,
	"NOT_FOUND":               http.StatusNotFound,
	"ENDPOINT_NOT_FOUND":      http.StatusNotFound,
	"ALREADY_EXISTS":          http.StatusConflict,
	"RESOURCE_CONFLICT":       http.StatusConflict,
	"REQUEST_TOO_LARGE":       http.StatusRequestEntityTooLarge,
	"RESOURCE_EXHAUSTED":      http.StatusTooManyRequests,
	"INTERNAL_ERROR":          http.StatusInternalServerError,
	"TEMPORARILY_UNAVAILABLE": http.StatusServiceUnavailable,
	"DISK_FULL":               http.StatusInsufficientStorage,
}

// statusFor is the HTTP status of an error code.
func statusFor(code string) int {
	if s, ok := statuses[code]; ok {
		return s
	}
	return http.StatusBadRequest
}

// bodyError tells why a request's body could not be read.
func bodyError(err error) error {
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return &apiError{status: http.StatusRequestEntityTooLarge, code: "REQUEST_TOO_LARGE", message: fmt.Sprintf("The request body has more than %d bytes.", big.Limit)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &apiError{status: http.StatusRequestTimeout, code: "DEADLINE_EXCEEDED", message: "The request body came too slowly."}
	}
	return &apiError{status: http.StatusBadRequest, code: "MALFORMED_REQUEST", message: fmt.Sprintf("The request body cannot be read: %v", err)}
}

// notFound answers what is no part of the API.
func notFound(w http.ResponseWriter, r *http.Request) {
	writeError(w, &apiError{status: http.StatusNotFound, code: "ENDPOINT_NOT_FOUND", message: fmt.Sprintf("No API found for '%s %s'", r.Method, r.URL.Path)})
}

// isRefusal says whether an error is a refusal with the code.
func isRefusal(err error, code string) bool {
	var ref refusal
	return errors.As(err, &ref) && ref.ErrorCode() == code
}
