package engine

import "fmt"

// Code is a Databricks error_code.
type Code string

// The error codes that the engine answers with.
const (
	InvalidParameter Code = "INVALID_PARAMETER_VALUE"
	DoesNotExist     Code = "RESOURCE_DOES_NOT_EXIST"
	AlreadyExists    Code = "RESOURCE_ALREADY_EXISTS"
	InvalidState     Code = "INVALID_STATE"
	PermissionDenied Code = "PERMISSION_DENIED"
	LimitExceeded    Code = "RESOURCE_EXHAUSTED"
	Internal         Code = "INTERNAL_ERROR"
	Unavailable      Code = "TEMPORARILY_UNAVAILABLE"
)

// Error is a refusal in Databricks' vocabulary. Whatever else the engine
// returns is its own failure.
type Error struct {
	Code    Code
	Message string
	Err     error // the cause, if there is one beyond the message
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrorCode is the wire's error_code.
func (e *Error) ErrorCode() string { return string(e.Code) }

func refuse(code Code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// noRun and noJob say it in the words that clients look for.
func noRun(id int64) error { return refuse(InvalidParameter, "Run %d does not exist.", id) }
func noJob(id int64) error { return refuse(InvalidParameter, "Job %d does not exist.", id) }
