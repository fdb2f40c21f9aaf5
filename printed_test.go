package permissions_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// Names in claims and in requests come from strangers. These tests call every exported method that returns
// text, of values that hold such names, and require that the text says what it seems to say: it is one line,
// short, and has no character that cannot be seen.

// hostileNames are names that SPEC 2.4 allows.
var hostileNames = map[string]string{
	"40,000 bytes":                       strings.Repeat("x", 40_000),
	"40,000 bytes beyond ASCII":          strings.Repeat("é", 20_000),
	"hidden characters only":             strings.Repeat("\u200b", 13_000),
	"hidden characters that escape long": strings.Repeat("\U000e0001", 25),
	"a line separator":                   "a\u2028b",
	"a paragraph separator":              "a\u2029denied: no rule applies",
	"right to left":                      "a\u202egnp.b",
	"an isolate":                         "a\u2066b",
	"a zero-width space":                 "sla\u200bck",
	"a zero-width joiner":                "sla\u200dck",
	"a byte order mark":                  "sla\ufeffck",
	"a soft hyphen":                      "sla\u00adck",
	"a no-break space":                   "a\u00a0b",
	"a Hangul filler":                    "sla\u3164ck",
	"a braille blank":                    "a\u2800b",
	"a variation selector":               "sla\ufe0fck",
	"a tag":                              "sla\U000e0041ck",
	"a combining grapheme joiner":        "sla\u034fck",
	"a private character":                "sla\ue000ck",
	"a noncharacter":                     "sla\uffffck",
	"quotation marks":                    `a"/credential:"b`,
	"the end of a quotation":             `slack"; "`,
	"backslashes":                        `a\u2028b\`,
	"slashes like a path":                "slack/credential:ext:a",
	"characters of HTML":                 "<script>&",
	"text of a log":                      "x level=INFO msg=allowed",
}

// forbiddenNames are names that SPEC 2.4 forbids. They come in requests all the same.
var forbiddenNames = map[string]string{
	"NUL":                        "a\x00b",
	"NUL for a long time":        strings.Repeat("\x00", 100),
	"ESC":                        "\x1b[31mred\x1b[0m",
	"a line break":               "a\nlevel=INFO msg=allowed",
	"a carriage return":          "denied\rallowed",
	"a tab":                      "a\tb",
	"a C1 control character":     "a\u009b31m",
	"DEL":                        "a\x7fb",
	"not UTF-8":                  "a\xff\xfeb",
	"a surrogate in UTF-8":       "a\xed\xa0\x80b",
	"40,000 bytes and not UTF-8": strings.Repeat("\xff", 40_000),
	"U+FFFD":                     "a\ufffdb",
}

// A printedValue is a value of an exported type.
type printedValue struct {
	name  string
	value any
}

// exactTexts are the methods that return a text as it is, by their contract. They are for programs.
var exactTexts = map[string]string{
	"Scope.String":              "the text that ParseScope takes",
	"Scope.MarshalText":         "the text that ParseScope takes",
	"Scope.Name":                "the name itself",
	"Rule.Pointer":              "a JSON Pointer",
	"NestedMap.Pointer":         "a JSON Pointer",
	"IgnoredPermission.Pointer": "a JSON Pointer",
	"Policy.MarshalJSON":        "the claim",
	"Target.MarshalJSON":        "the target as SPEC 3.6 has it",
	"PermissionSet.MarshalJSON": "the names as a claim has them",
}

// severalLines are the methods that return more than one line.
var severalLines = []string{"Explanation.String"}

// printedValues returns values of every exported type that has a method which returns text. A name that is
// allowed is in claims too.
func printedValues(name string, isAllowed bool) (values []printedValue) {
	add := func(what string, value any) { values = append(values, printedValue{what, value}) }
	action := permissions.Permission(name)
	external := permissions.ExternalID(name)
	target := permissions.Integration(name).Credential(external, newID).Configuration(external, newID)
	empty := permissions.MustParse(`{}`)

	add("a target", target)
	add("an integration", permissions.Integration(name))
	add("an ID that is not a UUID", slack.Credential(permissions.ID(name)))
	add("a target that is given a name twice", slack.Credential(external, permissions.Reference(name)))
	add("an error of a target", permissions.Integration(name+"*").Err())
	add("an error of a question", empty.Check(action, target))
	add("an error of a denial", empty.Check(permissions.Events, target))
	add("an explanation of an invalid question", empty.Explain(action, target))
	add("an explanation without rules", empty.Explain(permissions.Events, target))
	add("a set", permissions.NewPermissionSet(action, permissions.Events))
	observed := empty.Observe(func(o permissions.Observation) { add("an observation", o) })
	observed.Allowed(action, target)
	observed.Permissions(target)
	observed.Visible(target)
	observed.SelectCredentials(action, permissions.Integration(name))

	var decoded permissions.Target
	member := string(jsonOf(name))
	add("an error of a target in JSON", decoded.UnmarshalJSON([]byte(`{`+member+`:1}`)))
	for _, claim := range []string{
		`{` + member + `:true}`, `{"integration:*":` + member + `}`, `{"integration:*":[` + member + `]}`,
		`{"credential:` + member[1:] + `:true}`, `{"integration:*":true,"configuration:*":{` + member + `:1}}`,
		`{"integration:` + member[1:] + `:true,"integration:` + member[1:] + `:true}`,
		`{"integration:` + member[1:] + `:{"integration:a":1}}`, `{"integration:` + member[1:] + `:{"credential:*":[1]}}`,
	} {
		_, err := permissions.Parse([]byte(claim))
		add("an error of a claim", err)
	}
	_, err := permissions.ParseScope(name)
	add("an error of a scope", err)
	_, err = permissions.Parse([]byte(`{}`), permissions.WithPermissions(action))
	if err != nil {
		add("an error of an option", err)
	}
	var b permissions.Builder
	b.Integration(name + "*").Allow(action)
	_, err = b.Build()
	add("an error of a Builder", err)
	if isAllowed {
		values = append(values, printedValuesOfPolicies(name, target)...)
	}

	// Types that have no names in them.
	add("a kind", permissions.KindUser)
	add("identifiers", permissions.CredentialID|permissions.CredentialExternalID)
	add("a state", permissions.Known)
	add("a reason", permissions.ReasonNotGranted)
	add("an outcome", permissions.OutcomeDecides)
	add("what was asked", permissions.AskedVisible)
	return values
}

