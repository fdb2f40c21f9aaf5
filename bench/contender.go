package main

// A contender answers questions about claims.
type contender struct {
	name    string
	model   string // how it does that, for RESULTS.md
	beyond  string // what it does that this library does not
	without string // what this library does that it does not
	most    int    // the rules of the largest claim that it is timed on; 0 for any
	load    func(claim []byte) (loaded, error)
}

// A loaded is a contender that has read a valid claim.
type loaded struct {
	// build makes the contender's own question from strings and answers it.
	build func(q *question) bool

	// prepare makes the contender's own question. What it returns answers it, each time anew.
	prepare func(q *question) (answer func() bool)
}

var peers = []contender{
	walkValidating, walkCareless, casbinCached, casbinPlain, cedarCandidates, cedarTags, cedarPolicies, opaPrepared, opaPlain,
}
