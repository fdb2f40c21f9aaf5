package permissions_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// must returns a value, or fails with its error.
func must[T any](t testing.TB) func(value T, err error) T {
	return func(value T, err error) T {
		t.Helper()
		require.NoError(t, err)
		return value
	}
}

// spellings is what becomes of a PEM text on its way through files and environment
// variables.
func spellings(text string) map[string]string {
	flat := strings.ReplaceAll(text, "\n", `\n`)
	return map[string]string{
		"as it is":                  text,
		"without the last break":    strings.TrimSpace(text),
		"CRLF":                      strings.ReplaceAll(text, "\n", "\r\n"),
		"flattened":                 flat,
		"flattened, without a last": strings.TrimSuffix(flat, `\n`),
		"flattened CRLF":            strings.ReplaceAll(text, "\n", `\r\n`),
		"in double quotes":          `"` + flat + `"`,
		"in single quotes":          `'` + flat + `'`,
		"in quotes, unflattened":    `"` + text + `"`,
		"with space around":         "\n  " + text + " \n\n",
		"quoted, with space around": "  \"" + flat + "\"\n",
	}
}

func certificate(t testing.TB, public, signer any) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	return must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, public, signer))
}

func TestParsePublicKey(t *testing.T) {
	key := &projectKey().PublicKey
	for kind, text := range map[string]string{
		"PKIX":        pemOf("PUBLIC KEY", must[[]byte](t)(x509.MarshalPKIXPublicKey(key))),
		"PKCS #1":     pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(key)),
		"certificate": pemOf("CERTIFICATE", certificate(t, key, projectKey())),
	} {
		for spelling, text := range spellings(text) {
			t.Run(kind+" "+spelling, func(t *testing.T) {
				got, err := permissions.ParsePublicKey(text)
				require.NoError(t, err)
				require.True(t, key.Equal(got))
			})
		}
	}
}

func TestParsePrivateKey(t *testing.T) {
	key := projectKey()
	for kind, text := range map[string]string{
		"PKCS #8": pemOf("PRIVATE KEY", must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key))),
		"PKCS #1": pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
	} {
		for spelling, text := range spellings(text) {
			t.Run(kind+" "+spelling, func(t *testing.T) {
				got, err := permissions.ParsePrivateKey(text)
				require.NoError(t, err)
				require.True(t, key.Equal(got))
			})
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	const (
		noPublic  = "permissions: the text is no RSA public key in PEM"
		noPrivate = "permissions: the text is no RSA private key in PEM"
		small     = "permissions: the key has fewer than 2048 bits"
	)
	pkcs8 := func(key any) string {
		return pemOf("PRIVATE KEY", must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key)))
	}
	pkix := func(key any) string {
		return pemOf("PUBLIC KEY", must[[]byte](t)(x509.MarshalPKIXPublicKey(key)))
	}
	curve := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	good := pkix(&projectKey().PublicKey)
	encrypted := "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"

	for _, test := range []struct{ name, text, public, private string }{
		{"empty", "", noPublic, noPrivate},
		{"quotes", `""`, noPublic, noPrivate},
		{"no PEM", "secret", noPublic, noPrivate},
		{"PEM of nothing", pemOf("PUBLIC KEY", nil), noPublic, noPrivate},
		{"PEM of something else", pemOf("PUBLIC KEY", []byte("secret")), noPublic, noPrivate},
		{"cut short", good[:len(good)/2], noPublic, noPrivate},
		{"breaks made spaces", strings.ReplaceAll(strings.TrimSpace(good), "\n", " "), noPublic, noPrivate},
		{"an elliptic curve's public key", pkix(&curve.PublicKey), noPublic, noPrivate},
		{"an elliptic curve's private key", pkcs8(curve), noPublic, noPrivate},
		{"an elliptic curve's certificate", pemOf("CERTIFICATE", certificate(t, &curve.PublicKey, curve)), noPublic, noPrivate},
		{"an Ed25519 key", pkcs8(edwards), noPublic, noPrivate},
		{"an encrypted key", encrypted, noPublic, noPrivate},
		{"a public key", good, "", noPrivate},
		{"a private key", pkcs8(projectKey()), noPublic, ""},
		{"a small public key", pkix(&smallKey().PublicKey), small, noPrivate},
		{"a small private key", pkcs8(smallKey()), noPublic, small},
		{"a small key in a certificate", pemOf("CERTIFICATE", certificate(t, &smallKey().PublicKey, projectKey())), small, noPrivate},
	} {
		t.Run(test.name, func(t *testing.T) {
			public, err := permissions.ParsePublicKey(test.text)
			if test.public == "" {
				require.NoError(t, err)
			} else {
				require.Nil(t, public)
				require.EqualError(t, err, test.public)
			}
			private, err := permissions.ParsePrivateKey(test.text)
			if test.private == "" {
				require.NoError(t, err)
			} else {
				require.Nil(t, private)
				require.EqualError(t, err, test.private)
			}
		})
	}
}

// A key that was read verifies and signs.
func TestParsedKeysWork(t *testing.T) {
	private, err := permissions.ParsePrivateKey(strings.ReplaceAll(pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(projectKey())), "\n", `\n`))
	require.NoError(t, err)
	public, err := permissions.ParsePublicKey(strings.ReplaceAll(pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&private.PublicKey)), "\n", `\n`))
	require.NoError(t, err)
	v, err := permissions.NewVerifier(testProject, public, permissions.WithClock(testClock))
	require.NoError(t, err)
	_, err = v.Verify(sign(t, private, testHeader, payload(nil)))
	require.NoError(t, err)
}
