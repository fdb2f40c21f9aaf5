package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/connectperms/permissions"
)

// A decision is one of the conformance suite's, with the claim that it is about.
type decision struct {
	name, claim  string
	Action       permissions.Permission
	Target       target
	Allowed      bool
	Invalid      bool
	Undetermined bool
}

type target struct {
	Integration               string
	Credential, Configuration map[string]*string
}

func (t target) permissions() permissions.Target {
	id := func(level map[string]*string, key string) string {
		id, given := level[key]
		switch {
		case !given:
			return ""
		case id == nil:
			return permissions.None
		}
		return *id
	}
	return permissions.Target{
		Integration:             t.Integration,
		CredentialID:            id(t.Credential, "id"),
		CredentialExternalID:    id(t.Credential, "ext"),
		ConfigurationID:         id(t.Configuration, "id"),
		ConfigurationExternalID: id(t.Configuration, "ext"),
	}
}

func conformance(t *testing.T) []decision {
	var all []decision
	for _, file := range []string{"decisions.json", "random.json"} {
		data, err := os.ReadFile(filepath.Join("..", "testdata", "conformance", file))
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct {
			Name, Claim string
			Queries     []decision
		}
		if err := json.Unmarshal(data, &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			for _, q := range c.Queries {
				q.name, q.claim = c.Name, c.Claim
				all = append(all, q)
			}
		}
	}
	return all
}

var upperUUID = regexp.MustCompile(`"(credential:|configuration:)?[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{27}"`)

// mixedCase reports whether the decision turns on UUIDs comparing without case.
func mixedCase(d decision) bool {
	question, _ := json.Marshal(d.Target)
	for _, id := range upperUUID.FindAllString(d.claim+string(question), -1) {
		if regexp.MustCompile(`[A-F]`).MatchString(id) {
			return true
		}
	}
	return false
}

// Every contender gives the suite's answer to each question that it can be asked.
// To no peer can be said what makes a target invalid (SPEC 3.2), nor that an open
// identifier may be anything (SPEC 4.7).
func TestEquivalence(t *testing.T) {
	beyondPeers := func(d decision) bool { return d.Invalid || d.Undetermined }
	tests := []struct {
		contender
		beyond func(decision) bool
		least  int // decisions that must have been compared
	}{
		{ours, func(decision) bool { return false }, 2199},
		{handWritten, func(d decision) bool { return beyondPeers(d) || mixedCase(d) }, 1834},
		{casbinPlain, beyondPeers, 2072},
		{casbinCached, beyondPeers, 2072},
		{cedarPolicies, beyondPeers, 2072},
		{cedarTags, beyondPeers, 2072},
		{opa, beyondPeers, 2072},
	}
	decisions := conformance(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			compared, allowed := 0, 0
			claim, prepare := "", prepared(nil)
			for _, d := range decisions {
				if test.beyond(d) {
					continue
				}
				if prepare == nil || claim != d.claim {
					var err error
					if prepare, err = test.load([]byte(d.claim)); err != nil {
						t.Fatalf("%s: claim %s: %v", d.name, d.claim, err)
					}
					claim = d.claim
				}
				answer := prepare(d.Action, d.Target.permissions())
				for range 2 { // the second time from a cache, if there is one
					if got := answer(); got != d.Allowed {
						t.Errorf("%s: claim %s: %q of %q is %t, want %t", d.name, d.claim, d.Action, d.Target.permissions(), got, d.Allowed)
					}
				}
				compared++
				if d.Allowed {
					allowed++
				}
			}
			t.Logf("compared %d of %d decisions, %d of them allowed", compared, len(decisions), allowed)
			if compared < test.least {
				t.Errorf("compared %d decisions, want %d at least", compared, test.least)
			}
		})
	}
}

// A composed claim has the rules that it is said to have, and every contender gives
// the answers that are said to be right.
func TestWorkloads(t *testing.T) {
	for _, n := range []int{4, 40, 1_000} {
		w := newWorkload(n)
		rules, err := rulesOf(w.claim)
		if err != nil {
			t.Fatal(err)
		}
		if len(rules) != n {
			t.Errorf("a claim of %d rules has %d", n, len(rules))
		}
		for _, c := range append([]contender{ours}, peers...) {
			prepare, err := c.load(w.claim)
			if err != nil {
				t.Fatalf("%s, %d rules: %v", c.name, n, err)
			}
			for _, a := range w.asks {
				if got := prepare(a.action, a.target)(); got != a.allowed {
					t.Errorf("%s, %d rules, %s: %t, want %t", c.name, n, a.name, got, a.allowed)
				}
			}
		}
	}
}
