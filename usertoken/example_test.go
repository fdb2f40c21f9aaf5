package usertoken_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

const exampleProject = "1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311"

// exampleToken returns a token of anna@example.com.
func exampleToken(key *rsa.PrivateKey, opts ...usertoken.SignerOption) string {
	signer, err := usertoken.NewSigner(exampleProject, key, opts...)
	if err != nil {
		log.Fatal(err)
	}
	token, err := signer.Sign("anna@example.com", permissions.MustParse(`{"integration:slack": ["proxy-api"]}`),
		usertoken.WithClaims(map[string]any{"tenant": "acme", "roles": []string{"editor"}}))
	if err != nil {
		log.Fatal(err)
	}
	return token
}

func Example() {
	key := projectKey() // of the issuer, who keeps the private half
	token := exampleToken(key)

	verifier, err := usertoken.NewVerifier(exampleProject, &key.PublicKey)
	if err != nil {
		log.Fatal(err)
	}
	claims, err := verifier.Verify(token)
	if err != nil {
		log.Fatal(err)
	}
	// The row says that this credential has no external ID.
	slack := permissions.Integration("slack").
		Credential(permissions.ID("3fa85f64-5717-4562-b3fc-2c963f66afa6"), permissions.NoExternalID())
	fmt.Println(claims.Subject)
	fmt.Println(claims.Policy.Allowed(permissions.ProxyAPI, slack))
	fmt.Println(claims.Policy.Allowed(permissions.CredentialWrite, slack))
	// Output:
	// anna@example.com
	// true
	// false
}

// A service reads the key from its environment, once, when it starts.
func ExampleNewVerifier() {
	key, err := usertoken.ParsePublicKey(os.Getenv("PARAGON_PUBLIC_KEY_THAT_NOBODY_SET"))
	if err != nil {
		for part := range strings.SplitSeq(err.Error(), "; ") {
			fmt.Println(part)
		}
		return
	}
	verifier, err := usertoken.NewVerifier(exampleProject, key,
		usertoken.WithLeeway(time.Minute), usertoken.RequireClaim())
	if err != nil {
		log.Fatal(err)
	}
	_ = verifier
	// Output:
	// usertoken: ParsePublicKey: the text is empty, and an RSA public key is wanted
	// an environment variable may not be set
}

// The dashboard of the platform hands out the private key. A service that only verifies tokens should not
// have it: give that service the public key.
func ExampleParsePrivateKey_publicKey() {
	private, err := usertoken.ParsePrivateKey(mangledPrivateKey())
	if err != nil {
		log.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		log.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	fmt.Println(strings.SplitN(string(public), "\n", 2)[0])

	// openssl pkey -in private.pem -pubout -out public.pem writes the same.
	key, err := usertoken.ParsePublicKey(string(public))
	fmt.Println(private.PublicKey.Equal(key), err)
	// Output:
	// -----BEGIN PUBLIC KEY-----
	// true <nil>
}

// mangledPrivateKey returns a private key as an environment variable often holds it.
func mangledPrivateKey() string {
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(projectKey())}
	return `"` + strings.ReplaceAll(string(pem.EncodeToMemory(block)), "\n", `\n`) + `"`
}

// While keys rotate, tokens of the old key and of the new one are accepted.
func ExampleWithKeys() {
	oldKey, newKey := projectKey(), otherKey()
	verifier, err := usertoken.NewVerifier(exampleProject, &oldKey.PublicKey, usertoken.WithKeys(&newKey.PublicKey))
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range []*rsa.PrivateKey{oldKey, newKey} {
		claims, err := verifier.Verify(exampleToken(key))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(claims.Subject)
	}
	// Output:
	// anna@example.com
	// anna@example.com
}

// A source looks keys up by their ID. A key that is not there is the token's fault. A source that fails is
// not.
func ExampleWithKeySource() {
	keys := map[string]*rsa.PublicKey{"2026": &projectKey().PublicKey}
	down := false
	source := func(_ context.Context, token *jwt.Token) (any, error) {
		if down {
			return nil, errors.New("the database does not answer")
		}
		id, _ := token.Header["kid"].(string)
		key, ok := keys[id]
		if !ok {
			return nil, nil
		}
		return key, nil
	}
	verifier, err := usertoken.NewVerifier(exampleProject, nil, usertoken.WithKeySource(source))
	if err != nil {
		log.Fatal(err)
	}
	good := exampleToken(projectKey(), usertoken.WithKeyID("2026"))
	_, err = verifier.VerifyContext(context.Background(), good)
	fmt.Println(err)
	_, err = verifier.VerifyContext(context.Background(), exampleToken(otherKey(), usertoken.WithKeyID("2027")))
	fmt.Println(err)
	down = true
	_, err = verifier.VerifyContext(context.Background(), good)
	fmt.Println(err)
	fmt.Println(errors.Is(err, usertoken.ErrKeys), errors.Is(err, usertoken.ErrToken))
	// Output:
	// <nil>
	// usertoken: token refused: kid "2027" names no known key; if the issuer has a new key, load its keys again
	// usertoken: keys not available: the database does not answer
	// true false
}

