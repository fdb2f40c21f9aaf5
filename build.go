package permissions

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// A Builder builds a policy in code that reads like the claim:
//
//	var b permissions.Builder
//	b.AnyIntegration().DenyAll()
//	b.Integration("slack").Credential(id).Allow(permissions.ProxyAPI, permissions.Events)
//	policy, err := b.Policy()
//
// Each call that grants makes one rule (SPEC 2.7), in any order: the most specific rule
// decides, not the last. What is not granted anywhere is denied, so the zero Builder, which
// is ready for use, builds the policy of the claim {}.
//
// A mistake is kept until [Builder.Policy] returns it. A Builder must not be copied once
// it was used, and is for one goroutine at a time; the policies that it builds are for any
// number.
type Builder struct {
	rules []builderRule
	err   error // the first mistake in a path
}

// A builderRule is a call that granted.
type builderRule struct {
	path  [KindConfiguration]Scope // with the zero Scope behind its end
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
	return IntegrationBuilder{place{b: b}.scope(integrationName, name)}
}

// At is the scope at the end of a path such as [Rule.Path] returns: an integration's, a
// credential's and a configuration's, as far as it goes. A level that is skipped is a
// wildcard. It is for paths that come from elsewhere.
//
// The zero Scope, and no scope at all, are a mistake of kind [ErrScope]; a scope that
// cannot stand behind the one before it is one of kind [ErrNesting].
func (b *Builder) At(path ...Scope) RuleBuilder {
	at := place{b: b}
	if len(path) == 0 {
		b.fail(&ParseError{Kind: ErrScope, Offset: -1, Problem: "the path has no scope", Remedy: "for everything, there is integration:*"})
	}
	for i, s := range path {
		switch {
		case s == Scope{}:
			b.fail(&ParseError{Kind: ErrScope, Pointer: at.pointer(), Offset: -1, Problem: "the zero Scope names nothing"})
			return RuleBuilder{}
		case i > 0 && s.kind <= path[i-1].kind:
			b.fail(&ParseError{
				Kind: ErrNesting, Pointer: at.pointer() + "/" + escapePointer(s.String()), Offset: -1, Found: quote(s.String()),
				Problem: "cannot stand inside " + article[path[i-1].kind], Remedy: "only what is more specific can: a credential or configuration in an integration, a configuration in a credential",
			})
			return RuleBuilder{}
		}
		at = at.with(s)
	}
	return RuleBuilder{at}
}

var article = [...]string{KindIntegration: "an integration", KindCredential: "a credential", KindConfiguration: "a configuration"}

// fail notes a mistake.
func (b *Builder) fail(err error) {
	if b != nil && b.err == nil {
		b.err = err
	}
}

// An IntegrationBuilder is the scope of integrations: a place for a grant, or for more
// specific scopes. The zero IntegrationBuilder belongs to no [Builder]; what it is told is
// lost, and so for the other places.
type IntegrationBuilder struct{ place }

// AnyCredential is the scope credential:* in the integration.
func (i IntegrationBuilder) AnyCredential() CredentialBuilder {
	return CredentialBuilder{i.scope(anyCredential, "")}
}

// Credential is the scope of a credential in the integration, by its ID.
func (i IntegrationBuilder) Credential(id string) CredentialBuilder {
	return CredentialBuilder{i.scope(credentialID, id)}
}

// ExternalCredential is the scope of a credential in the integration, by its external ID.
func (i IntegrationBuilder) ExternalCredential(externalID string) CredentialBuilder {
	return CredentialBuilder{i.scope(credentialExternalID, externalID)}
}

// A CredentialBuilder is the scope of credentials: a place for a grant, or for the scopes
// of configurations.
type CredentialBuilder struct{ place }

// AnyConfiguration is the scope configuration:* of the credential.
func (c CredentialBuilder) AnyConfiguration() RuleBuilder {
	return RuleBuilder{c.scope(anyConfiguration, "")}
}

// Configuration is the scope of a configuration of the credential, by its ID.
func (c CredentialBuilder) Configuration(id string) RuleBuilder {
	return RuleBuilder{c.scope(configurationID, id)}
}

// ExternalConfiguration is the scope of the configurations of the credential that have an
// external ID.
func (c CredentialBuilder) ExternalConfiguration(externalID string) RuleBuilder {
	return RuleBuilder{c.scope(configurationExternalID, externalID)}
}

// A RuleBuilder is a place for a grant.
type RuleBuilder struct{ place }

// A place is where a Builder can put a rule.
type place struct {
	b    *Builder // nil if what is told is lost
	path [KindConfiguration]Scope
}

// Allow allows these permissions here and no others: the grant is an array of their names.
// It replaces what less specific scopes grant. No permissions at all are as [RuleBuilder.DenyAll].
func (p place) Allow(permissions ...Permission) {
	p.add(builderRule{names: slices.Clone(permissions)})
}

// AllowAll allows everything here: the grant is true.
func (p place) AllowAll() { p.Grant(PermissionSet{grant: grantAll}) }

// DenyAll denies everything here: the grant is false.
func (p place) DenyAll() { p.Grant(PermissionSet{}) }

