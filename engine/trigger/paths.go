package trigger

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// plainPath takes paths of this machine as they are, with or without file:.
func plainPath(path string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "file:"); ok {
		u, err := url.Parse("file:" + rest)
		if err != nil || u.Host != "" {
			return "", fmt.Errorf("%s: no path of this machine; write file:///FOLDER", path)
		}
		path = u.Path
	}
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("%s: it leads nowhere on this machine; write /Volumes/…, dbfs:/… or an absolute path", path)
	}
	return filepath.Clean(path), nil
}
