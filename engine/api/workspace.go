package api

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"flowctl/engine/workspace"
)

func (s *Server) treeRoutes() map[string]http.Handler {
	const p = "/api/2.0/workspace/"
	return map[string]http.Handler{
		"GET " + p + "get-status": inside(s, getStatus),
		"GET " + p + "list":       inside(s, listTree),
		"GET " + p + "export":     http.HandlerFunc(s.exportTree),
		"POST " + p + "mkdirs":    inside(s, mkdirsTree),
		"POST " + p + "delete":    inside(s, deleteTree),
		"POST " + p + "import":    http.HandlerFunc(s.importTree),
	}
}

// wireObject is an object of the tree. Source: the SDK's ObjectInfo, and
// repos_export_format, which the CLI asks for with return_export_info.
type wireObject struct {
	ObjectID     int64  `json:"object_id"`
	ObjectType   string `json:"object_type"`
	Path         string `json:"path"`
	Language     string `json:"language,omitempty"`
	CreatedAt    int64  `json:"created_at,omitempty"`
	ModifiedAt   int64  `json:"modified_at,omitempty"`
	Size         *int64 `json:"size,omitempty"`
	ResourceID   string `json:"resource_id,omitempty"`
	ExportFormat string `json:"repos_export_format,omitempty"`
}

func objectOf(e workspace.Entry) wireObject {
	o := wireObject{
		ObjectID: e.ID, ObjectType: string(e.Kind), Path: e.Path, Language: string(e.Language), ResourceID: fmt.Sprint(e.ID),
		CreatedAt: e.Created.UnixMilli(), ModifiedAt: e.Modified.UnixMilli(),
	}
	if e.Kind == workspace.File {
		o.Size = &e.Size
	}
	return o
}

type statusRequest struct {
	Path       string `json:"path"`
	ExportInfo bool   `json:"return_export_info"`
}

func getStatus(v visit, q statusRequest) (wireObject, error) {
	e, err := v.Tree.Status(v.who, q.Path)
	o := objectOf(e)
	if q.ExportInfo && e.Kind == workspace.Notebook {
		o.ExportFormat = "SOURCE"
		if e.Jupyter {
			o.ExportFormat = "JUPYTER"
		}
	}
	return o, err
}

type listTreeRequest struct {
	Path          string `json:"path"`
	ModifiedAfter int64  `json:"notebooks_modified_after"` // ms; of notebooks only
}

type listTreeAnswer struct {
	Objects []wireObject `json:"objects,omitempty"`
}

func listTree(v visit, q listTreeRequest) (listTreeAnswer, error) {
	var ans listTreeAnswer
	list, err := v.Tree.List(v.who, q.Path)
	for _, e := range list {
		if e.Kind != workspace.Notebook || e.Modified.UnixMilli() > q.ModifiedAfter {
			ans.Objects = append(ans.Objects, objectOf(e))
		}
	}
	return ans, err
}

type pathRequest struct {
	Path      string `json:"path"`
	Recursive bool   `json:"recursive"`
}

func mkdirsTree(v visit, q pathRequest) (empty, error) {
	return empty{}, v.Tree.Mkdirs(v.who, q.Path)
}

func deleteTree(v visit, q pathRequest) (empty, error) {
	return empty{}, v.Tree.Delete(v.who, q.Path, q.Recursive)
}

// maxExport is the largest object that an answer in JSON holds; a direct
// download has no limit. Source: the REST API reference of workspace/export.
const maxExport = 10 << 20

type exportAnswer struct {
	Content  string `json:"content"`
	FileType string `json:"file_type,omitempty"`
}

func (s *Server) exportTree(w http.ResponseWriter, r *http.Request) {
	v, err := s.visit(r.Context())
	if err == nil {
		err = export(w, r, v)
	}
	if err != nil {
		writeError(w, err)
	}
}

func export(w http.ResponseWriter, r *http.Request, v visit) error {
	q := r.URL.Query()
	x, err := v.Tree.Export(v.who, q.Get("path"), q.Get("format"))
	if err != nil {
		return err
	}
	defer x.Close()
	if says(r, "direct_download") {
		serveFile(w, r, x, x.Name)
		return nil
	}
	if x.Size > maxExport {
		return &workspace.Error{Code: workspace.NotebookTooLarge, Message: fmt.Sprintf("The object has %d bytes; more than %d are exported with direct_download=true only.", x.Size, maxExport)}
	}
	content, err := io.ReadAll(x)
	if err != nil {
		return fmt.Errorf("export %s: %w", q.Get("path"), err)
	}
	writeJSON(w, http.StatusOK, exportAnswer{base64.StdEncoding.EncodeToString(content), x.FileType})
	return nil
}

func serveFile(w http.ResponseWriter, r *http.Request, x *workspace.Exported, name string) {
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-Content-Type-Options", "nosniff")
	if cd := mime.FormatMediaType("attachment", map[string]string{"filename": name}); cd != "" {
		h.Set("Content-Disposition", cd)
	}
	http.ServeContent(w, r, "", x.Modified, x)
}

type importRequest struct {
	Path      string `json:"path"`
	Format    string `json:"format"`
	Language  string `json:"language"`
	Content   string `json:"content"`
	Overwrite bool   `json:"overwrite"`
}

// importTree takes an import as JSON with base64 in it, or as a form with a
// file in it, which the SDKs' upload sends.
func (s *Server) importTree(w http.ResponseWriter, r *http.Request) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "multipart/form-data" {
		inside(s, importJSON).ServeHTTP(w, r)
		return
	}
	v, err := s.visit(r.Context())
	if err == nil {
		err = importForm(w, r, v)
	}
	if err != nil {
		writeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, empty{})
}

func importJSON(v visit, q importRequest) (empty, error) {
	content, err := base64.StdEncoding.DecodeString(q.Content)
	if err != nil {
		return empty{}, invalid("content is not base64: %v", err)
	}
	return empty{}, v.Tree.Import(v.who, workspace.Import{
		Path: q.Path, Format: q.Format, Language: workspace.Language(q.Language), Overwrite: q.Overwrite, Body: bytes.NewReader(content),
	})
}

// maxForm bounds an import as a form.
const maxForm = 500<<20 + 1<<20

// importForm reads the parts in whatever order they come: the SDKs send the
// content before the format.
func importForm(w http.ResponseWriter, r *http.Request, v visit) error {
	body := patient(w, r, maxForm)
	form, err := readForm(r, body, v.TempDir())
	if err != nil {
		return body.blame(err)
	}
	defer form.close()
	if form.content == nil {
		return invalid("The form has no part \"content\".")
	}
	return v.Tree.Import(v.who, workspace.Import{
		Path: form.fields["path"], Format: form.fields["format"], Language: workspace.Language(form.fields["language"]),
		Overwrite: strings.EqualFold(form.fields["overwrite"], "true"), Body: form.content,
	})
}

// importFile is a PUT of a file in all but name, in the protocol that clients
// keep their locks by: 404 if the folder is missing, 409 if a file is there.
func importFile(w http.ResponseWriter, r *http.Request, v visit, path string) error {
	body := patient(w, r, maxForm)
	if err := v.Tree.Upload(v.who, path, says(r, "overwrite"), body); err != nil {
		return body.blame(err)
	}
	writeJSON(w, http.StatusOK, empty{})
	return nil
}

func readWorkspaceFile(w http.ResponseWriter, r *http.Request, v visit, path string) error {
	x, err := v.Tree.Open(v.who, path)
	if err != nil {
		return err
	}
	defer x.Close()
	serveFile(w, r, x, x.Name)
	return nil
}
