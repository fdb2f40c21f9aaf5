package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// What whole requests are measured with.
const (
	requestIgnored = "golang-jwt into RegisteredClaims, the claim ignored"
	requestWalk    = "golang-jwt into MapClaims, careless walk"
	requestOurs    = "Verify, then Allowed"
	requestAgain   = "Verify, then Allowed, the signature remembered"
)

// requests times what serving a request takes of authentication and authorization.
func requests(p pace) *section {
	const projectID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	audience := "useparagon.com/" + projectID
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	verifier := must(usertoken.NewVerifier(projectID, &key.PublicKey))
	remembering := must(usertoken.NewVerifier(projectID, &key.PublicKey, usertoken.WithSignatureCache(1024)))
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(audience), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithLeeway(5*time.Second))
	keyFunc := func(*jwt.Token) (any, error) { return &key.PublicKey, nil }
	s := &section{}
	for _, size := range claimSizes[:3] {
		progress("requests: %d B", size)
		claim := claimOfSize(size)
		token := must(jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
			"sub": "user-1", "aud": audience, "iat": time.Now().Unix(), "exp": time.Now().Add(24 * time.Hour).Unix(),
			permissions.ClaimName: json.RawMessage(claim),
		}).SignedString(key))
		q := credentialQuestion(permissions.ProxyAPI, "salesforce", "3fa85f64-5717-4562-b3fc-2c963f66afa6")
		serve := func(v *usertoken.Verifier) func(int) int {
			return func(n int) (yes int) {
				for range n {
					claims := must(v.Verify(token))
					t := permissions.Integration(q.integration).Credential(permissions.ID(q.credential.id.text), permissions.NoExternalID())
					if claims.Policy.Allowed(q.action, t) {
						yes++
					}
				}
				return yes
			}
		}
		s.add(size, fmt.Sprintf("claim of %s B, token of %s B", number(float64(len(claim))), number(float64(len(token)))), p.measure([]timed{
			{requestIgnored, func(n int) int {
				for range n {
					must(parser.ParseWithClaims(token, &jwt.RegisteredClaims{}, keyFunc))
				}
				return n
			}},
			{requestWalk, func(n int) (yes int) {
				for range n {
					claims := jwt.MapClaims{}
					must(parser.ParseWithClaims(token, claims, keyFunc))
					if walk(claims[permissions.ClaimName].(map[string]any), &q) {
						yes++
					}
				}
				return yes
			}},
			{requestOurs, serve(verifier)},
			{requestAgain, serve(remembering)},
		}))
	}
	return s
}
