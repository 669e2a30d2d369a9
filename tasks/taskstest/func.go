// Package taskstest helps to test what runs attempts and what hands them out:
// Func is a runner made of a function, Conform the demands that every runner
// must meet. It is for tests alone.
package taskstest

import (
	"context"

	"flowctl/tasks"
)

// Func is a runner that is one function.
type Func func(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error)

// Run calls the function.
func (f Func) Run(ctx context.Context, a tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	return f(ctx, a, out)
}

// Success is a runner that does nothing, well.
func Success(_ context.Context, _ tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	out.Started()
	return tasks.Result{Outcome: tasks.Success}, nil
}

// Hang is a runner that runs until it is stopped, and then says why.
func Hang(ctx context.Context, _ tasks.Attempt, out tasks.Sink) (tasks.Result, error) {
	out.Started()
	<-ctx.Done()
	if context.Cause(ctx) == tasks.ErrDetach { //nolint:errorlint // the cause itself
		return tasks.Result{}, tasks.ErrDetach
	}
	return tasks.Result{Outcome: tasks.Canceled}, nil
}
