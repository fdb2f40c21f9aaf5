package main

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/forwardauth"
	"github.com/connectperms/permissions/permissionstest"
)

const (
	credential = "X-Paragon-Credential: 3fa85f64-5717-4562-b3fc-2c963f66afa6"
	chat       = "/integrations/slack/proxy/chat.postMessage"
	issue      = "/integrations/jira/proxy/issue"
)

// The token of the tests allows the Proxy API of slack, and nothing else.
var onlySlack = permissions.MustParse(`{"integration:slack": ["proxy-api"]}`)

// bearer returns the Authorization header of ann.
func bearer(t testing.TB, policy *permissions.Policy) string {
	t.Helper()
	return "Authorization: Bearer " + permissionstest.Shared().Token(t, "ann", policy)
}

// A rig is a gateway with a decision server before a service that keeps its requests.
type rig struct {
	*stack
	gateway gateway
	log     lockedBuffer // of the decision server

	patience time.Duration // for one more response

	usual   http.Handler // the decision server that the rig was started with
	current atomic.Pointer[http.Handler]

	mu       sync.Mutex
	requests []received
	served   int // how many there were since the start
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// received is a request as the service got it.
type received struct {
	*http.Request
	body string
}

// eachGateway runs a test with each gateway. It fails, and does not skip, where a program is missing. A nil
// decision is that of the example.
func eachGateway(t *testing.T, decision http.Handler, test func(t *testing.T, r *rig)) {
	for _, g := range gateways {
		t.Run(g.program, func(t *testing.T) {
			t.Parallel()
			test(t, start(t, g, decision))
		})
	}
}

func start(t testing.TB, g gateway, decision http.Handler) *rig {
	t.Helper()
	r := &rig{gateway: g, patience: 300 * time.Millisecond}
	if decision == nil {
		var err error
		decision, err = forwardauth.New(g.dialect, permissionstest.Shared().Verifier(), routes,
			forwardauth.WithLogger(slog.New(slog.NewTextHandler(&r.log, nil))))
		require.NoError(t, err)
	}
	r.usual = decision
	r.current.Store(&r.usual)
	var err error
	r.stack, err = startStack(t.TempDir(), g, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		(*r.current.Load()).ServeHTTP(w, q)
	}), r)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, r.stop())
		if t.Failed() {
			t.Logf("%s logged: %s", g.program, r.logged())
		}
	})
	return r
}

// yes lets everything pass, as a broken decision server would.
var yes = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set(forwardauth.SubjectHeader, "ann")
	w.WriteHeader(http.StatusNoContent)
})

// ServeHTTP is the service. It echoes bodies and websockets.
func (r *rig) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	r.mu.Lock()
	r.requests = append(r.requests, received{request, string(body)})
	r.served++
	r.mu.Unlock()
	if request.Header.Get("Sec-Websocket-Version") == "777" {
		w.WriteHeader(http.StatusUpgradeRequired)
		return
	}
	if strings.EqualFold(request.Header.Get("Upgrade"), "websocket") &&
		strings.EqualFold(request.Header.Get("Connection"), "upgrade") {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		sum := sha1.Sum([]byte(request.Header.Get("Sec-Websocket-Key") +
			"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455, section 4.2.2
		_, _ = io.WriteString(conn,
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+
				base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
		line, _ := buffered.ReadString('\n')
		_, _ = io.WriteString(conn, "echo "+line)
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", "https://service.example")
	_, _ = io.WriteString(w, "served "+string(body))
}

// take returns what the service got since it was last called.
func (r *rig) take() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.requests
	r.requests = nil
	return taken
}

// A response has its body read.
type response struct {
	*http.Response
	body string
}

// send sends text as it is, and returns the responses until the gateway closes the connection or says
// nothing for a while.
func (r *rig) send(t testing.TB, raw string) (list []response) {
	t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	require.NoError(t, err)
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, raw) }() // the gateway may answer before it has read all
	reader := bufio.NewReader(conn)
	method, _, _ := strings.Cut(raw, " ")
	for {
		patience := 10 * time.Second
		if len(list) > 0 {
			patience = r.patience
		}
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
		resp, err := http.ReadResponse(reader, &http.Request{Method: method})
		if err != nil {
			return list
		}
		body, err := io.ReadAll(resp.Body)
		list = append(list, response{resp, string(body)})
		if err != nil || resp.Close {
			return list
		}
	}
}

