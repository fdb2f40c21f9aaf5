package permissions

import (
	"crypto/rsa"
	"errors"
	"strconv"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// ParsePublicKey reads an RSA public key from PEM: PKIX ("PUBLIC KEY"), PKCS #1 ("RSA
// PUBLIC KEY"), or a certificate. The line breaks may have been flattened to the two
// characters \n, as environment variables make of them, and quotes may stand around it
// all. The key must have 2048 bits or more. No error contains any of the text.
func ParsePublicKey(pem string) (*rsa.PublicKey, error) {
	key, err := jwt.ParseRSAPublicKeyFromPEM([]byte(unflatten(pem)))
	if err != nil {
		return nil, errors.New("permissions: the text is no RSA public key in PEM")
	}
	if problem := keyProblem(key); problem != "" {
		return nil, errors.New("permissions: " + problem)
	}
	return key, nil
}

// ParsePrivateKey reads an RSA private key from PEM: PKCS #8 ("PRIVATE KEY") or PKCS #1
// ("RSA PRIVATE KEY"), not encrypted. Otherwise it is as [ParsePublicKey].
func ParsePrivateKey(pem string) (*rsa.PrivateKey, error) {
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(unflatten(pem)))
	if err != nil {
		return nil, errors.New("permissions: the text is no RSA private key in PEM")
	}
	if problem := keyProblem(&key.PublicKey); problem != "" {
		return nil, errors.New("permissions: " + problem)
	}
	return key, nil
}

// unflatten makes line breaks of \n and \r, which PEM has no other use for.
func unflatten(pem string) string {
	pem = strings.Trim(strings.TrimSpace(pem), `"'`)
	return strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(pem) + "\n"
}

// keyProblem says what is wrong with a key; "" is nothing.
func keyProblem(key *rsa.PublicKey) string {
	switch {
	case key == nil || key.N == nil:
		return "the key is no RSA public key"
	case key.N.BitLen() < minKeyBits:
		return "the key has fewer than " + strconv.Itoa(minKeyBits) + " bits"
	}
	return ""
}