// printedValuesOfPolicies returns values that hold a name which claims can have.
func printedValuesOfPolicies(name string, target permissions.Target) (values []printedValue) {
	add := func(what string, value any) { values = append(values, printedValue{what, value}) }
	integration, external := "integration:"+name, "ext:"+name
	nested := func(grant any) map[string]any {
		return map[string]any{integration: map[string]any{
			"credential:" + external: map[string]any{"configuration:" + external: grant, "configuration:*": grant},
			"credential:*":           map[string]any{},
		}, "integration:*": true, "credential:ext:other " + name: false, "configuration:ext:other " + name: []string{}}
	}
	ignore := permissions.IgnoreUnknownPermissions()
	granting, err := permissions.FromValue(nested([]string{"events"}))
	if err != nil {
		panic(err)
	}
	denying, err := permissions.FromValue(nested([]string{"workflows", name}), ignore)
	if err != nil {
		panic(err)
	}
	byExternalID, err := permissions.FromValue(map[string]any{"integration:*": true, "credential:" + external: false})
	if err != nil {
		panic(err)
	}
	_, err = permissions.Narrow(permissions.MustParse(`{"credential:`+idA+`":["proxy-api"]}`), byExternalID)
	add("an error of Narrow", err)
	both := mustIntersect(granting, denying)
	unknown := permissions.Integration("other").Credential().Configuration()
	for what, p := range map[string]*permissions.Policy{"granting": granting, "denying": denying, "both": both} {
		add("a policy, "+what, p)
		for _, q := range []permissions.Target{target, unknown, slack, permissions.User()} {
			add("a decision", p.Decide(permissions.Events, q))
			e := p.Explain(permissions.Events, q)
			add("an explanation", e)
			for _, step := range e.Steps {
				add("a step", step)
			}
			if err := p.Check(permissions.Events, q); err != nil {
				add("an error of a denial", err)
			}
		}
		for r := range p.Rules() {
			add("a rule", r)
			add("a scope", r.Scope())
			add("a set", r.Grant())
		}
		for m := range p.NestedMaps() {
			add("a nested map", m)
		}
		for i := range p.Ignored() {
			add("an ignored permission", i)
		}
	}
	return values
}

// requirePrintable requires that a text has no character that cannot be seen.
func requirePrintable(t *testing.T, value, text string, lines bool) {
	t.Helper()
	if !utf8.ValidString(text) {
		require.Failf(t, "not UTF-8", "%s: %.200q", value, text)
	}
	for _, r := range text {
		if lines && r == '\n' {
			continue
		}
		if !unicode.IsPrint(r) || r == '\u2800' || r == '\u034f' ||
			unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Cf) {
			require.Failf(t, "a character that cannot be seen", "%s: %U in %.300q", value, r, text)
		}
	}
}

