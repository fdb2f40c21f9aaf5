package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/connectperms/permissions/usertoken"
)

func TestOutput(t *testing.T) {
	want, err := os.ReadFile("output.txt")
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, run(&out))
	require.Equal(t, string(want), out.String())
}

// The keys of the tests, made once.
var testKeys = sync.OnceValue(func() [2]issuerKey { return [2]issuerKey{newIssuerKey("1"), newIssuerKey("2")} })

func newServer(t *testing.T) *keyServer {
	t.Helper()
	s, err := startKeyServer()
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func newVerifier(t *testing.T, url string, unknown *rate.Limiter) *usertoken.Verifier {
	t.Helper()
	keys, err := newKeys(t.Context(), url, unknown)
	require.NoError(t, err)
	v, err := usertoken.NewVerifier(project, nil, usertoken.WithKeySource(keys.Source))
	require.NoError(t, err)
	return v
}

func (k issuerKey) token(t *testing.T) string {
	t.Helper()
	token, err := k.sign("anna@example.com")
	require.NoError(t, err)
	return token
}

// requireRefused requires that a token was refused for itself, because its key is not known.
func requireRefused(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, usertoken.ErrToken)
	require.ErrorIs(t, err, jwt.ErrTokenUnverifiable)
	require.NotErrorIs(t, err, usertoken.ErrKeys)
}

// requireDown requires that keys could not be loaded, which is not the token's fault.
func requireDown(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, usertoken.ErrKeys)
	require.NotErrorIs(t, err, usertoken.ErrToken)
}

func always() *rate.Limiter { return rate.NewLimiter(rate.Inf, 1) }

func TestRotation(t *testing.T) {
	first, second := testKeys()[0], testKeys()[1]
	server := newServer(t)
	server.Publish(first)
	v := newVerifier(t, server.URL(), always())

	_, err := v.Verify(first.token(t))
	require.NoError(t, err)
	require.EqualValues(t, 1, server.requests.Load(), "a known key takes no request")
	_, err = v.Verify(second.token(t))
	requireRefused(t, err)
	require.ErrorContains(t, err, `kid "2" names no known key`)

	// The issuer publishes the new key before it signs with it.
	server.Publish(first, second)
	for _, key := range []issuerKey{first, second} {
		_, err = v.Verify(key.token(t))
		require.NoError(t, err)
	}

	// The old key is taken away. Whoever names an unknown key makes the verifier notice.
	server.Publish(second)
	_, err = v.Verify(issuerKey{"3", first.key}.token(t))
	requireRefused(t, err)
	_, err = v.Verify(first.token(t))
	requireRefused(t, err)
	_, err = v.Verify(second.token(t))
	require.NoError(t, err)

	// A key of the set under another ID does not verify.
	_, err = v.Verify(issuerKey{"2", first.key}.token(t))
	require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
}

func TestServerDown(t *testing.T) {
	first, second := testKeys()[0], testKeys()[1]
	server := newServer(t)
	server.Publish(first)
	v := newVerifier(t, server.URL(), always())
	_, err := v.Verify(first.token(t))
	require.NoError(t, err)

	server.Close()
	_, err = v.Verify(first.token(t))
	require.NoError(t, err, "keys that were loaded stay good")
	_, err = v.Verify(second.token(t))
	requireDown(t, err)
	require.ErrorContains(t, err, "connection refused")
}

// A server that answers with an error, or with something else, is as good as down.
func TestServerBroken(t *testing.T) {
	first, second := testKeys()[0], testKeys()[1]
	server := newServer(t) // answers 503 until something is published
	v := newVerifier(t, server.URL(), always())
	_, err := v.Verify(first.token(t))
	requireDown(t, err)
	require.ErrorContains(t, err, "503")

	broken := []byte("<html>")
	server.set.Store(&broken)
	_, err = v.Verify(first.token(t))
	requireDown(t, err)

	server.Publish(first)
	_, err = v.Verify(first.token(t))
	require.NoError(t, err, "it has recovered")
	_, err = v.Verify(second.token(t))
	requireRefused(t, err)
}

// A server that is down when the service starts may come up later.
func TestServerStartsLate(t *testing.T) {
	first := testKeys()[0]
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())

	v := newVerifier(t, "http://"+address+"/keys", always())
	_, err = v.Verify(first.token(t))
	requireDown(t, err)

	listener, err = net.Listen("tcp", address)
	require.NoError(t, err)
	s := new(keyServer)
	s.Publish(first)
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	_, err = v.Verify(first.token(t))
	require.NoError(t, err)
}

// Tokens with made-up key IDs do not make a request each, and do not wait for one.
func TestUnknownKeysAreLimited(t *testing.T) {
	first := testKeys()[0]
	server := newServer(t)
	server.Publish(first)
	v := newVerifier(t, server.URL(), rate.NewLimiter(rate.Every(unknownInterval), 1))
	begin := time.Now()
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		_, err := v.Verify(issuerKey{id, first.key}.token(t))
		requireRefused(t, err)
	}
	require.EqualValues(t, 2, server.requests.Load(), "the first one, and one for all of them")
	require.Less(t, time.Since(begin), unknownWait)
	_, err := v.Verify(first.token(t))
	require.NoError(t, err)
}

// The end of a request's context is not the token's fault.
func TestContextEnds(t *testing.T) {
	first := testKeys()[0]
	server := newServer(t)
	server.Publish(first)
	v := newVerifier(t, server.URL(), always())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.VerifyContext(ctx, issuerKey{"2", first.key}.token(t))
	requireDown(t, err)
	require.ErrorIs(t, err, context.Canceled)
	_, err = v.VerifyContext(ctx, first.token(t))
	require.NoError(t, err, "a known key takes no request")
}

// NewKeys refuses what is not a URL.
func TestNewKeys(t *testing.T) {
	_, err := NewKeys(t.Context(), "not a URL")
	require.Error(t, err)
	server := newServer(t)
	server.Publish(testKeys()[0])
	keys, err := NewKeys(t.Context(), server.URL())
	require.NoError(t, err)
	v, err := usertoken.NewVerifier(project, nil, usertoken.WithKeySource(keys.Source))
	require.NoError(t, err)
	_, err = v.Verify(testKeys()[0].token(t))
	require.NoError(t, err)
}
