package httpauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/connectperms/permissions"
)

// The headers in which the platform's SDK names what to use, as references (SPEC 3.5).
const (
	CredentialHeader    = "X-Paragon-Credential"
	ConfigurationHeader = "X-Paragon-Configuration-Id"
)

// Sources says where a request names its target. Its method [Sources.Target] is a [TargetFunc].
//
// Integration gives a name. Credential and Configuration give references (SPEC 3.5): a UUID, ext: and an
// external ID, or a plain external ID. The other identifier of each is unknown.
//
// Which Sources there are decides how deep the target is, whatever a request has:
//
//	there is                    the target is
//	none                        the user
//	an Integration              the integration
//	a Credential                a credential of the integration
//	a Configuration             a configuration of the credential
//
// A request without the integration is wrong, and is answered with 400. A request can leave out a
// credential or a configuration, if the Source allows that, as [Header] does. Then the question is about
// some credential or configuration, and nobody can say which: both identifiers are unknown. A nil
// Credential beside a Configuration means the same: some credential. The answer is yes only if it is yes
// for all values that these identifiers can have (SPEC 4.7).
//
// A request names an integration and a credential apart, and nothing here says that they belong together.
// So look the credential up within that integration and subject before using it, or use [Guard], which
// asks about the row that it loads.
//
// Look it up by the same rule too: only a UUID in its usual spelling is an ID, and all else is an external ID.
// Compare external IDs by bytes. A collation that ignores letter case or accents, and a column of numbers, find the
// row of another external ID.
// If the service reads 3fa85f6457174562b3fc2c963f66afa6 as a UUID, the policy is asked about an external ID that
// no row has, and a rule that denies the external ID of the row does not match. The integration must have the
// name that claims have. If the service finds Slack under slack, Slack and its UUID, take the name from
// the row.
//
// A request never becomes a question about the level above because it leaves something out. Where it
// should, such as for an App Event with or without a credential, write a [TargetFunc].
type Sources struct {
	Integration   Source
	Credential    Source
	Configuration Source
}

// A Source takes a name or a reference from a request. It returns ok false, and no error, if the request
// does not have it. [Sources] refuses an empty one with 400, so a Source need not check that.
//
// An error that matches [permissions.ErrQuestion] is answered with 400, and any other as [WriteError]
// does. A [*permissions.QuestionError] may leave its Field empty. Sources fills it in.
type Source func(*http.Request) (ref string, ok bool, err error)

// Target returns the target of a request. The error matches [permissions.ErrQuestion], which is answered
// with 400, if a Source gives no value where there must be one, or gives a value that no name or
// reference may have (SPEC 2.4), or if there is no Integration above a Credential or a Configuration.
// Any other error is what a Source returned.
func (s Sources) Target(r *http.Request) (permissions.Target, error) {
	var none permissions.Target
	if s.Integration == nil {
		if s.Credential == nil && s.Configuration == nil {
			return permissions.User(), nil
		}
		return none, &permissions.QuestionError{
			Field: "integration", Problem: "has no Source", Remedy: "give Sources an Integration",
		}
	}
	name, ok, err := s.Integration.read(r, "integration")
	if err != nil {
		return none, err
	}
	if !ok {
		return none, &permissions.QuestionError{
			Field: "integration", Problem: "is missing in the request", Remedy: "send its name",
		}
	}
	target := permissions.Integration(name)
	if s.Credential != nil || s.Configuration != nil {
		ids, err := s.Credential.identifiers(r, "credential")
		if err != nil {
			return none, err
		}
		target = target.Credential(ids...)
	}
	if s.Configuration != nil {
		ids, err := s.Configuration.identifiers(r, "configuration")
		if err != nil {
			return none, err
		}
		target = target.Configuration(ids...)
	}
	return target, target.Err()
}

// identifiers returns what a reference names. It returns none if there is no reference.
func (s Source) identifiers(r *http.Request, field string) ([]permissions.Identifier, error) {
	ref, ok, err := s.read(r, field)
	if err != nil || !ok {
		return nil, err
	}
	return []permissions.Identifier{permissions.Reference(ref)}, nil
}

