package serving

// split gives requests to entities by their shares: smoothly, and exactly. Of
// any hundred requests in a row an entity gets as many as its percentage says.
type split struct {
	version int64
	routes  []Route
	credit  []int
}

func newSplit(c *Config) *split {
	return &split{version: c.Version, routes: c.Routes, credit: make([]int, len(c.Routes))}
}

// next is the entity for the next request: each gains its share, and the one
// that has most pays for all (smooth weighted round robin, as in nginx).
func (s *split) next() string {
	best := -1
	for i, r := range s.routes {
		s.credit[i] += r.Percent
		if r.Percent > 0 && (best < 0 || s.credit[i] > s.credit[best]) {
			best = i
		}
	}
	s.credit[best] -= 100
	return s.routes[best].Entity
}
