package httpauth_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

// One line has all that a support person needs.
func TestLogLineOfADenial(t *testing.T) {
	var log logBook
	policy := permissions.MustParse(`{"integration:slack": {
		"credential:*": ["proxy-api"],
		"credential:ext:finance": ["events"]
	}}`)
	auth := newAuth(log.option())
	mux := http.NewServeMux()
	proxy := auth.Require(permissions.ProxyAPI, inHeader.Target)(nobody(t))
	mux.Handle("POST /integrations/{integration}/proxy", proxy)
	r := httptest.NewRequest("POST", "/integrations/slack/proxy?userToken=secret", nil)
	r.Header.Set(httpauth.CredentialHeader, "ext:finance")
	kit.Authorize(t, r, "ann", policy, usertoken.WithTokenID("token-7"))
	requireProblem(t, serve(mux, r), 403, insufficientScope)
	target := map[string]any{
		"level": "credential", "integration": "slack", "credential": map[string]any{"externalId": "finance"},
	}
	require.Equal(t, map[string]any{
		"level":    "WARN",
		"msg":      "request refused",
		"status":   403.,
		"allowed":  false,
		"reason":   "not_granted",
		"rule":     `integration:"slack"/credential:ext:"finance"`,
		"pointer":  "/integration:slack/credential:ext:finance",
		"action":   "proxy-api",
		"target":   target,
		"subject":  "ann",
		"token_id": "token-7",
		"method":   "POST",
		"route":    "POST /integrations/{integration}/proxy",
		"path":     "/integrations/slack/proxy",
		"error": `permissions: "proxy-api" on integration "slack", credential external ID "finance" denied: ` +
			`integration:"slack"/credential:ext:"finance" grants events`,
	}, log.only(t))
}

// inHeader has the integration in the path and the credential in its header.
var inHeader = httpauth.Sources{
	Integration: httpauth.Path("integration"),
	Credential:  httpauth.Header(httpauth.CredentialHeader),
}

// Every refusal is one line, with a reason, with the user if the token is genuine, and without any token.
func TestEveryRefusalIsOneLine(t *testing.T) {
	finance := permissions.MustParse(`{"integration:*": true, "credential:ext:finance": false}`)
	with := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	expired := kit.BadToken(t, permissionstest.FlawExpired, "ann", everything)
	for _, c := range []struct {
		name    string
		policy  *permissions.Policy
		change  func(*http.Request)
		reason  string
		subject any
		level   string
		want    map[string]any
	}{
		{"denied", nothing, nil, "no_rule", "ann", "WARN", map[string]any{"status": 403., "action": "proxy-api"}},
		{"undetermined", finance, nil, "undetermined", "ann", "WARN",
			map[string]any{"unknown": []any{"credential.externalId"}}},
		{"invalid question", everything, with(httpauth.CredentialHeader, "7,8"), "invalid_question", "ann", "WARN",
			map[string]any{"status": 400., "error": `permissions: invalid question: credential "7,8" has a comma in the ` +
				`header "X-Paragon-Credential", which makes a list of it; send one value`}},
		{"no token", everything, func(r *http.Request) { r.Header.Del("Authorization") }, "no_token", nil, "WARN",
			map[string]any{"status": 401., "error": "no bearer token"}},
		{"two tokens", everything, func(r *http.Request) { r.Header.Add("Authorization", "Bearer x") },
			"bad_authorization", nil, "WARN", map[string]any{"status": 400.}},
		{"expired", everything, with("Authorization", "Bearer "+expired), "token_refused", nil, "WARN",
			map[string]any{"status": 401.}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log logBook
			auth := newAuth(log.option())
			r := request(t, "ann", c.policy)
			r.SetPathValue("integration", "slack")
			if c.change != nil {
				c.change(r)
			}
			serve(auth.Require(permissions.ProxyAPI, inHeader.Target)(nobody(t)), r)
			line := log.only(t)
			require.Equal(t, c.reason, line["reason"])
			require.Equal(t, c.subject, line["subject"])
			require.Equal(t, c.level, line["level"])
			for key, value := range c.want {
				require.Equal(t, value, line[key], key)
			}
			for key := range line {
				require.NotContains(t, key, " ")
			}
			token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			for part := range strings.SplitSeq(token, ".") {
				require.True(t, part == "" || !strings.Contains(log.String(), part))
			}
		})
	}
}

// The line says by how much a token missed.
func TestLogSaysWhyATokenWasRefused(t *testing.T) {
	for flaw, want := range map[permissionstest.Flaw]string{
		permissionstest.FlawExpired:  "usertoken: token refused: exp ",
		permissionstest.FlawAudience: `"useparagon.com/another-project"`,
		permissionstest.FlawNearMiss: permissions.ClaimName,
	} {
		t.Run(string(flaw), func(t *testing.T) {
			var log logBook
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+kit.BadToken(t, flaw, "ann", everything))
			serve(newAuth(log.option()).Wrap(nobody(t)), r)
			require.Contains(t, log.only(t)["error"], want)
		})
	}
}

