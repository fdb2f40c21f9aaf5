package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// An edit of a file takes a check out. The text must be there once.
type edit struct{ file, text, instead string }

// codeEdits put a switch before each check of package forwardauth, and of what it checks tokens with. See
// testdata/takenout.
var codeEdits = []edit{
	{"forwardauth/dialect.go", "	own := dialects[d]\n",
		"	if a, ok := guess(r, d); ok && out(\"the dialect is configured\") {\n		return a, nil\n	}\n	own := dialects[d]\n"},
	{"forwardauth/table.go", "slices.SortStableFunc(t, ", "sortUnless(t, "},
	{"forwardauth/table.go", `segments[last] == ""`,
		`segments[last] == "" && !out("a slash at the end leads to no other route")`},
	{"forwardauth/table.go", "if r.tailMayMatch(other) &&",
		`if !out("a tail leads to no other route") && r.tailMayMatch(other) &&`},
	{"forwardauth/path.go", `if s == "" && i < len(segments)-1 &&`,
		`if s == "" && !out("is empty") && i < len(segments)-1 &&`},
	{"forwardauth/path.go", `if path == "" || path[0] != '/' {`,
		`if (path == "" || path[0] != '/') && out("begins with a slash") {
			return strings.Split(path, "/"), nil
		}
		if path == "" || path[0] != '/' {`},
	{"forwardauth/query.go", "if isOverride(name) {", `if isOverride(name) && !out("the query overrides the method") {`},
	{"forwardauth/route.go", "case len(values) > 1:", `case len(values) > 1 && !out("a header names one thing"):`},
	{"forwardauth/route.go", `case strings.Contains(values[0], ","):`,
		`case strings.Contains(values[0], ",") && !out("a header names one thing"):`},
	{"forwardauth/lookup.go", "case errors.Is(err, ErrNotFound):",
		`case errors.Is(err, ErrNotFound) && !out("a look-up that fails is a no"):`},
	{"forwardauth/lookup.go", "case err != nil:", `case err != nil && !out("a look-up that fails is a no"):`},
	{"forwardauth/lookup.go", "case !completes(found, asked):",
		`case !out("a look-up finds what was asked about") && !completes(found, asked):`},
	{"forwardauth/lookup.go", "	key := cacheKey{sha256.Sum256([]byte(token)), asked}\n",
		`	key := cacheKey{sha256.Sum256([]byte(token)), asked}
	if out("a look-up is remembered for a token") {
		key.token = [sha256.Size]byte{}
	}
	if out("a look-up is remembered for a target") {
		key.asked = permissions.Target{}
	}
`},
	{"forwardauth/forwardauth.go", "h.routes.route(a.request); err != nil {",
		`h.routes.route(a.request); errors.Is(err, ErrNoRoute) && out("a route is needed") {
		return nil
	}
	if err != nil {`},
	{"forwardauth/forwardauth.go", `BearerToken(r.Header["Authorization"]...)`,
		`BearerToken(firstIf(out("there is one token"), r.Header["Authorization"])...)`},
	{"forwardauth/forwardauth.go", "r.Header[\"Authorization\"])...)\n	if err != nil {\n",
		`r.Header["Authorization"])...)
	if err != nil {
		if out("a token is needed") {
			return nil
		}
`},
	{"forwardauth/forwardauth.go", "	claims, err := h.verifier.VerifyContext(ctx, token)\n	if err != nil {\n",
		`	claims, err := h.verifier.VerifyContext(ctx, token)
	if err != nil {
		if out("a token that is not verified is a no") {
			return nil
		}
`},
	{"forwardauth/forwardauth.go", "	err = policy.Check(a.route.Permission, target)\n",
		`	if err = policy.Check(a.route.Permission, target); out("the policy is asked") {
		return nil
	}
`},
	{"forwardauth/forwardauth.go", "return policy.Check(a.route.Permission, complete)",
		`if out("what was found is asked about") {
		return nil
	}
	return policy.Check(a.route.Permission, complete)`},
	{"forwardauth/forwardauth.go", "err = fmt.Errorf(\"forwardauth: %w of type %T\", errPanic, p)",
		`err = fmt.Errorf("forwardauth: %w of type %T", errPanic, p)
			if out("a panic is a no") {
				err = nil
			}`},
	{"forwardauth/forwardauth.go", "if err = ended(ctx); err != nil {",
		`if err = ended(ctx); err != nil && !out("a late yes is a no") {`},
	{"forwardauth/forwardauth.go", "if h == nil || h.verifier == nil || !h.dialect.isValid() {",
		`if h.verifier == nil && out("a zero Handler is a no") {
		return nil
	}
	if h == nil || h.verifier == nil || !h.dialect.isValid() {`},
	{"forwardauth/forwardauth.go", "a.status = dialects[h.dialect].yes", "a.status = max(dialects[h.dialect].yes, 204)"},
	{"forwardauth/forwardauth.go", "if c := subject[i]; isUnreserved(c)",
		`if c := subject[i]; out("a subject is escaped") || isUnreserved(c)`},
	{"forwardauth/forwardauth.go", "	if b.Len() > MaxSubject {\n",
		"	if b.Len() > MaxSubject && !out(\"a long subject is a digest\") {\n"},
	{"forwardauth/lookup.go", "now.Sub(e.at) < c.keep {",
		`(now.Sub(e.at) < c.keep || out("a look-up is remembered for a while")) {`},
	{"forwardauth/lookup.go", "len(c.young) >= c.maxEntries/2 {",
		`len(c.young) >= c.maxEntries/2 && !out("the cache has a bound") {`},
	{"forwardauth/route.go", "if err == nil && !ok {", `if err == nil && !ok && !out("an integration is named") {`},
	{"forwardauth/route.go", "case values[0] == \"\":", `case values[0] == "" && !out("a header names one thing"):`},
	{"forwardauth/route.go", "case problem != \"\":", `case problem != "" && !out("the service gets the header"):`},
	{"forwardauth/route.go", "return r.method != \"\" && r.method == method ||",
		`return r.method != "" && r.method == method || out("a method is compared exactly") &&
		(strings.EqualFold(r.method, method) || coversMethod(r.method, strings.ToUpper(method))) ||`},
	{"forwardauth/table.go", "slices.Contains(anyMethod, method)",
		`(slices.Contains(anyMethod, method) || out("any method is one of seven"))`},

	{"usertoken/verifier.go", "if err := t.header.check(v.types); err != nil {",
		`if err := t.header.check(v.types); err != nil && !out("the algorithm is RS256") {`},
	{"usertoken/verifier.go", "	for _, key := range keys {\n",
		`	for _, key := range keys {
		if key == followed {
			return key, nil
		}
`},
	{"usertoken/verifier.go", "	return nil, &TokenError{\n		Kind: jwt.ErrTokenSignatureInvalid",
		`	if out("there is a signature") {
		return nil, nil
	}
	return nil, &TokenError{
		Kind: jwt.ErrTokenSignatureInvalid`},
	{"usertoken/verifier.go", "	set, err := readClaimsSet(t.payload, v.claimOptions)\n",
		`	set, err := readClaimsSet(t.payload, v.claimOptions)
	if err != nil && out("claims that cannot be read are a no") {
		return &Claims{Policy: permissions.Unrestricted()}, false, nil
	}
`},
	{"usertoken/verifier.go", "case set.registered.Subject == \"\":",
		`case set.registered.Subject == "" && !out("there is a subject"):`},
	{"usertoken/verifier.go", "case strings.ContainsRune(set.registered.Subject, utf8.RuneError):",
		`case strings.ContainsRune(set.registered.Subject, utf8.RuneError) && !out("a subject is well-formed"):`},
	{"usertoken/keysource.go", "	found, err := source(ctx, asked)\n",
		`	found, err := source(ctx, asked)
	if method := jwt.GetSigningMethod(t.header.alg); method != nil && out("the algorithm is RS256") &&
		method.Verify(t.signed, t.signature, found) == nil {
		return []*rsa.PublicKey{followed}, nil
	}
`},
	{"usertoken/keysource.go", "case refuses:", `case refuses && !out("a key source that fails is a no"):`},
	{"usertoken/keysource.go", "case err != nil:\n		return nil, fmt.Errorf(\"usertoken: %w: %w\"",
		`case err != nil && !out("a key source that fails is a no"):
		return nil, fmt.Errorf("usertoken: %w: %w"`},
	{"usertoken/keysource.go", "if found == nil || found == (*rsa.PublicKey)(nil) || len(list) == 0 {",
		`if (found == nil || found == (*rsa.PublicKey)(nil) || len(list) == 0) && !out("there is a key") {`},
	{"usertoken/keysource.go", "if len(usable) == 0 {", `if len(usable) == 0 && !out("there is a key") {`},
	{"usertoken/payload.go", "if !d.seen.Add(name) {", `if !d.seen.Add(name) && !out("a claim is there once") {`},
	{"usertoken/payload.go", "	switch name {\n", `	if out("names of claims are compared exactly") {
		name = strings.ToLower(strings.TrimSpace(name))
	}
	switch name {
`},
	{"usertoken/payload.go", "if d.Space() != '\"' {\n		return d.wrong(name, \"is not a string\")",
		`if d.Space() != '"' && out("a subject is a string") {
		value, ok := d.Value()
		if !ok {
			return d.syntax()
		}
		*to = strings.Clone(value)
		return nil
	}
	if d.Space() != '"' {
		return d.wrong(name, "is not a string")`},
	{"internal/strictjson/scanner.go", "case c < ' ':", "case c < ' ' && !out(\"JSON is well-formed\"):"},
	{"internal/strictjson/scanner.go", "if width == 0 {",
		`if width == 0 && out("JSON is well-formed") {
				width = 2
			}
			if width == 0 {`},
}

