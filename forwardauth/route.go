package forwardauth

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// A Route says what a request needs.
type Route struct {
	// Pattern is a method and a path, such as "POST /integrations/{integration}/proxy/{rest...}",
	// in the syntax of [http.ServeMux]. GET matches HEAD too. Without a method it matches GET, HEAD,
	// POST, PUT, PATCH, DELETE and OPTIONS, so a route for a permission that only reads must name its method. There is
	// no host.
	//
	// A variable such as {integration} is one whole segment. A source must use it. {_} is a segment that nothing uses.
	// {rest...} at the end is the tail: what follows the slash before it, which may be empty. So /a/{rest...} matches
	// /a/ and not /a. A slash at the end of a pattern matches only a slash at the end of the path.
	Pattern string

	// Permission is what the token must allow.
	Permission permissions.Permission

	// Integration, Credential and Configuration say where the request names the target. All zero, the
	// target is the user. Otherwise there must be an Integration. Name all that the request works on: events,
	// metadata and declared permissions act on what they are asked of, so for them an object below the target
	// that is left out does not count as unknown, and rules about it have no say.
	//
	// Nothing here says that the credential belongs to the integration, or whose it is. The service looks it
	// up within that integration and the subject of [SubjectHeader].
	Integration, Credential, Configuration Source

	// Tail is what the tail may hold beyond what a path may hold.
	//
	// With a Tail that is not zero, a server can decode the tail in another way, and take the path for one of another
	// route. So a request of this route is refused if there is another route
	//
	//   - whose method fits,
	//   - whose pattern has segments for all of the request before the tail, which match, and then has more segments, or
	//     ends without a tail (/a/{rest...} does no harm to /a/b/{rest...}), and
	//   - that asks another question: its Permission or one of its Sources differs. Sources are compared as they are
	//     declared. So a variable differs from Literal("slack") even if it holds slack. Two variables are the same if
	//     they are for the same segment, whatever their names are.
	//
	// What the tail of the request holds does not matter. If every request of this route would be refused because of
	// one other route, [New] returns an error. Make the paths differ before the tail.
	Tail Tail
}

// A Source says where a request names something: an integration by its name, a credential or a
// configuration by a reference (SPEC 3.5). [Path], [Header] and [Literal] make one. The zero Source is
// none.
type Source struct {
	kind sourceKind
	name string
}

type sourceKind uint8

const (
	sourcePath sourceKind = 1 + iota
	sourceHeader
	sourceLiteral
)

// Path is a variable of the pattern.
func Path(variable string) Source { return Source{sourcePath, variable} }

// Header is a header of the request, such as [httpauth.CredentialHeader]. A request that has it twice, as a
// list with a comma, or empty is refused. If a header for a credential or a configuration is missing, the
// question is about some credential or configuration, and nobody can say which. Then the answer is no if
// any rule about one would deny (SPEC 4.7). A request without the integration is refused.
//
// The gateway must pass the header on to the service. Otherwise the decision is about one object, and the
// service takes another one.
func Header(name string) Source { return Source{sourceHeader, name} }

// Literal is the same for every request.
func Literal(text string) Source { return Source{sourceLiteral, text} }

// ErrRoute matches every refusal of a route by [New]. Such an error wraps a [*RouteError].
var ErrRoute = errors.New("bad route")

// A RouteError says what is wrong with a route.
type RouteError struct {
	Pattern string // of the route

	// Problem is what is wrong. Remedy is what to do instead, or empty.
	Problem, Remedy string
}

// Error returns all of e in one line. A nil RouteError has a text too.
func (e *RouteError) Error() string {
	if e == nil {
		return "forwardauth: a nil *RouteError"
	}
	message := fmt.Sprintf("forwardauth: %v: %s %s", ErrRoute, text.Quote(e.Pattern), e.Problem)
	if e.Remedy != "" {
		message += "; " + e.Remedy
	}
	return message
}

// Unwrap returns [ErrRoute].
func (e *RouteError) Unwrap() error { return ErrRoute }

// A route is a Route that has been checked.
type route struct {
	Route
	method   string   // empty for any
	segments []string // "{}" for a variable; without the tail
	names    []string // of the variables, by segment
	hasTail  bool
}

const variable = "{}"

// anyMethod has the methods that a pattern without a method matches. It is not modified.
var anyMethod = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

func (r *route) literals() (n int) {
	for _, s := range r.segments {
		if s != variable {
			n++
		}
	}
	return n
}

