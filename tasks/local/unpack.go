package local

import (
	"archive/zip"
	"bufio"
	"os"
	"strings"
)

// unpackWheels does without an installer where every requirement is a local,
// pure Python wheel that requires nothing else. False: it takes an installer.
func unpackWheels(reqs []requirement, dir string) (bool, error) {
	for _, unpack := range []bool{false, true} { // look at all before the first is unpacked
		for _, r := range reqs {
			if len(r.args) != 1 || !strings.HasSuffix(r.path, "-none-any.whl") {
				return false, nil
			}
			ok, err := openWheel(r.path, dir, unpack)
			if err != nil {
				return false, uninstallable("%s: %s: %v", r.field, r.path, err)
			}
			if !ok {
				return false, nil
			}
		}
	}
	return true, nil
}

// openWheel tells whether a wheel is nothing but its files, and unpacks it if
// asked to.
func openWheel(file, dir string, unpack bool) (bool, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return false, err
	}
	defer z.Close() //nolint:errcheck // only read
	for _, f := range z.File {
		if top, _, _ := strings.Cut(f.Name, "/"); strings.HasSuffix(top, ".data") {
			return false, nil // scripts and the like, which have other places
		}
		if strings.HasSuffix(f.Name, ".dist-info/METADATA") {
			if more, err := requiresOthers(f); more || err != nil {
				return false, err
			}
		}
	}
	if !unpack {
		return true, nil
	}
	return true, os.CopyFS(dir, z)
}

func requiresOthers(f *zip.File) (bool, error) {
	r, err := f.Open()
	if err != nil {
		return false, err
	}
	defer r.Close() //nolint:errcheck // only read
	s := bufio.NewScanner(r)
	for s.Scan() && s.Text() != "" { // then comes the description
		if strings.HasPrefix(s.Text(), "Requires-Dist:") && !strings.Contains(s.Text(), "extra ==") {
			return true, nil
		}
	}
	return false, s.Err()
}
