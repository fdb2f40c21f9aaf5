// Package roles makes policies from roles: templates of a claim, with parameters, that are composed
// into one policy.
//
//	member := roles.MustNew("member", `{
//	  "integration:${integrations}": {"configuration:ext:${team}": ["settings:write", "workflows"]}
//	}`)
//	policy, err := roles.Compose(member.With(roles.Args{"integrations": {"slack", "jira"}, "team": {"Team A"}}))
//
// # Templates
//
// A template is a claim in which a name, an ID or an external ID may be a parameter, such as ${team}. A
// parameter is the whole name and never a part of it. Its scope, or a scope nested in it, must have a grant. Its
// values make one scope each. A value is never a wildcard and never another form of scope: where the template says
// credential:${id}, the value is an ID and cannot be ext:acme.
//
// # What roles say together
//
// [Compose] has one rule: the composed policy allows what at least one of the roles allows. So roles only
// add. The order does not matter, a role that is given twice changes nothing, and a role that does not
// mention something says nothing about it.
//
// A role can also withhold something: by the grant false or [], which withholds everything there, and
// by a scope that grants less than a less specific scope of the same role. If another role grants what
// a role withholds, then one of the two would not mean what it says: the role that withholds would allow more, or
// the role that grants would allow less. Compose does neither. It returns a [*ConflictError] with both paths and a
// question that the roles disagree on.
//
// # What a claim cannot say
//
// A scope has one value: a grant or more specific scopes (SPEC 1.2, 1.3). So the scope integration:slack cannot have
// the grant of events and also hold a scope for one of its credentials. What to write instead depends on what
// the grant at the integration is for:
//
//   - for credentials and configurations, which is where all but events, metadata:read and
//     metadata:write act (SPEC 3.3): grant it at credential:* in the integration;
//   - for events or metadata of every integration: grant it at integration:*;
//   - for the exception, if it is by ID: put the credential's scope at the top level beside the
//     integration's, because an ID names one credential only.
//
// Nor can a rule name both an ID and an external ID of one credential, and an ID wins. So two roles may add up
// to something that no claim says: for instance, if one grants a credential by its ID and another one
// grants a different permission by its external ID. Name things in one way in all roles.
//
// Compose tries the first remedy itself. If it finds no claim, it returns a [*ConflictError] too. Where no role
// withholds what another one grants, it always finds a claim if one of the roles allows all that the roles allow
// together. In other cases it does not try every claim, so in rare cases it returns the error although there is one.
package roles

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// A Role is a template of a claim. It does not change, so any number of goroutines can share one. A nil or
// zero Role cannot be composed.
type Role struct {
	name       string
	rules      []rule
	parameters map[string]string // by name, the UUID that stands for the parameter in the rules
	options    []permissions.Option
	known      permissions.PermissionSet // the ten and those that are declared
}

// A rule is a path and what a role grants there.
type rule struct {
	path  path
	grant permissions.PermissionSet
	all   bool // the grant is true, which is more than all the permissions that are known
}

// A path is that of a rule: a scope for each level, with wildcards for levels that are skipped.
type path []permissions.Scope

// ErrTemplate matches every error of [New].
var ErrTemplate = errors.New("roles: the template is wrong")

// ErrArguments matches every error about what [Compose] and [Assignment.Policy] are given: a role that is nil,
// values for its parameters, and roles that do not declare the same permissions.
var ErrArguments = errors.New("roles: the arguments are wrong")

// escape matches a letter of ASCII that JSON spells out, and a backslash that is escaped.
var escape = regexp.MustCompile(`\\\\|\\u00[0-7][0-9A-Fa-f]`)

var parameter = regexp.MustCompile(`\$\{([A-Za-z][A-Za-z0-9_]*)\}`)

// New returns the role with a name, which errors show, and a template. The options are those of
// [permissions.Parse]. Errors match [ErrTemplate]. If the claim is wrong, they match the error of
// [permissions.Parse] too, with names as the template has them and no offset.
func New(name, template string, opts ...permissions.Option) (*Role, error) {
	r := &Role{name: name, parameters: make(map[string]string), options: slices.Clone(opts)}
	r.known = knownTo(opts)
	names := strings.ToLower(escape.ReplaceAllStringFunc(template, func(match string) string {
		if match == `\\` {
			return match
		}
		letter, _ := strconv.ParseUint(match[2:], 16, 7) // the expression has room for no other
		return string(rune(letter))
	}))
	claim := parameter.ReplaceAllStringFunc(template, func(match string) string {
		return r.placeholder(match[2:len(match)-1], names)
	})
	policy, err := permissions.Parse([]byte(claim), opts...)
	if err != nil {
		return nil, fmt.Errorf("%w: role %s: %w", ErrTemplate, text.Quote(name), r.templateError(err))
	}
	for from := range policy.Rules() {
		for _, s := range from.Path() {
			if err := r.checkScope(s); err != nil {
				return nil, fmt.Errorf("%w: role %s: %w", ErrTemplate, text.Quote(name), err)
			}
		}
		grant, err := from.Grant().MarshalJSON() // it is true only for the grant true
		if err != nil {
			return nil, fmt.Errorf("%w: role %s: %w", ErrTemplate, text.Quote(name), err)
		}
		r.rules = append(r.rules, rule{from.Path(), from.Grant(), string(grant) == "true"})
	}
	for _, parameter := range r.Parameters() {
		if !r.names(parameter) {
			return nil, fmt.Errorf("%w: role %s: neither the scope of the parameter ${%s} nor a scope nested in it "+
				"has a grant; give one of them a grant, or remove the parameter", ErrTemplate, text.Quote(name), parameter)
		}
	}
	return r, nil
}

