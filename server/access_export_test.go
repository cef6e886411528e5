package server

import "maps"

// WithoutAccessCache lets no operation start from the access cache, on servers that are made
// before restore is called. It is for benchmarks, which run one at a time.
func WithoutAccessCache() (restore func()) {
	declared := maps.Clone(startsFromCache)
	clear(startsFromCache)
	return func() { maps.Copy(startsFromCache, declared) }
}
