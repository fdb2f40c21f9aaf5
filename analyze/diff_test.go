package analyze_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

const diffsFile = "testdata/diffs.txt"

// TestDiffText compares texts with those in testdata. After a change that is meant, run
// CONNECTPERMS_UPDATE=1 go test -run TestDiffText ./analyze and read the difference.
func TestDiffText(t *testing.T) {
	for s := range sections(t, diffsFile) {
		before, rest, _ := strings.Cut(s.text, "\n")
		after, want, _ := strings.Cut(rest, "\n")
		got := analyze.Diff(
			permissions.MustParse(strings.TrimPrefix(before, "before: ")),
			permissions.MustParse(strings.TrimPrefix(after, "after: ")),
		).String() + "\n"
		s.write(before + "\n" + after + "\n" + got)
		t.Run(s.name, func(t *testing.T) { s.require(t, want, got) })
	}
}

// TestRootChangeIsNotAboutTheUserOnly is about the change that was easy to overlook.
func TestRootChangeIsNotAboutTheUserOnly(t *testing.T) {
	before := permissions.MustParse(`{"integration:*":["proxy-api"]}`)
	d := analyze.Diff(before, permissions.MustParse(`{"integration:*":true}`))
	require.Equal(t, analyze.RelationWider, d.Relation)
	require.Len(t, d.Changes, 1)
	c := d.Changes[0]
	require.Equal(t, "integration:*", c.Region.String())
	require.True(t, c.Only.IsZero())
	require.True(t, c.Unchanged.IsZero())
	require.Len(t, c.Permissions, len(permissions.AllPermissions())-1)
	require.NotContains(t, c.Permissions, permissions.ProxyAPI)
	require.Equal(t, permissions.KindCredential, c.Example.Target.Level())
	require.Contains(t, d.String(), "everything, the user included")
}

func TestRelation(t *testing.T) {
	for relation, code := range map[analyze.Relation]string{
		analyze.RelationEqual:    "equal",
		analyze.RelationWider:    "wider",
		analyze.RelationNarrower: "narrower",
		analyze.RelationBoth:     "both",
		analyze.Relation(9):      "Relation(9)",
	} {
		require.Equal(t, code, relation.String())
		text, err := relation.MarshalText()
		require.NoError(t, err)
		require.Equal(t, code, string(text))
	}
	var zero analyze.Difference
	require.Equal(t, "Equal: Both policies give the same answer to every question.", zero.String())
	require.Equal(t, "**Equal.** Both policies give the same answer to every question.\n", zero.Markdown())
}

func TestDiffJSON(t *testing.T) {
	d := analyze.Diff(
		permissions.MustParse(`{"integration:slack":["events"],"integration:jira":["events"]}`),
		permissions.MustParse(`{
			"integration:slack":["events"],"integration:jira":["events","workflows"],"credential:*":[]
		}`))
	got, err := json.Marshal(d)
	require.NoError(t, err)
	require.JSONEq(t, `{"summary": "narrower", "changes": [{
		"change": "lost",
		"region": {"text": "integration:*/credential:*", "scopes": ["integration:*", "credential:*"]},
		"only": {"list": [
			{"text": "integration:\"slack\"/credential:*", "scopes": ["integration:slack", "credential:*"]},
			{"text": "integration:\"jira\"/credential:*", "scopes": ["integration:jira", "credential:*"]}
		], "more": 0, "isMore": false},
		"permissions": ["events"],
		"example": {"action": "events", "target": {
			"integration": "slack", "credential": {"id": "00000000-0000-4000-8000-000000000000", "externalId": null}
		}},
		"before": {"allowed": true, "reason": "granted", "rule": {
			"path": ["integration:slack"], "pointer": "/integration:slack", "grants": ["events"]
		}},
		"after": {"allowed": false, "reason": "not_granted", "rule": {
			"path": ["integration:*", "credential:*"], "pointer": "/credential:*", "grants": []
		}}
	}]}`, string(got))

	got, err = json.Marshal(analyze.Diff(nil, nil))
	require.NoError(t, err)
	require.JSONEq(t, `{"summary": "equal", "changes": []}`, string(got))

	got, err = json.Marshal(analyze.Region{})
	require.NoError(t, err)
	require.JSONEq(t, `{"text": "", "scopes": []}`, string(got))
}

