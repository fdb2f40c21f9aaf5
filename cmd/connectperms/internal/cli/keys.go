package cli

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/spf13/cobra"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/internal/recognize"
	"github.com/connectperms/permissions/usertoken"
)

const (
	keyVariable     = "PARAGON_PUBLIC_KEY"
	projectVariable = "PARAGON_PROJECT_ID"

	maxKeySet     = 1 << 20
	keySetTimeout = 10 * time.Second
)

var errNoProject = errors.New("a token is for one project; give its ID with --project, or set " + projectVariable +
	", or give --audience")

// A keyFlags has the flags of a Verifier.
type keyFlags struct {
	keys                          []string
	keySet, project, at           string
	audiences, issuers, types     []string
	leeway                        time.Duration
	maxSize                       int
	requireClaim, allowNoAudience bool
}

func (f *keyFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.keys, "public-key", nil, "verify with the key in a `FILE`; may be repeated")
	c.Flags().StringVar(&f.keySet, "jwks", "", "verify with the JSON Web Key Set in a `FILE`, or at a URL")
	c.Flags().StringVar(&f.project, "project", "", "the `ID` of the project, for the audience")
	c.Flags().StringArrayVar(&f.audiences, "audience", nil, "an `AUDIENCE` in place of the project's; may be repeated")
	c.Flags().StringArrayVar(&f.issuers, "issuer", nil, "require this `ISSUER`; may be repeated")
	c.Flags().StringArrayVar(&f.types, "type", nil, "require this `TYPE` in the header; may be repeated")
	c.Flags().DurationVar(&f.leeway, "leeway", 5*time.Second, "how far the clocks may be apart, as a `DURATION`")
	c.Flags().IntVar(&f.maxSize, "max-token-size", 64<<10, "refuse tokens of more `BYTES`")
	c.Flags().BoolVar(&f.requireClaim, "require-claim", false, "refuse a token without the permissions claim")
	c.Flags().BoolVar(&f.allowNoAudience, "allow-missing-audience", false, "accept a token without an audience")
	c.Flags().StringVar(&f.at, "at", "", "answer as of a `TIME`, such as 2026-11-25T18:00:00Z")
}

// now returns the time that --at names, or the present.
func (a *app) now(f *keyFlags) (time.Time, error) {
	if f.at == "" {
		return a.env.Now(), nil
	}
	at, err := time.Parse(time.RFC3339, f.at)
	if err != nil {
		return at, errors.New("--at takes a time such as 2026-11-25T18:00:00Z")
	}
	return at, nil
}

// verifier returns the Verifier that the flags and the environment describe. It is nil if there is no key.
func (a *app) verifier(c *cobra.Command, f *keyFlags, claim []permissions.Option) (*usertoken.Verifier, error) {
	now, err := a.now(f)
	if err != nil {
		return nil, err
	}
	project := f.project
	if !c.Flags().Changed("project") && len(f.audiences) == 0 {
		project = a.env.Getenv(projectVariable)
	}
	opts := []usertoken.VerifierOption{
		usertoken.WithClock(func() time.Time { return now }),
		usertoken.WithLeeway(f.leeway), usertoken.WithMaxTokenSize(f.maxSize),
		usertoken.WithClaimOptions(claim...),
	}
	key, more, err := a.keys(c, f, project != "" || len(f.audiences) > 0)
	if err != nil {
		return nil, err
	}
	if key == nil && more == nil {
		if f.requiresKey(c) {
			return nil, fmt.Errorf("a token can be verified with a key only; give --public-key or --jwks, or set %s and %s",
				keyVariable, projectVariable)
		}
		return nil, nil
	}
	opts = append(opts, more...)
	if len(f.audiences) > 0 {
		opts = append(opts, usertoken.WithAudience(f.audiences...))
	}
	if len(f.issuers) > 0 {
		opts = append(opts, usertoken.WithIssuer(f.issuers...))
	}
	if len(f.types) > 0 {
		opts = append(opts, usertoken.WithType(f.types...))
	}
	if f.requireClaim {
		opts = append(opts, usertoken.RequireClaim())
	}
	if f.allowNoAudience {
		opts = append(opts, usertoken.AllowMissingAudience())
	}
	if project == "" && len(f.audiences) == 0 {
		return nil, errNoProject
	}
	v, err := usertoken.NewVerifier(project, key, opts...)
	if err != nil {
		return nil, plainError(err)
	}
	return v, nil
}

// requiresKey reports whether a flag was given that means nothing without a key.
func (f *keyFlags) requiresKey(c *cobra.Command) bool {
	for _, name := range []string{
		"project", "audience", "issuer", "type", "leeway", "max-token-size", "require-claim", "allow-missing-audience",
	} {
		if c.Flags().Changed(name) {
			return true
		}
	}
	return false
}

