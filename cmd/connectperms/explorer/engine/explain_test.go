package engine_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/explorer/engine"
)

type explanation struct {
	Go, JSON, Command             string
	Allowed                       bool
	Answer, Reason, Text, Summary string
	Rule                          *rule
	Unknown                       []string
	ActsOn                        string
	New                           bool
	Steps                         []struct {
		Rule          rule
		Outcome, Text string
		By            *rule
		Level         string
		Unknown       []string
	}
	Omitted int
	Hint    string
	Changes []struct {
		Kind, Summary, Answer string
		Target                json.RawMessage
		Edit                  *edit
	}
}

func TestExplain(t *testing.T) {
	const claim = `{"integration:*": ["events"], "integration:slack": {"credential:*": false}, ` +
		`"configuration:ext:A": true}`
	const unknown = `{"integration:*": true, "configuration:ext:A": ["events"]}`
	for _, test := range []struct {
		name, claim    string
		action, target string
		answer, reason string
		actsOn         string
		unknown        []string
		outcomes       []string
		asks           map[string]string // the questions that are proposed, and their answers
		edits          map[string]string // the edits that are proposed, and the claims that they make
	}{
		{
			name: "a yes", claim: claim, action: "events", target: `{}`, answer: "yes", reason: "granted",
			actsOn: "user", outcomes: []string{"deeper", "deeper", "decides"},
		},
		{
			name: "a rule that denies", claim: claim, action: "proxy-api", target: `{"integration": "slack"}`,
			answer: "no", reason: "not_granted", actsOn: "credential", outcomes: []string{"deeper", "decides", "overridden"},
			asks: map[string]string{`{"integration":"slack","credential":{},"configuration":{"externalId":"A"}}`: "yes"},
			edits: map[string]string{
				`add proxy-api to integration:"slack"/credential:*`: `{"integration:*": ["events"], "integration:slack": ` +
					`{"credential:*": ["proxy-api"]}, "configuration:ext:A": true}`,
			},
		},
		{
			name: "undetermined", claim: unknown, action: "workflows",
			target: `{"integration": "jira", "credential": {}, "configuration": {"id": "` + credentialID + `"}}`,
			answer: "undetermined", reason: "undetermined", actsOn: "configuration",
			unknown: []string{"configuration.externalId"}, outcomes: []string{"conditional", "undetermined"},
			asks: map[string]string{
				`{"integration":"jira","credential":{"id":null,"externalId":null},` +
					`"configuration":{"id":"` + credentialID + `","externalId":null}}`: "yes",
				`{"integration":"jira","credential":{},"configuration":{"id":"` + credentialID + `","externalId":"A"}}`: "no",
			},
			edits: map[string]string{
				`add workflows to integration:*/credential:*/configuration:ext:"A"`: `{"integration:*": true, ` +
					`"configuration:ext:A": ["events", "workflows"]}`,
			},
		},
		{
			name: "a rule that would take away what another one grants", action: "proxy-api",
			claim:  `{"integration:*": ["events"], "credential:ext:A": ["events", "workflows"]}`,
			target: `{"integration": "slack", "credential": {"id": "` + credentialID + `"}}`,
			answer: "no", reason: "not_granted", actsOn: "credential", outcomes: []string{"conditional", "decides"},
		},
		{
			name: "no rule", claim: `{}`, action: "settings:read", target: `{"integration": "jira"}`,
			answer: "no", reason: "no_rule", actsOn: "configuration",
			edits: map[string]string{
				`add a rule for integration:"jira"/credential:*/configuration:*`: `{"integration:jira":` +
					`{"credential:*":{"configuration:*":["settings:read"]}}}`,
			},
		},
		{
			name: "the user", claim: "{\n  \"integration:slack\": true\n}", action: "events", target: `{}`,
			answer: "no", reason: "no_rule", actsOn: "user", outcomes: []string{"deeper"},
			asks: map[string]string{`{"integration":"slack"}`: "yes"},
		},
		{
			name: "any other credential", claim: `{"integration:slack": {"credential:ext:a": true}}`, action: "events",
			target: `{"integration":"slack","credential":{"id":"00000000-0000-4000-8000-000000000001","externalId":null}}`,
			answer: "no", reason: "no_rule", actsOn: "credential", outcomes: []string{"no_match"},
			edits: map[string]string{
				`add a rule for integration:"slack"/credential:*`: `{"integration:slack": {"credential:ext:a": true, ` +
					`"credential:*": ["events"]}}`,
			},
		},
		{
			name: "any credential", claim: `{"integration:*": ["proxy-api"]}`, action: "events",
			target: `{"integration":"other","credential":{"id":"00000000-0000-4000-8000-000000000001","externalId":null}}`,
			answer: "no", reason: "not_granted", actsOn: "credential", outcomes: []string{"decides"},
			edits: map[string]string{
				`add events to integration:*`: `{"integration:*": ["proxy-api", "events"]}`,
				`add a rule for integration:*/credential:*`: `{"integration:*": ["proxy-api"], ` +
					`"credential:*": ["proxy-api", "events"]}`,
			},
		},
		{
			name: "an integration that is not any other", claim: `{}`, action: "events",
			target: `{"integration":"other-day"}`, answer: "no", reason: "no_rule", actsOn: "integration",
			edits: map[string]string{`add a rule for integration:"other-day"`: `{"integration:other-day":["events"]}`},
		},
		{
			name: "an ID that only looks like any other", action: "events",
			claim:  `{"credential:00000000-0000-4000-8000-000000000001": false}`,
			target: `{"integration":"slack","credential":{"id":"00000000-0000-4000-8000-000000000001","externalId":null}}`,
			answer: "no", reason: "not_granted", actsOn: "credential", outcomes: []string{"decides"},
			edits: map[string]string{
				`add events to integration:*/credential:00000000-0000-4000-8000-000000000001`: `{` +
					`"credential:00000000-0000-4000-8000-000000000001": ["events"]}`,
				`add a rule for integration:"slack"/credential:00000000-0000-4000-8000-000000000001`: `{` +
					`"credential:00000000-0000-4000-8000-000000000001": false, "integration:slack": ` +
					`{"credential:00000000-0000-4000-8000-000000000001": ["events"]}}`,
			},
		},
		{
			name: "a scope that has a grant", claim: `{"integration:slack": ["events"]}`, action: "proxy-api",
			target: `{"integration": "slack", "credential": {"id": "` + credentialID + `"}}`,
			answer: "no", reason: "not_granted", actsOn: "credential", outcomes: []string{"decides"},
			edits: map[string]string{`add proxy-api to integration:"slack"`: `{"integration:slack": ["events", "proxy-api"]}`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e engine.Engine
			handle, target := parse(t, &e, test.claim), json.RawMessage(test.target)
			got := call[explanation](t, &e, "explain", object{"claim": handle, "action": test.action, "target": target})
			require.Equal(t, test.answer, got.Answer)
			require.Equal(t, test.answer == "yes", got.Allowed)
			require.Equal(t, test.reason, got.Reason)
			require.Equal(t, test.actsOn, got.ActsOn)
			require.Equal(t, append([]string{}, test.unknown...), got.Unknown)
			var outcomes []string
			for _, s := range got.Steps {
				outcomes = append(outcomes, s.Outcome)
			}
			require.Equal(t, test.outcomes, outcomes)

			var of permissions.Target
			require.NoError(t, of.UnmarshalJSON(target))
			want := must(permissions.Parse([]byte(test.claim))).Explain(permissions.Permission(test.action), of)
			require.Equal(t, want.String(), got.Text)
			require.Equal(t, want.Decision.String(), got.Summary)
			require.Equal(t, want.Hint, got.Hint)
			require.Len(t, got.Steps, len(want.Steps))
			for i, s := range want.Steps {
				require.Equal(t, s.String(), got.Steps[i].Text)
			}

			var asks, edits map[string]string
			for _, c := range got.Changes {
				if c.Kind == "question" {
					require.NoError(t, of.UnmarshalJSON(c.Target))
					require.Equal(t, "ask about "+of.String(), c.Summary)
					asks = put(asks, string(c.Target), c.Answer)
				} else {
					edits = put(edits, c.Summary, c.Edit.apply(test.claim))
				}
			}
			require.Equal(t, test.asks, asks)
			require.Equal(t, test.edits, edits)
		})
	}
}

