package roles

import (
	"errors"
	"fmt"
	"strings"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// ErrConflict matches every refusal of [Compose] that is about what roles say together. Such an error is a
// [*ConflictError], unless the names in the rules have too many combinations, see [Compose].
var ErrConflict = errors.New("roles: conflict")

// A ConflictError is a question on which the roles disagree, or for which Compose finds no claim that answers it
// as the roles together do. It matches [ErrConflict].
type ConflictError struct {
	// Withholds is the role that withholds the action on the target, and WithholdsAt the path of its rule
	// that does. They are empty if no role withholds it: then Problem says why Compose finds no claim.
	Withholds   string
	WithholdsAt []permissions.Scope

	// Grants is a role that grants the action on the target, and GrantsAt the path of its rule that does.
	// They are empty if no role grants it: then the claim that Compose tried would grant it.
	Grants   string
	GrantsAt []permissions.Scope

	Action permissions.Permission
	Target permissions.Target

	// Problem is why Compose finds no claim, and empty if a role withholds it. Remedy is what to do.
	Problem, Remedy string
}

// Error returns all of e in one line.
func (e *ConflictError) Error() string {
	question := text.Quote(string(e.Action)) + " on " + e.Target.String()
	grants := "no role grants it"
	if e.Grants != "" {
		grants = "role " + text.Quote(e.Grants) + " grants it at " + pathText(e.GrantsAt)
	}
	if e.Withholds != "" {
		return fmt.Sprintf("%v: %s: %s, and role %s withholds it at %s; %s",
			ErrConflict, question, grants, text.Quote(e.Withholds), pathText(e.WithholdsAt), e.Remedy)
	}
	return fmt.Sprintf("%v: %s: %s, and %s; %s", ErrConflict, question, grants, e.Problem, e.Remedy)
}

// Unwrap returns ErrConflict.
func (e *ConflictError) Unwrap() error { return ErrConflict }

// pathText returns a path for people. Names are in quotation marks.
func pathText(p path) string {
	var list []string
	for _, s := range p {
		if s.IsWildcard() || !s.IsExternal() && s.Kind() != permissions.KindIntegration {
			list = append(list, s.String())
		} else {
			list = append(list, strings.TrimSuffix(s.String(), s.Name())+text.Quote(s.Name()))
		}
	}
	return strings.Join(list, "/")
}

// Compose returns the policy that allows what at least one of the roles allows. Where identifiers are unknown,
// too, it allows nothing that no role alone allows. No roles at all make the policy of {}, which denies
// everything.
//
// If one role withholds what another one grants, or if Compose finds no claim that says what the roles say
// together, the error is a [*ConflictError]; see the documentation of the package. One assignment alone makes
// the policy of [Assignment.Policy]. An error matches [ErrArguments] if arguments are wrong, as those of
// [Assignment.Policy], or if the roles declare different permissions.
//
// Two roles are a conflict if one allows something where an external ID is x, and the other one allows it
// everywhere else: the second one withholds it at x.
//
// It is meant for roles of tens of rules. Its time grows with the number of combinations of names that their rules
// can make, times the number of rules. It refuses more than 2,000 combinations with [ErrConflict]. A combination
// counts once for each level on which it can be a target.
func Compose(assignments ...Assignment) (*permissions.Policy, error) {
	if len(assignments) == 1 {
		return assignments[0].Policy()
	}
	var c composition
	for _, a := range assignments {
		rules, err := a.expand()
		if err != nil {
			return nil, err
		}
		if _, err := a.Role.build(rules); err != nil {
			return nil, err
		}
		if first := assignments[0].Role; !a.Role.known.Equal(first.known) {
			return nil, fmt.Errorf("%w: roles %s and %s declare different permissions; "+
				"create them with the same options", ErrArguments, text.Quote(first.name), text.Quote(a.Role.name))
		}
		c.options = a.Role.options
		c.add(a.Role.name, rules)
	}
	if err := c.findPoints(); err != nil {
		return nil, err
	}
	if err := c.checkWithheld(); err != nil {
		return nil, err
	}
	rules, err := c.claimRules()
	if err != nil {
		return nil, err
	}
	return build(rules, c.options)
}
