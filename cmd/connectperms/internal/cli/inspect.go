package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
	"github.com/connectperms/permissions/cmd/connectperms/internal/recognize"
	"github.com/connectperms/permissions/usertoken"
)

// An inspection is what can be seen in a token, a claims set or a claim without trusting it.
type inspection struct {
	Form         string        `json:"form"` // token, payload or claim
	Verification *verification `json:"verification,omitempty"`
	Request      *requestView  `json:"request,omitempty"`
	Bytes        int           `json:"bytes"`
	Header       *headerView   `json:"header,omitempty"`
	Payload      *payloadView  `json:"payload,omitempty"`

	// Unrestricted says that there is no permissions claim, so that everything is allowed.
	Unrestricted bool               `json:"unrestricted"`
	Rules        []permissions.Rule `json:"rules"`
	Findings     []analyze.Finding  `json:"findings"`

	tree []string

	// refusedClaim says that there is no policy, because something in the token or the claims set is wrong.
	refusedClaim bool
}

// A verification is what verifying the token gave.
type verification struct {
	State   string   `json:"state"` // verified, refused or not_verified
	Refused *refused `json:"refused,omitempty"`
}

// A headerView is what is shown of a header. Other parameters are named without their values.
type headerView struct {
	Algorithm string   `json:"alg"`
	Type      string   `json:"typ,omitempty"`
	KeyID     string   `json:"kid,omitempty"`
	Other     []string `json:"other"`
}

// A payloadView is what is shown of a claims set. Other claims are named without their values, which may be
// secrets.
type payloadView struct {
	Subject   string     `json:"subject,omitempty"`
	Audience  []string   `json:"audience"`
	Issuer    string     `json:"issuer,omitempty"`
	TokenID   string     `json:"tokenId,omitempty"`
	IssuedAt  *time.Time `json:"issuedAt,omitempty"`
	NotBefore *time.Time `json:"notBefore,omitempty"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
	Expired   bool       `json:"expired"`
	Other     []string   `json:"other"`

	hasSubject, hasAudience, hasExpiry bool
}

func viewHeader(header []byte) *headerView {
	v := &headerView{Other: []string{}}
	for _, m := range members(string(header)) {
		switch m.name {
		case "alg":
			v.Algorithm = textOf(m.value)
		case "typ":
			v.Type = textOf(m.value)
		case "kid":
			v.KeyID = textOf(m.value)
		default:
			v.Other = append(v.Other, recognize.Redact(m.name))
		}
	}
	return v
}

// textOf returns the text of a JSON string, or the type of another value.
func textOf(value string) (s string) {
	if json.Unmarshal([]byte(value), &s) == nil && strings.HasPrefix(value, `"`) {
		return recognize.Redact(s)
	}
	return "(not a string)"
}

func viewPayload(payload string, now time.Time) *payloadView {
	v := &payloadView{Audience: []string{}, Other: []string{}}
	for _, m := range members(payload) {
		switch m.name {
		case "sub":
			v.Subject, v.hasSubject = textOf(m.value), true
		case "iss":
			v.Issuer = textOf(m.value)
		case "jti":
			v.TokenID = textOf(m.value)
		case "aud":
			v.hasAudience = true
			var list []json.RawMessage
			if json.Unmarshal([]byte(m.value), &list) != nil || list == nil {
				list = []json.RawMessage{json.RawMessage(m.value)}
			}
			for _, audience := range list {
				v.Audience = append(v.Audience, textOf(string(audience)))
			}
		case "iat":
			v.IssuedAt = dateOf(m.value, math.Ceil)
		case "nbf":
			v.NotBefore = dateOf(m.value, math.Ceil)
		case "exp":
			v.ExpiresAt, v.hasExpiry = dateOf(m.value, math.Floor), true
		case permissions.ClaimName:
		default:
			v.Other = append(v.Other, recognize.Redact(m.name))
		}
	}
	v.Expired = v.ExpiresAt != nil && !now.Before(*v.ExpiresAt)
	return v
}

// dateOf reads a date and rounds it to whole seconds.
func dateOf(value string, round func(float64) float64) *time.Time {
	const lastYear = 253402300799 // the end of the year 9999
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || seconds < 0 || seconds > lastYear {
		return nil
	}
	t := time.Unix(int64(round(seconds)), 0).UTC()
	return &t
}

