package jobspec

// Graph is the task graph of a job: who waits for whom. It is built by Parse
// and never changes.
type Graph struct{}
