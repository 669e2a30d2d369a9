package ref_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec/ref"
)

// words is a scope of fixed values; "bad" is an error.
type words map[string]string

func (w words) Resolve(r ref.Ref) (string, bool, error) {
	name := strings.Join(r.Path, "|")
	if name == "bad" {
		return "", false, errors.New("no such thing")
	}
	v, ok := w[name]
	return v, ok, nil
}

func TestExpand(t *testing.T) {
	s := words{"a|b": "1", "tasks|my-task|values|a b": "2", "job|parameters|K": "3", "x": "{{a.b}}"}
	for text, want := range map[string]string{
		"plain":                          "plain",
		"{{a.b}}":                        "1",
		"<{{ a . b }}>{{a.b}}":           "<1>1",
		"{{tasks.my-task.values.`a b`}}": "2",
		"{{ job.parameters.[K] }}":       "3",
		"{{x}}":                          "{{a.b}}",
		"{{unknown.name}}":               "{{unknown.name}}",
		"{{a.b":                          "{{a.b",
		"{{}} {{ }} }}":                  "{{}} {{ }} }}",
		"{{a b}}{{a.b}}":                 "{{a b}}1",
		"{{{{a.b}}}}":                    "{{1}}",
		"{{a..b}}":                       "{{a..b}}",
	} {
		got, err := ref.Expand(text, s)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	_, err := ref.Expand("see {{bad}}", s)
	assert.EqualError(t, err, "{{bad}}: no such thing")
}

func TestExpandJSON(t *testing.T) {
	s := words{"q": "say \"hi\"\n<&>", "n": "1"}
	got, err := ref.ExpandJSON(json.RawMessage(`{ "k{{n}}" : "a{{q}}", "n":1.50, "l":["{{n}}", "\u007b{n}}", null] }`), s)
	require.NoError(t, err)
	assert.Equal(t, `{ "k{{n}}" : "asay \"hi\"\n<&>", "n":1.50, "l":["1", "1", null] }`, string(got))
	raw := json.RawMessage(`{"a": [1, 2.0]}`)
	same, err := ref.ExpandJSON(raw, s)
	require.NoError(t, err)
	assert.Equal(t, string(raw), string(same))
	_, err = ref.ExpandJSON(json.RawMessage(`{"a": "{{bad}}"}`), s)
	assert.ErrorContains(t, err, "{{bad}}")
	_, err = ref.ExpandJSON(json.RawMessage(`{"a": "{{`), s)
	assert.Error(t, err)
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"{{job.id}}": "job.id", "{{job.parameters.x}}": "job.parameters x", "{{job.start_time.iso_date}}": "job.start_time iso_date",
		"{{job.trigger.time.year}}": "job.trigger.time year", "{{job.trigger.table_update.a.b.c.version}}": "job.trigger.table_update a.b.c version",
		"{{job.trigger.table_update.`a.b.c`.commit_timestamp.iso_date}}": "job.trigger.table_update a.b.c commit_timestamp.iso_date",
		"{{tasks.a.values.k}}": "tasks.values a k", "{{tasks.a.result_state}}": "tasks.result_state a", "{{tasks.a.output.first_row.c}}": "tasks.output.first_row a c",
		"{{input}}": "input", "{{input.k}}": "input k", "{{backfill.iso_datetime}}": "backfill iso_datetime", "{{workspace.url}}": "workspace.url",
		"{{date}}": "job.start_time iso_date -> {{job.start_time.iso_date}}", "{{tasks.a.parameters.k}}": "tasks.parameters a k -> {{tasks.a.values.k}}",
		"{{run_id}}": "task.run_id -> {{task.run_id}}", "{{my.own}}": "", "{{name}}": "", "{{secrets/s/k}}": "",
	} {
		refs := ref.List(text)
		require.Len(t, refs, 1, text)
		n, err := ref.Parse(refs[0])
		require.NoError(t, err, text)
		got := strings.Join(strings.Fields(string(n.Kind)+" "+n.Task+" "+n.Key+" "+n.Field), " ")
		if n.Instead != "" {
			got += " -> " + n.Instead
		}
		assert.Equal(t, want, got, text)
	}
	for text, want := range map[string]string{
		"{{job.naem}}": `did you mean "name"`, "{{job.start_time.iso_day}}": "no time field", "{{job.parameters}}": "say which",
		"{{tasks.a}}": "write {{tasks.TASK.values.KEY}}", "{{tasks.a.values}}": "say which value", "{{tasks.a.values.k.f}}": "fields cannot be read",
		"{{task.nmae}}": `did you mean "name"`, "{{workspace}}": "say what of it", "{{input.a.b}}": "only one level", "{{job.trigger.x}}": "no such reference",
		"{{tasks.a.output.x}}": "no output", "{{backfill}}": "write backfill.FIELD", "{{job.parameters.a.b}}": "has no fields",
	} {
		_, err := ref.Parse(ref.List(text)[0])
		assert.ErrorContains(t, err, want, text)
	}
}

func TestFormatTime(t *testing.T) {
	at := time.Date(2026, 3, 1, 23, 4, 5, 6e6, time.FixedZone("", 3600)) // a Sunday, also in UTC
	for field, want := range map[string]string{
		"iso_weekday": "7", "is_weekday": "false", "iso_date": "2026-03-01", "iso_datetime": "2026-03-01T22:04:05", "year": "2026",
		"month": "3", "day": "1", "hour": "22", "minute": "4", "second": "5", "timestamp_ms": "1772402645006",
	} {
		got, ok := ref.FormatTime(at, field)
		assert.True(t, ok)
		assert.Equal(t, want, got, field)
	}
	_, ok := ref.FormatTime(at, "week")
	assert.False(t, ok)
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{"silvr": "silver", "SILVER": "", "glod": "gold", "x": "", "": ""} {
		assert.Equal(t, want, ref.Nearest(word, []string{"silver", "gold"}), word)
	}
}

// FuzzExpand: expanding to the reference's own text changes nothing, in plain
// text and in JSON.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"{{a.b}}", "x{{ `q` }}", "{{{{", "{{a.[b]}}", "{{\xff}}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		same, err := ref.Expand(text, echo{})
		require.NoError(t, err)
		require.Equal(t, text, same)
		for _, r := range ref.List(text) {
			require.Equal(t, r.Raw, text[r.Pos:r.Pos+len(r.Raw)])
			_, _ = ref.Parse(r) // must not panic
		}
		ref.Malformed(text)
		raw, err := json.Marshal(map[string]string{"k": text})
		require.NoError(t, err)
		out, err := ref.ExpandJSON(raw, echo{})
		require.NoError(t, err)
		require.JSONEq(t, string(raw), string(out))
	})
}

type echo struct{}

func (echo) Resolve(r ref.Ref) (string, bool, error) { return r.Raw, true, nil }
