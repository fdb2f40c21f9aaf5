package permissions_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// A conformanceCase is one of testdata/conformance: a claim with questions, or one that
// is refused.
type conformanceCase struct {
	Name    string
	Spec    string
	Claim   string
	Queries []struct {
		Action       permissions.Permission
		Target       conformanceTarget
		Allowed      bool
		Rule         []string
		Invalid      bool
		Undetermined bool
	}
	Visible []struct {
		Target  conformanceTarget
		Visible bool
	}
	Error   string
	Pointer string
}

// A conformanceTarget has an identifier that is missing where it is open, and null where
// there is none.
type conformanceTarget struct{ permissions.Target }

func (t *conformanceTarget) UnmarshalJSON(data []byte) error {
	var raw struct {
		Integration   string
		Credential    map[string]*string
		Configuration map[string]*string
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&raw); err != nil {
		return err
	}
	get := func(m map[string]*string, key string) string {
		switch v, ok := m[key]; {
		case !ok:
			return ""
		case v == nil:
			return permissions.None
		default:
			return *v
		}
	}
	t.Target = permissions.Target{
		Integration:             raw.Integration,
		CredentialID:            get(raw.Credential, "id"),
		CredentialExternalID:    get(raw.Credential, "ext"),
		ConfigurationID:         get(raw.Configuration, "id"),
		ConfigurationExternalID: get(raw.Configuration, "ext"),
	}
	return nil
}

// conformanceCases reads all cases, and requires that there are some of every sort.
func conformanceCases(t testing.TB) []conformanceCase {
	t.Helper()
	var all []conformanceCase
	for _, name := range []string{"decisions.json", "errors.json", "random.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", "conformance", name))
		require.NoError(t, err)
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		var cases []conformanceCase
		require.NoError(t, d.Decode(&cases))
		require.NotEmpty(t, cases)
		all = append(all, cases...)
	}
	for sort, has := range map[string]func(conformanceCase) bool{
		"refused":   func(c conformanceCase) bool { return c.Error != "" },
		"questions": func(c conformanceCase) bool { return len(c.Queries) > 0 },
		"visible":   func(c conformanceCase) bool { return len(c.Visible) > 0 },
	} {
		require.True(t, slices.ContainsFunc(all, has), "no case with %s", sort)
	}
	return all
}

// answer requires that a policy answers the questions of a case.
func (c *conformanceCase) answer(t *testing.T, p *permissions.Policy) {
	t.Helper()
	for _, q := range c.Queries {
		d := p.Decide(q.Action, q.Target.Target)
		require.Equal(t, q.Allowed, d.Allowed, "%s on %v: %v", q.Action, q.Target, d)
		require.Equal(t, q.Rule, scopeTexts(d.Rule), "%s on %v: %v", q.Action, q.Target, d)
		require.Equal(t, q.Invalid, d.Reason == permissions.InvalidQuestion, "%s on %v: %v", q.Action, q.Target, d)
		require.Equal(t, q.Undetermined, d.Reason == permissions.Undetermined, "%s on %v: %v", q.Action, q.Target, d)
		require.Equal(t, q.Allowed, p.Allowed(q.Action, q.Target.Target), "%s on %v", q.Action, q.Target)
		err := p.Check(q.Action, q.Target.Target)
		switch {
		case q.Allowed:
			require.NoError(t, err)
		case q.Invalid:
			require.ErrorIs(t, err, permissions.ErrTarget)
			require.NotErrorIs(t, err, permissions.ErrDenied)
		default:
			require.ErrorIs(t, err, permissions.ErrDenied)
			var denied *permissions.DeniedError
			require.ErrorAs(t, err, &denied)
			require.Equal(t, permissions.DeniedError{Action: q.Action, Target: q.Target.Target, Decision: d}, *denied)
		}
		require.Equal(t, q.Allowed, q.Action != "" && p.Permissions(q.Target.Target).Has(q.Action))
	}
	for _, v := range c.Visible {
		require.Equal(t, v.Visible, p.Visible(v.Target.Target), "%v", v.Target)
	}
}

