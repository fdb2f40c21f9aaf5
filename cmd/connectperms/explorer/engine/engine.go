// Package engine answers what the explorer's page asks: what a claim says, what it allows, why, and what
// would change that. It takes JSON and returns JSON. It reads no file and no clock, and it opens no
// connection. So the page gives the same answers over WebAssembly and from a server on loopback.
//
// A text is parsed once. The engine keeps the latest claims, and later calls name them by a handle, which
// is made from the text.
package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"sync"
)

// An Engine answers calls. The zero Engine is ready for use. Any number of goroutines may use one.
type Engine struct {
	mu     sync.Mutex
	claims lru[*claim]
	views  lru[*view]
}

// maxKept is how many claims, and how many views, an engine keeps. The page shows two claims. The rest are earlier
// texts of the editors, for undo.
const maxKept = 8

// calls has the function for each name.
var calls = map[string]func(*Engine, *Request) (any, error){
	"vocabulary": (*Engine).vocabulary,
	"parse":      (*Engine).parse,
	"outline":    (*Engine).outline,
	"find":       (*Engine).find,
	"tree":       (*Engine).tree,
	"matrix":     (*Engine).matrix,
	"explain":    (*Engine).explain,
	"effects":    (*Engine).effects,
	"question":   (*Engine).question,
	"lint":       (*Engine).lint,
	"fix":        (*Engine).fix,
	"diff":       (*Engine).diff,
	"narrow":     (*Engine).narrow,
	"format":     (*Engine).format,
	"canonical":  (*Engine).canonical,
}

// Has reports whether there is a call with a name.
func Has(name string) bool { return calls[name] != nil }

// Call answers the call with a name. The request and the answer are JSON objects. If there is no answer, such as
// for an unknown name, the object has the member error, which says why.
func (e *Engine) Call(name, request string) (answer []byte) {
	f, ok := calls[name]
	if !ok {
		return Encode(nil, Problem("request", "there is no such call"))
	}
	return Encode(f(e, NewRequest(request)))
}

// Encode returns the JSON of an answer or, if there is an error, of the error.
func Encode(answer any, err error) []byte {
	if err != nil {
		failure, ok := failureOf(err)
		if !ok {
			failure = Problem("input", err.Error())
		}
		answer = struct {
			Error     *Failure   `json:"error"`
			LooksLike string     `json:"looksLike,omitempty"`
			Further   []*Failure `json:"further,omitempty"`
		}{failure, failure.looksLike, failure.further}
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		return Encode(nil, Problem("input", err.Error()))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// A Failure says why a call has no answer.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	*Place
	Field   string `json:"field,omitempty"`
	Found   string `json:"found,omitempty"`
	Problem string `json:"problem,omitempty"`
	Remedy  string `json:"remedy,omitempty"`

	Fix *mistakeFix `json:"fix,omitempty"`

	looksLike string
	further   []*Failure // the mistakes after this one
}

// Problem returns a failure with a code and a message.
func Problem(code, message string) *Failure { return &Failure{Code: code, Message: message} }

// Error returns the message.
func (f *Failure) Error() string { return f.Message }

func failureOf(err error) (*Failure, bool) {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure, true
	}
	return questionFailure(err)
}

// lru is an LRU cache of maxKept values. A look-up searches the keys one by one.
type lru[T any] struct {
	keys   []string // from the least to the most recently used
	values map[string]T
}

func (l *lru[T]) get(key string) (value T, ok bool) {
	if value, ok = l.values[key]; ok {
		i := slices.Index(l.keys, key)
		l.keys = append(slices.Delete(l.keys, i, i+1), key)
	}
	return value, ok
}

func (l *lru[T]) put(key string, value T) {
	if _, ok := l.get(key); ok {
		return
	}
	if l.values == nil {
		l.values = make(map[string]T)
	}
	if len(l.keys) == maxKept {
		delete(l.values, l.keys[0])
		l.keys = slices.Delete(l.keys, 0, 1)
	}
	l.keys, l.values[key] = append(l.keys, key), value
}
