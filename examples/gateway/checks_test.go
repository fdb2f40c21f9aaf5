package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An edit of a file takes a check out. The text must be there once.
type edit struct{ file, text, instead string }

// codeEdits put a switch before each check of package forwardauth, see testdata/takenout.go.txt.
var codeEdits = []edit{
	{"dialect.go", "	own := dialects[d]\n",
		"	if a, ok := guess(r, d); ok && out(\"the dialect is configured\") {\n		return a, nil\n	}\n	own := dialects[d]\n"},
	{"table.go", "slices.SortStableFunc(t, ", "sortUnless(t, "},
	{"table.go", `segments[last] == "" && last > 0`,
		`segments[last] == "" && last > 0 && !out("a slash at the end leads to no other route")`},
	{"table.go", "if r.reaches(other) &&", `if !out("a tail leads to no other route") && r.reaches(other) &&`},
	{"path.go", `if s == "" && i < len(segments)-1 &&`,
		`if s == "" && !out("is empty") && i < len(segments)-1 &&`},
	{"path.go", `if path == "" || path[0] != '/' {`,
		`if (path == "" || path[0] != '/') && out("begins with a slash") {
			return strings.Split(path, "/"), nil
		}
		if path == "" || path[0] != '/' {`},
	{"query.go", "if isOverride(name) {", `if isOverride(name) && !out("the query overrides the method") {`},
	{"route.go", "case len(values) > 1:", `case len(values) > 1 && !out("a header names one thing"):`},
	{"route.go", `case strings.Contains(values[0], ","):`,
		`case strings.Contains(values[0], ",") && !out("a header names one thing"):`},
	{"lookup.go", "case errors.Is(err, ErrNotFound):",
		`case errors.Is(err, ErrNotFound) && !out("a look-up that fails is a no"):`},
	{"lookup.go", "case err != nil:", `case err != nil && !out("a look-up that fails is a no"):`},
	{"lookup.go", "case !completes(found, asked):",
		`case !out("a look-up finds what was asked about") && !completes(found, asked):`},
	{"lookup.go", "	key := memoryKey{sha256.Sum256([]byte(token)), asked}\n",
		`	key := memoryKey{sha256.Sum256([]byte(token)), asked}
	if out("a look-up is remembered for a token") {
		key.token = [sha256.Size]byte{}
	}
	if out("a look-up is remembered for a target") {
		key.asked = permissions.Target{}
	}
`},
	{"forwardauth.go", "h.routes.route(v.asked); err != nil {",
		`h.routes.route(v.asked); errors.Is(err, ErrNoRoute) && out("a route is needed") {
		return nil
	}
	if err != nil {`},
	{"forwardauth.go", `BearerToken(r.Header["Authorization"]...)`,
		`BearerToken(firstIf(out("there is one token"), r.Header["Authorization"])...)`},
	{"forwardauth.go", "r.Header[\"Authorization\"])...)\n	if err != nil {\n",
		`r.Header["Authorization"])...)
	if err != nil {
		if out("a token is needed") {
			return nil
		}
`},
	{"forwardauth.go", "	claims, err := h.verifier.VerifyContext(ctx, token)\n	if err != nil {\n",
		`	claims, err := h.verifier.VerifyContext(ctx, token)
	if err != nil {
		if out("a token that is not verified is a no") {
			return nil
		}
`},
	{"forwardauth.go", "	err = policy.Check(v.route.Permission, target)\n",
		`	if err = policy.Check(v.route.Permission, target); out("the policy is asked") {
		return nil
	}
`},
	{"forwardauth.go", "return policy.Check(v.route.Permission, complete)",
		`if out("what was found is asked about") {
		return nil
	}
	return policy.Check(v.route.Permission, complete)`},
	{"forwardauth.go", "err = fmt.Errorf(\"forwardauth: %w of type %T\", errPanic, p)",
		`err = fmt.Errorf("forwardauth: %w of type %T", errPanic, p)
			if out("a panic is a no") {
				err = nil
			}`},
	{"forwardauth.go", "if err = ended(ctx); err != nil {",
		`if err = ended(ctx); err != nil && !out("a late yes is a no") {`},
	{"forwardauth.go", "if h == nil || h.verifier == nil || !h.dialect.isValid() {",
		`if h.verifier == nil && out("a zero Handler is a no") {
		return nil
	}
	if h == nil || h.verifier == nil || !h.dialect.isValid() {`},
	{"forwardauth.go", "v.status = dialects[h.dialect].yes", "v.status = max(dialects[h.dialect].yes, 204)"},
	{"forwardauth.go", "if c := subject[i]; isUnreserved(c)",
		`if c := subject[i]; out("a subject is escaped") || isUnreserved(c)`},
	{"forwardauth.go", "	if b.Len() > MaxSubject {\n",
		"	if b.Len() > MaxSubject && !out(\"a long subject is a digest\") {\n"},
}