// lines joins lines to the head of a request that closes the connection.
func lines(list ...string) string {
	return strings.Join(append(list, "Host: gateway", "Connection: close", "", ""), "\r\n")
}

// one sends lines and returns the only response.
func (r *rig) one(t testing.TB, list ...string) response {
	t.Helper()
	responses := r.send(t, lines(list...))
	require.Len(t, responses, 1, "%q", list)
	return responses[0]
}

// problems says what is wrong with a request that the service got, if the token allows the Proxy API of
// slack alone.
func (got received) problems() (list []string) {
	uri, query, _ := strings.Cut(got.RequestURI, "?")
	for name, read := range readers {
		segments := strings.Split(read(uri), "/")
		if len(segments) < 4 || segments[0] != "" || segments[1] != "integrations" || segments[2] != "slack" ||
			segments[3] != "proxy" && segments[3] != "raw" {
			list = append(list, "the path is another one when it is read "+name+": "+uri)
		}
	}
	lenient := query
	for range 3 {
		lenient = unescape(strings.ReplaceAll(lenient, "%u00", "%"))
	}
	lenient = strings.ToLower(fullwidth(overlong(lenient)))
	for _, name := range []string{"_method", ".method", "[method", "method-override"} {
		if strings.Contains(lenient, name) {
			list = append(list, "the query overrides the method: "+query)
		}
	}
	if !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, got.Method) {
		list = append(list, "the method is "+got.Method)
	}
	for _, name := range []string{"Authorization", "X-Paragon-Credential"} {
		if strings.Contains(strings.Join(got.Header[name], ","), ",") {
			list = append(list, "there may be two in the header "+name)
		}
	}
	if subject := got.Header["X-Auth-Subject"]; len(subject) != 1 || subject[0] != "ann" {
		list = append(list, "the subject is "+strings.Join(subject, " and "))
	}
	for name, values := range got.Header {
		if problem := headerProblem(name, values); problem != "" {
			list = append(list, "there is a header "+name+": "+strings.Join(values, " and ")+problem)
		}
	}
	return list
}

