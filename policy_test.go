package permissions_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

func TestUnrestricted(t *testing.T) {
	declared := permissions.WithPermissions("reports")
	for name, p := range map[string]*permissions.Policy{
		"without options": permissions.Unrestricted(),
		"with extras":     permissions.Unrestricted(declared, nil, permissions.IgnoreUnknownPermissions()),
	} {
		t.Run(name, func(t *testing.T) {
			require.True(t, p.IsUnrestricted())
			require.Empty(t, slices.Collect(p.Rules()))
			for _, test := range validTargets {
				for _, action := range theTen {
					d := p.Decide(action, test.target)
					if test.level == permissions.KindUser && actedOn[action][0] == invalid {
						require.Equal(t, permissions.Decision{Reason: permissions.ReasonInvalidQuestion}, d)
						continue
					}
					require.Equal(t, permissions.Decision{Allowed: true, Reason: permissions.ReasonNoClaim}, d)
					require.True(t, p.Allowed(action, test.target))
					require.NoError(t, p.Check(action, test.target))
					require.True(t, p.Permissions(test.target).Has(action))
				}
				require.True(t, p.Visible(test.target))
			}
			require.Equal(t, `{"integration:*":true}`, string(jsonOf(p)))
			require.Equal(t, permissions.ReasonInvalidQuestion, p.Decide("nope", slack).Reason)
		})
	}
	t.Run("an extra is valid if it is declared", func(t *testing.T) {
		require.NoError(t, permissions.Unrestricted(declared).Check("reports", slack))
		require.True(t, permissions.Unrestricted(declared).Permissions(slack).IsAll())
		require.Equal(t, permissions.ReasonInvalidQuestion, permissions.Unrestricted().Decide("reports", slack).Reason)
	})
	t.Run("an option that is wrong in itself denies everything", func(t *testing.T) {
		p := permissions.Unrestricted(permissions.WithPermissions(""))
		require.False(t, p.IsUnrestricted())
		require.Equal(t, permissions.ReasonNoPolicy, p.Decide(permissions.Events, slack).Reason)
		require.False(t, p.Visible(slack))
	})
	t.Run("a claim that grants everything is not the same", func(t *testing.T) {
		all := permissions.MustParse(`{"integration:*":true}`)
		require.False(t, all.IsUnrestricted())
		require.Equal(t, permissions.ReasonGranted, all.Decide(permissions.Events, slack).Reason)
	})
	t.Run("no policy is not the same", func(t *testing.T) {
		require.False(t, (*permissions.Policy)(nil).IsUnrestricted())
		require.False(t, new(permissions.Policy).IsUnrestricted())
	})
}