// withSwitches returns a file of package forwardauth with the switches in it. Each problem of path.go is the name
// of its check.
func withSwitches(file, text string) (string, []string, error) {
	for _, e := range codeEdits {
		if e.file == file {
			if strings.Count(text, e.text) != 1 {
				return "", nil, fmt.Errorf("%s does not have %q once", file, e.text)
			}
			text = strings.Replace(text, e.text, e.instead, 1)
		}
	}
	if file == "path.go" {
		text = regexp.MustCompile(`return ("[^"\n]+")`).ReplaceAllString(text,
			"if p := keep($1); p != \"\" {\n return p\n}")
		text = regexp.MustCompile(`problem = (\w+, )?("[^"\n]+")`).ReplaceAllString(text, "problem = ${1}keep($2)")
	}
	var names []string
	for _, match := range regexp.MustCompile(`(?:out|keep)\("([^"\n]+)"\)`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, match[1]) {
			names = append(names, match[1])
		}
	}
	return text, names, nil
}

// configurationEdits take a protecting line out of a configuration. Some take out two that do the same.
var configurationEdits = map[string]map[string][]edit{
	"nginx": {
		"only headers of the list pass": {{"nginx.conf", "proxy_pass_request_headers off;", ""}},
		"headers with an underscore are dropped": {
			{"nginx.conf", "proxy_pass_request_headers off;", ""},
			{"nginx.conf", "underscores_in_headers off;", "underscores_in_headers on;"},
		},
		"the gateway says who the client is": {
			{"nginx.conf", "proxy_pass_request_headers off;", ""},
			{"nginx.conf", "            proxy_set_header X-Auth-Subject $auth_subject;", "            #"},
			{"nginx.conf", "proxy_set_header X-Forwarded-For $remote_addr;", ""},
			{"nginx.conf", "proxy_set_header X-Forwarded-Proto $scheme;", ""},
			{"nginx.conf", "proxy_set_header X-Forwarded-Host $host;", ""},
		},
		"only a websocket upgrades": {
			{"nginx.conf", "        default \"\";\n        \"~*^websocket$\" websocket;", "        default $http_upgrade;"},
		},
		"the gateway describes the request": {
			{"nginx.conf", "proxy_set_header X-Original-Method $request_method;", ""},
			{"nginx.conf", "proxy_set_header X-Original-URI $request_uri;", ""},
		},
		"the decision is asked for": {
			{"nginx.conf", "auth_request /_decision;", ""},
			{"nginx.conf", "                return 204;\n", ""},
		},
	},
	"caddy": {
		"only headers of the list pass": {{"Caddyfile", "		request_header -**\n", ""}},
		"the gateway says who the client is": {
			{"Caddyfile", "		request_header -**\n", ""},
			{"Caddyfile", "		request_header -X-Auth-*\n", ""},
			{"Caddyfile", "			copy_headers X-Auth-Subject\n", ""},
		},
		"only a websocket upgrades": {
			{"Caddyfile", "		request_header @plain -Upgrade\n", ""},
			{"Caddyfile", "		request_header @plain -Connection\n", ""},
		},
		"the decision is asked for": {
			{"Caddyfile", "		respond @preflight 204\n", ""},
			{"Caddyfile", "		forward_auth 127.0.0.1:9001 {", "		reverse_proxy /nowhere 127.0.0.1:9001 {"},
			{"Caddyfile", "			uri /\n", ""},
			{"Caddyfile", "			copy_headers X-Auth-Subject\n", ""},
		},
	},
	"haproxy": {
		"only headers of the list pass": {{"haproxy.lua", "txn.http:req_del_header(name)", ""}},
		"a header is there once":        {{"haproxy.lua", "txn.http:req_set_header(name, ", "local _ = (name .. "}},
		"the gateway says who the client is": {
			{"haproxy.lua", "txn.http:req_del_header(name)", ""},
			{"haproxy.cfg", "http-request set-header X-Auth-Subject %[var(txn.subject)]", ""},
			{"haproxy.cfg", "http-request set-header X-Forwarded-For %[src]", ""},
			{"haproxy.cfg", "http-request set-header X-Forwarded-Proto http", ""},
			{"haproxy.cfg", "http-request set-header X-Forwarded-Host %[req.fhdr(Host)]", ""},
		},
		"only a websocket upgrades": {
			{"haproxy.cfg", "http-request del-header Connection unless websocket one_upgrade", ""},
			{"haproxy.cfg", "http-request set-header Upgrade websocket if websocket one_upgrade", ""},
			{"haproxy.cfg", "http-request del-header Upgrade unless websocket one_upgrade", ""},
		},
		"only 204 is a yes": {{"haproxy.lua", "if answer and answer.status == 204 then", "if answer then"}},
		"the decision is asked for": {
			{"haproxy.cfg", "http-request lua.decide http://127.0.0.1:9001/", ""},
			{"haproxy.cfg", "http-request deny deny_status 503 unless { var(txn.decision) -m str yes }", ""},
			{"haproxy.cfg", "if preflight from_page asks_method", "if FALSE"},
		},
	},
}

