package api

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"flowctl/engine/workspace"
)

// The Files API, for what is under /Volumes. Its answers have no body where
// there is nothing to say, and its errors carry a reason, by which clients
// tell a folder that is not empty.

func getFile(w http.ResponseWriter, r *http.Request, v visit, path string) error {
	f, info, err := v.Volumes.Open(path)
	if err != nil {
		return filesError(err)
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", info.Modified, f)
	return nil
}

func putFile(w http.ResponseWriter, r *http.Request, v visit, path string) error {
	body := patient(w, r, maxUpload)
	if err := v.Volumes.Upload(path, says(r, "overwrite"), body); err != nil {
		return filesError(body.blame(err))
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// maxUpload is more than a volume takes, so that it is the volume that refuses.
const maxUpload = 6 << 30

func deleteFile(w http.ResponseWriter, _ *http.Request, v visit, path string) error {
	if err := v.Volumes.Remove(path); err != nil {
		return filesError(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// initiateUpload answers a client that wants to send a large file in parts,
// through addresses of a cloud's storage. There are none here: no endpoint
// makes them, and after asking for the first the SDK for Python sends the file
// whole. Without a session it would give up instead.
func initiateUpload(w http.ResponseWriter, r *http.Request, _ visit, _ string) error {
	if r.URL.Query().Get("action") != "initiate-upload" {
		notFound(w, r)
		return nil
	}
	writeJSON(w, http.StatusOK, map[string]any{"multipart_upload": map[string]string{"session_token": "none"}})
	return nil
}

func headDirectory(w http.ResponseWriter, _ *http.Request, v visit, path string) error {
	info, err := v.Volumes.Status(path)
	if err == nil && !info.IsDir {
		err = &workspace.Error{Code: workspace.NotFound, Message: "The directory being accessed is not found: " + path}
	}
	if err != nil {
		return filesError(err)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func putDirectory(w http.ResponseWriter, _ *http.Request, v visit, path string) error {
	if err := v.Volumes.Mkdirs(path); err != nil {
		return filesError(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func deleteDirectory(w http.ResponseWriter, _ *http.Request, v visit, path string) error {
	if err := v.Volumes.Rmdir(path); err != nil {
		return filesError(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Sizes of a page of a folder. Source: the SDK's ListDirectoryContentsRequest.
const (
	filesPage    = 1000
	filesMaxPage = 1000
)

// wireEntry is a file or folder in a list. Source: the SDK's DirectoryEntry.
type wireEntry struct {
	Path         string `json:"path"`
	Name         string `json:"name"`
	IsDirectory  bool   `json:"is_directory"`
	FileSize     int64  `json:"file_size,omitempty"`
	LastModified int64  `json:"last_modified,omitempty"`
}

type listFilesAnswer struct {
	Contents      []wireEntry `json:"contents,omitempty"`
	NextPageToken string      `json:"next_page_token,omitempty"`
}

// listDirectory answers a page of a folder. A page's token is the name that
// it comes after.
func listDirectory(w http.ResponseWriter, r *http.Request, v visit, path string) error {
	size, err := pageSizeOf(r.URL.Query(), filesPage, filesMaxPage)
	if err != nil {
		return err
	}
	after, err := base64.RawURLEncoding.DecodeString(r.URL.Query().Get("page_token"))
	if err != nil {
		return invalid("page_token is none of this API's.")
	}
	list, more, err := v.Volumes.List(path, string(after), size)
	if err != nil {
		return filesError(err)
	}
	var ans listFilesAnswer
	for _, f := range list {
		e := wireEntry{Path: f.Path, Name: lastName(f.Path), IsDirectory: f.IsDir, FileSize: f.Size}
		if !f.IsDir {
			e.LastModified = f.Modified.UnixMilli()
		}
		ans.Contents = append(ans.Contents, e)
	}
	if more {
		ans.NextPageToken = base64.RawURLEncoding.EncodeToString([]byte(ans.Contents[len(list)-1].Name))
	}
	writeJSON(w, http.StatusOK, ans)
	return nil
}

// pageSizeOf reads page_size: usual if it is not given or 0, and at most most.
func pageSizeOf(q url.Values, usual, most int) (int, error) {
	text := q.Get("page_size")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n < 0:
		return 0, invalid("page_size %q is not a number of 0 or more.", text)
	case n == 0:
		return usual, nil
	}
	return min(n, most), nil
}

func lastName(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}

// filesError adds the reason that clients look for.
func filesError(err error) error {
	reasons := map[string]string{
		workspace.NotEmpty: "FILES_API_DIRECTORY_IS_NOT_EMPTY",
		workspace.Conflict: "FILES_API_ALREADY_EXISTS",
		workspace.NotFound: "FILES_API_NOT_FOUND",
	}
	var e *workspace.Error
	if !errors.As(err, &e) || reasons[e.Code] == "" {
		return err
	}
	return &apiError{
		status: statusFor(e.Code), code: e.Code, message: e.Message,
		details: []any{map[string]string{
			"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reasons[e.Code], "domain": "filesystem.databricks.com",
		}},
	}
}