func (r *Route) refuse(problem, remedy string) error {
	return &RouteError{Pattern: r.Pattern, Problem: problem, Remedy: remedy}
}

func parseRoute(given Route) (*route, error) {
	r := &route{Route: given}
	method, path, ok := strings.Cut(r.Pattern, " ")
	if !ok {
		method, path = "", r.Pattern
	}
	if r.method = method; ok && (method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "") {
		return nil, r.refuse("has a method that no request has",
			"write it in capital letters, and one space after it")
	}
	segments, err := splitPath(path)
	if err != nil {
		return nil, r.refuse("has a path that does not begin with a slash", "write it as in POST /events")
	}
	for i, s := range segments {
		inner, isVariable := strings.CutPrefix(s, "{")
		if !isVariable {
			problem := segmentProblem(s, 0)
			if s == "" && i < len(segments)-1 {
				problem = "is empty"
			}
			if problem != "" {
				return nil, r.refuse("is unreachable: a path with the segment "+text.Quote(s)+
					" is always refused, because the segment "+problem, "")
			}
			r.add(unescape(s), "")
			continue
		}
		name, closed := strings.CutSuffix(inner, "}")
		name, isTail := strings.CutSuffix(name, "...")
		switch {
		case !closed || name == "" || strings.ContainsAny(name, "{}.% "):
			return nil, r.refuse("has a bad variable "+text.Quote(s),
				"a variable is a whole segment, such as {integration}")
		case isTail && i < len(segments)-1:
			return nil, r.refuse("has a tail before its end", "move the tail to the end")
		case isTail:
			r.hasTail = true
		case name != "_" && slices.Contains(r.names, name):
			return nil, r.refuse("has the variable "+text.Quote(name)+" twice", "rename one of them")
		default:
			r.add(variable, name)
		}
	}
	if reads := r.Permission == permissions.SettingsRead || r.Permission == permissions.MetadataRead; reads && r.method == "" {
		return nil, r.refuse("is for every method, and "+string(r.Permission)+" only reads",
			"write a method before the path, such as GET")
	}
	if r.Tail != 0 && !r.hasTail {
		return nil, r.refuse("has no tail that Tail could be about", "end the pattern with {rest...}")
	}
	if r.Tail&^TailOpaque != 0 {
		return nil, r.refuse("has a Tail with unknown bits", "use the constants of the type Tail")
	}
	return r, r.checkSources()
}

func (r *route) add(segment, name string) {
	r.segments, r.names = append(r.segments, segment), append(r.names, name)
}

// sources returns the three sources with what they name.
func (r *Route) sources() [3]namedSource {
	return [3]namedSource{{"Integration", r.Integration}, {"Credential", r.Credential},
		{"Configuration", r.Configuration}}
}

type namedSource struct {
	what string
	Source
}

