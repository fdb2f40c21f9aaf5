package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/connectperms/permissions"
)

// A view has the rows of one claim, or of two to compare. Row 0 is the user. The others are a tree of
// scopes by what they mean: integrations, credentials in them, and configurations in those.
type view struct {
	claims  []*claim
	rows    []row
	byScope map[inScope]int // nodes of treeBuilder
	rowAt   []int           // the row of each node
	unused  unused

	difference func() *difference
}

// inScope is a scope in the scope of a node.
type inScope struct {
	node  int
	scope permissions.Scope
}

// A row is a scope in the tree.
type row struct {
	node        int // see treeBuilder
	parent      int // 0 for an integration
	scope       permissions.Scope
	children    int
	descendants int
	own         []int // for each claim, the rule that has the path, or -1
	maps        []int // for each claim, the nested map of the scope, or -1
}

// anyOf has the wildcard of each kind.
var anyOf = map[permissions.Kind]permissions.Scope{
	permissions.KindIntegration:   permissions.MustParseScope("integration:*"),
	permissions.KindCredential:    permissions.MustParseScope("credential:*"),
	permissions.KindConfiguration: permissions.MustParseScope("configuration:*"),
}

// A node is a row before the rows have their order.
type node struct {
	scope     permissions.Scope
	children  []int
	any       int // the wildcard child, or -1
	own, maps []int
}

func newView(claims []*claim) *view {
	g := treeBuilder{claims: claims, byScope: make(map[inScope]int)}
	g.add(-1, permissions.Scope{})
	g.child(0, anyOf[permissions.KindIntegration])
	for i, c := range claims {
		for number, path := range c.paths {
			g.all[g.path(path)].own[i] = number
		}
		for number, m := range c.maps {
			if at := g.path(m.Path()); g.all[at].maps[i] < 0 {
				g.all[at].maps[i] = number
			}
		}
	}
	g.addWildcards()
	v := &view{claims: claims, rows: make([]row, 0, len(g.all)), byScope: g.byScope, rowAt: make([]int, len(g.all))}
	g.order(v, 0, 0)
	v.unused = newUnused(claims)
	v.difference = onceDifference(claims)
	return v
}

// treeBuilder builds the tree of a view. Its nodes are in the order in which they were added.
type treeBuilder struct {
	claims  []*claim
	all     []node
	byScope map[inScope]int
}

func (g *treeBuilder) add(parent int, scope permissions.Scope) int {
	none := slices.Repeat([]int{-1}, 2*len(g.claims))
	n := node{scope: scope, any: -1, own: none[:len(g.claims)], maps: none[len(g.claims):]}
	number := len(g.all)
	g.all = append(g.all, n)
	switch {
	case parent < 0:
	case scope.IsWildcard():
		g.all[parent].any = number
	default:
		g.all[parent].children = append(g.all[parent].children, number)
	}
	return number
}

// child returns the child with a scope, and adds it if it is not there.
func (g *treeBuilder) child(parent int, scope permissions.Scope) int {
	key := inScope{parent, scope}
	if number, ok := g.byScope[key]; ok {
		return number
	}
	g.byScope[key] = g.add(parent, scope)
	return g.byScope[key]
}

// path returns the node at the end of a path. It adds the nodes that are missing.
func (g *treeBuilder) path(path []permissions.Scope) int {
	at := 0
	for _, scope := range path {
		at = g.child(at, scope)
	}
	return at
}

// addWildcards adds a wildcard child to each node that has children and no wildcard among them.
func (g *treeBuilder) addWildcards() {
	for number := range len(g.all) {
		n := &g.all[number]
		if len(n.children) == 0 || n.any >= 0 {
			continue
		}
		g.child(number, anyOf[g.all[n.children[0]].scope.Kind()])
	}
}

