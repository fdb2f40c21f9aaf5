package httpauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
)

// failingKeys is a key source that is down.
func failingKeys(err error) func(context.Context, *jwt.Token) (any, error) {
	return func(context.Context, *jwt.Token) (any, error) { return nil, err }
}

func TestAuthorization(t *testing.T) {
	token := kit.Token(t, "ann", proxySlack)
	other := permissionstest.New(t).Token(t, "ann", proxySlack)
	for _, c := range []struct {
		name   string
		header []string
		status int
		err    error // nil if the token is accepted
	}{
		{"token", []string{"Bearer " + token}, 204, nil},
		{"lower case", []string{"bearer " + token}, 204, nil},
		{"upper case", []string{"BEARER " + token}, 204, nil},
		{"mixed case", []string{"bEaReR " + token}, 204, nil},
		{"several spaces", []string{"Bearer   " + token}, 204, nil},

		{"none", nil, 401, httpauth.ErrNoToken},
		{"empty", []string{""}, 401, httpauth.ErrNoToken},
		{"another scheme", []string{"Basic YW5uOnNlY3JldA=="}, 401, httpauth.ErrNoToken},
		{"another scheme with the token", []string{"Basic " + token}, 401, httpauth.ErrNoToken},
		{"no scheme", []string{token}, 401, httpauth.ErrNoToken},
		{"longer scheme", []string{"Bearers " + token}, 401, httpauth.ErrNoToken},
		{"tab", []string{"Bearer\t" + token}, 401, httpauth.ErrNoToken},
		{"space before", []string{" Bearer " + token}, 401, httpauth.ErrNoToken},
		{"scheme with a small capital R", []string{"Bea\u0280er " + token}, 401, httpauth.ErrNoToken},

		{"twice", []string{"Bearer " + token, "Bearer " + token}, 400, httpauth.ErrAuthorization},
		{"with another scheme", []string{"Bearer " + token, "Basic YW5uOnNlY3JldA=="}, 400, httpauth.ErrAuthorization},
		{"with an empty one", []string{"", "Bearer " + token}, 400, httpauth.ErrAuthorization},
		{"scheme alone", []string{"Bearer"}, 400, httpauth.ErrAuthorization},
		{"scheme and space", []string{"Bearer "}, 400, httpauth.ErrAuthorization},
		{"scheme and padding", []string{"Bearer =="}, 400, httpauth.ErrAuthorization},
		{"list of headers", []string{"Bearer " + token + ", Bearer " + token}, 400, httpauth.ErrAuthorization},
		{"list of tokens", []string{"Bearer " + token + "," + token}, 400, httpauth.ErrAuthorization},
		{"parameter", []string{`Bearer token="` + token + `"`}, 400, httpauth.ErrAuthorization},
		{"space after", []string{"Bearer " + token + " "}, 400, httpauth.ErrAuthorization},
		{"space inside", []string{"Bearer " + token[:20] + " " + token[20:]}, 400, httpauth.ErrAuthorization},
		{"tab after space", []string{"Bearer \t" + token}, 400, httpauth.ErrAuthorization},
		{"line break", []string{"Bearer " + token + "\r\nX: y"}, 400, httpauth.ErrAuthorization},
		{"not ASCII", []string{"Bearer \u00e9" + token}, 400, httpauth.ErrAuthorization},
		{"padding inside", []string{"Bearer a=b"}, 400, httpauth.ErrAuthorization},

		{"not a JWT", []string{"Bearer opaque"}, 401, jwt.ErrTokenMalformed},
		{"every kind of character", []string{"Bearer azAZ09-._~+/=="}, 401, jwt.ErrTokenMalformed},
		{"oversized", []string{"Bearer " + strings.Repeat("a", 64<<10+1)}, 401, jwt.ErrTokenMalformed},
		{"padded", []string{"Bearer " + token + "="}, 401, jwt.ErrTokenMalformed},
		{"another key", []string{"Bearer " + other}, 401, jwt.ErrTokenSignatureInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			request := func() *http.Request {
				r := httptest.NewRequest("GET", "/?access_token="+token, nil)
				if c.header != nil {
					r.Header["Authorization"] = c.header
				}
				return r
			}
			var rec recorder
			var log logBook
			if c.err == nil {
				var next somebody
				auth := newAuth(rec.option(), log.option())
				require.Equal(t, 204, serve(auth.Wrap(&next), request()).StatusCode)
				require.Len(t, next.requests, 1)
				require.Empty(t, rec.errors)
				require.Empty(t, log.lines(t))
				return
			}
			code := invalidToken
			switch c.err {
			case httpauth.ErrNoToken:
				code = ""
			case httpauth.ErrAuthorization:
				code = invalidRequest
			}
			requireProblem(t, serve(newAuth().Wrap(nobody(t)), request()), c.status, code)

			// With an error handler, the status and the headers are the same, and the error says why.
			auth := newAuth(rec.option(), log.option())
			resp := serve(auth.Wrap(nobody(t)), request())
			require.Equal(t, c.status, resp.StatusCode)
			require.True(t, strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer"))
			require.Len(t, rec.errors, 1)
			require.ErrorIs(t, rec.errors[0], c.err)
			require.Equal(t, c.status, rec.errors[0].Status)
			require.Equal(t, code, rec.errors[0].Code)

			require.Len(t, log.lines(t), 1)
			for _, part := range strings.Split(token+"."+other, ".") {
				require.NotContains(t, rec.errors[0].Error(), part)
				require.NotContains(t, log.String(), part)
			}
		})
	}
}

