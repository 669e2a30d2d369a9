// Command flowctl runs Databricks jobs on this machine or on a workspace.
//
// It wires the rooms together and prints; what a job means is jobspec's and
// jobrun's, and nobody imports this package. Start reading at root.go.
package main

import (
	"context"
	"os"
)

func main() { os.Exit(execute(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
