package usertoken_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/usertoken"
)

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t testing.TB, key any) []byte { return must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key)) }

func pkix(t testing.TB, key any) []byte { return must[[]byte](t)(x509.MarshalPKIXPublicKey(key)) }

func certificate(t testing.TB, public, signer any) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	return must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, public, signer))
}

// spellings returns what environments make of a PEM text.
func spellings(text string) map[string]string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	join := func(separator string) string { return strings.Join(lines, separator) }
	block, _ := pem.Decode([]byte(text))
	std, url := base64.StdEncoding.EncodeToString, base64.URLEncoding.EncodeToString
	wrapped := pemOf("X", []byte(text)) // base64 in lines, without the first and the last one
	wrapped = wrapped[strings.Index(wrapped, "\n")+1 : strings.Index(wrapped, "-----END")]
	return map[string]string{
		"as it is":                          text,
		"without the last line break":       join("\n"),
		"CRLF":                              join("\r\n") + "\r\n",
		`\n`:                                join(`\n`) + `\n`,
		`\r\n`:                              join(`\r\n`),
		`\n and line breaks`:                join(`\n` + "\n"),
		"a backslash before line breaks":    join("\\\n"),
		"escaped twice":                     join(`\\n`),
		"escaped twice with \\r":            join(`\\r\\n`) + `\\r\\n`,
		"escaped three times":               join(`\\\\n`),
		"escaped slashes":                   strings.ReplaceAll(join(`\n`), "/", `\/`),
		"spaces":                            join(" "),
		"many spaces":                       join("   \t "),
		"CR":                                join("\r"),
		"nothing":                           join(""),
		"indented":                          "    " + join("\n    "),
		"indented with tabs, and CRLF":      "\t" + join("\r\n\t") + "\r\n",
		"in double quotes":                  `"` + join(`\n`) + `"`,
		"in single quotes":                  `'` + join("\n") + `'`,
		"in escaped quotes":                 `\"` + join(`\n`) + `\"`,
		"in quotes twice":                   `"'` + join("\n") + `'"`,
		"in quotes with spaces around them": "  \" " + join("\n") + " \" \n",
		"a byte order mark":                 "\ufeff" + text,
		"a byte order mark in quotes":       "\"\ufeff" + text + "\"",
		"a byte order mark before base64":   "\ufeff" + std([]byte(text)),
		"text before it":                    "Bag Attributes\n    friendlyName: key\n" + text,
		"another block after it":            text + pemOf("X", []byte("something else")),
		"base64 of the PEM":                 std([]byte(text)),
		"base64 of the PEM with \\n":        std([]byte(join(`\n`))),
		"base64 of the PEM in lines":        wrapped,
		"base64 of the PEM in quotes":       `"` + std([]byte(text)) + `"` + "\n",
		"base64url of the PEM":              strings.TrimRight(url([]byte(text)), "="),
		"base64 of the DER":                 std(block.Bytes),
		"base64 of the DER in lines":        strings.Join(lines[1:len(lines)-1], "\n"),
		"base64 of the DER with \\n":        strings.Join(lines[1:len(lines)-1], `\n`),
		"base64url of the DER":              strings.TrimRight(url(block.Bytes), "="),
		"without its last line":             strings.Join(lines[:len(lines)-1], "\n"),
	}
}

func TestParsePublicKey(t *testing.T) {
	key := &projectKey().PublicKey
	for kind, text := range map[string]string{
		"PKIX":           pemOf("PUBLIC KEY", pkix(t, key)),
		"PKCS #1":        pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(key)),
		"wrong label":    pemOf("PUBLIC KEY", x509.MarshalPKCS1PublicKey(key)),
		"certificate":    pemOf("CERTIFICATE", certificate(t, key, projectKey())),
		"another's cert": pemOf("CERTIFICATE", certificate(t, key, otherKey())),
	} {
		for spelling, text := range spellings(text) {
			t.Run(kind+" "+spelling, func(t *testing.T) {
				require.True(t, key.Equal(must[*rsa.PublicKey](t)(usertoken.ParsePublicKey(text))))
			})
		}
	}
}

