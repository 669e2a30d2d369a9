package python

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Context is what an attempt's process knows, written to context.json. Its
// JSON must also be a Python literal but for true, false and null: the
// runtime reads it without a JSON parser.
type Context struct {
	Kind         string            `json:"kind"` // "notebook", "script", "wheel", "sql", "jar", "submit", "dbt" or "pipeline"
	Path         string            `json:"path,omitempty"`
	Argv         []string          `json:"argv"`
	Bindings     map[string]string `json:"bindings,omitempty"` // widgets
	PackageName  string            `json:"package_name,omitempty"`
	EntryPoint   string            `json:"entry_point,omitempty"`   // of a SQL task its warehouse's id, of a jar its main class
	NotebookPath string            `json:"notebook_path,omitempty"` // as a workspace tells it: /Users/me/nb
	CodeRoot     string            `json:"code_root,omitempty"`     // where CodeDir is said to be on the workspace; empty: it is there
	CodeDir      string            `json:"code_dir,omitempty"`      // the root of the job's code
	SysPath      []string          `json:"sys_path,omitempty"`      // folders to search before all others
	EnvsDir      string            `json:"envs_dir,omitempty"`      // where %pip keeps what it installs
	ValuesDir    string            `json:"values_dir"`
	FS           *FS               `json:"fs,omitempty"`
	Spark        *Spark            `json:"spark,omitempty"`
	MLflow       string            `json:"mlflow,omitempty"`       // the folder of the tracking store
	MLflowMaker  string            `json:"mlflow_maker,omitempty"` // the version of MLflow that makes a new store
	Blobs        string            `json:"blobs,omitempty"`        // where the bytes that ran are kept, by their SHA-256
	Dbt          *Dbt              `json:"dbt,omitempty"`
	API          bool              `json:"api,omitempty"` // flowctl's own API answers at $DATABRICKS_HOST
	Pipeline     *Pipeline         `json:"pipeline,omitempty"`

	TaskKey     string `json:"task_key"`
	RunID       int64  `json:"run_id"`
	JobRunID    int64  `json:"job_run_id"`
	JobID       int64  `json:"job_id"`
	JobName     string `json:"job_name,omitempty"`
	Attempt     int    `json:"attempt"`
	User        string `json:"user,omitempty"`
	WorkspaceID string `json:"workspace_id,omitempty"`
}

// FS maps Databricks' file paths to folders of this machine.
type FS struct {
	DBFS      string            `json:"dbfs"`
	Volumes   string            `json:"volumes"`
	Workspace string            `json:"workspace"`
	Map       map[string]string `json:"map,omitempty"` // workspace path prefix → folder
}

// Dbt is what a dbt task runs with; its commands are in Argv.
type Dbt struct {
	Project   string `json:"project"`            // folder of dbt_project.yml, which is not written to
	Profiles  string `json:"profiles,omitempty"` // folder of the user's profiles.yml; empty: the project's own, or one is made
	Warehouse string `json:"warehouse,omitempty"`
	Catalog   string `json:"catalog,omitempty"`
	Schema    string `json:"schema,omitempty"`
}

// Write puts the context into an attempt's directory.
func (c *Context) Write(dir string) error {
	if c.Argv == nil {
		c.Argv = []string{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		return fmt.Errorf("write context: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "context.json"), b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write context: %w", err)
	}
	return nil
}

// Argv is the command that runs the attempt in dir.
func Argv(interpreter, runtimeDir, dir string) []string {
	return []string{interpreter, filepath.Join(runtimeDir, "main.py"), dir}
}

// DatabricksRuntime is the version that code sees in
// DATABRICKS_RUNTIME_VERSION; libraries look at it to know that they are on
// Databricks.
const DatabricksRuntime = "17.3"

// Env lists the variables that an attempt's process gets beside its
// engine's: later ones win over earlier ones.
func Env(runtimeDir, dir, valuesDir string, sysPath []string) []string {
	path := append(append([]string(nil), sysPath...), runtimeDir)
	if old := os.Getenv("PYTHONPATH"); old != "" {
		path = append(path, old)
	}
	joined := path[0]
	for _, p := range path[1:] {
		joined += string(os.PathListSeparator) + p
	}
	return []string{
		"PYTHONPATH=" + joined,
		"PYTHONUNBUFFERED=1",
		"PYTHONIOENCODING=utf-8",
		"DATABRICKS_RUNTIME_VERSION=" + DatabricksRuntime,
		"FLOWCTL_TASK_DIR=" + dir,
		"FLOWCTL_CONTEXT=" + filepath.Join(dir, "context.json"),
		"FLOWCTL_EVENTS=" + filepath.Join(dir, "events.jsonl"),
		"FLOWCTL_VALUES=" + valuesDir,
	}
}
