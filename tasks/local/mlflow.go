package local

import (
	"path/filepath"
	"slices"
	"strings"
)

// mlflowEnv leads MLflow to the store in the data directory, unless the user
// has named another that is no workspace's.
func mlflowEnv(home string, env []string) []string {
	uri := "sqlite:///" + filepath.Join(home, "mlflow", "mlflow.db")
	var set []string
	for _, name := range []string{"MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"} {
		own := slices.ContainsFunc(env, func(v string) bool {
			value, ok := strings.CutPrefix(v, name+"=")
			return ok && value != "" && !strings.HasPrefix(value, "databricks")
		})
		if !own {
			set = append(set, name+"="+uri)
		}
	}
	return set
}
