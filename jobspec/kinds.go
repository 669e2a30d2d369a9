package jobspec

// Type is the key of a task's kind in the job JSON: "notebook_task" and its siblings.
type Type string

// The kinds that scheduling itself carries out.
const (
	ConditionTask Type = "condition_task"
	ForEachTask   Type = "for_each_task"
	RunJobTask    Type = "run_job_task"
)

// The kinds that run somewhere.
const (
	NotebookTask    Type = "notebook_task"
	SparkPythonTask Type = "spark_python_task"
	PythonWheelTask Type = "python_wheel_task"
	SparkJarTask    Type = "spark_jar_task"
	SparkSubmitTask Type = "spark_submit_task"
	SQLTask         Type = "sql_task"
	DbtTask         Type = "dbt_task"
	PipelineTask    Type = "pipeline_task"
)

// RunIf is the condition under which a task starts once all its upstreams have ended.
type RunIf string

// The six values of run_if.
const (
	AllSuccess        RunIf = "ALL_SUCCESS"
	AtLeastOneSuccess RunIf = "AT_LEAST_ONE_SUCCESS"
	NoneFailed        RunIf = "NONE_FAILED"
	AllDone           RunIf = "ALL_DONE"
	AtLeastOneFailed  RunIf = "AT_LEAST_ONE_FAILED"
	AllFailed         RunIf = "ALL_FAILED"
)

// Kinds are all task kinds of the Jobs API 2.2.
//
// Source: the fields of Task in the SDK; a test compares.
var Kinds = []Type{
	NotebookTask, SparkPythonTask, PythonWheelTask, SparkJarTask, SparkSubmitTask, SQLTask, DbtTask, PipelineTask,
	ConditionTask, ForEachTask, RunJobTask,
	"dashboard_task", "alert_task", "power_bi_task", "clean_rooms_notebook_task", "gen_ai_compute_task", "ai_runtime_task",
	"dbt_platform_task", "dbt_cloud_task", "python_operator_task",
}
