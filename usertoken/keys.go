package usertoken

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"strings"
	"unicode"
)

// minKeyBits is how many bits the modulus of a key has at least (RFC 7518, section 3.3).
const minKeyBits = 2048

// ParsePublicKey reads an RSA public key from PEM: PKIX ("PUBLIC KEY"), PKCS #1 ("RSA PUBLIC KEY"), or a
// certificate. Of a certificate only the key counts: not its dates, and not who issued it. Of several
// PEM blocks the first one counts.
//
// It reads the text as environment variables and secret stores mangle it:
//
//   - line breaks replaced with the characters \n or \r\n (once or twice escaped), with spaces or
//     carriage returns, or removed
//   - indented lines, quotation marks and white space around it, a byte order mark
//   - base64 or base64url of the PEM or of the DER in it
//
// An error matches [jwt.ErrInvalidKey] and says what was given instead, such as a private key, an EC key
// or the path of a file. It contains nothing of the text. See [NewVerifier] for keys that are refused.
//
// The dashboard of the platform hands out the private key only. To get the public one from it, take the
// PublicKey of what [ParsePrivateKey] returns, or run
//
//	openssl pkey -in private.pem -pubout -out public.pem
func ParsePublicKey(pem string) (*rsa.PublicKey, error) {
	const where = "ParsePublicKey"
	f := identify(pem)
	switch key := f.key.(type) {
	case *rsa.PublicKey:
		if problem := keyProblem(key); problem != "" {
			return nil, badKey(where, "the key "+problem)
		}
		return key, nil
	case *rsa.PrivateKey:
		f.remedy = "a verifier needs its public half: " +
			"the PublicKey of what ParsePrivateKey returns, or openssl pkey -pubout"
	}
	return nil, badKey(where, f.instead("an RSA public key"))
}

// ParsePrivateKey reads an RSA private key from PEM: PKCS #8 ("PRIVATE KEY") or PKCS #1 ("RSA PRIVATE
// KEY"), not encrypted. In all else it is like [ParsePublicKey].
func ParsePrivateKey(pem string) (*rsa.PrivateKey, error) {
	const where = "ParsePrivateKey"
	f := identify(pem)
	switch key := f.key.(type) {
	case *rsa.PrivateKey:
		if problem := privateKeyProblem(key); problem != "" {
			return nil, badKey(where, "the key "+problem)
		}
		return key, nil
	case *rsa.PublicKey:
		f.remedy = "it can verify tokens, and not sign them"
	}
	return nil, badKey(where, f.instead("an RSA private key"))
}

// keyProblem says what is wrong with a public key. It is empty if nothing is.
func keyProblem(key *rsa.PublicKey) string {
	const bits = "has %d bits, and needs %d or more"
	switch {
	case key == nil:
		return "is nil"
	case key.N == nil || key.N.Sign() <= 0:
		return "has a modulus that is not positive"
	case key.N.BitLen() < minKeyBits:
		return fmt.Sprintf(bits, key.N.BitLen(), minKeyBits)
	case key.N.Bit(0) == 0:
		return "has an even modulus"
	case key.E < 3 || key.E%2 == 0 || int64(key.E) > math.MaxInt32:
		return fmt.Sprintf("has the public exponent %d, and needs an odd one from 3 to %d", key.E, math.MaxInt32)
	}
	return ""
}

// copyPublicKey returns a copy of a key, or the key itself if it has no modulus.
func copyPublicKey(key *rsa.PublicKey) *rsa.PublicKey {
	if key == nil || key.N == nil {
		return key
	}
	return &rsa.PublicKey{N: new(big.Int).Set(key.N), E: key.E}
}

// A finding is what a text or a key turned out to be.
type finding struct {
	key          any    // an *rsa.PublicKey, an *rsa.PrivateKey, or nil
	what, remedy string // such as "an EC public key"
}

// instead says that something else was wanted.
func (f *finding) instead(wanted string) string {
	s := "the text is " + f.what + ", and " + wanted + " is wanted"
	if f.remedy != "" {
		s += "; " + f.remedy
	}
	return s
}

// identify says what a text is.
func identify(raw string) finding {
	text := unmangle(raw)
	if f, ok := identifyPEM(text); ok {
		return f
	}
	data, isBase64 := decodeBase64(text)
	if !isBase64 {
		return guess(strings.TrimSpace(raw), text, false)
	}
	if f, ok := identifyDER(data); ok {
		return f
	}
	if f, ok := identifyPEM(unmangle(string(data))); ok {
		return f
	}
	return guess(strings.TrimSpace(raw), text, true)
}

// unmangle undoes what environments do to PEM. A backslash has no meaning in PEM: one or more before n,
// r or t are a line break, and all others are dropped.
func unmangle(s string) string {
	if strings.IndexByte(s, '\\') >= 0 {
		var b strings.Builder
		for i := 0; i < len(s); i++ {
			if s[i] != '\\' {
				b.WriteByte(s[i])
				continue
			}
			if i+1 < len(s) && strings.IndexByte("nrt", s[i+1]) >= 0 {
				b.WriteByte('\n')
				i++
			}
		}
		s = b.String()
	}
	return strings.TrimFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune("\"'`\ufeff", r)
	})
}

