package workspace

import (
	"slices"
	"strings"
)

// Level is what somebody may do with an object.
type Level string

// The levels that this program asks for. Source: the SDK's PermissionLevel.
const (
	CanView      Level = "CAN_VIEW"
	CanManageRun Level = "CAN_MANAGE_RUN"
	CanManage    Level = "CAN_MANAGE"
	IsOwner      Level = "IS_OWNER"
	CanRead      Level = "CAN_READ"
	CanRun       Level = "CAN_RUN"
	CanEdit      Level = "CAN_EDIT"
	CanQuery     Level = "CAN_QUERY"
)

// ObjectType is a kind of object that has permissions.
type ObjectType struct {
	Plural   string // in the path of a request and in object_id: "jobs"
	Singular string // object_type: "job"
	// Levels, weakest first: who has one has those before it.
	Levels []LevelInfo
	owned  bool // has exactly one owner
	inTree bool // is an object of the file tree
}

// LevelInfo is a level with its description for people.
type LevelInfo struct {
	Level       Level
	Description string
}

// JobType is the kind of jobs.
var JobType = objectTypes[0]

// ServingType is the kind of serving endpoints.
var ServingType = objectTypes[len(objectTypes)-1]

// PipelineType is the kind of pipelines.
var PipelineType = objectTypes[slices.IndexFunc(objectTypes, func(o ObjectType) bool { return o.Plural == "pipelines" })]

// objectTypes are the kinds that exist here. The words are those of the
// permissionLevels endpoint.
var objectTypes = []ObjectType{
	{Plural: "jobs", Singular: "job", owned: true, Levels: []LevelInfo{
		{CanView, "Can view the job and its runs"},
		{CanManageRun, "Can view, start, cancel and repair runs of the job"},
		{CanManage, "Can do everything with the job"},
		{IsOwner, "Is the owner of the job"},
	}},
	{Plural: "directories", Singular: "directory", inTree: true, Levels: treeLevels("the folder and what is in it")},
	{Plural: "notebooks", Singular: "notebook", inTree: true, Levels: treeLevels("the notebook")},
	{Plural: "files", Singular: "file", inTree: true, Levels: treeLevels("the file")},
	{Plural: "repos", Singular: "repo", inTree: true, Levels: treeLevels("the repo")},
	{Plural: "clusters", Singular: "cluster", Levels: []LevelInfo{
		{"CAN_ATTACH_TO", "Can attach to the cluster"},
		{"CAN_RESTART", "Can attach to and restart the cluster"},
		{CanManage, "Can do everything with the cluster"},
	}},
	{Plural: "cluster-policies", Singular: "cluster-policy", Levels: []LevelInfo{{"CAN_USE", "Can use the policy"}}},
	{Plural: "instance-pools", Singular: "instance-pool", Levels: []LevelInfo{
		{"CAN_ATTACH_TO", "Can attach clusters to the pool"},
		{CanManage, "Can do everything with the pool"},
	}},
	{Plural: "sql/warehouses", Singular: "warehouses", Levels: []LevelInfo{
		{"CAN_USE", "Can use the warehouse"},
		{"CAN_MONITOR", "Can use and monitor the warehouse"},
		{CanManage, "Can do everything with the warehouse"},
		{IsOwner, "Is the owner of the warehouse"},
	}},
	{Plural: "pipelines", Singular: "pipelines", owned: true, Levels: []LevelInfo{
		{CanView, "Can view the pipeline and its updates"},
		{CanRun, "Can view the pipeline, start and stop its updates"},
		{CanManage, "Can do everything with the pipeline"},
		{IsOwner, "Is the owner of the pipeline"},
	}},
	{Plural: "authorization", Singular: "tokens", Levels: []LevelInfo{{"CAN_USE", "Can use tokens"}}},
	{Plural: "experiments", Singular: "mlflowExperiment", Levels: []LevelInfo{
		{CanRead, "Can read the experiment"},
		{CanEdit, "Can read the experiment and log to it"},
		{CanManage, "Can do everything with the experiment"},
	}},
	{Plural: "registered-models", Singular: "registered-model", Levels: []LevelInfo{
		{CanRead, "Can read the model"},
		{CanEdit, "Can read and edit the model"},
		{"CAN_MANAGE_STAGING_VERSIONS", "Can edit the model and manage its staging versions"},
		{"CAN_MANAGE_PRODUCTION_VERSIONS", "Can edit the model and manage all of its versions"},
		{CanManage, "Can do everything with the model"},
	}},
	{Plural: "serving-endpoints", Singular: "serving-endpoint", Levels: []LevelInfo{
		{CanView, "Can view the endpoint"},
		{CanQuery, "Can view and query the endpoint"},
		{CanManage, "Can do everything with the endpoint"},
	}},
}

// treeType ranks the levels of whatever is in the file tree.
var treeType = ObjectType{Singular: "object", inTree: true, Levels: treeLevels("the object")}

func treeLevels(what string) []LevelInfo {
	return []LevelInfo{
		{CanRead, "Can read " + what},
		{CanRun, "Can read and run " + what},
		{CanEdit, "Can read, run and edit " + what},
		{CanManage, "Can read, run, edit, delete and share " + what},
	}
}

// TypeOf finds a kind of object by the word in the path of a request.
func TypeOf(plural string) (ObjectType, error) {
	i := slices.IndexFunc(objectTypes, func(o ObjectType) bool { return o.Plural == plural })
	if i < 0 {
		return ObjectType{}, refuse(InvalidParameter, "request_object_type is not recognized: %s", plural)
	}
	return objectTypes[i], nil
}

// rank orders the levels of a kind: 0 is none, and a level that the kind does
// not have.
func (o ObjectType) rank(l Level) int {
	return slices.IndexFunc(o.Levels, func(i LevelInfo) bool { return i.Level == l }) + 1
}

func (o ObjectType) top() Level { return o.Levels[len(o.Levels)-1].Level }

// manage is the level that may see and change permissions.
func (o ObjectType) manage() Level {
	if o.rank(CanManage) > 0 {
		return CanManage
	}
	return o.top()
}

func (o ObjectType) names() string {
	var names []string
	for _, l := range o.Levels {
		names = append(names, string(l.Level))
	}
	return strings.Join(names, ", ")
}

// need names a level in a refusal, in a workspace's words.
var need = map[Level]string{
	CanView: "View or Admin or Manage Run or Owner", CanManageRun: "Admin or Manage Run or Owner",
	CanManage: "Admin or Owner", IsOwner: "Owner",
}