func (a *app) inspect() *cobra.Command {
	var f asking
	c := &cobra.Command{
		Use:   "inspect",
		Short: "Show what a token or a claim says",
		Long: `inspect shows the header and the dates of a token, its audience and subject, the permissions claim as a tree,
and what lint finds in it. It shows no values of other claims, and never the token. If the token came in a curl
command or in an HTTP request, it also shows the request, and the command that asks whether it is allowed.

Without a key it verifies nothing and says so. With a key it says whether a verifier accepts the token, and if not,
what was wanted and what came; then the exit code is 2.`,
		Example: `  connectperms inspect --token token.txt
  connectperms inspect --token token.txt --public-key key.pub --project 1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311
  connectperms inspect < request.curl
  connectperms inspect --claim claim.json -o json`,
		Args: a.noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			now, err := a.now(&f.keyFlags)
			if err != nil {
				return err
			}
			s, refusal, err := a.loadForInspection(c, &f)
			if s == nil {
				return err
			}
			view := a.view(s, refusal, now)
			if f.output == "json" {
				if failed := a.out.json(view); failed != nil {
					return failed
				}
			} else {
				a.sayInspection(view, now)
			}
			if err == nil && refusal != nil {
				err = exitCode(codeNo)
			}
			return err
		},
	}
	f.add(c)
	addOutputFlag(c, &f.output, "text", "json")
	return c
}

