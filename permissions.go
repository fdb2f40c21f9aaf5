package permissions

import (
	"encoding/json"
	"iter"
	"log/slog"
	"slices"
	"strings"

	"github.com/connectperms/permissions/internal/text"
)

// ClaimName is the name of the claim in a Paragon User Token.
const ClaimName = "urn:useparagon:connect:permissions"

// A Permission is the name of something that a token may do (SPEC 1.4). A claim grants
// permissions, and the action of a question is one. Names compare exactly, by bytes.
type Permission string

// The ten permissions of SPEC 1.4. [WithPermissions] declares more.
const (
	CredentialWrite Permission = "credential:write" // connect a new credential, reconnect or disconnect an existing one
	ConfigWrite     Permission = "config:write"     // create, modify or destroy a configuration
	SettingsRead    Permission = "settings:read"    // read User Settings and Workflow enablement
	SettingsWrite   Permission = "settings:write"   // write and read User Settings and Workflow enablement
	MetadataRead    Permission = "metadata:read"    // read User Metadata
	MetadataWrite   Permission = "metadata:write"   // write and read User Metadata
	ProxyAPI        Permission = "proxy-api"        // send requests to the Proxy API
	Events          Permission = "events"           // send App Events
	Workflows       Permission = "workflows"        // send Workflow Request triggers
	ActionKit       Permission = "actionkit"        // make ActionKit API requests
)

// tenPermissions has the name of each of the ten permissions, the permission that it includes (SPEC 1.5), and
// what it acts on (SPEC 3.3). Everything else is derived from this table, except the switch in number, which
// must have the same order. It is not modified.
var tenPermissions = [...]struct {
	name     Permission
	includes Permission
	acts     actsOn
}{
	{name: CredentialWrite, acts: actsOn{level: KindCredential, creates: true}},
	{name: ConfigWrite, acts: actsOn{level: KindConfiguration, creates: true}},
	{name: SettingsRead, acts: actsOn{level: KindConfiguration}},
	{name: SettingsWrite, acts: actsOn{level: KindConfiguration}, includes: SettingsRead},
	{name: MetadataRead, acts: actsOn{user: true}},
	{name: MetadataWrite, acts: actsOn{user: true}, includes: MetadataRead},
	{name: ProxyAPI, acts: actsOn{level: KindCredential}},
	{name: Events, acts: actsOn{user: true}},
	{name: Workflows, acts: actsOn{level: KindConfiguration}},
	{name: ActionKit, acts: actsOn{user: true, level: KindCredential}},
}

// actsOn says what an action acts on (SPEC 3.3). That depends on the target of the question.
type actsOn struct {
	user bool // the action can be asked of the user, and then acts on the user

	// Asked of an integration or a credential above this level, the action acts on something of this level
	// below the target. In all other cases, and always if level is 0, it acts on the target itself.
	level   Kind
	creates bool // what it acts on below the target does not exist yet
}

// AllPermissions returns the ten permissions, in the order of SPEC 1.4. The slice is the
// caller's to keep.
func AllPermissions() []Permission {
	list := make([]Permission, len(tenPermissions))
	for i := range tenPermissions {
		list[i] = tenPermissions[i].name
	}
	return list
}

// A grant is a set of permissions, a bit for each: the ten in the order of tenPermissions, then
// the extras in the order of their declaration. It has what its members include (SPEC 1.5).
type grant uint64

const (
	grantNone grant = 0
	grantAll  grant = 1<<64 - 1 // the grant true: every bit, also those that no permission has

	// grantTrue is set in the grant true only. It distinguishes true from an array of all
	// permissions. A later version may know more permissions. For that version true grants them,
	// and the array does not.
	grantTrue grant = 1 << 63
)

// maxExtras is how many permissions can be declared: the bits between those of the ten and grantTrue.
const maxExtras = 63 - len(tenPermissions)

// A vocabulary is the permissions that a claim may name: the ten and the extras that were
// declared (SPEC 1.9).
type vocabulary []Permission // the extras

// number returns the number of a permission's bit in a grant. The ten are spelled out once more
// here, because the compiler makes comparisons with constants, which are faster than a table.
func (v vocabulary) number(name Permission) (n int, ok bool) {
	switch name {
	case CredentialWrite:
		return 0, true
	case ConfigWrite:
		return 1, true
	case SettingsRead:
		return 2, true
	case SettingsWrite:
		return 3, true
	case MetadataRead:
		return 4, true
	case MetadataWrite:
		return 5, true
	case ProxyAPI:
		return 6, true
	case Events:
		return 7, true
	case Workflows:
		return 8, true
	case ActionKit:
		return 9, true
	}
	for i, extra := range v {
		if extra == name {
			return len(tenPermissions) + i, true
		}
	}
	return 0, false
}

// acts returns what an action acts on, given the number of its bit.
func acts(n int) actsOn { return actsOnOf[n%len(actsOnOf)] }

// actsOnOf is not modified.
var actsOnOf = func() (table [64]actsOn) {
	for n := range table {
		table[n] = actsOn{user: true} // an extra permission acts on the target itself (SPEC 3.3)
		if n < len(tenPermissions) {
			table[n] = tenPermissions[n].acts
		}
	}
	return table
}()

// all yields every permission with its number.
func (v vocabulary) all(yield func(int, Permission) bool) {
	for i := range tenPermissions {
		if !yield(i, tenPermissions[i].name) {
			return
		}
	}
	for i, extra := range v {
		if !yield(len(tenPermissions)+i, extra) {
			return
		}
	}
}