// Names that come from tokens and requests stay on their line, show what they hold, and are not long.
func TestLogQuotesHostileNames(t *testing.T) {
	const hostile = "a\u2028b\u202ec\nd"
	const quoted = `"a\u2028b\u202ec\nd"`
	long := strings.Repeat("n", 40_000)
	for _, c := range []struct {
		key    string
		change func(r *http.Request, text string)
	}{
		{"subject", func(r *http.Request, text string) { kit.Authorize(t, r, text, nothing) }},
		{"token_id", func(r *http.Request, text string) {
			r.Header.Set("Authorization", "Bearer "+tokenWithID(t, text))
		}},
		{"method", func(r *http.Request, text string) { r.Method = text }},
		{"path", func(r *http.Request, text string) { r.URL.Path = text }},
		{"route", func(r *http.Request, text string) { r.Pattern = text }},
	} {
		t.Run(c.key, func(t *testing.T) {
			for text, want := range map[string]string{hostile: quoted, long: ""} {
				if c.key == "token_id" && text == hostile {
					continue // a Signer does not sign it
				}
				var log logBook
				r := request(t, "ann", nothing)
				c.change(r, text)
				h := newAuth(log.option()).Require(permissions.ProxyAPI, fixed(slack, nil))
				serve(h(nobody(t)), r)
				require.NotContains(t, log.String(), "\u202e")
				require.Less(t, log.Len(), 1000)
				if want != "" {
					require.Equal(t, want, log.only(t)[c.key])
				}
				require.Contains(t, log.only(t), c.key)
			}
		})
	}
	t.Run("target", func(t *testing.T) {
		var log logBook
		target := permissions.Integration("a\u202eb" + long)
		h := newAuth(log.option()).Require(permissions.ProxyAPI, fixed(target, nil))(nobody(t))
		serve(h, request(t, "ann", nothing))
		require.NotContains(t, log.String(), "\u202e")
		require.Less(t, log.Len(), 1000)
	})
}

// tokenWithID returns a token with a jti.
func tokenWithID(t testing.TB, id string) string {
	return kit.Token(t, "ann", nothing, usertoken.WithTokenID(id))
}

func TestLogHasTheContextOfTheRequest(t *testing.T) {
	type key struct{}
	handler := &contextHandler{Handler: slog.DiscardHandler, level: slog.LevelWarn}
	auth := newAuth(httpauth.WithLogger(slog.New(handler)))
	r := httptest.NewRequest("GET", "/", nil)
	serve(auth.Wrap(nobody(t)), r.WithContext(context.WithValue(r.Context(), key{}, "trace")))
	require.Len(t, handler.contexts, 1)
	require.Equal(t, "trace", handler.contexts[0].Value(key{}))

	// Nothing is logged below the level of the logger.
	handler.level = slog.LevelError
	serve(auth.Wrap(nobody(t)), r)
	require.Len(t, handler.contexts, 1)
	auth = httpauth.New(downVerifier(t, errDatabase), httpauth.WithLogger(slog.New(handler)))
	serve(auth.Wrap(nobody(t)), request(t, "ann", nothing))
	require.Len(t, handler.contexts, 2)
}

// A contextHandler keeps the contexts of what is logged.
type contextHandler struct {
	slog.Handler
	level    slog.Level
	contexts []context.Context
}

func (h *contextHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *contextHandler) Handle(ctx context.Context, _ slog.Record) error {
	h.contexts = append(h.contexts, ctx)
	return nil
}

// Where there are no claims, neither the token nor a ceiling has denied.
func TestLogOfADenialWithoutClaims(t *testing.T) {
	var log logBook
	auth := newAuth(log.option(), httpauth.ReportOnly(), httpauth.WithCeiling(nothing))
	serve(auth.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpauth.WriteError(w, r, httpauth.Policy(r.Context()).Check(permissions.Events, slack))
	})), httptest.NewRequest("GET", "/", nil))
	lines := log.lines(t)
	require.Len(t, lines, 2)
	require.Equal(t, "no_policy", lines[1]["reason"])
	require.NotContains(t, lines[1], "denied_by")
}

// A request that was made by hand may have no URL.
func TestLogWithoutAURL(t *testing.T) {
	var log logBook
	serve(newAuth(log.option()).Wrap(nobody(t)), &http.Request{Method: "GET", Header: http.Header{}})
	require.NotContains(t, log.only(t), "path")
}

// The printed context of a request does not show the token.
func TestContextDoesNotPrintTheToken(t *testing.T) {
	var next somebody
	r := request(t, "ann", proxySlack)
	serve(newAuth().Wrap(&next), r)
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		require.NotContains(t, fmt.Sprintf(verb, next.requests[0].Context()), token)
	}
}

// A handler can return a typed nil as its error by mistake. It is answered and logged as what it would be.
func TestNilDenialIsLogged(t *testing.T) {
	var log bytes.Buffer
	auth := httpauth.New(kit.Verifier(), httpauth.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	handler := auth.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpauth.WriteError(w, r, (*permissions.DeniedError)(nil))
	}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, kit.Authorize(t, httptest.NewRequest("GET", "/", nil), "ann", permissions.Unrestricted()))
	require.Equal(t, http.StatusForbidden, w.Code)
	require.Contains(t, log.String(), "a nil *DeniedError")
}
