package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/usertoken"
)

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// TestDemo runs the demonstration twice: it shows a request that is allowed and one that is denied.
func TestDemo(t *testing.T) {
	for _, database := range []string{"", postgreSQL} {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), "", database, true, environment(), &out))
		for _, want := range []string{`200 OK  {"credentials":[{`, "204 No Content", "401 Unauthorized",
			"403 Forbidden", "404 Not Found"} {
			require.Contains(t, out.String(), want)
		}
	}
}

// TestServe requires that the printed tokens work until the server is told to stop.
func TestServe(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())

	ctx, stop := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, address, "", false, environment(), writer) }()
	var text strings.Builder
	for buffer := make([]byte, 4096); !strings.Contains(text.String(), "nobody gets anywhere"); {
		n, err := reader.Read(buffer)
		require.NoError(t, err)
		text.Write(buffer[:n])
	}
	go io.Copy(io.Discard, reader)
	_, rest, _ := strings.Cut(text.String(), "admin='Authorization: ")
	token, _, _ := strings.Cut(rest, "'")
	r, err := http.NewRequest("GET", "http://"+address+"/integrations/slack/credentials", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", token)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode)
	stop()
	require.NoError(t, <-done)
}

// TestProjectKey requires that the key of a project decides, and that no tokens are made then.
func TestProjectKey(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))

	verifier, tokens, err := trust(false, environment("PARAGON_PROJECT_ID", "p", "PARAGON_PUBLIC_KEY", text))
	require.NoError(t, err)
	require.Nil(t, tokens)
	signer, err := usertoken.NewSigner("p", key)
	require.NoError(t, err)
	token, err := signer.Sign(tenant, roles["reader"])
	require.NoError(t, err)
	_, err = verifier.Verify(token)
	require.NoError(t, err)

	_, _, err = trust(false, environment("PARAGON_PROJECT_ID", "p"))
	require.ErrorContains(t, err, "PARAGON_PUBLIC_KEY")
	_, _, err = trust(false, environment("PARAGON_PUBLIC_KEY", text))
	require.ErrorContains(t, err, "project")
	require.Error(t, run(t.Context(), "", "", false, environment("PARAGON_PROJECT_ID", "p"), io.Discard))
	require.Error(t, run(t.Context(), "nowhere", "", false, environment(), io.Discard))
}