// grantOf is, for each number of a permission, its bit and the bit of what it includes. It is
// not modified.
var grantOf = func() (table [64]grant) {
	for i := range table {
		table[i] = 1 << i
		if i < len(tenPermissions) && tenPermissions[i].includes != "" {
			n, _ := vocabulary(nil).number(tenPermissions[i].includes)
			table[i] |= 1 << n
		}
	}
	return table
}()

// full returns the bits of all permissions.
func (v vocabulary) full() grant { return 1<<(len(tenPermissions)+len(v)) - 1 }

// implied returns the permissions in g that another one in g includes.
func (g grant) implied() (implied grant) {
	for i := range tenPermissions {
		if g&(1<<i) != 0 {
			implied |= grantOf[i] &^ (1 << i)
		}
	}
	return implied
}

// negated returns the known permission that a name was probably meant to exclude, such as events in !events
// or no-events, or "".
func (v vocabulary) negated(name string) string {
	rest := strings.TrimLeft(name, negations+" ")
	if rest != strings.TrimLeft(name, " ") {
		if _, known := v.number(Permission(rest)); known {
			return rest
		}
		return v.meant(rest)
	}
	for _, word := range []string{"no", "not", "deny", "except", "without"} {
		if len(name) > len(word) && strings.EqualFold(name[:len(word)], word) {
			rest := strings.TrimLeft(name[len(word):], "-_: ")
			if _, known := v.number(Permission(rest)); known {
				return rest
			}
		}
	}
	return ""
}

// negations are the characters that exclude something in other formats.
const negations = "!^~-"

// meant returns the known permission that a name was probably meant to be, or "".
func (v vocabulary) meant(name string) string {
	if rest, ok := strings.CutPrefix(name, "configuration:"); ok {
		name = "config:" + rest
	}
	return nearest(name, v.list())
}

// list returns the names of all permissions.
func (v vocabulary) list() (list []string) {
	for _, name := range v.all {
		list = append(list, string(name))
	}
	return list
}

// A PermissionSet is a set of permissions: what a rule grants, or what a policy allows on a
// target. It is a value that does not change. The zero PermissionSet is empty. Compare sets with
// [PermissionSet.Equal].
type PermissionSet struct {
	grant  grant
	extras *vocabulary // the extra permissions, in the order of their bits in grant; nil if there are none
}

// NewPermissionSet returns the set of these permissions and of those that they include
// (SPEC 1.5). A name that is not one of the ten is taken for a declared extra permission. The
// empty name is left out. A set holds up to 53 extra permissions; more are left out.
func NewPermissionSet(permissions ...Permission) PermissionSet {
	var s PermissionSet
	var extras vocabulary
	for _, name := range permissions {
		n, ok := extras.number(name)
		if !ok {
			if name == "" || len(extras) == maxExtras {
				continue
			}
			n = len(tenPermissions) + len(extras)
			extras = append(extras, name)
		}
		s.grant |= grantOf[n]
	}
	if extras != nil {
		s.extras = &extras
	}
	return s
}

func (s PermissionSet) vocabulary() vocabulary {
	if s.extras == nil {
		return nil
	}
	return *s.extras
}

// Has reports whether the set has p. A set with a permission has what that includes (SPEC 1.5):
// a set with [SettingsWrite] has [SettingsRead]. A name that is neither one of the ten nor
// declared is in no set (SPEC 3.4).
func (s PermissionSet) Has(p Permission) bool {
	n, ok := s.vocabulary().number(p)
	return ok && s.grant>>n&1 != 0
}

// IsAll reports whether the set has every permission: the ten and those that were declared.
func (s PermissionSet) IsAll() bool { full := s.vocabulary().full(); return s.grant&full == full }

// IsEmpty reports whether the set has no permission.
func (s PermissionSet) IsEmpty() bool { return s.grant&s.vocabulary().full() == 0 }

// Equal reports whether both sets have the same permissions.
func (s PermissionSet) Equal(t PermissionSet) bool {
	count := func(s PermissionSet) (n int) {
		for range s.All() {
			n++
		}
		return n
	}
	for p := range s.All() {
		if !t.Has(p) {
			return false
		}
	}
	return count(s) == count(t)
}

// All yields the permissions in the set, those that others include among them: the ten in the
// order of SPEC 1.4, then the extras in the order of their declaration.
func (s PermissionSet) All() iter.Seq[Permission] {
	return func(yield func(Permission) bool) {
		for n, name := range s.vocabulary().all {
			if s.grant>>n&1 != 0 && !yield(name) {
				return
			}
		}
	}
}

// String returns "all", "none", or the names, separated by commas.
func (s PermissionSet) String() string {
	switch {
	case s.IsAll():
		return "all"
	case s.IsEmpty():
		return "none"
	}
	var list []string
	for name := range s.All() {
		list = append(list, text.Plain(string(name)))
	}
	return strings.Join(list, ", ")
}

// LogValue returns [PermissionSet.String].
func (s PermissionSet) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON returns true if the set is the grant true, and otherwise an array of what
// [PermissionSet.All] yields. It never writes an array of all permissions as true: true would grant
// more in a version that knows more permissions.
func (s PermissionSet) MarshalJSON() ([]byte, error) {
	if s.grant&grantTrue != 0 {
		return []byte("true"), nil
	}
	return marshal(slices.AppendSeq([]Permission{}, s.All()))
}

// marshal is [json.Marshal] for what people may read too: it escapes what is invisible.
func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	return text.EscapeJSON(b), err
}
