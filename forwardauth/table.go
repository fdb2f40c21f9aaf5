package forwardauth

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// A table is checked routes, more specific ones before those that match more.
type table []*route

// newTable checks routes.
func newTable(list []Route, known *permissions.Policy) (table, error) {
	if len(list) == 0 {
		return nil, fmt.Errorf("forwardauth: %w: there are no routes, and nothing would pass; add a Route", ErrRoute)
	}
	var t table
	var errs []error
	for _, r := range list {
		parsed, err := parseRoute(r)
		if err == nil {
			err = parsed.checkQuestion(known)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, other := range t {
			if err := parsed.conflict(other); err != nil {
				errs = append(errs, err)
			}
		}
		t = append(t, parsed)
	}
	slices.SortStableFunc(t, func(a, b *route) int {
		return cmp.Or(
			cmp.Compare(b.literals(), a.literals()),
			compareBool(a.hasTail, b.hasTail),
			cmp.Compare(len(b.segments), len(a.segments)),
			compareBool(a.method == "", b.method == ""),
			compareBool(a.method == http.MethodGet, b.method == http.MethodGet)) // HEAD is more specific
	})
	return t, errors.Join(errs...)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// find returns the most specific route for a method and the decoded segments of a path, or nil.
func (t table) find(method string, segments []string) *route {
	for _, r := range t {
		if r.matches(method, segments) {
			return r
		}
	}
	return nil
}

// ErrNoRoute matches the refusal of a request that no route matches.
var ErrNoRoute = errors.New("no route")

// route returns the route of a request and the decoded segments of its path. An error matches [ErrNoRoute]
// or [ErrPath].
func (t table) route(asked request) (*route, []string, error) {
	raw, err := splitPath(asked.path)
	if err != nil {
		return nil, nil, err
	}
	segments := make([]string, len(raw))
	for i, s := range raw {
		segments[i] = unescape(s)
	}
	r := t.find(asked.method, segments)
	if r == nil {
		return nil, nil, fmt.Errorf("forwardauth: %w for %s %s; add a Route", ErrNoRoute, text.Quote(asked.method),
			text.Quote(asked.path))
	}
	// Some servers ignore a slash at the end, so the path without it must not lead to another question. Without it, the
	// path "/" has no segment, and no route matches that.
	if last := len(segments) - 1; segments[last] == "" {
		if without := t.find(asked.method, segments[:last]); without != nil && !without.asksLike(r) {
			return nil, nil, &PathError{Problem: "at the end is empty, and without it another route matches"}
		}
	}
	head := len(r.segments)
	for _, other := range t {
		if r.tailMayMatch(other) && other.matchesMethod(asked.method) && matchesSegments(other.segments[:head], segments) &&
			!other.asksLike(r) {
			return nil, nil, &PathError{Segment: raw[head],
				Problem: "may be read as a path of " + text.Quote(other.Pattern)}
		}
	}
	if err := checkSegments(raw[:head], 0); err != nil {
		return nil, nil, err
	}
	if err := checkSegments(raw[head:], r.Tail); err != nil {
		return nil, nil, err
	}
	return r, segments, nil
}

// A relation says which requests two patterns match.
type relation uint8

const (
	equal relation = iota
	more           // the first one matches more
	less           // the second one matches more
	overlap
	disjoint
)

// and combines the relations of two parts of a pattern.
func (a relation) and(b relation) relation {
	switch {
	case a == disjoint || b == disjoint:
		return disjoint
	case a == equal:
		return b
	case b == equal || a == b:
		return a
	}
	return overlap
}

func (r *route) relationTo(o *route) relation {
	n, m := len(r.segments), len(o.segments)
	rel := relateMethods(r.method, o.method).and(relatePaths(r.segments[:min(n, m)], o.segments[:min(n, m)]))
	switch {
	case n == m && r.hasTail == o.hasTail:
		return rel
	case n < m && r.hasTail:
		return rel.and(more)
	case m < n && o.hasTail:
		return rel.and(less)
	}
	return disjoint
}

func coversMethod(pattern, method string) bool {
	return pattern == "" && slices.Contains(anyMethod, method) || pattern == http.MethodGet &&
		method == http.MethodHead
}

func relateMethods(a, b string) relation {
	switch {
	case a == b:
		return equal
	case coversMethod(a, b):
		return more
	case coversMethod(b, a):
		return less
	}
	return disjoint
}

// relatePaths relates two lists of segments of the same length.
func relatePaths(a, b []string) relation {
	rel := equal
	for i := range a {
		rel = rel.and(relateSegments(a[i], b[i]))
	}
	return rel
}

func relateSegments(a, b string) relation {
	switch {
	case a == b:
		return equal
	case a == variable && b == "", b == variable && a == "":
		return disjoint // a variable is never empty
	case a == variable:
		return more
	case b == variable:
		return less
	}
	return disjoint
}

// conflict returns an error if r and o must not be in one table.
func (r *route) conflict(o *route) error {
	beside := func(problem, remedy string) error { return r.refuse(problem+" "+text.Quote(o.Pattern), remedy) }
	switch rel := r.relationTo(o); {
	case rel == equal:
		return beside("is unreachable: it matches the same requests as", "remove one of them")
	case rel == overlap:
		return beside("overlaps, and is neither more nor less specific than,",
			"add a route for what both match, or change one of them")
	case r.asksLike(o):
	case r.tailIsCoveredBy(o) || o.tailIsCoveredBy(r):
		return beside("and its neighbor differ only in what Tail lets a reader take for the other:",
			"leave Tail zero, or make the paths differ before the tail")
	case r.differsBySlash(o) || o.differsBySlash(r):
		return beside("differs in nothing but a slash at its end from", "remove one of them")
	}
	return nil
}

// asksLike reports whether two routes ask the same question of every request that both could match. Variables are
// compared by their segments, and not by their names.
func (r *route) asksLike(o *route) bool {
	mine, others := r.sources(), o.sources()
	for i, s := range mine {
		if other := others[i]; s.kind == sourcePath && other.kind == sourcePath {
			if slices.Index(r.names, s.name) != slices.Index(o.names, other.name) {
				return false
			}
		} else if s != other {
			return false
		}
	}
	return r.Permission == o.Permission
}

// tailMayMatch reports whether a server could take a path of r for one of o because it decodes r's tail in another
// way ([Route.Tail]), provided that o matches the segments before the tail.
func (r *route) tailMayMatch(o *route) bool {
	return r.Tail != 0 && (len(o.segments) > len(r.segments) || len(o.segments) == len(r.segments) && !o.hasTail)
}

// tailIsCoveredBy reports whether every path of r could be taken for one of o, so that every request of r is refused.
func (r *route) tailIsCoveredBy(o *route) bool {
	if !r.tailMayMatch(o) {
		return false
	}
	rel := relateMethods(o.method, r.method).and(relatePaths(o.segments[:len(r.segments)], r.segments))
	return rel == equal || rel == more
}

// differsBySlash reports whether r matches a path of o with a slash at its end, where o has no tail. Then r has
// none either, because an empty segment is always the last one of a pattern.
func (r *route) differsBySlash(o *route) bool {
	n := len(o.segments)
	return !o.hasTail && relateMethods(r.method, o.method) != disjoint &&
		len(r.segments) == n+1 && r.segments[n] == "" && relatePaths(r.segments[:n], o.segments) != disjoint
}
