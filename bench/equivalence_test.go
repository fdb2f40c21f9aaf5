package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/connectperms/permissions"
)

// A conformanceQuery is a question of the conformance cases with its answer, and the claim that it
// is about.
type conformanceQuery struct {
	name, claim  string
	Action       permissions.Permission
	Target       json.RawMessage
	Allowed      bool
	Invalid      bool
	Undetermined bool
}

// question returns the question. It is not ok for a target that lacks a level above another, which no
// question can say.
func (q *conformanceQuery) question(t *testing.T) (asked question, ok bool) {
	t.Helper()
	var target struct {
		Integration               *string
		Credential, Configuration map[string]*string
	}
	if err := json.Unmarshal(q.Target, &target); err != nil {
		t.Fatal(err)
	}
	asked = question{action: q.Action, level: permissions.KindUser}
	if target.Integration != nil {
		asked.integration, asked.level = *target.Integration, permissions.KindIntegration
	}
	for _, o := range []struct {
		level permissions.Kind
		from  map[string]*string
		to    *object
	}{
		{permissions.KindCredential, target.Credential, &asked.credential},
		{permissions.KindConfiguration, target.Configuration, &asked.configuration},
	} {
		if o.from == nil {
			continue
		}
		if asked.level != o.level-1 {
			return asked, false
		}
		asked.level = o.level
		*o.to = object{identifierOf(o.from, "id"), identifierOf(o.from, "externalId")}
	}
	return asked, true
}

func identifierOf(members map[string]*string, key string) identifier {
	switch text, given := members[key]; {
	case !given:
		return identifier{}
	case text == nil:
		return absent
	default:
		return known(*text)
	}
}

func conformance(t *testing.T) (all []conformanceQuery) {
	t.Helper()
	for _, file := range []string{"decisions.json", "random.json"} {
		data, err := os.ReadFile(filepath.Join("..", "testdata", "conformance", file))
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct {
			Name, Claim string
			Queries     []conformanceQuery
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

var capitalUUID = regexp.MustCompile(`(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}`)

// hasCapitals reports whether a UUID in the question or its claim has a capital letter.
func hasCapitals(q *conformanceQuery) bool {
	for _, id := range capitalUUID.FindAllString(q.claim+string(q.Target), -1) {
		if id != strings.ToLower(id) {
			return true
		}
	}
	return false
}

// Every contender gives the answer of the conformance cases to each question that it can be asked. No
// policy engine can be asked an invalid question (SPEC 3.4), and no peer knows that an unknown
// identifier may be anything (SPEC 4.7).
func TestContendersAgreeWithConformance(t *testing.T) {
	undetermined := func(q *conformanceQuery) bool { return q.Undetermined }
	beyondEngines := func(q *conformanceQuery) bool { return q.Undetermined || q.Invalid }
	tests := []struct {
		contender
		beyond func(*conformanceQuery) bool
		least  int // questions that must have been compared
	}{
		{ours, func(*conformanceQuery) bool { return false }, 3100},
		{walkValidating, undetermined, 2900},
		{walkCareless, func(q *conformanceQuery) bool { return beyondEngines(q) || hasCapitals(q) }, 1700},
		{casbinPlain, beyondEngines, 2500},
		{casbinCached, beyondEngines, 2500},
		{cedarPolicies, beyondEngines, 2500},
		{cedarCandidates, beyondEngines, 2500},
		{cedarTags, beyondEngines, 2500},
		{opaPrepared, beyondEngines, 2500},
		{opaPlain, func(q *conformanceQuery) bool { return beyondEngines(q) || len(q.claim)%8 != 0 }, 250}, // it is slow
	}
	queries := conformance(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			compared, allowed, claim := 0, 0, ""
			var c loaded
			for _, q := range queries {
				asked, ok := q.question(t)
				if !ok || test.beyond(&q) {
					continue
				}
				if c.build == nil || claim != q.claim {
					var err error
					c, err = test.load([]byte(q.claim))
					if errors.Is(err, errTwoSpellings) {
						continue
					}
					if err != nil {
						t.Fatalf("%s: claim %s: %v", q.name, q.claim, err)
					}
					claim = q.claim
				}
				answer := c.prepare(&asked)
				got := []bool{c.build(&asked), answer(), answer()} // the last time from a cache, if there is one
				for _, got := range got {
					if got != q.Allowed {
						t.Errorf("%s: claim %s: %q of %s is %t, want %t", q.name, q.claim, q.Action, q.Target, got, q.Allowed)
						break
					}
				}
				compared++
				if q.Allowed {
					allowed++
				}
			}
			t.Logf("compared %d of %d questions, %d of them allowed", compared, len(queries), allowed)
			if compared < test.least {
				t.Errorf("compared %d questions, want %d at least", compared, test.least)
			}
		})
	}
}

// A composed claim has the rules that it says, and every contender gives the answers that are said to
// be right.
func TestContendersAgreeOnWorkloads(t *testing.T) {
	for _, n := range []int{4, 40, 1_000} {
		w := newWorkload(n)
		rules, err := rulesOf(w.claim)
		if err != nil {
			t.Fatal(err)
		}
		if len(rules) != n {
			t.Errorf("a claim of %d rules has %d", n, len(rules))
		}
		policy := permissions.MustParse(string(w.claim))
		for _, c := range append([]contender{ours}, peers...) {
			if c.most != 0 && n > c.most {
				continue
			}
			loaded, err := c.load(w.claim)
			if err != nil {
				t.Fatalf("%s, %d rules: %v", c.name, n, err)
			}
			for _, a := range w.asks {
				if got := loaded.build(&a.question); got != a.allowed {
					t.Errorf("%s, %d rules, %s, from strings: %t, want %t", c.name, n, a.name, got, a.allowed)
				}
				if got := loaded.prepare(&a.question)(); got != a.allowed {
					t.Errorf("%s, %d rules, %s, prepared: %t, want %t", c.name, n, a.name, got, a.allowed)
				}
			}
			for i := range w.named {
				want := policy.Allowed(w.named[i].action, w.named[i].target())
				if got := loaded.build(&w.named[i]); n <= 40 && got != want {
					t.Errorf("%s, %d rules, %+v: %t, want %t", c.name, n, w.named[i], got, want)
				}
			}
		}
	}
}

// The walks allocate nothing, so that nobody has to ask whether they lose by that.
func TestWalksAllocateNothing(t *testing.T) {
	w := newWorkload(40)
	for _, c := range []contender{walkCareless, walkValidating} {
		loaded, err := c.load(w.claim)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range w.asks {
			if n := testing.AllocsPerRun(100, func() { loaded.build(&a.question) }); n != 0 {
				t.Errorf("%s, %s: %v allocations", c.name, a.name, n)
			}
		}
	}
}