// read returns what a Source gives. A nil Source gives nothing.
func (s Source) read(r *http.Request, field string) (ref string, ok bool, err error) {
	if s == nil {
		return "", false, nil
	}
	ref, ok, err = s(r)
	if err == nil && ok && ref == "" {
		err = &permissions.QuestionError{Problem: "is empty", Remedy: "give a name or a reference"}
	}
	var problem *permissions.QuestionError
	if errors.As(err, &problem) && problem != nil && problem.Field == "" {
		named := *problem
		named.Field = field
		err = &named
	}
	return ref, ok, err
}

// Path takes the path value of the given name ([http.Request.PathValue]): of a wildcard in the
// pattern of an [http.ServeMux], and of other routers that set path values. A request that does not
// have it is wrong, and is answered with 400.
//
// So is a value that holds an escape, such as %38. Some routers leave escapes in a path that is
// spelled unusually. Then the policy would be asked about another name than the one that is meant,
// and a rule that denies the right one would not match. For names that do hold such text, write a
// [Source] that takes the value as your router has it, and look up the object by the same value.
//
// Path also refuses a request whose path has a segment . or .. after it was decoded once. A server behind the service,
// to which a proxy passes the path on, could take it for another path.
//
// A second ServeMux inside the first one sets path values anew. Give the wildcards of the two different names.
func Path(name string) Source {
	return func(r *http.Request) (string, bool, error) {
		value := r.PathValue(name)
		switch {
		case r.URL != nil && hasDotSegment(r.URL.Path):
			return "", false, &permissions.QuestionError{
				Problem: "may be another name: there is a segment . or .. in the path",
				Remedy:  "send the path without it",
			}
		case value == "":
			return "", false, &permissions.QuestionError{
				Problem: fmt.Sprintf("is missing: there is no path value %q", name),
				Remedy:  fmt.Sprintf("the pattern of the route needs the wildcard {%s}", name),
			}
		case hasEscape(value):
			return "", false, &permissions.QuestionError{
				Value:   value,
				Problem: fmt.Sprintf("may be another name: there is an escape in the path value %q", name),
				Remedy:  "send the path in its usual spelling",
			}
		}
		return value, true, nil
	}
}

func hasDotSegment(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." })
}

// hasEscape reports whether s holds a percent sign and two hexadecimal digits.
func hasEscape(s string) bool {
	for {
		_, after, found := strings.Cut(s, "%")
		if !found {
			return false
		}
		if len(after) >= 2 && isHex(after[0]) && isHex(after[1]) {
			return true
		}
		s = after
	}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// Query takes the query parameter of the given name from the URL, and never from a form in the
// body. So the handler takes it from r.URL.Query() too: r.FormValue would take one in the body
// instead. A request may leave it out. A request that has it more than once, that has it empty, or
// whose query is malformed anywhere, is answered with 400.
func Query(name string) Source {
	return func(r *http.Request) (string, bool, error) {
		// URL.Query would drop what is malformed and keep the rest.
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return "", false, &permissions.QuestionError{
				Problem: "is unknown: the query of the URL is malformed", Remedy: "escape what is in it",
			}
		}
		return single(query[name], fmt.Sprintf("query parameter %q", name))
	}
}

// Header takes the value of the header of the given name, in any letter case of the name. A request
// may leave it out. A request that has it more than once, as a list, or empty, is answered with
// 400. Any value with a comma is a list, because that is what proxies make of two headers (RFC 9110,
// section 5.3).
func Header(name string) Source {
	return func(r *http.Request) (string, bool, error) {
		value, ok, err := single(r.Header.Values(name), fmt.Sprintf("header %q", name))
		if strings.Contains(value, ",") {
			return "", false, &permissions.QuestionError{
				Value: value, Problem: fmt.Sprintf("has a comma in the header %q, which makes a list of it", name),
				Remedy: "send one value",
			}
		}
		return value, ok, err
	}
}

// Literal gives a name or a reference that does not depend on the request, such as for a route of
// one integration.
func Literal(value string) Source {
	return func(*http.Request) (string, bool, error) { return value, true, nil }
}

// single returns the only value, if there is one.
func single(values []string, place string) (value string, ok bool, err error) {
	switch len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	}
	return "", false, &permissions.QuestionError{
		Problem: "is given more than once: the request has several values of the " + place, Remedy: "send one",
	}
}
