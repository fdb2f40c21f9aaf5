package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// With FAKE_ISSUER in its environment, the test program is a program that prints a token.
func TestMain(m *testing.M) {
	kind := os.Getenv("FAKE_ISSUER")
	if kind == "" {
		os.Exit(m.Run())
	}
	if err := fakeIssuer(kind); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func fakeIssuer(kind string) error {
	key, err := usertoken.ParsePrivateKey(os.Getenv("PARAGON_SIGNING_KEY"))
	if err != nil {
		return err
	}
	signer, err := usertoken.NewSigner(os.Getenv("PARAGON_PROJECT_ID"), key)
	if err != nil {
		return err
	}
	subject, policy := wantSubject, permissions.MustParse(wantClaim)
	switch kind {
	case "another claim":
		policy = permissions.MustParse(`{"integration:*":["metadata:read"]}`)
	case "another subject":
		subject = "user-4712"
	case "nothing":
		return nil
	case "a claim that is a string":
		now := time.Now()
		token, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
			"sub": wantSubject, "aud": "useparagon.com/" + project, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
			permissions.ClaimName: wantClaim,
		}).SignedString(key)
		fmt.Println(token)
		return err
	case "failure":
		os.Exit(3)
	}
	token, err := signer.Sign(subject, policy)
	fmt.Println(token)
	return err
}

func TestCheck(t *testing.T) {
	program, err := os.Executable()
	require.NoError(t, err)
	for kind, message := range map[string]string{
		"a good token":             "",
		"another claim":            "the token has the claim",
		"another subject":          `the token is of "user-4712", and not of "user-4711"`,
		"nothing":                  "token refused",
		"a claim that is a string": "a string is not a claim",
		"failure":                  "exit status 3",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Setenv("FAKE_ISSUER", kind)
			size, err := issuer{"fake", []string{program}}.check(".")
			if message == "" {
				require.NoError(t, err)
				require.Positive(t, size)
				return
			}
			require.ErrorContains(t, err, message)
			require.Zero(t, size)
		})
	}
}

func TestMissingProgram(t *testing.T) {
	_, err := issuer{"missing", []string{"no-such-program"}}.check(".")
	require.ErrorContains(t, err, "no-such-program")
}

func TestUnknownName(t *testing.T) {
	var out strings.Builder
	require.EqualError(t, run(&out, ".", []string{"perl"}), `there is no program for "perl"`)
	require.Empty(t, out.String())
}