// order appends a node and its descendants to the rows of v, depth first: a wildcard comes after its siblings.
func (g *treeBuilder) order(v *view, number, parent int) {
	n := &g.all[number]
	children := n.children
	if n.any >= 0 {
		children = append(slices.Clip(children), n.any)
	}
	at := len(v.rows)
	v.rowAt[number] = at
	v.rows = append(v.rows, row{
		node: number, parent: parent, scope: n.scope, children: len(children), own: n.own, maps: n.maps,
	})
	for _, child := range children {
		g.order(v, child, at)
	}
	if at > 0 {
		v.rows[at].descendants = len(v.rows) - at - 1
	}
}

// rowOf returns the row of a path, or -1 if there is none or the path is empty.
func (v *view) rowOf(path []permissions.Scope) int {
	at := 0
	for _, scope := range path {
		child, ok := v.child(at, scope)
		if !ok {
			return -1
		}
		at = child
	}
	if at == 0 {
		return -1
	}
	return at
}

// child returns the row of a scope directly below the row at.
func (v *view) child(at int, scope permissions.Scope) (row int, ok bool) {
	number, ok := v.byScope[inScope{v.rows[at].node, scope}]
	return v.rowAt[number], ok
}

// path returns the path of a row. The path of the user is empty.
func (v *view) path(at int) []permissions.Scope {
	path := make([]permissions.Scope, 0, len(anyOf))
	for ; at > 0; at = v.rows[at].parent {
		path = append(path, v.rows[at].scope)
	}
	slices.Reverse(path)
	return path
}

// unused has names that no claim of a view has, for "any other".
type unused struct {
	integration string
	id          map[permissions.Kind]string
}

// How the names for "any other" begin.
const (
	unusedIntegration = "other"
	unusedID          = "00000000-0000-4000-8000-"
)

func newUnused(claims []*claim) unused {
	names := make(map[permissions.Scope]bool) // those that an unused name could be
	for _, c := range claims {
		for _, path := range c.paths {
			for _, scope := range path {
				if strings.HasPrefix(scope.Name(), unusedID) || strings.HasPrefix(scope.Name(), unusedIntegration) {
					names[scope] = true
				}
			}
		}
	}
	free := func(format string) string {
		for i := 1; ; i++ {
			text := fmt.Sprintf(format, i)
			if scope := permissions.MustParseScope(text); !names[scope] {
				return scope.Name()
			}
		}
	}
	u := unused{integration: unusedIntegration, id: map[permissions.Kind]string{
		permissions.KindCredential:    free("credential:" + unusedID + "%012d"),
		permissions.KindConfiguration: free("configuration:" + unusedID + "%012d"),
	}}
	if names[permissions.MustParseScope("integration:"+unusedIntegration)] {
		u.integration = free("integration:" + unusedIntegration + "-%d")
	}
	return u
}

// target returns the target that the row of a path asks about. For a wildcard it has an integration, or an ID without
// an external ID, that no rule names. Where a scope names one identifier, the other is unknown.
func (v *view) target(path []permissions.Scope) permissions.Target {
	t := permissions.User()
	for _, scope := range path {
		var ids []permissions.Identifier
		switch {
		case scope.IsWildcard():
			ids = append(ids, permissions.ID(v.unused.id[scope.Kind()]), permissions.NoExternalID())
		case scope.IsExternal():
			ids = append(ids, permissions.ExternalID(scope.Name()))
		default:
			ids = append(ids, permissions.ID(scope.Name()))
		}
		switch {
		case scope.Kind() == permissions.KindCredential:
			t = t.Credential(ids...)
		case scope.Kind() == permissions.KindConfiguration:
			t = t.Configuration(ids...)
		case scope.IsWildcard():
			t = permissions.Integration(v.unused.integration)
		default:
			t = permissions.Integration(scope.Name())
		}
	}
	return t
}