func TestParsePrivateKey(t *testing.T) {
	key := projectKey()
	for kind, text := range map[string]string{
		"PKCS #8":     pemOf("PRIVATE KEY", pkcs8(t, key)),
		"PKCS #1":     pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)),
		"wrong label": pemOf("RSA PRIVATE KEY", pkcs8(t, key)),
	} {
		for spelling, text := range spellings(text) {
			t.Run(kind+" "+spelling, func(t *testing.T) {
				require.True(t, key.Equal(must[*rsa.PrivateKey](t)(usertoken.ParsePrivateKey(text))))
			})
		}
	}
}

// What cannot be used is refused with what it is, and nothing of it is repeated.
func TestParseKeyRefuses(t *testing.T) {
	curve := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	x25519 := must[*ecdh.PrivateKey](t)(ecdh.X25519().GenerateKey(rand.Reader))
	request := must[[]byte](t)(x509.CreateCertificateRequest(rand.Reader, new(x509.CertificateRequest), projectKey()))
	public, private := pemOf("PUBLIC KEY", pkix(t, &projectKey().PublicKey)), pemOf("PRIVATE KEY", pkcs8(t, projectKey()))
	pkcs1 := func(n *big.Int, e int) string {
		return pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: n, E: e}))
	}
	even := new(big.Int).SetBit(projectKey().N, 0, 0)
	const encryptedPKCS1 = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n" +
		"DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"

	messages := map[string]string{}
	for name, text := range map[string]string{
		"nothing":                      "",
		"white space":                  " \n\t",
		"quotation marks":              `""`,
		"a word":                       "secret",
		"a short text of base64":       "c2VjcmV0",
		"a text":                       "-- no key here --",
		"lines of text":                "/the first line\nand the second\n",
		"a private key":                private,
		"a private key, mangled":       strings.ReplaceAll(private, "\n", `\\n`),
		"a private key in DER":         base64.StdEncoding.EncodeToString(pkcs8(t, projectKey())),
		"a public key":                 public,
		"a public key in base64":       base64.StdEncoding.EncodeToString([]byte(public)),
		"a certificate":                pemOf("CERTIFICATE", certificate(t, &projectKey().PublicKey, projectKey())),
		"a certificate request":        pemOf("CERTIFICATE REQUEST", request),
		"an EC public key":             pemOf("PUBLIC KEY", pkix(t, &curve.PublicKey)),
		"an EC private key":            pemOf("PRIVATE KEY", pkcs8(t, curve)),
		"an EC private key of SEC 1":   pemOf("EC PRIVATE KEY", must[[]byte](t)(x509.MarshalECPrivateKey(curve))),
		"an EC certificate":            pemOf("CERTIFICATE", certificate(t, &curve.PublicKey, curve)),
		"an Ed25519 public key":        pemOf("PUBLIC KEY", pkix(t, edPublic)),
		"an Ed25519 private key":       pemOf("PRIVATE KEY", pkcs8(t, edPrivate)),
		"an X25519 public key":         pemOf("PUBLIC KEY", pkix(t, x25519.PublicKey())),
		"an X25519 private key":        pemOf("PRIVATE KEY", pkcs8(t, x25519)),
		"an encrypted key of PKCS #1":  encryptedPKCS1,
		"an encrypted key of PKCS #8":  "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIF\n-----END ENCRYPTED PRIVATE KEY-----",
		"an OpenSSH private key":       pemOf("OPENSSH PRIVATE KEY", []byte("openssh-key-v1\x00none")),
		"an OpenSSH public key":        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ ann@example.com",
		"an OpenSSH EC public key":     "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY ann@example.com",
		"PEM of nothing":               pemOf("PUBLIC KEY", nil),
		"PEM of something else":        pemOf("PUBLIC KEY", []byte("secret")),
		"PEM that was cut":             public[:len(public)/2],
		"PEM with a wrong character":   strings.Replace(public, "MII", "M!I", 1),
		"the first line":               "-----BEGIN PUBLIC KEY-----",
		"half a first line":            "-----BEGIN",
		"base64 of something else":     base64.StdEncoding.EncodeToString([]byte(strings.Repeat("secret", 50))),
		"base64 of PEM that was cut":   base64.StdEncoding.EncodeToString([]byte(public[:len(public)/2])),
		"base64 of DER that was cut":   base64.StdEncoding.EncodeToString(pkix(t, &projectKey().PublicKey)[:200]),
		"a JSON Web Key":               `{"kty":"RSA","n":"secret","e":"AQAB"}`,
		"a token":                      signPayload(t, payload()),
		"an absolute path":             "/etc/keys/public",
		"a relative path":              "../keys/public",
		"a path of the home directory": "~/keys/public",
		"a Windows path":               `C:\keys\public`,
		"a relative Windows path":      `.\keys\public`,
		"a Windows drive":              `C:`,
		"a letter":                     `C`,
		"a word with a colon":          `a:key`,
		"base64 that may be a word":    strings.Repeat("word", 25)[:99],
		"base64 that is not a key":     strings.Repeat("word", 25),
		"a key and more":               base64.StdEncoding.EncodeToString(pkix(t, &projectKey().PublicKey)) + "!",
		"a file name":                  "Public.PEM",
		"a quoted file name":           `"public.key"`,
		"a file URL":                   "file:///etc/keys/public",
		"a URL":                        "https://example.com/.well-known/jwks.json",
		"a URL without TLS":            "HTTP://example.com/key.pem",
		"a small public key":           pemOf("PUBLIC KEY", pkix(t, &smallKey().PublicKey)),
		"a small private key":          pemOf("PRIVATE KEY", pkcs8(t, smallKey())),
		"a small key in a certificate": pemOf("CERTIFICATE", certificate(t, &smallKey().PublicKey, projectKey())),
		"exponent 1":                   pkcs1(projectKey().N, 1),
		"exponent 2":                   pkcs1(projectKey().N, 2),
		"an even modulus":              pkcs1(even, 65537),
	} {
		t.Run(name, func(t *testing.T) {
			public, err := usertoken.ParsePublicKey(text)
			messages[name+", public"] = keyMessage(t, text, err)
			require.Equal(t, err == nil, public != nil)
			private, err := usertoken.ParsePrivateKey(text)
			messages[name+", private"] = keyMessage(t, text, err)
			require.Equal(t, err == nil, private != nil)
		})
	}
	requireMessages(t, "keys.json", messages)
}

