package venv

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What pip and uv said, word for word, and what people are told of it.
func TestRefusals(t *testing.T) {
	reqs := []Requirement{
		{Line: "--no-index", Field: "d[0]"}, {Line: "--find-links /q", Path: "/q", Field: "d[1]"},
		{Line: "alpha", Field: "d[2]"}, {Line: "Beta_Two>=1", Field: "d[3]"}, {Line: "/p/bad-1.0-py3-none-any.whl", Path: "/p/bad-1.0-py3-none-any.whl", Field: "d[4]"},
	}
	for name, c := range map[string]struct{ said, want string }{
		"pip, conflict": {`Processing ./q/a-1-py3-none-any.whl (from -r /e/requirements.txt (line 3))
ERROR: Cannot install -r /e/requirements.txt (line 3) and -r /e/requirements.txt (line 4) because these package versions have conflicting dependencies.

The conflict is caused by:
    a 1 depends on c==1
    b 1 depends on c==2

To fix this you could try to:
1. loosen the range of package versions you've specified
2. remove package versions to allow pip attempt to solve the dependency conflict

ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/en/latest/`,
			`d[2]: "alpha", d[3]: "Beta_Two>=1" cannot be installed: Cannot install alpha and Beta_Two>=1 because these package versions have conflicting dependencies. ` +
				`The conflict is caused by: a 1 depends on c==1; b 1 depends on c==2; ResolutionImpossible: for help visit https://pip.pypa.io/en/latest/; these requirements cannot be met together: loosen one of them`},
		"pip, one by its line and one by its name": {"ERROR: Cannot install -r /e/requirements.txt (line 3) and beta-two>=1 because these package versions have conflicting dependencies.\n",
			`d[2]: "alpha", d[3]: "Beta_Two>=1" cannot be installed: Cannot install alpha and beta-two>=1 because these package versions have conflicting dependencies.; these requirements cannot be met together: loosen one of them`},
		"uv, conflict": {`error: No solution found when resolving dependencies
  cause: Because all versions of alpha depend on c==2 and all versions of beta-two depend on c==1, we can conclude that all versions of alpha and all versions of beta-two are incompatible.
         And because you require alpha and beta-two>=1, we can conclude that your requirements are unsatisfiable.

hint: no`,
			`d[2]: "alpha", d[3]: "Beta_Two>=1" cannot be installed: No solution found when resolving dependencies (Because all versions of alpha depend on c==2 and all versions of beta-two depend on c==1, ` +
				`we can conclude that all versions of alpha and all versions of beta-two are incompatible.) And because you require alpha and beta-two>=1, we can conclude that your requirements are unsatisfiable.; these requirements cannot be met together: loosen one of them`},
		"uv as it was, none": {"  × No solution found when resolving dependencies:\n  ╰─▶ Because beta-two was not found in the package registry and you require beta-two>=1, we can\n      conclude that your requirements are unsatisfiable.\n",
			`d[3]: "Beta_Two>=1" cannot be installed: No solution found when resolving dependencies: Because beta-two was not found in the package registry and you require beta-two>=1, we can`},
		"pip, what another requires": {"Processing ./q/d-1-py3-none-any.whl (from -r /e/requirements.txt (line 3))\nERROR: Could not find a version that satisfies the requirement missing-thing (from alpha) (from versions: none)\nERROR: No matching distribution found for missing-thing\n",
			`d[2]: "alpha" cannot be installed: Could not find a version that satisfies the requirement missing-thing (from alpha) (from versions: none)`},
		"pip, many versions": {"ERROR: Could not find a version that satisfies the requirement alpha==9 (from versions: 0.1, 0.2, 0.3, 1.0rc1, 1.0)\nERROR: No matching distribution found for alpha==9\n",
			`d[2]: "alpha" cannot be installed: Could not find a version that satisfies the requirement alpha==9 (from versions: …, 0.3, 1.0rc1, 1.0)`},
		"pip, what another's requires": {"Processing ./q/d-1-py3-none-any.whl (from middle->-r /e/requirements.txt (line 4))\nERROR: Could not find a version that satisfies the requirement missing-thing (from middle)\n",
			`d[3]: "Beta_Two>=1" cannot be installed: Could not find a version that satisfies the requirement missing-thing (from middle)`},
		"pip, no network": {"WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<x>: Failed to establish a new connection: [Errno 111] Connection refused')': /simple/alpha/\nERROR: Could not find a version that satisfies the requirement alpha (from versions: none)\n",
			`d[2]: "alpha" cannot be installed: Could not find a version that satisfies the requirement alpha (from versions: none); the package index cannot be reached: check the network, or install from a folder by the lines --no-index and --find-links DIR`},
		"uv, no network": {"error: Request failed after 3 retries in 9.6s\n  cause: Failed to fetch: http://nowhere.invalid/simple/alpha/\n  cause: dns error\n",
			`d[2]: "alpha" cannot be installed: Request failed after 3 retries in 9.6s (Failed to fetch: http://nowhere.invalid/simple/alpha/) (dns error); the package index cannot be reached: check the network, or install from a folder by the lines --no-index and --find-links DIR`},
		"pip, a build": {"Processing /p/proj (from -r /e/requirements.txt (line 3))\n  error: subprocess-exited-with-error\n  \n  × Preparing metadata (pyproject.toml) did not run successfully.\n  │ exit code: 1\n  ╰─> [18 lines of output]\n      Traceback (most recent call last):\n        File \"x\"\n      NameError: name 'boom' is not defined.\n      [end of output]\n  \n  note: This error originates from a subprocess\nerror: metadata-generation-failed\n",
			`d[2]: "alpha" cannot be installed: subprocess-exited-with-error Preparing metadata (pyproject.toml) did not run successfully. NameError: name 'boom' is not defined. metadata-generation-failed`},
		"uv, a build": {"error: The build backend returned an error\n  cause: Call to `x` failed (exit status: 1)\n\n         [stderr]\n         Traceback (most recent call last):\n           File \"<string>\", line 1, in <module>\n         NameError: name 'boom' is not defined.\n",
			`d[2]: "alpha", d[3]: "Beta_Two>=1", d[4]: "/p/bad-1.0-py3-none-any.whl" cannot be installed: The build backend returned an error (Call to ` + "`x`" + ` failed (exit status: 1)) NameError: name 'boom' is not defined.`},
		"uv, no requirement": {"error: Couldn't parse requirement in `requirements.txt` at position 27\n  cause: Expected one of `@`, found `a`\n         not a req ===\n             ^\n",
			"d[2]: \"alpha\" cannot be installed: Couldn't parse requirement in `requirements.txt` at position 27 (Expected one of `@`, found `a`) not a req === ^"},
		"uv, a bad wheel": {"error: Failed to read `bad @ file:///p/bad-1.0-py3-none-any.whl`\n  cause: Failed to read from zip file\n",
			"d[4]: \"/p/bad-1.0-py3-none-any.whl\" cannot be installed: Failed to read `bad @ file:///p/bad-1.0-py3-none-any.whl` (Failed to read from zip file)"},
		"another Python": {"ERROR: Package 'alpha' requires a different Python: 3.11.7 not in '<3.0'\n",
			`d[2]: "alpha" cannot be installed: Package 'alpha' requires a different Python: 3.11.7 not in '<3.0'; another Python can be named by --python or $FLOWCTL_PYTHON`},
		"nothing said": {"", `d[2]: "alpha", d[3]: "Beta_Two>=1", d[4]: "/p/bad-1.0-py3-none-any.whl" cannot be installed: the installer ended with exit status 1`},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, refusal(c.said, errors.New("exit status 1"), reqs).Error())
		})
	}
}
