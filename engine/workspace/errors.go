package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// The Databricks error codes that this package answers with.
const (
	InvalidParameter = "INVALID_PARAMETER_VALUE"
	DoesNotExist     = "RESOURCE_DOES_NOT_EXIST"
	AlreadyExists    = "RESOURCE_ALREADY_EXISTS"
	Conflict         = "ALREADY_EXISTS" // answered with 409, where AlreadyExists is 400
	Taken            = "RESOURCE_CONFLICT"
	NotFound         = "NOT_FOUND" // of the Files API
	NotEmpty         = "DIRECTORY_NOT_EMPTY"
	Protected        = "DIRECTORY_PROTECTED"
	IOError          = "IO_ERROR"
	BlockTooLarge    = "MAX_BLOCK_SIZE_EXCEEDED"
	ReadTooLarge     = "MAX_READ_SIZE_EXCEEDED"
	NotebookTooLarge = "MAX_NOTEBOOK_SIZE_EXCEEDED"
	LimitExceeded    = "RESOURCE_LIMIT_EXCEEDED"
	PermissionDenied = "PERMISSION_DENIED"
	Unauthenticated  = "UNAUTHENTICATED"
	RequestTooLarge  = "REQUEST_TOO_LARGE"
	DiskFull         = "DISK_FULL"
)

// Error is a refusal. Whatever else this package returns is its own failure.
type Error struct {
	Code    string // a Databricks error_code
	Message string
	Err     error // the cause, if there is one beyond the message
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrorCode is the wire's error_code.
func (e *Error) ErrorCode() string { return e.Code }

func refuse(code, format string, args ...any) error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// refused says whether err is a refusal with the code.
func refused(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// diskError turns what the file system says of a path into a refusal, if the
// path or the disk is to blame. doing is a verb and its object.
func diskError(err error, doing, path string) error {
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*Error)):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &Error{Code: DiskFull, Message: "No space is left on the disk of this machine.", Err: err}
	case errors.Is(err, syscall.ENAMETOOLONG):
		return &Error{Code: InvalidParameter, Message: fmt.Sprintf("Path (%s) has a name that is too long.", path), Err: err}
	case errors.Is(err, syscall.ENOTDIR):
		return &Error{Code: InvalidParameter, Message: fmt.Sprintf("Path (%s) leads through a file as if it were a folder.", path), Err: err}
	case leadsOut(err):
		return &Error{Code: InvalidParameter, Message: fmt.Sprintf("Path (%s) leads out of its tree.", path), Err: err}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// leadsOut says whether os.Root refused to follow a link. It does so with an
// error about the path that no system call returned.
func leadsOut(err error) bool {
	var perr *fs.PathError
	var lerr *os.LinkError
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno == syscall.ELOOP
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrClosed) {
		return false
	}
	return errors.As(err, &perr) || errors.As(err, &lerr)
}
