package cli_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// forged is a line of output that only an unescaped line break can make.
const forged = "forged: yes"

// hostile has texts that would change what a terminal shows. Each is put where a name in a token, a claim or a
// request can be. Names with control characters are refused there, and the refusal is printed.
var hostile = map[string]string{
	"control characters": "a'\x1b[2J\x1b]0;owned\ab\x7f\u009b31m\b\v\f\x00",
	"in need of quotes":  "a\"\\\x1b[31mb\u202ec",
	"line breaks":        "a\r\n" + forged + "\nb",
	"line separators":    "a\u2028" + forged + "\u2029b\u0085c",
	"directions":         "a\u202egnp.exe\u202c\u2066b\u2069\u061c\u200f",
	"in need of escapes": "a\"\\\u202eb\u200bc\u2060\ufeff" + strings.Repeat("é", 60),
}

// A person runs the command that inspect prints for a request. What the request holds must not run with it.
func TestCommandForARequestIsSafeToRun(t *testing.T) {
	good := token(t, `{"integration:slack":true}`, time.Minute)
	for _, c := range []struct{ name, credential, want string }{
		{"plain", "finance", "finance"},
		{"in need of quotes", "x $(touch${IFS}ran);`touch${IFS}ran`&\\", "x $(touch${IFS}ran);`touch${IFS}ran`&\\"},
		{"invisible, so there is no command", "fin\u200b$(touch${IFS}ran)", ""},
		{"long, so there is no command", strings.Repeat("$(touch${IFS}ran)", 20), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			request := "POST /sdk/proxy/slack/chat HTTP/1.1\r\nX-Paragon-Credential: " + c.credential +
				"\r\nAuthorization: Bearer " + good + "\r\n\r\n"
			r := (&run{args: []string{"inspect", "-o", "json"}, stdin: strings.NewReader(request)}).do()
			require.NotContains(t, r.all(), "panic")
			var inspected struct{ Request struct{ Command string } }
			require.NoError(t, json.Unmarshal(r.out.Bytes(), &inspected))
			command := inspected.Request.Command
			if c.want == "" {
				require.Empty(t, command, r.all())
				return
			}
			directory := t.TempDir()
			shell := exec.Command("sh", "-c", `connectperms() { for last; do :; done; printf %s "$last"; }; `+command)
			shell.Dir = directory
			out, err := shell.Output()
			require.NoError(t, err)
			require.Equal(t, c.want, string(out), command)
			files, err := os.ReadDir(directory)
			require.NoError(t, err)
			require.Empty(t, files, command)
		})
	}
}

