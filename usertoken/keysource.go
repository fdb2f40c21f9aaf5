package usertoken

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/strictjson"
	"github.com/connectperms/permissions/internal/text"
)

// A keySource looks up the keys of a token, see WithKeySource.
type keySource func(ctx context.Context, token *jwt.Token) (any, error)

// keysFor returns the usable keys for a token: at least one, or an error.
func (source keySource) keysFor(
	ctx context.Context, t *token, options []permissions.Option,
) ([]*rsa.PublicKey, error) {
	asked := &jwt.Token{
		Raw: t.raw, Method: jwt.SigningMethodRS256, Claims: &unverified{payload: t.payload, options: options},
		Signature: slices.Clone(t.signature), Header: t.parameters(),
	}
	found, err := source(ctx, asked)
	refuses := errors.Is(err, ErrToken) || errors.Is(err, jwt.ErrTokenUnverifiable)
	switch {
	case refuses && errors.Is(err, ErrKeys):
		return nil, fmt.Errorf("usertoken: %w: %s", ErrKeys, fmt.Sprint(err)) // which does not match ErrToken
	case refuses:
		refused := t.header.noKey()
		refused.Err = err
		return nil, refused
	case err != nil:
		return nil, fmt.Errorf("usertoken: %w: %w", ErrKeys, err)
	}
	list := []jwt.VerificationKey{found}
	if set, ok := found.(jwt.VerificationKeySet); ok {
		list = set.Keys
	}
	if found == nil || found == (*rsa.PublicKey)(nil) || len(list) == 0 {
		return nil, t.header.noKey()
	}
	var usable []*rsa.PublicKey
	var problems []string
	for _, k := range list {
		key, ok := k.(*rsa.PublicKey)
		problem := "is " + describeKey(k)
		if ok {
			key = copyPublicKey(key) // so that what was checked is what is used, even if the source changes it
			problem = keyProblem(key)
		}
		switch {
		case problem == "":
			usable = append(usable, key)
		case !slices.Contains(problems, problem):
			problems = append(problems, problem)
		}
	}
	if len(usable) == 0 {
		return nil, fmt.Errorf("usertoken: %w: of %d found none can verify RS256: the key %s; "+
			"give an RSA public key of %d bits or more", ErrKeys, len(list), strings.Join(problems, "; the key "), minKeyBits)
	}
	return usable, nil
}

// parameters decodes the header as encoding/json does. A parameter that encoding/json cannot decode, such as 1e999,
// is a json.RawMessage, because the rules of a header do not forbid it (SPEC 7.5).
func (t *token) parameters() map[string]any {
	var all map[string]any
	if json.Unmarshal(t.headerJSON, &all) == nil {
		return all
	}
	all = make(map[string]any)
	s := strictjson.Scanner{Text: string(t.headerJSON)}
	s.Space()
	for more := s.Begin('}'); more; more, _ = s.More('}') {
		name, written, _ := s.Member()
		var value any
		if json.Unmarshal([]byte(written), &value) != nil {
			value = json.RawMessage(written)
		}
		all[name] = value
	}
	return all
}

// noKey returns the error for a token for which there is no key.
func (h *header) noKey() *TokenError {
	e := &TokenError{
		Kind: jwt.ErrTokenUnverifiable, Field: "kid", Problem: "names no known key",
		Remedy: "if the issuer has a new key, load its keys again",
	}
	switch {
	case !h.hasKid:
		e.Problem = "is missing, and the key source has no key for a token without one"
		e.Remedy = "the issuer must write the ID of the key there"
	case h.kid == "":
		e.Problem = "is empty or not a string, and names no known key"
		e.Remedy = "the issuer must write the ID of the key there"
	default:
		e.Found = text.Quote(h.kid)
	}
	return e
}

// unverified is the claims of a token for a key source. Each method reads the payload.
type unverified struct {
	payload []byte
	options []permissions.Option
}

func claimOf[T any](u *unverified, get func(*Claims) (T, error)) (value T, err error) {
	claims := NewClaims(u.options...)
	if err := claims.UnmarshalJSON(u.payload); err != nil {
		return value, err
	}
	return get(claims)
}

func (u *unverified) GetExpirationTime() (*jwt.NumericDate, error) {
	return claimOf(u, (*Claims).GetExpirationTime)
}

func (u *unverified) GetIssuedAt() (*jwt.NumericDate, error) {
	return claimOf(u, (*Claims).GetIssuedAt)
}

func (u *unverified) GetNotBefore() (*jwt.NumericDate, error) {
	return claimOf(u, (*Claims).GetNotBefore)
}

func (u *unverified) GetIssuer() (string, error) {
	return claimOf(u, (*Claims).GetIssuer)
}

func (u *unverified) GetSubject() (string, error) {
	return claimOf(u, (*Claims).GetSubject)
}

func (u *unverified) GetAudience() (jwt.ClaimStrings, error) {
	return claimOf(u, (*Claims).GetAudience)
}