// knownTo returns the permissions that are known with some options. All of them can be asked of an
// integration.
func knownTo(opts []permissions.Option) permissions.PermissionSet {
	return permissions.Unrestricted(opts...).Permissions(permissions.Integration("some"))
}

// MustNew is [New] for package variables and tests: it panics where New returns an error.
func MustNew(name, template string, opts ...permissions.Option) *Role {
	r, err := New(name, template, opts...)
	if err != nil {
		panic(err)
	}
	return r
}

// placeholder returns what the claim has in place of a parameter: a UUID that no name of the template has in it.
// It can be a name, an ID and an external ID.
func (r *Role) placeholder(parameter, names string) string {
	if id, ok := r.parameters[parameter]; ok {
		return id
	}
	for n := len(r.parameters); ; n++ {
		id := fmt.Sprintf("70617261-6d65-4000-8000-%012x", n)
		if taken := r.parameterOf(id) != ""; !taken && !strings.Contains(names, id) {
			r.parameters[parameter] = id
			return id
		}
	}
}

// parameterOf returns the parameter whose placeholder a name is, or "".
func (r *Role) parameterOf(name string) string {
	for parameter, id := range r.parameters {
		if id == name {
			return parameter
		}
	}
	return ""
}

// names reports whether a parameter is a name in the path of a rule.
func (r *Role) names(parameter string) bool {
	return slices.ContainsFunc(r.rules, func(from rule) bool {
		return slices.ContainsFunc(from.path, func(s permissions.Scope) bool { return r.parameterOf(s.Name()) == parameter })
	})
}

// checkScope requires that a parameter is a whole name.
func (r *Role) checkScope(s permissions.Scope) error {
	if s.IsWildcard() || r.parameterOf(s.Name()) != "" {
		return nil
	}
	for parameter, id := range r.parameters {
		if strings.Contains(s.Name(), id) {
			return fmt.Errorf("the parameter ${%s} is a part of a name; make it the whole name", parameter)
		}
	}
	if strings.Contains(s.Name(), "${") {
		return fmt.Errorf("%s has ${ but no parameter; a parameter is ${ and }, with a letter and then letters, "+
			"digits and underscores between them, and has no escapes", text.Quote(s.String()))
	}
	return nil
}

// templateError returns an error about the claim in terms of the template.
func (r *Role) templateError(err error) error {
	var parse *permissions.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	e := *parse
	e.Offset = -1 // it is an offset in another text
	for parameter, id := range r.parameters {
		for _, field := range []*string{&e.Pointer, &e.Found, &e.Problem, &e.Remedy} {
			*field = strings.ReplaceAll(*field, id, "${"+parameter+"}")
		}
	}
	return &e
}

// Name returns the name of the role.
func (r *Role) Name() string {
	if r == nil {
		return ""
	}
	return r.name
}

// Parameters returns the names of the parameters, sorted.
func (r *Role) Parameters() []string {
	if r == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(r.parameters))
}

// Args has the values of parameters by their names. Each value makes one scope. For an empty list there is no scope:
// the rules of the template that have the parameter in their path are left out, those that withhold something too. A
// parameter that is missing is an error, and so is a nil list, and a wrong value, even if the scope that it would name
// is left out.
//
// Do not take values from a user who must not choose them. The rules with a value can be more specific than a rule of
// the template that withholds something, and then they decide. What must never be granted belongs into a policy that
// [permissions.Narrow] or [permissions.Intersect] joins with that of the role.
//
// Two parameters in one path make a scope for each pair of their values. A parameter that is used twice in one
// path has one value there: with the values x and y, "credential:ext:${p}": {"configuration:ext:${p}": ...} makes
// a path with x twice and a path with y twice, and none with x and y. A role can have at most 10,000 rules with its
// values. More are refused, with [ErrArguments].
type Args map[string][]string

// An Assignment is a role with the values of its parameters.
type Assignment struct {
	Role *Role
	Args Args
}

// With returns the assignment of the role with these arguments. It may be called with nil for a role
// without parameters.
func (r *Role) With(args Args) Assignment { return Assignment{r, args} }

