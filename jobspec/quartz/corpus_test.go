package quartz_test

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"flowctl/jobspec/quartz"
)

// TestCorpus plays expressions whose fires were asked of the Java library.
// A row: expression, zone, start, OK or INVALID, fires.
func TestCorpus(t *testing.T) {
	f, err := os.Open("testdata/quartz-public.tsv")
	require.NoError(t, err)
	defer f.Close()
	rows := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		if s.Text() == "" || strings.HasPrefix(s.Text(), "#") {
			continue
		}
		cols := strings.Split(s.Text(), "\t")
		require.GreaterOrEqual(t, len(cols), 4, s.Text())
		rows++
		expr := strings.ReplaceAll(cols[0], `\t`, "\t")
		sched, err := quartz.Parse(expr, cols[1])
		if cols[3] == "INVALID" {
			assert.Error(t, err, expr)
			continue
		}
		if !assert.NoError(t, err, expr) {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, cols[2])
		require.NoError(t, err)
		want := strings.FieldsFunc(cols[4], func(r rune) bool { return r == ' ' || r == ',' })
		var got []string
		for range max(len(want)+1, 1) {
			if len(got) == 10 {
				break
			}
			if at = sched.Next(at); at.IsZero() {
				break
			}
			got = append(got, at.UTC().Format(time.RFC3339))
		}
		assert.Equal(t, want, append([]string{}, got...), "%s %s from %s", expr, cols[1], cols[2])
	}
	assert.Equal(t, 205, rows)
}
