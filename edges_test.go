package permissions_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/reference"
)

// TestEdges has questions that are answered alike by code that is nearly right, and that
// random ones seldom are.
func TestEdges(t *testing.T) {
	const uuid = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	for _, test := range []struct {
		name   string
		claim  string
		target permissions.Target
		reason permissions.Reason
		open   string
	}{
		{
			"the next rank denies", `{"integration:slack":{"credential:*":true},"credential:ext:x":false}`,
			permissions.Target{Integration: "slack", CredentialID: "y"}, permissions.Undetermined, "credential external ID",
		},
		{
			"the next rank denies, one level down", `{"integration:slack":{"credential:y":{"configuration:*":true}},"configuration:ext:x":false}`,
			permissions.Target{Integration: "slack", CredentialID: "y", CredentialExternalID: permissions.None, ConfigurationID: "z"},
			permissions.Undetermined, "configuration external ID",
		},
		{
			"the first of a rank is overridden, the second denies",
			`{"integration:*":true,"credential:a":false,"credential:b":false,"integration:slack":{"credential:a":true}}`,
			permissions.Target{Integration: "slack", CredentialExternalID: "x"}, permissions.Undetermined, "credential ID",
		},
		{
			"the first of a rank grants, the second denies", `{"integration:*":true,"credential:a":["events"],"credential:b":["workflows"]}`,
			permissions.Target{Integration: "slack", CredentialExternalID: "x"}, permissions.Undetermined, "credential ID",
		},
		{
			"the first of a rank cannot be it, the second denies",
			`{"integration:*":true,"integration:jira":{"credential:a":false},"integration:slack":{"credential:b":false}}`,
			permissions.Target{Integration: "slack", CredentialExternalID: "x"}, permissions.Undetermined, "credential ID",
		},
		{
			"all of a rank are overridden",
			`{"integration:*":true,"credential:a":false,"credential:b":false,"integration:slack":{"credential:a":true,"credential:b":true}}`,
			permissions.Target{Integration: "slack", CredentialExternalID: "x"}, permissions.Granted, "",
		},
		{
			"an ID that is no UUID compares by bytes", `{"credential:acme":true}`,
			permissions.Target{Integration: "slack", CredentialID: "Acme", CredentialExternalID: permissions.None}, permissions.NoRule, "",
		},
		{
			"an external ID beside a UUID in capitals compares by bytes", `{"credential:ext:acme":true,"credential:ext:` + uuid + `":true}`,
			permissions.Target{Integration: "slack", CredentialID: "3FA85F64-5717-4562-B3FC-2C963F66AFA6", CredentialExternalID: "ACME"}, permissions.NoRule, "",
		},
		{
			"an external ID that is written as a UUID compares by bytes", `{"credential:ext:` + uuid + `":true}`,
			permissions.Target{Integration: "slack", CredentialID: permissions.None, CredentialExternalID: "3FA85F64-5717-4562-B3FC-2C963F66AFA6"}, permissions.NoRule, "",
		},
		{
			"an integration that is written as a UUID compares by bytes", `{"integration:` + uuid + `":true}`,
			permissions.Target{Integration: "3FA85F64-5717-4562-B3FC-2C963F66AFA6"}, permissions.NoRule, "",
		},
		{
			"both IDs are UUIDs in capitals", `{"credential:` + uuid + `":{"configuration:` + uuid + `":true}}`,
			permissions.Target{
				Integration: "Slack", CredentialID: "3FA85F64-5717-4562-B3FC-2C963F66AFA6", CredentialExternalID: permissions.None,
				ConfigurationID: "3fA85f64-5717-4562-b3fc-2c963f66afA6", ConfigurationExternalID: permissions.None,
			}, permissions.Granted, "",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, want := parseBoth(t, test.claim)
			d := askBoth(t, test.claim, p, want, permissions.Events, test.target)
			require.Equal(t, test.reason, d.Reason)
			require.Equal(t, test.open, d.Open.String())
		})
	}
}

