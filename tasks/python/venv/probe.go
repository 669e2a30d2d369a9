package venv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// python is what an interpreter says of itself.
type python struct {
	Version  string   `json:"version"` // "3.11.7"
	Minor    int      `json:"minor"`   // 11
	Sites    []string `json:"sites"`   // folders of packages, in the order they are searched
	Pip      bool     `json:"pip"`
	Packages []pkg    `json:"packages"`
}

// pkg is an installed package.
type pkg struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Site    string `json:"site"` // the folder it lies in
	From    string `json:"from"` // the address or path it was installed from; empty: an index
}

// question makes an interpreter speak of itself. It is given the name of no
// file, so the working folder must hold no modules: it is the environment's.
const question = `
import importlib.util, json, os, site, sys
sites = site.getsitepackages() + ([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])
sites = [s for s in sites if os.path.isdir(s)]
packages, seen = [], set()
from importlib import metadata
for d in metadata.distributions():
    name = (d.metadata["Name"] or "").strip()
    folder = os.path.dirname(str(getattr(d, "_path", "")))
    key = name.lower().replace("_", "-").replace(".", "-")
    if not name or key in seen:
        continue
    seen.add(key)
    origin = ""
    try:
        direct = json.loads(d.read_text("direct_url.json") or "{}")
        origin = direct.get("url", "")
        info = direct.get("archive_info") or {}
        digest = info.get("hash") or next(("%s=%s" % i for i in (info.get("hashes") or {}).items()), "")
        if direct.get("vcs_info"):
            origin = direct["vcs_info"]["vcs"] + "+" + origin + "@" + direct["vcs_info"]["commit_id"]
        elif digest:
            origin += "#" + digest
    except Exception:
        pass
    packages.append({"name": name, "version": d.version or "", "site": folder, "from": origin})
packages.sort(key=lambda p: p["name"].lower())
print(json.dumps({"version": "%d.%d.%d" % sys.version_info[:3], "minor": sys.version_info[1], "sites": sites,
    "pip": importlib.util.find_spec("pip") is not None, "packages": packages}))
`

// ask starts an interpreter and lets it speak of itself.
func ask(ctx context.Context, program, dir string) (python, error) {
	cmd := exec.CommandContext(ctx, program, "-c", question)
	cmd.Dir = dir
	cmd.Env = cleanEnv()
	out, err := cmd.Output()
	var p python
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
			err = fmt.Errorf("%w: %s", err, lines[len(lines)-1])
		}
		return p, fmt.Errorf("ask %s for its packages: %w", program, err)
	}
	if err := json.Unmarshal(out, &p); err != nil {
		return p, fmt.Errorf("ask %s for its packages: %w", program, err)
	}
	return p, nil
}

// String is the package as a line of a lock.
func (p pkg) String() string {
	if p.From != "" {
		return fmt.Sprintf("%s==%s  # %s", p.Name, p.Version, hidden(p.From))
	}
	return p.Name + "==" + p.Version
}
