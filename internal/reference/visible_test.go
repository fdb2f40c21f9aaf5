package reference_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/connectperms/permissions/internal/reference"
)

// SPEC 5.1.
func TestVisible(t *testing.T) {
	for _, c := range []struct {
		name, claim, target string
		visible             bool
	}{
		{"nothing is granted", `{}`, `{}`, false},
		{"an integration that no rule names", `{"integration:a": false, "credential:*": true}`, `{}`, true},
		{"only an integration that no rule names",
			`{"credential:*": true, "integration:unused": {"credential:*": false}}`, `{}`, true},
		{"one integration is below the user", `{"integration:*": false, "integration:a": true}`, `{}`, true},
		{"another integration", `{"integration:*": false, "integration:a": true}`, `{"integration":"b"}`, false},
		{"a configuration is below the user",
			`{"integration:a": {"credential:<A>": {"configuration:ext:b": ["events"]}}}`, `{}`, true},
		{"a pair of identifiers", `{"credential:<A>": {"configuration:ext:b": true}, "configuration:<B>": false}`,
			`{"integration":"slack"}`, true},
		{"two identifiers of one credential",
			`{"credential:<A>": false, "credential:ext:b": true}`, `{"integration":"slack"}`, true},
		{"the rules of another credential", `{"credential:<A>": {"configuration:ext:b": true}}`,
			`{"integration":"slack","credential":{"id":"<B>"}}`, false},
		{"below a denied credential", `{"credential:<A>": false, "configuration:ext:b": true}`,
			`{"integration":"slack","credential":{"id":"<A>"}}`, true},
		{"a configuration that a deeper rule denies", `{"credential:<A>": true, "configuration:*": false}`,
			`{"integration":"slack","credential":{"id":"<A>"},"configuration":{"externalId":"x"}}`, false},
		{"the credential of that configuration", `{"credential:<A>": true, "configuration:*": false}`,
			`{"integration":"slack","credential":{"id":"<A>"}}`, true},
		{"an unknown external ID that would allow", `{"credential:ext:a": true}`,
			`{"integration":"slack","credential":{"id":"<B>"}}`, false},
		{"an unknown external ID that would deny", `{"credential:*": true, "credential:ext:a": false}`,
			`{"integration":"slack","credential":{"id":"<B>"}}`, true},
		{"an unknown ID that would deny", `{"credential:*": true, "credential:<A>": false}`,
			`{"integration":"slack","credential":{"externalId":"a"}}`, true},
		{"a credential with nothing known", `{"credential:*": ["events"]}`, `{"integration":"slack","credential":{}}`, true},
		{"a credential with nothing known that a name would allow", `{"credential:<A>": ["events"]}`,
			`{"integration":"slack","credential":{}}`, false},
		{"an external ID that 4.3 leaves unknown",
			`{"integration:a": {"credential:*": ["credential:write"], "credential:ext:b": false}}`,
			`{"integration":"a"}`, true},
		{"only connecting, which acts on a credential", `{"integration:slack": ["credential:write"], "credential:*": false}`,
			`{"integration":"slack"}`, false},
		{"only settings, which are of a configuration",
			`{"integration:slack": ["settings:write"], "configuration:*": false}`,
			`{"integration":"slack","credential":{}}`, false},
		{"only settings, of one configuration", `{"configuration:ext:x": ["settings:read"]}`, `{}`, true},
		{"only ActionKit for the user", `{"integration:*": ["actionkit"], "credential:*": false}`, `{}`, true},
		{"only ActionKit for the credentials",
			`{"integration:*": ["actionkit"], "credential:*": false}`, `{"integration":"a"}`, false},
		{"only proxy-api, which the user cannot be asked of",
			`{"integration:*": ["proxy-api"], "credential:*": false}`, `{}`, false},
		{"true, below which everything is denied",
			`{"integration:slack": true, "credential:*": false}`, `{"integration":"slack"}`, true},
		{"an ID in capitals",
			`{"credential:<A>": ["events"]}`, `{"integration":"slack","credential":{"id":"<CAPITAL A>"}}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.visible, parse(t, c.claim, reference.Options{}).Visible(target(t, c.target)))
		})
	}
}

// SPEC 5.1: extras count.
func TestExtrasInVisibility(t *testing.T) {
	const claim = `{"integration:slack": {"credential:*": ["reports"]}}`
	policy := parse(t, claim, reference.Options{Extra: []string{"reports"}})
	assert.True(t, policy.Visible(in("slack")))
	assert.True(t, policy.Visible(user))
	assert.False(t, policy.Visible(in("jira")))
	policy = parse(t, claim, reference.Options{IgnoreUnknown: true})
	assert.False(t, policy.Visible(user), "an ignored name grants nothing")
}
