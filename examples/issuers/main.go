// Issuers checks that tokens which are signed in other languages are right: it runs programs that sign one with a
// new key, verifies what they print, and compares the claim.
//
//	go run ./examples/issuers [node] [python] [ruby]
//
// Without arguments it runs all three. node needs `npm ci` in examples/issuers/node, python needs PyJWT with
// cryptography, and ruby needs ruby-jwt. A program that is missing is an error. Issue.cs shows the same in C#, and
// is not run.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

const (
	project = "1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311"

	// What every program signs.
	wantSubject = "user-4711"
	wantClaim   = `{
	  "integration:*": ["metadata:read"],
	  "integration:slack": {
	    "credential:*": false,
	    "credential:3fa85f64-5717-4562-b3fc-2c963f66afa6": ["proxy-api", "workflows"]
	  },
	  "configuration:ext:Team A": ["settings:write"]
	}`
)

// An issuer is a program that prints a token.
type issuer struct {
	name    string
	command []string
}

var issuers = []issuer{
	{"node", []string{"node", "node/issue.mjs"}},
	{"python", []string{python(), "issue.py"}},
	{"ruby", []string{"ruby", "issue.rb"}},
}

// python returns the Python that has the libraries.
func python() string {
	if path := os.Getenv("PYTHON"); path != "" {
		return path
	}
	return "python3"
}

func main() {
	log.SetFlags(0)
	if err := run(os.Stdout, filepath.Join("examples", "issuers"), os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer, directory string, names []string) error {
	if len(names) == 0 {
		for _, i := range issuers {
			names = append(names, i.name)
		}
	}
	for _, name := range names {
		found := false
		for _, i := range issuers {
			if i.name != name {
				continue
			}
			found = true
			size, err := i.check(directory)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			fmt.Fprintf(out, "%s: a token of %d bytes, as it must be\n", name, size)
		}
		if !found {
			return fmt.Errorf("there is no program for %q", name)
		}
	}
	return nil
}

// check runs the program and verifies its token.
func (i issuer) check(directory string) (size int, err error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return 0, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return 0, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})

	command := exec.Command(i.command[0], i.command[1:]...)
	command.Dir = directory
	command.Env = append(os.Environ(), "PARAGON_PROJECT_ID="+project, "PARAGON_SIGNING_KEY="+string(text))
	command.Stderr = os.Stderr
	printed, err := command.Output()
	if err != nil {
		return 0, err
	}
	verifier, err := usertoken.NewVerifier(project, &key.PublicKey, usertoken.RequireClaim())
	if err != nil {
		return 0, err
	}
	token := strings.TrimSpace(string(printed))
	claims, err := verifier.Verify(token)
	if err != nil {
		return 0, err
	}
	want, err := permissions.MustParse(wantClaim).MarshalJSON()
	if err != nil {
		return 0, err
	}
	got, err := claims.Policy.MarshalJSON()
	switch {
	case err != nil:
		return 0, err
	case string(got) != string(want):
		return 0, fmt.Errorf("the token has the claim %s, and not %s", got, want)
	case claims.Subject != wantSubject:
		return 0, fmt.Errorf("the token is of %q, and not of %q", claims.Subject, wantSubject)
	case claims.IssuedAt == nil:
		return 0, errors.New("the token has no iat")
	}
	return len(token), nil
}