// keyMessage returns the message of an error about a key, after checking it. It is empty for no error.
func keyMessage(t *testing.T, text string, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	requireReasons(t, err, jwt.ErrInvalidKey)
	const piece = 10
	for i := 0; i+piece <= len(text); i++ {
		if part := text[i : i+piece]; !strings.Contains(part, " ") { // labels of PEM have spaces
			require.NotContains(t, err.Error(), part)
		}
	}
	return err.Error()
}

// A key that was read verifies and signs.
func TestParsedKeysWork(t *testing.T) {
	flat := func(text string) string { return strings.ReplaceAll(text, "\n", `\n`) }
	private := must[*rsa.PrivateKey](t)(usertoken.ParsePrivateKey(
		flat(pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(projectKey())))))
	public := must[*rsa.PublicKey](t)(usertoken.ParsePublicKey(
		flat(pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&private.PublicKey)))))
	signer := must[*usertoken.Signer](t)(usertoken.NewSigner(testProject, private))
	verifier := must[*usertoken.Verifier](t)(usertoken.NewVerifier(testProject, public))
	_, err := verifier.Verify(must[string](t)(signer.SignUnrestricted(testSubject)))
	require.NoError(t, err)
}

// A long text that is not a key is looked at in time and memory in proportion to its length.
func TestParseKeyOfHostileText(t *testing.T) {
	const size = 1 << 20
	for name, text := range map[string]string{
		"backslashes":   strings.Repeat(`\`, size),
		"escapes":       strings.Repeat(`\n`, size/2),
		"base64":        strings.Repeat("A", size),
		"white space":   "-----BEGIN X-----" + strings.Repeat(" ", size),
		"first lines":   strings.Repeat("-----BEGIN X-----", size/17),
		"in base64":     base64.StdEncoding.EncodeToString([]byte(strings.Repeat("-----BEGIN X-----", size/23))),
		"quotes":        strings.Repeat(`"'`, size/2),
		"not base64":    strings.Repeat("!", size),
		"bad bytes":     strings.Repeat("\xff", size),
		"nested base64": strings.Repeat("TFMwdExTMUNSVWRK", size/16),
	} {
		t.Run(name, func(t *testing.T) {
			bytes := allocated(func() {
				_, err := usertoken.ParsePublicKey(text)
				require.ErrorIs(t, err, jwt.ErrInvalidKey)
				require.Less(t, len(err.Error()), 300)
			})
			require.Less(t, bytes, uint64(40*size))
		})
	}
}