func put(m map[string]string, key, value string) map[string]string {
	if m == nil {
		m = make(map[string]string)
	}
	m[key] = value
	return m
}

// Each change that an explanation proposes does change the answer, and each edit makes a claim with a yes.
func TestChangesAreTrue(t *testing.T) {
	questions, edits := 0, 0
	for _, c := range slices.Concat(conformance(t, "decisions.json"), conformance(t, "random.json")) {
		if c.Error != "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			var e engine.Engine
			handle := parse(t, &e, c.Claim)
			for _, q := range c.Queries {
				if q.Invalid {
					continue
				}
				request := object{"claim": handle, "action": q.Action, "target": q.Target}
				got := call[explanation](t, &e, "explain", request)
				requireBriefly(t, &e, request, got)
				require.True(t, !got.Allowed || len(got.Changes) == 0)
				requireEdit(t, c.Claim, request, got)
				for i, change := range got.Changes {
					if change.Kind == "question" {
						questions++
						requireSameKindOfQuestion(t, q.Action, q.Target, change.Target)
						again := object{"claim": handle, "action": q.Action, "target": change.Target}
						require.Equal(t, change.Answer, call[answer](t, &e, "question", again).Answer)
						require.NotEqual(t, got.Answer, change.Answer)
						continue
					}
					edits++
					edited := change.Edit.apply(c.Claim)
					again := object{"claim": parse(t, &e, edited), "action": q.Action, "target": q.Target}
					got := call[answer](t, &e, "question", again)
					require.Equal(t, "yes", got.Answer, "%s on %s with %s", q.Action, q.Target, edited)
					if edits%4 == 0 { // it takes long
						requireEffects(t, &e, request, i, parse(t, &e, edited))
					}
					parse(t, &e, c.Claim) // it stays one of the latest
				}
			}
		})
	}
	require.Greater(t, questions, 100)
	require.Greater(t, edits, 100)
}

