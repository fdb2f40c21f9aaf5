// Package tokens decodes a token or a payload for the explorer's page, and verifies it if there is a key.
// It takes JSON and returns JSON, as package engine does. It is a package of its own because the page loads it
// only when somebody pastes a token.
//
// No answer holds the token or its signature.
package tokens

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/explorer/engine"
	"github.com/connectperms/permissions/usertoken"
)

type request struct{ text, key, project string }

type answer struct {
	Kind         string       `json:"kind"` // "token" or "payload"
	Header       string       `json:"header,omitempty"`
	Payload      string       `json:"payload"`
	Claim        *string      `json:"claim"` // nil if there is none
	Subject      string       `json:"subject,omitempty"`
	Audience     []string     `json:"audience"`
	Issuer       string       `json:"issuer,omitempty"`
	Issued       string       `json:"issued,omitempty"`
	NotBefore    string       `json:"notBefore,omitempty"`
	Expires      string       `json:"expires,omitempty"`
	Verification verification `json:"verification"`
}

// The states of a verification.
const (
	notVerified = "not verified"
	verified    = "verified"
	refused     = "refused"
)

type verification struct {
	State   string `json:"state"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
	Found   string `json:"found,omitempty"`
	Problem string `json:"problem,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
}

// Call answers the call named token. The token is verified at the time that now returns, or at the time in the
// member at of the request.
func Call(requestJSON string, now func() time.Time) []byte {
	members := engine.NewRequest(requestJSON)
	r, when := request{members.Text("text"), members.Text("key"), members.Text("project")}, members.Text("at")
	if err := members.End(); err != nil {
		return engine.Encode(nil, err)
	}
	if when != "" {
		at, err := time.Parse(time.RFC3339, when)
		if err != nil {
			return engine.Encode(nil, problem("at", "it is not a time", "write it as 2026-01-02T15:04:05Z"))
		}
		now = func() time.Time { return at }
	}
	return engine.Encode(r.decode(now))
}

func problem(field, problem, remedy string) *engine.Failure {
	f := engine.Problem("token", field+": "+problem+"; "+remedy)
	f.Field, f.Problem, f.Remedy = field, problem, remedy
	return f
}

func (r *request) decode(now func() time.Time) (any, error) {
	text := strings.TrimSpace(r.text)
	if len(text) >= len("Bearer ") && strings.EqualFold(text[:len("Bearer ")], "Bearer ") {
		text = strings.TrimSpace(text[len("Bearer "):])
	}
	out, payload := &answer{Kind: "payload"}, []byte(text)
	if !strings.HasPrefix(text, "{") {
		out.Kind = "token"
		var err error
		if out.Header, payload, err = split(text); err != nil {
			return nil, err
		}
	}
	if err := out.read(payload); err != nil {
		return nil, err
	}
	if out.Kind == "token" {
		out.Verification = verify(text, r.key, r.project, now)
	}
	if out.Verification.State == "" {
		out.Verification = r.unverified(out.Kind, payload)
	}
	return out, nil
}

// split takes a token apart.
func split(token string) (header string, payload []byte, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", nil, problem("token", "it does not have three parts separated by dots",
			"paste a whole token, a payload or a claim")
	}
	decoded, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return "", nil, problem("header", "it is not base64url", "paste the token as it was issued")
	}
	var indented bytes.Buffer
	if json.Indent(&indented, decoded, "", "  ") != nil {
		return "", nil, problem("header", "it is not JSON", "paste the token as it was issued")
	}
	if payload, err = base64.RawURLEncoding.DecodeString(parts[1]); err != nil {
		return "", nil, problem("payload", "it is not base64url", "paste the token as it was issued")
	}
	return indented.String(), payload, nil
}

// read reads the payload, whether or not the library accepts it: a person wants to see what is wrong.
func (a *answer) read(payload []byte) error {
	var members map[string]json.RawMessage
	var indented bytes.Buffer
	if json.Unmarshal(payload, &members) != nil || members == nil || json.Indent(&indented, payload, "", "  ") != nil {
		return problem("payload", "it is not a JSON object", "paste the token as it was issued")
	}
	a.Payload, a.Audience = indented.String(), []string{}
	if claim, ok := members[permissions.ClaimName]; ok {
		text := string(claim)
		a.Claim = &text
	}
	a.Subject, a.Issuer = str(members["sub"]), str(members["iss"])
	if one := str(members["aud"]); one != "" {
		a.Audience = append(a.Audience, one)
	} else if json.Unmarshal(members["aud"], &a.Audience) != nil || a.Audience == nil {
		a.Audience = []string{}
	}
	a.Issued, a.NotBefore, a.Expires = date(members["iat"]), date(members["nbf"]), date(members["exp"])
	return nil
}

// str returns a JSON string, and "" for anything else.
func str(value json.RawMessage) (s string) {
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

// date returns a NumericDate as RFC 3339, and "" for anything else.
func date(value json.RawMessage) string {
	var seconds float64
	const endOf9999 = 253402300800
	if len(value) == 0 || string(value) == "null" || json.Unmarshal(value, &seconds) != nil {
		return ""
	}
	if seconds < 0 || seconds >= endOf9999 {
		return ""
	}
	return time.Unix(int64(seconds), 0).UTC().Format(time.RFC3339)
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }

// verify verifies a token as a Verifier does. The state is empty if a key or a project is missing.
func verify(token, key, project string, now func() time.Time) verification {
	if isBlank(key) || isBlank(project) {
		return verification{}
	}
	public, err := usertoken.ParsePublicKey(key)
	if err != nil {
		return verification{State: refused, Message: "the key: " + err.Error(), Field: "key"}
	}
	options := []usertoken.VerifierOption{usertoken.WithClock(now)}
	if project = strings.TrimSpace(project); strings.Contains(project, "/") { // a whole audience, of another host
		options, project = append(options, usertoken.WithAudience(project)), ""
	}
	verifier, err := usertoken.NewVerifier(project, public, options...)
	if err != nil {
		return verification{State: refused, Message: "the project: " + err.Error(), Field: "project"}
	}
	if _, err := verifier.Verify(token); err != nil {
		return verification{State: refused}.because(err)
	}
	return verification{State: verified, Message: "the signature, the times and the audience are right"}
}

// unverified says that nothing was verified, and what is wrong with the claims set all the same.
func (r *request) unverified(kind string, payload []byte) verification {
	v := verification{State: notVerified}
	switch noKey, noProject := isBlank(r.key), isBlank(r.project); {
	case kind == "payload":
		v.Message = "a payload has no signature"
	case noKey && noProject:
		v.Message = "no public key and no project ID were given"
	case noKey:
		v.Message = "no public key was given"
	default:
		v.Message = "no project ID was given"
	}
	if err := usertoken.NewClaims().UnmarshalJSON(payload); err != nil {
		message := v.Message
		v = v.because(err)
		v.Message = message + "; a verifier would refuse it: " + v.Message
	}
	return v
}

// because adds why a token was refused.
func (v verification) because(err error) verification {
	v.Message = err.Error()
	var token *usertoken.TokenError
	if errors.As(err, &token) {
		v.Field, v.Found, v.Problem, v.Remedy = token.Field, token.Found, token.Problem, token.Remedy
	}
	return v
}