// TestLargeClaim asks for every rule of a claim that is large enough for the index to have
// collisions of every sort, and for as many that it does not have. What must be found, a Go
// map of the paths says.
func TestLargeClaim(t *testing.T) {
	const n = 3000
	var b []byte
	rules := make(map[string]string) // pointers by path
	begin := func(format string, args ...any) { b = fmt.Appendf(b, format, args...) }
	rule := func(path, pointer, key string) {
		require.Empty(t, rules[path])
		rules[path] = pointer
		begin("%q:true,", key)
	}
	end := func(closing string) { b = append(bytes.TrimSuffix(b, []byte(",")), closing...) }
	kinds := func(kind string, i int) []string {
		return []string{fmt.Sprintf("%s:%d", kind, i), fmt.Sprintf("%s:ext:%d", kind, i)}
	}
	uuid := func(i int) string { return fmt.Sprintf("%08x-abcd-4ef0-8abc-abcdefabcdef", i) }
	begin("{")
	for i := range n {
		rule("integration:*/credential:"+uuid(i), "/credential:"+uuid(i), "credential:"+uuid(i))
		for _, credential := range kinds("credential", i) {
			rule("integration:*/"+credential, "/"+credential, credential)
		}
		for _, configuration := range kinds("configuration", i) {
			rule("integration:*/credential:*/"+configuration, "/"+configuration, configuration)
		}
		integration := fmt.Sprintf("integration:%d", i)
		begin("%q:{", integration)
		rule(integration+"/credential:*", "/"+integration+"/credential:*", "credential:*")
		for _, credential := range kinds("credential", i) {
			rule(integration+"/"+credential, "/"+integration+"/"+credential, credential)
		}
		for _, configuration := range append(kinds("configuration", i), "configuration:*") {
			rule(integration+"/credential:*/"+configuration, "/"+integration+"/"+configuration, configuration)
		}
		holder := fmt.Sprintf("credential:held%d", i)
		begin("%q:{", holder)
		for _, configuration := range append(kinds("configuration", i), "configuration:*") {
			rule(integration+"/"+holder+"/"+configuration, "/"+integration+"/"+holder+"/"+configuration, configuration)
		}
		end("}},")
	}
	end("}")
	p, err := permissions.Parse(b)
	require.NoError(t, err)
	listed := 0
	for r := range p.Rules() {
		require.Equal(t, rules[r.String()], r.Pointer())
		listed++
	}
	require.Len(t, rules, listed)

	// decider returns the most specific path that applies and is there (SPEC 4.5).
	decider := func(target permissions.Target) string {
		integrations := []string{"integration:" + target.Integration, "integration:*"}
		id := target.CredentialID
		if len(id) == 36 {
			id = strings.ToLower(id)
		}
		credentials := []string{"credential:" + id, "credential:ext:" + target.CredentialExternalID, "credential:*"}
		configurations := []string{"configuration:" + target.ConfigurationID, "configuration:ext:" + target.ConfigurationExternalID, "configuration:*"}
		for _, configuration := range configurations {
			for _, credential := range credentials {
				for _, integration := range integrations {
					if path := integration + "/" + credential + "/" + configuration; rules[path] != "" {
						return path
					}
				}
			}
		}
		for _, credential := range credentials {
			for _, integration := range integrations {
				if path := integration + "/" + credential; rules[path] != "" {
					return path
				}
			}
		}
		return ""
	}
	random := newGenerator(1)
	name := func(prefix string) string {
		if random.chance(10) {
			return permissions.None
		}
		return prefix + strconv.Itoa(random.IntN(n+n/4))
	}
	found := make(map[string]bool)
	for range 20 * n {
		target := permissions.Target{
			Integration: strconv.Itoa(random.IntN(n + n/4)), CredentialID: name(pick(random, "", "", "held")), CredentialExternalID: name(""),
			ConfigurationID: name(""), ConfigurationExternalID: name(""),
		}
		switch {
		case random.chance(30):
			target.CredentialID = strings.ToUpper(uuid(random.IntN(n + n/4)))
		case random.chance(50): // more of what belongs together
			target.CredentialID, target.ConfigurationID = "held"+target.Integration, pick(random, target.Integration, name(""))
		}
		want := decider(target)
		d := p.Decide(permissions.Events, target)
		require.Equal(t, want, d.Rule.String(), "%+v", target)
		require.Equal(t, want != "", d.Allowed)
		found[want] = true
	}
	require.Greater(t, len(found), n)
}

// TestUUIDAtEveryPosition replaces each byte of a UUID by every other, in the claim and in the
// target, and requires that just the same digits in either case are the same (SPEC 2.5).
func TestUUIDAtEveryPosition(t *testing.T) {
	const uuid = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	for _, in := range []string{uuid, strings.ToUpper(uuid)} {
		p := permissions.MustParse(`{"credential:` + uuid + `":{"configuration:` + in + `":true}}`)
		for position := range uuid {
			for b := range 256 {
				name := in[:position] + string([]byte{byte(b)}) + in[position+1:]
				target := permissions.Target{
					Integration: "slack", CredentialID: name, CredentialExternalID: permissions.None,
					ConfigurationID: name, ConfigurationExternalID: permissions.None,
				}
				require.Equal(t, strings.EqualFold(name, uuid), p.Allowed(permissions.Events, target), "%q", name)
				claim, err := permissions.Parse([]byte(`{"credential:` + name + `":true}`))
				if err != nil {
					continue // for the tests of names
				}
				same := strings.EqualFold(name, uuid)
				rule := slices.Collect(claim.Rules())[0]
				require.Equal(t, same, rule.Scope() == permissions.MustParseScope("credential:"+uuid), "%q", name)
				for _, asked := range []string{uuid, strings.ToUpper(uuid)} {
					target := permissions.Target{Integration: "slack", CredentialID: asked, CredentialExternalID: permissions.None}
					require.Equal(t, same, claim.Allowed(permissions.Events, target), "%q", name)
				}
			}
		}
	}
}

