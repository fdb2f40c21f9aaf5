package explorer_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/cmd/connectperms/explorer"
)

// serve serves the page until the test is over, and returns its address.
func serve(t *testing.T, o explorer.Options) (address *url.URL, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	o.Ready = func(url string) { ready <- url }
	var out bytes.Buffer
	go func() { done <- explorer.Serve(ctx, &out, o) }()
	stop = func() error {
		cancel()
		err := <-done
		done <- err
		return err
	}
	t.Cleanup(func() { require.NoError(t, stop()) })
	select {
	case text := <-ready:
		require.Equal(t, "The explorer is at "+text+"\n", out.String())
		address, err := url.Parse(text)
		require.NoError(t, err)
		return address, stop
	case err := <-done:
		done <- err
		require.NoError(t, err)
	}
	return nil, nil
}

// A sent is a request of a test.
type sent struct {
	method, path string // the path is below the secret, unless it begins with a slash
	host         string
	header       map[string]string
	body         string
}

func (s sent) send(t *testing.T, page *url.URL) (*http.Response, string) {
	t.Helper()
	target := page.String() + s.path
	if strings.HasPrefix(s.path, "/") {
		target = "http://" + page.Host + s.path
	}
	r, err := http.NewRequestWithContext(t.Context(), s.method, target, strings.NewReader(s.body))
	require.NoError(t, err)
	if s.host != "" {
		r.Host = s.host
	}
	for name, value := range s.header {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(text)
}

func isJSON() map[string]string { return map[string]string{"Content-Type": "application/json"} }

func TestServesThePage(t *testing.T) {
	page, _ := serve(t, explorer.Options{})
	for _, test := range []struct{ path, contentType, file string }{
		{"", "text/html; charset=utf-8", "index.html"},
		{"index.html", "text/html; charset=utf-8", "index.html"},
		{"app.js", "text/javascript; charset=utf-8", "app.js"},
		{"app.css", "text/css; charset=utf-8", "app.css"},
		{"icon.svg", "image/svg+xml", "icon.svg"},
		{"LICENSES.txt", "text/plain; charset=utf-8", "LICENSES.txt"},
	} {
		t.Run(test.path, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("dist", test.file))
			require.NoError(t, err)
			response, body := sent{method: http.MethodGet, path: test.path}.send(t, page)
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.Equal(t, test.contentType, response.Header.Get("Content-Type"))
			require.Equal(t, string(want), body)
			response, body = sent{method: http.MethodHead, path: test.path}.send(t, page)
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.Empty(t, body)
		})
	}
}

