package engine

import "flowctl/engine/store"

// StartProbed starts an engine that tells probe of its commits.
func StartProbed(s *store.Store, opt Options, probe func(point string)) (*Engine, error) {
	// The loop must not run before the probe is set.
	return start(s, opt, probe)
}