// Grant allows a set of permissions here, such as [Rule.Grant] or [Policy.Permissions]
// returns. An array cannot name all permissions but some, which [Policy.Permissions] may
// return; that is a mistake of kind [ErrPermission].
func (p place) Grant(set PermissionSet) { p.add(builderRule{set: set, given: true}) }

func (p place) add(r builderRule) {
	if p.b != nil && p.b.err == nil {
		r.path = p.path
		p.b.rules = append(p.b.rules, r)
	}
}

// scope returns the place of a scope inside p.
func (p place) scope(id identifier, name string) place {
	if id < identifiers {
		if problem := id.check(name); problem != "" {
			p.b.fail(&ParseError{
				Kind: ErrScope, Pointer: p.pointer() + "/" + escapePointer(scopePrefix[id]+name), Offset: -1,
				Found: quote(name), Problem: problem, Remedy: scopeRemedy(id, name),
			})
			return place{}
		}
	}
	if id.isObjectID() {
		name = canonicalID(name)
	}
	return p.with(Scope{kind: id.kind(), form: id.form(), name: name})
}

// with returns the place of a scope inside p, with a wildcard at a level that is skipped.
func (p place) with(s Scope) place {
	for kind := KindIntegration; kind < s.kind; kind++ {
		if level := &p.path[kind-1]; *level == (Scope{}) {
			*level = Scope{kind: kind, form: formAny}
		}
	}
	p.path[s.kind-1] = s
	return p
}

// pointer returns the place as a JSON Pointer.
func (p place) pointer() string { return pathPointer(p.path) }

func pathPointer(path [KindConfiguration]Scope) string {
	var b strings.Builder
	for _, s := range path {
		if s != (Scope{}) {
			b.WriteString("/" + escapePointer(s.String()))
		}
	}
	return b.String()
}

// Policy returns the policy that has been built: that of the claim which
// [Policy.MarshalJSON] returns for it, in canonical form. The Builder can be used further.
// The options are those of [Parse].
//
// It refuses what [Parse] refuses, and with the same errors, which name the path as the
// pointer and have no offset. The first mistake in a path is returned; if there is none,
// then the first call that granted a name which is no permission ([ErrPermission]) or
// granted at the same path as an earlier one ([ErrDuplicate]).
//
// A claim has one value for each scope: a grant, or a map of more specific scopes. So no
// claim can hold both a rule for an integration by name and rules inside it; nor, unless
// there is another place or spelling for one of them, for a credential. That is refused with
// [ErrDuplicate] too, because the scope would have to stand twice, and the error says what
// to do instead.
func (b *Builder) Policy(opts ...Option) (*Policy, error) {
	o, err := newParseOptions(opts)
	switch {
	case err != nil:
		return nil, err
	case b == nil:
		return nil, errors.New("permissions: the Builder is nil")
	case b.err != nil:
		return nil, b.err
	}
	seen := make(map[[KindConfiguration]Scope]bool, len(b.rules))
	rules := make([]pathGrant, 0, len(b.rules))
	for i := range b.rules {
		r := &b.rules[i]
		set, err := r.resolve(o)
		if err != nil {
			return nil, err
		}
		if seen[r.path] {
			return nil, &ParseError{
				Kind: ErrDuplicate, Pointer: pathPointer(r.path), Offset: -1, Found: quote(r.last().String()),
				Problem: "is granted for the second time", Remedy: "grant it once, with all that it shall allow",
			}
		}
		seen[r.path] = true
		rules = append(rules, pathGrant{r.path[0], r.path[1], r.path[2], set})
	}
	claim, err := encode(rules)
	if err != nil {
		return nil, err
	}
	return parse(string(claim), o, fromValue)
}

// last returns the last scope of the path.
func (r *builderRule) last() (s Scope) {
	for _, level := range r.path {
		if level != (Scope{}) {
			s = level
		}
	}
	return s
}

// resolve returns what the rule grants.
func (r *builderRule) resolve(o *parseOptions) (PermissionSet, error) {
	if r.given && (r.set.IsAll() || r.set.IsEmpty()) {
		return r.set, nil
	}
	names := r.names
	if r.given {
		if r.set.grant&grantOthers != 0 {
			return PermissionSet{}, &ParseError{
				Kind: ErrPermission, Pointer: pathPointer(r.path), Offset: -1, Found: quote(r.set.String()),
				Problem: "cannot be granted, because no array names it", Remedy: "list what shall be allowed",
			}
		}
		names = slices.Collect(r.set.All())
	}
	set := PermissionSet{declared: &o.declared}
	for i, name := range names {
		bit := o.declared.grant(name)
		if bit == grantOthers {
			if !o.ignoreUnknown {
				return PermissionSet{}, &ParseError{
					Kind: ErrPermission, Pointer: pathPointer(r.path) + "/" + strconv.Itoa(i), Offset: -1, Found: quote(string(name)),
					Problem: "is no permission", Remedy: (&parser{options: o}).permissionRemedy(string(name)),
				}
			}
			continue
		}
		set.grant |= bit
	}
	return set, nil
}
