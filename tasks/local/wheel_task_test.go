package local_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"flowctl/jobspec"
	"flowctl/tasks"
)

// A wheel task finds its entry point as Databricks does: by name in any group
// of the package's metadata, else as a function of the package.
func TestWheelEntryPoints(t *testing.T) {
	l := newLab(t)
	l.wheelOf("acme_shop", "", map[string]string{
		"shop/__init__.py":      "def run():\n    print('shop.run')\n",
		"shop/deep.py":          "class Tool:\n    @staticmethod\n    def go():\n        print('deep')\n",
		"INFO/entry_points.txt": "[console_scripts]\nacme-shop = shop:run\n[shop.plugins]\nplug = shop.deep:Tool.go\n",
	})
	l.wheelOf("other", "", map[string]string{"other/__init__.py": "def run():\n    print('other.run')\n", "other/jobs.py": "def main():\n    print('other.jobs')\n    return 3\n"})
	in := l.inEnvironment("./*.whl")
	run := func(pkg, entry string) (tasks.Result, string) {
		res, log, _ := l.do(in(l.attempt(jobspec.PythonWheelTask, `{"package_name":"`+pkg+`","entry_point":"`+entry+`"}`)))
		return res, log
	}
	for _, c := range []struct{ pkg, entry, want string }{
		{"acme_shop", "acme-shop", "shop.run\n"},
		{"acme-shop", "acme-shop", "shop.run\n"},
		{"Acme.Shop", "plug", "deep\n"},
		{"other", "run", "other.run\n"},
		{"shop", "deep.Tool.go", "deep\n"},
	} {
		res, log := run(c.pkg, c.entry)
		assert.Equal(t, tasks.Success, res.Outcome, res.Message)
		assert.Equal(t, c.want, log, c.pkg+" "+c.entry)
	}
	res, log := run("other", "jobs.main")
	assert.Equal(t, "other.jobs\n", log)
	assert.Equal(t, tasks.Failed, res.Outcome, "what it returns is its exit status")
	res, _ = run("acme-shop", "gone")
	assert.Contains(t, res.Message, "package 'acme-shop' has no entry point 'gone' (it declares: acme-shop, plug), and there is no module acme_shop")
	assert.Len(t, l.overlays(), 1)
}