func TestRules(t *testing.T) {
	p := permissions.MustParse(`{
		"configuration:ext:Team A": false,
		"integration:a/b~c": {
			"credential:` + idUpper + `": {"configuration:*": true, "configuration:` + idB + `": []},
			"configuration:ext:y": ["events"]
		},
		"integration:*": true,
		"credential:ext:z": {}
	}`)
	const credential = "credential:" + idA
	want := []struct {
		path    []string
		grant   string
		pointer string
		text    string
		json    string
	}{
		{
			[]string{"integration:*", "credential:*", "configuration:ext:Team A"}, "none", "/configuration:ext:Team A",
			`integration:*/credential:*/configuration:ext:"Team A"`,
			`{"path":["integration:*","credential:*","configuration:ext:Team A"],"pointer":"/configuration:ext:Team A",` +
				`"grants":[]}`,
		},
		{
			[]string{"integration:a/b~c", credential, "configuration:*"}, "all",
			"/integration:a~1b~0c/credential:" + idUpper + "/configuration:*",
			`integration:"a/b~c"/` + credential + `/configuration:*`,
			`{"path":["integration:a/b~c","` + credential + `","configuration:*"],` +
				`"pointer":"/integration:a~1b~0c/credential:` + idUpper + `/configuration:*","grants":true}`,
		},
		{
			[]string{"integration:a/b~c", credential, "configuration:" + idB}, "none",
			"/integration:a~1b~0c/credential:" + idUpper + "/configuration:" + idB,
			`integration:"a/b~c"/` + credential + `/configuration:` + idB,
			`{"path":["integration:a/b~c","` + credential + `","configuration:` + idB + `"],` +
				`"pointer":"/integration:a~1b~0c/credential:` + idUpper + `/configuration:` + idB + `","grants":[]}`,
		},
		{
			[]string{"integration:a/b~c", "credential:*", "configuration:ext:y"}, "events",
			"/integration:a~1b~0c/configuration:ext:y", `integration:"a/b~c"/credential:*/configuration:ext:"y"`,
			`{"path":["integration:a/b~c","credential:*","configuration:ext:y"],` +
				`"pointer":"/integration:a~1b~0c/configuration:ext:y","grants":["events"]}`,
		},
		{
			[]string{"integration:*"}, "all", "/integration:*", "integration:*",
			`{"path":["integration:*"],"pointer":"/integration:*","grants":true}`,
		},
	}
	rules := slices.Collect(p.Rules())
	require.Len(t, rules, len(want))
	for i, r := range rules {
		t.Run(want[i].text, func(t *testing.T) {
			require.Equal(t, want[i].path, pathOf(r))
			require.Equal(t, want[i].path[len(want[i].path)-1], r.Scope().String())
			require.Equal(t, want[i].grant, r.Grant().String())
			require.Equal(t, want[i].pointer, r.Pointer())
			require.Equal(t, want[i].text, r.String())
			require.Equal(t, want[i].json, string(jsonOf(r)))
			require.Equal(t, `"`+strings.ReplaceAll(want[i].text, `"`, `\"`)+`"`, loggedJSON(r))
		})
	}
	t.Run("a rule is a value", func(t *testing.T) {
		d := p.Decide(permissions.Events, permissions.User())
		require.True(t, d.Rule == rules[4])
		require.False(t, d.Rule == rules[0])
		keys := map[permissions.Rule]bool{rules[0]: true, rules[4]: true, d.Rule: true}
		require.Len(t, keys, 2)
		require.False(t, rules[4] == slices.Collect(permissions.MustParse(`{"integration:*":true}`).Rules())[0],
			"rules of two policies are not the same")
	})
	t.Run("what is returned belongs to the caller", func(t *testing.T) {
		rules[0].Path()[0] = permissions.MustParseScope("integration:other")
		require.Equal(t, want[0].path, pathOf(rules[0]))
	})
	t.Run("a loop may end early", func(t *testing.T) {
		for r := range p.Rules() {
			require.True(t, r == rules[0])
			break
		}
	})
}

// A name that somebody keeps does not keep the names of the whole claim alive.
func TestRuleKeepsLittle(t *testing.T) {
	for _, test := range []struct{ count, length int }{{8, 2 << 20}, {50_000, 100}} {
		t.Run(fmt.Sprintf("%d names of %d bytes", test.count, test.length), func(t *testing.T) {
			before := heapAfterGC()
			var kept []permissions.Scope
			func() {
				var b strings.Builder
				b.WriteString(`{"integration:slack":true`)
				for i := range test.count {
					fmt.Fprintf(&b, `,"credential:ext:%0*d":true`, test.length, i)
				}
				p := permissions.MustParse(b.String() + "}")
				kept = slices.Collect(p.Rules())[0].Path()
			}()
			require.Less(t, heapAfterGC(), before+1<<20)
			require.Equal(t, "integration:slack", kept[0].String())
		})
	}
}

func TestZeroRule(t *testing.T) {
	var r permissions.Rule
	require.Nil(t, r.Path())
	require.Equal(t, permissions.Scope{}, r.Scope())
	require.True(t, r.Grant().IsEmpty())
	require.Empty(t, r.Pointer())
	require.Equal(t, "no rule", r.String())
	require.Equal(t, "null", string(jsonOf(r)))
	require.Equal(t, `t="no rule"`, loggedText(r))
}