// A person opens the page by its address, or by a link in another page.
func TestOpensByALink(t *testing.T) {
	page, _ := serve(t, explorer.Options{})
	for _, header := range []map[string]string{
		{"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
		{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
		{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
	} {
		response, _ := sent{method: http.MethodGet, header: header}.send(t, page)
		require.Equal(t, http.StatusOK, response.StatusCode)
	}
}

// The page may load its own files and ask its own host, and nothing else.
func TestPolicy(t *testing.T) {
	page, _ := serve(t, explorer.Options{})
	for _, s := range []sent{
		{method: http.MethodGet},
		{method: http.MethodGet, path: "nothing"},
		{method: http.MethodGet, host: "example.com"},
		{method: http.MethodPost, path: "api/vocabulary", header: isJSON(), body: "{}"},
	} {
		response, _ := s.send(t, page)
		require.Equal(t, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
			"worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			response.Header.Get("Content-Security-Policy"))
		require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "no-referrer", response.Header.Get("Referrer-Policy"))
		require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
		require.Equal(t, "same-origin", response.Header.Get("Cross-Origin-Resource-Policy"))
		require.Empty(t, response.Header.Get("Access-Control-Allow-Origin"))
	}
	require.NotContains(t, explorer.ContentSecurityPolicy(false), "wasm")
	require.Contains(t, explorer.ContentSecurityPolicy(true), "script-src 'self' 'wasm-unsafe-eval';")
}

// The index has no script and no style in it, because the policy would refuse them.
func TestNothingIsInline(t *testing.T) {
	index, err := os.ReadFile(filepath.Join("dist", "index.html"))
	require.NoError(t, err)
	require.NotContains(t, string(index), "<style")
	require.NotContains(t, string(index), "style=")
	require.NotContains(t, string(index), "{{")
	require.Contains(t, string(index), `content="loopback"`)
	for _, script := range strings.Split(string(index), "<script")[1:] {
		require.True(t, strings.HasPrefix(script, ` type="module" src="app.js"></script>`))
	}
}

func TestRefuses(t *testing.T) {
	page, _ := serve(t, explorer.Options{Inputs: []explorer.Input{{Name: "a.json", Text: "the text of a file"}}})
	_, port, err := net.SplitHostPort(page.Host)
	require.NoError(t, err)
	const wrongHost, wrongOrigin = "only for the host", "other origins"
	for _, test := range []struct {
		name   string
		sent   sent
		status int
		says   string
	}{
		{"a host after DNS rebinding", sent{method: "GET", host: "evil.example:" + port}, 403, wrongHost},
		{"a host without a port", sent{method: "GET", host: "127.0.0.1"}, 403, wrongHost},
		{"localhost, which is another origin", sent{method: "GET", host: "localhost:" + port}, 403, wrongHost},
		{"another port", sent{method: "GET", host: "127.0.0.1:1"}, 403, wrongHost},
		{
			"a call with another host",
			sent{method: "POST", path: "api/start", host: "evil.example", header: isJSON(), body: "{}"},
			403, wrongHost,
		},
		{
			"another origin", sent{method: "GET", header: map[string]string{"Origin": "https://evil.example"}},
			403, wrongOrigin,
		},
		{"no origin of a sandbox", sent{method: "GET", header: map[string]string{"Origin": "null"}}, 403, wrongOrigin},
		{
			"the same host over TLS", sent{method: "GET", header: map[string]string{"Origin": "https://" + page.Host}},
			403, wrongOrigin,
		},
		{
			"a call of another origin",
			sent{method: "POST", path: "api/start", header: map[string]string{
				"Content-Type": "application/json", "Origin": "http://evil.example",
			}, body: "{}"},
			403, wrongOrigin,
		},
		{
			"a preflight", sent{method: "OPTIONS", path: "api/start", header: map[string]string{
				"Origin": "http://evil.example", "Access-Control-Request-Method": "POST",
			}},
			403, wrongOrigin,
		},
		{
			"a frame or an image of another site",
			sent{method: "GET", header: map[string]string{"Sec-Fetch-Site": "cross-site"}},
			403, wrongOrigin,
		},
		{
			"another port of the same machine", sent{method: "GET", header: map[string]string{"Sec-Fetch-Site": "same-site"}},
			403, wrongOrigin,
		},
		{
			"a frame in a page of another site", sent{method: "GET", header: map[string]string{
				"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe",
			}},
			403, wrongOrigin,
		},
		{
			"a script of another site that says that it is a document", sent{method: "GET", header: map[string]string{
				"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "document",
			}},
			403, wrongOrigin,
		},
		{
			"a form of another site", sent{method: "POST", path: "api/start", header: map[string]string{
				"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate",
				"Sec-Fetch-Dest": "document",
			}, body: "{}"},
			403, wrongOrigin,
		},
		{
			"a call that no page makes",
			sent{method: "POST", path: "api/start", header: map[string]string{
				"Content-Type": "application/json", "Sec-Fetch-Site": "none",
			}, body: "{}"},
			403, wrongOrigin,
		},
		{"the root", sent{method: "GET", path: "/"}, 404, "the whole address"},
		{"another secret", sent{method: "GET", path: "/AAAAAAAAAAAAAAAAAAAAAAAAAA/"}, 404, "the whole address"},
		{
			"the secret without a slash", sent{method: "GET", path: strings.TrimSuffix(page.Path, "/")},
			404, "the whole address",
		},
		{
			"a call without the secret", sent{method: "POST", path: "/api/start", header: isJSON(), body: "{}"},
			404, "the whole address",
		},
		{"a file that is named by a call", sent{method: "GET", path: "a.json"}, 404, "no such file"},
		{"a file of the package", sent{method: "GET", path: "explorer.go"}, 404, "no such file"},
		{"a path that goes up", sent{method: "GET", path: "../explorer.go"}, 404, "no such file"},
		{"a path that goes up in escapes", sent{method: "GET", path: "%2e%2e/explorer.go"}, 404, "no such file"},
		{"a path in a path", sent{method: "GET", path: "x/../../explorer.go"}, 404, "no such file"},
		{"a path with two slashes", sent{method: "GET", path: "/etc/passwd"}, 404, "the whole address"},
		{"a path with a backslash", sent{method: "GET", path: `..%5cexplorer.go`}, 404, "no such file"},
		{"the folder", sent{method: "GET", path: "."}, 404, ""},
		{"another call", sent{method: "POST", path: "api/read", header: isJSON(), body: "{}"}, 404, "no such call"},
		{"a call with a path", sent{method: "POST", path: "api/parse/x", header: isJSON(), body: "{}"}, 404, "no such call"},
		{"writing a file", sent{method: "PUT", path: "app.js", body: "x"}, 405, "Use GET"},
		{"a call by GET", sent{method: "GET", path: "api/start"}, 405, "Use POST"},
		{
			"a form of another page",
			sent{method: "POST", path: "api/start", header: map[string]string{"Content-Type": "text/plain"}, body: "{}"},
			415, "application/json",
		},
		{"no content type", sent{method: "POST", path: "api/start", body: "{}"}, 415, "application/json"},
		{
			"a request that is too long",
			sent{method: "POST", path: "api/parse", header: isJSON(), body: strings.Repeat(" ", 64<<20+1)}, 413, "too long",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			response, body := test.sent.send(t, page)
			require.Equal(t, test.status, response.StatusCode)
			require.Contains(t, body, test.says)
			require.NotContains(t, body, "the text of a file")
			require.NotContains(t, body, strings.Trim(page.Path, "/"), "the secret")
		})
	}
}

func TestAnswersCalls(t *testing.T) {
	inputs := []explorer.Input{{Name: "a.json", Text: `{"integration:*": true}`}, {Name: "b.json", Text: "{}"}}
	page, _ := serve(t, explorer.Options{Inputs: inputs, Version: "v1.2.3"})
	headers := isJSON()
	headers["Origin"], headers["Sec-Fetch-Site"] = "http://"+page.Host, "same-origin"
	for _, test := range []struct{ name, request, want string }{
		{
			"start", `{}`, `{"form":"loopback","version":"v1.2.3","inputs":` +
				`[{"name":"a.json","text":"{\"integration:*\": true}"},{"name":"b.json","text":"{}"}]}`,
		},
		{"parse", `{"text": "{}"}`, `{"handle":"44136fa355b3678a1146ad16f7e8649e","rules":0,"maps":0,"looksLike":"claim"}`},
		{"canonical", `{"claim": "44136fa355b3678a1146ad16f7e8649e"}`, `{"text":"{}"}`},
		{"parse", `{`, `{"error":{"code":"request","message":"the request is not JSON: it ends where a name must be"}}`},
		{
			"token", `{"text": "x"}`, `{"error":{"code":"token",` +
				`"message":"token: it does not have three parts separated by dots; paste a whole token, a payload or a claim",` +
				`"field":"token","problem":"it does not have three parts separated by dots",` +
				`"remedy":"paste a whole token, a payload or a claim"}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			response, body := sent{method: "POST", path: "api/" + test.name, header: headers, body: test.request}.send(t, page)
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.Equal(t, "application/json", response.Header.Get("Content-Type"))
			require.True(t, json.Valid([]byte(body)))
			require.Equal(t, test.want, body)
		})
	}
}

// Every run has an address of its own, and its page is gone when the context is done.
func TestServesUntilTheContextIsDone(t *testing.T) {
	page, stop := serve(t, explorer.Options{})
	other, _ := serve(t, explorer.Options{})
	require.NotEqual(t, page.Path, other.Path)
	require.GreaterOrEqual(t, len(page.Path), 22, "the secret is too short")
	response, _ := sent{method: "GET", path: other.Path}.send(t, page)
	require.Equal(t, http.StatusNotFound, response.StatusCode)

	require.NoError(t, stop())
	_, err := net.DialTimeout("tcp", page.Host, time.Second)
	require.Error(t, err, "it still listens")
	response, _ = sent{method: "GET"}.send(t, other)
	require.Equal(t, http.StatusOK, response.StatusCode)
}

// A request that does not end does not keep the server.
func TestStopsDuringARequest(t *testing.T) {
	page, stop := serve(t, explorer.Options{})
	connection, err := net.Dial("tcp", page.Host)
	require.NoError(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, "POST "+page.Path+"api/parse HTTP/1.1\r\nHost: "+page.Host+
		"\r\nContent-Type: application/json\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n{")
	require.NoError(t, err)
	line, err := bufio.NewReader(connection).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line, "the server reads the body")
	require.NoError(t, stop())
}

func TestOptionsThatAreWrong(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	const notAnAddress = "the address is not an IP address and a port, such as 127.0.0.1:8080"
	for _, test := range []struct {
		name string
		o    explorer.Options
		says string
	}{
		{"all interfaces", explorer.Options{Addr: "0.0.0.0:0"}, "0.0.0.0 is not an address of the loopback interface"},
		{"all interfaces of IPv6", explorer.Options{Addr: "[::]:0"}, ":: is not an address of the loopback interface"},
		{"another address", explorer.Options{Addr: "192.0.2.1:80"}, "192.0.2.1 is not an address of the loopback interface"},
		{"no host", explorer.Options{Addr: ":8080"}, notAnAddress},
		{"a name, which may be of any host", explorer.Options{Addr: "localhost:8080"}, notAnAddress},
		{"no port", explorer.Options{Addr: "127.0.0.1"}, notAnAddress},
		{"a port that is taken", explorer.Options{Addr: taken.Addr().String()}, "address already in use"},
		{"three inputs", explorer.Options{Inputs: make([]explorer.Input, 3)}, "3 inputs; the page shows up to 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.o.Ready = func(string) { require.Fail(t, "it is ready") }
			require.ErrorContains(t, explorer.Serve(t.Context(), io.Discard, test.o), test.says)
		})
	}
	t.Run("IPv6", func(t *testing.T) {
		page, _ := serve(t, explorer.Options{Addr: "[::1]:0"})
		response, _ := sent{method: "GET"}.send(t, page)
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Equal(t, "::1", page.Hostname())
	})
	t.Run("a context that is done", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := explorer.Serve(ctx, io.Discard, explorer.Options{})
		require.True(t, err == nil || errors.Is(err, context.Canceled))
	})
	t.Run("an output that is closed", func(t *testing.T) {
		read, write, err := os.Pipe()
		require.NoError(t, err)
		require.NoError(t, read.Close())
		require.NoError(t, write.Close())
		require.ErrorIs(t, explorer.Serve(t.Context(), write, explorer.Options{}), os.ErrClosed)
	})
}