func TestBearerToken(t *testing.T) {
	token, err := httpauth.BearerToken(http.Header{"Authorization": {"Bearer abc"}}.Values("authorization")...)
	require.NoError(t, err)
	require.Equal(t, "abc", token)
	for _, c := range []struct {
		name   string
		values []string
		want   error
	}{
		{"none", nil, httpauth.ErrNoToken},
		{"another scheme", []string{"Basic abc"}, httpauth.ErrNoToken},
		{"two", []string{"Bearer abc", "Bearer abc"}, httpauth.ErrAuthorization},
		{"a list", []string{"Bearer abc, Bearer abc"}, httpauth.ErrAuthorization},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, err := httpauth.BearerToken(c.values...)
			require.ErrorIs(t, err, c.want)
			require.Empty(t, token)
		})
	}
}

// The characters of a token are those of RFC 6750, section 2.1.
func TestCharactersOfAToken(t *testing.T) {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/"
	for c := range 256 {
		want := "a" + string([]byte{byte(c)}) + "b"
		token, err := httpauth.BearerToken("Bearer " + want)
		if strings.IndexByte(allowed, byte(c)) >= 0 {
			require.NoError(t, err, "%q", want)
			require.Equal(t, want, token)
		} else {
			require.ErrorIs(t, err, httpauth.ErrAuthorization, "%q", want)
		}
	}
}

func TestTokenOutsideOfTheHeaderIsNotSeen(t *testing.T) {
	token := kit.Token(t, "ann", permissions.Unrestricted())
	r := httptest.NewRequest("POST", "/?access_token="+token, strings.NewReader("access_token="+token))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: "access_token", Value: token})
	r.Header.Set("Proxy-Authorization", "Bearer "+token)
	requireProblem(t, serve(newAuth().Wrap(nobody(t)), r), 401, "")
}

// A real server trims white space around a header's value.
func TestAuthorizationOverNetwork(t *testing.T) {
	server := httptest.NewServer(newAuth().Wrap(&somebody{}))
	defer server.Close()
	r, err := http.NewRequest("GET", server.URL, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "  Bearer "+kit.Token(t, "ann", proxySlack)+" \t")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 204, resp.StatusCode)
}

func TestWithTokenFromCookie(t *testing.T) {
	token := kit.Token(t, "ann", proxySlack)
	auth := newAuth(httpauth.WithTokenFrom(func(r *http.Request) (string, error) {
		switch cookies := r.CookiesNamed("token"); len(cookies) {
		case 0:
			return httpauth.BearerToken(r.Header.Values("Authorization")...)
		case 1:
			return cookies[0].Value, nil
		}
		return "", httpauth.ErrAuthorization
	}))
	for _, c := range []struct {
		name    string
		cookies []string
		header  string
		status  int
		code    string
	}{
		{"cookie", []string{token}, "", 204, ""},
		{"header", nil, "Bearer " + token, 204, ""},
		{"neither", nil, "", 401, ""},
		{"empty cookie", []string{""}, "", 401, ""},
		{"garbage", []string{"garbage"}, "", 401, invalidToken},
		{"two cookies", []string{token, token}, "", 400, invalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			for _, value := range c.cookies {
				r.AddCookie(&http.Cookie{Name: "token", Value: value})
			}
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			if c.status == 204 {
				var next somebody
				require.Equal(t, 204, serve(auth.Wrap(&next), r).StatusCode)
				require.Equal(t, "ann", httpauth.Claims(next.requests[0].Context()).Subject)
				return
			}
			requireProblem(t, serve(auth.Wrap(nobody(t)), r), c.status, c.code)
		})
	}
}

func TestWithTokenFromSubprotocol(t *testing.T) {
	auth := newAuth(httpauth.WithTokenFrom(func(r *http.Request) (string, error) {
		protocols := strings.Split(r.Header.Get("Sec-WebSocket-Protocol"), ", ")
		if len(protocols) != 2 || protocols[0] != "paragon.token" {
			return "", httpauth.ErrNoToken
		}
		return protocols[1], nil
	}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Sec-WebSocket-Protocol", "paragon.token, "+kit.Token(t, "ann", proxySlack))
	require.Equal(t, 204, serve(auth.Wrap(&somebody{}), r).StatusCode)

	// The header is not looked at any more.
	requireProblem(t, serve(auth.Wrap(nobody(t)), request(t, "ann", proxySlack)), 401, "")
}

func TestWithTokenFromNilIsTheHeader(t *testing.T) {
	auth := newAuth(httpauth.WithTokenFrom(nil))
	require.Equal(t, 204, serve(auth.Wrap(&somebody{}), request(t, "ann", proxySlack)).StatusCode)
}
