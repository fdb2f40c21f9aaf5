package explorer_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/explorer"
	"github.com/connectperms/permissions/cmd/connectperms/internal/bundle"
	"github.com/connectperms/permissions/usertoken"
)

const (
	claimBox  = "Claim"
	secondBox = "Second claim"
	project   = "1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311"
	annas     = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	slackOnly = `{
  "integration:*": ["events"],
  "integration:slack": {
    "credential:*": false,
    "credential:ext:finance": ["proxy-api"]
  }
}`
)

// TestBrowser uses the page as people do, in a real browser: the page that the server on loopback has, and the
// page as static files. The browser may reach nothing else.
func TestBrowser(t *testing.T) {
	browser := newChromium(t)
	var hosts []string
	for _, form := range []struct {
		name string
		open func(t *testing.T, inputs ...explorer.Input) string
	}{
		{"loopback", loopbackPage},
		{"static", staticPage()},
	} {
		t.Run(form.name, func(t *testing.T) {
			address := form.open(t)
			parsed, err := url.Parse(address)
			require.NoError(t, err)
			hosts = append(hosts, parsed.Host)
			for _, test := range []struct {
				name string
				run  func(*testing.T, *tab)
			}{
				{"an example explains itself", testExample},
				{"paste a claim, a payload and a token", testPaste},
				{"verify a token", testVerify},
				{"drop a file", testDrop},
				{"complete in the editor", testComplete},
				{"mend mistakes and findings", testMend},
				{"the tree", testTree},
				{"the matrix", testMatrix},
				{"ask", testAsk},
				{"compare", testCompare},
				{"share", testShare},
				{"store nothing unless asked", testStore},
				{"the keyboard alone", testKeyboard},
				{"a screen reader, in light and dark", testAxe},
				{"a page of 360 pixels", testNarrow},
				{"ten thousand rules", testLarge},
			} {
				t.Run(test.name, func(t *testing.T) {
					p := browser.open(t, address)
					test.run(t, p)
					require.Empty(t, p.messages(), "the console is not clean")
					for _, request := range p.requests {
						require.True(t, strings.HasPrefix(request, "http://"+parsed.Host+"/"), request)
					}
				})
			}
		})
	}
	t.Run("inputs of the command line", func(t *testing.T) {
		address := loopbackPage(t,
			explorer.Input{Name: "a.json", Text: slackOnly},
			explorer.Input{Name: "b.json", Text: `{"integration:*":true}`})
		parsed, err := url.Parse(address)
		require.NoError(t, err)
		hosts = append(hosts, parsed.Host)
		p := browser.open(t, address)
		p.shows(".difference", "Wider.")
		p.shows(".matrix", "slack")
		require.Empty(t, p.messages())

		address = loopbackPage(t, explorer.Input{Name: "large.json", Text: largeClaim(10_000)})
		parsed, err = url.Parse(address)
		require.NoError(t, err)
		hosts = append(hosts, parsed.Host)
		p = browser.open(t, address)
		p.shows(".open", "Read large.json as a claim.")
		p.shows(".problems", "10,000 rules")
		require.Empty(t, p.messages())
		t.Logf("first paint with 10,000 rules after %.0f ms", eval[float64](p, "T.painted"))
	})
	require.Subset(t, hosts, browser.asked(), "the browser has asked another host")
	require.NotEmpty(t, browser.asked())
}

func loopbackPage(t *testing.T, inputs ...explorer.Input) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	address := make(chan string, 1)
	served := make(chan error, 1)
	ready := func(url string) { address <- url }
	go func() { served <- explorer.Serve(ctx, io.Discard, explorer.Options{Inputs: inputs, Ready: ready}) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
	})
	select {
	case at := <-address:
		return at
	case err := <-served:
		require.Fail(t, "the page is not served", "%v", err)
		return ""
	}
}

// staticPage returns a function that serves the page as any host of static files does.
func staticPage() func(t *testing.T, inputs ...explorer.Input) string {
	return func(t *testing.T, _ ...explorer.Input) string {
		t.Helper()
		files, err := bundle.Static("..", "test")
		require.NoError(t, err)
		folder := t.TempDir()
		require.NoError(t, files.Write(folder))
		server := httptest.NewServer(http.StripPrefix("/some/folder/", http.FileServer(http.Dir(folder))))
		t.Cleanup(server.Close)
		return server.URL + "/some/folder/"
	}
}

