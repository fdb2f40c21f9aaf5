package cli_test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

// An action is what action.yml has.
type action struct {
	Inputs map[string]struct {
		Description, Default string
		Required             bool
	}
	Runs struct {
		Using string
		Steps []struct {
			Name, Shell, Run, Uses string
			Env, With              map[string]string
		}
	}
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(data, into))
}

// bash runs a script in a directory with some variables, and returns what it prints and its exit code.
func bash(t *testing.T, directory, script string, env ...string) (string, int) {
	t.Helper()
	c := exec.Command("bash", "-c", script)
	c.Dir = directory
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		require.IsType(t, &exec.ExitError{}, err)
	}
	return string(out), c.ProcessState.ExitCode()
}

// TestAction runs the steps of the action in a repository with a pull request.
func TestAction(t *testing.T) {
	var a action
	readYAML(t, root+"action.yml", &a)
	require.Equal(t, "composite", a.Runs.Using)
	require.Len(t, a.Runs.Steps, 3)
	build, compare := a.Runs.Steps[1], a.Runs.Steps[2]
	for _, step := range a.Runs.Steps {
		require.NotContains(t, step.Run, "${{", "what is put into a script can be a command; pass it in the environment")
	}
	for name := range a.Inputs {
		require.Contains(t, compare.Env, strings.ToUpper(strings.ReplaceAll(name, "-", "_")), name)
	}
	checkout, err := filepath.Abs(root)
	require.NoError(t, err)
	temp := t.TempDir()
	env := []string{"ACTION=" + checkout, "RUNNER_TEMP=" + temp}
	out, code := bash(t, temp, build.Run, env...)
	require.Zero(t, code, out)
	requireStatic(t, filepath.Join(temp, "connectperms"))

	repository := filepath.Join(temp, "repository")
	require.NoError(t, os.MkdirAll(filepath.Join(repository, "claims"), 0o755))
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(repository, "claims", name), []byte(text), 0o600))
	}
	commit := func() string {
		out, code := bash(t, repository, `git init -q . && git add -A &&
			git -c user.name=ann -c user.email=ann@example.com commit -q -m x --allow-empty && git rev-parse HEAD`)
		require.Zero(t, code, out)
		return strings.TrimSpace(out)
	}
	const admin = `{"integration:*": ["proxy-api", "events", "workflows", "actionkit", "settings:write"]}`
	write("a b.json", `{"integration:*": ["events"]}`)
	write("admin.json", admin)
	base := commit()
	summary := filepath.Join(temp, "summary.md")
	run := func(more ...string) (string, int) {
		require.NoError(t, os.RemoveAll(summary))
		all := append(env, "GITHUB_STEP_SUMMARY="+summary, "CLAIMS=claims/*.json", "BASE="+base,
			"FAIL_ON="+a.Inputs["fail-on"].Default, "FAIL_ON_FINDINGS="+a.Inputs["fail-on-findings"].Default)
		return bash(t, repository, compare.Run, append(all, more...)...)
	}

	out, code = run()
	require.Zero(t, code, out)
	require.Contains(t, out, "::warning::no claim is compared, because the base is the commit that is checked out")
	require.NoFileExists(t, summary, "nothing changed")

	write("a b.json", `{"integration:*": ["events", "workflows"]}`)
	commit()
	out, code = run()
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "::warning file=claims/a b.json,line=1,col=2,title=now allowed%3A workflows::")
	text, err := os.ReadFile(summary)
	require.NoError(t, err)
	require.Contains(t, string(text), "### `claims/a b.json`")
	require.Contains(t, string(text), "workflows")
	out, code = run("FAIL_ON=narrower")
	require.Zero(t, code, out)
	out, code = run("FAIL_ON=any")
	require.Equal(t, 1, code, out)
	out, code = run("BASE=")
	require.Zero(t, code, out)
	require.Contains(t, out, "::warning::no claim is compared, because there is no base")

	write("a b.json", `{}`)
	commit()
	out, code = run()
	require.Zero(t, code, out)
	require.Contains(t, out, "::notice file=claims/a b.json,line=1,col=1,title=no longer allowed%3A events::")

	claims := filepath.Join(repository, "claims")
	require.NoError(t, os.Rename(filepath.Join(claims, "admin.json"), filepath.Join(claims, "boss.json")))
	commit()
	out, code = run()
	require.Zero(t, code, "a renamed claim is the same: %s", out)

	write("new.json", `{"integration:slack": ["events"]}`)
	commit()
	out, code = run()
	require.Equal(t, 1, code, "a new claim is wider than none: %s", out)
	require.Contains(t, out, "file=claims/new.json")

	write("new.json", `{"integration:slack": {}}`)
	commit()
	out, code = run()
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "title=empty-map::")
	out, code = run("FAIL_ON_FINDINGS=false")
	require.Zero(t, code, out)

	write("new.json", `{"integration:slack": 5}`)
	commit()
	out, code = run("FAIL_ON_FINDINGS=false", "FAIL_ON=never")
	require.Equal(t, 1, code, "a mistake is a failure in any case: %s", out)
	require.Contains(t, out, "claims/new.json:1:23: ")

	for _, claims := range []string{"", "\n", "nothing/*.json", "claims/*.json\nnothing/*.json"} {
		out, code = run("CLAIMS=" + claims)
		require.Equal(t, 1, code, claims)
		require.Contains(t, out, "matches nothing", claims)
	}
	for _, findings := range []string{"", "yes", "True"} {
		out, code = run("FAIL_ON_FINDINGS=" + findings)
		require.Equal(t, 1, code, findings)
		require.Contains(t, out, "fail-on-findings is true or false", findings)
	}
	write("new.json", `{}`)
	commit()
	out, code = run("BASE=0123456789012345678901234567890123456789")
	require.Equal(t, 1, code)
	require.Contains(t, out, "fetch-depth")
}

// requireStatic requires that a program needs no other files to run.
func requireStatic(t *testing.T, file string) {
	t.Helper()
	program, err := elf.Open(file)
	require.NoError(t, err)
	defer program.Close()
	for _, p := range program.Progs {
		require.NotEqual(t, elf.PT_INTERP, p.Type, "it is linked dynamically")
	}
}

// TestPreCommitHooks runs what each hook runs.
func TestPreCommitHooks(t *testing.T) {
	var hooks []struct {
		ID, Name, Description, Entry, Language, Files string
		Types                                         []string
		RequireSerial                                 bool `yaml:"require_serial"`
	}
	readYAML(t, root+".pre-commit-hooks.yaml", &hooks)
	require.Len(t, hooks, 3)
	checkout, err := filepath.Abs(root)
	require.NoError(t, err)
	inDirectory(t)
	for _, h := range hooks {
		require.Equal(t, "script", h.Language)
		require.True(t, h.RequireSerial)
	}
	hook := func(id, arguments string) (string, int) {
		for _, h := range hooks {
			if h.ID == id {
				return bash(t, ".", checkout+"/"+h.Entry+" "+arguments)
			}
		}
		require.Fail(t, "there is no such hook", id)
		return "", 0
	}
	out, code := hook("connectperms-lint", "slips.json")
	require.Equal(t, 2, code, out)
	require.Contains(t, out, "slips.json:3:3: ")
	require.NoError(t, os.WriteFile("untidy.json", []byte(untidy), 0o600))
	out, code = hook("connectperms-fmt", "untidy.json admin.json")
	require.Zero(t, code, out)
	requireFile(t, "untidy.json", "{\n  \"integration:*\": [\"proxy-api\", \"events\"]\n}\n")
	out, code = hook("connectperms-test", "tests.yaml")
	require.Zero(t, code, out)
}
