package cli_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// commandLines returns the command lines of testdata/commands.txt by their commands. INPUT in them is the name of
// a file with an input.
func commandLines(t *testing.T) map[string][][]string {
	t.Helper()
	data, err := os.ReadFile("testdata/commands.txt")
	require.NoError(t, err)
	byName := map[string][][]string{}
	for line := range strings.Lines(string(data)) {
		args := strings.Fields(strings.ReplaceAll(line, "PROJECT", project))
		byName[args[0]] = append(byName[args[0]], args)
	}
	return byName
}

// A secretInput is an input with a secret in it.
type secretInput struct{ name, text, secret string }

// secretInputs returns inputs in which a secret is where it belongs, and where it does not.
func secretInputs(t *testing.T) (list []secretInput) {
	claim, err := os.ReadFile("testdata/files/claim.json")
	require.NoError(t, err)
	good := token(t, string(claim), time.Minute)
	parts := strings.Split(good, ".")
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	require.NoError(t, err)
	add := func(name, format string, secret string) {
		list = append(list, secretInput{name, strings.ReplaceAll(format, "SECRET", secret), secret})
	}
	add("a token", "SECRET\n", good)
	add("a token that expired", "SECRET\n", token(t, string(claim), 30*time.Hour))
	add("a header", "Authorization: Bearer SECRET\n", good)
	add("a cookie", "Cookie: a=b; t=s%3ASECRET; c=d", good)
	add("a curl command", "curl -H 'Authorization: Bearer SECRET' https://example.com/", good)
	add("a URL", "https://example.com/?userToken=SECRET&x=y", good)
	add("in a path",
		"curl https://x.example/SECRET -H 'X-Paragon-Credential: SECRET' -H 'Authorization: Bearer SECRET'", good)
	add("two tokens", "SECRET "+token(t, "", time.Minute), good)
	add("without a signature", "SECRET", parts[0]+"."+parts[1])
	add("with an empty signature", "SECRET.", parts[0]+"."+parts[1])
	add("a signature that is cut", "SECRET", good[:len(good)-20])
	add("another byte in the signature", "SECRET", good[:len(good)-20]+"AAAA"+good[len(good)-16:])
	add("five parts", "SECRET", good+".a.b")
	add("four parts", "SECRET", good+"."+parts[2])
	add("padding", "SECRET==", good)
	add("with line breaks", "SECRET", good[:70]+"\n"+good[70:200]+"\n"+good[200:])
	add("with a character that is not base64", "SECRET", strings.Replace(good, ".", "!.", 1))
	add("in quotation marks", `"SECRET"`, good)
	add("as a name in a claim", `{"integration:SECRET": true, "integration:*": ["events"], "integration:jira": {}}`, good)
	add("as a scope", `{"SECRET": true}`, good)
	add("as a permission", `{"integration:*": ["SECRET"]}`, good)
	add("as a repeated name", `{"integration:SECRET": true, "integration:SECRET": true}`, good)
	add("as an external ID", `{"credential:ext:SECRET": {"credential:*": true}}`, good)
	add("as a claim", `"SECRET`, good)
	add("in a list", `["SECRET"]`, good)
	add("in another claim", `{"sub": "ann", "exp": 1, "session": "SECRET"}`, good)
	add("as a type", `{"sub": 5, "SECRET": {}}`, good)
	add("as the permissions claim", `{"sub": "ann", "urn:useparagon:connect:permissions": "SECRET"}`, good)
	add("in a decision table", "- name: x\n  SECRET: y\n", good)
	add("as the claim of a decision table",
		"- claim: SECRET\n  queries: [{action: events, target: {}, allowed: true}]\n", good)
	add("as an action of a decision table",
		"- claim: {}\n  queries: [{action: SECRET, target: {}, allowed: true}]\n", good)
	add("in YAML that is wrong", "- [SECRET\n- : SECRET\n  x", good)
	add("a tag of YAML", "- !SECRET x\n", good)
	add("a private key", "SECRET", string(privatePEM(t)))
	add("a private key in one line", "SECRET", strings.ReplaceAll(string(privatePEM(t)), "\n", `\n`))
	add("a private key that is cut", "SECRET", string(privatePEM(t))[:600])
	add("the base64 of a private key", "SECRET", base64.StdEncoding.EncodeToString(privatePEM(t)))
	for _, alg := range []string{"none", "HS256", "ES256"} {
		changed := bytes.Replace(header, []byte("RS256"), []byte(alg), 1)
		add("the algorithm "+alg, "SECRET", base64.RawURLEncoding.EncodeToString(changed)+"."+parts[1]+"."+parts[2])
	}
	for _, payload := range []string{
		`{"sub":"ann","exp":"soon"}`, `{"sub":["ann"]}`, `{"sub":"ann","sub":"ben"}`, `[]`, `{`, "\xff",
		`{"sub":"ann","exp":1e400}`, `{"sub":"ann","urn:useparagon:connect:permissions":null}`,
		`{"sub":"ann","urn:useparagon:connect:permissions":{"integration:*":["evnts"]}}`,
		`{"sub":"ann","urn-useparagon-connect-permissions":{}}`,
	} {
		add("the payload "+payload, "SECRET", signed(t, string(header), payload))
	}
	return list
}