// loadForInspection loads a subject as loadVerified does, and parses a token that was refused. For a token or a
// claims set that cannot be parsed it returns a subject without a policy, and the error.
func (a *app) loadForInspection(c *cobra.Command, f *asking) (*subject, *usertoken.TokenError, error) {
	t, err := a.open(c, &f.inputFlags)
	if err != nil {
		return nil, nil, err
	}
	in, err := a.recognize(c, t)
	if err != nil {
		return nil, nil, err
	}
	s, refusal, err := a.verifyInput(c, t, in, &f.inputFlags, &f.keyFlags)
	if err != nil && in.Form != recognize.Claim && !errors.As(err, new(usageError)) {
		return &subject{source: t, input: in}, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	if refusal != nil {
		// What is refused may still be readable.
		if readable, err := parse(t, in, f.options()); err == nil {
			s = readable
		}
	}
	return s, refusal, nil
}

// view returns what is shown of a subject.
func (a *app) view(s *subject, refusal *usertoken.TokenError, now time.Time) *inspection {
	v := &inspection{
		Form:  [...]string{recognize.Token: "token", recognize.Payload: "payload", recognize.Claim: "claim"}[s.input.Form],
		Bytes: len(s.input.Text), Rules: []permissions.Rule{}, Findings: []analyze.Finding{},
	}
	payload := ""
	switch s.input.Form {
	case recognize.Token:
		header, decoded, _ := recognize.Split(s.input.Text) // what cannot be decoded is not shown
		v.Header, payload = viewHeader(header), string(decoded)
		v.Verification = &verification{State: "not_verified"}
		v.Request = viewRequest(s.source)
		if s.verified {
			v.Verification.State = "verified"
		}
		if refusal != nil {
			v.Verification = &verification{"refused", refusedJSON(refusal)}
		}
	case recognize.Payload:
		payload = s.input.Text
	}
	if payload != "" {
		v.Payload = viewPayload(payload, now)
	}
	if v.refusedClaim = s.policy == nil; v.refusedClaim {
		return v
	}
	v.Unrestricted = s.policy.IsUnrestricted()
	v.Rules = slices.AppendSeq(v.Rules, s.policy.Rules())
	a.progress.start("linting the claim")
	v.Findings = append(v.Findings, analyze.Lint(s.policy)...)
	a.progress.stop()
	v.tree = treeOf(s.policy)
	return v
}

// treeOf returns the lines of a claim as a tree.
func treeOf(p *permissions.Policy) (lines []string) {
	maps := map[string][]permissions.Scope{}
	for m := range p.NestedMaps() {
		maps[m.Pointer()] = m.Path()
	}
	shown := map[string]bool{}
	line := func(pointer string, path []permissions.Scope, grant string) {
		depth := strings.Count(pointer, "/") - 1
		lines = append(lines, strings.Repeat("  ", depth)+scopeText(path[len(path)-1])+grant)
	}
	for r := range p.Rules() {
		pointer := r.Pointer()
		for i := 1; i < len(pointer); i++ {
			if pointer[i] != '/' || shown[pointer[:i]] {
				continue
			}
			above := pointer[:i]
			shown[above] = true
			line(above, maps[above], "")
		}
		line(pointer, r.Path(), ": "+r.Grant().String())
	}
	for m := range p.NestedMaps() {
		if m.IsEmpty() {
			line(m.Pointer(), m.Path(), ": an empty map, which sets nothing")
		}
	}
	return lines
}

func (a *app) sayInspection(v *inspection, now time.Time) {
	p := a.out
	if v.Verification != nil {
		switch v.Verification.State {
		case "verified":
			p.say(styleGood, "VERIFIED: the token is signed with a key that was given, and valid.")
		case "refused":
			r := v.Verification.Refused
			p.say(styleBad, "REFUSED: "+strings.Join(strings.Fields(r.Field+" "+r.Found+" "+r.Problem), " "))
			if r.Remedy != "" {
				p.say(stylePlain, "         "+r.Remedy)
			}
		default:
			p.say(styleWarn, notVerified)
		}
		fmt.Fprintln(p)
	}
	if v.Header != nil {
		a.sayHeader(v.Header)
	}
	if v.Payload != nil {
		a.sayPayload(v.Payload, now)
	}
	p.label(stylePlain, "size", plural(v.Bytes, "byte"))
	switch {
	case v.refusedClaim:
		p.label(styleBad, "claim", "not read: it allows nothing")
	case v.Unrestricted:
		p.label(styleWarn, "claim", "none: a token without the permissions claim allows everything")
	case v.tree != nil:
		p.label(stylePlain, "claim", plural(len(v.Rules), "rule"))
		for _, line := range v.tree {
			p.say(stylePlain, "  "+line)
		}
	case len(v.Rules) == 0:
		p.label(stylePlain, "claim", "no rules: it denies everything")
	}
	if v.Request != nil {
		p.label(stylePlain, "request", v.Request.Method+" "+quote(v.Request.Path))
		if v.Request.Command != "" {
			p.label(stylePlain, "ask", v.Request.Command)
		}
	}
	if len(v.Findings) > 0 {
		p.label(stylePlain, "findings", fmt.Sprint(len(v.Findings)))
	}
	for _, f := range v.Findings {
		p.say(styleWarn, "  "+f.String())
	}
}

func (a *app) sayHeader(h *headerView) {
	s, algorithm := stylePlain, "alg "+quote(h.Algorithm)
	if h.Algorithm != "RS256" {
		s, algorithm = styleBad, algorithm+" (every verifier refuses all but RS256)"
	}
	parts := []string{algorithm}
	if h.Type != "" {
		parts = append(parts, "typ "+quote(h.Type))
	}
	if h.KeyID != "" {
		parts = append(parts, "kid "+quote(h.KeyID))
	}
	if len(h.Other) > 0 {
		parts = append(parts, "and "+quoted(h.Other))
	}
	a.out.label(s, "header", strings.Join(parts, ", "))
}

func (a *app) sayPayload(v *payloadView, now time.Time) {
	p := a.out
	if v.hasSubject {
		p.label(stylePlain, "subject", quote(v.Subject))
	} else {
		p.label(styleBad, "subject", "none: every verifier refuses a token without sub")
	}
	if v.hasAudience {
		p.label(stylePlain, "audience", quoted(v.Audience))
	} else {
		p.label(stylePlain, "audience", "none")
	}
	if v.Issuer != "" {
		p.label(stylePlain, "issuer", quote(v.Issuer))
	}
	if v.TokenID != "" {
		p.label(stylePlain, "token ID", quote(v.TokenID))
	}
	if v.IssuedAt != nil {
		p.label(stylePlain, "issued", when(*v.IssuedAt, now))
	}
	if v.NotBefore != nil {
		p.label(stylePlain, "from", when(*v.NotBefore, now))
	}
	switch {
	case !v.hasExpiry:
		p.label(styleBad, "expires", "never: every verifier refuses a token without exp")
	case v.ExpiresAt == nil:
		p.label(styleBad, "expires", "exp is not a date: every verifier refuses that")
	case v.Expired:
		p.label(styleBad, "expires", when(*v.ExpiresAt, now)+": EXPIRED")
	default:
		p.label(stylePlain, "expires", when(*v.ExpiresAt, now))
	}
	if len(v.Other) > 0 {
		p.label(stylePlain, "also has", quoted(v.Other)+" (values are not shown)")
	}
}

func quoted(names []string) string {
	var list []string
	for _, name := range names {
		list = append(list, quote(name))
	}
	return strings.Join(list, ", ")
}

// when is a date, and how far it is from now in words.
func when(t, now time.Time) string {
	return t.UTC().Format("2006-01-02 15:04:05 UTC") + ", " + distance(t.Sub(now))
}

// distance is a duration in words, with the largest unit and the one below it.
func distance(d time.Duration) string {
	format := "in %s"
	if d <= 0 {
		format, d = "%s ago", -d
	}
	seconds := int64(d.Round(time.Second) / time.Second)
	units := []struct {
		name    string
		seconds int64
	}{{"year", 365 * 24 * 3600}, {"day", 24 * 3600}, {"hour", 3600}, {"minute", 60}, {"second", 1}, {}}
	for i, unit := range units[:len(units)-1] {
		n := seconds / unit.seconds
		if n == 0 {
			continue
		}
		words := plural(int(n), unit.name)
		if below := units[i+1]; below.seconds > 0 && seconds%unit.seconds/below.seconds > 0 {
			words += " " + plural(int(seconds%unit.seconds/below.seconds), below.name)
		}
		return fmt.Sprintf(format, words)
	}
	return "now"
}

func (a *app) verify() *cobra.Command {
	var f asking
	c := &cobra.Command{
		Use:   "verify",
		Short: "Verify a token as a service does",
		Long: `verify says whether a verifier accepts a token, with the options that it may have. If not, it says what was
wanted and what came, and the exit code is 2.

The key comes from --public-key or --jwks, or from the environment variable ` + keyVariable + `. The project
comes from --project or ` + projectVariable + `.`,
		Example: `  connectperms verify --token token.txt --public-key key.pub --project 1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311
  connectperms verify --token token.txt --jwks keys.json --audience useparagon.com/1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311
  connectperms verify --token token.txt --public-key key.pub --project another-project`,
		Args: a.noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			now, err := a.now(&f.keyFlags)
			if err != nil {
				return err
			}
			s, refusal, err := a.loadVerified(c, &f.inputFlags, &f.keyFlags)
			if err != nil {
				return err
			}
			if s.input.Form != recognize.Token {
				return s.source.at(s.input.Offset, "it is "+s.input.Form.String()+", and only a token can be verified")
			}
			if !s.verified && refusal == nil {
				return fmt.Errorf("a token can be verified with a key only; give --public-key or --jwks, or set %s and %s",
					keyVariable, projectVariable)
			}
			if f.output == "json" {
				_, payload, _ := recognize.Split(s.input.Text) // it was verified, or is not shown
				var view *payloadView
				if refusal == nil {
					view = viewPayload(string(payload), now)
				}
				err = a.out.json(struct {
					Verified bool         `json:"verified"`
					Refused  *refused     `json:"refused,omitempty"`
					Payload  *payloadView `json:"payload,omitempty"`
				}{refusal == nil, refusedJSON(refusal), view})
			} else if refusal != nil {
				a.out.say(styleBad, "refused: "+tokenProblem(refusal))
			} else {
				claim := "no permissions claim: it allows everything"
				if !s.policy.IsUnrestricted() {
					claim = "a permissions claim of " + plural(countRules(s.policy), "rule")
				}
				a.out.say(styleGood, fmt.Sprintf("verified: the token of %s, which expires %s, with %s",
					quote(s.claims.Subject), when(s.claims.ExpiresAt.Time, now), claim))
			}
			if err == nil && refusal != nil {
				err = exitCode(codeNo)
			}
			return err
		},
	}
	f.add(c)
	addOutputFlag(c, &f.output, "text", "json")
	return c
}

func countRules(p *permissions.Policy) (n int) {
	for range p.Rules() {
		n++
	}
	return n
}