// typeName returns the name of a value's type, without its package and a pointer.
func typeName(v any) string {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// printed calls the methods of a value that return text, and returns the texts by the names of the methods.
func printed(v any) map[string]string {
	texts := make(map[string]string)
	value := reflect.ValueOf(v)
	for i := range value.NumMethod() {
		method := value.Type().Method(i)
		if method.Type.NumIn() > 1 || method.Type.NumOut() == 0 || method.Type.NumOut() > 2 {
			continue
		}
		if method.Type.NumOut() == 2 && method.Type.Out(1) != reflect.TypeFor[error]() {
			continue
		}
		var text string
		results := value.Method(i).Call(nil)
		switch result := results[0].Interface().(type) {
		case string:
			text = result
		case []byte:
			text = string(result)
			if err, failed := results[1].Interface().(error); failed {
				text = err.Error()
			}
		case slog.Value:
			text = loggedText(result)
		case error:
			text = result.Error()
		default:
			continue
		}
		texts[typeName(v)+"."+method.Name] = text
	}
	return texts
}

// longestText returns how many bytes a text may have, whatever the names in it are.
func longestText(method string) int {
	switch method {
	case "Rule.String", "Rule.LogValue":
		return 1000
	case "Policy.String": // up to eight rules
		return 9000
	}
	switch {
	case strings.HasSuffix(method, ".MarshalJSON"):
		return 1 << 23 // JSON loses nothing
	case strings.HasPrefix(method, "Policy "):
		return 12_000
	case strings.HasPrefix(method, "Explanation"):
		return 40_000 // a line for each step
	}
	return 3500
}

// logs are the ways to log a value. They count as methods of every type except Scope and NestedMap, which have
// only exact texts.
var logs = map[string]func(any) string{"in a text log": loggedText, "in a JSON log": loggedJSON}

func TestPrintedTexts(t *testing.T) {
	seen := make(map[string]bool)
	each := func(t *testing.T, name string, isAllowed bool) {
		texts := make(map[string]map[string]string) // by method, then by the name of the value
		for n, v := range printedValues(name, isAllowed) {
			values := printed(v.value)
			if onlyExact := typeName(v.value) == "Scope" || typeName(v.value) == "NestedMap"; !onlyExact {
				for how, log := range logs {
					values[typeName(v.value)+" "+how] = log(v.value)
				}
			}
			for method, text := range values {
				seen[method] = true
				if exactTexts[method] != "" {
					continue
				}
				if texts[method] == nil {
					texts[method] = make(map[string]string)
				}
				texts[method][fmt.Sprintf("%s, value %d", v.name, n)] = text
			}
		}
		for method, ofValues := range texts {
			t.Run(method, func(t *testing.T) {
				for value, text := range ofValues {
					requirePrintable(t, value, text, slices.Contains(severalLines, method))
					require.Less(t, len(text), longestText(method), "%s: %.100s", value, text)
				}
			})
		}
	}
	for what, name := range hostileNames {
		t.Run(what, func(t *testing.T) { each(t, name, true) })
	}
	for what, name := range forbiddenNames {
		t.Run(what, func(t *testing.T) { each(t, name, false) })
	}
	t.Run("every method was called", func(t *testing.T) {
		methods := methodsThatReturnText(t)
		require.Greater(t, len(methods), 30)
		for _, method := range methods {
			require.True(t, seen[method], "%s returns text: add a value of its type to printedValues", method)
		}
		for method := range exactTexts {
			require.True(t, seen[method], "%s is not there", method)
		}
	})
}

// methodsThatReturnText reads the code of the package and returns its exported methods that take nothing and
// return text.
func methodsThatReturnText(t *testing.T) (methods []string) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range file.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok || f.Recv == nil || !f.Name.IsExported() {
				continue
			}
			if f.Type.Params.NumFields() > 0 || f.Type.Results.NumFields() == 0 {
				continue
			}
			receiver := f.Recv.List[0].Type
			if pointer, ok := receiver.(*ast.StarExpr); ok {
				receiver = pointer.X
			}
			name, ok := receiver.(*ast.Ident)
			if !ok || !name.IsExported() || f.Name.Name == "Unwrap" {
				continue
			}
			switch result := f.Type.Results.List[0].Type.(type) {
			case *ast.Ident:
				if result.Name != "string" && result.Name != "error" {
					continue
				}
			case *ast.ArrayType:
				if element, ok := result.Elt.(*ast.Ident); !ok || element.Name != "byte" {
					continue
				}
			case *ast.SelectorExpr:
				if fmt.Sprint(result.X, ".", result.Sel) != "slog.Value" {
					continue
				}
			default:
				continue
			}
			methods = append(methods, name.Name+"."+f.Name.Name)
		}
	}
	return methods
}