func TestNestedMaps(t *testing.T) {
	p := permissions.MustParse(`{
		"integration:a/b": {"credential:` + idUpper + `": {"configuration:*": true}, "credential:*": {}},
		"integration:c": true,
		"credential:ext:d": {},
		"integration:e": {"credential:*": true}
	}`)
	type nested struct {
		path    []string
		pointer string
		empty   bool
	}
	var got []nested
	for m := range p.NestedMaps() {
		n := nested{pointer: m.Pointer(), empty: m.IsEmpty()}
		for _, s := range m.Path() {
			n.path = append(n.path, s.String())
		}
		got = append(got, n)
	}
	require.Equal(t, []nested{
		{[]string{"integration:a/b"}, "/integration:a~1b", false},
		{[]string{"integration:a/b", "credential:" + idA}, "/integration:a~1b/credential:" + idUpper, false},
		{[]string{"integration:a/b", "credential:*"}, "/integration:a~1b/credential:*", true},
		{[]string{"integration:*", "credential:ext:d"}, "/credential:ext:d", true},
		{[]string{"integration:e"}, "/integration:e", false},
	}, got)
	t.Run("a loop may end early", func(t *testing.T) {
		count := 0
		for range p.NestedMaps() {
			count++
			break
		}
		require.Equal(t, 1, count)
	})
	t.Run("the last scope of the text is an empty map", func(t *testing.T) {
		maps := slices.Collect(permissions.MustParse(`{"integration:a":{"credential:*":{}}}`).NestedMaps())
		require.Len(t, maps, 2)
		require.False(t, maps[0].IsEmpty())
		require.True(t, maps[1].IsEmpty())
	})
	t.Run("the zero NestedMap", func(t *testing.T) {
		var m permissions.NestedMap
		require.Nil(t, m.Path())
		require.Empty(t, m.Pointer())
		require.True(t, m.IsEmpty())
	})
	t.Run("a policy without rules", func(t *testing.T) {
		for _, p := range []*permissions.Policy{nil, {}, permissions.Unrestricted(), permissions.MustParse(`{}`)} {
			require.Empty(t, slices.Collect(p.NestedMaps()))
		}
	})
}

// When the platform adds a permission, Ignored shows where claims use it.
func TestIgnored(t *testing.T) {
	p, err := permissions.Parse([]byte(`{
		"integration:*": ["events", "reports", "workflows", "x/y"],
		"integration:a/b": {"credential:`+idUpper+`": ["", "reports"]},
		"credential:*": ["events"],
		"configuration:*": ["re\u0070orts"]
	}`), permissions.IgnoreUnknownPermissions())
	require.NoError(t, err)
	type found struct {
		name          permissions.Permission
		pointer, text string
	}
	var got []found
	for i := range p.Ignored() {
		got = append(got, found{i.Name, i.Pointer(), i.String()})
	}
	require.Equal(t, []found{
		{"reports", "/integration:*/1", `"reports" in integration:*`},
		{"x/y", "/integration:*/3", `"x/y" in integration:*`},
		{"", "/integration:a~1b/credential:" + idUpper + "/0", `"" in integration:"a/b"/credential:` + idA},
		{"reports", "/integration:a~1b/credential:" + idUpper + "/1", `"reports" in integration:"a/b"/credential:` + idA},
		{"reports", "/configuration:*/0", `"reports" in integration:*/credential:*/configuration:*`},
	}, got)
	require.Equal(t, "events, workflows", slices.Collect(p.Rules())[0].Grant().String())
	t.Run("each has its rule", func(t *testing.T) {
		rules := slices.Collect(p.Rules())
		var of []int
		for i := range p.Ignored() {
			of = append(of, slices.Index(rules, i.Rule))
		}
		require.Equal(t, []int{0, 0, 1, 1, 3}, of)
	})
	t.Run("a loop may end early", func(t *testing.T) {
		count := 0
		for range p.Ignored() {
			count++
			break
		}
		require.Equal(t, 1, count)
	})
	t.Run("a declared name is not ignored", func(t *testing.T) {
		p := permissions.MustParse(`{"integration:*":["reports","other"]}`,
			permissions.IgnoreUnknownPermissions(), permissions.WithPermissions("reports"))
		ignored := slices.Collect(p.Ignored())
		require.Len(t, ignored, 1)
		require.EqualValues(t, "other", ignored[0].Name)
		require.Equal(t, 1, ignored[0].Index)
	})
	t.Run("as a Go value", func(t *testing.T) {
		value := map[string]any{"integration:*": []any{"nope"}}
		p, err := permissions.FromValue(value, permissions.IgnoreUnknownPermissions())
		require.NoError(t, err)
		require.Equal(t, "/integration:*/0", slices.Collect(p.Ignored())[0].Pointer())
	})
	t.Run("a policy without them", func(t *testing.T) {
		all := permissions.MustParse(`{"integration:*":true}`)
		for _, p := range []*permissions.Policy{nil, {}, permissions.Unrestricted(), all} {
			require.Empty(t, slices.Collect(p.Ignored()))
		}
	})
	t.Run("an intersection has those of its parts", func(t *testing.T) {
		other := permissions.MustParse(`{"credential:*":["nope"]}`, permissions.IgnoreUnknownPermissions())
		var pointers []string
		for i := range mustIntersect(p, nil, other).Ignored() {
			pointers = append(pointers, i.Pointer())
		}
		require.Len(t, pointers, 6)
		require.Equal(t, "/credential:*/0", pointers[5])
	})
}