// requireSameKindOfQuestion requires that nobody is told to ask of a configuration whether a credential may be
// connected.
func requireSameKindOfQuestion(t *testing.T, action string, asked, proposed json.RawMessage) {
	t.Helper()
	var before, after permissions.Target
	require.NoError(t, before.UnmarshalJSON(asked))
	require.NoError(t, after.UnmarshalJSON(proposed))
	if action == string(permissions.CredentialWrite) && before.Level() < permissions.KindConfiguration {
		require.Less(t, after.Level(), permissions.KindConfiguration, "%s", asked)
	}
}

// requireEdit requires that an explanation proposes that the rule which denies grants the action, if the question
// is then allowed.
func requireEdit(t *testing.T, claim string, request object, got explanation) {
	t.Helper()
	if got.Allowed || got.Rule == nil {
		return
	}
	var b permissions.Builder
	for r := range must(permissions.Parse([]byte(claim))).Rules() {
		grant := r.Grant()
		if r.String() == got.Rule.Text {
			grant = permissions.NewPermissionSet(slices.AppendSeq([]permissions.Permission{
				permissions.Permission(request["action"].(string))}, grant.All())...)
		}
		b.At(r.Path()...).Grant(grant)
	}
	var target permissions.Target
	require.NoError(t, target.UnmarshalJSON(request["target"].(json.RawMessage)))
	edited, err := b.Build()
	require.NoError(t, err)
	proposed := false
	for _, change := range got.Changes {
		proposed = proposed || change.Summary == "add "+request["action"].(string)+" to "+got.Rule.Text
	}
	allowed := edited.Allowed(permissions.Permission(request["action"].(string)), target)
	require.Equal(t, allowed, proposed, "%v", request)
}

// An edit is proposed only if it has the effect, also where most rules are not listed.
func TestEditsAmongManyRules(t *testing.T) {
	var credentials, configurations []string
	for i := range 6 {
		id := fmt.Sprintf("%08d-0000-4000-8000-000000000000", i)
		credentials = append(credentials, `"credential:`+id+`": ["proxy-api"]`)
		configurations = append(configurations, `"configuration:`+id+`": ["workflows"]`)
	}
	const unknown = `{"integration": "slack", "credential": {}, "configuration": {}}`
	for _, test := range []struct{ name, claim, action, target, want string }{
		{
			"another rule denies that is as deep",
			`{"integration:slack": {"credential:*": false, "credential:ext:z": false, CREDENTIALS}}`, "proxy-api",
			`{"integration": "slack"}`, "",
		},
		{
			"all others grant it", `{"integration:slack": {"credential:*": false, CREDENTIALS}}`, "proxy-api",
			`{"integration": "slack"}`, `add proxy-api to integration:"slack"/credential:*`,
		},
		{
			"another rule denies that is less deep", `{"integration:*": true, "credential:ext:z": false, ` +
				`"configuration:ext:a": false, CONFIGURATIONS}`, "workflows", unknown, "",
		},
		{
			"a rule that denies is overridden by one that grants",
			`{"integration:*": false, "credential:ext:b": {"configuration:*": ["workflows"]}, ` +
				`"integration:slack": {"credential:ext:b": false}}`, "workflows", unknown,
			"add workflows to integration:*",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e engine.Engine
			claim := strings.NewReplacer("CREDENTIALS", strings.Join(credentials, ", "),
				"CONFIGURATIONS", strings.Join(configurations, ", ")).Replace(test.claim)
			request := object{"claim": parse(t, &e, claim), "action": test.action, "target": json.RawMessage(test.target)}
			got := call[explanation](t, &e, "explain", request)
			requireBriefly(t, &e, request, got)
			requireEdit(t, claim, request, got)
			var edits []string
			for _, change := range got.Changes {
				if change.Kind == "claim" {
					edits = append(edits, change.Summary)
				}
			}
			if test.want == "" {
				require.Empty(t, edits)
			} else {
				require.Contains(t, edits, test.want)
			}
		})
	}
}

