package cli_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestInspectProposesTheQuestion(t *testing.T) {
	const uuid = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	const at = " https://api.example.com/projects/p"
	bearer := " -H 'Authorization: Bearer " + token(t, `{"integration:*": true}`, time.Minute) + "'"
	const finance, team = " -H 'X-Paragon-Credential: ext:finance'", " -H 'X-Paragon-Configuration-Id: Team A'"
	page, err := os.ReadFile(docs)
	require.NoError(t, err)
	for _, test := range []struct{ name, request, want string }{
		{"proxy", "-X POST" + at + "/sdk/proxy/slack/chat.postMessage", "proxy-api --integration slack"},
		{
			"proxy with a credential", at + "/sdk/proxy/slack/a" + finance,
			"proxy-api --integration slack --credential ext:finance",
		},
		{"proxy of a custom integration", at + "/sdk/proxy/custom/" + uuid + "/a", "proxy-api --integration NAME"},
		{"event", "-X POST" + at + "/sdk/events/trigger", "events"},
		{
			"event with a credential", "-X POST" + at + "/sdk/events/trigger" + finance,
			"events --integration NAME --credential ext:finance",
		},
		{
			"workflow", "-X POST" + at + "/sdk/triggers/5" + finance + team,
			"workflows --integration NAME --credential ext:finance --configuration 'Team A'",
		},
		{"read metadata", at + "/sdk/me", "metadata:read"},
		{"write metadata with a header", at + "/sdk/me -H 'X-Paragon-User-Metadata: e30'", "metadata:write"},
		{"write metadata", "-X PATCH" + at + "/sdk/me", "metadata:write"},
		{"connect", "-X POST" + at + "/sdk/credentials", "credential:write --integration NAME"},
		{
			"complete a credential", "-X POST" + at + "/sdk/credentials/" + uuid + "/complete-setup",
			"credential:write --integration NAME --credential " + uuid,
		},
		{
			"disconnect", "-X DELETE" + at + "/sdk/integrations/" + uuid + finance,
			"credential:write --integration NAME --credential ext:finance",
		},
		{
			"settings", "-X PATCH" + at + "/sdk/credentials/" + uuid + team,
			"settings:write --integration NAME --credential " + uuid + " --configuration 'Team A'",
		},
		{
			"enable a workflow", "-X POST" + at + "/sdk/workflows/5" + finance + team,
			"settings:write --integration NAME --credential ext:finance --configuration 'Team A'",
		},
		{
			"create a configuration", "-X POST" + at + "/sdk/credentials/" + uuid + "/configurations",
			"config:write --integration NAME --credential " + uuid,
		},
		{
			"delete a configuration", "-X DELETE" + at + "/sdk/credentials/" + uuid + "/configurations/" + uuid,
			"config:write --integration NAME --credential " + uuid + " --configuration " + uuid,
		},
		{"ActionKit", at + "/tools", "actionkit"},
		{
			"ActionKit with a credential", "-X POST" + at + "/actions" + finance,
			"actionkit --integration NAME --credential ext:finance",
		},
		{"something else", at + "/sdk/other", ""},
		{"another method", "-X DELETE" + at + "/sdk/me", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdin := strings.NewReader("curl " + test.request + bearer)
			r := (&run{args: []string{"inspect", "-o", "json"}, stdin: stdin}).do()
			require.Zero(t, r.code, r.err.String())
			var view struct {
				Request struct{ Method, Path, Command string }
			}
			require.NoError(t, json.Unmarshal(r.out.Bytes(), &view))
			require.NotEmpty(t, view.Request.Method)
			require.Contains(t, view.Request.Path, "/projects/p")
			if test.want == "" {
				require.Empty(t, view.Request.Command)
				return
			}
			require.Equal(t, "connectperms explain "+test.want, view.Request.Command)
			action, _, _ := strings.Cut(test.want, " ")
			require.Contains(t, string(page), "| `"+action+"` |", "the page has the same table")

			command := strings.TrimPrefix(view.Request.Command, "connectperms ") + " 2>/dev/null"
			command = strings.Replace(command, "--integration NAME", "--integration slack", 1) // as a person does
			require.True(t, strings.HasPrefix(ask(t, command, bearer), "allowed: "), command)
		})
	}
	r := (&run{args: []string{"inspect"}, stdin: strings.NewReader(bearer)}).do()
	require.Zero(t, r.code)
	require.NotContains(t, r.out.String(), "request", "a header alone is not a request")
}

// ask runs a command that was proposed, with a token.
func ask(t *testing.T, command, bearer string) string {
	t.Helper()
	file := t.TempDir() + "/header"
	require.NoError(t, os.WriteFile(file, []byte(bearer), 0o600))
	return shell(t, "connectperms "+command+" <"+file)
}

// A command with the placeholder in it asks about nothing, and must not answer.
func TestPlaceholderIsRefused(t *testing.T) {
	claim := strings.NewReader(`{"integration:*":true}`)
	r := (&run{args: []string{"check", "events", "--integration", "NAME"}, stdin: claim}).do()
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err.String(), "write the name of the integration in place of NAME")
	require.Empty(t, r.out.String())
}