// keys returns the key of the flags, or that of the environment if the audience is known. More keys, and a key set,
// are in opts. Without keys it returns nil.
func (a *app) keys(c *cobra.Command, f *keyFlags, known bool) (
	key *rsa.PublicKey, opts []usertoken.VerifierOption, err error,
) {
	switch value := a.env.Getenv(keyVariable); {
	case c.Flags().Changed("jwks") && c.Flags().Changed("public-key"):
		return nil, nil, errors.New("give either --public-key or --jwks")
	case c.Flags().Changed("jwks"):
		source, err := a.keySource(f.keySet)
		return nil, []usertoken.VerifierOption{source}, err
	case c.Flags().Changed("public-key"):
		for _, name := range f.keys {
			t, err := a.read(name)
			if err != nil {
				return nil, nil, err
			}
			next, err := usertoken.ParsePublicKey(string(t.data))
			if err != nil {
				return nil, nil, t.at(0, plainError(err).Error())
			}
			if key != nil {
				opts = append(opts, usertoken.WithKeys(next))
				continue
			}
			key = next
		}
		return key, opts, nil
	case value != "" && known:
		if key, err = usertoken.ParsePublicKey(value); err != nil {
			return nil, nil, fmt.Errorf("the environment variable %s: %w", keyVariable, plainError(err))
		}
		return key, nil, nil
	}
	return nil, nil, nil
}

// keySource reads a JSON Web Key Set.
func (a *app) keySource(name string) (usertoken.VerifierOption, error) {
	var data []byte
	if strings.HasPrefix(name, "https://") || strings.HasPrefix(name, "http://") {
		var err error
		a.progress.start("loading the keys")
		data, err = download(a.ctx, name)
		a.progress.stop()
		if err != nil {
			return nil, fmt.Errorf("loading the keys: %w", err)
		}
	} else {
		t, err := a.read(name)
		if err != nil {
			return nil, err
		}
		data, name = t.data, t.name
	}
	set, err := keyfunc.NewJWKSetJSON(json.RawMessage(data))
	if err != nil {
		return nil, fmt.Errorf("%s: it is not a JSON Web Key Set", oneLine(name))
	}
	if keys, err := set.Storage().KeyReadAll(a.ctx); err != nil || len(keys) == 0 {
		return nil, fmt.Errorf("%s: there are no keys in it", oneLine(name))
	}
	return usertoken.WithKeySource(func(ctx context.Context, token *jwt.Token) (any, error) {
		key, err := set.KeyfuncCtx(ctx)(token)
		if err != nil {
			return nil, fmt.Errorf("%w: the key set has no key for it", usertoken.ErrToken)
		}
		return key, nil
	}), nil
}

func download(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, keySetTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, errors.New("the URL is not valid")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, maxKeySet))
}

// A usageError says that the command is wrong, and not the input.
type usageError struct{ error }

// loadVerified reads the input of a command that asks about a token, and verifies it if there is a key. For a refused
// token it returns a subject without a policy, and the refusal, and no error.
func (a *app) loadVerified(c *cobra.Command, f *inputFlags, k *keyFlags) (*subject, *usertoken.TokenError, error) {
	t, err := a.open(c, f)
	if err != nil {
		return nil, nil, err
	}
	in, err := a.recognize(c, t)
	if err != nil {
		return nil, nil, err
	}
	return a.verifyInput(c, t, in, f, k)
}

// verifyInput verifies an input if it is a token and there is a key, and otherwise parses it.
func (a *app) verifyInput(c *cobra.Command, t source, in recognize.Input, f *inputFlags, k *keyFlags) (
	s *subject, refusal *usertoken.TokenError, err error,
) {
	verifier, err := a.verifier(c, k, f.options())
	if err != nil {
		return nil, nil, usageError{err}
	}
	if in.Form != recognize.Token && (c.Flags().Changed("public-key") || c.Flags().Changed("jwks")) {
		problem := "it is " + in.Form.String() + ", and there is no signature to verify; leave the key out"
		return nil, nil, usageError{t.at(in.Offset, problem)}
	}
	if verifier == nil && in.Form == recognize.Token && a.env.Getenv(keyVariable) != "" {
		return nil, nil, usageError{fmt.Errorf("%s is set, and nobody said whose the tokens are; "+
			"set %s too, or give --project or --audience", keyVariable, projectVariable)}
	}
	if verifier == nil || in.Form != recognize.Token {
		s, err = a.parse(t, in, f.options())
		return s, nil, err
	}
	claims, err := verifier.VerifyContext(a.ctx, in.Text)
	if err == nil {
		return &subject{source: t, input: in, policy: claims.Policy, claims: claims, claimAt: -1, verified: true}, nil, nil
	}
	if !errors.As(err, &refusal) {
		return nil, nil, usageError{plainError(err)}
	}
	return &subject{source: t, input: in, claimAt: -1}, refusal, nil
}
