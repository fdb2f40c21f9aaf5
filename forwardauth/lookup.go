package forwardauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/connectperms/permissions"
)

// A Lookup completes a target: it returns the same credential or configuration with every identifier
// that it has, and those that it does not have as absent. See [WithLookup].
type Lookup func(context.Context, permissions.Target) (permissions.Target, error)

// ErrNotFound is for a [Lookup] to return, alone or wrapped, if there is no such object. It is
// answered as a denial. Every other error is answered as a failure.
var ErrNotFound = errors.New("not found")

// ErrLookup matches a failure of a [Lookup].
var ErrLookup = errors.New("look-up failed")

// canComplete reports whether a target names an object whose other identifiers a look-up can find.
func canComplete(t permissions.Target) bool {
	unknown := t.Unknown()
	names := func(id, externalID permissions.Identifiers) bool { return !unknown.Has(id) || !unknown.Has(externalID) }
	switch t.Level() {
	case permissions.KindCredential:
		return names(permissions.CredentialID, permissions.CredentialExternalID)
	case permissions.KindConfiguration:
		return names(permissions.ConfigurationID, permissions.ConfigurationExternalID) ||
			names(permissions.CredentialID, permissions.CredentialExternalID)
	}
	return false
}

// completes reports whether found has the level of asked, and every identifier that asked has.
func completes(found, asked permissions.Target) bool {
	if found.Level() != asked.Level() {
		return false
	}
	for _, which := range []permissions.Identifiers{
		permissions.IntegrationName, permissions.CredentialID, permissions.CredentialExternalID,
		permissions.ConfigurationID, permissions.ConfigurationExternalID,
	} {
		text, state := asked.Lookup(which)
		foundText, foundState := found.Lookup(which)
		if state == permissions.Known && (foundState != permissions.Known || foundText != text) {
			return false
		}
	}
	return true
}

// A lookupCache has what a Lookup returned for a token and a target: a Lookup may depend on everything in
// the token. Any number of goroutines can share one.
type lookupCache struct {
	lookup     Lookup
	clock      func() time.Time
	keep       time.Duration
	maxEntries int

	mu         sync.Mutex
	young, old map[cacheKey]cacheEntry // old is dropped when young is full
}

type cacheKey struct {
	token [sha256.Size]byte
	asked permissions.Target
}

type cacheEntry struct {
	found permissions.Target
	at    time.Time
}

// complete returns the complete target for a target that a request with a token names. An error matches
// [ErrNotFound] or [ErrLookup], and is not cached.
func (c *lookupCache) complete(ctx context.Context, token string,
	asked permissions.Target) (permissions.Target, error) {
	key := cacheKey{sha256.Sum256([]byte(token)), asked}
	if found, ok := c.get(key); ok {
		return found, nil
	}
	began := c.clock()
	found, err := c.lookup(ctx, asked)
	switch {
	case errors.Is(err, ErrNotFound):
		return permissions.Target{}, fmt.Errorf("forwardauth: %w; the look-up says: %s", ErrNotFound, fmt.Sprint(err)) // it matches nothing else
	case err != nil:
		return permissions.Target{}, fmt.Errorf("forwardauth: %w: %w", ErrLookup, err)
	case !completes(found, asked):
		return permissions.Target{}, fmt.Errorf("forwardauth: %w: it returned another object than that of the request",
			ErrLookup)
	}
	c.put(key, cacheEntry{found, began})
	return found, nil
}

func (c *lookupCache) get(key cacheKey) (permissions.Target, bool) {
	now := c.clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, generation := range []map[cacheKey]cacheEntry{c.young, c.old} {
		// A clock that was set back must not make anything last longer.
		if e, ok := generation[key]; ok && !now.Before(e.at) && now.Sub(e.at) < c.keep {
			return e.found, true
		}
	}
	return permissions.Target{}, false
}

func (c *lookupCache) put(key cacheKey, e cacheEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young == nil || len(c.young) >= c.maxEntries/2 {
		c.old, c.young = c.young, map[cacheKey]cacheEntry{}
	}
	c.young[key] = e
}
