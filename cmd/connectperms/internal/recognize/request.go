package recognize

import (
	"net/url"
	"regexp"
	"strings"
)

// A Request is what can be seen of an HTTP request in a curl command, or in the text of a request.
type Request struct {
	Method, Path string

	// Credential and Configuration are what the headers X-Paragon-Credential and X-Paragon-Configuration-Id
	// say. WritesMetadata says whether there is a header X-Paragon-User-Metadata.
	Credential, Configuration string
	WritesMetadata            bool
}

var (
	address     = regexp.MustCompile("https?://[^\\s'\"<>\\\\^`]+")
	requestLine = regexp.MustCompile(`(?m)^([A-Z]+) (/\S*) HTTP/`)
	method      = regexp.MustCompile(`(?:\s-X|\s--request)[\s=]*['"^]*([A-Za-z]+)`)
	data        = regexp.MustCompile(`\s(?:-d|--data(?:-[a-z]+)?|--json)[\s=]`)
)

// FindRequest finds the request in a decoded input. It is not ok if there is none.
func FindRequest(text []byte) (r Request, ok bool) {
	s := string(text)
	if m := requestLine.FindStringSubmatch(s); m != nil {
		r.Method, r.Path = m[1], m[2]
	} else if found := address.FindString(s); found != "" && strings.Contains(s, "curl") {
		u, err := url.Parse(found)
		if err != nil {
			return Request{}, false
		}
		r.Method, r.Path = "GET", u.Path
		if m := method.FindStringSubmatch(s); m != nil {
			r.Method = strings.ToUpper(m[1])
		} else if data.MatchString(s) {
			r.Method = "POST"
		}
	} else {
		return Request{}, false
	}
	r.Path, _, _ = strings.Cut(r.Path, "?") // a token may be in the rest
	r.Credential = header(s, "x-paragon-credential")
	r.Configuration = header(s, "x-paragon-configuration-id")
	r.WritesMetadata = header(s, "x-paragon-user-metadata") != ""
	return r, true
}

// header returns the value of a header, or "".
func header(text, name string) string {
	m := regexp.MustCompile(`(?i)(?:^|[\s'"^])` + name + `:[ \t]*([^'"^\r\n]+)`).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return strings.TrimSpace(m[1])
}
