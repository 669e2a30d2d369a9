// Package serving keeps serving endpoints: which versions of which models an
// endpoint answers with, how its requests are split between them, and what
// state it is in. Endpoints are records of the store; the processes that
// answer are started by a Runner when they are first needed, stopped when
// nobody has asked for a while, and end with this process.
//
// It knows no HTTP and no MLflow: where a version's files are it asks Options,
// and how a model is run is the Runner's.
//
// Start reading at Endpoints in endpoints.go.
package serving
