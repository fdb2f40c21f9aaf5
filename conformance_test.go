package permissions_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

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

func TestConformanceParse(t *testing.T) {
	for _, c := range conformanceCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			p, err := permissions.Parse([]byte(c.Claim))
			if c.Error != "" {
				require.Nil(t, p)
				require.ErrorIs(t, err, permissions.ErrClaim)
				require.Equal(t, c.Error, kindOf(t, err))
				var parse *permissions.ParseError
				require.ErrorAs(t, err, &parse)
				require.Equal(t, c.Pointer, parse.Pointer)
				return
			}
			require.NoError(t, err)
			c.answer(t, p)

			// The claim is a value like any other: it can be encoded and decoded.
			data, err := json.Marshal(p)
			require.NoError(t, err)
			var again permissions.Policy
			require.NoError(t, json.Unmarshal(data, &again), "%s", data)
			c.answer(t, &again)
		})
	}
}
