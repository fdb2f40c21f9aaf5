package permissions_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/reference"
)

// maxFuzzed is how long a text may be for the reference, whose time grows with the square
// of it. It is also below the 10,000 levels that encoding/json reads.
const maxFuzzed = 9_999

// FuzzScope holds ParseScope against the reference, and Scope against its own text.
func FuzzScope(f *testing.F) {
	for _, c := range conformanceCases(f) {
		p, err := permissions.Parse([]byte(c.Claim))
		if err != nil {
			continue
		}
		var last string
		for r := range p.Rules() {
			f.Add(r.Scope().String(), last)
			last = r.Scope().String()
		}
	}
	f.Add("credential:3FA85F64-5717-4562-B3FC-2C963F66AFA6", "credential:3fa85f64-5717-4562-b3fc-2c963f66afa6")
	f.Fuzz(func(t *testing.T, a, b string) {
		s, okS := scopeBoth(t, a)
		u, okU := scopeBoth(t, b)
		if !okS || !okU {
			return
		}
		require.Equal(t, s.Compare(u), -u.Compare(s))
		require.Equal(t, s == u, s.Compare(u) == 0)
		require.Equal(t, s == u, s.String() == u.String())
	})
}

// scopeBoth parses the text of a scope with the library, and as the only key of a claim
// with the reference.
func scopeBoth(t *testing.T, text string) (permissions.Scope, bool) {
	s, err := permissions.ParseScope(text)
	claim, jsonErr := json.Marshal(map[string]bool{text: true})
	require.NoError(t, jsonErr)
	want, mistake := reference.Parse(claim, reference.Options{})
	if mistake != nil {
		require.ErrorIs(t, err, permissions.ErrScope, "%q", text)
		require.Zero(t, s)
		return s, false
	}
	require.NoError(t, err, "%q", text)
	path := want.Rules()[0].Path
	require.Equal(t, path[len(path)-1], s.String())
	require.Equal(t, int(s.Kind()), len(path))
	again, err := permissions.ParseScope(s.String())
	require.NoError(t, err)
	require.Equal(t, s, again)
	data, err := s.MarshalText()
	require.NoError(t, err)
	require.NoError(t, again.UnmarshalText(data))
	require.Equal(t, s, again)
	require.Equal(t, s.IsWildcard(), s.Name() == "")
	return s, true
}

// FuzzClaim holds Parse and FromValue against the reference.
func FuzzClaim(f *testing.F) {
	for i, c := range conformanceCases(f) {
		f.Add([]byte(c.Claim), uint8(i))
	}
	f.Fuzz(func(t *testing.T, claim []byte, options uint8) {
		if len(claim) > maxFuzzed {
			return
		}
		o := &optionSets[int(options)%len(optionSets)]
		before := slices.Clone(claim)
		parseBothWith(t, string(claim), o)
		require.Equal(t, before, claim, "the claim is the caller's")
		fromValueBoth(t, string(claim), options&8 != 0, o)
	})
}

// FuzzPayload holds Claims against the reference on whole claims sets.
func FuzzPayload(f *testing.F) {
	for i, c := range conformanceCases(f) {
		f.Add([]byte(`{"sub":"user","aud":["useparagon.com/project"],"exp":1700000000,"iat":1,"`+permissions.ClaimName+`":`+c.Claim+`}`), uint8(i))
	}
	f.Add([]byte(`{"Urn:useparagon:connect:permissions":{},"a":[{}],"a":"\ud800"}`), uint8(0))
	f.Fuzz(func(t *testing.T, payload []byte, options uint8) {
		if len(payload) > maxFuzzed {
			return
		}
		decodeBoth(t, string(payload), &optionSets[int(options)%len(optionSets)])
	})
}

// FuzzTarget holds every answer about a target against the reference, and Validate too.
func FuzzTarget(f *testing.F) {
	for _, c := range conformanceCases(f) {
		for _, q := range c.Queries {
			t := q.Target.Target
			f.Add(c.Claim, string(q.Action), t.Integration, t.CredentialID, t.CredentialExternalID, t.ConfigurationID, t.ConfigurationExternalID)
			break
		}
	}
	f.Fuzz(func(t *testing.T, claim, action, integration, credentialID, credentialExternalID, configurationID, configurationExternalID string) {
		if len(claim) > 1000 { // the reference tries out every pair of names
			return
		}
		target := permissions.Target{
			Integration: integration, CredentialID: credentialID, CredentialExternalID: credentialExternalID,
			ConfigurationID: configurationID, ConfigurationExternalID: configurationExternalID,
		}
		valid := reference.ValidTarget(toReference(target))
		err := target.Validate()
		if valid {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, permissions.ErrTarget)
			require.Equal(t, err, permissions.MustParse("{}").Check("events", target))
		}
		require.NotEmpty(t, target.String())
		require.NotPanics(t, func() { target.LogValue() })

		got, want := parseBoth(t, claim)
		if got == nil {
			return
		}
		d := askBoth(t, claim, got, want, permissions.Permission(action), target)
		require.Equal(t, !valid || action == "", d.Reason == permissions.InvalidQuestion)
		require.NotEmpty(t, d.String())
		require.False(t, new(permissions.Policy).Allowed(permissions.Permission(action), target))
		require.Equal(t, valid && action != "", permissions.Unrestricted().Allowed(permissions.Permission(action), target))
	})
}

// FuzzRoundTrip requires that what is read can be written, and is then read as the same.
func FuzzRoundTrip(f *testing.F) {
	for i, c := range conformanceCases(f) {
		f.Add([]byte(c.Claim), uint8(i))
	}
	f.Fuzz(func(t *testing.T, claim []byte, options uint8) {
		if len(claim) > maxFuzzed {
			return
		}
		o := &optionSets[int(options)%len(optionSets)]
		p, err := permissions.Parse(claim, o.options...)
		if err != nil {
			require.Nil(t, p)
			return
		}
		roundTrip(t, string(claim), p, o)
		for r := range p.Rules() {
			for _, s := range r.Path() {
				again, err := permissions.ParseScope(s.String())
				require.NoError(t, err)
				require.Equal(t, s, again)
			}
		}
		// A claims set carries it there and back.
		data, err := json.Marshal(permissions.Claims{Policy: p})
		require.NoError(t, err)
		claims := permissions.NewClaims(o.options...)
		require.NoError(t, json.Unmarshal(data, claims))
		require.Equal(t, ruleTexts(p), ruleTexts(claims.Policy))
		require.False(t, claims.Policy.IsUnrestricted())
	})
}
