package explorer

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/connectperms/permissions/cmd/connectperms/explorer/engine"
	"github.com/connectperms/permissions/cmd/connectperms/explorer/tokens"
)

// ContentSecurityPolicy returns the Content-Security-Policy of the page: it loads its own files and connects to its
// own host, and nothing else. If webAssembly is true, the page may also compile WebAssembly.
func ContentSecurityPolicy(webAssembly bool) string {
	scripts := "'self'"
	if webAssembly {
		scripts += " 'wasm-unsafe-eval'"
	}
	return "default-src 'none'; script-src " + scripts + "; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"worker-src 'self'; base-uri 'none'; form-action 'none'"
}

// maxRequest is how long the body of a request may be, in bytes.
const maxRequest = 64 << 20

// A handler serves the page and its API, below a path that is a secret.
type handler struct {
	host   string
	secret string
	files  map[string][]byte
	start  []byte
	engine engine.Engine
	now    func() time.Time
}

func newHandler(host, secret string, pages fs.FS, o Options) (*handler, error) {
	h := &handler{host: host, secret: secret, files: make(map[string][]byte), now: time.Now}
	entries, err := fs.ReadDir(pages, ".")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if h.files[entry.Name()], err = fs.ReadFile(pages, entry.Name()); err != nil {
			return nil, err
		}
	}
	h.start = engine.Encode(struct {
		Form    string  `json:"form"`
		Version string  `json:"version"`
		Inputs  []Input `json:"inputs"`
	}{"loopback", o.Version, append([]Input{}, o.Inputs...)}, nil)
	return h, nil
}

// url returns the address of the page.
func (h *handler) url() string { return "http://" + h.host + "/" + h.secret + "/" }

// ServeHTTP answers a request of the page, and refuses every other one.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"Content-Security-Policy":      ContentSecurityPolicy(false) + "; frame-ancestors 'none'",
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
	} {
		w.Header().Set(name, value)
	}
	if problem := h.foreign(r); problem != "" {
		http.Error(w, problem, http.StatusForbidden)
		return
	}
	name, ok := h.below(r.URL.Path)
	if !ok {
		http.Error(w, "There is nothing here. Open the whole address that the command printed.", http.StatusNotFound)
		return
	}
	if call, ok := strings.CutPrefix(name, "api/"); ok {
		h.call(w, r, call)
		return
	}
	h.file(w, r, name)
}

// foreign says why a request is not from the page: another host, as after DNS rebinding, or a page of another
// origin.
func (h *handler) foreign(r *http.Request) string {
	if r.Host != h.host {
		return "This server answers only for the host that it was started on."
	}
	for _, origin := range r.Header.Values("Origin") {
		if origin != "http://"+h.host {
			return "This server does not answer pages of other origins."
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && !opensPage(r) {
			return "This server does not answer pages of other origins."
		}
	}
	return ""
}

// opensPage reports whether a person opens the page: by its address, or by a link to it in another page, such
// as a terminal in a browser.
func opensPage(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" &&
		r.Header.Get("Sec-Fetch-Dest") == "document"
}

// below returns the rest of a path below the secret.
func (h *handler) below(path string) (rest string, ok bool) {
	secret, rest, found := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return rest, found && subtle.ConstantTimeCompare([]byte(secret), []byte(h.secret)) == 1
}

// contentTypes has the type of each file, by how its name ends.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

func (h *handler) file(w http.ResponseWriter, r *http.Request, name string) {
	if name == "" {
		name = "index.html"
	}
	content, ok := h.files[name]
	if !ok {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "This is a file. Use GET.", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", contentTypes[path.Ext(name)])
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// call answers a call of the API.
func (h *handler) call(w http.ResponseWriter, r *http.Request, name string) {
	if name != "start" && name != "token" && !engine.Has(name) {
		http.Error(w, "There is no such call.", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST")
		http.Error(w, "This is a call. Use POST.", http.StatusMethodNotAllowed)
		return
	}
	if r.Header.Get("Content-Type") != "application/json" { // a form of another page cannot send it
		http.Error(w, "A call is application/json.", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		http.Error(w, "The request is too long.", http.StatusRequestEntityTooLarge)
		return
	} else if err != nil {
		http.Error(w, "The request could not be read.", http.StatusBadRequest)
		return
	}
	var answer []byte
	switch name {
	case "start":
		answer = h.start
	case "token":
		answer = tokens.Call(string(body), h.now)
	default:
		answer = h.engine.Call(name, string(body))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(answer) // an error means that the browser has gone
}
