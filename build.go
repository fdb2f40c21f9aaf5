package permissions

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/connectperms/permissions/internal/text"
)

// A Builder builds a policy in code that reads like the claim:
//
//	var b permissions.Builder
//	b.AnyIntegration().DenyAll()
//	b.Integration("slack").Credential(id).Allow(permissions.ProxyAPI, permissions.Events)
//	policy, err := b.Build()
//
// Each call that grants makes one rule (SPEC 2.7). The order of calls does not matter: the most
// specific rule decides, not the last one. What is not granted anywhere is denied. So the zero
// Builder, which is ready for use, builds the policy of the claim {}.
//
// The first mistake in a path is kept: [Builder.Build] returns it each time, and later calls change
// nothing. Do not copy a Builder: a copy and the original do not see each other's later rules, and
// can overwrite them. go vet reports copies. Use a Builder in one goroutine at a time. Any number
// can share the policies that it builds.
type Builder struct {
	_     noCopy
	rules []builderRule
	err   error // the first mistake in a path
}

// noCopy makes go vet report a copy of a struct that holds it.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// A builderRule is a call that grants.
type builderRule struct {
	path  []Scope // one for each level, wildcards included
	names []Permission
	set   PermissionSet // in place of names if given
	given bool
}

// AnyIntegration is the scope integration:*, which covers everything.
func (b *Builder) AnyIntegration() IntegrationBuilder {
	return IntegrationBuilder{place{b: b}.scope(anyIntegration, "")}
}

// Integration is the scope of an integration, by its name, such as "salesforce".
func (b *Builder) Integration(name string) IntegrationBuilder {
	return IntegrationBuilder{place{b: b}.scope(integrationByName, name)}
}

// At is the scope at the end of a path such as [Rule.Path] returns: an integration's, a
// credential's and a configuration's, as far as it goes. A level that is skipped is a wildcard. It
// is for paths that come from elsewhere.
//
// The zero Scope, and no scope at all, are a mistake of kind [ErrScope]. A scope that cannot be
// inside the one before it is a mistake of kind [ErrNesting].
func (b *Builder) At(path ...Scope) RuleBuilder {
	at := place{b: b}
	if len(path) == 0 {
		b.fail(&ParseError{Kind: ErrScope, Offset: -1, Problem: "the path has no scope", Remedy: "the scope of everything is integration:*"})
		return RuleBuilder{}
	}
	for i, s := range path {
		switch {
		case s == Scope{}:
			b.fail(&ParseError{Kind: ErrScope, Pointer: pathPointer(at.path), Offset: -1, Problem: "the zero Scope covers nothing"})
			return RuleBuilder{}
		case i > 0 && s.Kind() <= path[i-1].Kind():
			b.fail(&ParseError{
				Kind: ErrNesting, Pointer: pathPointer(append(at.path, s)), Offset: -1, Found: text.Quote(s.String()),
				Problem: "cannot be inside a scope of kind " + path[i-1].Kind().String(), Remedy: nestsDown,
			})
			return RuleBuilder{}
		}
		at = at.with(s)
	}
	return RuleBuilder{at}
}

// fail notes the first mistake.
func (b *Builder) fail(err error) {
	if b != nil && b.err == nil {
		b.err = err
	}
}

// An IntegrationBuilder is the scope of integrations: a place for a grant, or for more specific
// scopes. The methods of the zero IntegrationBuilder change nothing. The same is true of the zero
// CredentialBuilder and RuleBuilder.
type IntegrationBuilder struct{ place }

// AnyCredential is the scope credential:* in the integration.
func (i IntegrationBuilder) AnyCredential() CredentialBuilder {
	return CredentialBuilder{i.scope(anyCredential, "")}
}

// Credential is the scope of a credential in the integration, by its ID, which is a UUID.
func (i IntegrationBuilder) Credential(id string) CredentialBuilder {
	return CredentialBuilder{i.scope(credentialByID, id)}
}

// ExternalCredential is the scope of a credential in the integration, by its external ID.
func (i IntegrationBuilder) ExternalCredential(externalID string) CredentialBuilder {
	return CredentialBuilder{i.scope(credentialByExternalID, externalID)}
}

// A CredentialBuilder is the scope of credentials: a place for a grant, or for the scopes of
// configurations.
type CredentialBuilder struct{ place }

// AnyConfiguration is the scope configuration:* of the credential.
func (c CredentialBuilder) AnyConfiguration() RuleBuilder {
	return RuleBuilder{c.scope(anyConfiguration, "")}
}

// Configuration is the scope of a configuration of the credential, by its ID, which is a UUID.
func (c CredentialBuilder) Configuration(id string) RuleBuilder {
	return RuleBuilder{c.scope(configurationByID, id)}
}

// ExternalConfiguration is the scope of the credential's configurations with this external ID.
func (c CredentialBuilder) ExternalConfiguration(externalID string) RuleBuilder {
	return RuleBuilder{c.scope(configurationByExternalID, externalID)}
}

// A RuleBuilder is a place for a grant.
type RuleBuilder struct{ place }

// A place is where a Builder can put a rule.
type place struct {
	b    *Builder // nil if calls have no effect
	path []Scope  // one for each level, wildcards included; never modified
}

