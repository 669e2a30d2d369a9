package api

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
)

// maxField bounds a part of a form that is no file.
const maxField = 64 << 10

// form is a multipart form with at most one file, whatever its part's name is:
// "content", "contents", or "file" as the legacy clients call it.
type form struct {
	dir     string // for the file
	fields  map[string]string
	content *os.File // nil: there is none
}

// readForm reads a form from body. A file goes to a temporary file, since
// what is to become of it may come after it.
func readForm(r *http.Request, body io.Reader, dir string) (*form, error) {
	r.Body = io.NopCloser(body)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, invalid("The body is no multipart form: %v.", err)
	}
	f := &form{dir: dir, fields: map[string]string{}}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return f, nil
		}
		if err != nil {
			err = invalid("The body is no whole multipart form: %v.", err)
		} else {
			err = f.add(part)
		}
		if err != nil {
			f.close()
			return nil, err
		}
	}
}

func (f *form) add(part *multipart.Part) error {
	name := part.FormName()
	if part.FileName() == "" && name != "content" && name != "contents" {
		value, err := io.ReadAll(io.LimitReader(part, maxField+1))
		switch {
		case err != nil:
			return invalid("The form cannot be read: %v.", err)
		case len(value) > maxField || len(f.fields) > 100:
			return invalid("The form's part %.40q is too large, or there are too many.", name)
		}
		f.fields[name] = string(value)
		return nil
	}
	if f.content != nil {
		return invalid("The form has two files, the second in part %.40q.", name)
	}
	file, err := os.CreateTemp(f.dir, "flowctl-upload-*")
	if err != nil {
		return fmt.Errorf("receive form: %w", err)
	}
	f.content = file
	if _, err := io.Copy(file, part); errors.Is(err, io.ErrUnexpectedEOF) {
		return invalid("The form ends in the middle of the file.")
	} else if err != nil {
		return fmt.Errorf("receive form: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("receive form: %w", err)
	}
	return nil
}

// close removes the temporary file.
func (f *form) close() {
	if f.content != nil {
		_ = f.content.Close()
		_ = os.Remove(f.content.Name())
	}
}