func TestDiffMarkdown(t *testing.T) {
	after := permissions.MustParse("{\"integration:a``b\":[\"events\"],\"integration:</li>|\":[]}")
	d := analyze.Diff(permissions.MustParse(`{}`), after)
	require.Equal(t, strings.Join([]string{
		"**Wider.** The new policy allows more than the old one, and nothing less.",
		"",
		"- **Now allowed:** `events`",
		"  - on everything under ``` integration:\"a``b\" ```",
		"  - example: ``` \"events\" on integration \"a``b\" ```",
		"  - before: `denied: no rule applies`",
		"  - after: ``` allowed: integration:\"a``b\" grants events ```",
		"",
	}, "\n"), d.Markdown())

	d = analyze.Diff(
		permissions.MustParse(`{"integration:</li>|":[],"integration:jira":[]}`),
		permissions.MustParse(`{
			"integration:*":["events"],"integration:</li>|":[],"integration:jira":["events"],"credential:*":[]
		}`),
	)
	require.Contains(t, d.Markdown(), "  - unchanged: `integration:\"</li>|\"`, `integration:*/credential:*`\n"+
		"  - separate: `integration:\"jira\"`, listed with changes of their own\n")
}

// TestDecisionsOfDiff compares the decisions that Diff makes without asking the policies.
func TestDecisionsOfDiff(t *testing.T) {
	one := permissions.WithPermissions("one")
	parse := func(claim string) *permissions.Policy { return permissions.MustParse(claim, one) }
	all := permissions.MustParse(`{"integration:*":true}`)
	both, err := permissions.Intersect(parse(`{"integration:*":["one"]}`), all)
	require.NoError(t, err)
	events := permissions.MustParse(`{"integration:*":["events"]}`)
	withUnrestricted, err := permissions.Intersect(permissions.Unrestricted(one), events)
	require.NoError(t, err)
	withNone, err := permissions.Intersect(parse(`{"integration:*":["events"]}`), nil)
	require.NoError(t, err)
	policies := map[string]*permissions.Policy{
		"nil": nil, "zero": new(permissions.Policy),
		"empty": permissions.MustParse(`{}`), "empty, which declares": parse(`{}`),
		"unrestricted": permissions.Unrestricted(), "unrestricted, which declares": permissions.Unrestricted(one),
		"granting": parse(`{"integration:*":["one","events"]}`), "denying": parse(`{"integration:*":false}`),
		"both": both, "with unrestricted": withUnrestricted, "with none": withNone,
		"long name": permissions.MustParse(`{"integration:` + strings.Repeat("x", 200) + `":true}`),
	}
	reasons := make(map[permissions.Reason]bool)
	for nameA, a := range policies {
		for nameB, b := range policies {
			for _, c := range analyze.Diff(observed(t, a), observed(t, b)).Changes {
				require.Equal(t, a.Decide(c.Example.Action, c.Example.Target), c.Before, "%s, %s: %v", nameA, nameB, c)
				require.Equal(t, b.Decide(c.Example.Action, c.Example.Target), c.After, "%s, %s: %v", nameA, nameB, c)
				require.Contains(t, c.String(), "\n  example:   "+c.Example.String()+"\n")
				require.Contains(t, c.String(), "\n  before:    "+c.Before.String()+"\n")
				require.True(t, strings.HasSuffix(c.String(), "\n  after:     "+c.After.String()), "%s", c)
				reasons[c.Before.Reason] = true
			}
		}
	}
	for reason := range permissions.ReasonNoClaim + 1 {
		require.Equal(t, reason != permissions.ReasonUndetermined, reasons[reason], "%v", reason)
	}
}

// TestTextsAsElsewhere requires that regions and questions print as rules and targets do.
func TestTextsAsElsewhere(t *testing.T) {
	claim := `{"integration:*":["events"],"integration:sl/ack":{
		"credential:*":["events"],"credential:ext:a\"b":["events"],
		"credential:` + idX + `":{
			"configuration:*":["events"],"configuration:ext:c":["events"],"configuration:` + idX + `":["events"]
		}},
		"integration:` + strings.Repeat("x", 200) + `":["events"],
		"configuration:ext:` + strings.Repeat("é", 200) + `":["events"]
	}`
	p := permissions.MustParse(claim)
	rules := make(map[string]permissions.Rule)
	for r := range p.Rules() {
		rules[r.String()] = r
	}
	changes := analyze.Diff(nil, p).Changes
	require.Len(t, changes, len(rules))
	for _, c := range changes {
		r, ok := rules[c.Region.String()]
		require.True(t, ok, "%s", c.Region)
		require.Equal(t, r.Path(), c.Region.Scopes())
		require.Equal(t, r, c.After.Rule)
		require.Contains(t, c.String(), c.Example.String())
	}
}