// Somebody who has never seen the format learns from the page why one cell says no.
func testExample(t *testing.T, p *tab) {
	p.shows(".open", "This is an example.")
	p.clickCell("any other credential", "proxy-api")
	p.shows(".verdict", "No.")
	p.shows(".verdict", `The rule integration:"salesforce"/credential:* decides.`)
	p.shows(".verdict", "It is for every credential of salesforce, and it grants nothing.")
	p.shows(".steps .is-decides", "It is the most specific rule that covers the target.")
	p.shows(".steps .is-overridden", `is more specific and replaces it.`)
	p.shows(".changes", "Add proxy-api to")
	p.shows(".effects", `1 other answer changes too: proxy-api on integration:"salesforce".`)
	p.picture("explanation.png")
	p.clickCSS(".why summary")
	p.shows(".why details .is-no_match", "It is about another credential.")

	// What the change does can be seen before it is made.
	p.click("button", "Compare before and after")
	p.shows(".difference", "Wider.")
	p.shows(".answer:first-child", "No.")
	p.shows(".answer:last-child", "Yes.")
}

func testPaste(t *testing.T, p *tab) {
	p.paste("textbox", claimBox, slackOnly)
	p.shows(".open", "Read as a claim.")
	p.shows(".matrix", "slack")
	p.shows(".strip", "NOT VERIFIED")

	payload := `{"sub":"anna@example.com","exp":1,"urn:useparagon:connect:permissions":{"integration:jira":["events"]}}`
	p.paste("textbox", claimBox, payload)
	p.shows(".open", "Read as a payload.")
	p.shows(".token", "anna@example.com")
	p.shows(".matrix", "jira")
	p.shows(".strip", "A payload without its token has no signature.")

	token, _ := signed(t, slackOnly)
	p.paste("textbox", claimBox, token)
	p.shows(".open", "Read as a token.")
	p.shows(".matrix", "slack")
	want := strings.Replace(slackOnly, "false", "[]", 1) // as the token has it
	require.JSONEq(t, want, eval[string](p, "T.text()"), "the claim of the token is in the editor")
	p.until(`T.verdict() === "⚠ NOT VERIFIED"`, "it says NOT VERIFIED")
	eval[any](p, `scrollTo(0, document.body.scrollHeight)`)
	require.True(t, eval[bool](p, `T.inSight(".strip .badge")`), "NOT VERIFIED is in sight at the end of the page too")
	eval[any](p, `scrollTo(0, 0)`)

	// A part of a claim is inserted where the cursor is. A whole one takes the place of what is there.
	p.paste("textbox", claimBox, slackOnly)
	p.shows(".matrix", "slack")
	p.click("textbox", claimBox)
	p.key(kb.Home, chromedp.ModifierCtrl)
	p.key(kb.ArrowRight)
	p.pasteHere(`"integration:jira": true,`)
	p.shows(".matrix", "jira")
	p.until(editorHas("integration:slack"), "the rest is still there")
	p.pasteHere(`{"integration:hubspot":["events"]}`)
	p.shows(".matrix", "hubspot")
	require.NotContains(t, eval[string](p, "T.text()"), "slack")
	p.clickCSS(".legend") // beside the editor
	p.pasteHere(`{"integration:asana":["events"]}`)
	p.shows(".matrix", "asana")
	p.click("button", "Clear")
	p.pasteHere(slackOnly)
	p.shows(".matrix", "slack")

	// A token that is typed into the editor is read in the same way.
	p.key("a", chromedp.ModifierCtrl)
	token, _ = signed(t, `{"integration:hubspot":true}`)
	p.write(token)
	p.shows(".matrix", "hubspot")
	require.NotContains(t, eval[string](p, "T.text()"), token)

	// A token without the claim allows everything.
	p.paste("textbox", claimBox, `{"sub":"anna@example.com","exp":1}`)
	p.shows(".notice", "allows everything")
	p.until(`T.all(".matrix .cell").every((e) => !e.classList.contains("no"))`, "everything is allowed")
	p.until(`T.tree("any integration.*everything the token has no claim")`, "the tree says so")

	// One that cannot be read is refused, and does not stay on the page.
	p.paste("textbox", claimBox, token[:60]+"!")
	p.until(`document.querySelector(".open .wrong")`, "the token is refused")
}

