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

// isWorthLooking reports whether a target names an object whose other identifiers a look-up can find.
func isWorthLooking(t permissions.Target) bool {
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

// completes reports whether found is what was asked about, with more of its identifiers.
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

// A memory remembers what a Lookup returned, for a token and a target: a Lookup may depend on
// everything in the token. Any number of goroutines can share one.
type memory struct {
	lookup Lookup
	clock  func() time.Time
	keep   time.Duration
	most   int

	mu         sync.Mutex
	young, old map[memoryKey]remembered // old is dropped when young is full
}

type memoryKey struct {
	token [sha256.Size]byte
	asked permissions.Target
}

type remembered struct {
	found permissions.Target
	at    time.Time
}

// complete returns the complete target for a target that a request with a token names. An error matches
// [ErrNotFound] or [ErrLookup], and is not remembered.
func (m *memory) complete(ctx context.Context, token string, asked permissions.Target) (permissions.Target, error) {
	key := memoryKey{sha256.Sum256([]byte(token)), asked}
	if found, ok := m.recall(key); ok {
		return found, nil
	}
	began := m.clock()
	found, err := m.lookup(ctx, asked)
	switch {
	case errors.Is(err, ErrNotFound):
		return permissions.Target{}, fmt.Errorf("forwardauth: %w", err)
	case err != nil:
		return permissions.Target{}, fmt.Errorf("forwardauth: %w: %w", ErrLookup, err)
	case !completes(found, asked):
		return permissions.Target{}, fmt.Errorf("forwardauth: %w: it returned another object", ErrLookup)
	}
	m.remember(key, remembered{found, began})
	return found, nil
}

func (m *memory) recall(key memoryKey) (permissions.Target, bool) {
	now := m.clock()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, generation := range []map[memoryKey]remembered{m.young, m.old} {
		// A clock that was set back must not make anything last longer.
		if r, ok := generation[key]; ok && !now.Before(r.at) && now.Sub(r.at) < m.keep {
			return r.found, true
		}
	}
	return permissions.Target{}, false
}

func (m *memory) remember(key memoryKey, r remembered) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.young == nil || len(m.young) >= m.most/2 {
		m.old, m.young = m.young, map[memoryKey]remembered{}
	}
	m.young[key] = r
}