// title returns the scope of a row in words.
func (v *view) title(at int) string {
	if at == 0 {
		return "the user"
	}
	row := &v.rows[at]
	kind, printed, scope := row.scope.Kind().String(), row.scope.LogValue().String(), row.scope
	switch {
	case scope.IsWildcard() && v.rows[row.parent].children == 1:
		return "any " + kind
	case scope.IsWildcard():
		return "any other " + kind
	case scope.IsExternal():
		return kind + " with external ID " + strings.TrimPrefix(printed, kind+":ext:")
	}
	if name := scope.Name(); printed == kind+`:"`+name+`"` {
		return kind + " " + name // it needs no quotation marks
	}
	return kind + " " + strings.TrimPrefix(printed, kind+":")
}

// label returns a scope for people.
func label(scope permissions.Scope) string {
	if scope == (permissions.Scope{}) {
		return ""
	}
	return scope.LogValue().String()
}

// view returns the view of claims.
func (e *Engine) view(handles []string) (*view, error) {
	if len(handles) == 0 || len(handles) > 2 {
		return nil, Problem("request", "give one claim, or two to compare")
	}
	var claims []*claim
	for _, handle := range handles {
		c, err := e.claim(handle)
		if err != nil {
			return nil, err
		}
		claims = append(claims, c)
	}
	if len(claims) == 1 {
		return claims[0].rows(), nil
	}
	key := strings.Join(handles, " ") // handles have no spaces
	e.mu.Lock()
	v, ok := e.views.get(key)
	e.mu.Unlock()
	if !ok {
		v = newView(claims)
		e.mu.Lock()
		e.views.put(key, v)
		e.mu.Unlock()
	}
	return v, nil
}

// claimOf returns the claim of a question, and the view whose rows the answer has.
func (e *Engine) claimOf(q asked) (*claim, *view, error) {
	c, err := e.claim(q.claim)
	if err != nil {
		return nil, nil, err
	}
	if len(q.outline) == 0 {
		return c, c.rows(), nil
	}
	v, err := e.view(q.outline)
	return c, v, err
}

type outlineAnswer struct {
	Rows        int   `json:"rows"`
	Descendants []int `json:"descendants"`
}

func (e *Engine) outline(r *Request) (any, error) {
	claims := r.texts("claims")
	if err := r.End(); err != nil {
		return nil, err
	}
	v, err := e.view(claims)
	if err != nil {
		return nil, err
	}
	answer := outlineAnswer{len(v.rows), make([]int, len(v.rows))}
	for i := range v.rows {
		answer.Descendants[i] = v.rows[i].descendants
	}
	return answer, nil
}

type findAnswer struct {
	Rows []int `json:"rows"`
	More bool  `json:"more"`
}

func (e *Engine) find(r *Request) (any, error) {
	claims, text, limit := r.texts("claims"), r.Text("text"), r.number("limit")
	if err := r.End(); err != nil {
		return nil, err
	}
	v, err := e.view(claims)
	if err != nil {
		return nil, err
	}
	answer, wanted := findAnswer{Rows: []int{}}, strings.ToLower(text)
	for i := range v.rows {
		if i == 0 || !strings.Contains(strings.ToLower(v.rows[i].scope.String()), wanted) {
			continue
		}
		if len(answer.Rows) == limit {
			answer.More = true
			break
		}
		answer.Rows = append(answer.Rows, i)
	}
	return answer, nil
}

// maxRows is the most rows that one call answers.
const maxRows = 1000

type treeAnswer struct {
	Rows []treeRow `json:"rows"`
}

type treeRow struct {
	Row         int                 `json:"row"`
	Depth       int                 `json:"depth"`
	Kind        string              `json:"kind"`
	Scope       string              `json:"scope"`
	Label       string              `json:"label"`
	Title       string              `json:"title"`
	Path        []permissions.Scope `json:"path"`
	Target      permissions.Target  `json:"target"`
	Implied     bool                `json:"implied"`
	Children    int                 `json:"children"`
	Descendants int                 `json:"descendants"`
	Claims      []treeClaim         `json:"claims"`
}

