// Jwks verifies tokens with the keys of a JSON Web Key Set, which a server publishes and changes. The
// server runs in this program. Keys, in keys.go, are what a service takes over.
//
//	go run .
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

const project = "1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311"

func main() {
	log.SetFlags(0)
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	first, second, third := newIssuerKey("2026-10"), newIssuerKey("2026-11"), newIssuerKey("2026-12")

	server, err := startKeyServer()
	if err != nil {
		return err
	}
	defer server.Close()
	server.Publish(first)

	keys, err := newKeys(ctx, server.URL(), rate.NewLimiter(rate.Inf, 1)) // a service calls NewKeys
	if err != nil {
		return err
	}
	verifier, err := usertoken.NewVerifier(project, nil, usertoken.WithKeySource(keys.Source))
	if err != nil {
		return err
	}
	verify := func(what string, key issuerKey) {
		token, err := key.sign("anna@example.com")
		if err == nil {
			_, err = verifier.VerifyContext(ctx, token)
		}
		switch {
		case err == nil:
			fmt.Fprintf(out, "%s: a token of %s is accepted\n", what, key.id)
		case errors.Is(err, usertoken.ErrKeys): // a web server answers 503
			fmt.Fprintf(out, "%s: nobody can tell whether a token of %s is good\n", what, key.id)
		case errors.Is(err, usertoken.ErrToken): // a web server answers 401
			fmt.Fprintf(out, "%s: a token of %s is refused\n", what, key.id)
		default:
			fmt.Fprintf(out, "%s: %v\n", what, err)
		}
	}

	verify("one key", first)
	verify("one key", second)

	server.Publish(first, second)
	verify("two keys", first)
	verify("two keys", second)

	server.Publish(second)
	verify("the first key is gone", second)
	verify("the first key is gone", third) // makes the keys load
	verify("the first key is gone", first)

	server.Close()
	verify("the server is down", second)
	verify("the server is down", third)
	return nil
}

// An issuerKey is the key of an issuer, with its ID.
type issuerKey struct {
	id  string
	key *rsa.PrivateKey
}

func newIssuerKey(id string) issuerKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	return issuerKey{id, key}
}

// sign returns a token for a subject who may do nothing.
func (k issuerKey) sign(subject string) (string, error) {
	signer, err := usertoken.NewSigner(project, k.key, usertoken.WithKeyID(k.id))
	if err != nil {
		return "", err
	}
	return signer.Sign(subject, permissions.MustParse(`{}`))
}

// A keyServer serves a JSON Web Key Set on the loopback interface.
type keyServer struct {
	listener net.Listener
	server   *http.Server
	set      atomic.Pointer[[]byte]
	requests atomic.Int64
}

func startKeyServer() (*keyServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &keyServer{listener: listener}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Second}
	go func() { _ = s.server.Serve(listener) }() // until Close
	return s, nil
}

// URL returns the address of the set.
func (s *keyServer) URL() string {
	return "http://" + s.listener.Addr().String() + "/.well-known/jwks.json"
}

// Close stops the server.
func (s *keyServer) Close() { _ = s.server.Close() }

// Publish replaces the keys in the set.
func (s *keyServer) Publish(keys ...issuerKey) {
	type jwk struct {
		KeyType   string `json:"kty"`
		Use       string `json:"use"`
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
		Modulus   string `json:"n"`
		Exponent  string `json:"e"`
	}
	number := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
	set := struct {
		Keys []jwk `json:"keys"`
	}{[]jwk{}}
	for _, k := range keys {
		set.Keys = append(set.Keys, jwk{"RSA", "sig", "RS256", k.id, number(k.key.N), number(big.NewInt(int64(k.key.E)))})
	}
	data, err := json.Marshal(set)
	if err != nil {
		log.Fatal(err)
	}
	s.set.Store(&data)
}

// ServeHTTP serves the set.
func (s *keyServer) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.requests.Add(1)
	set := s.set.Load()
	if set == nil {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_, _ = w.Write(*set)
}
