package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"flowctl/tasks/python/venv"
)

func newEnvCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "env",
		Short: "List and remove the Python environments that tasks have built",
		Long: "A task that asks for libraries, or for an environment with dependencies, gets a\n" +
			"virtual environment under HOME/envs. It is built once, named by all that goes into\n" +
			"it, and used again by every task that asks for the same; so is what a notebook\n" +
			"installs by %pip. Nothing is lost by removing one: it is built anew when needed.",
	}
	cmd.AddCommand(newEnvListCmd(e), newEnvPruneCmd(e))
	return cmd
}

// envEntry is an environment as -o json shows it.
type envEntry struct {
	Key          string    `json:"key"`
	Dir          string    `json:"dir"`
	Created      time.Time `json:"created,omitzero"`
	Used         time.Time `json:"used"`
	Size         int64     `json:"size_bytes"`
	InUse        bool      `json:"in_use"`
	Whole        bool      `json:"whole"`
	Python       string    `json:"python,omitempty"`
	MadeBy       string    `json:"made_by,omitempty"`
	Requirements []string  `json:"requirements,omitempty"`
	Packages     []string  `json:"packages,omitempty"`
}

func entryOf(v venv.Entry) envEntry {
	return envEntry{v.Key, v.Dir, v.Created, v.Used, v.Size, v.InUse, v.Whole, v.Python, v.MadeBy, v.Requirements, v.Packages}
}

// entriesOf never is nil: a list without elements is [].
func entriesOf(list []venv.Entry) []envEntry {
	out := make([]envEntry, 0, len(list))
	for _, v := range list {
		out = append(out, entryOf(v))
	}
	return out
}

// environments is the store of environments of the data directory.
func (e *env) environments() (venv.Store, error) {
	home, err := e.dataDir()
	return venv.Store{Dir: filepath.Join(home, "envs")}, err
}

func newEnvListCmd(e *env) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "list", Short: "List the environments, the one used last first", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if output != "text" && output != "json" {
				return usage("-o %s: text or json", output)
			}
			s, err := e.environments()
			if err != nil {
				return err
			}
			list, err := s.List()
			if err != nil {
				return unable(err)
			}
			if output == "json" {
				return e.printJSON(entriesOf(list))
			}
			if len(list) == 0 {
				fmt.Fprintf(e.stderr, "no environments in %s\n", s.Dir)
				return nil
			}
			return e.showEnvs(list)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func (e *env) showEnvs(list []venv.Entry) error {
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KEY\tLAST USED\tSIZE\tPYTHON\tPACKAGES\tFOR")
	for _, v := range list {
		asked := strings.Join(v.Requirements, ", ")
		if len(asked) > 80 {
			asked = strings.ToValidUTF8(asked[:80], "") + "…"
		}
		switch {
		case !v.Whole && v.InUse:
			asked = "(being built)"
		case !v.Whole:
			asked = "(left by a build that was broken off)"
		}
		used := age(time.Since(v.Used)) + " ago"
		if v.InUse && v.Whole {
			used = "in use"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", v.Key, used, bytesText(v.Size), v.Python, len(v.Packages), asked)
	}
	return w.Flush()
}

func newEnvPruneCmd(e *env) *cobra.Command {
	var older, output string
	cmd := &cobra.Command{
		Use: "prune", Short: "Remove the environments that were not used for a time", Args: cobra.NoArgs,
		Long: "Removes the environments that no task has used for a time, and what builds that\n" +
			"were broken off have left. One that a task runs in stays, however old it is.",
		Example: "  flowctl env prune --older-than 7d\n  flowctl env prune --older-than 0",
		RunE: func(*cobra.Command, []string) error {
			if output != "text" && output != "json" {
				return usage("-o %s: text or json", output)
			}
			idle, err := days(older)
			if err != nil {
				return usage("--older-than %w", err)
			}
			s, err := e.environments()
			if err != nil {
				return err
			}
			gone, err := s.Prune(time.Now().Add(-idle))
			var freed int64
			for _, v := range gone {
				freed += v.Size
			}
			if err != nil {
				return unable(err)
			}
			if output == "json" {
				return e.printJSON(entriesOf(gone))
			}
			for _, v := range gone {
				fmt.Fprintln(e.stdout, v.Key)
			}
			fmt.Fprintf(e.stderr, "%d removed, %s\n", len(gone), bytesText(freed))
			return nil
		},
	}
	cmd.Flags().StringVar(&older, "older-than", "30d", "how long it was not used: 30d, 12h, 0")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

// days reads a duration that may be in days, which Go's own form has not.
func days(text string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		count, err := strconv.ParseFloat(n, 64)
		if err != nil || !(count >= 0 && count <= 36500) {
			return 0, fmt.Errorf("%s: write days as 30d", text)
		}
		return time.Duration(count * 24 * float64(time.Hour)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s: write a time as 30d, 12h or 45m; 0 is all", text)
	}
	return d, nil
}

// age is a duration for people: its greatest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// bytesText is a size for people.
func bytesText(n int64) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", (n+1023)/1024)
	case n < 10<<30:
		return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20)
	}
	return fmt.Sprintf("%d GiB", (n+1<<30-1)>>30)
}
