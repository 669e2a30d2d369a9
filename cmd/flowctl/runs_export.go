package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func newRunsExportCmd(e *env) *cobra.Command {
	var task, file, output string
	cmd := e.runVerb("export RUN", "Write a notebook task's cells and what they printed as a page", func(ctx context.Context, _ string, d *door, id int64) error {
		attempt, err := d.attemptOf(ctx, id, task)
		if err != nil {
			return err
		}
		var answer struct {
			Views []struct {
				Content string `json:"content"`
				Name    string `json:"name"`
				Type    string `json:"type"`
			} `json:"views"`
		}
		if err := d.call(ctx, fmt.Sprintf("/api/2.2/jobs/runs/export?views_to_export=ALL&run_id=%d", attempt), nil, &answer); err != nil {
			return err
		}
		switch {
		case output == "json":
			return e.printJSON(answer)
		case len(answer.Views) == 0:
			return usage("run %d has no page to export", id)
		case file == "":
			_, err = io.WriteString(e.stdout, answer.Views[0].Content)
			return err
		}
		if err := os.WriteFile(file, []byte(answer.Views[0].Content), 0o600); err != nil {
			return unable(err)
		}
		fmt.Fprintf(e.stderr, "wrote %s\n", file)
		return nil
	})
	cmd.Example = "  flowctl runs export 200000000000001 --task train --file train.html"
	flags := cmd.Flags()
	flags.StringVar(&task, "task", "", "which task of a run with several")
	flags.StringVar(&file, "file", "", "where the page goes (default: standard output)")
	flags.StringVarP(&output, "output", "o", "text", "text: the page; json: what the Jobs API answers")
	return cmd
}
