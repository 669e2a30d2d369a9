package python

// Pipeline is what a pipeline task runs: the datasets that some files define,
// and how they are refreshed.
type Pipeline struct {
	ID      string            `json:"id"`
	Name    string            `json:"name"`
	Catalog string            `json:"catalog"`
	Schema  string            `json:"schema"`
	Conf    map[string]string `json:"conf,omitempty"`
	Files   []PipelineFile    `json:"files"`
	Root    string            `json:"root,omitempty"` // where modules are imported from
	Storage string            `json:"storage"`        // a folder for what the pipeline remembers from one update to the next

	// Environment is what the pipeline's code imports: for whoever builds it.
	Environment PipelineEnvironment `json:"-"`

	FullRefresh   bool     `json:"full_refresh,omitempty"`
	FullSelection []string `json:"full_refresh_selection,omitempty"`
	Selection     []string `json:"refresh_selection,omitempty"`
}

// PipelineEnvironment are the packages of a pipeline, as lines of a
// requirements file.
type PipelineEnvironment struct {
	Place        string // where they stand, for messages
	Version      string // environment_version
	Dependencies []string
	Dir          string // where relative paths start
}

// PipelineFile is a source file of a pipeline.
type PipelineFile struct {
	Path string `json:"path"`
	Kind string `json:"kind"` // "python", "sql" or "notebook"
}