// FromValue keeps the grants of every level.
func TestFromValueKeepsGrants(t *testing.T) {
	list := []any{"events"}
	for path, value := range map[string]any{
		"integration:slack":                              list,
		"integration:slack/credential:x":                 map[string]any{"credential:x": list},
		"integration:slack/credential:x/configuration:y": map[string]any{"credential:x": map[string]any{"configuration:y": list}},
	} {
		p, err := permissions.FromValue(map[string]any{"integration:slack": value})
		require.NoError(t, err)
		require.Equal(t, map[string]string{path: "events"}, ruleTexts(p))
	}
}

// FromValue sees every control character in a key as what it is.
func TestFromValueControlCharacters(t *testing.T) {
	for c := range byte(0x20) {
		_, err := permissions.FromValue(map[string]any{"credential:a" + string(rune(c)) + "b": true})
		require.ErrorIs(t, err, permissions.ErrScope, "%#x", c)
		var parse *permissions.ParseError
		require.ErrorAs(t, err, &parse)
		require.Equal(t, "/credential:a"+string(rune(c))+"b", parse.Pointer)
	}
}

// Names that are, in a run of any length at any place, one byte again and again are judged as
// the reference judges them.
func TestNamesWithRuns(t *testing.T) {
	for b := range 256 {
		bad := string([]byte{byte(b)})
		var names []string
		for length := 1; length <= 41; length++ {
			names = append(names, strings.Repeat(bad, length))
		}
		for _, size := range []int{16, 24, 32, 40} {
			for begin := 0; begin < size; begin += 8 {
				for end := begin + 8; end <= size; end += 8 {
					names = append(names, strings.Repeat("a", begin)+strings.Repeat(bad, end-begin)+strings.Repeat("a", size-end))
				}
			}
		}
		for _, name := range names {
			for _, target := range []permissions.Target{
				{Integration: name}, {Integration: "x", CredentialID: name}, {Integration: "x", CredentialExternalID: name},
			} {
				if name == permissions.None {
					continue
				}
				want := reference.ValidTarget(toReference(target))
				require.Equal(t, want, permissions.Unrestricted().Allowed(permissions.Events, target), "%+v", target)
			}
		}
	}
}

// Every text of up to six of the characters that structure a claim is read as the reference
// reads it.
func TestShortClaims(t *testing.T) {
	texts := []string{""}
	for begin := 0; len(texts[begin]) < 6; begin++ {
		for _, c := range `{}":,` {
			texts = append(texts, texts[begin]+string(c))
		}
	}
	for _, text := range texts {
		parseBoth(t, text)
	}
	parseBoth(t, `":":":":`)
}

// A kind that is cut short is known by three letters.
func TestKindCutShort(t *testing.T) {
	for text, remedy := range map[string]string{
		"int:x": `did you mean "integration:x"?`, "cre:x": `did you mean "credential:x"?`, "in:x": "the kinds are integration, credential and configuration",
	} {
		_, err := permissions.ParseScope(text)
		var parse *permissions.ParseError
		require.ErrorAs(t, err, &parse)
		require.Equal(t, remedy, parse.Remedy, text)
	}
}

// A key is repeated however it is spelled, wildcards and holders too, and only then.
func TestRepeatedKeysInEscapes(t *testing.T) {
	wildcards := []string{"integration:*", "credential:*", "configuration:*"}
	for _, scope := range append(wildcards, "integration:x", "credential:ext:x", "configuration:x") {
		escaped := strings.Replace(allEscaped(scope), `\u003a`, ":", 1)
		for _, value := range []string{"{}", "[]", "{}, []", "[], {}"} {
			first, second, both := strings.Cut(value, ", ")
			if !both {
				second = first
			}
			if strings.HasPrefix(scope, "configuration") && strings.Contains(value, "{}") {
				continue // which holds no map
			}
			for _, keys := range [][2]string{{scope, escaped}, {escaped, scope}, {escaped, escaped}, {scope, scope}} {
				parseBoth(t, fmt.Sprintf(`{"%s":%s,"%s":%s}`, keys[0], first, keys[1], second))
				parseBoth(t, fmt.Sprintf(`{"%s":%s,"integration:y":{"%s":%s}}`, keys[0], first, keys[1], second))
				_, err := permissions.Parse(fmt.Appendf(nil, `{"%s":%s,"%s":%s}`, keys[0], first, keys[1], second))
				require.ErrorIs(t, err, permissions.ErrDuplicate)
				require.ErrorContains(t, err, "stands twice in one object", "%s and %s", keys[0], keys[1])
			}
		}
	}
}
