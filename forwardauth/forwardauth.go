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
	"unicode/utf8"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/internal/text"
	"github.com/connectperms/permissions/usertoken"
)

// SubjectHeader is the header of a yes that says for whom the request is: the subject of the token,
// with every byte escaped but letters, digits and -._~@ (RFC 3986, section 2.1). In place of a subject
// that is longer than [MaxSubject] so, it has sha256: and the SHA-256 of the subject in hexadecimal
// digits. An escaped subject has no colon, so the two cannot be mistaken for each other.
// A subject with U+FFFD is refused, because different malformed texts decode to it.
const SubjectHeader = "X-Auth-Subject"

// MaxSubject is the length up to which [SubjectHeader] has the escaped subject itself. Gateways and
// services take no header of any length: nginx reads 4 KiB of an answer's headers.
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
	memory  *memory
	errs    []error
}

// An Option changes how a [Handler] works. Of two that set the same, the later one counts. A nil option
// changes nothing. An option that is wrong in itself is an error of [New].
type Option func(*options)

const defaultTimeout = 2 * time.Second

// New returns a handler that answers a gateway of a dialect for the tokens that a verifier accepts and
// the requests that routes match. An error says everything that is wrong, and matches [ErrRoute] if a
// route is.
func New(dialect Dialect, verifier *usertoken.Verifier, routes []Route, opts ...Option) (*Handler, error) {
	h := &Handler{dialect: dialect, verifier: verifier, options: options{timeout: defaultTimeout, clock: time.Now}}
	for _, opt := range opts {
		if opt != nil {
			opt(&h.options)
		}
	}
	if !dialect.isValid() {
		h.refuse("there is no dialect with the number %d", dialect)
	}
	if verifier == nil {
		h.refuse("there is no verifier")
	}
	if _, err := permissions.Parse([]byte("{}"), permissions.WithPermissions(h.known...)); err != nil {
		return nil, errors.Join(append(h.errs, err)...)
	}
	var err error
	h.routes, err = newTable(routes, permissions.Unrestricted(permissions.WithPermissions(h.known...)))
	if err = errors.Join(append(h.errs, err)...); err != nil {
		return nil, err
	}
	if h.memory != nil {
		h.memory.clock = h.clock
	}
	return h, nil
}

func (o *options) refuse(format string, args ...any) {
	o.errs = append(o.errs, fmt.Errorf("forwardauth: "+format, args...))
}

