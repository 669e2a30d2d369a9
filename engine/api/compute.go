package api

import (
	"fmt"
	"net/http"
	"runtime"

	"flowctl/engine/workspace"
)

// Compute: there is one machine, this one. It is the node type, the pool, and
// the cluster and the warehouse that are always there and always run; those
// that clients make are other names of it, in machines.go.

// machineID is the id of this machine, whatever it is asked as.
const machineID = "0000-000000-flowctl0"

const machineName = "This machine"

const nodeType = "this-machine"

func (s *Server) computeRoutes() map[string]http.Handler {
	routes := map[string]http.Handler{
		"GET /api/2.0/sql/warehouses":                             inside(s, listWarehouses),
		"GET /api/2.0/sql/warehouses/{name}":                      s.getWarehouse(),
		"GET /api/2.0/policies/clusters/list":                     inside(s, func(visit, empty) (any, error) { return map[string]any{"policies": []any{}, "total_count": 0}, nil }),
		"GET /api/2.0/instance-pools/list":                        inside(s, func(visit, empty) (any, error) { return map[string]any{"instance_pools": []any{pool()}}, nil }),
		"GET /api/2.0/instance-pools/get":                         inside(s, getPool),
		"GET /api/2.1/unity-catalog/current-metastore-assignment": inside(s, noMetastore),
	}
	for _, v := range []string{"2.0", "2.1"} {
		p := "GET /api/" + v + "/clusters/"
		routes[p+"get"] = inside(s, getCluster)
		routes[p+"list"] = inside(s, func(v visit, _ empty) (any, error) {
			list, err := wireMachines(v, workspace.ClusterCompute, cluster(v.who.Name))
			return map[string]any{"clusters": list}, err
		})
		routes[p+"spark-versions"] = inside(s, func(visit, empty) (any, error) { return map[string]any{"versions": sparkVersions()}, nil })
		routes[p+"list-node-types"] = inside(s, func(visit, empty) (any, error) { return map[string]any{"node_types": []any{node()}}, nil })
		routes[p+"list-zones"] = inside(s, func(visit, empty) (any, error) {
			return map[string]any{"zones": []string{"here"}, "default_zone": "here"}, nil
		})
	}
	return routes
}

type clusterRequest struct {
	ClusterID string `json:"cluster_id"`
	PoolID    string `json:"instance_pool_id"`
}

func getCluster(v visit, q clusterRequest) (any, error) {
	if q.ClusterID == machineID {
		return cluster(v.who.Name), nil
	}
	m, err := v.Compute.Get(workspace.ClusterCompute, q.ClusterID)
	if err != nil {
		return nil, err
	}
	return wireMachine(workspace.ClusterCompute, m), nil
}

func listWarehouses(v visit, _ empty) (any, error) {
	list, err := wireMachines(v, workspace.WarehouseCompute, warehouse())
	return map[string]any{"warehouses": list}, err
}

func getPool(_ visit, q clusterRequest) (any, error) {
	if q.PoolID != machineID {
		return nil, &apiError{status: http.StatusNotFound, code: "RESOURCE_DOES_NOT_EXIST", message: fmt.Sprintf("Can't find an instance pool with id: %s.", q.PoolID)}
	}
	return pool(), nil
}

// noMetastore tells templates of bundles that there is no Unity Catalog.
func noMetastore(visit, empty) (any, error) {
	return nil, &apiError{status: http.StatusNotFound, code: "METASTORE_DOES_NOT_EXIST", message: "No metastore assigned for the current workspace."}
}

func (s *Server) getWarehouse() http.Handler {
	return s.aboutEntity(func(v visit, id string, _ body) (any, error) {
		if id == machineID {
			return warehouse(), nil
		}
		m, err := v.Compute.Get(workspace.WarehouseCompute, id)
		if err != nil {
			return nil, err
		}
		return wireMachine(workspace.WarehouseCompute, m), nil
	})
}

