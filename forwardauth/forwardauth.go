package forwardauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/internal/text"
	"github.com/connectperms/permissions/usertoken"
)

// SubjectHeader is the header of a yes that says for whom the request is: the subject of the token,
// with every byte escaped but letters, digits and -._~@ (RFC 3986, section 2.1). If the escaped subject is
// longer than [MaxSubject], the header has sha256: and the SHA-256 of the subject in hexadecimal digits
// instead. An escaped subject has no colon, so the two cannot be mistaken for each other.
const SubjectHeader = "X-Auth-Subject"

// MaxSubject is the length up to which [SubjectHeader] has the escaped subject itself. Gateways and services limit
// the length of headers: nginx reads 4 KiB of an answer's headers.
const MaxSubject = 512

// A Handler answers a gateway, see the package documentation. It does not change, so any number of
// goroutines can share one. A nil Handler and the zero Handler let nothing pass.
type Handler struct {
	dialect  Dialect
	verifier *usertoken.Verifier
	routes   table
	options
}

type options struct {
	log     *slog.Logger
	observe func(context.Context, permissions.Observation)
	timeout time.Duration
	clock   func() time.Time
	known   []permissions.Permission
	lookups *lookupCache // nil without WithLookup
	errs    []error
}

// An Option changes how a [Handler] works. The permissions of several [WithPermissions] add up. Any other
// option overrides an earlier one that sets the same thing. A nil option changes nothing. [New] returns an
// error for an invalid option.
type Option func(*options)

const defaultTimeout = 2 * time.Second

// New returns a handler that answers a gateway of a dialect for the tokens that a verifier accepts and the requests
// that routes match. An error says everything that is wrong, and matches [ErrRoute] if a route is wrong. There is one
// exception: if a name of [WithPermissions] is bad, the error says nothing of other such names and of the routes.
func New(dialect Dialect, verifier *usertoken.Verifier, routes []Route, opts ...Option) (*Handler, error) {
	h := &Handler{dialect: dialect, verifier: verifier, options: options{timeout: defaultTimeout, clock: time.Now}}
	for _, opt := range opts {
		if opt != nil {
			opt(&h.options)
		}
	}
	if !dialect.isValid() {
		h.refuse("there is no dialect with the number %d; use DialectNginx or another constant", dialect)
	}
	if verifier == nil {
		h.refuse("there is no verifier; usertoken.NewVerifier makes one")
	}
	if _, err := permissions.Parse([]byte("{}"), permissions.WithPermissions(h.known...)); err != nil {
		return nil, errors.Join(append(h.errs, err)...)
	}
	var err error
	h.routes, err = newTable(routes, permissions.Unrestricted(permissions.WithPermissions(h.known...)))
	if err = errors.Join(append(h.errs, err)...); err != nil {
		return nil, err
	}
	if h.lookups != nil {
		h.lookups.clock = h.clock
	}
	return h, nil
}

func (o *options) refuse(format string, args ...any) {
	o.errs = append(o.errs, fmt.Errorf("forwardauth: "+format, args...))
}

