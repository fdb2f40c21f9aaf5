package analyze_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
	"github.com/connectperms/permissions/usertoken"
)

const (
	sizeA = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	sizeB = "0b1c2d3e-4f50-4000-8000-00000000000a"
)

func TestMeasureSaysTheSizeOfTheToken(t *testing.T) {
	for _, claim := range []string{
		`{}`, `{"integration:*":true}`, `{"integration:*":["events"]}`,
		`{"integration:a\"b\\é":["events","workflows"],"credential:` + sizeA + `":false}`,
	} {
		t.Run(claim, func(t *testing.T) {
			p := permissions.MustParse(claim)
			size, err := analyze.Measure(p)
			require.NoError(t, err)
			want, err := usertoken.TokenSize(p)
			require.NoError(t, err)
			require.Equal(t, want, size.Token)
			canonical, err := p.MarshalJSON()
			require.NoError(t, err)
			require.Equal(t, len(canonical), size.Claim)
		})
	}
}

func TestMeasureSaysWhatTakesMost(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":["events"],"integration:jira":true,"integration:slack":{
		"credential:` + sizeA + `":["proxy-api","workflows"],"credential:` + sizeB + `":["proxy-api","workflows"],
		"configuration:ext:Team A":["events"],"configuration:ext:Team B":["events"]}}`)
	size, err := analyze.Measure(p)
	require.NoError(t, err)
	total := len("{}") + len(size.Members) - 1
	for _, m := range size.Members {
		total += m.Bytes
	}
	require.Equal(t, size.Claim, total)
	require.Equal(t, []string{"integration:slack", "integration:*", "integration:jira"},
		[]string{size.Members[0].Scope.String(), size.Members[1].Scope.String(), size.Members[2].Scope.String()})
	require.Equal(t, 4, size.Members[0].Rules)
	require.Equal(t, 1, size.Members[1].Rules)
	require.Equal(t, len(`"integration:*":["events"]`), size.Members[1].Bytes)
	require.Len(t, size.Lists, 2)
	require.Equal(t, 2, size.Lists[0].Times)
	require.Equal(t, 2*len(`["proxy-api","workflows"]`), size.Lists[0].Bytes)
	require.Equal(t, "proxy-api, workflows", size.Lists[0].Grant.String())
	require.Equal(t, 3, size.Lists[1].Times)
	require.Nil(t, size.Smaller)
	require.Zero(t, size.SmallerToken)
	require.Equal(t, strings.Join([]string{
		`a claim of 302 bytes, and a token of 1020`,
		`"integration:slack" takes 249 bytes, with 4 rules`,
		`"integration:*" takes 26 bytes, with 1 rule`,
		`"integration:jira" takes 23 bytes, with 1 rule`,
		`the grant of proxy-api, workflows is there 2 times and takes 50 bytes`,
		`the grant of events is there 3 times and takes 30 bytes`,
	}, "\n"), size.String())
}

// Members of one length are sorted by their scopes, what grants nothing is not listed, and names may need escapes
// in a pointer.
func TestMeasureOrder(t *testing.T) {
	p := permissions.MustParse(`{"integration:a/b":{"credential:*":[],"configuration:*":[]},"integration:d":["events"],
		"integration:b":["workflows"],"integration:c":["actionkit"],"integration:e":["events"]}`)
	size, err := analyze.Measure(p)
	require.NoError(t, err)
	var scopes []string
	for _, m := range size.Members {
		scopes = append(scopes, m.Scope.Name())
		if m.Scope.Name() == "a/b" {
			require.Equal(t, 2, m.Rules)
		}
	}
	require.Equal(t, []string{"a/b", "b", "c", "d", "e"}, scopes)
	require.Len(t, size.Lists, 1)
	require.Equal(t, "events", size.Lists[0].Grant.String())
}

func TestMeasureFindsSmallerClaims(t *testing.T) {
	data, err := os.ReadFile("testdata/smaller.json")
	require.NoError(t, err)
	var cases []struct {
		Name           string
		Claim, Smaller json.RawMessage
	}
	require.NoError(t, json.Unmarshal(data, &cases))
	require.NotEmpty(t, cases)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			p := permissions.MustParse(string(c.Claim))
			size, err := analyze.Measure(p)
			require.NoError(t, err)
			if string(c.Smaller) == "null" {
				require.Nil(t, size.Smaller, "%v", size.Smaller)
				return
			}
			require.NotNil(t, size.Smaller)
			got, err := size.Smaller.MarshalJSON()
			require.NoError(t, err)
			require.JSONEq(t, string(c.Smaller), string(got))
			ok, q := analyze.Equal(p, size.Smaller)
			require.True(t, ok, "%v", q)
			want, err := usertoken.TokenSize(size.Smaller)
			require.NoError(t, err)
			require.Equal(t, want, size.SmallerToken)
			require.Less(t, size.SmallerToken, size.Token)
			require.Contains(t, size.String(), fmt.Sprintf("an equivalent claim makes a token of %d bytes", want))
		})
	}
}

func TestMeasureWithExtraPermissions(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":["custom"],"integration:slack":["custom"]}`,
		permissions.WithPermissions("custom", "other"))
	size, err := analyze.Measure(p)
	require.NoError(t, err)
	require.NotNil(t, size.Smaller)
	require.True(t, size.Smaller.Allowed("custom", permissions.User()))
	ok, q := analyze.Equal(p, size.Smaller)
	require.True(t, ok, "%v", q)
	require.Equal(t, "custom", size.Lists[0].Grant.String())
}

