package cli_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/internal/cli"
	"github.com/connectperms/permissions/usertoken"
)

var update = flag.Bool("update", false, "write what the tests get into their golden files")

// now is the time in all tests.
var now = time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

const project = "1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311"

// TestMain makes programs of this test binary: connectperms with the clock of the tests, and try, which also
// prints the command and its exit code, and everything to one stream.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"connectperms": func() { os.Exit(cli.MainAt(clock)) },
		"try": func() {
			fmt.Println("$ connectperms " + strings.Join(os.Args[1:], " "))
			os.Stderr = os.Stdout
			if code := cli.MainAt(clock); code != 0 {
				fmt.Printf("[exit %d]\n", code)
			}
			fmt.Println()
		},
	})
}

// key returns the private key of all tokens of the tests.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func privatePEM(t testing.TB) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key())
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func publicPEM(t testing.TB) []byte {
	der, err := x509.MarshalPKIXPublicKey(&key().PublicKey)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// token returns a token that was signed some time ago.
func token(t testing.TB, claim string, ago time.Duration, opts ...usertoken.SignOption) string {
	t.Helper()
	at := usertoken.WithClock(func() time.Time { return now.Add(-ago) })
	signer, err := usertoken.NewSigner(project, key(), at, usertoken.WithKeyID("key-1"))
	require.NoError(t, err)
	if claim == "" {
		token, err := signer.SignUnrestricted("ann", opts...)
		require.NoError(t, err)
		return token
	}
	policy, err := permissions.Parse([]byte(claim))
	require.NoError(t, err)
	token, err := signer.Sign("ann", policy, opts...)
	require.NoError(t, err)
	return token
}

// signed returns a token with any payload.
func signed(t testing.TB, header, payload string) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	signature := make([]byte, 256)
	_, err := rand.Read(signature)
	require.NoError(t, err)
	return encode([]byte(header)) + "." + encode([]byte(payload)) + "." + encode(signature)
}

// fixtures writes the files that commands of the tests use into a directory.
func fixtures(t testing.TB, directory string) {
	t.Helper()
	write := func(name string, data []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(directory, name), data, 0o600))
	}
	files, err := filepath.Glob("testdata/files/*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		write(filepath.Base(file), data)
	}
	claim, err := os.ReadFile("testdata/files/claim.json")
	require.NoError(t, err)
	good := token(t, string(claim), 20*time.Minute, usertoken.WithClaims(map[string]string{"email": "ann@example.com"}))
	write("key", privatePEM(t))
	write("key.pub", publicPEM(t))
	write("keys.json", keySet(t))
	write("token.txt", []byte(good+"\n"))
	write("expired.txt", []byte(token(t, string(claim), 3*time.Hour)))
	write("unrestricted.txt", []byte(token(t, "", time.Minute)))
	write("header.txt", []byte("Authorization: Bearer "+good))
	write("request.curl", []byte(strings.Join([]string{
		"curl -X POST 'https://proxy.useparagon.com/projects/" + project + `/sdk/proxy/slack/chat.postMessage' \`,
		"  -H 'Authorization: Bearer " + good + `' \`,
		`  -H 'X-Paragon-Credential: ext:finance' \`,
		`  -H 'Content-Type: application/json' -d '{"channel": "general"}'`,
	}, "\n")))
	write("mistake.txt", []byte(signed(t, `{"alg":"RS256","typ":"JWT"}`,
		`{"sub":"ann","exp":1764100000,"urn:useparagon:connect:permissions":{"integration:slack":["proxyapi"]}}`)))
	write("none.txt", []byte(signed(t, `{"alg":"none","jku":"https://example.com"}`, `{"sub":"ann","exp":1700000000.5}`)))
	write("no-audience.txt", []byte(withoutAudience(t)))
}

// withoutAudience returns a signed token that has no aud.
func withoutAudience(t testing.TB) string {
	claims := jwt.MapClaims{"sub": "ann", "exp": now.Add(time.Hour).Unix(), permissions.ClaimName: map[string]any{}}
	token, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(key())
	require.NoError(t, err)
	return token
}

func keySet(t testing.TB) []byte {
	data, err := json.Marshal(map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "key-1",
		"n": base64.RawURLEncoding.EncodeToString(key().N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key().E)).Bytes()),
	}}})
	require.NoError(t, err)
	return data
}

// A run is one run of the tool inside the test.
type run struct {
	args     []string
	stdin    io.Reader
	stdout   io.Writer // nil for a buffer
	env      map[string]string
	terminal bool // that standard output and standard error are terminals

	out, err bytes.Buffer
	code     int
}

// do runs the tool. It is not for terminals that are read.
func (r *run) do() *run {
	stdout := io.Writer(&r.out)
	if r.stdout != nil {
		stdout = r.stdout
	}
	stdin := r.stdin
	if stdin == nil {
		stdin = strings.NewReader("")
	}
	r.code = cli.Run(context.Background(), r.args, cli.Env{
		Stdin: stdin, Stdout: stdout, Stderr: &r.err, Now: clock,
		Getenv: func(name string) string { return r.env[name] },
		Terminal: func(stream any) (int, bool) {
			return 80, r.terminal && stream != stdin
		},
		Secret:        func() ([]byte, error) { return nil, errors.New("there is no terminal") },
		Browser:       func(string) error { return errors.New("there is no browser") },
		ProgressAfter: time.Hour,
	})
	return r
}

func (r *run) all() string { return r.out.String() + r.err.String() }

// inDirectory makes a directory with the fixtures the current one.
func inDirectory(t *testing.T) {
	t.Helper()
	directory := t.TempDir()
	fixtures(t, directory)
	t.Chdir(directory)
}
