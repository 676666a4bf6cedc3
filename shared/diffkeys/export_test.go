package diffkeys

// Limited returns the options with limits small enough for a test to reach them.
func Limited(o Options, chunkKeys, headKeys, fanIn int) Options {
	o.limits = limits{chunkKeys: chunkKeys, chunkBytes: 1 << 20, headKeys: headKeys, headBytes: 1 << 20, fanIn: fanIn}
	return o
}

// LimitedBytes returns the options with limits that only bytes reach.
func LimitedBytes(o Options, chunkBytes, headBytes int) Options {
	o.limits = limits{chunkKeys: 1 << 20, chunkBytes: chunkBytes, headKeys: 1 << 20, headBytes: headBytes, fanIn: 4}
	return o
}