// TestNothingSecretIsPrinted runs every command with inputs that have a secret in them: in files, on standard
// input, in the environment and as arguments. No part of the secret may be in what it prints.
func TestNothingSecretIsPrinted(t *testing.T) {
	inputs, lines := secretInputs(t), commandLines(t)
	inDirectory(t)
	require.NoError(t, os.WriteFile("bad.pem", privatePEM(t), 0o600))
	const table = "- file: INPUT\n  visible: [{target: {}, visible: true}]\n"
	require.NoError(t, os.WriteFile("table.yaml", []byte(table), 0o600))
	for _, name := range commands(t) {
		require.NotEmpty(t, lines[name], name)
		t.Run(name, func(t *testing.T) {
			for _, in := range inputs {
				require.NoError(t, os.WriteFile("INPUT", []byte(in.text), 0o600))
				for _, args := range lines[name] {
					requireQuiet(t, in, &run{args: args, stdin: strings.NewReader(in.text)})
					requireQuiet(t, in, &run{args: args, env: map[string]string{"CONNECTPERMS_TOKEN": in.text}})
					key := map[string]string{"PARAGON_PUBLIC_KEY": in.text, "PARAGON_PROJECT_ID": project}
					requireQuiet(t, in, &run{args: args, env: key})
				}
				args := lines[name][0]
				requireQuiet(t, in, &run{args: append(args[:len(args):len(args)], in.text)})
				requireQuiet(t, in, &run{args: []string{name, "--" + in.text}})
				requireQuiet(t, in, &run{args: []string{name, "-o", in.text}})
				requireQuiet(t, in, &run{args: []string{in.text, name}})
			}
		})
	}
}

func requireQuiet(t *testing.T, in secretInput, r *run) {
	t.Helper()
	r.do()
	all := r.all()
	if strings.HasPrefix(in.name, "as a") && r.code != 1 && isForPrograms(r.args) {
		all = r.err.String() // a claim that has a secret as a name is a claim with that name
	}
	for _, secret := range parts(in.secret) {
		if strings.Contains(all, secret) {
			require.Fail(t, "a part of a secret is printed", "%s: %q prints %q", in.name, r.args, all)
		}
	}
}

// parts returns parts of a secret, of 20 bytes each.
func parts(secret string) (list []string) {
	const part, step = 20, 10
	secret = strings.ReplaceAll(secret, "-----BEGIN PRIVATE KEY-----", "")
	for i := 0; i+part <= len(secret); i += step {
		list = append(list, secret[i:i+part])
	}
	return list
}

// TestWhatIsPrintedOfSecrets holds the exceptions: sign prints a token, and keygen a key.
func TestWhatIsPrintedOfSecrets(t *testing.T) {
	inDirectory(t)
	const sign = "sign --key key --project my-project --subject ann --claim claim.json"
	r := (&run{args: strings.Fields(sign)}).do()
	require.Zero(t, r.code)
	require.Empty(t, r.err.String())
	require.Equal(t, 2, strings.Count(r.out.String(), "."))
	r = (&run{args: []string{"keygen", "-"}}).do()
	require.Zero(t, r.code)
	require.Contains(t, r.out.String(), "PRIVATE KEY")
	r = (&run{args: []string{"keygen", "-"}, terminal: true}).do()
	require.Equal(t, 1, r.code)
	require.NotContains(t, r.all(), "PRIVATE KEY")
}

// A brokenPipe is a pipe whose reader is gone.
func brokenPipe(t *testing.T) io.Writer {
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	t.Cleanup(func() { _ = writer.Close() })
	return writer
}

// isForPrograms reports whether the output is a claim or is about one, and for programs. sign puts it into a token.
func isForPrograms(args []string) bool {
	return args[0] == "fmt" || args[0] == "narrow" || args[0] == "sign" || slices.Contains(args, "-o")
}
