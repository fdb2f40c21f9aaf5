package roles

import (
	"fmt"
	"slices"
	"strings"

	"github.com/connectperms/permissions"
)

// A set has a bit for each permission that the roles know, and one for the grant true.
type set uint64

const setTrue set = 1 << 63

// A composition is roles that are composed.
//
// A point has a level, and the names of some rules of the roles that can all apply to one target of that level.
// There is a point for each such combination and each level, from integration to configuration, that is deep enough
// for it. A rule for credential:X gives points with the name X at the levels of credential and of configuration. Each
// level also has a point without names. The one at the level of integration is the point for the user too.
//
// So for every target there is a point to which the same rules of each role apply, and it is enough to look at
// points. Take a point with both an ID and an external ID of one object. No rule can name both. So there is also the
// point without the external IDs of objects that have an ID, even if no combination of rules has just these names. A
// rule of the claim for that point decides about both points.
type composition struct {
	options []permissions.Option
	actions []permissions.Permission
	roles   []member
	points  []point
	acting  []set     // of each point, the permissions that act on it (SPEC 3.3)
	granted []set     // of each point, what the roles together grant
	entries []entry   // the rules that the claim can have
	order   [][]int32 // of each point, the entries that apply, the most specific first
	lean    bool      // prune removes every entry that is not needed
}

// A member is a role with its rules.
type member struct {
	name  string
	rules []memberRule
}

type memberRule struct {
	rule
	point
	grants set
}

// An entry is a rule that the claim can have.
type entry struct {
	point
	path     path
	grants   set
	removed  bool // the claim does not have it
	excluded bool // and never will
}

// add adds a role.
func (c *composition) add(name string, rules []rule) {
	if c.actions == nil {
		c.actions = slices.Collect(knownTo(c.options).All())
	}
	m := member{name: name}
	for _, r := range rules {
		m.rules = append(m.rules, memberRule{r, pointOf(r.path), c.setOf(r)})
	}
	c.roles = append(c.roles, m)
}

func (c *composition) setOf(r rule) (s set) {
	for i, action := range c.actions {
		if r.grant.Has(action) {
			s |= 1 << i
		}
	}
	if r.all {
		s |= setTrue
	}
	return s
}

// maxPoints is how many points a composition can have.
const maxPoints = 2000

// findPoints finds the points, and what acts on each. It fails if there are more than maxPoints.
func (c *composition) findPoints() error {
	seen := make(map[point]bool)
	add := func(p point) {
		if !seen[p] {
			seen[p] = true
			c.points = append(c.points, p)
		}
	}
	for level := permissions.KindIntegration; level <= permissions.KindConfiguration; level++ {
		add(point{level: level})
	}
	for i := 0; i < len(c.points); i++ {
		add(c.points[i].byID())
		for _, r := range c.roles {
			for _, rule := range r.rules {
				if p, ok := c.points[i].with(rule.point); ok {
					add(p)
				}
			}
			if len(c.points) > maxPoints {
				return fmt.Errorf("%w: the names in the rules have more than %d combinations; compose fewer roles, "+
					"or roles that name less", ErrConflict, maxPoints)
			}
		}
	}
	for _, p := range c.points {
		c.acting = append(c.acting, c.actingOn(p))
	}
	return nil
}

// actingOn returns the permissions that act on a point itself, and not on something below it.
func (c *composition) actingOn(p point) (s set) {
	if p.level == permissions.KindConfiguration {
		return ^setTrue
	}
	// What acts on something below the point is denied there.
	var b permissions.Builder
	b.AnyIntegration().AllowAll()
	b.AnyIntegration().AnyCredential().AnyConfiguration().DenyAll()
	if p.level == permissions.KindIntegration {
		b.AnyIntegration().AnyCredential().DenyAll()
	}
	here, err := b.Build(c.options...)
	if err != nil {
		return 0
	}
	for i, action := range c.actions {
		if here.Allowed(action, p.target("some")) || p == anywhere && here.Allowed(action, permissions.User()) {
			s |= 1 << i
		}
	}
	return s
}

// question returns a question about the first of the permissions in a set, on a point.
func (c *composition) question(p point, about set) (permissions.Permission, permissions.Target) {
	for i, action := range c.actions {
		if about>>i&1 == 0 {
			continue
		}
		t := p.target(c.otherIntegration())
		if p == anywhere && permissions.Unrestricted(c.options...).Allowed(action, permissions.User()) {
			t = permissions.User()
		}
		return action, t
	}
	return "", permissions.Target{}
}

// otherIntegration returns the name of an integration that no role names.
func (c *composition) otherIntegration() string {
	name := "other"
	for n := 2; slices.ContainsFunc(c.points, func(p point) bool { return p.names[integration].Name() == name }); n++ {
		name = fmt.Sprintf("other-%d", n)
	}
	return name
}

// applying returns the rules of a role that apply to a point, the most specific first.
func (m *member) applying(p point) (list []memberRule) {
	for _, r := range m.rules {
		if r.covers(p) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b memberRule) int { return b.path.specificity() - a.path.specificity() })
	return list
}