// ID tokens of Firebase and Auth0 serve as User Tokens: with their issuer, their audience and their keys.
func ExampleWithIssuer() {
	source := func(context.Context, *jwt.Token) (any, error) { return &projectKey().PublicKey, nil } // see examples/jwks
	verifier, err := usertoken.NewVerifier("", nil, usertoken.WithKeySource(source),
		usertoken.WithIssuer("https://securetoken.google.com/acme"),
		usertoken.WithAudience("acme"))
	if err != nil {
		log.Fatal(err)
	}
	staging, err := usertoken.NewSigner("", projectKey(),
		usertoken.WithIssuer("https://securetoken.google.com/test"),
		usertoken.WithAudience("test", "acme"))
	if err != nil {
		log.Fatal(err)
	}
	token, err := staging.SignUnrestricted("anna@example.com")
	if err != nil {
		log.Fatal(err)
	}
	_, err = verifier.Verify(token)
	fmt.Println(err)
	// Output:
	// usertoken: token refused: iss "https://securetoken.google.com/test" is not "https://securetoken.google.com/acme"
}

// A log says what was wrong. The caller learns only that the token was refused.
func ExampleTokenError() {
	verifier, err := usertoken.NewVerifier("another-project", &projectKey().PublicKey)
	if err != nil {
		log.Fatal(err)
	}
	_, err = verifier.Verify(exampleToken(projectKey()))
	var refused *usertoken.TokenError
	if errors.As(err, &refused) {
		fmt.Println(refused.Field, refused.Found)
		fmt.Println(refused.Problem)
		fmt.Println(errors.Is(err, jwt.ErrTokenInvalidAudience))
	}
	// Output:
	// aud "useparagon.com/1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311"
	// is not "useparagon.com/another-project"
	// true
}

// A service reads claims of its own beside those of the token.
func ExampleClaims_Decode() {
	verifier, err := usertoken.NewVerifier(exampleProject, &projectKey().PublicKey)
	if err != nil {
		log.Fatal(err)
	}
	claims, err := verifier.Verify(exampleToken(projectKey()))
	if err != nil {
		log.Fatal(err)
	}
	var own struct {
		Tenant string   `json:"tenant"`
		Roles  []string `json:"roles"`
	}
	if err := claims.Decode(&own); err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Subject, own.Tenant, own.Roles)
	// Output: anna@example.com acme [editor]
}

// A worker asks before each step whether the token that it works for is still good.
func ExampleClaims_Valid() {
	now := time.Now()
	clock := usertoken.WithClock(func() time.Time { return now })
	verifier, err := usertoken.NewVerifier(exampleProject, &projectKey().PublicKey, clock)
	if err != nil {
		log.Fatal(err)
	}
	claims, err := verifier.Verify(exampleToken(projectKey(), usertoken.WithLifetime(10*time.Minute)))
	if err != nil {
		log.Fatal(err)
	}
	for step := 1; ; step++ {
		if err := claims.Valid(); err != nil {
			fmt.Println("stopped before step", step, errors.Is(err, jwt.ErrTokenExpired))
			return
		}
		now = now.Add(4 * time.Minute) // that is how long a step takes
	}
	// Output: stopped before step 4 true
}

// A program that uses golang-jwt already can let golang-jwt verify the token. Its options must then ask for
// what a Verifier asks for by itself.
func ExampleClaims_golangJWT() {
	claims := new(usertoken.Claims)
	_, err := jwt.ParseWithClaims(exampleToken(projectKey()), claims,
		func(*jwt.Token) (any, error) { return &projectKey().PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}),
		jwt.WithAudience("useparagon.com/"+exampleProject),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Policy.Allowed(permissions.Events, permissions.Integration("slack")))
	// Output: false
}

func ExampleSigner() {
	signer, err := usertoken.NewSigner(exampleProject, projectKey(), usertoken.WithLifetime(10*time.Minute))
	if err != nil {
		log.Fatal(err)
	}
	token, err := signer.Sign("anna@example.com", permissions.MustParse(`{"integration:slack": ["proxy-api"]}`))
	if err != nil {
		log.Fatal(err)
	}

	verifier, err := usertoken.NewVerifier(exampleProject, &projectKey().PublicKey)
	if err != nil {
		log.Fatal(err)
	}
	claims, err := verifier.Verify(token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Subject, claims.ExpiresAt.Sub(claims.IssuedAt.Time))

	_, err = signer.Sign("anna@example.com", nil)
	fmt.Println(err)
	// Output:
	// anna@example.com 10m0s
	// usertoken: token not signed: the policy is nil or zero; to deny everything, sign the policy of the claim {}
}
