package workspace

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSettings(t *testing.T) {
	b := newBed(t)
	require.NoError(t, b.Settings.Set(b.admin, map[string]string{"a": "1", "b": "x"}))
	got, err := b.Settings.Get([]string{"a", "c"})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"a": "1", "c": ""}, got)
	requireCode(t, PermissionDenied, b.Settings.Set(b.bob, map[string]string{"a": "2"}))
	requireCode(t, InvalidParameter, b.Settings.Set(b.admin, map[string]string{"": "2"}))
	requireCode(t, InvalidParameter, b.Settings.Set(b.admin, map[string]string{"a": strings.Repeat("x", maxSetting)}))
	many := map[string]string{}
	for i := range maxSettings + 1 {
		many[fmt.Sprint(i)] = "x"
	}
	requireCode(t, LimitExceeded, b.Settings.Set(b.admin, many))
	got, err = b.Settings.Get([]string{"0"})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"0": ""}, got, "all or nothing")
	_, err = b.Settings.Get(make([]string, maxSettings+1))
	requireCode(t, InvalidParameter, err)
}