// wireCluster is this machine as a cluster. Source: the SDK's ClusterDetails.
type wireCluster struct {
	ClusterID        string            `json:"cluster_id"`
	ClusterName      string            `json:"cluster_name"`
	SparkVersion     string            `json:"spark_version"`
	NodeTypeID       string            `json:"node_type_id"`
	DriverNodeTypeID string            `json:"driver_node_type_id"`
	NumWorkers       int               `json:"num_workers"`
	Cores            float64           `json:"cluster_cores"`
	Memory           int64             `json:"cluster_memory_mb"`
	State            string            `json:"state"`
	StateMessage     string            `json:"state_message"`
	Creator          string            `json:"creator_user_name"`
	SingleUser       string            `json:"single_user_name"`
	SecurityMode     string            `json:"data_security_mode"`
	Source           string            `json:"cluster_source"`
	SparkConf        map[string]string `json:"spark_conf"`
}

func cluster(user string) wireCluster {
	return wireCluster{
		ClusterID: machineID, ClusterName: machineName, SparkVersion: sparkVersions()[0].Key, NodeTypeID: nodeType, DriverNodeTypeID: nodeType,
		Cores: float64(runtime.NumCPU()), Memory: memoryMB(), State: "RUNNING", Creator: user, SingleUser: user,
		SecurityMode: "SINGLE_USER", Source: "API", SparkConf: map[string]string{"spark.master": "local[*]"},
	}
}

// wireNode is this machine as a node type. Source: the SDK's NodeType.
type wireNode struct {
	ID           string           `json:"node_type_id"`
	Memory       int64            `json:"memory_mb"`
	Cores        float64          `json:"num_cores"`
	Description  string           `json:"description"`
	InstanceType string           `json:"instance_type_id"`
	Category     string           `json:"category"`
	Instance     map[string]any   `json:"node_instance_type"`
	Info         map[string][]any `json:"node_info"`
	Deprecated   bool             `json:"is_deprecated"`
}

func node() wireNode {
	return wireNode{
		ID: nodeType, InstanceType: nodeType, Memory: memoryMB(), Cores: float64(runtime.NumCPU()), Category: "General Purpose",
		Description: fmt.Sprintf("%s (%s/%s)", machineName, runtime.GOOS, runtime.GOARCH),
		Instance:    map[string]any{"instance_type_id": nodeType, "local_disks": 1, "local_disk_size_gb": 1},
		Info:        map[string][]any{"status": {}},
	}
}

func pool() map[string]any {
	return map[string]any{
		"instance_pool_id": machineID, "instance_pool_name": machineName, "node_type_id": nodeType, "min_idle_instances": 1, "max_capacity": 1,
		"state": "ACTIVE", "stats": map[string]int{"idle_count": 1, "used_count": 0, "pending_idle_count": 0, "pending_used_count": 0},
	}
}

func warehouse() map[string]any {
	return map[string]any{
		"id": machineID, "name": machineName, "state": "RUNNING", "cluster_size": "2X-Small", "min_num_clusters": 1, "max_num_clusters": 1,
		"num_clusters": 1, "auto_stop_mins": 0, "warehouse_type": "CLASSIC", "enable_photon": false, "enable_serverless_compute": false,
		"health": map[string]string{"status": "HEALTHY"},
	}
}

type wireVersion struct {
	Key  string `json:"key"`
	Name string `json:"name"`
}

// runtimes are the long-term runtimes that a job may name here, newest first.
// Source: the release notes of Databricks Runtime.
var runtimes = []struct{ version, spark, scala string }{
	{"17.3", "4.0.0", "2.13"}, {"16.4", "3.5.2", "2.12"}, {"15.4", "3.5.0", "2.12"}, {"14.3", "3.5.0", "2.12"}, {"13.3", "3.4.1", "2.12"},
}

func sparkVersions() []wireVersion {
	var list []wireVersion
	for _, r := range runtimes {
		includes := fmt.Sprintf("(includes Apache Spark %s, Scala %s)", r.spark, r.scala)
		list = append(list,
			wireVersion{r.version + ".x-scala" + r.scala, r.version + " LTS " + includes},
			wireVersion{r.version + ".x-cpu-ml-scala" + r.scala, r.version + " LTS ML " + includes})
	}
	return list
}