func testVerify(t *testing.T, p *tab) {
	token, key := signed(t, slackOnly)
	another, other := signed(t, slackOnly)
	p.paste("textbox", claimBox, token)
	p.shows(".verification", "NOT VERIFIED")
	p.paste("textbox", "Public key (PEM, or base64 of it)", key)
	p.click("textbox", "Project ID")
	p.write(project)
	p.shows(".verification", "VERIFIED")
	p.until(`document.querySelector(".strip.verified")`, "the token is verified")
	p.until(`T.verdict() === "✓ VERIFIED"`, "it says VERIFIED")
	p.picture("verified.png")

	// While it is verified again, the verdict stays.
	verdicts := func() []string { return eval[[]string](p, "T.verdicts") }
	recheck := func() {
		eval[any](p, "T.watchVerdicts()")
		for range 3 {
			eval[any](p, "T.recheck()")
			time.Sleep(200 * time.Millisecond)
		}
	}
	recheck()
	require.Equal(t, []string{"✓ VERIFIED."}, verdicts())

	// But a verdict for which two periods have passed does not: the token may have expired.
	eval[any](p, "T.watchVerdicts()")
	eval[any](p, "(T.recheck(), T.recheck())")
	p.until(`T.verdicts.length === 3`, "the verdict is old until the token is verified again")
	require.Equal(t, []string{"✓ VERIFIED.", "⚠ NOT VERIFIED.", "✓ VERIFIED."}, verdicts())

	// With another project, the verdict of the one before it is not shown.
	eval[any](p, "T.watchVerdicts()")
	p.write("f")
	p.until(`document.querySelector(".strip.refused")`, "another project is refused")
	p.shows(".verification", "REFUSED")
	p.shows(".verification", "aud")
	require.Equal(t, []string{"✓ VERIFIED.", "⚠ NOT VERIFIED.", "✗ REFUSED."}, verdicts())
	recheck()
	require.Equal(t, []string{"✗ REFUSED."}, verdicts())
	p.key(kb.Backspace)
	p.until(`document.querySelector(".strip.verified")`, "it is verified again")

	p.click("textbox", "Public key (PEM, or base64 of it)")
	p.key("a", chromedp.ModifierCtrl)
	p.write(other)
	p.until(`document.querySelector(".strip.refused")`, "another key is refused")
	p.shows(".verification", "signature")
	p.click("textbox", "Public key (PEM, or base64 of it)")
	p.key("a", chromedp.ModifierCtrl)
	p.write(key)
	p.until(`document.querySelector(".strip.verified")`, "it is verified again")

	// What is typed into the claim was not signed.
	p.click("textbox", "Claim")
	p.key(kb.End, chromedp.ModifierCtrl)
	p.write(" ")
	p.until(`document.querySelector(".strip.not-verified")`, "a changed claim is not verified")
	p.key(kb.Backspace)
	p.until(`document.querySelector(".strip.verified")`, "the claim of the token is verified")

	// Nor is it for another token, even one with the same claim.
	eval[any](p, "T.watchVerdicts()")
	p.click("textbox", "Claim")
	p.key("a", chromedp.ModifierCtrl)
	p.pasteHere(another)
	p.until(`document.querySelector(".strip.refused")`, "another token is refused")
	require.Equal(t, []string{"✓ VERIFIED.", "⚠ NOT VERIFIED.", "✗ REFUSED."}, verdicts())

	p.click("button", "Forget it")
	p.until(`!document.querySelector(".token")`, "the token is forgotten")
	p.until(`document.querySelector(".strip.not-verified")`, "nothing is verified")
}

func testDrop(t *testing.T, p *tab) {
	p.drop("textbox", "Claim", slackOnly)
	p.shows(".open", "Read dropped.txt as a claim.")
	p.shows(".matrix", "slack")
}

