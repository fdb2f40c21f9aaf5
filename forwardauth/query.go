package forwardauth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/connectperms/permissions/internal/text"
)

// ErrOverride matches the refusal of a query that could change the method in the service.
var ErrOverride = errors.New("the query overrides the method")

// judgeQuery returns an error if a parameter of a query could override the method, such as _method does
// for many frameworks. The parameter method is one like any other.
func judgeQuery(query string) error {
	for range maxDecodings + 1 {
		for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return strings.ContainsRune("&;?#", r) }) {
			name, _, _ := strings.Cut(pair, "=")
			if isOverride(name) {
				return fmt.Errorf("forwardauth: %w with %s", ErrOverride, text.Quote(name))
			}
		}
		decoded := unescape(query)
		if decoded == query {
			return nil
		}
		query = decoded
	}
	return nil
}

// isOverride judges a name by its letters, because readers differ in what else they ignore or take for
// an underscore: spaces, dots, brackets, NUL.
func isOverride(name string) bool {
	if strings.EqualFold(name, "method") {
		return false
	}
	name, _, _ = strings.Cut(name, "\x00")
	letters := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		if 'a' <= r && r <= 'z' {
			return r
		}
		return -1
	}, name)
	switch letters {
	case "method", "httpmethod", "xhttpmethod", "methodoverride", "httpmethodoverride", "xhttpmethodoverride",
		"xmethodoverride":
		return true
	}
	return false
}