// WithLogger logs a line for each request that does not pass: at level Error for a status from 500 on, and at level
// Warn otherwise. The line has a code, the status, the method, the path without the query, the subject, the pattern
// of the route and the error. A yes whose [SubjectHeader] has a digest is logged too, at level Warn, with the
// subject and the digest. No line has a token, unless a function of the service puts one into an error, or the
// client one into the path. With the code dialect, method and path are empty, because nothing says what they are. A nil
// logger logs nothing.
func WithLogger(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// WithObserver sets a function that is called with every question that a policy is asked and its answer. The
// context is that of the request, with the claims ([httpauth.FromContext]) and the deadline of [WithTimeout]. The
// function must be safe for concurrent use. With nil, none is called.
func WithObserver(observe func(context.Context, permissions.Observation)) Option {
	return func(o *options) { o.observe = observe }
}

// WithTimeout sets how long a decision may take. The default is 2 seconds. After that time the contexts of the key
// source and of the [Lookup] end, and a request that the policy would allow is answered with 503. A function that
// goes on after its context has ended delays the answer. Give the gateway a timeout that is a little longer.
func WithTimeout(timeout time.Duration) Option {
	return func(o *options) {
		if o.timeout = timeout; timeout <= 0 {
			o.refuse("WithTimeout: the timeout is not above 0")
		}
	}
}

// WithClock sets the clock that says how long the result of a [Lookup] has been cached. The default is [time.Now].
func WithClock(now func() time.Time) Option {
	return func(o *options) {
		if o.clock = now; now == nil {
			o.refuse("WithClock: the function is nil; give one, or leave the option out")
		}
	}
}

// WithPermissions declares extra permissions that routes may need (SPEC 1.9). The verifier must declare
// them too.
func WithPermissions(extras ...permissions.Permission) Option {
	return func(o *options) { o.known = append(o.known, extras...) }
}

// WithLookup sets a function that completes the target of a request that would be denied only because an
// identifier is unknown, such as the external ID of a credential that is named by its ID
// ([permissions.ReasonUndetermined]). The policy is then asked about the target that the function returns.
// That target must have the same level and all identifiers that the request has. The function is not called
// for a request that names neither a credential nor a configuration, and not for one whose answer is certain. So it
// does not check that an object exists, or whose it is.
//
// The context has the claims of the token, see [httpauth.FromContext], and ends after the time of
// [WithTimeout]. The result is cached for each token and target for the time keep, from 0 (no cache) to a minute.
// So a changed external ID can go unnoticed for that long. The cache has at most maxEntries entries, and
// maxEntries must be 2 or more. An error is not cached, and the request does not pass.
//
// The function must be safe for concurrent use. It is called for what a client wrote into a request, and
// finds what the user of the token has: never look for an external ID among what others have.
func WithLookup(lookup Lookup, keep time.Duration, maxEntries int) Option {
	return func(o *options) {
		if lookup == nil || keep < 0 || keep > time.Minute || maxEntries < 2 {
			o.refuse("WithLookup: it needs a function, a time from 0 to a minute, and 2 or more entries")
		}
		o.lookups = &lookupCache{lookup: lookup, keep: keep, maxEntries: maxEntries}
	}
}

// An answer is what a gateway is told, and what the log says of it.
type answer struct {
	status    int
	code      string
	challenge string
	err       error // nil for a yes

	request request
	route   *route
	subject string
}

// answers has the answer to each error: the first that matches counts. It is not modified.
var answers = []struct {
	err       error
	status    int
	code      string
	challenge string // WWW-Authenticate
}{
	{usertoken.ErrKeys, http.StatusServiceUnavailable, "keys_unavailable", ""},
	{ErrLookup, http.StatusServiceUnavailable, "lookup_failed", ""},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "late", ""},
	{context.Canceled, http.StatusServiceUnavailable, "late", ""},
	{errHandler, http.StatusInternalServerError, "no_handler", ""},
	{errPanic, http.StatusInternalServerError, "panic", ""},
	{httpauth.ErrNoToken, http.StatusUnauthorized, "no_token", "Bearer"},
	{httpauth.ErrAuthorization, http.StatusUnauthorized, "invalid_request", `Bearer error="invalid_request"`},
	{usertoken.ErrToken, http.StatusUnauthorized, "invalid_token", `Bearer error="invalid_token"`},
	{permissions.ErrQuestion, http.StatusForbidden, "invalid_question", ""},
	{permissions.ErrDenied, http.StatusForbidden, "", ""}, // the code is that of the reason
	{ErrDialect, http.StatusForbidden, "dialect", ""},
	{ErrPath, http.StatusForbidden, "path", ""},
	{ErrOverride, http.StatusForbidden, "method_override", ""},
	{ErrNoRoute, http.StatusForbidden, "no_route", ""},
	{ErrNotFound, http.StatusForbidden, "not_found", ""},
	{ErrRequest, http.StatusForbidden, "invalid_request", ""},
}

var (
	errHandler = errors.New("a nil or zero Handler; New makes one")
	errPanic   = errors.New("panic")
)

// ServeHTTP answers a gateway. See the package documentation for the answers.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := h.decide(r)
	if a.err != nil {
		h.logRefusal(r.Context(), a)
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	switch {
	case a.err == nil:
		value := subjectValue(a.subject)
		header.Set(SubjectHeader, value)
		if strings.Contains(value, ":") && h.log != nil {
			h.log.LogAttrs(r.Context(), slog.LevelWarn, "forwardauth: subject sent as a digest",
				slog.String("code", "long_subject"),
				slog.String("subject", text.Quote(a.subject)), slog.Int("bytes", len(a.subject)),
				slog.String("value", value))
		}
	case a.status == http.StatusUnauthorized:
		header.Set("WWW-Authenticate", a.challenge)
	case a.status == http.StatusServiceUnavailable:
		header.Set("Retry-After", "1")
	}
	w.WriteHeader(a.status)
}

