package api

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// runPage and jobPage are the pages of a workspace whose addresses the Databricks
// command line prints.
var (
	runPage = regexp.MustCompile(`^/jobs/\d+/runs/(\d+)$`)
	jobPage = regexp.MustCompile(`^/jobs/(\d+)$`)
)

// wantsPage tells a browser from the clients of the API.
func wantsPage(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get("Authorization") == "" && !strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// noPage tells somebody who opened the address of a run what shows it. It looks
// nothing up: who asks may be anybody.
func noPage(w http.ResponseWriter, r *http.Request) {
	hint := "flowctl runs list"
	if run := runPage.FindStringSubmatch(r.URL.Path); run != nil {
		hint = fmt.Sprintf("flowctl runs get %s\nflowctl runs output %[1]s", run[1])
	} else if job := jobPage.FindStringSubmatch(r.URL.Path); job != nil {
		hint = "flowctl jobs get " + job[1]
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusNotFound)
	_, _ = fmt.Fprintf(w, "This is flowctl's API, which has no pages. On a command line:\n\n%s\n", hint) // a browser that is gone reads nothing
}