func testComplete(t *testing.T, p *tab) {
	p.click("textbox", "Claim")
	p.key("a", chromedp.ModifierCtrl)
	p.key(kb.Delete)
	p.key(`{"int`)
	completion := func(want string) {
		t.Helper()
		p.until("T.proposes("+quoted(want)+")", "it proposes "+want)
	}
	completion("integration:*")
	time.Sleep(300 * time.Millisecond) // the list takes no key in its first moment
	p.enter()
	p.until(editorHas(`{"integration:*": }`), "the key is complete")
	p.key(`["pr`)
	completion("proxy-api")
	p.key("o") // the list is open, and stays
	completion("proxy-api")
	time.Sleep(300 * time.Millisecond)
	p.enter()
	p.until(editorHas(`{"integration:*": ["proxy-api"]}`), "the permission is complete")
	p.shows(".problems", "No mistakes.")
}

func testMend(t *testing.T, p *tab) {
	// Each mistake has a marker at its place, and its fix at a click.
	p.paste("textbox", claimBox, `{
  "integration:*": ["event"],
  "integration:slack": ["proxy-api"],
  "credential:nobody": false
}`)
	p.shows(".problems", "The whole claim is refused")
	p.until(`T.markers("error").length === 2`, "both mistakes have a marker")
	p.shows(".matrix-card", "refused whole")
	p.picture("mistakes.png")
	p.click("button", "Fix it: …")
	p.until(editorHas(`["events"]`), "the name is mended")
	p.click("button", "Fix it: …")
	p.shows(".problems", "is valid")

	// So has each finding. Its fix is in the tooltip of the marker too.
	p.paste("textbox", claimBox, `{
  "integration:*": ["events"],
  "integration:slack": ["proxy-api"],
  "integration:jira": {}
}`)
	p.until(`T.markers("warning").length >= 2`, "the findings have markers")
	p.until(editorHas(`"integration:jira"`), "the empty map is there")
	p.clickOn("the fix in the tooltip", func() []float64 {
		at := p.aimAt("T.fixInTooltip()")
		if len(at) == 0 { // it goes when the findings come anew
			marker := p.resting(func() []float64 { return p.aimAt(`T.markers("warning").at(-1)`) })
			p.do(chromedp.MouseEvent(chromedp.MouseMoved, 0, 0))
			p.do(chromedp.MouseEvent(chromedp.MouseMoved, marker[0], marker[1]))
			time.Sleep(500 * time.Millisecond)
		}
		return at
	})
	p.until("!("+editorHas(`"integration:jira"`)+")", "the empty map is removed")
}

func testTree(t *testing.T, p *tab) {
	p.paste("textbox", claimBox, `{
  "integration:*": true,
  "integration:slack": {"credential:*": false, "credential:ext:finance": ["proxy-api"]},
  "integration:jira": ["events"]
}`)
	row := func(name, want string) {
		t.Helper()
		p.until("T.tree("+quoted("^\\S?\\s*"+name+".*"+want)+")", "the tree has "+name+" "+want)
	}
	row("integration jira", "grants ◐ events overrides integration:\\*")
	row("integration slack", "inherits ✓ everything from integration:\\*")
	row("any other integration", "grants ✓ everything.*overrides nothing")
	row("the user", "grants ✓ everything decided by integration:\\*")
	row("any other credential", "grants ✗ nothing overrides integration:\\*")
	p.clickCell("any other credential", "events")
	p.until(`T.has("[role=treeitem].lit", "decides")`, "the rule that decides is lit in the tree")
	p.clickCell("the user", "events")
	p.until(`T.has("[role=treeitem].lit", "the user")`, "the row of the user is lit too")
	p.clickCell("any other credential", "events")
	p.until(`T.inEditor(".mark-decides")[0]?.innerText.includes("credential:*")`, "it is lit in the editor")
	p.picture("tree.png")
	before := eval[int](p, `document.querySelectorAll("[role=treeitem]").length`)
	p.clickCSS("[role=treeitem][aria-expanded=true] .twist")
	p.until(fmt.Sprintf(`document.querySelectorAll("[role=treeitem]").length < %d`, before), "a scope can be closed")
}

