package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"sync"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
	"github.com/connectperms/permissions/cmd/connectperms/internal/claimsset"
)

// A claim is a text that was parsed, and where its rules are in it. It does not change.
type claim struct {
	*source
	handle   string
	policy   *permissions.Policy
	rules    []permissions.Rule
	paths    [][]permissions.Scope // of each rule
	ruleAt   []int                 // the member of each rule
	numbers  map[permissions.Rule]int
	maps     []permissions.NestedMap
	mapAt    []int // the member of each nested map
	members  []member
	pointers func() map[string]int // the member at each pointer

	findings       func() []analyze.Finding
	rows           func() *view      // the outline of this claim alone
	userCandidates func() candidates // the candidates for the user
}

// unrestrictedHandle is the handle of the policy of a token without the claim.
const unrestrictedHandle = "unrestricted"

func newClaim(handle, text string, policy *permissions.Policy) *claim {
	c := &claim{source: newSource(text), handle: handle, policy: policy}
	c.numbers = make(map[permissions.Rule]int)
	for r := range policy.Rules() {
		c.numbers[r] = len(c.rules)
		c.rules, c.paths = append(c.rules, r), append(c.paths, r.Path())
	}
	for m := range policy.NestedMaps() {
		c.maps = append(c.maps, m)
	}
	if !policy.IsUnrestricted() {
		c.members = members(text)
	}
	for i, m := range c.members {
		if m.isMap {
			c.mapAt = append(c.mapAt, i)
		} else {
			c.ruleAt = append(c.ruleAt, i)
		}
	}
	c.pointers = sync.OnceValue(func() map[string]int {
		at := make(map[string]int, len(c.members))
		for i, r := range c.rules {
			at[r.Pointer()] = c.ruleAt[i]
		}
		for i, m := range c.maps {
			at[m.Pointer()] = c.mapAt[i]
		}
		return at
	})
	c.findings = sync.OnceValue(func() []analyze.Finding { return analyze.Lint(policy) })
	c.rows = sync.OnceValue(func() *view { return newView([]*claim{c}) })
	c.userCandidates = sync.OnceValue(func() candidates {
		var rules []int
		for _, s := range policy.Explain(permissions.Events, permissions.User()).Steps {
			rules = append(rules, c.number(s.Rule))
		}
		slices.Sort(rules)
		return c.candidatesOf(rules)
	})
	return c
}

// A keyedPlace is the place of a member, and where its key ends.
type keyedPlace struct {
	Place Place `json:"place"`
	KeyTo int   `json:"keyTo"`
}

func (c *claim) memberPlace(number int, pointer string) keyedPlace {
	m := c.members[number]
	return keyedPlace{c.place(pointer, m.from, m.valueTo), c.units(m.keyTo)}
}

// pointerPlace returns the place of the member that a pointer names, or of the whole text.
func (c *claim) pointerPlace(pointer string) keyedPlace {
	if number, ok := c.pointers()[pointer]; ok {
		return c.memberPlace(number, pointer)
	}
	return keyedPlace{c.place(pointer, 0, len(c.text)), 0}
}

// A ruleRef is a rule, and where it is.
type ruleRef struct {
	Rule   int                       `json:"rule"`
	Text   string                    `json:"text"`
	Path   []permissions.Scope       `json:"path"`
	Grants permissions.PermissionSet `json:"grants"`
	keyedPlace
	Row int `json:"row"`
}

// ref returns the rule with a number, or nil for -1. Its row is the one in v, or -1 if v does not have its path.
func (c *claim) ref(number int, v *view) *ruleRef {
	if number < 0 {
		return nil
	}
	r, path := c.rules[number], c.paths[number]
	return &ruleRef{
		Rule: number, Text: r.String(), Path: path, Grants: r.Grant(),
		keyedPlace: c.memberPlace(c.ruleAt[number], r.Pointer()), Row: v.rowOf(path),
	}
}

// number returns the number of a rule, or -1 for the zero rule.
func (c *claim) number(r permissions.Rule) int { return numberOf(r, c.numbers) }

func numberOf(r permissions.Rule, numbers map[permissions.Rule]int) int {
	if n, ok := numbers[r]; ok {
		return n
	}
	return -1
}

type parseAnswer struct {
	Handle       string `json:"handle"`
	Rules        int    `json:"rules"`
	Maps         int    `json:"maps"`
	LooksLike    string `json:"looksLike"`
	Unrestricted bool   `json:"unrestricted,omitempty"`
}

func (e *Engine) parse(r *Request) (any, error) {
	text, unrestricted := r.Text("text"), r.flag("unrestricted")
	if err := r.End(); err != nil {
		return nil, err
	}
	handle, policy := unrestrictedHandle, permissions.Unrestricted()
	if !unrestricted {
		sum := sha256.Sum256([]byte(text))
		handle = hex.EncodeToString(sum[:16])
	} else if text != "" {
		return nil, Problem("request", "a token without the claim has no text")
	}
	c, err := e.claim(handle)
	if err != nil {
		if !unrestricted {
			if policy, err = permissions.Parse([]byte(text)); err != nil {
				return nil, claimFailure(text, err)
			}
		}
		c = newClaim(handle, text, policy)
		e.mu.Lock()
		e.claims.put(handle, c)
		e.mu.Unlock()
	}
	return parseAnswer{handle, len(c.rules), len(c.maps), "claim", unrestricted}, nil
}

// claim returns the claim with a handle.
func (e *Engine) claim(handle string) (*claim, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c, ok := e.claims.get(handle); ok {
		return c, nil
	}
	return nil, Problem("gone", "this claim is not kept any more; parse it again")
}

// looksLike guesses what a text that is not a claim is meant for: "token", "payload" or "".
func looksLike(text string) string {
	text = strings.TrimSpace(text)
	if rest, ok := cutPrefixFold(text, "Bearer "); ok {
		text = strings.TrimSpace(rest)
	}
	if strings.HasPrefix(text, "{") {
		if NewRequest(text).err == nil && claimsset.Is(text) {
			return "payload"
		}
		return ""
	}
	if parts := strings.Split(text, "."); len(parts) == 3 && strings.HasPrefix(text, "ey") &&
		!strings.ContainsFunc(text, notInToken) {
		return "token"
	}
	return ""
}

func cutPrefixFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

func isLetterOrDigit(r rune) bool {
	return '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z'
}

func notInToken(r rune) bool {
	return !isLetterOrDigit(r) && !strings.ContainsRune(".-_=", r)
}

type textAnswer struct {
	Text string `json:"text"`
}

func (e *Engine) canonical(r *Request) (any, error) {
	handle := r.Text("claim")
	if err := r.End(); err != nil {
		return nil, err
	}
	c, err := e.claim(handle)
	if err != nil {
		return nil, err
	}
	text, err := c.policy.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return textAnswer{string(text)}, nil
}
