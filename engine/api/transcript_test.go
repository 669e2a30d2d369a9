package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A transcript is a file of acts. An act is a request:
//
//	bob POST /api/2.0/workspace/mkdirs
//	{"path":"/Shared/x"}
//
// and, below a line of dashes, what was answered, with ids, times and tokens
// replaced by numbered names, so that the same id has the same name all over.
// "keep NAME FIELD" above the dashes keeps a field of the answer, and {NAME}
// in a later request stands for it. "wait NAME" waits first for the end of the
// run whose id was kept. Without a name the admin asks; "nobody"
// sends no token.
//
// Rewrite them with: go test ./engine/api -update. Read the difference before
// you keep it.
func TestTranscripts(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(name)
			require.NoError(t, err)
			tr := transcript{bed: newBed(t), kept: map[string]string{}, known: map[string]string{}, count: map[string]int{}}
			tr.kept["job"] = fmt.Sprint(tr.bed.job(t, annName))
			var got strings.Builder
			for act := range strings.SplitSeq(strings.TrimSpace(string(want)), "\n\n\n") {
				got.WriteString(tr.play(t, act) + "\n\n\n")
			}
			text := strings.TrimSpace(got.String()) + "\n"
			if *update {
				require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
			}
			require.Equal(t, strings.TrimSpace(string(want))+"\n", text)
		})
	}
}

type transcript struct {
	bed   *bed
	kept  map[string]string // by {NAME}
	known map[string]string // what was replaced → its name
	count map[string]int
}

// play carries an act out and writes it down with its answer.
func (tr *transcript) play(t *testing.T, act string) string {
	t.Helper()
	asked, _, _ := strings.Cut(act, "\n----")
	var body []string
	var request, keep string
	for line := range strings.SplitSeq(asked, "\n") {
		switch {
		case request == "" && strings.HasPrefix(line, "# "): // a comment
		case strings.HasPrefix(line, "keep "):
			keep = line
		case strings.HasPrefix(line, "wait "):
			kept, base := tr.kept[strings.TrimPrefix(line, "wait ")], 10
			if strings.Contains(kept, "-") { // an update of a pipeline: its run's id in another form
				kept, base = strings.ReplaceAll(kept, "-", ""), 16
			}
			id, err := strconv.ParseInt(kept, base, 64)
			require.NoError(t, err, line)
			_, err = tr.bed.server.Engine.Wait(t.Context(), id)
			require.NoError(t, err)
		case request == "":
			request = line
		default:
			body = append(body, line)
		}
	}
	resp, text := tr.send(t, request, strings.Join(body, "\n"))
	if keep != "" {
		var name, field string
		_, err := fmt.Sscanf(keep, "keep %s %s", &name, &field)
		require.NoError(t, err)
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		var o map[string]any
		require.NoError(t, dec.Decode(&o), text)
		tr.kept[name] = fmt.Sprint(o[field])
	}
	answer := fmt.Sprintf("%d %s\n%s", resp.StatusCode, resp.Header.Get("Content-Type"), tr.anonymous(pretty(text)))
	return strings.TrimRight(asked, "\n") + "\n----\n" + strings.TrimSpace(answer)
}

func (tr *transcript) send(t *testing.T, request, body string) (*http.Response, string) {
	t.Helper()
	words := strings.Fields(request)
	token := tr.bed.admin
	switch words[0] {
	case "bob":
		token, words = tr.bed.bob, words[1:]
	case "nobody":
		token, words = "", words[1:]
	}
	require.Len(t, words, 2, request)
	for name, value := range tr.kept {
		words[1] = strings.ReplaceAll(words[1], "{"+name+"}", value)
		body = strings.ReplaceAll(body, "{"+name+"}", value)
	}
	return tr.bed.do(t, token, words[0], words[1], strings.NewReader(body))
}

func pretty(text string) string {
	var out bytes.Buffer
	if json.Indent(&out, []byte(text), "", "  ") == nil {
		return out.String()
	}
	return text
}

var volatile = regexp.MustCompile(`dapi[0-9a-f]{32}|\b[0-9a-f]{32}\b|\b[2-9]\d{14}\b|\b1[78]\d{11}\b|127\.0\.0\.1:\d+|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

var duration = regexp.MustCompile(`_duration": \d+`)

var moment = regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)

// anonymous gives names to what differs each time.
func (tr *transcript) anonymous(text string) string {
	text = duration.ReplaceAllString(text, `_duration": [MS]`)
	text = moment.ReplaceAllString(text, "[TIME]")
	return volatile.ReplaceAllStringFunc(text, func(s string) string {
		kind := "ID"
		switch {
		case strings.HasPrefix(s, "dapi"):
			kind = "TOKEN"
		case strings.HasPrefix(s, "127."):
			return "[HOST]"
		case len(s) == 13:
			return "[TIME]"
		case len(s) == 32:
			kind = "HEX"
		case len(s) == 36:
			kind = "UUID"
		}
		if tr.known[s] == "" {
			tr.count[kind]++
			tr.known[s] = fmt.Sprintf("[%s-%d]", kind, tr.count[kind])
		}
		return tr.known[s]
	})
}