func testMatrix(t *testing.T, p *tab) {
	p.paste("textbox", claimBox, `{"integration:*":true,"integration:slack":{"credential:ext:finance":false}}`)
	p.shows(".matrix", "any other integration")
	has := func(row, permission, want string) {
		t.Helper()
		p.until(cell(row, permission)+"?.textContent.includes("+quoted(want)+")", row+", "+permission+": "+want)
	}
	has("the user", "proxy-api", "cannot be asked")
	has("the user", "events", "yes")
	has("integration slack", "proxy-api", "undetermined")
	has("credential with external ID", "proxy-api", "no")
	has("any other integration", "proxy-api", "yes")

	p.clickCell("integration slack", "proxy-api")
	p.shows(".verdict", "Undetermined, so no.")
	p.shows(".verdict", "credential's external ID, which is not known")
	p.picture("matrix.png")
	p.click("button", "Ask it so: …")
	p.shows(".verdict", "Yes.")

	// A change of the claim that is proposed gives another answer.
	p.clickCell("credential with external ID", "proxy-api")
	p.shows(".verdict", "No.")
	eval[bool](p, `Boolean(T.matrix = document.querySelector(".matrix"))`)
	p.click("button", "Change the claim: …")
	p.shows(".verdict", "Yes.")
	p.until(editorHas("proxy-api"), "the claim was changed")
	require.True(t, eval[bool](p, `T.matrix === document.querySelector(".matrix")`), "the matrix stays where it is")
}

func testAsk(t *testing.T, p *tab) {
	p.paste("textbox", claimBox, slackOnly)
	p.shows(".matrix", "slack")
	set(p, "combobox", "Action", "proxy-api")
	set(p, "combobox", "Target", "credential")
	p.click("combobox", "Integration")
	p.key("a", chromedp.ModifierCtrl)
	p.write("slack")
	set(p, "combobox", "Credential ID", "unknown")
	set(p, "combobox", "Credential external ID", "known")
	p.click("combobox", "Credential external ID text")
	p.write("financ")
	p.shows(".verdict", "No.")
	p.write("e")
	p.shows(".verdict", "Yes.")
	p.shows(".asks", "May the token use proxy-api on the credential with external ID finance of the integration slack?")

	p.shows(".written pre", `permissions.Integration("slack").Credential(permissions.ExternalID("finance"))`)
	p.click("tab", "JSON")
	p.shows(".written pre", `"externalId"`)
	p.click("tab", "Command line")
	p.shows(".written pre", "explain proxy-api")
	p.shows(".written pre", "--credential-external-id")

	p.click("button", "Add target to the matrix")
	p.until(`document.querySelector(".matrix .row .remove")`, "the target is a row")
	p.click("button", "Remove the row …")
	p.until(`!document.querySelector(".matrix .row .remove")`, "the row is gone")

	set(p, "combobox", "Credential ID", "known")
	p.click("combobox", "Credential ID text")
	p.key("a", chromedp.ModifierCtrl)
	p.write("finance")
	p.shows(".question [role=alert]", `The credential ID "finance" is not a UUID`)
	p.until(`document.querySelector("[aria-label='Credential ID text']").ariaInvalid === "true"`, "and where")
}

