package main

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// walls is the house: what each room may import of ours, and what it must
// never import of others. A room that is not in the table is a mistake.
var walls = map[string]struct {
	may   []string
	never []string
}{
	"jobspec":                        {may: []string{"jobspec/ref", "jobspec/quartz"}, never: outside},
	"jobspec/ref":                    {never: append(outside, "os", "sync")},
	"jobspec/quartz":                 {never: append(outside, "os")},
	"jobspec/draw":                   {may: []string{"jobspec"}, never: outside},
	"engine/jobrun":                  {may: []string{"jobspec", "jobspec/ref"}, never: append(outside, "os", "sync", "context", "net")},
	"engine/store":                   {may: []string{"engine/jobrun", "jobspec"}, never: []string{"net/http", sdk}},
	"engine":                         {may: []string{"engine/jobrun", "engine/store", "tasks", "jobspec"}, never: []string{"net/http", sdk, bbolt}},
	"engine/api":                     {may: []string{"engine", "engine/jobrun", "engine/workspace", "engine/serving", "jobspec", "tasks"}, never: []string{bbolt}},
	"engine/serving":                 {may: []string{"engine/store", "engine/workspace"}, never: []string{"net/http", sdk, bbolt}},
	"engine/notify":                  {may: []string{"engine/jobrun", "engine/store", "engine/workspace"}, never: []string{sdk, bbolt}},
	"engine/trigger":                 {may: []string{"engine", "engine/jobrun", "jobspec", "tasks/delta"}, never: []string{"net/http", sdk, bbolt}},
	"engine/deploy":                  {never: []string{bbolt, sdk}},
	"engine/workspace":               {may: []string{"engine/store", "tasks/notebook"}, never: []string{sdk}},
	"tasks":                          {may: []string{"jobspec"}, never: append(outside, "net")},
	"tasks/taskstest":                {may: []string{"tasks", "jobspec"}},
	"tasks/notebook":                 {never: outside},
	"tasks/python":                   {never: outside},
	"tasks/python/venv":              {never: outside},
	"tasks/delta":                    {never: outside},
	"tasks/local":                    {may: []string{"tasks", "tasks/delta", "tasks/python", "tasks/python/venv", "tasks/notebook", "jobspec"}, never: []string{bbolt, "net/http"}},
	"tasks/model":                    {may: []string{"tasks/python", "tasks/python/venv"}, never: []string{bbolt, sdk}},
	"tasks/databricks":               {may: []string{"tasks", "jobspec", "jobspec/ref", "tasks/databricks/rest", "tasks/databricks/upload"}, never: []string{bbolt}},
	"tasks/databricks/rest":          {never: []string{bbolt}},
	"tasks/databricks/upload":        {may: []string{"tasks/databricks/rest", "tasks/notebook"}, never: []string{bbolt}},
	"tasks/databricks/workspacetest": {may: []string{"*"}},
	"cmd/flowctl":                    {may: []string{"*"}},
	"cmd/flowctl/internal/bench":     {may: []string{}},
}

const (
	sdk   = "github.com/databricks/databricks-sdk-go"
	bbolt = "go.etcd.io/bbolt"
)

// outside is what the lower floors never meet.
var outside = []string{sdk, bbolt, "net/http", "github.com/spf13/cobra"}

// TestWalls holds every room's imports against the table.
func TestWalls(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "flowctl/...").Output()
	require.NoError(t, err)
	dec := json.NewDecoder(strings.NewReader(string(out)))
	rooms := 0
	for dec.More() {
		var p struct {
			ImportPath string
			Imports    []string
		}
		require.NoError(t, dec.Decode(&p))
		room := strings.TrimPrefix(p.ImportPath, "flowctl/")
		wall, known := walls[room]
		if !known {
			t.Errorf("%s has no walls: add it to the table", room)
			continue
		}
		rooms++
		for _, imp := range p.Imports {
			if ours, ok := strings.CutPrefix(imp, "flowctl/"); ok {
				if !slices.Contains(wall.may, ours) && !slices.Contains(wall.may, "*") {
					t.Errorf("%s imports %s, which its walls do not allow", room, ours)
				}
				continue
			}
			for _, bad := range wall.never {
				if imp == bad || strings.HasPrefix(imp, bad+"/") {
					t.Errorf("%s imports %s, which it must never", room, imp)
				}
			}
		}
	}
	require.Greater(t, rooms, 10)
}

// TestHeartHasNoClock looks for what an import cannot tell.
func TestHeartHasNoClock(t *testing.T) {
	out, err := exec.Command("grep", "-rnE", `time\.(Now|Sleep|After|NewTimer)|^\s*go `, "../../engine/jobrun", "--include=*.go", "--exclude=*_test.go").Output()
	require.Empty(t, string(out), "the heart has no clock and no goroutine")
	require.Error(t, err, "grep answers 1 when it finds nothing")
}
