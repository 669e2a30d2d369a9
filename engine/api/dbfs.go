package api

import (
	"bytes"
	"encoding/base64"
	"mime"
	"net/http"
	"strings"

	"flowctl/engine/workspace"
)

func (s *Server) dbfsRoutes() map[string]http.Handler {
	const p = "/api/2.0/dbfs/"
	return map[string]http.Handler{
		"GET " + p + "get-status": inside(s, func(v visit, q pathRequest) (wireFile, error) {
			info, err := v.DBFS.Status(q.Path)
			return fileOf(info), err
		}),
		"GET " + p + "list": inside(s, dbfsList),
		"GET " + p + "read": inside(s, dbfsRead),
		"POST " + p + "mkdirs": inside(s, func(v visit, q pathRequest) (empty, error) {
			return empty{}, v.DBFS.Mkdirs(q.Path)
		}),
		"POST " + p + "delete": inside(s, func(v visit, q pathRequest) (empty, error) {
			return empty{}, v.DBFS.Delete(q.Path, q.Recursive)
		}),
		"POST " + p + "move": inside(s, func(v visit, q moveRequest) (empty, error) {
			return empty{}, v.DBFS.Move(q.Source, q.Destination)
		}),
		"POST " + p + "create": inside(s, func(v visit, q createRequest) (createAnswer, error) {
			id, err := v.DBFS.Create(v.who, q.Path, q.Overwrite)
			return createAnswer{id}, err
		}),
		"POST " + p + "add-block": inside(s, dbfsAddBlock),
		"POST " + p + "close": inside(s, func(v visit, q handleRequest) (empty, error) {
			return empty{}, v.DBFS.CloseHandle(v.who, q.Handle)
		}),
		"POST " + p + "put": http.HandlerFunc(s.dbfsPut),
	}
}

// wireFile is a file of dbfs:/. Source: the SDK's FileInfo.
type wireFile struct {
	Path     string `json:"path"`
	IsDir    bool   `json:"is_dir"`
	Size     int64  `json:"file_size"`
	Modified int64  `json:"modification_time"`
}

func fileOf(f workspace.FileInfo) wireFile {
	return wireFile{f.Path, f.IsDir, f.Size, f.Modified.UnixMilli()}
}

type dbfsListAnswer struct {
	Files []wireFile `json:"files,omitempty"`
}

func dbfsList(v visit, q pathRequest) (dbfsListAnswer, error) {
	var ans dbfsListAnswer
	list, err := v.DBFS.List(q.Path)
	for _, f := range list {
		ans.Files = append(ans.Files, fileOf(f))
	}
	return ans, err
}

type readRequest struct {
	Path   string `json:"path"`
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
}

type readAnswer struct {
	BytesRead int    `json:"bytes_read"`
	Data      string `json:"data"`
}

func dbfsRead(v visit, q readRequest) (readAnswer, error) {
	data, err := v.DBFS.Read(q.Path, q.Offset, q.Length)
	return readAnswer{len(data), base64.StdEncoding.EncodeToString(data)}, err
}

type moveRequest struct {
	Source      string `json:"source_path"`
	Destination string `json:"destination_path"`
}

type createRequest struct {
	Path      string `json:"path"`
	Overwrite bool   `json:"overwrite"`
}

type createAnswer struct {
	Handle int64 `json:"handle"`
}

type handleRequest struct {
	Handle int64  `json:"handle"`
	Data   string `json:"data"`
}

func dbfsAddBlock(v visit, q handleRequest) (empty, error) {
	data, err := base64.StdEncoding.DecodeString(q.Data)
	if err != nil {
		return empty{}, invalid("data is not base64: %v", err)
	}
	return empty{}, v.DBFS.AddBlock(v.who, q.Handle, bytes.NewReader(data))
}

type putRequest struct {
	Path      string `json:"path"`
	Contents  string `json:"contents"`
	Overwrite bool   `json:"overwrite"`
}

// dbfsPut takes a file as JSON with base64 in it, or as a form.
func (s *Server) dbfsPut(w http.ResponseWriter, r *http.Request) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "multipart/form-data" {
		inside(s, dbfsPutJSON).ServeHTTP(w, r)
		return
	}
	v, err := s.visit(r.Context())
	if err == nil {
		err = dbfsPutForm(w, r, v)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, empty{})
}

func dbfsPutJSON(v visit, q putRequest) (empty, error) {
	data, err := base64.StdEncoding.DecodeString(q.Contents)
	if err != nil {
		return empty{}, invalid("contents is not base64: %v", err)
	}
	return empty{}, v.DBFS.Put(q.Path, q.Overwrite, bytes.NewReader(data))
}

// maxDBFSForm bounds a file as a form.
const maxDBFSForm = 2<<30 + 1<<20

func dbfsPutForm(w http.ResponseWriter, r *http.Request, v visit) error {
	body := patient(w, r, maxDBFSForm)
	form, err := readForm(r, body, v.TempDir())
	if err != nil {
		return body.blame(err)
	}
	defer form.close()
	if form.content == nil {
		return invalid("The form has no part \"contents\".")
	}
	return v.DBFS.Upload(form.fields["path"], strings.EqualFold(form.fields["overwrite"], "true"), form.content)
}
