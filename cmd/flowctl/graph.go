package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"flowctl/jobspec"
	"flowctl/jobspec/draw"
)

func newGraphCmd(e *env) *cobra.Command {
	var output, job string
	cmd := &cobra.Command{
		Use:   "graph FILE",
		Short: "Draw the task graph",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			doc, problems, err := e.check(args[0], jobspec.CheckOptions{})
			if err != nil {
				return err
			}
			if jobspec.HasErrors(problems) {
				for _, p := range problems {
					fmt.Fprintln(e.stderr, p)
				}
				return &exitError{code: exitUsage}
			}
			entry, err := doc.Pick(job)
			if err != nil {
				return usage("%w", err)
			}
			text, err := draw.Graph(entry.Job, output)
			if err != nil {
				return usage("%w", err)
			}
			_, err = fmt.Fprint(e.stdout, text)
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, dot, mermaid, svg or json")
	cmd.Flags().StringVar(&job, "job", "", "which job of a file that holds several")
	return cmd
}
