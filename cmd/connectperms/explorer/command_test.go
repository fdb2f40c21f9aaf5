package explorer_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/cmd/connectperms/explorer/engine"
)

// The command line that the page shows for a question asks the same of the command, and gets the same answer.
func TestCommandLines(t *testing.T) {
	const claim = `{"integration:*": ["events"], "integration:it's $(exit) \"b\"": true, "credential:ext:a b": false}`
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "claim.json"), []byte(claim), 0o600))
	binary := filepath.Join(folder, "connectperms")
	build, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "..").CombinedOutput()
	require.NoError(t, err, string(build))

	var e engine.Engine
	request := func(name string, members map[string]any) (answer map[string]any) {
		text, err := json.Marshal(members)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(e.Call(name, string(text)), &answer))
		require.NotContains(t, answer, "error")
		return answer
	}
	handle := request("parse", map[string]any{"text": claim})["handle"]
	const id = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	seen := make(map[string]int)
	for name, target := range map[string]string{
		"the user":           `{}`,
		"an integration":     `{"integration": "slack"}`,
		"quotation marks":    `{"integration": "it's $(exit) \"b\""}`,
		"a name like a flag": `{"integration": "--claim"}`,
		"some credential":    `{"integration": "slack", "credential": {}}`,
		"an ID":              `{"integration": "slack", "credential": {"id": "` + id + `"}}`,
		"an external ID":     `{"integration": "slack", "credential": {"externalId": "a b"}}`,
		"what is absent":     `{"integration": "slack", "credential": {"id": null, "externalId": null}}`,
		"a configuration": `{"integration": "slack", "credential": {"id": "` + id + `", "externalId": null},
			"configuration": {"id": null, "externalId": "é"}}`,
		"some configuration": `{"integration": "slack", "credential": {"externalId": "-x"}, "configuration": {}}`,
		"an absent configuration": `{"integration": "it's $(exit) \"b\"", "credential": {"id": null},
			"configuration": {"externalId": null}}`,
	} {
		t.Run(name, func(t *testing.T) {
			got := request("question", map[string]any{"claim": handle, "action": "events", "target": json.RawMessage(target)})
			run := exec.CommandContext(t.Context(), "sh", "-c", got["command"].(string)+" -o json")
			run.Dir, run.Env = folder, append(os.Environ(), "PATH="+folder+string(os.PathListSeparator)+os.Getenv("PATH"))
			output, err := run.Output()
			if err != nil { // a denial has another exit code
				require.ErrorAs(t, err, new(*exec.ExitError))
			}
			var printed struct {
				Explanation struct {
					Action   string
					Target   json.RawMessage
					Decision struct {
						Allowed bool
						Reason  string
					}
				}
			}
			require.NoError(t, json.Unmarshal(output, &printed), "%s: %s", got["command"], output)
			explained := printed.Explanation
			require.Equal(t, "events", explained.Action)
			require.JSONEq(t, target, string(explained.Target))
			answer := got["answer"].(string)
			require.Equal(t, answer == "yes", explained.Decision.Allowed)
			require.Equal(t, answer == "undetermined", strings.HasPrefix(explained.Decision.Reason, "undetermined"))
			seen[answer]++
		})
	}
	require.Len(t, seen, 3, "yes, no and undetermined: %v", seen)
}
