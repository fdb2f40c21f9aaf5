package cli_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// The target of a log line, as slog writes it as JSON, is the target that was asked about.
func TestTargetOfALogLine(t *testing.T) {
	identifiers := func(names ...string) (all [][]permissions.Identifier) {
		id := permissions.ID("3fa85f64-5717-4562-b3fc-2c963f66afa6")
		ids := [][]permissions.Identifier{nil, {permissions.NoID()}, {id}}
		externals := [][]permissions.Identifier{nil, {permissions.NoExternalID()}}
		for _, name := range names {
			externals = append(externals, []permissions.Identifier{permissions.ExternalID(name)})
		}
		for _, id := range ids {
			for _, external := range externals {
				all = append(all, append(append([]permissions.Identifier(nil), id...), external...))
			}
		}
		return all
	}
	targets := []permissions.Target{permissions.User()}
	for _, name := range []string{"slack", `back\slash`, `"quoted"`, "na\u2063me", "level", strings.Repeat("é", 50)} {
		integration := permissions.Integration(name)
		targets = append(targets, integration)
		for _, credential := range identifiers("acme", name) {
			targets = append(targets, integration.Credential(credential...))
			for _, configuration := range identifiers(name) {
				targets = append(targets, integration.Credential(credential...).Configuration(configuration...))
			}
		}
	}
	for _, target := range targets {
		require.NoError(t, target.Err())
		var line bytes.Buffer
		slog.New(slog.NewJSONHandler(&line, nil)).Info("", "target", target)
		var logged struct{ Target json.RawMessage }
		require.NoError(t, json.Unmarshal(line.Bytes(), &logged))
		for _, given := range []string{string(logged.Target), line.String()} {
			args := []string{"check", "events", "--target", given, "-o", "json"}
			r := (&run{args: args, stdin: strings.NewReader(`{}`)}).do()
			require.Equal(t, 2, r.code, r.all())
			var answer struct{ Target json.RawMessage }
			require.NoError(t, json.Unmarshal(r.out.Bytes(), &answer))
			var asked permissions.Target
			require.NoError(t, asked.UnmarshalJSON(answer.Target))
			require.Equal(t, target, asked, given)
		}
	}
}

func TestLogLineWithoutATarget(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"no question was asked", `{"level":"WARN","msg":"request refused","error":"x"}`, "has not exactly one target"},
		{"an invalid target", `{"level":"WARN","msg":"request refused","target":{"error":"x"}}`, "an invalid target"},
		{"two targets", `{"msg":"","target":{"level":"user"},"target":{"level":"user"}}`, "has not exactly one target"},
		{"a target that is a text", `{"msg":"","target":"the user"}`, "is not a JSON object"},
		{"not a log line", `{"integration":"slack","target":{}}`, `"target"`},
		{"not a log line, and only a target", `{"target":{"integration":"slack"}}`, `"target"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := (&run{args: []string{"check", "events", "--target", c.line}, stdin: strings.NewReader(`{}`)}).do()
			require.Equal(t, 1, r.code, r.all())
			require.Contains(t, r.all(), c.want)
		})
	}
}
