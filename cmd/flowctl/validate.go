package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"flowctl/jobspec"
	"flowctl/tasks/local"
)

func newValidateCmd(e *env) *cobra.Command {
	var output string
	var remote []string
	var workspace bool
	cmd := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Report all problems of job files at once",
		Long: "Report every problem of the job files with its place, what is wrong and how to\n" +
			"mend it; warnings for what a workspace would accept but ignore. - is standard input.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error {
			opt := jobspec.CheckOptions{LocalKinds: local.Kinds(), Remote: remote}
			if workspace {
				opt.LocalKinds = nil
			}
			return e.validate(files, opt, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.Flags().StringSliceVar(&remote, "remote", nil, "tasks that run on a workspace")
	cmd.Flags().BoolVar(&workspace, "workspace", false, "check for a workspace: all task kinds are fine")
	return cmd
}

// checkedFile is one file of validate -o json.
type checkedFile struct {
	File     string            `json:"file"`
	Jobs     []json.RawMessage `json:"jobs,omitempty"`
	Errors   []jobspec.Problem `json:"errors"`
	Warnings []jobspec.Problem `json:"warnings"`
}

func (e *env) validate(files []string, opt jobspec.CheckOptions, output string) error {
	if output != "text" && output != "json" {
		return usage("-o %s: text and json are known", output)
	}
	bad := false
	var all []checkedFile
	for _, file := range files {
		doc, problems, err := e.check(file, opt)
		if err != nil {
			return err
		}
		bad = bad || jobspec.HasErrors(problems)
		c := checkedFile{File: file, Errors: []jobspec.Problem{}, Warnings: []jobspec.Problem{}}
		for _, p := range problems {
			if p.Severity == jobspec.Warning {
				c.Warnings = append(c.Warnings, p)
			} else {
				c.Errors = append(c.Errors, p)
			}
			if output == "text" {
				fmt.Fprintln(e.stderr, p)
			}
		}
		if doc != nil {
			for _, j := range doc.Jobs {
				c.Jobs = append(c.Jobs, j.Job.Source)
			}
		}
		if output == "text" && len(c.Errors) == 0 {
			fmt.Fprintf(e.stdout, "%s: valid: %s\n", file, summary(doc))
		}
		all = append(all, c)
	}
	if output == "json" {
		enc := json.NewEncoder(e.stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(all); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	if bad {
		return &exitError{code: exitUsage}
	}
	return nil
}

// check reads and checks a file. What keeps it from being read at all is
// among the problems.
func (e *env) check(file string, opt jobspec.CheckOptions) (*jobspec.Document, []jobspec.Problem, error) {
	doc, err := e.readJobFile(file)
	if invalid, ok := err.(jobspec.Invalid); ok { //nolint:errorlint // Read returns it bare
		return nil, invalid, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return doc, doc.Check(opt), nil
}

func summary(doc *jobspec.Document) string {
	text := ""
	for i, j := range doc.Jobs {
		if i > 0 {
			text += ", "
		}
		name := j.Label()
		if name == "" {
			name = "job"
		}
		text += fmt.Sprintf("%s (%d %s)", name, len(j.Job.Tasks), plural(len(j.Job.Tasks), "task"))
	}
	return text
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
