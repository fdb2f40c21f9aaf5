package permissions_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// A conformanceCase is a case of testdata/conformance: a claim with questions, or a claim that is refused.
type conformanceCase struct {
	Name    string
	Spec    string
	Claim   string
	Error   string
	Pointer string
	Queries []conformanceQuery
	Visible []struct {
		Target  json.RawMessage
		Visible bool
	}
}

// A conformanceQuery is a question with its answer. If Invalid is set, the target may be invalid too.
type conformanceQuery struct {
	Action       permissions.Permission
	Target       json.RawMessage
	Allowed      bool
	Rule         []string
	Invalid      bool
	Undetermined bool
}

// conformanceFile reads a file of cases, and requires that it has some.
func conformanceFile[T any](t *testing.T, name string) (cases []T) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "conformance", name))
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&cases))
	require.NotEmpty(t, cases, name)
	return cases
}

// A conformanceWay is a way to get a policy from the claim of a case. If it cannot take the claim, read returns
// nil and nil.
type conformanceWay struct {
	name string
	read func(claim string) (*permissions.Policy, error)
}

var conformanceWays = []conformanceWay{
	{"Parse", func(claim string) (*permissions.Policy, error) { return permissions.Parse([]byte(claim)) }},
	{"MustParse", readWithMustParse},
	{"UnmarshalJSON", func(claim string) (*permissions.Policy, error) {
		p := new(permissions.Policy)
		if err := p.UnmarshalJSON([]byte(claim)); err != nil {
			return nil, err
		}
		return p, nil
	}},
	{"AcceptStringClaim with the object", func(claim string) (*permissions.Policy, error) {
		if strings.HasPrefix(claim, `"`) {
			return nil, nil // it is a string already
		}
		return permissions.Parse([]byte(claim), permissions.AcceptStringClaim())
	}},
	{"AcceptStringClaim with a string", func(claim string) (*permissions.Policy, error) {
		return permissions.Parse(jsonOf(claim), permissions.AcceptStringClaim())
	}},
	{"FromValue", func(claim string) (*permissions.Policy, error) {
		if decodingLoses(claim) {
			return nil, nil
		}
		var value any
		if err := json.Unmarshal([]byte(claim), &value); err != nil {
			return nil, err
		}
		return permissions.FromValue(value)
	}},
	{"MarshalJSON and Parse", func(claim string) (*permissions.Policy, error) {
		p, err := permissions.Parse([]byte(claim))
		if err != nil {
			return nil, err
		}
		data, err := p.MarshalJSON()
		if err != nil {
			return nil, err
		}
		return permissions.Parse(data)
	}},
	{"Builder", func(claim string) (*permissions.Policy, error) {
		p, err := permissions.Parse([]byte(claim))
		if err != nil {
			return nil, err
		}
		var b permissions.Builder
		for r := range p.Rules() {
			b.At(r.Path()...).Grant(r.Grant())
		}
		return b.Build()
	}},
}

func readWithMustParse(claim string) (p *permissions.Policy, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = r.(error)
		}
	}()
	return permissions.MustParse(claim), nil
}

func TestConformance(t *testing.T) {
	for _, file := range []string{"decisions.json", "errors.json", "random.json"} {
		cases := conformanceFile[conformanceCase](t, file)
		for _, way := range conformanceWays {
			t.Run(file+"/"+way.name, func(t *testing.T) {
				asked := 0
				for _, c := range cases {
					p, err := way.read(c.Claim)
					if p == nil && err == nil {
						continue
					}
					asked++
					t.Run(c.Name, func(t *testing.T) {
						if c.Error != "" {
							require.Nil(t, p)
							c.requireRefusal(t, way.name, err)
							return
						}
						require.NoError(t, err)
						c.requireAnswers(t, p)
					})
				}
				require.Greater(t, asked, len(cases)/2, "most cases say something about every way")
			})
		}
	}
}

// requireRefusal requires the kind and the pointer that the case has.
func (c *conformanceCase) requireRefusal(t *testing.T, way string, err error) {
	t.Helper()
	require.ErrorIs(t, err, permissions.ErrClaim)
	var parse *permissions.ParseError
	require.ErrorAs(t, err, &parse)
	kind, pointer := c.Error, c.Pointer
	if way == "FromValue" {
		// A map has no order. FromValue reads it as the text in which the keys are sorted, and of two
		// mistakes another one may be the first there.
		var value any
		require.NoError(t, json.Unmarshal([]byte(c.Claim), &value))
		_, sorted := permissions.Parse(jsonOf(value))
		var first *permissions.ParseError
		require.ErrorAs(t, sorted, &first)
		kind, pointer = kindName(first), first.Pointer
		require.Equal(t, -1, parse.Offset)
	}
	require.Equal(t, kind, kindName(parse))
	require.Equal(t, pointer, parse.Pointer)
}

// requireAnswers requires that a policy answers the questions of the case.
func (c *conformanceCase) requireAnswers(t *testing.T, p *permissions.Policy) {
	t.Helper()
	for _, q := range c.Queries {
		targets := q.targets(t)
		if !q.Invalid {
			require.Len(t, targets, 2, "the target comes from constructors and from JSON")
			require.True(t, targets[0] == targets[1], "%v is not %v", targets[0], targets[1])
		}
		for _, target := range targets {
			q.requireAnswer(t, p, target)
		}
	}
	for _, v := range c.Visible {
		for _, target := range (&conformanceQuery{Target: v.Target}).targets(t) {
			require.Equal(t, v.Visible, p.Visible(target), "%s", v.Target)
		}
	}
}

