// Package model runs MLflow models as processes that answer: each in the
// environment that it asks for, on loopback, behind a key that only we know.
// A process ends when it is stopped, and with this one: its standard input is
// a pipe that nobody else holds. The package knows no endpoints and no engine.
//
// Start reading at Start in runner.go; the process itself is
// flowctl_rt/model_server.py.
package model
