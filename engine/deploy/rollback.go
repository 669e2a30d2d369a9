package deploy

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Rollback plans to give a deployed job the settings of an earlier version,
// and with them the code that it had. It only reads; Apply carries it out.
func Rollback(ctx context.Context, w Workspace, rec *Record, v Version, by string) (*Plan, error) {
	want := Wanted{Settings: v.Settings, Folder: v.folder(rec), By: by, Commit: v.Commit}
	if want.Folder != "" {
		err := w.Get(ctx, "/api/2.0/workspace/get-status", url.Values{"path": {want.Folder}}, &struct{}{})
		if w.Missing(err) {
			return nil, fmt.Errorf("%w: %s was deleted; deploy the file of that time anew", ErrCodeGone, want.Folder)
		}
		if err != nil {
			return nil, fmt.Errorf("look for the code of that version: %w", err)
		}
	}
	p, err := Make(ctx, w, rec, want)
	if err != nil {
		return nil, err
	}
	if p.Create {
		return nil, fmt.Errorf("the job is not on the workspace any more; deploy it anew")
	}
	p.Upload = false
	return p, nil
}

// ErrCodeGone says that a version's code is no longer on the workspace.
var ErrCodeGone = errors.New("the code of that version is not on the workspace any more")

// folder is where a version's code is. Versions of older records do not say;
// their settings do.
func (v Version) folder(rec *Record) string {
	if v.Folder != "" {
		return v.Folder
	}
	for _, f := range append(slices.Clone(rec.Old), rec.Folder) {
		if f != "" && strings.Contains(string(v.Settings), f+"/") {
			return f
		}
	}
	return ""
}