// clientHeaders has the headers of a client that the service gets.
var clientHeaders = func() map[string]bool {
	text, err := files.ReadFile("client-headers.caddy")
	if err != nil {
		panic(err)
	}
	names := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^import \{args\.0\} (.+)$`).FindAllSubmatch(text, -1) {
		names[string(match[1])] = true
	}
	return names
}()

// headerProblem says why a service must not get a header. The empty string is no reason.
func headerProblem(name string, values []string) string {
	if len(values) != 1 {
		return " (it is there more than once)"
	}
	allowed := map[string][]string{
		"X-Auth-Subject":    values, // that is judged elsewhere
		"X-Forwarded-For":   {"127.0.0.1"},
		"X-Forwarded-Proto": {"http"},
		"X-Forwarded-Host":  {"gateway"},
		"Connection":        {"", "upgrade", "close", "keep-alive"}, // no names of headers to drop
		"Upgrade":           {"websocket"},
		"Content-Length":    values,
		"Expect":            {"100-continue"},
		"Via":               {"1.0 Caddy", "1.1 Caddy", "1.2 Caddy"}, // newer versions of Caddy say that
	}[name]
	if !clientHeaders[name] && !slices.Contains(allowed, strings.ToLower(values[0])) &&
		!slices.Contains(allowed, values[0]) {
		return " (a client may not say that)"
	}
	return ""
}

// readers are how services read a path, some right and most careless. Package forwardauth has more.
var readers = map[string]func(string) string{
	"as it is":  func(p string) string { return p },
	"once":      unescape,
	"twice":     func(p string) string { return path.Clean(unescape(unescape(p))) },
	"cleaned":   func(p string) string { return path.Clean(unescape(p)) },
	"with \\":   func(p string) string { return path.Clean(strings.ReplaceAll(unescape(p), `\`, "/")) },
	"overlong":  func(p string) string { return path.Clean(overlong(unescape(p))) },
	"trimmed":   func(p string) string { return path.Clean(eachSegment(unescape(p), trim)) },
	"sanitized": func(p string) string { return path.Clean(strings.ReplaceAll(unescape(p), "../", "")) },
	"with %u":   func(p string) string { return path.Clean(unescape(strings.ReplaceAll(p, "%u00", "%"))) },
	"with +": func(p string) string {
		return path.Clean(eachSegment(strings.ReplaceAll(unescape(p), "+", " "), trim))
	},
	"until NUL": func(p string) string {
		return path.Clean(eachSegment(unescape(unescape(p)), func(s string) string {
			s, _, _ = strings.Cut(s, "\x00")
			return s
		}))
	},
	"without ;": func(p string) string { return path.Clean(eachSegment(unescape(p), beforeSemicolon)) },
	"to the end": func(p string) string {
		p, _, _ = strings.Cut(strings.NewReplacer("#", "\x00", "?", "\x00").Replace(unescape(p)), "\x00")
		return p
	},
	"best fit":   func(p string) string { return path.Clean(bestFit.Replace(unescape(p))) },
	"normalized": func(p string) string { return path.Clean(fullwidth(unescape(p))) },
	"without junk": func(p string) string {
		return path.Clean(strings.Map(visible,
			strings.ToValidUTF8(unescape(p), "")))
	},
}

func unescape(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if i+2 < len(p) && p[i] == '%' {
			hi, lo := strings.IndexByte("0123456789abcdef", p[i+1]|0x20),
				strings.IndexByte("0123456789abcdef", p[i+2]|0x20)
			if hi >= 0 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(p[i])
	}
	return b.String()
}

func eachSegment(p string, f func(string) string) string {
	segments := strings.Split(p, "/")
	for i := range segments {
		segments[i] = f(segments[i])
	}
	return strings.Join(segments, "/")
}

func trim(s string) string {
	if s = strings.TrimSpace(s); s != "." && s != ".." {
		s = strings.TrimRight(s, ". ")
	}
	return s
}

func beforeSemicolon(s string) string { s, _, _ = strings.Cut(s, ";"); return s }

// bestFit does what conversions to a code page do to some characters.
var bestFit = strings.NewReplacer("\u2215", "/", "\u2044", "/", "\u29f8", "/", "\u2216", "/", "\u00a5", "/",
	"\u20a9", "/", "\ufe68", "/", "\u00b7", ".", "\ufe0f", "", "\u034f", "", "\u115f", "")

func fullwidth(s string) string {
	return strings.Map(func(r rune) rune {
		if 0xff01 <= r && r <= 0xff5e {
			return r - 0xff01 + '!'
		}
		return r
	}, strings.NewReplacer("\u2024", ".", "\u2025", "..", "\ufe52", ".").Replace(s))
}

func visible(r rune) rune {
	if unicode.In(r, unicode.Cc, unicode.Cf) {
		return -1
	}
	return r
}

// overlong decodes UTF-8 as old decoders did: in more bytes than a character needs.
func overlong(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if c := s[i]; r == utf8.RuneError && n == 1 && c >= 0xc0 && c < 0xf8 {
			more := 1
			for ; c<<more&0x80 != 0; more++ {
			}
			more-- // bytes after the first
			if r = rune(c & (0x7f >> (more + 1))); i+more < len(s) {
				for _, next := range []byte(s[i+1 : i+1+more]) {
					r = r<<6 | rune(next&63)
				}
				b.WriteRune(r)
				i += 1 + more
				continue
			}
		}
		b.WriteString(s[i : i+n])
		i += n
	}
	return b.String()
}

// errorsOf returns an error with all that is wrong with the requests that the service got.
func errorsOf(list []received) error {
	var errs []error
	for _, got := range list {
		for _, problem := range got.problems() {
			errs = append(errs, errors.New(got.Method+" "+got.RequestURI+": "+problem))
		}
	}
	return errors.Join(errs...)
}