func TestPolicyString(t *testing.T) {
	many := make(map[string]any)
	for i := range 12 {
		many[fmt.Sprintf("integration:%02d", i)] = i%2 == 0
	}
	nine := make(map[string]any)
	for i := range 9 {
		nine[fmt.Sprintf("integration:%d", i)] = true
	}
	for _, test := range []struct {
		name   string
		policy *permissions.Policy
		want   string
	}{
		{"nil", nil, "no policy, which denies everything"},
		{"zero", new(permissions.Policy), "no policy, which denies everything"},
		{"unrestricted", permissions.Unrestricted(), "unrestricted, which allows everything"},
		{"an empty claim", permissions.MustParse(`{}`), "an empty claim, which denies everything"},
		{"only nested maps", permissions.MustParse(`{"integration:a":{}}`), "an empty claim, which denies everything"},
		{
			"two rules", permissions.MustParse(`{"integration:*":["events"],"integration:slack":{"credential:*":[]}}`),
			`integration:* grants events; integration:"slack"/credential:* grants none`,
		},
		{
			"an intersection", mustIntersect(permissions.MustParse(`{}`), nil, permissions.MustParse(`{}`)),
			"an intersection of 3 policies",
		},
		{
			"twelve rules", permissions.MustParse(string(jsonOf(many))),
			`integration:"00" grants all; integration:"01" grants none; integration:"02" grants all; ` +
				`integration:"03" grants none; integration:"04" grants all; integration:"05" grants none; ` +
				`integration:"06" grants all; integration:"07" grants none; and 4 more rules`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, test.policy.String())
			require.Equal(t, test.want, fmt.Sprint(test.policy))
		})
	}
	t.Run("nine rules", func(t *testing.T) {
		text := permissions.MustParse(string(jsonOf(nine))).String()
		require.True(t, strings.HasSuffix(text, "; and 1 more rule"), text)
	})
	t.Run("eight rules", func(t *testing.T) {
		delete(nine, "integration:8")
		text := permissions.MustParse(string(jsonOf(nine))).String()
		require.True(t, strings.HasSuffix(text, `; integration:"7" grants all`), text)
	})
}