// checkWithheld finds what the roles together grant, and returns an error if one of them withholds some of that.
func (c *composition) checkWithheld() error {
	for i, p := range c.points {
		var granted set
		deciders := make([]*memberRule, len(c.roles))
		withheld := make([]set, len(c.roles))
		for j := range c.roles {
			list := c.roles[j].applying(p)
			if len(list) == 0 {
				continue
			}
			deciders[j] = &list[0]
			granted |= list[0].grants
			if list[0].grants == 0 {
				withheld[j] = ^set(0)
			}
			for _, overridden := range list[1:] {
				withheld[j] |= overridden.grants &^ list[0].grants
			}
		}
		c.granted = append(c.granted, granted)
		for j, w := range withheld {
			for k, d := range deciders {
				if d == nil || w&d.grants&c.acting[i] == 0 {
					continue
				}
				e := &ConflictError{
					Withholds: c.roles[j].name, WithholdsAt: slices.Clone(deciders[j].path),
					Grants: c.roles[k].name, GrantsAt: slices.Clone(d.path),
					Remedy: "change one of the roles, or do not give both",
				}
				e.Action, e.Target = c.question(p, w&d.grants&c.acting[i])
				return e
			}
		}
	}
	return nil
}

// claimRules returns the rules of the claim. If rules at all points do not make one, it tries with other rules.
func (c *composition) claimRules() ([]rule, error) {
	all := c.entriesAtPoints()
	rules, err := c.rulesOf(all)
	if err == nil {
		return rules, nil
	}
	c.lean = true
	tries := [][]entry{all, c.filled(all), c.filled(c.entriesOfRoles())}
	for _, m := range c.roles { // one of the roles can say what all say together
		var list []entry
		for _, r := range m.rules {
			list = append(list, entry{point: r.point, path: r.path, grants: r.grants})
		}
		tries = append(tries, list)
	}
	for _, list := range tries {
		if rules, err := c.rulesOf(list); err == nil {
			return rules, nil
		}
	}
	return nil, err
}

// entriesAtPoints returns an entry for each point that a rule can name.
func (c *composition) entriesAtPoints() (list []entry) {
	for i, p := range c.points {
		if path, ok := p.ruleFor(); ok {
			list = append(list, entry{point: p, path: path, grants: c.granted[i]})
		}
	}
	return list
}

// entriesOfRoles returns an entry for each path that a role has a rule for.
func (c *composition) entriesOfRoles() []entry {
	named := make(map[point]bool)
	for _, m := range c.roles {
		for _, r := range m.rules {
			named[r.point] = true
		}
	}
	return slices.DeleteFunc(c.entriesAtPoints(), func(e entry) bool { return !named[e.point] })
}

// filled returns the entries with other grants for the permissions that act below their points: what the roles grant
// on the things there that have no other names. So an entry can take the place of more specific ones.
func (c *composition) filled(list []entry) []entry {
	granted := make(map[point]set)
	acting := make(map[point]set)
	for i, p := range c.points {
		granted[p], acting[p] = c.granted[i], c.acting[i]
	}
	list = slices.Clone(list)
	for i := range list {
		e := &list[i]
		for below := e.point; below.level < permissions.KindConfiguration; {
			done := acting[below]
			below.level++
			e.grants = e.grants&(done|setTrue) | granted[below]&^(done|setTrue)
		}
	}
	return list
}

