package permissions

import (
	"iter"
	"strings"
)

// ClaimName is the name of the claim in a Paragon User Token.
const ClaimName = "urn:useparagon:connect:permissions"

// A Permission is the name of something that a token may do (SPEC 1.4). It is
// what a claim grants, and what is asked for as the action of a question. Names
// compare exactly, by bytes.
type Permission string

// The nine permissions of SPEC 1.4. [WithPermissions] declares more.
const (
	CredentialWrite Permission = "credential:write" // connect, reconnect or disconnect a credential
	ConfigWrite     Permission = "config:write"     // create, modify or destroy a configuration
	SettingsRead    Permission = "settings:read"    // read User Settings and Workflow enablement
	SettingsWrite   Permission = "settings:write"   // write and read User Settings and Workflow enablement
	MetadataRead    Permission = "metadata:read"    // read User Metadata
	MetadataWrite   Permission = "metadata:write"   // write and read User Metadata
	ProxyAPI        Permission = "proxy-api"        // send requests to the Proxy API
	Events          Permission = "events"           // send App Events
	Workflows       Permission = "workflows"        // send Workflow Request triggers
)

var permissionNames = [...]Permission{
	CredentialWrite, ConfigWrite, SettingsRead, SettingsWrite, MetadataRead, MetadataWrite, ProxyAPI, Events, Workflows,
}

// A grant is a set of permissions: a bit for each of the nine, then one for each
// that was declared, and the highest for every other name there could be. It
// holds what its members include (SPEC 1.5), so asking is one test. Bits that no
// permission has are set just when the highest is, so that true (SPEC 1.6) is
// all ones.
type grant uint64

const (
	grantCredentialWrite grant = 1 << iota
	grantConfigWrite
	grantSettingsRead
	grantSettingsWrite
	grantMetadataRead
	grantMetadataWrite
	grantProxyAPI
	grantEvents
	grantWorkflows

	grantNone   grant = 0
	grantOthers grant = 1 << 63
	grantAll    grant = 1<<64 - 1
)

// maxDeclared is how many permissions can be declared: the bits between.
const maxDeclared = 63 - len(permissionNames)

// A vocabulary is the permissions that were declared beside the nine. Nil is
// none.
type vocabulary []Permission

// grant returns the bit of a name, which is grantOthers for one that is not known.
func (v vocabulary) grant(name Permission) grant {
	switch name {
	case CredentialWrite:
		return grantCredentialWrite
	case ConfigWrite:
		return grantConfigWrite
	case SettingsRead:
		return grantSettingsRead
	case SettingsWrite:
		return grantSettingsWrite
	case MetadataRead:
		return grantMetadataRead
	case MetadataWrite:
		return grantMetadataWrite
	case ProxyAPI:
		return grantProxyAPI
	case Events:
		return grantEvents
	case Workflows:
		return grantWorkflows
	}
	for i, declared := range v {
		if declared == name {
			return 1 << (len(permissionNames) + i)
		}
	}
	return grantOthers
}

// names yields every permission of the nine and the declared ones, with its bit.
func (v vocabulary) names(yield func(Permission, grant) bool) {
	for i, name := range permissionNames {
		if !yield(name, 1<<i) {
			return
		}
	}
	for i, name := range v {
		if !yield(name, 1<<(len(permissionNames)+i)) {
			return
		}
	}
}

// include adds what the permissions in g include (SPEC 1.5).
func (g grant) include() grant {
	if g&grantSettingsWrite != 0 {
		g |= grantSettingsRead
	}
	if g&grantMetadataWrite != 0 {
		g |= grantMetadataRead
	}
	return g
}

// A PermissionSet is a set of permissions: what a rule grants, or what a policy
// allows on a target. It is a value that does not change. The zero PermissionSet
// is empty.
type PermissionSet struct {
	grant    grant
	declared *vocabulary // of the policy that it came from
}

func (s PermissionSet) vocabulary() vocabulary {
	if s.declared == nil {
		return nil
	}
	return *s.declared
}

// Has reports whether the set holds p. What p includes by SPEC 1.5 is held with
// it: a set with [SettingsWrite] has [SettingsRead]. A set that [PermissionSet.IsAll]
// has every name but the empty one, whether known or not (SPEC 1.6).
func (s PermissionSet) Has(p Permission) bool {
	return p != "" && s.grant&s.vocabulary().grant(p) != 0
}

// IsAll reports whether the set is everything, as the grant true is.
func (s PermissionSet) IsAll() bool { return s.grant == grantAll }

// IsEmpty reports whether the set holds nothing, as the grant false does.
func (s PermissionSet) IsEmpty() bool { return s.grant == grantNone }

// All yields the known permissions that the set holds, those that are included
// in others among them: the nine in the order of SPEC 1.4, then those that were
// declared, in the order of their declaration. A set that [PermissionSet.IsAll]
// also has names that nobody can list.
func (s PermissionSet) All() iter.Seq[Permission] {
	return func(yield func(Permission) bool) {
		for name, bit := range s.vocabulary().names {
			if s.grant&bit != 0 && !yield(name) {
				return
			}
		}
	}
}

// String returns "all", "none", or the names, separated by commas. A set that has
// every unknown name but lacks known ones is "all but" those.
func (s PermissionSet) String() string {
	switch {
	case s.IsAll():
		return "all"
	case s.IsEmpty():
		return "none"
	}
	lacks := s.grant&grantOthers != 0
	var list []string
	for name, bit := range s.vocabulary().names {
		if s.grant&bit != 0 != lacks {
			list = append(list, string(name))
		}
	}
	if lacks {
		return "all but " + strings.Join(list, ", ")
	}
	return strings.Join(list, ", ")
}
