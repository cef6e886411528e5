package server

import "maps"

// WithoutAccessCache makes servers on which no operation starts from the access cache, until
// restore is called. It is for benchmarks, which run one at a time.
func WithoutAccessCache() (restore func()) {
	declared := maps.Clone(startsFromCache)
	clear(startsFromCache)
	return func() { maps.Copy(startsFromCache, declared) }
}
