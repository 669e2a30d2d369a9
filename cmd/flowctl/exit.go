package main

import (
	"errors"
	"fmt"
	"io"

	"flowctl/engine/store"
	"flowctl/jobspec"
	"flowctl/tasks/python"
)

// The exit statuses of flowctl, as its users' scripts know them.
const (
	exitFailed      = 1   // the run ended otherwise than in success
	exitUsage       = 2   // wrong usage, or an invalid job file
	exitUnable      = 3   // it could not be run at all
	exitInterrupted = 130 // Ctrl-C
)

// exitError ends flowctl with a status. A nil err prints nothing more.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

func unable(err error) error { return &exitError{exitUnable, err} }

// status prints an error as its user should see it, and is its exit status.
func status(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	code := exitUsage // what cobra itself finds wrong
	var exit *exitError
	var invalid jobspec.Invalid
	switch {
	case errors.As(err, &exit):
		code = exit.code
		if exit.err == nil {
			return code
		}
	case errors.As(err, &invalid):
		fmt.Fprintln(stderr, invalid)
		return exitUsage
	case errors.Is(err, python.ErrNone), errors.Is(err, store.ErrInUse):
		code = exitUnable
	}
	fmt.Fprintln(stderr, "Error:", err)
	return code
}
