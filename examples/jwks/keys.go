package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"

	"github.com/connectperms/permissions/usertoken"
)

// How keys are loaded.
const (
	refreshInterval = time.Hour       // keys are loaded at least this often
	httpTimeout     = 5 * time.Second // for one request to the server of the keys
	unknownInterval = time.Minute     // the least time between two requests because of unknown key IDs
	unknownWait     = 3 * time.Second // the most that a token waits for such a request, its turn included
)

// Keys are the keys of a JSON Web Key Set (RFC 7517) that a URL serves. They are loaded when the Keys are
// made, then once an hour, and when a token names a key that is not known, because keys rotate. The last
// happens at most once a minute, because anybody can make up the ID of a key. So an issuer publishes a new
// key some time before it signs with it.
type Keys struct {
	keyfunc keyfunc.Keyfunc
	failure atomic.Pointer[error] // of the last attempt to load keys, nil if it went well
}

// NewKeys returns the keys of a URL. A server that is down is not an error: it may come back. The context
// ends the goroutine that loads the keys.
func NewKeys(ctx context.Context, url string) (*Keys, error) {
	return newKeys(ctx, url, rate.NewLimiter(rate.Every(unknownInterval), 1))
}

func newKeys(ctx context.Context, url string, unknown *rate.Limiter) (*Keys, error) {
	k := new(Keys)
	var err error
	k.keyfunc, err = keyfunc.NewDefaultOverrideCtx(ctx, []string{url}, keyfunc.Override{
		Client:            &http.Client{Transport: k},
		HTTPTimeout:       httpTimeout,
		RateLimitWaitMax:  unknownWait,
		RefreshInterval:   refreshInterval,
		RefreshUnknownKID: unknown,
		RefreshErrorHandlerFunc: func(string) func(context.Context, error) {
			return func(_ context.Context, err error) { k.failure.Store(&err) }
		},
	})
	return k, err
}

// RoundTrip forgets the failure of the last attempt. keyfunc reports a failure, and not a success.
func (k *Keys) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		k.failure.Store(nil)
	}
	return response, err
}

// Source returns the key of a token, for [usertoken.WithKeySource]. If there is none, it tells whose fault
// that is. The token is refused if the keys are up to date and do not have the one that it names. If the
// keys could not be loaded, nobody can tell, and verification fails with [usertoken.ErrKeys].
func (k *Keys) Source(ctx context.Context, token *jwt.Token) (any, error) {
	key, err := k.keyfunc.KeyfuncCtx(ctx)(token)
	if err == nil {
		return key, nil
	}
	if failure := k.failure.Load(); failure != nil {
		return nil, fmt.Errorf("loading the keys: %w", *failure)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("%w: %w", usertoken.ErrToken, err)
}
