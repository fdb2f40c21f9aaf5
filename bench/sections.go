package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/connectperms/permissions"
)

// What the limits are called.
const (
	oneLookup    = "one map look-up"
	absentLookup = "one map look-up, absent key"
	threeLookups = "three map look-ups"
)

var sizes = []int{4, 40, 1_000, 100_000}

// A section is the measurements of one heading, each of a case such as "40 rules".
type section struct {
	cases []measured
}

type measured struct {
	rules int
	what  string
	measurement
}

func (s *section) add(rules int, what string, m measurement) {
	s.cases = append(s.cases, measured{rules, what, m})
}

func (s *section) of(rules int, what string) measurement {
	for _, c := range s.cases {
		if c.rules == rules && c.what == what {
			return c.measurement
		}
	}
	panic(fmt.Sprintf("not measured: %s at %d", what, rules))
}

// decisions times every contender on every question, at every size it can stand.
func decisions(p pace) *section {
	s := &section{}
	for _, n := range sizes {
		w := newWorkload(n)
		type loaded struct {
			contender
			prepared
		}
		var contenders []loaded
		for _, c := range peers {
			if c.most == 0 || n <= c.most {
				contenders = append(contenders, loaded{c, must(c.load(w.claim))})
			}
		}
		policy := must(permissions.Parse(w.claim))
		for _, a := range w.asks {
			progress("decisions: %d rules, %s", n, a.name)
			all := append(lookups(n, a.allowed), ourTimed(policy, a))
			for _, c := range contenders {
				answer := c.prepared(a.action, a.target)
				if answer() != a.allowed {
					panic(fmt.Sprintf("%s: wrong answer to %s", c.name, a.name))
				}
				all = append(all, timed{c.name, repeat(answer)})
			}
			s.add(n, a.name, p.measure(all))
		}
	}
	return s
}

// lookups are the limits, in a map of n keys; with one of a key that is absent, unless
// it is to be present.
func lookups(n int, present bool) []timed {
	random := mathrand.New(mathrand.NewPCG(3, 4))
	m := make(map[string]uint16, n)
	var keys []string
	for i := range n {
		key := uuid(random)
		m[key] = uint16(i)
		keys = append(keys, strings.Clone(key))
	}
	a, b, c, absent := keys[0], keys[n/2], keys[n-1], uuid(random)
	all := []timed{
		{oneLookup, func(n int) {
			for range n {
				sink.count += int(m[a])
			}
		}},
		{threeLookups, func(n int) {
			for range n {
				sink.count += int(m[a] + m[b] + m[c])
			}
		}},
	}
	if !present {
		all = append(all, timed{absentLookup, func(n int) {
			for range n {
				sink.count += int(m[absent])
			}
		}})
	}
	return all
}

// ourTimed asks without a function call in between, which the limits do not have either.
func ourTimed(policy *permissions.Policy, a ask) timed {
	if policy.Allowed(a.action, a.target) != a.allowed {
		panic("wrong answer to " + a.name)
	}
	return timed{ours.name, func(n int) {
		for range n {
			if policy.Allowed(a.action, a.target) {
				sink.count++
			}
		}
	}}
}

const rotating = 32_768