type treeClaim struct {
	Own       *ruleRef   `json:"own,omitempty"`
	Map       *mapRef    `json:"map,omitempty"`
	Inherits  *ruleRef   `json:"inherits,omitempty"`
	Overrides []*ruleRef `json:"overrides"`
	cells
}

type mapRef struct {
	keyedPlace
	Empty bool `json:"empty"`
}

func (e *Engine) tree(r *Request) (any, error) {
	claims, rows := r.texts("claims"), r.numbers("rows")
	if err := r.End(); err != nil {
		return nil, err
	}
	v, err := e.view(claims)
	if err != nil {
		return nil, err
	}
	if err := v.check(rows); err != nil {
		return nil, err
	}
	answer := treeAnswer{Rows: []treeRow{}}
	for _, at := range rows {
		answer.Rows = append(answer.Rows, v.treeRow(at))
	}
	return answer, nil
}

// check returns an error for rows that are not there, and for too many.
func (v *view) check(rows []int) error {
	if len(rows) > maxRows {
		return Problem("request", fmt.Sprintf("ask for at most %d rows", maxRows))
	}
	for _, at := range rows {
		if at < 0 || at >= len(v.rows) {
			return Problem("request", fmt.Sprintf("there is no row %d", at))
		}
	}
	return nil
}

func (v *view) treeRow(at int) treeRow {
	n, path := &v.rows[at], v.path(at)
	target := v.target(path)
	out := treeRow{
		Row: at, Depth: max(0, len(path)-1), Kind: permissions.KindUser.String(),
		Scope: n.scope.String(), Label: label(n.scope), Title: v.title(at), Path: path, Target: target,
		Implied: at > 0, Children: n.children, Descendants: n.descendants,
	}
	if at > 0 {
		out.Kind = n.scope.Kind().String()
	}
	for i, c := range v.claims {
		t := treeClaim{Overrides: []*ruleRef{}, cells: c.cells(target)}
		own := v.own(at, i)
		t.Own = c.ref(own, v)
		less := v.lessSpecific(path, i)
		if own >= 0 {
			for _, number := range less {
				t.Overrides = append(t.Overrides, c.ref(number, v))
			}
		} else if len(less) > 0 {
			t.Inherits = c.ref(less[0], v)
		}
		if number := n.maps[i]; number >= 0 {
			m := c.maps[number]
			t.Map = &mapRef{c.memberPlace(c.mapAt[number], m.Pointer()), m.IsEmpty()}
		}
		out.Implied = out.Implied && own < 0 && t.Map == nil
		out.Claims = append(out.Claims, t)
	}
	out.Implied = out.Implied && n.scope.IsWildcard()
	return out
}

// own returns the rule of a claim whose path is that of a row, or -1. For the user it is the rule integration:*.
func (v *view) own(at, claim int) int {
	if at == 0 {
		at, _ = v.child(0, anyOf[permissions.KindIntegration])
	}
	return v.rows[at].own[claim]
}

// lessSpecific returns the rules of a claim that apply to what a path names, apart from the rule that has the
// path, the most specific first (SPEC 4.5). An identifier that the path does not name counts as absent.
func (v *view) lessSpecific(path []permissions.Scope, claim int) []int {
	var found []int
	for depth := len(path); depth > 0; depth-- {
		for less := range 1 << depth { // bit i: a wildcard at the i-th level, so that the deepest level weighs most
			at := 0
			for i, scope := range path[:depth] {
				if less>>i&1 != 0 {
					if scope.IsWildcard() {
						at = -1
						break
					}
					scope = anyOf[scope.Kind()]
				}
				child, ok := v.child(at, scope)
				if !ok {
					at = -1
					break
				}
				at = child
			}
			if at > 0 && v.rows[at].own[claim] >= 0 && (less != 0 || depth < len(path)) {
				found = append(found, v.rows[at].own[claim])
			}
		}
	}
	return found
}
