package explorer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for what the page is to show.
const patience = 15 * time.Second

// A chromium is a browser. Each page has an empty profile, which reaches the network only through a proxy that
// notes every host that is asked. So the requests of workers are seen too. What the browser asks on its own
// behalf, such as whether somebody is signed in, goes nowhere.
type chromium struct {
	ctx     context.Context
	through string // the address of the proxy

	mu    sync.Mutex
	hosts []string
}

func newChromium(t *testing.T) *chromium {
	t.Helper()
	b := new(chromium)
	proxy := httptest.NewServer(http.HandlerFunc(b.proxy))
	t.Cleanup(proxy.Close)
	b.through = proxy.URL
	ctx, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath("chromium"),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.ProxyServer("http://127.0.0.1:9"), // nobody listens there
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-features", "AutofillServerCommunication"), // asks a server what the fields of forms are
	)
	t.Cleanup(cancel)
	b.ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(b.ctx), "the tests need Chromium: install the Debian package chromium")
	return b
}

// proxy answers a request of the browser, and notes its host.
func (b *chromium) proxy(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.hosts = append(b.hosts, r.Host)
	b.mu.Unlock()
	if r.Method == http.MethodConnect || !strings.HasPrefix(r.Host, "127.0.0.1:") {
		http.Error(w, "there is no other host", http.StatusBadGateway)
		return
	}
	r.RequestURI = ""
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	for name, values := range response.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}

// asked returns the hosts that the browser has asked, each of them once.
func (b *chromium) asked() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	hosts := slices.Clone(b.hosts)
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// A tab shows one page.
type tab struct {
	t    *testing.T
	ctx  context.Context
	lost int // clicks that began on their element and did not end there

	mu       sync.Mutex
	said     []string // console messages, exceptions, and violations of the Content-Security-Policy
	requests []string
}

// open opens a page in a new tab, and waits until it shows something.
func (b *chromium) open(t *testing.T, url string) *tab {
	t.Helper()
	throughProxy := func(params *target.CreateBrowserContextParams) {
		params.ProxyServer = b.through
		params.ProxyBypassList = "<-loopback>" // by default, a proxy is not used for loopback
	}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext(throughProxy))
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx}
	p.do(chromedp.EmulateViewport(1440, 1000))
	call(p, page.BringToFront, cdp.Empty{}) // a page that nobody sees paints nothing
	require.NoError(t, chromedp.Listen(ctx, p.listen))
	call(p, log.Enable, cdp.Empty{})
	call(p, network.Enable, network.EnableParams{})
	for _, name := range []string{"clipboard-read", "clipboard-write"} {
		_, err := chromedp.CallBrowser(ctx, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: name, AllowWithoutSanitization: true},
			Setting:    browser.PermissionSettingGranted,

			BrowserContextID: chromedp.FromContext(ctx).BrowserContextID,
		})
		require.NoError(t, err)
	}
	script, err := os.ReadFile(filepath.Join("testdata", "page.js"))
	require.NoError(t, err)
	call(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: string(script)})
	p.do(chromedp.Navigate(url))
	p.until(`document.querySelector("main")`, "the page starts")
	return p
}

func (p *tab) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		text := "console." + string(e.Type)
		for _, argument := range e.Args {
			text += " " + string(argument.Value) + argument.Description
		}
		p.said = append(p.said, text)
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if exception := e.ExceptionDetails.Exception; exception != nil {
			text += " " + exception.Description
		}
		p.said = append(p.said, text)
	case *log.EventEntryAdded:
		p.said = append(p.said, string(e.Entry.Level)+": "+e.Entry.Text)
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, e.Request.URL)
	}
}

// messages returns what the console has.
func (p *tab) messages() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.said)
}

func first(texts []string, n int) []string { return texts[:min(n, len(texts))] }

func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, actions...))
}

func call[P, R any](p *tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	result, err := chromedp.Call(p.ctx, command, params)
	require.NoError(p.t, err)
	return result
}

// eval returns the value of an expression in the page. It waits for a promise.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 4*patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(p.t, err, expression)
	return value
}