// rulesOf returns the rules of a claim that has some of the entries.
func (c *composition) rulesOf(entries []entry) ([]rule, error) {
	c.entries = slices.Clone(entries)
	slices.SortStableFunc(c.entries, func(a, b entry) int { return b.path.specificity() - a.path.specificity() })
	c.order = nil
	for _, p := range c.points {
		var order []int32
		for j := range c.entries {
			if c.entries[j].covers(p) {
				order = append(order, int32(j))
			}
		}
		c.order = append(c.order, order)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	for {
		c.prune()
		scope, found := c.conflict()
		if !found {
			break
		}
		if err := c.resolveConflict(scope); err != nil {
			return nil, err
		}
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	var rules []rule
	for _, e := range c.entries {
		if !e.removed {
			rules = append(rules, rule{e.path, c.permissions(e.grants), e.grants&setTrue != 0})
		}
	}
	return rules, nil
}

// check returns an error if the claim grants something else than the roles together.
func (c *composition) check() error {
	if p, wrong := c.stillWrong(); wrong != 0 {
		return c.refuse(p, wrong, "no rule can name an ID and an external ID of one thing",
			"name things in one way in all roles")
	}
	return nil
}

// stillWrong is firstWrong, after prune if the claim is lean. Pruning can make a point right.
func (c *composition) stillWrong() (p point, wrong set) {
	if c.lean {
		c.prune()
	}
	return c.firstWrong()
}

func (c *composition) permissions(s set) permissions.PermissionSet {
	var list []permissions.Permission
	for i, action := range c.actions {
		if s>>i&1 != 0 {
			list = append(list, action)
		}
	}
	return permissions.NewPermissionSet(list...)
}

// decider returns the first entry in an order that the claim has, other than one that is left out. It
// returns nil if there is none.
func (c *composition) decider(order []int32, except *entry) *entry {
	for _, j := range order {
		if e := &c.entries[j]; !e.removed && e != except {
			return e
		}
	}
	return nil
}

func (e *entry) set() set {
	if e == nil {
		return 0
	}
	return e.grants
}

// firstWrong returns the first point on which the claim grants something else than the roles together, and what
// differs there. It also takes true out of a grant that decides where no role grants true.
func (c *composition) firstWrong() (p point, wrong set) {
	for i, order := range c.order {
		d := c.decider(order, nil)
		if wrong := (d.set() ^ c.granted[i]) & c.acting[i] &^ setTrue; wrong != 0 {
			return c.points[i], wrong
		}
		// The grant true has permissions of later versions too. The claim may have it only where a role has it.
		if d.set()&^c.granted[i]&setTrue != 0 {
			d.grants &^= setTrue
		}
	}
	return point{}, 0
}

// refuse returns the error for a question to which the claim gives another answer than the roles.
func (c *composition) refuse(p point, wrong set, problem, remedy string) error {
	e := &ConflictError{Problem: problem, Remedy: remedy}
	e.Action, e.Target = c.question(p, wrong)
	one := c.setOf(rule{grant: permissions.NewPermissionSet(e.Action)})
	for _, m := range c.roles {
		if list := m.applying(p); len(list) > 0 && list[0].grants&one == one {
			e.Grants, e.GrantsAt = m.name, slices.Clone(list[0].path)
			break
		}
	}
	return e
}

// prune removes the entries that change no answer: wherever one of them decides, the next one grants the
// same. In a lean claim it removes more: every entry without which no point that is right becomes wrong.
func (c *composition) prune() {
	covered := make([][]int, len(c.entries)) // the points that an entry covers
	for i, order := range c.order {
		for _, j := range order {
			covered[j] = append(covered[j], i)
		}
	}
	isNeeded := func(j int) bool {
		e := &c.entries[j]
		return slices.ContainsFunc(covered[j], func(i int) bool {
			if c.decider(c.order[i], nil) != e {
				return false
			}
			next := c.decider(c.order[i], e).set()
			if c.lean {
				asked := c.acting[i] | setTrue
				wrong, nextWrong := (e.grants^c.granted[i])&asked, (next^c.granted[i])&asked
				return wrong&^setTrue == 0 && nextWrong&^wrong != 0
			}
			return next != e.grants
		})
	}
	for again := true; again; {
		again = false
		for j := range c.entries {
			if e := &c.entries[j]; !e.removed && !isNeeded(j) {
				e.removed, again = true, true
			}
		}
	}
}

// conflict returns an entry whose scope must also hold more specific scopes, if a claim can write that scope in one
// place only: it cannot have a grant and a map there (SPEC 1.3).
func (c *composition) conflict() (scope *entry, found bool) {
	hasRoot := slices.ContainsFunc(c.entries, func(e entry) bool { return !e.removed && e.point == anywhere })
	for i := range c.entries {
		e := &c.entries[i]
		last := e.path[len(e.path)-1]
		if e.removed || last.IsWildcard() || last.Kind() == permissions.KindConfiguration {
			continue
		}
		if last.Kind() == permissions.KindCredential {
			// An ID can be written twice, in small and in capital letters. A credential of any integration
			// can be written at the top level and in integration:*, if that has no grant.
			upper := strings.ToUpper(last.Name())
			if !last.IsExternal() && upper != last.Name() || e.path[0].IsWildcard() && !hasRoot {
				continue
			}
		}
		if slices.ContainsFunc(c.entries, func(inner entry) bool { return !inner.removed && e.holds(inner) }) {
			return e, true
		}
	}
	return nil, false
}

// holds reports whether another entry is written inside the scope of e.
func (e *entry) holds(inner entry) bool {
	return len(inner.path) > len(e.path) && slices.Equal(inner.path[:len(e.path)], e.path)
}

// resolveConflict excludes the entry of a scope, or else the entries inside it, and restores all entries that are not
// excluded. If the claim is wrong either way, it returns the error.
func (c *composition) resolveConflict(scope *entry) error {
	before := slices.Clone(c.entries)
	scope.excluded = true
	c.restore()
	p, wrong := c.stillWrong()
	if wrong == 0 {
		return nil
	}
	copy(c.entries, before)
	for i := range c.entries {
		if e := &c.entries[i]; scope.holds(*e) {
			e.excluded = true
		}
	}
	c.restore()
	if _, wrong := c.stillWrong(); wrong == 0 {
		return nil
	}
	kind, inner := "integration", "credential:*"
	if scope.level == permissions.KindCredential {
		kind, inner = "credential", "configuration:*"
	}
	return c.refuse(p, wrong, "a claim cannot give "+pathText(scope.path)+" a grant and more specific scopes in it too",
		"grant the same on the "+kind+" as a less specific scope does, and the rest on "+inner+" in it")
}

// restore removes exactly the entries that are excluded.
func (c *composition) restore() {
	for i := range c.entries {
		c.entries[i].removed = c.entries[i].excluded
	}
}