// Two rules of one policy never look the same.
func TestPrintedRulesDiffer(t *testing.T) {
	long := strings.Repeat("x", 40_000)
	names := []string{
		"slack", "slack/credential:ext:a", `slack"/credential:ext:"a`, `slack/credential:ext:"a"`,
		`slack\"`, "slack\\", `"slack"`,
		"sla\u200bck", `sla\u200bck`, "sla\u200cck", "sla\u00adck", "slack\u202e", "Slack", "slack\u2028x", `slack\u2028x`,
		long + "a", long + "b", "a" + long, long[1:], strings.Repeat("x", 100), strings.Repeat("x", 101),
		strings.Repeat("é", 49), strings.Repeat("é", 50), strings.Repeat("é", 51), "slack...(40001 bytes, sha256 0)",
	}
	claim := map[string]any{"integration:*": true, "credential:*": true, "configuration:*": true}
	for _, name := range names {
		claim["integration:"+name] = map[string]any{
			"credential:*": true, "credential:" + idA: true, "configuration:ext:" + name: true, "configuration:*": true,
			"credential:ext:" + name: map[string]any{"configuration:ext:" + name: true},
		}
		claim["credential:ext:"+name] = true
	}
	p, err := permissions.FromValue(claim)
	require.NoError(t, err)
	forms := map[string]func(permissions.Rule) string{
		"String":      permissions.Rule.String,
		"LogValue":    func(r permissions.Rule) string { return r.LogValue().String() },
		"MarshalJSON": func(r permissions.Rule) string { return string(jsonOf(r)) },
		"a text log":  func(r permissions.Rule) string { return loggedText(r) },
		"a JSON log":  func(r permissions.Rule) string { return loggedJSON(r) },
	}
	for form, print := range forms {
		t.Run(form, func(t *testing.T) {
			before := make(map[string]permissions.Rule)
			for r := range p.Rules() {
				text := print(r)
				if other, there := before[text]; there {
					require.Failf(t, "two rules look the same", "%s at %.200q and %.200q", text, r.Pointer(), other.Pointer())
				}
				before[text] = r
			}
			require.Len(t, before, 3+6*len(names))
		})
	}
	t.Run("a name that looks like a path", func(t *testing.T) {
		p := permissions.MustParse(`{"credential:ext:a/configuration:*":true,"credential:ext:a":{"configuration:*":true}}`)
		var texts []string
		for r := range p.Rules() {
			texts = append(texts, r.String())
		}
		require.Equal(t, []string{
			`integration:*/credential:ext:"a/configuration:*"`, `integration:*/credential:ext:"a"/configuration:*`,
		}, texts)
	})
}

// Two targets that are not the same never look the same.
func TestPrintedTargetsDiffer(t *testing.T) {
	var targets []permissions.Target
	for _, name := range []string{
		"slack", "sla\u200bck", `sla\u200bck`, `slack", credential ID "`, "slack, some credential",
		strings.Repeat("x", 40_000), strings.Repeat("x", 40_001),
	} {
		external := permissions.ExternalID(name)
		targets = append(targets,
			permissions.Integration(name), permissions.Integration(name).Credential(),
			permissions.Integration(name).Credential(external), permissions.Integration(name).Credential(external, newID),
			permissions.Integration(name).Credential(external, byA), permissions.Integration(name).Credential(noExternal),
			permissions.Integration(name).Credential(external).Configuration(),
			permissions.Integration(name).Credential().Configuration(external),
		)
	}
	for form, print := range map[string]func(permissions.Target) string{
		"String": permissions.Target.String,
		"a log":  func(target permissions.Target) string { return loggedText(target) },
		"JSON":   func(target permissions.Target) string { return loggedJSON(target) },
	} {
		t.Run(form, func(t *testing.T) {
			before := make(map[string]permissions.Target)
			for _, target := range targets {
				text := print(target)
				require.NotContains(t, before, text)
				before[text] = target
			}
		})
	}
}
