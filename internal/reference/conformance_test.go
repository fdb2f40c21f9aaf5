package reference_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/connectperms/permissions/internal/reference"
)

type claimCase struct {
	Name    string
	Spec    string
	Claim   string
	Error   string
	Pointer string
	Queries []struct {
		Action       string
		Target       json.RawMessage
		Allowed      bool
		Rule         []string
		Invalid      bool
		Undetermined bool
	}
	Visible []struct {
		Target  json.RawMessage
		Visible bool
	}
}

// looseTarget reads a target that may be invalid, which ParseTarget refuses. The cases have no repeated
// members and none in another letter case, so encoding/json reads them right.
func looseTarget(t *testing.T, text []byte) reference.Target {
	type members map[string]*string
	var levels struct {
		Integration               *string
		Credential, Configuration members
	}
	assert.NoError(t, json.Unmarshal(text, &levels))
	identifier := func(level members, key string) reference.Identifier {
		value, found := level[key]
		switch {
		case !found:
			return unknown
		case value == nil:
			return absent
		default:
			return known(*value)
		}
	}
	object := func(level members) *reference.Level {
		if level == nil {
			return nil
		}
		return &reference.Level{ID: identifier(level, "id"), ExternalID: identifier(level, "externalId")}
	}
	return reference.Target{
		Integration:   levels.Integration,
		Credential:    object(levels.Credential),
		Configuration: object(levels.Configuration),
	}
}

func TestConformanceOfClaims(t *testing.T) {
	for _, file := range []struct {
		name                              string
		mistakes, decisions, visibilities bool // the file has such cases
	}{
		{"decisions.json", false, true, true},
		{"errors.json", true, false, false},
		{"random.json", true, true, true},
	} {
		t.Run(file.name, func(t *testing.T) {
			mistakes, decisions, visibilities := 0, 0, 0
			for _, c := range readCases[claimCase](t, file.name) {
				t.Run(c.Name, func(t *testing.T) {
					about := fmt.Sprintf("SPEC %s: %s", c.Spec, c.Claim)
					policy, mistake := reference.Parse([]byte(c.Claim), reference.Options{})
					if c.Error != "" {
						assert.Nil(t, policy, about)
						assert.Equal(t, &reference.Mistake{Kind: c.Error, Pointer: c.Pointer}, mistake, about)
						mistakes++
						return
					}
					if !assert.Nil(t, mistake, about) {
						return
					}
					for _, q := range c.Queries {
						about := fmt.Sprintf("%s\n%s of %s", about, q.Action, q.Target)
						target := looseTarget(t, q.Target)
						decision := policy.Decide(q.Action, target)
						assert.Equal(t, q.Allowed, decision.Allowed, about)
						assert.Equal(t, q.Invalid, decision.Invalid, about)
						assert.Equal(t, q.Undetermined, decision.Undetermined, about)
						assert.Equal(t, q.Undetermined, len(decision.Unknown) > 0, about)
						if q.Rule == nil {
							assert.Nil(t, decision.Rule, about)
						} else if assert.NotNil(t, decision.Rule, about) {
							assert.Equal(t, q.Rule, decision.Rule.Path, about)
						}
						assert.Equal(t, !q.Invalid, policy.ValidQuestion(q.Action, target), about)
						if !q.Invalid {
							assert.True(t, reference.ValidTarget(target), about)
						}
						_, parses := reference.ParseTarget(q.Target)
						assert.Equal(t, parses, reference.ValidTarget(target), about)
						decisions++
					}
					for _, v := range c.Visible {
						target := looseTarget(t, v.Target)
						assert.Equal(t, v.Visible, policy.Visible(target), "%s\n%s", about, v.Target)
						visibilities++
					}
				})
			}
			t.Logf("%d mistakes, %d decisions, %d visibilities", mistakes, decisions, visibilities)
			assert.Equal(t, file.mistakes, mistakes > 0, "mistakes")
			assert.Equal(t, file.decisions, decisions > 0, "decisions")
			assert.Equal(t, file.visibilities, visibilities > 0, "visibilities")
		})
	}
}

func TestConformanceOfTargets(t *testing.T) {
	valid, invalid := 0, 0
	for _, c := range readCases[struct {
		Name, Target, Canonical string
		Invalid                 bool
	}](t, "targets.json") {
		t.Run(c.Name, func(t *testing.T) {
			target, ok := reference.ParseTarget([]byte(c.Target))
			assert.Equal(t, !c.Invalid, ok, c.Target)
			if c.Invalid {
				assert.Equal(t, reference.Target{}, target)
				invalid++
				return
			}
			assert.Equal(t, c.Canonical, reference.FormatTarget(target))
			again, ok := reference.ParseTarget([]byte(c.Canonical))
			assert.True(t, ok)
			assert.Equal(t, target, again)
			valid++
		})
	}
	t.Logf("%d valid targets, %d invalid", valid, invalid)
	assert.NotZero(t, valid)
	assert.NotZero(t, invalid)
}