// withSwitches returns a file with the switches in it. Each problem of path.go is the name of its check.
func withSwitches(file, text string) (string, []string, error) {
	for _, e := range codeEdits {
		if e.file == file {
			if strings.Count(text, e.text) != 1 {
				return "", nil, fmt.Errorf("%s does not have %q once", file, e.text)
			}
			text = strings.Replace(text, e.text, e.instead, 1)
		}
	}
	if file == "forwardauth/path.go" {
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
		"a header is there once": {
			{"nginx.conf", "proxy_pass_request_headers off;", ""},
			{"nginx.conf", "proxy_set_header X-Paragon-Configuration-Id $http_x_paragon_configuration_id;", ""},
		},
		"headers with an underscore are dropped": {
			{"nginx.conf", "proxy_pass_request_headers off;", ""},
			{"nginx.conf", "underscores_in_headers off;", "underscores_in_headers on;"},
		},
		"the gateway says who the client is": {
			{"nginx.conf", "proxy_pass_request_headers off;", ""},
			{"nginx.conf", "        proxy_set_header X-Auth-Subject $auth_subject;", "        #"},
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
		"a header is there once": {
			{"Caddyfile", "		request_header -**\n", ""},
			{"client-headers.caddy", "import {args.0} X-Paragon-Configuration-Id\n", ""},
		},
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
		"HTTP/2 is not taken": withoutLine,
		"a websocket names no headers": {
			{"haproxy.cfg", "http-request set-header Connection Upgrade if websocket one_upgrade", ""},
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
			file := filepath.Join(dir, e.file)
			text, err := os.ReadFile(file)
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
			require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
		}
		return right(dir)
	}
	return g
}

// Nothing of ours stops these attacks: no edit of the configuration lets them through, and without any check of the
// packages, the gateway refuses them, or the service gets what the token allows.
const (
	theProgram = "the program itself"
	noEffect   = "no effect"
)

// TestEachCheckIsNeeded takes out, for each attack, the checks that stop it, of the packages or of the configurations,
// and sees the attack get through. The files testdata/stopped-*.txt say which they are. After a change, UPDATE=1 writes
// them anew, in about ten minutes.
//
// The checks of the packages are taken out of a copy: the test compiles itself once more, with switches in the files
// of the packages.
func TestEachCheckIsNeeded(t *testing.T) {
	dir := t.TempDir()
	overlay := map[string]string{}
	var names []string
	list, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/connectperms/permissions").Output()
	require.NoError(t, err)
	root := strings.TrimSpace(string(list))
	add := func(name, text string) {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
		overlay[filepath.Join(root, name)] = file
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	packages := []string{"forwardauth", "usertoken", "internal/strictjson"}
	for _, folder := range packages {
		text, err := os.ReadFile("testdata/takenout/" + path.Base(folder) + ".go.txt")
		require.NoError(t, err)
		add(folder+"/takenout.go", string(text))
	}
	for _, e := range codeEdits {
		if overlay[filepath.Join(root, e.file)] != "" {
			continue
		}
		require.Contains(t, packages, path.Dir(e.file))
		text, err := os.ReadFile(filepath.Join(root, e.file))
		require.NoError(t, err)
		changed, found, err := withSwitches(e.file, string(text))
		require.NoError(t, err)
		add(e.file, changed)
		for _, name := range found {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
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

	// At each gateway at least eight attacks of each class need one of our checks, and each check that is taken out lets
	// one through. The documentation says how many there are.
	document, err := os.ReadFile("../../docs/gateway.md")
	require.NoError(t, err)
	unused := map[string]bool{}
	for _, name := range names {
		unused[name] = true
	}
	for _, g := range gateways {
		text, err := os.ReadFile("testdata/stopped-" + g.program + ".txt")
		require.NoError(t, err)
		for check := range configurationEdits[g.program] {
			require.True(t, strings.Contains(string(text), check+"\t"), "%v: no attack needs: %s", g.dialect, check)
		}
		needed := map[string]int{} // by class
		all := map[string]bool{}
		refused, harmless := 0, 0
		for line := range strings.Lines(string(text)) {
			check, name, _ := strings.Cut(line, "\t")
			class, _, _ := strings.Cut(name, ":")
			switch {
			case check == theProgram:
				refused++
			case check == noEffect:
				harmless++
			case !all[name]: // it is there twice if an edit would let no other through
				needed[class]++
			}
			all[name] = true
			for _, name := range strings.Split(check, " + ") {
				delete(unused, name)
			}
		}
		for class, n := range needed {
			require.GreaterOrEqual(t, n, 8, "%s: %s", g.program, class)
		}
		require.Len(t, needed, 12)
		t.Logf("%v, attacks that get through without a check, by class: %v", g.dialect, needed)
		row := fmt.Sprintf("| %v | %d | %d | %d | %d |\n", g.dialect, len(all), len(all)-refused-harmless, refused, harmless)
		require.True(t, strings.Contains(string(document), row), "docs/gateway.md does not have the row %s", row)
	}

	// No attack here needs one of these four alone. Tests of the package cover them.
	require.Equal(t, map[string]bool{"has a % that is not an escape": true, "has a character that is not assigned": true,
		"has nothing but invisible characters": true, "is escaped too often": true}, unused)
}
