package python

// Spark says how an attempt's code gets a Spark session: which driver it
// shares with others, and how that is configured. The attempt's own process
// starts the driver when its code first asks for Spark.
type Spark struct {
	Dir      string            `json:"dir"`     // of the drivers of this configuration, for this run
	Home     string            `json:"home"`    // warehouse, catalog and jars, for all runs
	Profile  string            `json:"profile"` // the minor version that the job asks for ("4.1"); empty if it does not say
	Conf     map[string]string `json:"conf,omitempty"`
	Env      map[string]string `json:"env,omitempty"`
	Jars     []string          `json:"jars,omitempty"`
	Packages []SparkPackage    `json:"packages,omitempty"`
	User     string            `json:"user"`
	App      string            `json:"app"`
	Cluster  SparkCluster      `json:"cluster"`
	Isolated bool              `json:"isolated,omitempty"` // a driver of its own
	Connect  bool              `json:"connect,omitempty"`  // a session of Spark Connect
}

// SparkPackage is a Maven library: the first of Any that can be had.
type SparkPackage struct {
	Any          []string `json:"any"`
	Excludes     string   `json:"excludes,omitempty"`
	Repositories string   `json:"repositories,omitempty"`
}

// SparkCluster is what Spark code can read about its cluster.
type SparkCluster struct {
	Name    string     `json:"name"`
	Version string     `json:"version"`
	Tags    []SparkTag `json:"tags,omitempty"`
}

// SparkTag is a custom tag of a cluster.
type SparkTag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}