func testCompare(t *testing.T, p *tab) {
	p.paste("textbox", claimBox, slackOnly)
	p.click("button", "Compare two claims")
	second := strings.Replace(slackOnly, `["proxy-api"]`, `["proxy-api", "workflows"]`, 1)
	p.until(`document.querySelectorAll(".editor").length === 2`, "there are two claims")
	p.paste("textbox", secondBox, second)
	p.shows(".difference", "Wider.")
	p.shows(".difference", "Now allowed: workflows")
	p.shows(".difference", `integration:"slack"/credential:ext:"finance"`)
	p.until(`document.querySelectorAll(".matrix [role=columnheader]").length === 21`,
		"two matrices are beside each other")
	second = cell("credential with external ID", "Second claim: workflows")
	p.until(second+`?.textContent.includes("changed, before: no")`, "the matrix marks what has changed")
	p.until(`document.querySelectorAll(".matrix .cell.changed").length === 2`, "and nothing else")
	p.clickCell("the user", "First claim: events")
	p.key(kb.End)
	p.until(`T.active().dataset.cell === "0.20"`, "the End key goes to the end of the second matrix")
	p.key(kb.ArrowDown)
	p.until(`T.active().dataset.cell === "1.20"`, "the arrow goes down in it")
	p.until(`T.has(".tree .row.gained", "allows more")`, "the tree shows it")
	p.until(`T.inEditors(".mark-gained").length === 2`, "both editors show it")
	p.click("button", "Ask this")
	p.until(`document.querySelectorAll(".answer").length === 2`, "there are two answers")
	p.shows(".answer:first-child", "No.")
	p.shows(".answer:last-child", "Yes.")
	p.picture("comparison.png")

	for _, change := range []struct{ claim, want string }{
		{`{"integration:slack":{"credential:*":false,"credential:ext:finance":["proxy-api"]}}`, "Narrower."},
		{`{"integration:slack":true}`, "Wider and narrower."},
		{slackOnly, "Equal."},
	} {
		p.paste("textbox", secondBox, change.claim)
		p.shows(".difference", change.want)
	}
	p.paste("textbox", secondBox, `{"integration:*":["events","workflows"]}`)
	p.shows(".difference", "Wider and narrower.")
	p.click("button", "Replace the second claim with what both allow")
	p.shows(".difference", "Narrower.")
}

func testShare(t *testing.T, p *tab) {
	token, key := signed(t, slackOnly)
	p.paste("textbox", claimBox, token)
	p.shows(".matrix", "slack")
	p.paste("textbox", "Public key (PEM, or base64 of it)", key)
	p.clickCell("any other credential", "proxy-api")
	p.shows(".verdict", "No.")
	p.click("button", "Share")
	p.shows("dialog", "The token is not in the link.")
	p.until(`document.querySelector("dialog input").value.includes("#v1=")`, "there is a link")
	link := eval[string](p, `document.querySelector("dialog input").value`)
	p.click("button", "Copy the link")
	p.shows("dialog", "Copied")
	require.Equal(t, link, eval[string](p, "navigator.clipboard.readText()"))
	p.picture("share.png")
	p.click("button", "Close")

	// What the link holds is exactly the claim and the question.
	_, fragment, _ := strings.Cut(link, "#v1=")
	held := eval[string](p, "T.held("+quoted(fragment)+")")
	var shared map[string]any
	require.NoError(t, json.Unmarshal([]byte(held), &shared))
	require.ElementsMatch(t, []string{"claim", "question"}, keys(shared))
	for _, part := range strings.Split(token, ".") {
		require.NotContains(t, held, part)
	}

	// Opened in a fresh page, it shows the same.
	p.do(chromedp.Reload())
	p.shows(".open", "This is an example.")
	eval[any](p, "location.hash = "+quoted("v1="+fragment))
	p.shows(".open", "Read from a link.")
	p.shows(".matrix", "slack")
	p.shows(".verdict", "No.")
	p.shows(".strip", "NOT VERIFIED")
	require.False(t, eval[bool](p, `Boolean(document.querySelector(".token"))`))

	// A token in the claim is not shared either.
	p.paste("textbox", claimBox, `{"credential:ext:`+token+`":true}`)
	p.until(editorHas(token), "the claim has a token in it")
	p.click("button", "Share")
	p.shows("dialog", "A token does not go into a link.")
	require.False(t, eval[bool](p, `Boolean(document.querySelector("dialog input"))`))
	p.click("button", "Close")

	eval[any](p, `location.hash = "v1=AAAA"`)
	p.shows(".open", "This link is damaged.")
}

func testStore(t *testing.T, p *tab) {
	stored := func() string { return eval[string](p, "T.stored()") }
	token, _ := signed(t, slackOnly)
	p.paste("textbox", claimBox, token)
	p.shows(".matrix", "slack")
	require.Equal(t, `[0,"",{},{}]`, stored())
	p.click("checkbox", "Keep in this browser")
	p.until("localStorage.length === 1", "it is kept")
	require.Contains(t, stored(), "integration:slack")
	for _, part := range strings.Split(token, ".") {
		require.NotContains(t, stored(), part)
	}
	p.do(chromedp.Reload())
	p.shows(".open", "Kept in this browser since the last time.")
	p.shows(".matrix", "slack")
	p.click("checkbox", "Keep in this browser")
	p.until("localStorage.length === 0", "it is forgotten")
}