type effects struct {
	Answers, Rows int
	First         []struct {
		Scope, Title string
		Target       json.RawMessage
		Permissions  []string
	}
}

// requireEffects requires that the effects of a change are what changes in the matrix.
func requireEffects(t *testing.T, e *engine.Engine, request object, number int, edited string) {
	t.Helper()
	rows := allRows(t, e, request["claim"].(string))
	var targets []json.RawMessage
	for _, row := range rows {
		targets = append(targets, row.Target)
	}
	type matrix struct{ Rows []matrixRow }
	before := call[matrix](t, e, "matrix", object{"claims": []any{request["claim"]}, "targets": targets})
	after := call[matrix](t, e, "matrix", object{"claims": []string{edited}, "targets": targets})
	var asked permissions.Target
	require.NoError(t, asked.UnmarshalJSON(request["target"].(json.RawMessage)))
	var want effects
	for i := range targets {
		var changed []string
		for cell, p := range permissions.AllPermissions() {
			var row permissions.Target
			require.NoError(t, row.UnmarshalJSON(targets[i]))
			isAsked := row == asked && string(p) == request["action"]
			if before.Rows[i].Claims[0].Cells[cell] != after.Rows[i].Claims[0].Cells[cell] && !isAsked {
				changed = append(changed, string(p))
			}
		}
		if len(changed) > 0 {
			want.Rows++
			want.Answers += len(changed)
		}
	}
	request = maps.Clone(request)
	request["change"] = number
	got := call[effects](t, e, "effects", request)
	require.Equal(t, want.Answers, got.Answers, "%v", request)
	require.Equal(t, want.Rows, got.Rows)
	require.Len(t, got.First, min(want.Rows, 5))
}

func TestEffects(t *testing.T) {
	var e engine.Engine
	handle := parse(t, &e, `{"integration:*": ["events"], "integration:slack": {"credential:*": false, `+
		`"credential:ext:a": ["workflows"]}, "integration:jira": {"credential:*": true}}`)
	question := object{
		"claim": handle, "action": "proxy-api",
		"target": object{"integration": "slack", "credential": object{"id": credentialID, "externalId": nil}},
	}
	got := call[effects](t, &e, "effects", question)
	require.Equal(t, 2, got.Answers)
	require.Equal(t, 2, got.Rows)
	require.Equal(t, `integration:"slack"`, got.First[0].Scope)
	require.Equal(t, "integration slack", got.First[0].Title)
	require.Equal(t, []string{"proxy-api"}, got.First[0].Permissions)
	question["change"] = 5
	require.Equal(t, "there is no such change of the claim", failed(t, &e, "effects", question).Error.Message)
}

// requireBriefly requires that a brief explanation says what the whole one says, without what it leaves out.
func requireBriefly(t *testing.T, e *engine.Engine, request object, whole explanation) {
	t.Helper()
	request = maps.Clone(request)
	request["brief"] = true
	brief := call[explanation](t, e, "explain", request)
	want := whole
	want.Text, want.Steps = "", whole.Steps[:0:0]
	for _, s := range whole.Steps {
		if s.Outcome == "no_match" || s.Outcome == "deeper" {
			want.Omitted++
		} else {
			want.Steps = append(want.Steps, s)
		}
	}
	if want.Allowed || len(want.Changes) > 0 {
		want.Hint = ""
	}
	require.Equal(t, want, brief, "%v", request)
}