// targets returns the target of the question, once from constructors and once from JSON. It leaves out what
// cannot be made in this way, because it is invalid.
func (q *conformanceQuery) targets(t *testing.T) (list []permissions.Target) {
	t.Helper()
	if target, ok := construct(q.Target); ok {
		list = append(list, target)
	}
	var target permissions.Target
	if err := target.UnmarshalJSON(q.Target); err == nil {
		list = append(list, target)
	} else {
		require.ErrorIs(t, err, permissions.ErrQuestion)
	}
	return list
}

// construct makes a target of the text of a case with constructors. It is not ok for a text that the
// constructors cannot say.
func construct(text []byte) (target permissions.Target, ok bool) {
	var raw struct {
		Integration               *string
		Credential, Configuration map[string]*string
	}
	if json.Unmarshal(text, &raw) != nil {
		return target, false
	}
	if raw.Integration == nil {
		return permissions.User(), raw.Credential == nil && raw.Configuration == nil
	}
	target = permissions.Integration(*raw.Integration)
	if raw.Credential != nil {
		target = target.Credential(identifiersIn(raw.Credential)...)
	}
	if raw.Configuration != nil {
		target = target.Configuration(identifiersIn(raw.Configuration)...)
	}
	return target, true
}

// identifiersIn returns what one level of a case says: null is absent, and what is missing is unknown.
func identifiersIn(level map[string]*string) (ids []permissions.Identifier) {
	if id, given := level["id"]; given && id == nil {
		ids = append(ids, permissions.NoID())
	} else if given {
		ids = append(ids, permissions.ID(*id))
	}
	if id, given := level["externalId"]; given {
		ids = append(ids, permissions.ExternalIDPtr(id))
	}
	return ids
}

// requireAnswer requires that everything that answers a question gives the answer of the case.
func (q *conformanceQuery) requireAnswer(t *testing.T, p *permissions.Policy, target permissions.Target) {
	t.Helper()
	d := p.Decide(q.Action, target)
	require.Equal(t, q.Allowed, d.Allowed, "%s on %v: %v", q.Action, target, d)
	require.Equal(t, q.Invalid, d.Reason == permissions.ReasonInvalidQuestion, "%s on %v: %v", q.Action, target, d)
	require.Equal(t, q.Undetermined, d.Reason == permissions.ReasonUndetermined, "%s on %v: %v", q.Action, target, d)
	require.Equal(t, q.Undetermined, d.Unknown != 0, "%s on %v: %v", q.Action, target, d)
	require.Equal(t, q.Rule, pathOf(d.Rule), "%s on %v: %v", q.Action, target, d)
	require.Equal(t, q.Allowed, p.Allowed(q.Action, target), "%s on %v", q.Action, target)
	require.Equal(t, q.Allowed, p.Permissions(target).Has(q.Action), "%s on %v", q.Action, target)
	require.Equal(t, d, p.Explain(q.Action, target).Decision)

	err := p.Check(q.Action, target)
	switch {
	case q.Allowed:
		require.NoError(t, err)
	case q.Invalid:
		require.ErrorIs(t, err, permissions.ErrQuestion)
		require.ErrorIs(t, err, permissions.ErrDenied)
	default:
		var denied *permissions.DeniedError
		require.ErrorAs(t, err, &denied)
		require.Equal(t, permissions.DeniedError{Action: q.Action, Target: target, Decision: d}, *denied)
		require.ErrorIs(t, err, permissions.ErrDenied)
		require.NotErrorIs(t, err, permissions.ErrQuestion)
	}
}

// A conformanceTarget is a case about the JSON of targets (SPEC 3.6).
type conformanceTarget struct {
	Name      string
	Target    string
	Canonical string
	Invalid   bool
}

func TestConformanceOfTargets(t *testing.T) {
	valid, invalid := 0, 0
	for _, c := range conformanceFile[conformanceTarget](t, "targets.json") {
		t.Run(c.Name, func(t *testing.T) {
			target := permissions.Integration("kept")
			err := target.UnmarshalJSON([]byte(c.Target))
			built, hasCall := construct([]byte(c.Target))
			if c.Invalid {
				invalid++
				require.ErrorIs(t, err, permissions.ErrQuestion)
				require.Equal(t, permissions.Integration("kept"), target, "an error leaves the target as it was")
				return
			}
			valid++
			require.NoError(t, err)
			require.True(t, hasCall)
			require.True(t, built == target, "%v is not %v", built, target)
			for name, target := range map[string]permissions.Target{"from JSON": target, "from constructors": built} {
				data, err := json.Marshal(target)
				require.NoError(t, err, name)
				require.Equal(t, c.Canonical, string(data), name)
			}
			var again permissions.Target
			require.NoError(t, json.Unmarshal([]byte(c.Canonical), &again))
			require.True(t, again == target)
		})
	}
	require.Positive(t, valid)
	require.Positive(t, invalid)
}

// decodingLoses reports whether decoding a claim loses what the case is about: the claim is not JSON, or a
// name in it is repeated.
func decodingLoses(claim string) bool {
	var value any
	return json.Unmarshal([]byte(claim), &value) != nil || countTokens([]byte(claim)) != countTokens(jsonOf(value))
}

func countTokens(text []byte) (n int) {
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := d.Token(); err != nil {
			return n
		}
		n++
	}
}