// Whatever a policy declares, an array of all permissions stays an array: true grants later permissions too.
func TestMeasureDoesNotWidenAnArrayOfAll(t *testing.T) {
	for _, extra := range []permissions.Permission{"x", "a later permission", "a later permission+"} {
		t.Run(string(extra), func(t *testing.T) {
			names := permissions.NewPermissionSet(append(permissions.AllPermissions(), extra)...)
			var b permissions.Builder
			b.AnyIntegration().AllowAll()
			b.Integration("a").Grant(names)
			p, err := b.Build(permissions.WithPermissions(extra))
			require.NoError(t, err)
			claim, err := p.MarshalJSON()
			require.NoError(t, err)
			require.Contains(t, string(claim), `"integration:a":[`)
			size, err := analyze.Measure(p)
			require.NoError(t, err)
			require.Nil(t, size.Smaller)
		})
	}
}

func TestMeasureOfAPolicyThatDeclaresAsMuchAsItCan(t *testing.T) {
	var extras []permissions.Permission
	for i := range 53 {
		extras = append(extras, permissions.Permission(fmt.Sprint("extra ", i)))
	}
	option := permissions.WithPermissions(extras...)
	p := permissions.MustParse(`{"integration:*":["events"],"integration:a":["events"]}`, option)
	size, err := analyze.Measure(p)
	require.NoError(t, err)
	require.Nil(t, size.Smaller)
}

func TestMeasureCallsNoHook(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":["events"],"integration:slack":["events"]}`)
	size, err := analyze.Measure(p.Observe(func(permissions.Observation) { t.Error("a hook was called") }))
	require.NoError(t, err)
	require.NotNil(t, size.Smaller)
}

func TestMeasureRefusesWhatHasNoClaim(t *testing.T) {
	all := permissions.MustParse(`{"integration:*":true}`)
	both, err := permissions.Intersect(all, permissions.MustParse(`{}`))
	require.NoError(t, err)
	for name, p := range map[string]*permissions.Policy{
		"nil": nil, "zero": {}, "unrestricted": permissions.Unrestricted(), "an intersection": both,
	} {
		t.Run(name, func(t *testing.T) {
			size, err := analyze.Measure(p)
			require.ErrorContains(t, err, "analyze: Measure: ")
			require.Zero(t, size)
		})
	}
}

// TestMeasureOfRandomClaims requires that each smaller claim is equal, by the questions that tell rules with
// few names apart.
func TestMeasureOfRandomClaims(t *testing.T) {
	found := 0
	scopes := []string{
		"integration:*", "integration:slack", "credential:*", "credential:" + sizeA, "credential:ext:x",
		"configuration:*", "configuration:ext:x",
	}
	grants := [][]permissions.Permission{
		{"events"}, {"proxy-api"}, {"workflows", "events"}, {"settings:write", "proxy-api"}, {},
		permissions.AllPermissions(),
	}
	for seed := range 400 {
		next := uint32(seed)*2654435761 + 1
		pick := func(n int) int { next = next*1664525 + 1013904223; return int(next>>16) % n }
		var b permissions.Builder
		for range 1 + pick(5) {
			var path []permissions.Scope
			for _, s := range scopes {
				scope := permissions.MustParseScope(s)
				if pick(3) == 0 && (len(path) == 0 || scope.Kind() > path[len(path)-1].Kind()) {
					path = append(path, scope)
				}
			}
			if len(path) > 0 {
				b.At(path...).Allow(grants[pick(len(grants))]...)
			}
		}
		p, err := b.Build()
		if err != nil {
			continue
		}
		size, err := analyze.Measure(p)
		require.NoError(t, err)
		if size.Smaller == nil {
			continue
		}
		found++
		for _, target := range sizeTargets() {
			for _, action := range permissions.AllPermissions() {
				want, got := p.Allowed(action, target), size.Smaller.Allowed(action, target)
				require.Equal(t, want, got, "%s on %v of %v", action, target, p)
			}
		}
	}
	require.Greater(t, found, 50)
}

// sizeTargets returns targets that tell rules with few names apart.
func sizeTargets() (list []permissions.Target) {
	levels := [][]permissions.Identifier{
		{permissions.NoID(), permissions.NoExternalID()},
		{permissions.ID(sizeA), permissions.ExternalID("x")},
		{permissions.ID(sizeA), permissions.NoExternalID()},
		{permissions.NoID(), permissions.ExternalID("x")},
		{},
	}
	list = append(list, permissions.User())
	for _, name := range []string{"slack", "other"} {
		integration := permissions.Integration(name)
		list = append(list, integration)
		for _, ids := range levels {
			credential := integration.Credential(ids...)
			list = append(list, credential)
			for _, ids := range levels {
				list = append(list, credential.Configuration(ids...))
			}
		}
	}
	return list
}

func TestMeasureListsTheGrantTrue(t *testing.T) {
	size, err := analyze.Measure(permissions.MustParse(`{"integration:a":true,"integration:b":true}`))
	require.NoError(t, err)
	require.Len(t, size.Lists, 1)
	require.True(t, size.Lists[0].Grant.IsAll())
	require.Equal(t, 2, size.Lists[0].Times)
	require.Equal(t, 2*len("true"), size.Lists[0].Bytes)
}