// A brief explanation says the same of a claim in which most rules are not near the target.
func TestExplainBriefly(t *testing.T) {
	for _, form := range []string{
		`{"integration:*": ["events"], "credential:ext:c": false, "configuration:ext:a": ["events"], %s}`,
		`{%s, "credential:*": {"configuration:ext:a": false}, "integration:*": {"credential:ext:b": true}}`,
		`{"integration:a": {%s}, "credential:ext:c": true}`,
		`{%s}`,
	} {
		var members []string
		for i, name := range []string{"b", "c", "d", "e", "f", "g", "h", "i"} {
			kind := "integration"
			if strings.HasPrefix(form, `{"integration:a"`) {
				kind = "credential:ext"
			}
			grant := []string{"false", `["events", "proxy-api"]`, `{"configuration:ext:a": true}`, `{}`}[i%4]
			members = append(members, fmt.Sprintf(`"%s:%s": %s`, kind, name, grant))
		}
		claim := fmt.Sprintf(form, strings.Join(members, ", "))
		t.Run(claim, func(t *testing.T) {
			var e engine.Engine
			handle := parse(t, &e, claim)
			for _, target := range []string{
				`{}`, `{"integration": "a"}`, `{"integration": "d"}`, `{"integration": "x", "credential": {}}`,
				`{"integration": "a", "credential": {"externalId": "c"}}`,
				`{"integration": "a", "credential": {"id": null, "externalId": "d"}, "configuration": {}}`,
				`{"integration": "c", "credential": {"id": "` + credentialID + `", "externalId": null}}`,
				`{"integration": "d", "credential": {"externalId": "c"}, "configuration": {"externalId": "a"}}`,
			} {
				for _, action := range []string{"events", "proxy-api", "settings:write", "credential:write"} {
					request := object{"claim": handle, "action": action, "target": json.RawMessage(target)}
					if action != "events" && target == `{}` {
						continue // it cannot be asked of the user
					}
					requireBriefly(t, &e, request, call[explanation](t, &e, "explain", request))
				}
			}
		})
	}
}

// The rows of the answer are those of the outline that the request names.
func TestExplainWithTheRowsOfTwoClaims(t *testing.T) {
	var e engine.Engine
	before, after := parse(t, &e, `{"integration:a": true}`), parse(t, &e, `{"integration:b": true}`)
	question := object{"claim": after, "action": "events", "target": object{"integration": "b"}}
	require.Equal(t, 1, call[explanation](t, &e, "explain", question).Rule.Row)
	question["outline"] = []string{before, after}
	require.Equal(t, 2, call[explanation](t, &e, "explain", question).Rule.Row)
	require.Equal(t, 2, call[answer](t, &e, "question", question).Rule.Row)
	question["outline"] = []string{before}
	require.Equal(t, -1, call[answer](t, &e, "question", question).Rule.Row)
}

func TestUnrestricted(t *testing.T) {
	var e engine.Engine
	got := call[struct {
		Handle       string
		Rules        int
		Unrestricted bool
	}](t, &e, "parse", object{"unrestricted": true})
	require.True(t, got.Unrestricted)
	require.Zero(t, got.Rules)
	explained := call[explanation](t, &e, "explain", object{"claim": got.Handle, "action": "events", "target": object{}})
	require.True(t, explained.Allowed)
	require.Equal(t, "no_claim", explained.Reason)
	rows := allRows(t, &e, got.Handle)
	require.Equal(t, "the user ----yy-y-y\nany integration (implied) yyyyyyyyyy\n", printed(rows))
	require.Empty(t, call[findings](t, &e, "lint", object{"claim": got.Handle}).Findings)
}