// TestMorePartsThanAreListed is about lists that are cut. They count up to ten parts.
func TestMorePartsThanAreListed(t *testing.T) {
	for n, more := range map[int]string{
		5: "", 6: ", and 1 more", 10: ", and 5 more", 11: ", and others", 99: ", and others",
	} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			var listed []string
			for i := range 5 {
				listed = append(listed, fmt.Sprintf(`integration:"i%d"/credential:*`, i))
			}
			parts := strings.Join(listed, ", ") + more
			integrations := object(n, func(i int) string { return fmt.Sprintf(`"integration:i%d":["events"]`, i) })
			before := policyOf(integrations)

			d := analyze.Diff(before, policyOf(objectOf(integrations, `{"credential:*":[]}`)))
			require.Len(t, d.Changes, 1)
			require.Equal(t, parts, d.Changes[0].Only.String())
			require.Equal(t, n > 10, d.Changes[0].Only.IsMore)
			require.Contains(t, d.String(), "only "+parts+", as a part of integration:*/credential:*\n")

			d = analyze.Diff(before, policyOf(objectOf(integrations, `{"credential:*":["events"]}`)))
			require.Len(t, d.Changes, 1)
			require.True(t, d.Changes[0].Only.IsZero(), "the change holds in all of the region but these parts")
			require.True(t, d.Changes[0].Partly.IsZero(), "no part is partly changed")
			require.Equal(t, parts, d.Changes[0].Unchanged.String())
			require.Equal(t, n > 10, d.Changes[0].Unchanged.IsMore)
			if n > 10 {
				parts += ", some of them perhaps in part"
			}
			require.Contains(t, d.String(), "\n  unchanged: "+parts+"\n")
			require.Contains(t, strings.ReplaceAll(d.Markdown(), "`", ""), "\n  - unchanged: "+parts+"\n")
			require.NotContains(t, d.String(), "partly")
			require.NotContains(t, d.Markdown(), "partly")
		})
	}

	integrations := object(9, func(i int) string { return fmt.Sprintf(`"integration:i%d":["events"]`, i) })
	d := analyze.Diff(policyOf(integrations), policyOf(objectOf(integrations, `{"integration:*":["events"]}`)))
	require.Len(t, d.Changes, 1)
	require.Len(t, d.Changes[0].Unchanged.List, 5)
	require.Equal(t, 4, d.Changes[0].Unchanged.More)
	require.False(t, d.Changes[0].Unchanged.IsMore)
	require.Contains(t, d.Markdown(), "`integration:\"i4\"`, and 4 more\n")
}

// TestMorePartlyChangedPartsThanAreListed has parts of both kinds: credentials by their ID, where the external ID of
// the configuration makes a difference, and credentials by their external ID, where it does not.
func TestMorePartlyChangedPartsThanAreListed(t *testing.T) {
	const deny = `":{"configuration:ext:a":false}`
	for _, c := range []struct {
		unchanged, partly             int
		listedUnchanged, listedPartly int
		moreUnchanged, morePartly     int
		isMoreUnchanged, isMorePartly bool
		endOfUnchanged, endOfPartly   string
	}{
		{2, 5, 2, 5, 0, 0, false, false, "", ""},
		{2, 7, 2, 5, 0, 2, false, false, "", ", and 2 more"},
		{2, 99, 2, 5, 0, 0, false, true, "", ", and others"},
		{7, 3, 5, 3, 2, 0, false, false, ", and 2 more", ""},
		{7, 99, 5, 4, 0, 0, true, false, ", and others, some of them perhaps in part", ""},
	} {
		t.Run(fmt.Sprintf("%d unchanged and %d partly", c.unchanged, c.partly), func(t *testing.T) {
			before := objectOf(`{"credential:*":["events"],"configuration:ext:a":["events"]}`,
				object(c.unchanged, func(i int) string { return fmt.Sprintf(`"credential:ext:%d%s`, i, deny) }),
				object(c.partly, func(i int) string {
					return fmt.Sprintf(`"credential:11111111-1111-4111-8111-%012d":false`, i)
				}))
			d := analyze.Diff(policyOf(before), policyOf(`{"configuration:`+idX+`":false}`))
			at := slices.IndexFunc(d.Changes, func(c analyze.Change) bool { return strings.HasSuffix(c.Region.String(), idX) })
			require.GreaterOrEqual(t, at, 0)
			got := d.Changes[at]
			require.Len(t, got.Unchanged.List, c.listedUnchanged)
			require.Len(t, got.Partly.List, c.listedPartly)
			require.Equal(t, c.moreUnchanged, got.Unchanged.More)
			require.Equal(t, c.morePartly, got.Partly.More)
			require.Equal(t, c.isMoreUnchanged, got.Unchanged.IsMore)
			require.Equal(t, c.isMorePartly, got.Partly.IsMore)
			require.Contains(t, got.String(), fmt.Sprint(got.Unchanged.List[c.listedUnchanged-1], c.endOfUnchanged, "\n"))
			require.Contains(t, got.String(), fmt.Sprint(got.Partly.List[c.listedPartly-1], c.endOfPartly, "\n"))
		})
	}
}