// edited returns a gateway with edits in its files.
func edited(t *testing.T, g gateway, edits []edit) gateway {
	right := g.args
	g.args = func(dir string) []string {
		for _, e := range edits {
			path := filepath.Join(dir, e.file)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			// The addresses have been replaced by now.
			before, after, found := strings.Cut(e.text, "127.0.0.1:9001")
			at := strings.Index(string(text), before)
			require.GreaterOrEqual(t, at, 0, e.text)
			require.Equal(t, 1, strings.Count(string(text), before), e.text)
			end := at + len(before)
			if found {
				end += strings.Index(string(text[end:]), after) + len(after)
			}
			changed := string(text[:at]) + e.instead + string(text[end:])
			require.NoError(t, os.WriteFile(path, []byte(changed), 0o600))
		}
		return right(dir)
	}
	return g
}

// theProgram stops what no check of ours has to stop: the gateway refuses it, or it has no effect there.
const theProgram = "the program itself"

// TestEachCheckIsNeeded takes each check out, of package forwardauth and of the configurations, and sees the attacks
// get through that it stops. The files testdata/stopped-*.txt say which. After a change, UPDATE=1 writes them anew.
//
// The checks of the package are taken out of a copy: the test compiles itself once more, with switches in the files
// of the package.
func TestEachCheckIsNeeded(t *testing.T) {
	dir := t.TempDir()
	overlay := map[string]string{}
	var names []string
	list, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/connectperms/permissions/forwardauth").Output()
	require.NoError(t, err)
	folder := strings.TrimSpace(string(list))
	add := func(name, text string) {
		file := filepath.Join(dir, name)
		overlay[filepath.Join(folder, name)] = file
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	for _, file := range []string{"dialect.go", "table.go", "path.go", "query.go", "route.go", "lookup.go",
		"forwardauth.go"} {
		text, err := os.ReadFile(filepath.Join(folder, file))
		require.NoError(t, err)
		changed, found, err := withSwitches(file, string(text))
		require.NoError(t, err)
		add(file, changed)
		names = append(names, found...)
	}
	text, err := os.ReadFile("testdata/takenout.go.txt")
	require.NoError(t, err)
	add("takenout.go", string(text))
	names = append(names, "the most specific route decides")

	replacements, err := json.Marshal(map[string]any{"Replace": overlay})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), replacements, 0o600))
	binary := filepath.Join(dir, "takenout.test")
	output, err := exec.Command("go", "test", "-c", "-vet=off", "-tags", "takenout", "-overlay",
		filepath.Join(dir, "overlay.json"), "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", output)
	for _, g := range gateways {
		t.Run(g.program, func(t *testing.T) {
			t.Parallel()
			inner := exec.CommandContext(t.Context(), binary, "-test.run=^TestTakenOut$", "-test.count=1")
			inner.Env = append(os.Environ(), "GATEWAY="+g.program, "CHECKS="+strings.Join(names, "|"))
			output, err := inner.CombinedOutput()
			require.NoError(t, err, "%s", output)
			require.Contains(t, string(output), "PASS\n")
		})
	}
	if os.Getenv("UPDATE") != "" {
		return
	}

	// Of each class at least eight attacks need one of our checks, and each check that is taken out lets one through.
	needed := map[string]map[string]bool{}
	unused := map[string]bool{}
	for _, name := range names {
		unused[name] = true
	}
	for _, g := range gateways {
		text, err := os.ReadFile("testdata/stopped-" + g.program + ".txt")
		require.NoError(t, err)
		for check := range configurationEdits[g.program] {
			require.Contains(t, string(text), check+"\t", g.program)
		}
		for line := range strings.Lines(string(text)) {
			check, name, _ := strings.Cut(line, "\t")
			class, _, _ := strings.Cut(name, ":")
			if needed[class] == nil {
				needed[class] = map[string]bool{}
			}
			if check != theProgram {
				needed[class][name] = true
			}
			for _, name := range strings.Split(check, " + ") {
				delete(unused, name)
			}
		}
	}
	for class, names := range needed {
		require.GreaterOrEqual(t, len(names), 8, class)
	}
	require.Len(t, needed, 12)

	// No attack here needs one of these four alone. Tests of the package cover them.
	require.Equal(t, map[string]bool{"has a % that is not an escape": true, "has a character that is not assigned": true,
		"has nothing but invisible characters": true, "is escaped too often": true}, unused)
}