func (r *route) checkSources() error {
	used := map[string]bool{"": true, "_": true}
	for _, s := range r.sources() {
		switch s.kind {
		case sourcePath:
			if s.name == "" || s.name == "_" || !slices.Contains(r.names, s.name) {
				return r.refuse("has no variable "+text.Quote(s.name)+" for "+s.what,
					"a tail is data, and names nothing")
			}
			if used[s.name] {
				return r.refuse("uses the variable "+text.Quote(s.name)+" twice", "use it for one of the sources")
			}
			used[s.name] = true
		case sourceHeader:
			switch spelled := spelling(s.name); {
			case spelled == "" || strings.Contains(s.name, "_") ||
				strings.Trim(spelled, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
				return r.refuse("takes "+s.what+" from a header with the bad name "+text.Quote(s.name),
					"use letters, digits and -")
			case spelled == "authorization" || requestHeaders[spelled]:
				return r.refuse("takes "+s.what+" from a header that means something else: "+text.Quote(s.name),
					"use another header")
			}
		}
	}
	if r.Integration.kind == 0 && (r.Credential.kind != 0 || r.Configuration.kind != 0) {
		return r.refuse("has no Integration for its Credential or Configuration", "give it an Integration")
	}
	for _, name := range r.names {
		if !used[name] {
			return r.refuse("has the variable "+text.Quote(name)+" that nothing uses",
				"call it {_} if the target does not depend on it")
		}
	}
	return nil
}

// checkQuestion refuses a route of which every question is invalid (SPEC 3.4).
func (r *route) checkQuestion(known *permissions.Policy) error {
	example := func(s Source, what string) string {
		if s.kind == sourceLiteral {
			return s.name
		}
		return what
	}
	t := permissions.User()
	if r.Integration.kind != 0 {
		t = permissions.Integration(example(r.Integration, "example"))
	}
	if r.Credential.kind != 0 || r.Configuration.kind != 0 {
		t = t.Credential(permissions.Reference(example(r.Credential, "example")))
	}
	if r.Configuration.kind != 0 {
		t = t.Configuration(permissions.Reference(example(r.Configuration, "example")))
	}
	// The policy allows every valid question.
	var invalid *permissions.QuestionError
	if errors.As(known.Check(r.Permission, t), &invalid) {
		what := invalid.Field
		if invalid.Value != "" {
			what += " " + text.Quote(invalid.Value)
		}
		return r.refuse("asks what no policy allows: "+what+" "+invalid.Problem, invalid.Remedy)
	}
	return nil
}

// matches reports whether the pattern matches a method and the decoded segments of a path.
func (r *route) matches(method string, segments []string) bool {
	n := len(r.segments)
	return r.matchesMethod(method) && (len(segments) == n && !r.hasTail || len(segments) > n && r.hasTail) &&
		matchesSegments(r.segments, segments)
}

func (r *route) matchesMethod(method string) bool {
	return r.method != "" && r.method == method || coversMethod(r.method, method)
}

// matchesSegments reports whether a pattern of n segments matches the first n decoded segments.
func matchesSegments(pattern, segments []string) bool {
	for i, s := range pattern {
		if s == variable && segments[i] == "" || s != variable && s != segments[i] {
			return false
		}
	}
	return true
}

// ErrRequest matches the refusal of a request that names its target wrongly.
var ErrRequest = errors.New("bad request")

// target returns the target of a request with the decoded segments of its path.
func (r *route) target(segments []string, header http.Header) (permissions.Target, error) {
	if r.Integration.kind == 0 {
		return permissions.User(), nil
	}
	name, ok, err := r.value(r.Integration, segments, header)
	if err == nil && !ok {
		err = fmt.Errorf("forwardauth: %w: header %s with the integration is missing; send it", ErrRequest,
			text.Quote(r.Integration.name))
	}
	if err != nil {
		return permissions.Target{}, err
	}
	credential, err := r.reference(r.Credential, segments, header)
	if err != nil {
		return permissions.Target{}, err
	}
	configuration, err := r.reference(r.Configuration, segments, header)
	if err != nil {
		return permissions.Target{}, err
	}
	t := permissions.Integration(name)
	if r.Credential.kind != 0 || r.Configuration.kind != 0 {
		t = t.Credential(credential...)
	}
	if r.Configuration.kind != 0 {
		t = t.Configuration(configuration...)
	}
	return t, nil
}

// reference returns what a source says of an object: nothing, if the source is none or says nothing.
func (r *route) reference(s Source, segments []string, header http.Header) ([]permissions.Identifier, error) {
	value, ok, err := r.value(s, segments, header)
	if err != nil || !ok {
		return nil, err
	}
	return []permissions.Identifier{permissions.Reference(value)}, nil
}

// value returns what a source says, and whether it says anything. It returns a copy, because the cache of
// [WithLookup] keeps targets, which must not keep the text of the request around the value.
func (r *route) value(s Source, segments []string, header http.Header) (string, bool, error) {
	switch s.kind {
	case sourceLiteral:
		return s.name, true, nil
	case sourcePath:
		return strings.Clone(segments[slices.Index(r.names, s.name)]), true, nil
	case sourceHeader:
		var values []string
		problem := ""
		for name, v := range header {
			if spelling(name) == spelling(s.name) {
				values = append(values, v...)
				if name != http.CanonicalHeaderKey(s.name) {
					problem = "has underscores, which a gateway may drop on the way to the service"
				}
			}
		}
		switch {
		case len(values) == 0:
			return "", false, nil
		case problem != "":
		case len(values) > 1:
			problem = "is given more than once"
		case values[0] == "":
			problem = "is empty"
		case strings.Contains(values[0], ","):
			problem = "has a comma, and so may be a list"
		default:
			return strings.Clone(values[0]), true, nil
		}
		return "", false, fmt.Errorf("forwardauth: %w: header %s %s", ErrRequest, text.Quote(s.name), problem)
	}
	return "", false, nil
}