// WithLogger logs a line for each request that does not pass, and for each answer that the gateway
// could not use as it is: at level Warn, and at level Error if the fault is not the client's. A line
// has a code, the status, the method, the path without the query, the subject, the pattern of the
// route and the error. It never has a token. A nil logger logs nothing.
func WithLogger(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// WithObserver sets a function that is called with every question that a policy is asked and its answer. The
// context is that of the request. The function must be safe for concurrent use. A nil function is ignored.
func WithObserver(observe func(context.Context, permissions.Observation)) Option {
	return func(o *options) { o.observe = observe }
}

// WithTimeout sets how long a decision may take. The default is 2 seconds. The context of the key source
// and of the [Lookup] ends then, and a later yes is a no. Give the gateway a timeout that is a little
// longer.
func WithTimeout(timeout time.Duration) Option {
	return func(o *options) {
		if o.timeout = timeout; timeout <= 0 {
			o.refuse("WithTimeout: the timeout is not above 0")
		}
	}
}

// WithClock sets the clock by which a [Lookup] is remembered. The default is [time.Now].
func WithClock(now func() time.Time) Option {
	return func(o *options) {
		if o.clock = now; now == nil {
			o.refuse("WithClock: the function is nil")
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
// ([permissions.ReasonUndetermined]). The answer is asked about again. It must have the same level and
// all identifiers that the request has.
//
// The context has the claims of the token, see [httpauth.FromContext], and ends after the time of [WithTimeout]. What
// the function returns is remembered for a token and a target for the time keep, up to a minute, so a
// change of an external ID may be noticed so much later. Up to most answers are remembered. An error is
// not remembered, and nothing passes.
//
// The function must be safe for concurrent use. It is called for what a client wrote into a request, and
// finds what the user of the token has: never look for an external ID among what others have.
func WithLookup(lookup Lookup, keep time.Duration, most int) Option {
	return func(o *options) {
		if lookup == nil || keep < 0 || keep > time.Minute || most < 2 {
			o.refuse("WithLookup: it needs a function, a time from 0 to a minute, and a bound of 2 or more")
		}
		o.memory = &memory{lookup: lookup, keep: keep, most: most}
	}
}

// A verdict is an answer, and what a log needs to say of it.
type verdict struct {
	status    int
	code      string
	challenge string
	err       error // nil for a yes

	asked   asked
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
	{permissions.ErrDenied, http.StatusForbidden, "", ""}, // the code is that of the reason
	{permissions.ErrQuestion, http.StatusForbidden, "invalid_question", ""},
	{ErrDialect, http.StatusForbidden, "dialect", ""},
	{ErrPath, http.StatusForbidden, "path", ""},
	{ErrOverride, http.StatusForbidden, "method_override", ""},
	{ErrNoRoute, http.StatusForbidden, "no_route", ""},
	{ErrNotFound, http.StatusForbidden, "not_found", ""},
	{ErrRequest, http.StatusForbidden, "invalid_request", ""},
}

var (
	errHandler = errors.New("a nil or zero Handler")
	errPanic   = errors.New("panic")
)

// ServeHTTP answers a gateway. See the package documentation for the answers.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := h.decide(r)
	if v.err != nil {
		h.logRefusal(r.Context(), v)
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	switch {
	case v.err == nil:
		value := subjectValue(v.subject)
		header.Set(SubjectHeader, value)
		if strings.Contains(value, ":") && h.log != nil {
			h.log.LogAttrs(r.Context(), slog.LevelWarn, "forwardauth: subject sent as a digest",
				slog.String("code", "long_subject"),
				slog.String("subject", text.Quote(v.subject)), slog.Int("bytes", len(v.subject)),
				slog.String("value", value))
		}
	case v.status == http.StatusUnauthorized:
		header.Set("WWW-Authenticate", v.challenge)
	case v.status == http.StatusServiceUnavailable:
		header.Set("Retry-After", "1")
	}
	w.WriteHeader(v.status)
}

func (h *Handler) logRefusal(ctx context.Context, v verdict) {
	if h == nil || h.log == nil {
		return
	}
	level := slog.LevelWarn
	if v.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs := []slog.Attr{slog.String("code", v.code), slog.Int("status", v.status),
		slog.String("method", text.Plain(v.asked.method)), slog.String("path", text.Plain(v.asked.path))}
	if v.subject != "" {
		attrs = append(attrs, slog.String("subject", text.Plain(v.subject)))
	}
	if v.route != nil {
		attrs = append(attrs, slog.String("route", v.route.Pattern))
	}
	h.log.LogAttrs(ctx, level, "forwardauth: refused", append(attrs, slog.String("err", v.err.Error()))...)
}

// decide returns the answer to a request of the gateway.
func (h *Handler) decide(r *http.Request) verdict {
	var v verdict
	v.err = h.askSafely(r, &v)
	if v.err == nil {
		v.status = dialects[h.dialect].yes
		return v
	}
	v.status, v.code = http.StatusInternalServerError, "internal"
	for _, a := range answers {
		if errors.Is(v.err, a.err) {
			v.status, v.code, v.challenge = a.status, a.code, a.challenge
			break
		}
	}
	var denied *permissions.DeniedError
	if errors.As(v.err, &denied) {
		v.code = denied.Decision.Reason.String()
	}
	return v
}

// askSafely is ask with a bound for its time, and an error in place of a panic.
func (h *Handler) askSafely(r *http.Request, v *verdict) (err error) {
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
	if err = h.ask(ctx, r, v); err != nil {
		return err
	}
	if err = ended(ctx); err != nil {
		return fmt.Errorf("forwardauth: the decision took too long: %w", err)
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

// ask returns nil if the request may pass. It fills in v for the log.
func (h *Handler) ask(ctx context.Context, r *http.Request, v *verdict) (err error) {
	if v.asked, err = h.dialect.read(r); err != nil {
		return err
	}
	var segments []string
	if v.route, segments, err = h.routes.route(v.asked); err != nil {
		return err
	}
	if err := judgeQuery(v.asked.query); err != nil {
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
	v.subject = claims.Subject
	if strings.ContainsRune(v.subject, utf8.RuneError) { // different malformed texts decode to it
		return fmt.Errorf("forwardauth: %w: the subject of the token holds U+FFFD or is malformed", ErrRequest)
	}
	target, err := v.route.target(segments, r.Header)
	if err != nil {
		return err
	}
	ctx = httpauth.NewContext(ctx, claims)
	policy := claims.Policy
	if h.observe != nil {
		policy = policy.Observe(func(o permissions.Observation) { h.observe(ctx, o) })
	}
	err = policy.Check(v.route.Permission, target)
	var denied *permissions.DeniedError
	if h.memory == nil || !errors.As(err, &denied) || denied.Decision.Reason != permissions.ReasonUndetermined ||
		!isWorthLooking(target) {
		return err
	}
	complete, err := h.memory.complete(ctx, token, target)
	if err != nil {
		return err
	}
	return policy.Check(v.route.Permission, complete)
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