// until waits until an expression is true.
func (p *tab) until(expression, what string) {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if eval[bool](p, "Boolean("+expression+")") {
			return
		}
		if time.Now().After(end) {
			p.picture("failed " + filepath.Base(p.t.Name()) + ".png")
			require.Fail(p.t, "the page does not get so far", "%s: %s\nconsole: %v", what, expression, first(p.messages(), 3))
		}
	}
}

// shows waits until the text of the page, or of the part with a CSS selector, has what is wanted.
func (p *tab) shows(selector, want string) {
	p.t.Helper()
	p.until(fmt.Sprintf("T.has(%s, %s)", quoted(selector), quoted(want)), "it shows "+want)
}

// quoted returns a text as JavaScript.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string is always JSON
	}
	return string(b)
}

// find returns the first node that a screen reader has with a role and a name. It waits for one. A name that
// ends with … is the beginning of a name.
func (p *tab) find(role, name string) cdp.BackendNodeID {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if nodes := p.all(role, name); len(nodes) > 0 {
			return nodes[0]
		}
		require.False(p.t, time.Now().After(end), "a screen reader finds no %s %q", role, name)
	}
}

func (p *tab) all(role, name string) []cdp.BackendNodeID {
	p.t.Helper()
	document := call(p, runtime.Evaluate, runtime.EvaluateParams{Expression: "document"}).Result.ObjectID
	query := accessibility.QueryAXTreeParams{ObjectID: document, Role: role}
	found, err := chromedp.Call(p.ctx, accessibility.QueryAXTree, query)
	require.NoError(p.t, err)
	var nodes []cdp.BackendNodeID
	for _, node := range found.Nodes {
		if node.Ignored || node.Name == nil {
			continue
		}
		var have string
		require.NoError(p.t, json.Unmarshal(node.Name.Value, &have))
		beginning, cut := strings.CutSuffix(name, "…")
		if have == name || cut && strings.HasPrefix(have, beginning) {
			nodes = append(nodes, node.BackendDOMNodeID)
		}
	}
	return nodes
}

// click clicks on the node with a role and a name, with the mouse.
func (p *tab) click(role, name string) {
	p.t.Helper()
	p.clickOn(role+" "+name, func() []float64 { return p.aim(p.find(role, name)) })
}

// clickCSS clicks on the first element with a CSS selector, with the mouse.
func (p *tab) clickCSS(selector string) {
	p.t.Helper()
	p.clickOn(selector, func() []float64 { return p.aimAt("document.querySelector(" + quoted(selector) + ")") })
}

// clickOn clicks at the place that aim returns, once it rests. If an answer that came meanwhile has moved the
// element, the click does not reach it, and clickOn clicks again. Between the press of the button and its release,
// that may happen once in a tab: a page that moves what is pressed loses a person's clicks.
func (p *tab) clickOn(what string, aim func() []float64) {
	p.t.Helper()
	for end := time.Now().Add(patience); ; {
		at := p.resting(aim)
		p.do(chromedp.MouseClickXY(at[0], at[1]))
		if eval[bool](p, "T.hit()") {
			return
		}
		if eval[bool](p, "T.events.length > 0") {
			p.lost++
			require.Equal(p.t, 1, p.lost, "the page moves what is pressed: %s", what)
		}
		require.True(p.t, time.Now().Before(end), "no click reaches %s", what)
	}
}

// aimAt brings an element into sight, which an expression returns, and returns its place.
func (p *tab) aimAt(expression string) []float64 {
	p.t.Helper()
	return eval[[]float64](p, "T.aim("+expression+")")
}

// aim is aimAt for a node.
func (p *tab) aim(node cdp.BackendNodeID) []float64 {
	p.t.Helper()
	element := call(p, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: node}).Object.ObjectID
	byValue := true
	result := call(p, runtime.CallFunctionOn, runtime.CallFunctionOnParams{
		ObjectID: element, FunctionDeclaration: "function() { return T.aim(this) }", ReturnByValue: &byValue,
	})
	var at []float64
	require.NoError(p.t, json.Unmarshal(result.Result.Value, &at))
	return at
}

// resting reads a place until there is one, and it is where it was before.
func (p *tab) resting(read func() []float64) (at []float64) {
	p.t.Helper()
	for end := time.Now().Add(patience); ; {
		before := at
		if at = read(); len(at) > 0 && slices.Equal(before, at) {
			return at
		}
		require.True(p.t, time.Now().Before(end), "the page does not come to rest")
		time.Sleep(50 * time.Millisecond)
	}
}

