package permissionstest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/connectperms/permissions"
)

// A Flaw is something wrong with a token, for which every verifier must refuse it. See [Kit.BadToken].
type Flaw string

// The flaws. All but the first three are in tokens whose signature is valid.
const (
	FlawMalformed   Flaw = "malformed"     // the token has no signature at all
	FlawSignature   Flaw = "signature"     // the signature is wrong in one bit
	FlawAlgorithm   Flaw = "algorithm"     // the algorithm is none, and the signature is empty
	FlawExpired     Flaw = "expired"       // exp was an hour ago
	FlawNotYetValid Flaw = "not yet valid" // nbf is an hour from now
	FlawAudience    Flaw = "audience"      // aud is another project
	FlawSubject     Flaw = "subject"       // there is no sub
	FlawNearMiss    Flaw = "near miss"     // the name of the permissions claim is misspelled (SPEC 7.4)
	FlawNullClaim   Flaw = "null claim"    // the permissions claim is null (SPEC 1.8)
)

// Flaws returns all flaws, for a test that goes through them. The slice is the caller's to keep.
func Flaws() []Flaw {
	return []Flaw{
		FlawMalformed, FlawSignature, FlawAlgorithm, FlawExpired, FlawNotYetValid, FlawAudience, FlawSubject,
		FlawNearMiss, FlawNullClaim,
	}
}

// BadToken returns a token that is as [Kit.Token] makes it, but for one flaw. The Kit's verifier refuses
// it, unless its options accept just that flaw, such as the other audience. An unknown flaw ends the test t.
//
// A verifier that overlooks FlawNearMiss finds no claim, and so allows everything.
func (k *Kit) BadToken(t testing.TB, flaw Flaw, subject string, policy *permissions.Policy) string {
	t.Helper()
	if !slices.Contains(Flaws(), flaw) {
		t.Fatalf("permissionstest: there is no flaw %q", flaw)
	}
	keys := k.take(t)
	parts := strings.Split(keys.token(t, subject, policy, nil), ".")
	header, payload, signature := parts[0], parts[1], parts[2]
	switch flaw {
	case FlawMalformed:
		return header + "." + payload
	case FlawSignature:
		bytes := decode(signature)
		bytes[0] ^= 1
		return header + "." + payload + "." + encode(bytes)
	case FlawAlgorithm:
		return edit(header, func(o object) { o.set("alg", "none") }) + "." + payload + "."
	}
	signed := header + "." + edit(payload, flaw.spoil)
	sum := sha256.Sum256([]byte(signed))
	bytes, err := rsa.SignPKCS1v15(nil, keys.private, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatalf("permissionstest: %v", err)
	}
	return signed + "." + encode(bytes)
}

// spoil puts the flaw into a claims set.
func (f Flaw) spoil(claims object) {
	const hour = 3600
	var now int64
	_ = json.Unmarshal(claims["iat"], &now) // the Signer wrote it
	switch f {
	case FlawExpired:
		claims.set("iat", now-2*hour)
		claims.set("exp", now-hour)
	case FlawNotYetValid:
		claims.set("nbf", now+hour)
	case FlawAudience:
		claims.set("aud", "useparagon.com/another-project")
	case FlawSubject:
		delete(claims, "sub")
	case FlawNearMiss:
		claim, ok := claims[permissions.ClaimName]
		if !ok {
			claim = json.RawMessage("{}")
		}
		delete(claims, permissions.ClaimName)
		claims[strings.TrimSuffix(permissions.ClaimName, "s")] = claim
	case FlawNullClaim:
		claims.set(permissions.ClaimName, nil)
	}
}

// An object is a JSON object.
type object map[string]json.RawMessage

func (o object) set(name string, value any) {
	o[name], _ = json.Marshal(value) // a string, a number or nil never fails
}

// edit returns a part of a token that a Signer made, with its JSON changed.
func edit(part string, change func(object)) string {
	var o object
	_ = json.Unmarshal(decode(part), &o)
	change(o)
	edited, _ := json.Marshal(o)
	return encode(edited)
}

// decode decodes a part of a token that a Signer made.
func decode(part string) []byte {
	data, _ := base64.RawURLEncoding.DecodeString(part)
	return data
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