func TestQuestion(t *testing.T) {
	const slack = `permissions.Integration("slack")`
	for _, test := range []struct {
		name, target      string
		goTarget, command string
	}{
		{"the user", `{}`, `permissions.User()`, `--user`},
		{"an integration", `{"integration": "slack"}`, slack, `--integration slack`},
		{
			"a name that a shell would read", `{"integration": "it's $(a) \"b\""}`,
			`permissions.Integration("it's $(a) \"b\"")`, `--integration 'it'\''s $(a) "b"'`,
		},
		{"a name like a flag", `{"integration": "--token"}`, `permissions.Integration("--token")`, `--integration=--token`},
		{
			"a credential by its ID", `{"integration": "slack", "credential": {"id": "` + credentialID + `"}}`,
			slack + `.Credential(permissions.ID("` + credentialID + `"))`,
			`--integration slack --credential-id ` + credentialID,
		},
		{
			"what is absent", `{"integration": "slack", "credential": {"id": null, "externalId": null}}`,
			slack + `.Credential(permissions.NoID(), permissions.NoExternalID())`,
			`--integration slack --no-credential-id --no-credential-external-id`,
		},
		{
			"a configuration",
			`{"integration": "slack", "credential": {"externalId": "a b"}, "configuration": {"externalId": "é"}}`,
			slack + `.Credential(permissions.ExternalID("a b")).Configuration(permissions.ExternalID("é"))`,
			`--integration slack --credential-external-id 'a b' --configuration-external-id 'é'`,
		},
		{
			"a credential about which nothing is known", `{"integration": "slack", "credential": {}}`,
			slack + `.Credential()`, `--target '{"integration":"slack","credential":{}}'`,
		},
		{
			"a name with invisible characters", `{"integration": "slack", "credential": {"externalId": "a\u202eb\u200b"}}`,
			slack + `.Credential(permissions.ExternalID("a\u202eb\u200b"))`,
			`--target '{"integration":"slack","credential":{"externalId":"a\u202eb\u200b"}}'`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e engine.Engine
			question := object{"action": "events", "target": json.RawMessage(test.target)}
			got := call[map[string]string](t, &e, "question", question)
			require.Equal(t, "err := policy.Check(permissions.Events, "+test.goTarget+")", got["go"])
			require.Equal(t, "connectperms explain events --claim claim.json "+test.command, got["command"])
			var asked struct {
				Action permissions.Permission
				Target json.RawMessage
			}
			require.NoError(t, json.Unmarshal([]byte(got["json"]), &asked))
			require.Equal(t, permissions.Events, asked.Action)
			require.NotRegexp(t, `[\p{Cc}\p{Cf}]`, got["json"])
			require.JSONEq(t, test.target, string(asked.Target))
			require.NotContains(t, got, "answer", "no claim was asked")
		})
	}
	t.Run("invalid", func(t *testing.T) {
		var e engine.Engine
		for _, test := range []struct{ action, target, field string }{
			{"fly", `{}`, "action"},
			{"proxy-api", `{}`, "target"},
			{"events", `{"credential": {}}`, "target"},
			{"events", `{"integration": ""}`, "integration"},
			{"events", `{"integration": "a", "credential": {"id": "x"}}`, "credential ID"},
			{"events", `{"integration": "a", "user": 1}`, "target"},
			{"events", `null`, "target"},
		} {
			got := failed(t, &e, "question", object{"action": test.action, "target": json.RawMessage(test.target)}).Error
			require.Equal(t, "question", got.Code)
			require.NotEmpty(t, got.Problem)
		}
		require.Equal(t, "question", failed(t, &e, "question", object{"action": "events"}).Error.Code)
	})
}

// The table of permissions says what the library says.
func TestVocabulary(t *testing.T) {
	var e engine.Engine
	got := call[struct {
		Permissions []struct {
			Name        permissions.Permission
			Description string
			Includes    []permissions.Permission
			ActsOn      map[string]string
		}
	}](t, &e, "vocabulary", object{})
	var names []permissions.Permission
	everything := permissions.Unrestricted()
	for _, p := range got.Permissions {
		names = append(names, p.Name)
		require.NotEmpty(t, p.Description)
		only := must(permissions.Parse([]byte(`{"integration:*": ["` + string(p.Name) + `"]}`)))
		for _, other := range permissions.AllPermissions() {
			included := other == p.Name || slices.Contains(p.Includes, other)
			granted := only.Permissions(permissions.Integration("a"))
			require.Equal(t, included, granted.Has(other), "%s includes %s", p.Name, other)
		}
		integration := permissions.Integration("a")
		for level, target := range map[string]permissions.Target{
			"user": permissions.User(), "integration": integration, "credential": integration.Credential(),
			"configuration": integration.Credential().Configuration(),
		} {
			explained, said := everything.Explain(p.Name, target), p.ActsOn[level]
			want := map[string]string{"user": "the user", "integration": "the integration", "credential": "the credential",
				"configuration": "itself"}[level]
			switch {
			case !explained.Decision.Allowed:
				want = "invalid"
			case explained.New:
				want = "a new " + explained.ActsOn.String()
			case explained.ActsOn != target.Level():
				want = "a " + explained.ActsOn.String()
			}
			require.Equal(t, want, said, "%s on %s", p.Name, level)
		}
	}
	require.Equal(t, permissions.AllPermissions(), names)
}
