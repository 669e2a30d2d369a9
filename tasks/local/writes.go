package local

import "flowctl/tasks"

func reportWrites(tasks.Attempt, tasks.Sink) error { return nil }