// identifyPEM says what the first block of PEM in a text holds. It is not ok if there is none.
func identifyPEM(text string) (f finding, ok bool) {
	_, rest, ok := strings.Cut(text, "-----BEGIN")
	if !ok {
		return finding{}, false
	}
	label, rest, _ := strings.Cut(rest, "-----")
	body, _, _ := strings.Cut(rest, "-----END")
	data, isBase64 := decodeBase64(body)
	if f, ok := identifyDER(data); ok && isBase64 {
		return f, true
	}
	const procType = "Proc-Type" // a header of encrypted PEM (RFC 1421)
	switch {
	case strings.Contains(label, "ENCRYPTED") || strings.Contains(body, procType):
		return finding{what: "an encrypted private key", remedy: "openssl pkey -in FILE decrypts it"}, true
	case strings.HasPrefix(string(data), "openssh-key-v1"):
		f = finding{what: "a private key in the format of OpenSSH", remedy: "ssh-keygen -p -m PEM -f FILE converts it"}
		return f, true
	}
	return finding{what: "PEM that is damaged, incomplete or of something else"}, true
}

// identifyDER says what DER holds. The label of the PEM around it does not matter.
func identifyDER(der []byte) (finding, bool) {
	if key, err := x509.ParsePKIXPublicKey(der); err == nil {
		return identifyKey(key), true
	}
	if key, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return identifyKey(key), true
	}
	if cert, err := x509.ParseCertificate(der); err == nil {
		f := identifyKey(cert.PublicKey)
		f.what = "a certificate of " + f.what
		return f, true
	}
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return identifyKey(key), true
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return identifyKey(key), true
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return identifyKey(key), true
	}
	if _, err := x509.ParseCertificateRequest(der); err == nil {
		return finding{what: "a certificate request"}, true
	}
	return finding{}, false
}

// identifyKey says what a key is. It keeps RSA keys.
func identifyKey(key any) finding {
	f := finding{what: describeKey(key), remedy: "tokens are signed with RS256, which takes an RSA key"}
	switch key.(type) {
	case *rsa.PublicKey, *rsa.PrivateKey:
		f.key, f.remedy = key, ""
	}
	return f
}

// describeKey says what type of key a value is.
func describeKey(key any) string {
	switch key.(type) {
	case *rsa.PublicKey:
		return "an RSA public key"
	case *rsa.PrivateKey:
		return "an RSA private key"
	case *ecdsa.PublicKey:
		return "an EC public key"
	case *ecdsa.PrivateKey:
		return "an EC private key"
	case ed25519.PublicKey:
		return "an Ed25519 public key"
	case ed25519.PrivateKey:
		return "an Ed25519 private key"
	case *ecdh.PublicKey:
		return "an X25519 public key"
	case *ecdh.PrivateKey:
		return "an X25519 private key"
	case []byte:
		return "a secret"
	case nil:
		return "a key of an unknown kind"
	}
	return fmt.Sprintf("a value of the type %T", key)
}

// decodeBase64 decodes base64 or base64url, with or without padding, with white space anywhere.
func decodeBase64(s string) ([]byte, bool) {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return -1
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		}
		return r
	}, s)
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	return data, err == nil
}

// guess says what a text that is neither PEM nor a key in base64 may be.
func guess(raw, text string, isBase64 bool) finding {
	const shortest = 100 // characters of base64 that may have been meant for a key
	lower := strings.ToLower(text)
	switch {
	case text == "":
		return finding{what: "empty", remedy: "an environment variable may not be set"}
	case strings.HasPrefix(text, "{"):
		return finding{what: "JSON", remedy: "a JSON Web Key Set is for WithKeySource"}
	case strings.HasPrefix(text, "eyJ") && strings.Contains(text, "."):
		return finding{what: "a token"}
	case strings.HasPrefix(text, "ssh-") || strings.HasPrefix(text, "ecdsa-sha2-"):
		return finding{what: "a public key in the format of OpenSSH", remedy: "ssh-keygen -e -m PKCS8 -f FILE converts it"}
	case strings.HasPrefix(lower, "https://") || strings.HasPrefix(lower, "http://"):
		return finding{what: "a URL", remedy: "the keys of a URL are for WithKeySource"}
	case looksLikePath(raw):
		return finding{what: "the path of a file", remedy: "give what the file holds"}
	case isBase64 && len(text) >= shortest:
		return finding{what: "base64 of something that is not a key, or that is incomplete"}
	}
	return finding{what: "neither PEM nor base64 of a key"}
}

// looksLikePath reports whether a text is likely the path of a file.
func looksLikePath(s string) bool {
	s = strings.ToLower(strings.Trim(s, "\"'`"))
	if strings.ContainsAny(s, "\r\n") {
		return false
	}
	for _, start := range [...]string{"/", "./", "../", "~/", `.\`, `..\`, "file:"} {
		if strings.HasPrefix(s, start) {
			return true
		}
	}
	for _, end := range [...]string{".pem", ".key", ".pub", ".crt", ".cer", ".der", ".txt"} {
		if strings.HasSuffix(s, end) {
			return true
		}
	}
	return len(s) > 2 && s[1] == ':' && s[2] == '\\'
}