// Allow allows these permissions here, what they include (SPEC 1.5), and no others: the grant is an array of
// their names. It replaces what less specific scopes grant. Without permissions it is DenyAll.
func (p place) Allow(permissions ...Permission) {
	p.add(builderRule{names: slices.Clone(permissions)})
}

// AllowAll allows everything here: the grant is true.
func (p place) AllowAll() { p.Grant(PermissionSet{grant: grantAll}) }

// DenyAll denies everything here, as the grants false and [] do.
func (p place) DenyAll() { p.Grant(PermissionSet{}) }

// Grant allows a set of permissions here, such as [Rule.Grant] or [Policy.Permissions] returns.
func (p place) Grant(set PermissionSet) { p.add(builderRule{set: set, given: true}) }

func (p place) add(r builderRule) {
	if p.b != nil && p.b.err == nil {
		r.path = p.path
		p.b.rules = append(p.b.rules, r)
	}
}

// scope returns the place of a scope inside p.
func (p place) scope(with pattern, name string) place {
	if !with.isWildcard() {
		if problem := nameProblem(with, name); problem != "" {
			p.b.fail(&ParseError{
				Kind: ErrScope, Pointer: pathPointer(append(p.path[:len(p.path):len(p.path)], Scope{with, name})), Offset: -1,
				Found: text.Quote(name), Problem: problem, Remedy: scopeRemedy(with, name),
			})
			return place{}
		}
	}
	if with.isID() {
		name = strings.ToLower(name)
	}
	return p.with(Scope{with, name})
}

// with returns the place of a scope inside p, with a wildcard at a level that is skipped.
func (p place) with(s Scope) place {
	path := slices.Clone(p.path)
	for k := KindIntegration + Kind(len(path)); k < s.Kind(); k++ {
		path = append(path, Scope{pattern: wildcard(k)})
	}
	p.path = append(path, s)
	return p
}

// Build returns the policy. It is the same as the policy that [Parse] reads from the claim that its
// [Policy.MarshalJSON] returns. The options are those of [Parse]. After a success the Builder can
// still be used.
//
// It refuses what [Parse] refuses, with the same errors, which have the path as the pointer and no
// offset. It returns the first mistake in a path. If there is none, it returns the mistake of the
// first call that granted a name which is not a permission ([ErrUnknownPermission]), or that
// granted at the same path as an earlier call ([ErrDuplicate]).
//
// A claim has one value for each scope: a grant, or a map of more specific scopes. So no claim can
// have a rule for an integration by name and also rules inside that integration. A credential can
// have both only if one of them can be written elsewhere in the claim, or with another spelling of
// the ID. Otherwise Build returns [ErrDuplicate], and the error says what to do instead.
func (b *Builder) Build(opts ...Option) (*Policy, error) {
	o, err := newOptions(opts)
	switch {
	case err != nil:
		return nil, err
	case b == nil:
		return nil, errors.New("permissions: the Builder is nil")
	case b.err != nil:
		return nil, b.err
	}
	rules := make([]pathGrant, 0, len(b.rules))
	for i := range b.rules {
		rule := pathGrant{call: i}
		if rule.grant, err = b.rules[i].resolve(o); err != nil {
			break // an earlier call may have repeated a path, and that mistake comes first
		}
		copy(rule.path[:], b.rules[i].path)
		rules = append(rules, rule)
	}
	rules = sorted(rules, integrationLevel)
	if again := firstRepeated(rules); again != nil {
		path := b.rules[again.call].path
		return nil, &ParseError{
			Kind: ErrDuplicate, Pointer: pathPointer(path), Offset: -1, Found: text.Quote(path[len(path)-1].String()),
			Problem: "is granted twice", Remedy: "grant it once, with all that it shall allow",
		}
	}
	if err != nil {
		return nil, err
	}
	claim, err := encode(rules)
	if err != nil {
		return nil, err
	}
	return parse(string(claim), o, fromValue)
}

// firstRepeated returns the rule of the first call that granted at the same path as an earlier call,
// or nil. Sorted rules of one path are in the order of their calls.
func firstRepeated(rules []pathGrant) (again *pathGrant) {
	for i := range rules {
		if i > 0 && rules[i].path == rules[i-1].path && (again == nil || rules[i].call < again.call) {
			again = &rules[i]
		}
	}
	return again
}

// resolve returns what the rule grants.
func (r *builderRule) resolve(o *options) (PermissionSet, error) {
	if r.given && r.set.grant&grantTrue != 0 {
		return r.set, nil
	}
	names := r.names
	if r.given {
		names = slices.Collect(r.set.All())
	}
	set := PermissionSet{extras: &o.extras}
	for i, name := range names {
		n, ok := o.extras.number(name)
		switch {
		case ok:
			set.grant |= grantOf[n]
		case !o.ignoreUnknown:
			return PermissionSet{}, &ParseError{
				Kind: ErrUnknownPermission, Pointer: pathPointer(r.path) + "/" + strconv.Itoa(i), Offset: -1, Found: text.Quote(string(name)),
				Problem: "is not a permission", Remedy: permissionRemedy(o.extras, string(name)),
			}
		}
	}
	return set, nil
}
