package jobspec

import (
	"encoding/json"
	"fmt"
)

// PauseStatus is what pause_status says.
type PauseStatus string

// The values of pause_status.
const (
	Paused   PauseStatus = "PAUSED"
	Unpaused PauseStatus = "UNPAUSED"
)

// SetPause gives everything that makes the job start by itself a
// pause_status. Settings without any such thing stay as they are.
func SetPause(settings json.RawMessage, status PauseStatus) (json.RawMessage, error) {
	job, err := objectOf(settings)
	if err != nil {
		return nil, err
	}
	word, err := json.Marshal(status)
	if err != nil {
		return nil, fmt.Errorf("set pause_status: %w", err)
	}
	for _, key := range []string{"schedule", "trigger", "continuous"} {
		o := job.object(key)
		if o == nil {
			continue
		}
		o["pause_status"] = word
		if job[key], err = json.Marshal(o); err != nil {
			return nil, fmt.Errorf("set pause_status of %s: %w", key, err)
		}
	}
	if list := job.objects("triggers"); list != nil {
		for _, o := range list {
			o["pause_status"] = word
		}
		if job["triggers"], err = json.Marshal(list); err != nil {
			return nil, fmt.Errorf("set pause_status of triggers: %w", err)
		}
	}
	return json.Marshal(job)
}