// The canonical form of a claim. Parsing it gives the rules back.
func TestPolicyMarshalJSON(t *testing.T) {
	for _, test := range []struct{ name, claim, want string }{
		{"nothing", `{}`, `{}`},
		{"white space", ` { "integration:*" : true } `, `{"integration:*":true}`},
		{"false", `{"integration:*":false}`, `{"integration:*":[]}`},
		{
			"the order of names, and names twice", `{"integration:*":["workflows","events","events"]}`,
			`{"integration:*":["events","workflows"]}`,
		},
		{
			"what settings:write includes", `{"integration:*":["settings:read","settings:write"]}`,
			`{"integration:*":["settings:write"]}`,
		},
		{
			"what metadata:write includes", `{"integration:*":["metadata:write","metadata:read"]}`,
			`{"integration:*":["metadata:write"]}`,
		},
		{
			"the ten by name are not true", `{"integration:*":` + string(jsonOf(theTen)) + `}`,
			`{"integration:*":["credential:write","config:write","settings:write","metadata:write","proxy-api","events",` +
				`"workflows","actionkit"]}`,
		},
		{
			"the order of scopes", `{"integration:b":true,"integration:a":true,"integration:*":true}`,
			`{"integration:*":true,"integration:a":true,"integration:b":true}`,
		},
		{"a wildcard is skipped", `{"integration:*":{"credential:*":true}}`, `{"credential:*":true}`},
		{
			"two wildcards are skipped", `{"integration:*":{"credential:*":{"configuration:*":true}}}`,
			`{"configuration:*":true}`,
		},
		{
			"a wildcard in an integration is skipped", `{"integration:a":{"credential:*":{"configuration:ext:x":true}}}`,
			`{"integration:a":{"configuration:ext:x":true}}`,
		},
		{"an empty map", `{"integration:a":{},"credential:ext:a":{}}`, `{}`},
		{"escapes", `{"integration:\u00e9\"\\":true}`, `{"integration:é\"\\":true}`},
		{"an ID in capitals", `{"credential:` + idUpper + `":true}`, `{"credential:` + idA + `":true}`},
		{
			"from the least to the most specific",
			`{"credential:` + idA + `":true,"credential:ext:x":true,"credential:*":true,"integration:z":true}`,
			`{"integration:z":true,"credential:*":true,"credential:ext:x":true,"credential:` + idA + `":true}`,
		},
		{
			"configurations of several holders",
			`{"integration:a":{"configuration:*":true},"credential:ext:c":{"configuration:*":true},"credential:ext:d":true}`,
			`{"integration:a":{"configuration:*":true},"credential:ext:c":{"configuration:*":true},"credential:ext:d":true}`,
		},
		{
			"a credential by external ID with a grant and configurations",
			`{"integration:*":{"credential:ext:c":{"configuration:*":true}},"credential:ext:c":true}`,
			`{"integration:*":{"credential:ext:c":{"configuration:*":true}},"credential:ext:c":true}`,
		},
		{
			"a credential by ID with a grant and configurations takes two spellings",
			`{"integration:*":{"credential:` + idA + `":{"configuration:*":true}},"credential:` + idA + `":true}`,
			`{"credential:` + idA + `":true,"credential:` + idUpper + `":{"configuration:*":true}}`,
		},
		{
			"the same inside an integration",
			`{"integration:a":{"credential:` + idUpper + `":false,"credential:` + idA + `":{"configuration:*":true}}}`,
			`{"integration:a":{"credential:` + idA + `":[],"credential:` + idUpper + `":{"configuration:*":true}}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := permissions.MustParse(test.claim)
			data, err := p.MarshalJSON()
			require.NoError(t, err)
			require.Equal(t, test.want, string(data))
			again := permissions.MustParse(test.want)
			require.Equal(t, grantsOf(p), grantsOf(again))
			data, err = again.MarshalJSON()
			require.NoError(t, err)
			require.Equal(t, test.want, string(data), "the canonical form is its own canonical form")
		})
	}
	t.Run("extras", func(t *testing.T) {
		declared := permissions.WithPermissions("reports")
		data := jsonOf(permissions.MustParse(`{"integration:*":["reports","events"]}`, declared))
		require.Equal(t, `{"integration:*":["events","reports"]}`, string(data))
		again, err := permissions.Parse(data, declared)
		require.NoError(t, err)
		require.True(t, again.Allowed("reports", slack))
		_, err = permissions.Parse(data)
		require.ErrorIs(t, err, permissions.ErrUnknownPermission)
	})
	t.Run("ignored names", func(t *testing.T) {
		p := permissions.MustParse(`{"integration:*":["nope"]}`, permissions.IgnoreUnknownPermissions())
		require.Equal(t, `{"integration:*":[]}`, string(jsonOf(p)))
	})
	t.Run("no policy", func(t *testing.T) {
		for _, p := range []*permissions.Policy{nil, {}} {
			data, err := p.MarshalJSON()
			require.NoError(t, err)
			require.Equal(t, "{}", string(data))
		}
	})
	t.Run("an intersection has no claim", func(t *testing.T) {
		data, err := mustIntersect(permissions.MustParse(`{}`), permissions.MustParse(`{}`)).MarshalJSON()
		require.Nil(t, data)
		require.EqualError(t, err,
			"permissions: an intersection of policies is not a claim; use Narrow, or encode its parts")
	})
}

// A Policy does not change, so only a zero one can be decoded into.
func TestPolicyUnmarshalJSON(t *testing.T) {
	t.Run("into a zero policy", func(t *testing.T) {
		var p permissions.Policy
		for _, bad := range []string{"null", "", "[]", `{"integration:*":null}`, `{"integration:*":["nope"]}`} {
			require.ErrorIs(t, p.UnmarshalJSON([]byte(bad)), permissions.ErrClaim)
			require.Equal(t, permissions.ReasonNoPolicy, p.Decide(permissions.Events, slack).Reason)
		}
		require.NoError(t, p.UnmarshalJSON([]byte(`{"integration:slack":true}`)))
		require.Equal(t, permissions.ReasonNoRule, p.Decide(permissions.Events, jira).Reason)
		require.True(t, p.Allowed(permissions.Events, slack))
	})
	for name, p := range map[string]*permissions.Policy{
		"with rules":   permissions.MustParse(`{"integration:slack":["events"]}`),
		"of {}":        permissions.MustParse(`{}`),
		"unrestricted": permissions.Unrestricted(),
		"observed":     permissions.MustParse(`{}`).Observe(func(permissions.Observation) {}),
		"intersection": mustIntersect(permissions.MustParse(`{}`), permissions.MustParse(`{}`)),
		"nil":          nil,
	} {
		t.Run("into a policy "+name, func(t *testing.T) {
			before := p.Decide(permissions.Events, slack)
			require.ErrorContains(t, p.UnmarshalJSON([]byte(`{"integration:*":true}`)), "decode into a new one")
			require.Equal(t, before, p.Decide(permissions.Events, slack))
		})
	}
	t.Run("a struct that is decoded into for the second time", func(t *testing.T) {
		var row struct{ Ceiling *permissions.Policy }
		require.NoError(t, json.Unmarshal([]byte(`{"ceiling":{}}`), &row))
		guest := row.Ceiling
		require.Error(t, json.Unmarshal([]byte(`{"ceiling":{"integration:*":true}}`), &row))
		require.False(t, guest.Allowed(permissions.Events, slack))
	})
	t.Run("a member that is repeated", func(t *testing.T) {
		var row struct{ Ceiling permissions.Policy }
		require.Error(t, json.Unmarshal([]byte(`{"ceiling":{},"ceiling":{"integration:*":true}}`), &row))
	})
	t.Run("null", func(t *testing.T) {
		pointer := permissions.MustParse(`{"integration:*":true}`)
		require.NoError(t, json.Unmarshal([]byte("null"), &pointer))
		require.Nil(t, pointer)
		require.ErrorIs(t, json.Unmarshal([]byte("null"), new(permissions.Policy)), permissions.ErrType)
	})
}
