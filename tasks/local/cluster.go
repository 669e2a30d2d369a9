package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"flowctl/tasks"
	"flowctl/tasks/python"
)

// cluster is the compute that a task asks for, as far as it means anything
// on this machine.
type cluster struct {
	Name         string            `json:"cluster_name"`
	SparkVersion string            `json:"spark_version"`
	SparkConf    map[string]string `json:"spark_conf"`
	SparkEnv     map[string]string `json:"spark_env_vars"`
	Tags         map[string]string `json:"custom_tags"`
}

// cluster finds the settings of an attempt's compute. Without any, or with
// compute that only a workspace has, they are empty.
func (o *Options) cluster(ctx context.Context, a tasks.Attempt) (cluster, error) {
	var c cluster
	raw, field := a.Task.Compute.NewCluster, "new_cluster"
	if id := a.Task.Compute.ExistingClusterID; id != "" && o.Cluster != nil {
		made, err := o.Cluster(ctx, a, id)
		if err != nil {
			return c, err
		}
		raw, field = made, "cluster "+id
	}
	if key := a.Task.Compute.JobClusterKey; key != "" && a.Job != nil {
		for _, jc := range a.Job.JobClusters {
			if jc.Key == key {
				raw, field = jc.NewCluster, "job_clusters["+key+"].new_cluster"
			}
		}
	}
	if len(raw) == 0 {
		return c, nil
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, invalid("%s: %v", field, err)
	}
	return c, nil
}

// spark says how an attempt gets its Spark session, and which variables its
// cluster sets for it. Nothing is started: the task's own process does that,
// if its code asks for Spark at all.
//
// Tasks of a run share a driver if they name the same compute and that is
// configured alike: the driver's folder is named by both.
func (o *Options) spark(a tasks.Attempt, c cluster, jars jarSet) (*python.Spark, []string, error) {
	s := &python.Spark{
		Home: filepath.Join(a.Home, "spark"), Profile: sparkProfile(c.SparkVersion), Conf: c.SparkConf, Env: c.SparkEnv,
		Jars: jars.files, Packages: jars.packages, User: a.User, App: appName(a),
		Cluster:  python.SparkCluster{Name: c.Name, Version: c.SparkVersion, Tags: tagList(c.Tags)},
		Isolated: o.isolated(a), Connect: o.connects(a),
	}
	if s.Cluster.Name == "" {
		s.Cluster.Name = a.Task.Compute.JobClusterKey
	}
	same, err := json.Marshal([]any{
		a.Task.Compute.JobClusterKey, a.Task.Compute.ExistingClusterID, s.Profile, s.Conf, s.Env, s.Jars, s.Packages, s.User,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("name the Spark driver: %w", err)
	}
	sum := sha256.Sum256(same)
	s.Dir = filepath.Join(sparkDir(a.Home, a.JobRunID), hex.EncodeToString(sum[:6]))
	var env []string
	for _, k := range slices.Sorted(mapKeys(c.SparkEnv)) {
		if v := c.SparkEnv[k]; !strings.Contains(v, "{{secrets/") {
			env = append(env, k+"="+v)
		}
	}
	return s, env, nil
}

// sparkDir is where the drivers of a run are: with the run's own files, so
// that they go with it. No task's key begins with a dot.
func sparkDir(home string, run int64) string {
	return filepath.Join(home, "runs", strconv.FormatInt(run, 10), ".spark")
}

// EndRun ends the Spark drivers of a run that is over. It tells them and does
// not wait; each removes nothing but itself.
func EndRun(home string, run int64) error {
	lives, err := filepath.Glob(filepath.Join(sparkDir(home, run), "*", "*", "[0-9]*"))
	if err != nil {
		return fmt.Errorf("end Spark drivers: %w", err)
	}
	var errs []error
	for _, life := range lives {
		if err := os.WriteFile(filepath.Join(life, "end"), nil, 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("end Spark driver: %w", err))
		}
	}
	return errors.Join(errs...)
}

func appName(a tasks.Attempt) string {
	if a.JobName != "" {
		return a.JobName
	}
	return "flowctl"
}

// tagList is how Spark code finds the tags of its cluster.
func tagList(tags map[string]string) []python.SparkTag {
	var list []python.SparkTag
	for _, k := range slices.Sorted(mapKeys(tags)) {
		list = append(list, python.SparkTag{Key: k, Value: tags[k]})
	}
	return list
}

// sparkProfile is the minor version of Spark that a Databricks runtime has;
// empty if the job names none that is known.
//
// Source: the release notes of the runtimes: 13.3 to 16.4 have Spark 3.4 and
// 3.5, 17 has 4.0, 18 has 4.1.
func sparkProfile(sparkVersion string) string {
	major, _, _ := strings.Cut(sparkVersion, ".")
	switch n, err := strconv.Atoi(major); {
	case err != nil:
		return ""
	case n <= 16:
		return "3.5"
	case n == 17:
		return "4.0"
	}
	return "4.1"
}

// mapKeys is maps.Keys for maps that may be nil.
func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}
