package engine

import (
	"maps"
	"slices"
	"strconv"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/strictjson"
)

// A Request is a JSON object. Each method takes a member out of it, and returns the zero value for a member that is
// missing or of the wrong type. [Request.End] returns the first mistake.
//
// It reads JSON without reflection, because that would make the WebAssembly larger by a tenth.
type Request struct {
	members map[string]string // the JSON texts
	err     error
}

// NewRequest reads a request.
func NewRequest(text string) *Request {
	r := &Request{members: make(map[string]string)}
	s := strictjson.Scanner{Text: text}
	if s.Space() != '{' {
		return &Request{err: Problem("request", "a request is a JSON object")}
	}
	for more := s.Begin('}'); more; {
		name, value, ok := s.Member()
		if !ok {
			break
		}
		if _, repeated := r.members[name]; repeated {
			return &Request{err: Problem("request", "a member is repeated: "+strconv.Quote(name))}
		}
		r.members[name] = value
		if more, ok = s.More('}'); !ok {
			break
		}
	}
	if s.Problem == "" {
		s.End()
	}
	if s.Problem != "" {
		return &Request{err: Problem("request", "the request is not JSON: it "+s.Problem)}
	}
	return r
}

// End returns the first mistake. A member that no method has taken is a mistake too.
func (r *Request) End() error {
	for _, name := range slices.Sorted(maps.Keys(r.members)) {
		r.fail(name, "is not part of this call")
	}
	return r.err
}

func (r *Request) fail(name, problem string) {
	if r.err == nil {
		r.err = Problem("request", strconv.Quote(name)+" "+problem)
	}
}

func (r *Request) take(name string) string {
	text := r.members[name]
	delete(r.members, name)
	return text
}

// Text takes a string.
func (r *Request) Text(name string) string {
	text, ok := unquote(r.take(name))
	if !ok {
		r.fail(name, "is not a string")
	}
	return text
}

// unquote returns what the text of a JSON string means, and "" for no text.
func unquote(text string) (value string, ok bool) {
	if text == "" {
		return "", true
	}
	s := strictjson.Scanner{Text: text}
	if s.Space() != '"' {
		return "", false
	}
	return s.Str()
}

// flag takes true or false.
func (r *Request) flag(name string) bool {
	text := r.take(name)
	if text != "" && text != "true" && text != "false" {
		r.fail(name, "is not true or false")
	}
	return text == "true"
}

// number takes an integer of 0 or more.
func (r *Request) number(name string) int {
	text := r.take(name)
	if text == "" {
		return 0
	}
	return r.integer(name, text)
}

func (r *Request) integer(name, text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		r.fail(name, "is not a number, or not a whole one of 0 or more")
		return 0
	}
	return n
}

// each takes an array, and hands the text of each element to f.
func (r *Request) each(name string, f func(text string)) {
	text := r.take(name)
	if text == "" {
		return
	}
	s := strictjson.Scanner{Text: text}
	if s.Space() != '[' {
		r.fail(name, "is not an array")
		return
	}
	for more := s.Begin(']'); more; more, _ = s.More(']') { // it is well-formed
		s.Space()
		value, _ := s.Value()
		f(value)
	}
}

func (r *Request) numbers(name string) []int {
	var all []int
	r.each(name, func(text string) { all = append(all, r.integer(name, text)) })
	return all
}

func (r *Request) texts(name string) []string {
	var all []string
	r.each(name, func(text string) {
		value, ok := unquote(text)
		if !ok {
			r.fail(name, "is not an array of strings")
		}
		all = append(all, value)
	})
	return all
}

// target takes a target.
func (r *Request) target(name string) askedTarget { return newAskedTarget(r.take(name)) }

func (r *Request) targets(name string) []askedTarget {
	var all []askedTarget
	r.each(name, func(text string) { all = append(all, newAskedTarget(text)) })
	return all
}

// An askedTarget is a target of a request. If it is invalid, it keeps its text and what is wrong.
type askedTarget struct {
	permissions.Target
	text string
	err  error
}

// newAskedTarget reads a target from a JSON value. If it is invalid, err says why: that is a mistake in the question
// and not in the request. An empty text is invalid too.
func newAskedTarget(text string) askedTarget {
	t := askedTarget{text: text}
	t.err = t.UnmarshalJSON([]byte(text))
	return t
}
