package httpauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/connectperms/permissions"
)

// CredentialHeader is the header in which a request to the Proxy API or to a workflow names
// the ID of the credential to use.
const CredentialHeader = "X-Paragon-Credential"

// A TargetFunc says what a request touches. See [Middleware.Require] for its errors.
type TargetFunc func(*http.Request) (permissions.Target, error)

// Sources says where each identifier of a target stands in a request. Its method
// [Sources.Target] is a [TargetFunc]. A nil Source leaves its identifier open. The zero
// Sources is the user.
//
// What has a Source must have a value: a request without it is wrong, and is not taken for a
// question about the level above. Nor can a request say that there is none
// ([permissions.None]): only who has looked can.
type Sources struct {
	Integration             Source
	CredentialID            Source
	CredentialExternalID    Source
	ConfigurationID         Source
	ConfigurationExternalID Source
}

// Target returns the target of a request. If a Source gives no value, [permissions.None], or
// one of many, the error matches [permissions.ErrTarget]. Any other error of a Source is
// returned as it is.
func (s Sources) Target(r *http.Request) (permissions.Target, error) {
	var t permissions.Target
	for _, f := range [...]struct {
		name   string
		source Source
		to     *string
	}{
		{"Integration", s.Integration, &t.Integration},
		{"CredentialID", s.CredentialID, &t.CredentialID},
		{"CredentialExternalID", s.CredentialExternalID, &t.CredentialExternalID},
		{"ConfigurationID", s.ConfigurationID, &t.ConfigurationID},
		{"ConfigurationExternalID", s.ConfigurationExternalID, &t.ConfigurationExternalID},
	} {
		if f.source == nil {
			continue
		}
		value, err := f.source(r)
		if err == nil {
			err = checkValue(value)
		}
		var problem *permissions.TargetError
		if errors.As(err, &problem) && problem.Field == "" {
			named := *problem
			named.Field = f.name
			err = &named
		}
		if err != nil {
			return permissions.Target{}, err
		}
		*f.to = value
	}
	return t, nil
}

// checkValue refuses what would change the question: the empty value, which would leave the
// identifier open or ask about the level above, and None.
func checkValue(value string) error {
	switch value {
	case "":
		return &permissions.TargetError{Problem: "is empty"}
	case permissions.None:
		return &permissions.TargetError{Problem: "is the value that stands for none"}
	}
	return nil
}

// A Source takes an identifier from a request. One of your own, for a router that keeps path
// values to itself say, need not check the value: [Sources] does.
type Source func(*http.Request) (string, error)

// Path is the path value of a name, as [http.Request.PathValue] has it: of a wildcard in the
// pattern of an [http.ServeMux], and of other routers that set path values.
//
// A value that holds an escape, such as %38, is wrong. Some routers leave escapes where a path
// is spelled unusually. Then the policy would be asked about another name than the one that
// is meant, and a rule that denies that would not match. For names that do hold such text,
// write a [Source] that takes it as your router has it, and look up the object by the same.
func Path(name string) Source {
	return func(r *http.Request) (string, error) {
		value := r.PathValue(name)
		switch {
		case value == "":
			return "", &permissions.TargetError{Problem: fmt.Sprintf("is empty: there is no path value %q", name)}
		case hasEscape(value):
			return "", &permissions.TargetError{Value: value, Problem: fmt.Sprintf("may be another name: there is an escape in path value %q", name)}
		}
		return value, nil
	}
}

// hasEscape reports whether s holds a percent sign and two hexadecimal digits.
func hasEscape(s string) bool {
	for i := strings.IndexByte(s, '%'); i >= 0; {
		s = s[i+1:]
		if len(s) >= 2 && isHex(s[0]) && isHex(s[1]) {
			return true
		}
		i = strings.IndexByte(s, '%')
	}
	return false
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// Query is the value of a name in the query of the URL; never in a form in the body. A query
// that has the name more than once, or is malformed anywhere, is wrong.
func Query(name string) Source {
	return func(r *http.Request) (string, error) {
		// URL.Query would drop what is malformed, and leave the rest to be believed.
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return "", &permissions.TargetError{Problem: "is unknown: the query is malformed"}
		}
		return one(query[name], fmt.Sprintf("query value %q", name))
	}
}

// Header is the value of a header, in any letter case of its name. A request that has the
// header more than once is wrong, and so is a value with a comma in it, which is what proxies
// make of two headers (RFC 9110, section 5.3).
func Header(name string) Source {
	return func(r *http.Request) (string, error) {
		value, err := one(r.Header.Values(name), fmt.Sprintf("header %q", name))
		if err == nil && strings.Contains(value, ",") {
			return "", &permissions.TargetError{Problem: fmt.Sprintf("may be many: there is a comma in header %q", name)}
		}
		return value, err
	}
}

// Literal is a value that does not depend on the request, for a route of one integration.
func Literal(value string) Source {
	return func(*http.Request) (string, error) { return value, nil }
}

func one(values []string, place string) (string, error) {
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", &permissions.TargetError{Problem: "is empty: there is no " + place}
	case len(values) > 1:
		return "", &permissions.TargetError{Problem: "is many: there is more than one " + place}
	}
	return values[0], nil
}
