package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// env is what the process was started with: every verb gets it.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer

	home   string
	python string

	profile, host string // of the workspace to act on; empty: the data directory
}

// execute runs one command line and returns its exit status.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr}
	root := newRootCmd(e)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return status(root.ExecuteContext(ctx), stderr)
}

func newRootCmd(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "flowctl",
		Short: "Run Databricks jobs here, or on a workspace",
		Long: "flowctl reads a job in the Databricks Jobs format, unchanged, and runs its\n" +
			"tasks on this machine with the notebooks and Python code the job points to.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	flags := root.PersistentFlags()
	flags.StringVar(&e.home, "home", "", "data directory (default $FLOWCTL_HOME, else ~/.flowctl)")
	flags.StringVar(&e.python, "python", "", "Python interpreter for tasks (default $FLOWCTL_PYTHON, else python3)")
	root.AddCommand(
		newRunCmd(e), newSubmitCmd(e), newDeployCmd(e), newDaemonCmd(e), newJobsCmd(e), newRunsCmd(e), newValidateCmd(e), newGraphCmd(e),
		newScheduleCmd(e), newTokenCmd(e), newEnvCmd(e), newMLflowCmd(e), newValueCmd(e), newVersionCmd(e),
	)
	return root
}

// dataDir is the data directory that the flags and the environment name.
func (e *env) dataDir() (string, error) {
	if e.home != "" {
		return filepath.Abs(e.home)
	}
	if dir := os.Getenv("FLOWCTL_HOME"); dir != "" {
		return filepath.Abs(dir)
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", unable(fmt.Errorf("find the data directory: %w; give one with --home or $FLOWCTL_HOME", err))
	}
	return filepath.Join(user, ".flowctl"), nil
}