// testKeyboard uses no mouse.
func testKeyboard(t *testing.T, p *tab) {
	tabTo := func(what, is string) {
		t.Helper()
		for range 60 {
			p.key(kb.Tab)
			if eval[bool](p, "Boolean((() => { const e = T.active(); return "+is+"; })())") {
				return
			}
		}
		require.Fail(t, "the Tab key does not reach it", what)
	}
	tabTo("the editor", `e.matches(".editor")`)
	p.key("a", chromedp.ModifierCtrl)
	p.write(slackOnly)
	p.shows(".matrix", "slack")
	tabTo("the tree", `e.role === "treeitem"`)
	p.key(kb.ArrowDown)
	p.key(kb.ArrowDown)
	p.until(`T.active().innerText.includes("credential:ext:")`, "the arrow goes down in the tree")
	p.key(kb.ArrowLeft)
	p.until(`T.active().innerText.includes("integration slack")`, "the arrow goes to the scope around it")
	p.key(kb.ArrowLeft)
	p.until(`T.active().ariaExpanded === "false"`, "the arrow closes it")
	p.key(kb.ArrowRight)
	p.until(`T.active().ariaExpanded === "true"`, "the arrow opens it")
	p.key(kb.Enter)
	p.until(`T.active().ariaSelected === "true"`, "Enter picks it")
	tabTo("the matrix", `e.closest("[role=grid]")`)
	p.key(kb.Home, chromedp.ModifierCtrl)
	p.until(`T.active().title === "the user"`, "Home goes to the first row")
	for range 3 {
		p.key(kb.ArrowDown)
	}
	for range 7 {
		p.key(kb.ArrowRight)
	}
	p.until(`T.active().role === "gridcell"`, "the arrows go to a cell")
	p.key(kb.Enter)
	p.answers("T.active()")
	p.shows(".verdict", "No.")
	require.True(t, eval[bool](p, `T.active().role === "gridcell"`), "the focus stays")
	tabTo("the action", `e.matches(".ask select")`)
	tabTo("a rule", `e.closest(".steps")`)
	tabTo("a change", `e.matches(".changes > li > button")`) // what else it changes has buttons too
	p.key(kb.Enter)
	p.shows(".verdict", "Yes.")
	tabTo("how it is written", `e.role === "tab"`)
	p.key(kb.ArrowRight)
	p.until(`T.active().innerText === "JSON" && T.active().ariaSelected`, "the arrow goes to JSON")
}

func testAxe(t *testing.T, p *tab) {
	token, _ := signed(t, slackOnly)
	p.paste("textbox", claimBox, token)
	p.shows(".matrix", "slack")
	p.clickCell("any other credential", "proxy-api")
	p.shows(".verdict", "No.")
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		require.Empty(t, p.axe(), scheme)
	}
	// The page has its own switch.
	set(p, "combobox", "Colours", "light")
	p.until(`getComputedStyle(document.documentElement).colorScheme === "light"`, "the page is light")
	set(p, "combobox", "Colours", "dark")
	p.click("button", "Compare two claims")
	p.paste("textbox", secondBox, `{"integration:*":["workflow"]}`)
	p.shows(".problems", "refused")
	require.Empty(t, p.axe(), "a mistake")
	p.paste("textbox", secondBox, `{"integration:*":["workflows"],"integration:jira":{}}`)
	p.shows(".difference", "Wider and narrower.")
	p.shows(".matrix", "integration jira")
	require.Empty(t, p.axe(), "two claims")
	p.picture("comparison-dark.png")
	p.click("button", "Share")
	p.until(`document.querySelector("dialog input").value.includes("#v1=")`, "there is a link")
	require.Empty(t, p.axe(), "the dialog")
}