// cell returns the expression for a cell of the matrix, by the beginning of its row's title and the name of a
// permission.
func cell(row, permission string) string {
	return fmt.Sprintf("T.cell(%s, %s)", quoted(row), quoted(permission))
}

// clickCell clicks on a cell of the matrix.
func (p *tab) clickCell(row, permission string) {
	p.t.Helper()
	p.until(cell(row, permission)+"?.textContent", "the matrix has "+row)
	p.clickOn(row, func() []float64 { return p.aimAt(cell(row, permission)) })
	p.answers(cell(row, permission))
}

// answers waits until the answer that is shown is that of a cell. The question before it may have had the same one.
func (p *tab) answers(cell string) {
	p.t.Helper()
	p.until(cell+`.ariaSelected === "true" && T.all(".answers").every((e) => e.ariaBusy === "false")`, "it answers")
}

// key presses a key, with modifiers.
func (p *tab) key(keys string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...)))
}

// enter presses Enter where the page handles the key itself, and so nothing is typed.
func (p *tab) enter() {
	p.t.Helper()
	event := input.DispatchKeyEventParams{
		Type: input.DispatchKeyEventTypeRawKeyDown, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13,
	}
	call(p, input.DispatchKeyEvent, event)
	event.Type = input.DispatchKeyEventTypeKeyUp
	call(p, input.DispatchKeyEvent, event)
}

// write types a text into what has the focus.
func (p *tab) write(text string) {
	p.t.Helper()
	call(p, input.InsertText, input.InsertTextParams{Text: text})
}

// paste puts a text on the clipboard, and presses Ctrl+V in the node with a role and a name.
func (p *tab) paste(role, name, text string) {
	p.t.Helper()
	p.click(role, name)
	p.pasteHere(text)
}

// pasteHere pastes a text where the focus is.
func (p *tab) pasteHere(text string) {
	p.t.Helper()
	eval[any](p, "navigator.clipboard.writeText("+quoted(text)+").then(() => 0)")
	event := input.DispatchKeyEventParams{
		Type: input.DispatchKeyEventTypeKeyDown, Modifiers: int64(chromedp.ModifierCtrl),
		Code: "KeyV", Key: "v", WindowsVirtualKeyCode: 'V', Commands: []string{"paste"},
	}
	call(p, input.DispatchKeyEvent, event)
	event.Type, event.Commands = input.DispatchKeyEventTypeKeyUp, nil
	call(p, input.DispatchKeyEvent, event)
}

// drop drops a file on the node with a role and a name.
func (p *tab) drop(role, name, text string) {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "dropped.txt")
	require.NoError(p.t, os.WriteFile(file, []byte(text), 0o600))
	at := p.resting(func() []float64 { return p.aim(p.find(role, name)) })
	for _, typ := range []input.DispatchDragEventType{
		input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop,
	} {
		call(p, input.DispatchDragEvent, input.DispatchDragEventParams{
			Type: typ, X: at[0], Y: at[1],
			Data: &input.DragData{Items: []*input.DragDataItem{}, Files: []string{file}, DragOperationsMask: 1},
		})
	}
}

// size sets the size of the page.
func (p *tab) size(width, height int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, height))
}

// scheme sets whether the system prefers dark or light.
func (p *tab) scheme(name string) {
	p.t.Helper()
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
	p.until(`matchMedia("(prefers-color-scheme: `+name+`)").matches`, "the system is "+name)
}

// axe returns what axe-core finds on the page.
func (p *tab) axe() []string {
	p.t.Helper()
	source, err := os.ReadFile(filepath.Join("web", "node_modules", "axe-core", "axe.min.js"))
	require.NoError(p.t, err, "the tests need axe-core: run npm ci in the folder web")
	if !eval[bool](p, `"axe" in window`) {
		eval[any](p, string(source)+"\n;0")
	}
	return eval[[]string](p, "T.axe()")
}

// pictures is the folder for screenshots. They are kept if the environment names one.
var pictures = os.Getenv("EXPLORER_PICTURES")

func (p *tab) picture(name string) {
	p.t.Helper()
	if pictures == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(filepath.Join(pictures, name), png, 0o600))
}