// hostileInputs returns inputs that have a text in each place where one can be.
func hostileInputs(t *testing.T, name string) map[string]string {
	t.Helper()
	quoted, err := json.Marshal(name)
	require.NoError(t, err)
	q := string(quoted)
	inner := strings.Trim(q, `"`)
	file := `"` + inner + `.bad"`
	raw := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(name) + `"` // controls as they are
	claim := fmt.Sprintf(`{"integration:%[1]s":["events"],"integration:*":["proxy-api"],"integration:slack":`+
		`{"credential:ext:%[1]s":{"configuration:ext:%[1]s":true},"credential:*":["proxy-api"]},"integration:x":{}}`, inner)
	claimText, err := json.Marshal(claim)
	require.NoError(t, err)
	inHeader := strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, name)
	path := url.PathEscape(name)
	header := `{"alg":` + q + `,"typ":` + q + `,"kid":` + q + `,` + q + `:1}`
	payload := func(claim string) string {
		return `{"sub":` + q + `,"aud":[` + q + `],"iss":` + q + `,"jti":` + q + `,` + q + `:1,"exp":1764100000,"` +
			permissions.ClaimName + `":` + claim + `}`
	}
	const ask = "queries: [{action: events, target: {}, allowed: true}]"
	good := token(t, `{"integration:slack":true}`, time.Minute)
	return map[string]string{
		"a claim":              claim,
		"a claim as a string":  string(claimText),
		"a payload":            payload(claim),
		"a token":              signed(t, header, payload(claim)),
		"a good token":         good,
		"a token and more":     name + "\nAuthorization: Bearer " + good,
		"a path":               "curl 'https://x.example/sdk/proxy/" + path + "/a' -H 'Authorization: Bearer " + good + "'",
		"a credential's path":  "curl -X POST https://x/sdk/credentials/" + path + "/complete-setup -d " + good,
		"a request's header":   "curl https://x.example/sdk/proxy/a -H 'X-Paragon-Credential: " + inHeader + "' -d " + good,
		"a method":             "curl -X " + path + " https://x.example/sdk/me -H 'Authorization: Bearer " + good + "'",
		"a permission":         `{"integration:*":[` + q + `]}`,
		"a permission in data": payload(`{"integration:*":[` + q + `]}`),
		"a scope":              `{` + q + `:true}`,
		"a scope in a token":   signed(t, header, payload(`{`+q+`:true}`)),
		"a repeated scope":     `{"integration:` + inner + `":true,"integration:` + inner + `":true}`,
		"a type":               `{"sub":{` + q + `:1},"aud":{` + q + `:` + q + `},` + q + `:2}`,
		"raw JSON":             `{` + raw + `:true}`,
		"broken JSON":          `{` + raw + `:tru` + name,
		"no JSON":              name,
		"not UTF-8":            "\x9b31m" + name + "\xff",
		"in YAML, a case":      "- name: " + q + "\n  claim: " + claim + "\n  " + ask + "\n",
		"in YAML, names": "- name: " + q + "\n  claim: " + claim + "\n  queries:\n  - {name: " + q +
			", action: events, target: {integration: " + q + "}, allowed: false, rule: [" + q + "]}\n",
		"in YAML, a target": "- claim: " + claim + "\n  queries:\n  - {action: events, target: {integration: " + q +
			"}, allowed: false}\n  visible:\n  - {target: {integration: " + q + ", credential: {externalId: " + q +
			"}}, visible: false}\n",
		"in YAML, an action": "- claim: {}\n  queries:\n  - {action: " + q + ", target: {" + q + ": 1}, allowed: true}\n",
		"in YAML, a member":  "- " + q + ": 1\n",
		"in YAML, a file":    "- {file: " + file + ", " + ask + "}\n- {file: " + file + ", error: scope}\n",
		"in YAML, an error":  "- claim: {" + q + ": true}\n  error: scope\n  pointer: " + q + "\n",
		"in YAML, a mistake": "- claim: {" + q + ": true}\n  " + ask + "\n",
		"in YAML, targets": "- integration: " + q + "\n- integration: slack\n  credential: {externalId: " + q + "}\n" +
			"  configuration: {externalId: " + q + "}\n",
		"in YAML, a wrong target": "- " + q + ": 1\n",
		"in YAML, a tag":          "- !" + name + " x\n",
		"in YAML, an anchor":      "- *" + name + "\n",
		"keys":                    `{"keys":[{"kty":` + q + `,"kid":` + q + `}]}`,
		"a key":                   "-----BEGIN " + name + "-----\n" + base64.StdEncoding.EncodeToString([]byte(name)) + "\n",
	}
}

