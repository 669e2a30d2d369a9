package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

func newValueCmd(e *env) *cobra.Command {
	cmd := &cobra.Command{Use: "value", Short: "Set and get task values, for tasks in any language"}
	var def string
	get := &cobra.Command{
		Use:   "get TASK KEY",
		Short: "Print a value that an earlier task of this run has set",
		Args:  cobra.ExactArgs(2),
		RunE:  func(_ *cobra.Command, a []string) error { return e.getValue(a[0], a[1], def) },
	}
	get.Flags().StringVar(&def, "default", "", "JSON to print if the task or the value is not there")
	set := &cobra.Command{
		Use:   "set KEY JSON",
		Short: "Set a value for the tasks that come after this one",
		Args:  cobra.ExactArgs(2),
		RunE:  func(_ *cobra.Command, a []string) error { return setValue(a[0], a[1]) },
	}
	cmd.AddCommand(get, set)
	return cmd
}

// maxValue is how large a task value may be, in bytes of JSON.
//
// Source: the Databricks page on task values: 48 KiB.
const maxValue = 48 * 1024

func setValue(key, value string) error {
	path := os.Getenv("FLOWCTL_EVENTS")
	if path == "" {
		return usage("value set works inside a task only: $FLOWCTL_EVENTS is not set")
	}
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(value)); err != nil {
		return usage("%s is not JSON (%v); a string stands in double quotes: '\"%s\"'", value, err, value)
	}
	if b.Len() > maxValue {
		return usage("the value of %q is %d bytes as JSON; at most %d (48 KiB) are allowed", key, b.Len(), maxValue)
	}
	line, err := json.Marshal(struct {
		T     string          `json:"t"`
		Key   string          `json:"key"`
		Value json.RawMessage `json:"value"`
	}{"value", key, b.Bytes()})
	if err != nil {
		return fmt.Errorf("set value: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return unable(fmt.Errorf("set value: %w", err))
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

func (e *env) getValue(task, key, def string) error {
	dir := os.Getenv("FLOWCTL_VALUES")
	if dir == "" {
		return usage("value get works inside a task only: $FLOWCTL_VALUES is not set")
	}
	var values map[string]json.RawMessage
	data, err := os.ReadFile(filepath.Join(dir, filepath.Base(task)+".json"))
	if err == nil {
		err = json.Unmarshal(data, &values)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return unable(fmt.Errorf("get value: %w", err))
	}
	v, ok := values[key]
	switch {
	case ok:
		fmt.Fprintln(e.stdout, string(v))
	case def != "":
		fmt.Fprintln(e.stdout, def)
	default:
		return &exitError{exitFailed, fmt.Errorf("task %s has not set a value %q", task, key)}
	}
	return nil
}