// Policy returns the policy of one role alone. Errors match [ErrArguments]. If a claim cannot have the rules
// that the arguments make, such as for two values that are the same, they match the error of
// [permissions.Builder.Build] too.
func (a Assignment) Policy() (*permissions.Policy, error) {
	rules, err := a.expand()
	if err != nil {
		return nil, err
	}
	return a.Role.build(rules)
}

// expand returns the rules with values for parameters.
func (a Assignment) expand() (list []rule, err error) {
	if a.Role == nil || a.Role.parameters == nil {
		return nil, fmt.Errorf("%w: the role is nil or zero; New makes one", ErrArguments)
	}
	r := a.Role
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: role %s: "+format, append([]any{ErrArguments, text.Quote(r.name)}, args...)...)
	}
	for _, name := range r.Parameters() {
		if a.Args[name] == nil {
			return nil, fail("the parameter %s is missing or nil; give an empty list for no scope at all", text.Quote(name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Args)) {
		if _, ok := r.parameters[name]; !ok {
			return nil, fail("there is no parameter %s; leave it out, or name it in the template", text.Quote(name))
		}
	}
	scopes, err := r.scopes(a.Args)
	if err != nil {
		return nil, fail("%w", err)
	}
	for _, from := range r.rules {
		paths := []path{from.path}
		for _, parameter := range r.Parameters() {
			paths = r.replace(from.path, paths, parameter, scopes)
		}
		if len(list)+len(paths) > maxRules {
			return nil, fail("the role has more than %d rules with them; give fewer values", maxRules)
		}
		for _, p := range paths {
			list = append(list, rule{p, from.grant, from.all})
		}
	}
	return list, nil
}

// maxRules is how many rules a role can have with its arguments.
const maxRules = 10_000

// scopes returns for each scope with a placeholder the scopes that the values make. It checks every value, even if
// another parameter without values leaves the rule out.
func (r *Role) scopes(args Args) (map[permissions.Scope][]permissions.Scope, error) {
	scopes := make(map[permissions.Scope][]permissions.Scope)
	for _, from := range r.rules {
		for _, s := range from.path {
			parameter := r.parameterOf(s.Name())
			if scopes[s] != nil || parameter == "" {
				continue
			}
			for _, value := range args[parameter] {
				named, err := withName(s, value)
				if err != nil {
					return nil, fmt.Errorf("the parameter %s: %w", text.Quote(parameter), err)
				}
				scopes[s] = append(scopes[s], named)
			}
		}
	}
	return scopes, nil
}

// replace returns the paths with each of the scopes that a parameter makes. The paths are made from the path from of
// the template, which says where the parameter is: a value can be another parameter's placeholder. A parameter that is
// in a path twice has one value there.
func (r *Role) replace(
	from path, paths []path, parameter string, scopes map[permissions.Scope][]permissions.Scope,
) (list []path) {
	isPlaceholder := func(s permissions.Scope) bool { return s.Name() == r.parameters[parameter] }
	first := slices.IndexFunc(from, isPlaceholder)
	if first < 0 {
		return paths
	}
	for _, p := range paths {
		for n := range scopes[from[first]] {
			if len(list) > maxRules {
				return list // which the caller refuses
			}
			replaced := slices.Clone(p)
			for i, s := range from {
				if isPlaceholder(s) {
					replaced[i] = scopes[s][n]
				}
			}
			list = append(list, replaced)
		}
	}
	return list
}

// withName returns a scope of the same form with another name.
func withName(s permissions.Scope, name string) (permissions.Scope, error) {
	named, err := permissions.ParseScope(strings.TrimSuffix(s.String(), s.Name()) + name)
	switch {
	case err != nil:
		return permissions.Scope{}, err
	case named.IsWildcard():
		return permissions.Scope{}, fmt.Errorf("the value %s is a wildcard; say that in the template", text.Quote(name))
	case named.Kind() != s.Kind() || named.IsExternal() != s.IsExternal():
		return permissions.Scope{}, fmt.Errorf("the value %s is an external ID, and the template has an ID there; "+
			"give an ID, or write ext: in the template",
			text.Quote(name))
	}
	return named, nil
}

// build returns the policy of the role's rules with values for parameters.
func (r *Role) build(rules []rule) (*permissions.Policy, error) {
	policy, err := build(rules, r.options)
	if err != nil {
		return nil, fmt.Errorf("%w: role %s: %w", ErrArguments, text.Quote(r.name), err)
	}
	return policy, nil
}

// build returns the policy of some rules.
func build(rules []rule, opts []permissions.Option) (*permissions.Policy, error) {
	var b permissions.Builder
	for _, r := range rules {
		at := b.At(r.path...)
		if r.all {
			at.AllowAll()
		} else {
			at.Grant(r.grant)
		}
	}
	return b.Build(opts...)
}