func testNarrow(t *testing.T, p *tab) {
	p.size(360, 740)
	fits := func(what string) {
		t.Helper()
		p.until("document.documentElement.scrollWidth <= 360", what+" is not wider than the page")
		for _, scheme := range []string{"light", "dark"} {
			p.scheme(scheme)
			require.Empty(t, p.axe(), what+" in "+scheme)
		}
	}
	token, _ := signed(t, slackOnly)
	p.paste("textbox", claimBox, token)
	p.shows(".matrix", "slack")
	p.clickCell("any other credential", "proxy-api")
	p.shows(".verdict", "No.")
	fits("the page")
	p.picture("narrow.png")
	p.click("button", "Compare two claims")
	p.shows(".difference", "Difference")
	p.paste("textbox", secondBox, `{"integration:slack":true}`)
	p.shows(".difference", "Wider and narrower.")
	p.until(`document.querySelector(".matrix .row.below .changed")`, "the second claim is below the first one")
	p.clickCell("any other credential", "workflows")
	p.shows(".answer:last-child", "Yes.")
	fits("a comparison")
	p.picture("comparison-narrow.png")
}

// testLarge reports how long things take and does not judge it.
func testLarge(t *testing.T, p *tab) {
	claim := largeClaim(10_000)
	p.until("T.painted", "the page is painted")
	painted := eval[float64](p, "T.painted")
	p.drop("textbox", "Claim", claim)
	begun := time.Now()
	p.shows(".problems", "10,000 rules")
	p.shows(".matrix", "app-1")
	shown := time.Since(begun)
	p.until(`T.all(".matrix .row").length < 60 && T.all(".tree .row").length < 60`, "few rows are made")

	// The time from a click to the answer that was painted, for cells over the whole claim.
	p.clickCell("the user", "events")
	p.shows(".verdict", "Yes.")
	script := eval[map[string][]float64](p, "T.answers(24, false)")
	person := eval[map[string][]float64](p, "T.answers(24, true)")
	jump := eval[float64](p, "T.jump()")
	p.clickCSS("[role=treeitem]")
	p.key(kb.End)
	p.until(`T.has("[role=treeitem]:focus", "any other")`, "the End key goes to the last scope")
	t.Logf("first paint %.0f ms; 10,000 rules shown after %.0f ms; rows after a jump %.0f ms",
		painted, 1000*shown.Seconds(), jump)
	for _, what := range []string{"answers", "painted", "lit"} {
		t.Logf("%s: %s by a script, %s by a person", what, medianAndWorst(t, script[what]), medianAndWorst(t, person[what]))
	}
}

func medianAndWorst(t *testing.T, times []float64) string {
	t.Helper()
	require.NotEmpty(t, times)
	slices.Sort(times)
	return fmt.Sprintf("median %.1f ms, worst %.1f ms", times[len(times)/2], times[len(times)-1])
}

// largeClaim returns a claim with a number of rules, which overlap in many ways.
func largeClaim(rules int) string {
	var b strings.Builder
	b.WriteString(`{"integration:*":["events"]`)
	for n := 1; n < rules; {
		fmt.Fprintf(&b, `,"integration:app-%d":{"credential:*":false`, n)
		n++
		for i := 0; i < 8 && n < rules; i++ {
			fmt.Fprintf(&b, `,"credential:%08x-5717-4562-b3fc-2c963f66afa6":["proxy-api","workflows"]`, n)
			n++
		}
		if n < rules {
			fmt.Fprintf(&b, `,"configuration:ext:team %d":["settings:write"]`, n)
			n++
		}
		b.WriteByte('}')
	}
	b.WriteByte('}')
	return b.String()
}

// signed returns a token with a claim, and the public key that verifies it.
func signed(t *testing.T, claim string) (token, key string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	signer, err := usertoken.NewSigner(project, private)
	require.NoError(t, err)
	policy, err := permissions.Parse([]byte(claim))
	require.NoError(t, err)
	token, err = signer.Sign("anna@example.com", policy)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	require.NoError(t, err)
	return token, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// editorHas returns the expression that says whether the first editor has a text.
func editorHas(text string) string { return "T.text().includes(" + quoted(text) + ")" }

// set chooses an option of a select element.
func set(p *tab, role, name, value string) {
	p.t.Helper()
	p.click(role, name)
	p.key(kb.Escape)
	require.True(p.t, eval[bool](p, `T.active().matches("select")`), "the click gives %s the focus", name)
	eval[any](p, "T.choose("+quoted(value)+")")
}

func keys(m map[string]any) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	return names
}