// Two permissions are in one change only if their lists are cut alike: here 11 parts are all for one of them, and not
// all for the other one.
func TestCutListsAreNotMerged(t *testing.T) {
	all := `{"integration:*":["events","metadata:read"]}`
	one := policyOf(objectOf(all, object(12, func(i int) string {
		if i < 6 {
			return fmt.Sprintf(`"integration:i%d":[]`, i)
		}
		return fmt.Sprintf(`"integration:i%d":["metadata:read"]`, i)
	})))
	two := policyOf(objectOf(all, object(5, func(i int) string {
		return fmt.Sprintf(`"integration:i%d":["events"]`, 6+i)
	})))
	after, err := permissions.Intersect(one, two)
	require.NoError(t, err)
	got := make(map[permissions.Permission]analyze.Regions)
	for _, c := range analyze.Diff(policyOf(`{"credential:*":[]}`), after).Changes {
		if c.Region.String() == "integration:*/credential:*" {
			for _, name := range c.Permissions {
				got[name] = c.Unchanged
			}
		}
	}
	require.Equal(t, got[permissions.Events].List, got[permissions.MetadataRead].List)
	require.Equal(t, 6, got[permissions.MetadataRead].More)
	require.False(t, got[permissions.MetadataRead].IsMore)
	require.True(t, got[permissions.Events].IsMore)
}

// If several parts of an intersection deny in one place, the search finds that place for each of them.
func TestDiffOfAnIntersectionNamesAPlaceOnce(t *testing.T) {
	before := permissions.MustParse(`{"integration:b":["proxy-api"]}`)
	same := permissions.MustParse(`{"configuration:*":["actionkit"]}`)
	for parts := range 6 {
		after, err := permissions.Intersect(append(slices.Repeat([]*permissions.Policy{same}, parts+1),
			permissions.MustParse(`{}`))...)
		require.NoError(t, err)
		for _, d := range []analyze.Difference{analyze.Diff(before, after), analyze.Diff(after, before)} {
			require.NotEmpty(t, d.Changes)
			for _, c := range d.Changes {
				for _, regions := range []analyze.Regions{c.Only, c.Unchanged, c.Partly, c.Separate} {
					seen := map[string]bool{}
					for _, r := range regions.List {
						require.False(t, seen[r.String()], c)
						seen[r.String()] = true
					}
					require.False(t, regions.IsMore && len(regions.List) < 5, c)
				}
			}
		}
	}
}

func TestScopesOfARegionAreTheCallersToKeep(t *testing.T) {
	region := analyze.Diff(nil, permissions.MustParse(`{"integration:slack":true}`)).Changes[0].Region
	region.Scopes()[0] = permissions.MustParseScope("integration:*")
	require.Equal(t, "integration:slack", region.Scopes()[0].String())
}

// The lists of a change are in its JSON where they are not empty.
func TestListsOfAChangeInJSON(t *testing.T) {
	d := analyze.Diff(
		permissions.MustParse(`{"credential:*":["events"],"configuration:ext:a":["events"],
			"credential:ext:b":{"configuration:ext:a":false},"credential:`+idX+`":false}`),
		permissions.MustParse(`{"configuration:`+idX+`":false}`))
	names := make(map[string]int)
	for _, c := range d.Changes {
		data, err := json.Marshal(c)
		require.NoError(t, err)
		var got map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(data, &got))
		for name, list := range map[string]analyze.Regions{
			"only": c.Only, "unchanged": c.Unchanged, "partly": c.Partly, "separate": c.Separate,
		} {
			if list.IsZero() {
				require.NotContains(t, got, name)
				continue
			}
			names[name]++
			want, err := json.Marshal(list)
			require.NoError(t, err)
			require.JSONEq(t, string(want), string(got[name]), name)
		}
	}
	for _, name := range []string{"unchanged", "partly", "separate"} { // TestDiffJSON has only
		require.Positive(t, names[name], name)
	}
}

// A declared permission can have nearly any name.
func TestMarkdownOfDeclaredPermissions(t *testing.T) {
	declared := permissions.WithPermissions("a`b", "c\u202ed")
	after := "{\"integration:*\":[\"a`b\",\"c\u202ed\"]}"
	d := analyze.Diff(permissions.MustParse(`{}`, declared), permissions.MustParse(after, declared))
	require.Contains(t, d.Markdown(), "- **Now allowed:** `` a`b ``, ")
	require.NotContains(t, d.Markdown(), "\u202e")
}
