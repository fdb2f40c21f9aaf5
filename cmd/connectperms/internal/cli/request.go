package cli

import (
	"regexp"
	"strings"

	"github.com/connectperms/permissions/cmd/connectperms/internal/recognize"
)

// A requestView is a request that came with the token, and the command that asks about it.
type requestView struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	Command string `json:"command,omitempty"`
}

// A requestRule says which question a request is. The table is how this project reads the public documentation
// of the platform, as docs/cli.md has it.
type requestRule struct {
	methods string // separated by spaces; empty for all
	path    *regexp.Regexp
	action  string
	levels  int // what the question is about: 0 the user, 1 an integration, 2 a credential, 3 a configuration
}

// In a path, the groups integration, credential and configuration are what the question is about.
var requestRules = []requestRule{
	{"", regexp.MustCompile(`/sdk/proxy/custom/`), "proxy-api", 1},
	{"", regexp.MustCompile(`/sdk/proxy/(?P<integration>[^/]+)`), "proxy-api", 1},
	{"POST", regexp.MustCompile(`/sdk/events/trigger$`), "events", 0},
	{"", regexp.MustCompile(`/sdk/triggers/[^/]+$`), "workflows", 3},
	{"GET", regexp.MustCompile(`/sdk/me$`), "metadata:read", 0},
	{"PATCH", regexp.MustCompile(`/sdk/me$`), "metadata:write", 0},
	{"POST", regexp.MustCompile(`/sdk/credentials$`), "credential:write", 1},
	{"POST", regexp.MustCompile(`/sdk/credentials/(?P<credential>[^/]+)/complete-setup$`), "credential:write", 2},
	{"PATCH", regexp.MustCompile(`/sdk/credentials/(?P<credential>[^/]+)$`), "settings:write", 3},
	{"POST", regexp.MustCompile(`/sdk/credentials/(?P<credential>[^/]+)/configurations$`), "config:write", 2},
	{
		"PATCH DELETE", regexp.MustCompile(`/sdk/credentials/(?P<credential>[^/]+)/configurations/(?P<configuration>[^/]+)$`),
		"config:write", 3,
	},
	{"DELETE", regexp.MustCompile(`/sdk/integrations/[^/]+$`), "credential:write", 2},
	{"POST DELETE", regexp.MustCompile(`/sdk/workflows/[^/]+$`), "settings:write", 3},
	{"GET POST", regexp.MustCompile(`/projects/[^/]+/(?:tools|actions)$`), "actionkit", 0},
}

// viewRequest returns the request in an input, or nil.
func viewRequest(s source) *requestView {
	r, ok := recognize.FindRequest(s.data)
	if !ok {
		return nil
	}
	command := commandFor(r)
	if command != "" && s.isFile() {
		command += " --token " + shellQuote(s.name)
	}
	return &requestView{r.Method, recognize.Redact(r.Path), recognize.Redact(command)}
}

// commandFor returns the command that asks about a request. It is "" if no rule is for the request, or if a name
// cannot be printed as it is. An integration that the request does not name is the placeholder.
func commandFor(r recognize.Request) string {
	for _, rule := range requestRules {
		m := rule.path.FindStringSubmatch(r.Path)
		if m == nil || rule.methods != "" && !strings.Contains(" "+rule.methods+" ", " "+r.Method+" ") {
			continue
		}
		found := map[string]string{"credential": r.Credential, "configuration": r.Configuration}
		for i, name := range rule.path.SubexpNames() {
			if name != "" {
				found[name] = m[i]
			}
		}
		levels := rule.levels
		if levels <= 1 && r.Credential != "" {
			levels = 2 // it uses this credential
		}
		action := rule.action
		if action == "metadata:read" && r.WritesMetadata {
			action = "metadata:write"
		}
		command := []string{"connectperms explain", action}
		for i, kind := range []string{"integration", "credential", "configuration"} {
			name := found[kind]
			switch {
			case i >= levels:
				continue
			case kind == "integration" && name == "":
				name = placeholder
			case name == "":
				continue
			case !isPlain(name):
				return "" // the command would ask about another name
			}
			command = append(command, "--"+kind, shellQuote(name))
		}
		return strings.Join(command, " ")
	}
	return ""
}