// TestHostileText runs every command with text that a terminal obeys or that a reader does not see: in files, on
// standard input, in the environment, as arguments, and as the names of files. No such text is printed as it is.
func TestHostileText(t *testing.T) {
	lines := commandLines(t)
	inDirectory(t)
	require.NoError(t, os.WriteFile("bad.pem", privatePEM(t), 0o600))
	const table = "- file: INPUT\n  visible: [{target: {}, visible: true}]\n"
	require.NoError(t, os.WriteFile("table.yaml", []byte(table), 0o600))
	for kind, name := range hostile {
		t.Run(kind, func(t *testing.T) {
			inputs := hostileInputs(t, name)
			for _, command := range commands(t) {
				for suffix, content := range map[string]string{
					".json": `{"integration:x":{}}`, ".bad": inputs["a permission"], ".txt": inputs["a good token"],
				} {
					if !strings.Contains(name, "\x00") {
						require.NoError(t, os.WriteFile(name+suffix, []byte(content), 0o600))
					}
				}
				for place, input := range inputs {
					if strings.HasPrefix(place, "in YAML, ") && command != "test" && command != "matrix" {
						continue
					}
					require.NoError(t, os.WriteFile("INPUT", []byte(input), 0o600))
					for _, args := range lines[command] {
						if slices.Contains(args, "-w") {
							continue // it prints nothing else, and waits for the disk
						}
						requireHarmless(t, place, &run{args: args, stdin: strings.NewReader(input), terminal: true})
						if kind == "in need of escapes" {
							requireHarmless(t, place, &run{args: args, stdin: strings.NewReader(input)})
						}
					}
					variable := map[string]string{"CONNECTPERMS_TOKEN": input}
					requireHarmless(t, place, &run{args: lines[command][0], env: variable, terminal: true})
				}
				for _, args := range hostileArguments(command, name, lines[command]) {
					stdin := strings.NewReader(inputs["a claim"])
					requireHarmless(t, "an argument", &run{args: args, stdin: stdin, terminal: true})
				}
			}
		})
	}
}

// hostileArguments returns command lines that have a text in each place where one can be.
func hostileArguments(command, name string, lines [][]string) (all [][]string) {
	first := lines[0]
	all = [][]string{
		append(first[:len(first):len(first)], name), {command, "--" + name}, {command, "-o", name}, {name, command},
		{command, name, "--help"},
	}
	for _, args := range lines {
		for i, arg := range args[1:] {
			changed := slices.Clone(args)
			changed[i+1] = name
			all = append(all, changed)
			if arg == "INPUT" { // these files are there
				for _, suffix := range []string{".json", ".txt"} {
					changed := slices.Clone(args)
					changed[i+1] = name + suffix
					all = append(all, changed)
				}
			}
		}
	}
	switch command {
	case "check", "explain", "permissions":
		ask := []string{command}
		if command != "permissions" {
			ask = append(ask, "proxy-api")
		}
		for _, flags := range [][]string{
			{"--integration", name}, {"--integration", "slack", "--credential", name},
			{"--integration", "slack", "--credential-external-id", name, "--configuration-external-id", name},
			{"--integration", "slack", "--credential-id", name}, {"--target", name},
			{"--target", `{"integration":` + strconv.Quote(name) + `}`}, {"--extra-permission", name},
		} {
			all = append(all, append(ask[:len(ask):len(ask)], flags...))
		}
		all = append(all, []string{command, name, "--extra-permission", name})
	case "matrix", "lint":
		all = append(all, []string{command, "--extra-permission", name}, []string{command, "--known-integration", name})
	case "sign":
		sign := strings.Fields("sign --key bad.pem --claim claim.json --project PROJECT --subject ann")
		for _, flag := range []string{"project", "subject", "audience", "issuer", "key-id", "at", "type", "own-claims"} {
			all = append(all, append(sign[:len(sign):len(sign)], "--"+flag, name))
		}
	}
	return all
}

// requireHarmless runs a command, in a terminal without colours.
func requireHarmless(t *testing.T, place string, r *run) {
	t.Helper()
	env := map[string]string{"NO_COLOR": "1"}
	maps.Copy(env, r.env)
	r.env = env
	all := r.do().all()
	if !r.terminal && (r.args[0] == "fmt" || r.args[0] == "narrow" || r.args[0] == "size") {
		all = r.err.String() // a claim is printed as it is
	}
	if problem := harmful(all); problem != "" {
		require.Fail(t, "hostile text is printed", "%s: %q prints %s in %q", place, r.args, problem, all)
	}
}

// harmful returns what a terminal would obey in a text, or a reader would not see.
func harmful(s string) string {
	if !utf8.ValidString(s) {
		return "what is not UTF-8"
	}
	for _, r := range s {
		if r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
			return fmt.Sprintf("%U", r)
		}
	}
	for line := range strings.Lines(s) {
		if strings.HasPrefix(strings.TrimSpace(line), forged) {
			return "a forged line"
		}
	}
	return ""
}