func (h *Handler) logRefusal(ctx context.Context, a answer) {
	if h == nil || h.log == nil {
		return
	}
	level := slog.LevelWarn
	if a.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("code", a.code), slog.Int("status", a.status),
		slog.String("method", text.Plain(a.request.method)), slog.String("path", text.Plain(a.request.path))}
	if a.subject != "" {
		attrs = append(attrs, slog.String("subject", text.Plain(a.subject)))
	}
	if a.route != nil {
		attrs = append(attrs, slog.String("route", a.route.Pattern))
	}
	h.log.LogAttrs(ctx, level, "forwardauth: refused", append(attrs, slog.String("err", a.err.Error()))...)
}

// decide returns the answer to a request of the gateway.
func (h *Handler) decide(r *http.Request) answer {
	var a answer
	a.err = h.askSafely(r, &a)
	if a.err == nil {
		a.status = dialects[h.dialect].yes
		return a
	}
	a.status, a.code = http.StatusInternalServerError, "internal"
	for _, known := range answers {
		if errors.Is(a.err, known.err) {
			a.status, a.code, a.challenge = known.status, known.code, known.challenge
			break
		}
	}
	var denied *permissions.DeniedError
	if a.code == "" && errors.As(a.err, &denied) {
		a.code = denied.Decision.Reason.String()
	}
	return a
}

// askSafely is ask with a bound for its time, and an error in place of a panic.
func (h *Handler) askSafely(r *http.Request, a *answer) (err error) {
	if h == nil || h.verifier == nil || !h.dialect.isValid() {
		return fmt.Errorf("forwardauth: %w", errHandler)
	}
	defer func() {
		// A key source, a look-up or an observer can panic. What it panics with may hold a token.
		if p := recover(); p != nil {
			err = fmt.Errorf("forwardauth: %w of type %T", errPanic, p)
		}
	}()
	ctx, cancel := context.WithTimeout(r.Context(), h.timeout)
	defer cancel()
	if err = h.ask(ctx, r, a); err != nil {
		return err
	}
	if err = ended(ctx); err != nil {
		return fmt.Errorf("forwardauth: the decision took longer than WithTimeout or the gateway allows: %w", err)
	}
	return nil
}

// ended returns an error if a context is done, or should be: on a busy machine Err may be late.
func ended(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// ask returns nil if the request may pass. It fills in a, for the log and for [SubjectHeader].
func (h *Handler) ask(ctx context.Context, r *http.Request, a *answer) (err error) {
	if a.request, err = h.dialect.read(r); err != nil {
		return err
	}
	var segments []string
	if a.route, segments, err = h.routes.route(a.request); err != nil {
		return err
	}
	if err := checkQuery(a.request.query); err != nil {
		return err
	}
	token, err := httpauth.BearerToken(r.Header["Authorization"]...)
	if err != nil {
		return err
	}
	claims, err := h.verifier.VerifyContext(ctx, token)
	if err != nil {
		return err
	}
	a.subject = claims.Subject
	target, err := a.route.target(segments, r.Header)
	if err != nil {
		return err
	}
	ctx = httpauth.NewContext(ctx, claims)
	policy := claims.Policy
	if h.observe != nil {
		policy = policy.Observe(func(o permissions.Observation) { h.observe(ctx, o) })
	}
	err = policy.Check(a.route.Permission, target)
	var denied *permissions.DeniedError
	if h.lookups == nil || !errors.As(err, &denied) || denied.Decision.Reason != permissions.ReasonUndetermined ||
		!canComplete(target) {
		return err
	}
	complete, err := h.lookups.complete(ctx, token, target)
	if err != nil {
		return err
	}
	return policy.Check(a.route.Permission, complete)
}

// subjectValue returns the value of [SubjectHeader].
func subjectValue(subject string) string {
	const upperDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(subject) && b.Len() <= MaxSubject; i++ {
		if c := subject[i]; isUnreserved(c) || c == '@' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperDigits[c>>4], upperDigits[c&15]})
		}
	}
	if b.Len() > MaxSubject {
		return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(subject)))
	}
	return b.String()
}
