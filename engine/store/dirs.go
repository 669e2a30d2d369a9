package store

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// RunDir is the folder of a run's files.
func (s *Store) RunDir(run int64) string {
	return filepath.Join(s.home, "runs", strconv.FormatInt(run, 10))
}

// AttemptDir is the folder of an attempt. item is the iteration's index, -1
// for a task that is no iteration.
func (s *Store) AttemptDir(run int64, taskKey string, item, number int) string {
	dir := filepath.Join(s.RunDir(run), taskKey)
	if item >= 0 {
		dir = filepath.Join(dir, fmt.Sprintf("item-%d", item))
	}
	return filepath.Join(dir, strconv.Itoa(number))
}

// ValuesDir is where a run's task values are published, one file a task.
func (s *Store) ValuesDir(run int64) string { return filepath.Join(s.RunDir(run), "values") }

// PublishValues makes a task's values readable by other tasks of the run, all
// at once. No values remove the file.
func (s *Store) PublishValues(run int64, taskKey string, values map[string]json.RawMessage) error {
	path := filepath.Join(s.ValuesDir(run), taskKey+".json")
	if len(values) == 0 {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("withdraw values of %s: %w", taskKey, err)
		}
		return nil
	}
	raw, err := json.Marshal(values)
	if err != nil {
		return fmt.Errorf("publish values of %s: %w", taskKey, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("publish values of %s: %w", taskKey, err)
	}
	if err := os.WriteFile(path+".new", raw, 0o600); err != nil {
		return fmt.Errorf("publish values of %s: %w", taskKey, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("publish values of %s: %w", taskKey, err)
	}
	return nil
}

// OpenLog opens an attempt's output. An attempt that wrote none reads as empty
// (a nil reader and no error).
func (s *Store) OpenLog(attemptDir string) (io.ReadSeekCloser, error) {
	f, err := os.Open(filepath.Join(attemptDir, "output.log"))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// RemoveRunDir removes a run's files.
func (s *Store) RemoveRunDir(run int64) error {
	if err := os.RemoveAll(s.RunDir(run)); err != nil {
		return fmt.Errorf("remove files of run %d: %w", run, err)
	}
	return nil
}