// rotation asks about another credential each time, and looks up the same credentials'
// IDs in the map: those that the claim names, as far as there are, and others.
func rotation(p pace) *section {
	s := &section{}
	for _, n := range sizes {
		progress("rotation: %d rules", n)
		w := newWorkload(n)
		random := mathrand.New(mathrand.NewPCG(5, uint64(n)))
		known := w.credentials
		random.Shuffle(len(known), func(i, j int) { known[i], known[j] = known[j], known[i] })
		m := make(map[string]uint16, n)
		for i := range n {
			if i < len(known) {
				m[known[i].CredentialID] = uint16(i)
			} else {
				m[uuid(random)] = uint16(i)
			}
		}
		targets := make([]permissions.Target, rotating)
		for i := range targets {
			if i < len(known) {
				targets[i] = known[i]
			} else {
				targets[i] = permissions.Target{Integration: known[i%len(known)].Integration, CredentialID: uuid(random), CredentialExternalID: permissions.None}
			}
		}
		random.Shuffle(rotating, func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
		keys := make([]string, rotating)
		for i := range targets {
			targets[i] = cloned(targets[i])
			keys[i] = strings.Clone(targets[i].CredentialID)
		}
		policy := must(permissions.Parse(w.claim))
		walk := must(handWritten.load(w.claim))
		walks := make([]func() bool, rotating)
		for i, t := range targets {
			walks[i] = walk(permissions.ProxyAPI, t)
		}
		at := [4]int{}
		s.add(n, "rotation", p.measure([]timed{
			{oneLookup, func(n int) {
				for range n {
					at[0]++
					sink.count += int(m[keys[at[0]%rotating]])
				}
			}},
			{threeLookups, func(n int) {
				for range n {
					at[1]++
					i := at[1]
					sink.count += int(m[keys[i%rotating]] + m[keys[(i+rotating/3)%rotating]] + m[keys[(i+rotating*2/3)%rotating]])
				}
			}},
			{ours.name, func(n int) {
				for range n {
					at[2]++
					if policy.Allowed(permissions.ProxyAPI, targets[at[2]%rotating]) {
						sink.count++
					}
				}
			}},
			{handWritten.name, func(n int) {
				for range n {
					at[3]++
					if walks[at[3]%rotating]() {
						sink.count++
					}
				}
			}},
		}))
	}
	return s
}

// What a question with an open identifier is timed against: the same with None.
const (
	closed    = "none"
	leftOpen  = "open"
	openRules = 100 // added, in one integration
	openPlain = "by ID, `credential:*` allows; no rule has an external ID"
)

// open times questions with an identifier left open (SPEC 4.7).
func open(p pace) *section {
	s := &section{}
	for _, n := range sizes[1:] {
		progress("open identifiers: %d rules", n)
		w := newWorkload(n)
		hit := w.ask(askHit).target
		stranger := w.ask(askInside).target
		here, elsewhere := stranger.Integration, integrationName(0)
		if here == elsewhere {
			elsewhere = integrationName(1)
		}
		byID, byExternalID, configuration := stranger, stranger, hit
		byID.CredentialExternalID = ""
		byExternalID.CredentialID, byExternalID.CredentialExternalID = "", "tenant"
		configuration.ConfigurationID = stranger.CredentialID
		quiet := byExternalID
		quiet.Integration = "quiet"

		with := func(integration string, rules int, grant string) []byte {
			var members strings.Builder
			for i := range rules {
				fmt.Fprintf(&members, `"credential:ext:tenant-%d":%s,`, i, grant)
			}
			holder := fmt.Appendf(nil, `"integration:%s":{`, integration)
			return bytes.Replace(w.claim, holder, append(holder, members.String()...), 1)
		}
		withQuiet := fmt.Appendf(nil, `{"integration:quiet":{"credential:*":["credential:write"]},%s`, w.claim[1:])

		for _, c := range []struct {
			what    string
			claim   []byte
			action  permissions.Permission
			target  permissions.Target
			allowed bool // with the identifier open
		}{
			{openPlain, w.claim, permissions.CredentialWrite, byID, true},
			{"the same; 100 rules with external IDs here allow", with(here, openRules, "true"), permissions.CredentialWrite, byID, true},
			{"the same; 100 with external IDs of another integration deny", with(elsewhere, openRules, "false"), permissions.CredentialWrite, byID, true},
			{"the same; one with an external ID here denies", with(here, 1, "false"), permissions.CredentialWrite, byID, false},
			{"the same; 100 with external IDs here deny", with(here, openRules, "false"), permissions.CredentialWrite, byID, false},
			{"by external ID, `credential:*` allows; rules with IDs here deny", w.claim, permissions.CredentialWrite, byExternalID, false},
			{"the same; all rules with IDs that deny stand in other integrations", withQuiet, permissions.CredentialWrite, quiet, true},
			{"configuration by ID; rules with external IDs below other credentials deny", w.claim, permissions.ProxyAPI, configuration, true},
		} {
			policy := must(permissions.Parse(c.claim))
			shut := c.target
			for _, id := range []*string{&shut.CredentialID, &shut.CredentialExternalID, &shut.ConfigurationExternalID} {
				if *id == "" && (id != &shut.ConfigurationExternalID || shut.ConfigurationID != "") {
					*id = permissions.None
				}
			}
			all := []timed{
				ourTimed(policy, ask{c.what, c.action, shut, true}),
				ourTimed(policy, ask{c.what, c.action, c.target, c.allowed}),
			}
			all[0].name, all[1].name = closed, leftOpen
			s.add(n, c.what, p.measure(all))
		}
	}
	return s
}

// An allocated is how often each method allocates on one question.
type allocated struct {
	ask
	allow, check, decide float64
}

// allocations counts those of each question of the claim of 1,000 rules.
func allocations() []allocated {
	w := newWorkload(1_000)
	policy := must(permissions.Parse(w.claim))
	var all []allocated
	for _, a := range w.asks {
		all = append(all, allocated{
			ask:    a,
			allow:  testing.AllocsPerRun(1000, func() { policy.Allowed(a.action, a.target) }),
			check:  testing.AllocsPerRun(1000, func() { sink.err = policy.Check(a.action, a.target) }),
			decide: testing.AllocsPerRun(1000, func() { sink.decision = policy.Decide(a.action, a.target) }),
		})
	}
	return all
}

// What parsing is measured against.
const (
	jsonValid     = "json.Valid"
	jsonUnmarshal = "json.Unmarshal into map[string]any"
	parse         = "Parse"
)

var claimSizes = []int{150, 1_500, 40_000}

// parsing times Parse and what else could be done with the same bytes; allocs is how
// often each allocates.
func parsing(p pace) (s *section, allocs map[int][]float64) {
	s, allocs = &section{}, map[int][]float64{}
	for _, size := range claimSizes {
		progress("parsing: %d B", size)
		claim := claimOfSize(size)
		all := []timed{
			{jsonValid, func(n int) {
				for range n {
					if json.Valid(claim) {
						sink.count++
					}
				}
			}},
			{jsonUnmarshal, func(n int) {
				for range n {
					var m map[string]any
					if err := json.Unmarshal(claim, &m); err != nil {
						panic(err)
					}
					sink.value = m
				}
			}},
			{parse, func(n int) {
				for range n {
					sink.value = must(permissions.Parse(claim))
				}
			}},
		}
		for _, t := range all {
			allocs[size] = append(allocs[size], testing.AllocsPerRun(100, func() { t.run(1) }))
		}
		s.add(size, fmt.Sprintf("%d B", len(claim)), p.measure(all))
	}
	return s, allocs
}

// What whole requests are measured with.
const (
	requestPlain = "golang-jwt into RegisteredClaims, the claim ignored"
	requestWalk  = "golang-jwt into MapClaims, hand-written walk"
	requestOurs  = "verify, parse, decide"
)

// requests times what serving a request takes of authentication and authorization.
func requests(p pace) *section {
	const projectID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	audience := "useparagon.com/" + projectID
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	verifier := must(permissions.NewVerifier(projectID, &key.PublicKey))
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(audience), jwt.WithExpirationRequired())
	keyFunc := func(*jwt.Token) (any, error) { return &key.PublicKey, nil }
	s := &section{}
	for _, size := range claimSizes[:2] {
		progress("requests: %d B", size)
		claim := claimOfSize(size)
		token := must(jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
			"sub": "user-1", "aud": audience, "iat": time.Now().Unix(), "exp": time.Now().Add(24 * time.Hour).Unix(),
			permissions.ClaimName: json.RawMessage(claim),
		}).SignedString(key))
		target := permissions.Target{Integration: "salesforce", CredentialID: "3fa85f64-5717-4562-b3fc-2c963f66afa6", CredentialExternalID: permissions.None}
		s.add(size, fmt.Sprintf("claim of %d B, token of %d B", len(claim), len(token)), p.measure([]timed{
			{requestPlain, func(n int) {
				for range n {
					must(parser.ParseWithClaims(token, &jwt.RegisteredClaims{}, keyFunc))
				}
			}},
			{requestWalk, func(n int) {
				for range n {
					claims := jwt.MapClaims{}
					must(parser.ParseWithClaims(token, claims, keyFunc))
					if walkAllowed(claims[permissions.ClaimName].(map[string]any), string(permissions.ProxyAPI), &target) {
						sink.count++
					}
				}
			}},
			{requestOurs, func(n int) {
				for range n {
					if must(verifier.Verify(token)).Policy.Allowed(permissions.ProxyAPI, target) {
						sink.count++
					}
				}
			}},
		}))
	}
	return s
}

// A keep is how many bytes stay in memory for a claim.
type keep struct {
	rules, claim int
	policy, tree float64 // bytes kept per byte of claim
}

// memory parses many copies of a claim, drops the claims, and sees what is left.
func memory() []keep {
	var kept []keep
	for _, n := range sizes {
		progress("memory: %d rules", n)
		claim := newWorkload(n).claim
		copies := max(4, 32<<20/len(claim))
		perByte := func(parse func([]byte) any) float64 {
			held := make([]any, copies)
			before := heap()
			for i := range held {
				held[i] = parse(bytes.Clone(claim))
			}
			after := heap()
			runtime.KeepAlive(held)
			return float64(after-before) / float64(copies*len(claim))
		}
		kept = append(kept, keep{
			rules: n,
			claim: len(claim),
			policy: perByte(func(claim []byte) any {
				return must(permissions.Parse(claim))
			}),
			tree: perByte(func(claim []byte) any {
				var tree map[string]any
				if err := json.Unmarshal(claim, &tree); err != nil {
					panic(err)
				}
				return tree
			}),
		})
	}
	return kept
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
