package api

import (
	"slices"
	"strings"
)

type confRequest struct {
	Keys string `json:"keys"` // with commas between them
}

func getConf(v visit, q confRequest) (map[string]string, error) {
	keys := slices.DeleteFunc(strings.Split(q.Keys, ","), func(k string) bool { return k == "" })
	if len(keys) == 0 {
		return nil, invalid("keys is required: names of settings with commas between them.")
	}
	return v.Settings.Get(keys)
}

func setConf(v visit, q map[string]string) (empty, error) {
	return empty{}, v.Settings.Set(v.who, q)
}