// The ways into the library. Each reads the claim of a case.
var conformanceEntries = map[string]func(t *testing.T, c conformanceCase) (p *permissions.Policy, err error){
	"Parse": func(_ *testing.T, c conformanceCase) (*permissions.Policy, error) {
		return permissions.Parse([]byte(c.Claim))
	},
	"MustParse": func(_ *testing.T, c conformanceCase) (p *permissions.Policy, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = r.(error)
			}
		}()
		return permissions.MustParse(c.Claim), nil
	},
	"UnmarshalJSON": func(_ *testing.T, c conformanceCase) (*permissions.Policy, error) {
		var p permissions.Policy
		if err := p.UnmarshalJSON([]byte(c.Claim)); err != nil {
			return nil, err
		}
		return &p, nil
	},
	"Verify": func(t *testing.T, c conformanceCase) (*permissions.Policy, error) {
		claims, err := newTestVerifier(t).Verify(signPayload(t, payloadWith(c.Claim)))
		if err != nil {
			require.Nil(t, claims)
			return nil, err
		}
		return claims.Policy, nil
	},
	"ParseWithClaims": func(t *testing.T, c conformanceCase) (*permissions.Policy, error) {
		claims := new(permissions.Claims)
		_, err := jwt.ParseWithClaims(signPayload(t, payloadWith(c.Claim)), claims, projectKeyfunc,
			jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(testClock))
		if err != nil {
			require.Nil(t, claims.Policy)
			return nil, err
		}
		return claims.Policy, nil
	},
	"FromValue": func(t *testing.T, c conformanceCase) (*permissions.Policy, error) {
		var value any
		require.NoError(t, json.Unmarshal([]byte(c.Claim), &value))
		return permissions.FromValue(value)
	},
}

func TestConformance(t *testing.T) {
	for entry, read := range conformanceEntries {
		t.Run(entry, func(t *testing.T) {
			count := 0
			for _, c := range conformanceCases(t) {
				if entry == "FromValue" && onlyTextShows(c.Claim) {
					continue
				}
				count++
				t.Run(c.Name, func(t *testing.T) {
					p, err := read(t, c)
					if c.Error != "" {
						require.Nil(t, p)
						c.requireRefusal(t, entry, err)
						return
					}
					require.NoError(t, err)
					c.answer(t, p)

					// The claim is a value like any other: it can be encoded and decoded.
					data, err := json.Marshal(p)
					require.NoError(t, err)
					var again permissions.Policy
					require.NoError(t, json.Unmarshal(data, &again), "%s", data)
					require.Equal(t, ruleTexts(p), ruleTexts(&again))
					c.answer(t, &again)
				})
			}
			require.Greater(t, count, 200, "most cases say something about every way in")
		})
	}
}

// requireRefusal requires the error that a case says.
func (c *conformanceCase) requireRefusal(t *testing.T, entry string, err error) {
	t.Helper()
	if entry == "Verify" || entry == "ParseWithClaims" {
		require.ErrorIs(t, err, jwt.ErrTokenMalformed)
		if !json.Valid([]byte(c.Claim)) {
			return // nor is the claims set well-formed, and so there is no claim in it
		}
		require.ErrorIs(t, err, permissions.ErrToken)
	}
	require.ErrorIs(t, err, permissions.ErrClaim)
	var parse *permissions.ParseError
	require.ErrorAs(t, err, &parse)
	kind, pointer := c.Error, c.Pointer
	if entry == "FromValue" {
		// A map has no order. It is read as the text would be that has its keys in the
		// order of their bytes, and where there are two mistakes another may come first.
		var value any
		require.NoError(t, json.Unmarshal([]byte(c.Claim), &value))
		_, sorted := permissions.Parse([]byte(encode(value)))
		var first *permissions.ParseError
		require.ErrorAs(t, sorted, &first)
		kind, pointer = kindOf(t, sorted), first.Pointer
		require.Equal(t, -1, parse.Offset)
	}
	require.Equal(t, kind, kindOf(t, err))
	require.Equal(t, pointer, parse.Pointer)
}

// onlyTextShows reports whether decoding a claim loses what the case is about: it is no
// JSON, or has a repeated name in it.
func onlyTextShows(claim string) bool {
	var value any
	return json.Unmarshal([]byte(claim), &value) != nil || countTokens(claim) != countTokens(encode(value))
}

func encode(value any) string {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func countTokens(text string) (n int) {
	d := json.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); err != nil {
			return n
		}
		n++
	}
}
