package jobspec_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go/service/jobs"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec"
)

var update = flag.Bool("update", false, "rewrite expected files; read the difference before you commit it")

// TestFields makes the table of fields from the SDK's types and holds the
// checked-in one against it.
func TestFields(t *testing.T) {
	w := &fieldWriter{seen: map[string]reflect.Type{}}
	for _, root := range []any{jobs.JobSettings{}, jobs.SubmitRun{}, jobs.Task{}, jobs.SubmitTask{}} {
		w.object(reflect.TypeOf(root))
	}
	var lines []string
	for len(w.queue) > 0 {
		typ := w.queue[0]
		w.queue = w.queue[1:]
		lines = append(lines, w.line(typ))
	}
	sort.Strings(lines)
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		require.NoError(t, os.WriteFile("fields.txt", []byte(got), 0o644))
	}
	want, err := os.ReadFile("fields.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), got, "the SDK's types have changed: run with -update")
}

// TestKinds holds the list of task kinds against the SDK's Task.
func TestKinds(t *testing.T) {
	var sdk []string
	typ := reflect.TypeOf(jobs.Task{})
	for i := range typ.NumField() {
		if name := jsonName(typ.Field(i)); strings.HasSuffix(name, "_task") {
			sdk = append(sdk, name)
		}
	}
	var ours []string
	for _, k := range jobspec.Kinds {
		ours = append(ours, string(k))
	}
	require.ElementsMatch(t, sdk, ours)
}

type fieldWriter struct {
	seen  map[string]reflect.Type
	queue []reflect.Type
}

func (w *fieldWriter) object(t reflect.Type) string {
	name := t.Name()
	if old, ok := w.seen[name]; ok && old != t {
		name = strings.ReplaceAll(t.String(), ".", "_") // the same name in two packages
	}
	if _, ok := w.seen[name]; !ok {
		w.seen[name] = t
		w.queue = append(w.queue, t)
	}
	return name
}

func (w *fieldWriter) line(t reflect.Type) string {
	var fields []string
	for i := range t.NumField() {
		if name := jsonName(t.Field(i)); name != "" {
			fields = append(fields, name+":"+w.typ(t.Field(i).Type))
		}
	}
	sort.Strings(fields)
	return w.object(t) + " " + strings.Join(fields, " ")
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" || !f.IsExported() {
		return ""
	}
	return name
}

func (w *fieldWriter) typ(t reflect.Type) string {
	if m, ok := reflect.PointerTo(t).MethodByName("Values"); ok {
		values := m.Func.Call([]reflect.Value{reflect.New(t)})[0]
		var words []string
		for i := range values.Len() {
			words = append(words, fmt.Sprint(values.Index(i)))
		}
		sort.Strings(words)
		return "e(" + strings.Join(words, "|") + ")"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return w.typ(t.Elem())
	case reflect.Struct:
		return "@" + w.object(t)
	case reflect.Slice:
		return "[" + w.typ(t.Elem()) + "]"
	case reflect.Map:
		return "{" + w.typ(t.Elem()) + "}"
	case reflect.String:
		return "s"
	case reflect.Bool:
		return "b"
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "i"
	case reflect.Float32, reflect.Float64:
		return "n"
	}
	return "?"
}
