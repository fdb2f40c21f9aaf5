package usertoken_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"math/big"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// A cached is a verifier that remembers signatures, and what it said of the latest token.
type cached struct {
	*usertoken.Verifier
	latest usertoken.Verification
	now    time.Time
	keys   any // what the key source returns
	err    error
	asked  int // how often the key source was asked
}

// newCached returns a verifier with room for some entries, whose keys and clock a test sets.
func newCached(t *testing.T, entries int, opts ...usertoken.VerifierOption) *cached {
	t.Helper()
	c := &cached{now: testNow, keys: &projectKey().PublicKey}
	opts = append([]usertoken.VerifierOption{
		usertoken.WithClock(func() time.Time { return c.now }),
		usertoken.WithSignatureCache(entries),
		usertoken.WithObserver(func(_ context.Context, v usertoken.Verification) { c.latest = v }),
		usertoken.WithKeyfunc(func(*jwt.Token) (any, error) { c.asked++; return c.keys, c.err }),
	}, opts...)
	c.Verifier = must[*usertoken.Verifier](t)(usertoken.NewVerifier(testProject, nil, opts...))
	return c
}

// accept requires that a token is accepted, and reports whether its signature was remembered.
func (c *cached) accept(t testing.TB, token string) bool {
	t.Helper()
	claims, err := c.Verify(token)
	require.NoError(t, err)
	require.Equal(t, testSubject, claims.Subject)
	return c.latest.Remembered
}

// refuse requires that a token is refused for these reasons, and reports whether its signature was remembered.
func (c *cached) refuse(t testing.TB, token string, is []error) bool {
	t.Helper()
	refusal{token: token, is: is}.require(t, c.Verifier)
	return c.latest.Remembered
}

// numbered returns different good tokens.
func numbered(t testing.TB, n int) []string {
	var tokens []string
	for i := range n {
		tokens = append(tokens, signPayload(t, payload("jti", quoted(strconv.Itoa(i)))))
	}
	return tokens
}

func TestSignatureCacheRemembersATokenThatComesAgain(t *testing.T) {
	c := newCached(t, 100)
	token := signPayload(t, payload())
	require.False(t, c.accept(t, token))
	require.True(t, c.accept(t, token))
	require.True(t, c.accept(t, token))
}

func TestSignatureCacheIsOffUnlessAskedFor(t *testing.T) {
	var latest usertoken.Verification
	v := newVerifier(t, usertoken.WithObserver(func(_ context.Context, v usertoken.Verification) { latest = v }))
	token := signPayload(t, payload())
	for range 3 {
		must[*usertoken.Claims](t)(v.Verify(token))
		require.False(t, latest.Remembered)
	}
}

func TestSignatureCacheOfAnotherVerifier(t *testing.T) {
	token := signPayload(t, payload())
	newCached(t, 100).accept(t, token)
	require.False(t, newCached(t, 100).accept(t, token))
}

// The claim is read and evaluated for each call.
func TestSignatureCacheKeepsNoClaim(t *testing.T) {
	c := newCached(t, 100)
	token := signPayload(t, payloadWith(`{"integration:slack":["events"]}`))
	first := must[*usertoken.Claims](t)(c.Verify(token))
	second := must[*usertoken.Claims](t)(c.Verify(token))
	require.True(t, c.latest.Remembered)
	require.NotSame(t, first, second)
	require.NotSame(t, first.Policy, second.Policy)
	require.Equal(t, ruleTexts(first.Policy), ruleTexts(second.Policy))
	require.NoError(t, second.Policy.Check(permissions.Events, permissions.Integration("slack")))
}

func TestSignatureCacheChecksDatesEachTime(t *testing.T) {
	c := newCached(t, 100)
	token := signPayload(t, payload("nbf", at(-30)))
	c.accept(t, token)
	for _, test := range []struct {
		name  string
		after time.Duration
		is    []error
	}{
		{"the token has expired", time.Hour + time.Minute, expired},
		{"the clock went back before nbf", -40 * time.Second, early},
		{"the clock went back before iat and nbf", -2 * time.Minute, early},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.now = testNow.Add(test.after)
			require.True(t, c.refuse(t, token, test.is))
		})
	}
	c.now = testNow
	require.True(t, c.accept(t, token))
}

func TestSignatureCacheAsksForTheKeyEachTime(t *testing.T) {
	c := newCached(t, 100)
	token := signPayload(t, payload())
	c.accept(t, token)
	require.True(t, c.accept(t, token))
	require.Equal(t, 2, c.asked)

	t.Run("the source is down", func(t *testing.T) {
		c.err = errors.New("connection refused")
		defer func() { c.err = nil }()
		claims, err := c.Verify(token)
		require.Nil(t, claims)
		requireReasons(t, err, usertoken.ErrKeys)
	})
	t.Run("there is no key any more", func(t *testing.T) {
		c.keys = nil
		require.False(t, c.refuse(t, token, unverifiable))
	})
	t.Run("the key was replaced", func(t *testing.T) {
		c.keys = &otherKey().PublicKey
		require.False(t, c.refuse(t, token, forged))
		require.False(t, c.refuse(t, token, forged), "the refusal is not remembered either")
	})
	t.Run("the key is one of several", func(t *testing.T) {
		keys := []jwt.VerificationKey{&otherKey().PublicKey, &projectKey().PublicKey}
		c.keys = jwt.VerificationKeySet{Keys: keys}
		require.True(t, c.accept(t, token))
	})
	t.Run("the same pointer has another modulus", func(t *testing.T) {
		key := &rsa.PublicKey{N: new(big.Int).Set(projectKey().N), E: projectKey().E}
		c.keys = key
		require.True(t, c.accept(t, token))
		key.N.Set(otherKey().N)
		require.False(t, c.refuse(t, token, forged))
	})
	t.Run("the same modulus has another exponent", func(t *testing.T) {
		c.keys = &rsa.PublicKey{N: projectKey().N, E: 3}
		require.False(t, c.refuse(t, token, forged))
	})
}

func TestSignatureCacheTakesNoTokenForAnother(t *testing.T) {
	c := newCached(t, 100)
	token := signPayload(t, payload())
	c.accept(t, token)

	t.Run("any byte is another one", func(t *testing.T) {
		for i := range len(token) {
			for _, other := range []byte{token[i] ^ 1, 'A', 'B', '.', '=', ' '} {
				if other == token[i] {
					continue
				}
				changed := token[:i] + string(other) + token[i+1:]
				claims, err := c.Verify(changed)
				require.ErrorIs(t, err, usertoken.ErrToken, "%d: %q", i, other)
				require.Nil(t, claims)
				require.False(t, c.latest.Remembered, "%d: %q", i, other)
			}
		}
	})
	t.Run("it is cut", func(t *testing.T) {
		for i := range len(token) {
			_, err := c.Verify(token[:i])
			require.ErrorIs(t, err, usertoken.ErrToken, "%d", i)
			require.False(t, c.latest.Remembered, "%d", i)
		}
	})
	t.Run("the signature has another spelling", func(t *testing.T) {
		for _, spelling := range []string{token + "=", token + "==", token + "\n"} {
			require.False(t, c.refuse(t, spelling, malformed))
		}
		require.False(t, c.refuse(t, token+"A", forged))
	})
	t.Run("the payload has another spelling", func(t *testing.T) {
		require.False(t, c.accept(t, signPayload(t, payload()+" ")))
	})
	t.Run("another payload has the signature", func(t *testing.T) {
		parts := strings.Split(token, ".")
		require.False(t, c.refuse(t, parts[0]+"."+part(payload("sub", `"admin"`))+"."+parts[2], forged))
	})
	require.True(t, c.accept(t, token), "the token is still remembered")
}

// Every attack is refused for the same reason as without a cache, the second time too, and nothing of it
// is remembered.
func TestSignatureCacheUnderAttack(t *testing.T) {
	c := newCached(t, 100)
	good := signPayload(t, payload())
	c.accept(t, good)
	for _, attack := range attacks(t) {
		t.Run(attack.name, func(t *testing.T) {
			for range 2 {
				attack.require(t, c.Verifier)
				assert.False(t, c.latest.Remembered)
			}
		})
	}
	require.True(t, c.accept(t, good))
}

func TestSignatureCacheHoldsOnlyTokensThatWereAccepted(t *testing.T) {
	for _, test := range []struct {
		name, token string
		is          []error
	}{
		{"it has expired", signPayload(t, payload("exp", at(-3600))), expired},
		{"it has no subject", signPayload(t, payload("sub", "")), missing},
		{"it is for another project", signPayload(t, payload("aud", `"useparagon.com/other"`)), audience},
		{"its claim is malformed", signPayload(t, payloadWith(`{"integration:slack":1}`)), badClaim},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCached(t, 100)
			require.False(t, c.refuse(t, test.token, test.is))
			require.False(t, c.refuse(t, test.token, test.is))
		})
	}
	t.Run("forged tokens push nothing out", func(t *testing.T) {
		c := newCached(t, 1)
		good := signPayload(t, payload())
		c.accept(t, good)
		head := good[:strings.LastIndexByte(good, '.')+1]
		for i := range 500 {
			c.refuse(t, head+part(strings.Repeat(string(rune('a'+i%26)), 256)+strconv.Itoa(i)), forged)
		}
		require.True(t, c.accept(t, good))
	})
}

// A cache for one to eight entries has a set of eight. The ninth token replaces the one that was used the longest
// time ago.
func TestSignatureCacheForgetsWhatWasNotUsed(t *testing.T) {
	tokens := numbered(t, 9)
	for _, entries := range []int{1, 8} {
		t.Run(strconv.Itoa(entries), func(t *testing.T) {
			c := newCached(t, entries)
			for _, token := range tokens[:8] {
				require.False(t, c.accept(t, token))
			}
			for _, token := range tokens[:8] {
				require.True(t, c.accept(t, token))
			}
			require.True(t, c.accept(t, tokens[0]), "the first is used again")
			require.True(t, c.accept(t, tokens[0]), "and once more")
			require.False(t, c.accept(t, tokens[8]), "the ninth takes a place")
			require.True(t, c.accept(t, tokens[0]))
			for _, token := range tokens[2:] {
				require.True(t, c.accept(t, token))
			}
			require.False(t, c.accept(t, tokens[1]), "the second was used the longest time ago")
		})
	}
}

func TestSignatureCacheFindsWhatItHasRoomFor(t *testing.T) {
	c := newCached(t, 1000)
	tokens := numbered(t, 100)
	for _, token := range tokens {
		c.accept(t, token)
	}
	for i, token := range tokens {
		require.True(t, c.accept(t, token), i)
	}
}

func TestSignatureCacheTakesItsMemoryAtTheStart(t *testing.T) {
	const entries = 100_000
	projectKey() // it takes memory when it is made
	var c *cached
	start := allocated(func() { c = newCached(t, entries) })
	require.InDelta(t, 34*entries, start, 34*entries/10)
	tokens := numbered(t, 60)
	i := 0
	entry := retained(func() any {
		c.accept(t, strings.Clone(tokens[i]))
		i++
		return nil
	})
	require.Less(t, entry, 16, "an entry takes no memory of its own, and keeps no token")
	runtime.KeepAlive(c)
	runtime.KeepAlive(tokens)
}

// Every part of a token that is longer than what is hashed at once counts.
func TestSignatureCacheHashesLongTokensWhole(t *testing.T) {
	c := newCached(t, 100)
	for _, length := range []int{700, 1000, 1024, 1500, 5000} {
		token := signPayload(t, payload("filler", quoted(strings.Repeat("x", length))))
		c.accept(t, token)
		require.True(t, c.accept(t, token))
		for i := len(token) - 1; i >= 0; i -= 7 {
			other := "A"
			if token[i] == 'A' {
				other = "B"
			}
			claims, err := c.Verify(token[:i] + other + token[i+1:])
			require.ErrorIs(t, err, usertoken.ErrToken, "%d of %d", i, len(token))
			require.Nil(t, claims)
			require.False(t, c.latest.Remembered, "%d of %d", i, len(token))
		}
	}
}

// Of several keys only the one that signed is remembered, wherever it is among them.
func TestSignatureCacheRemembersTheSigner(t *testing.T) {
	project, other := &projectKey().PublicKey, &otherKey().PublicKey
	for name, keys := range map[string][]jwt.VerificationKey{"first": {project, other}, "last": {other, project}} {
		t.Run(name, func(t *testing.T) {
			c := newCached(t, 100)
			c.keys = jwt.VerificationKeySet{Keys: keys}
			token := signPayload(t, payload())
			require.False(t, c.accept(t, token))
			require.True(t, c.accept(t, token))
			c.keys = other
			require.False(t, c.refuse(t, token, forged))
		})
	}
}

// Every part of a modulus counts.
func TestSignatureCacheTakesNoKeyForAnother(t *testing.T) {
	c := newCached(t, 100)
	token := signPayload(t, payload())
	c.accept(t, token)
	for bit := 1; bit < 2047; bit += 31 {
		n := new(big.Int).Set(projectKey().N)
		n.SetBit(n, bit, n.Bit(bit)^1)
		c.keys = &rsa.PublicKey{N: n, E: projectKey().E}
		require.False(t, c.refuse(t, token, forged), bit)
	}
}

// A key source may change a key in place at any time, such as between the signature and the dates, when the
// clock is asked.
func TestSignatureCacheWithAKeyThatChanges(t *testing.T) {
	key := &rsa.PublicKey{N: new(big.Int).Set(projectKey().N), E: projectKey().E}
	change := false
	clock := func() time.Time {
		if change {
			key.N.Set(otherKey().N)
		}
		return testNow
	}
	v := newSourceVerifier(t, func(*jwt.Token) (any, error) { return key, nil },
		usertoken.WithSignatureCache(8), usertoken.WithClock(clock))
	token := signPayload(t, payload())
	change = true
	_, err := v.Verify(token)
	require.NoError(t, err, "the key was good when the source returned it")
	_, err = v.Verify(token)
	require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
}

// Tokens that are refused do not count as used: seven that have expired are pushed out before one that is good.
func TestSignatureCacheDoesNotCountRefusals(t *testing.T) {
	c := newCached(t, 1)
	var short []string
	for i := range 7 {
		short = append(short, signPayload(t, payload("jti", quoted(strconv.Itoa(i)), "exp", at(60))))
		c.accept(t, short[i])
	}
	good := signPayload(t, payload())
	c.accept(t, good)
	c.now = testNow.Add(10 * time.Minute)
	for _, token := range short {
		require.True(t, c.refuse(t, token, expired))
	}
	c.accept(t, signPayload(t, payload("jti", `"another"`)))
	require.True(t, c.accept(t, good))
}

// Which tokens share a set, and so push each other out, is different for each verifier.
func TestSignatureCachePlacesTokensByItsSecret(t *testing.T) {
	tokens := numbered(t, 200)
	remembered := func() (list []bool) {
		c := newCached(t, 64) // eight sets
		for _, token := range tokens {
			c.accept(t, token)
		}
		c.now = testNow.Add(2 * time.Hour)
		for _, token := range tokens {
			list = append(list, c.refuse(t, token, expired))
		}
		return list
	}
	require.NotEqual(t, remembered(), remembered())
}

func TestSignatureCacheOfManyGoroutines(t *testing.T) {
	v := newVerifier(t, usertoken.WithSignatureCache(16))
	tokens := numbered(t, 30)
	forgedToken := sign(t, otherKey(), testHeader, payload())
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 90 {
				claims, err := v.Verify(tokens[(i+j)%len(tokens)])
				if assert.NoError(t, err) {
					assert.Equal(t, strconv.Itoa((i+j)%len(tokens)), claims.ID)
				}
				_, err = v.Verify(forgedToken)
				assert.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
			}
		})
	}
	group.Wait()
}

func TestSignatureCacheOptionIsChecked(t *testing.T) {
	for _, entries := range []int{-1, 0, 1<<20 + 1} {
		_, err := usertoken.NewVerifier(testProject, &projectKey().PublicKey, usertoken.WithSignatureCache(entries))
		require.EqualError(t, err, "usertoken: WithSignatureCache: the number of entries is not from 1 to 1048576")
	}
	for _, entries := range []int{1, 1 << 20} {
		_, err := usertoken.NewVerifier(testProject, &projectKey().PublicKey, usertoken.WithSignatureCache(entries))
		require.NoError(t, err)
	}
}

func TestObserver(t *testing.T) {
	type key struct{}
	var got []usertoken.Verification
	var contexts []context.Context
	now := testNow
	v := newVerifier(t,
		usertoken.WithObserver(func(context.Context, usertoken.Verification) { t.Error("a later one replaces this") }),
		usertoken.WithObserver(func(ctx context.Context, v usertoken.Verification) {
			contexts, got = append(contexts, ctx), append(got, v)
		}),
		usertoken.WithClock(func() time.Time { now = now.Add(time.Second); return now }))
	ctx := context.WithValue(t.Context(), key{}, "value")

	_, err := v.VerifyContext(ctx, signPayload(t, payload()))
	require.NoError(t, err)
	_, refused := v.VerifyContext(ctx, "not a token")
	require.Error(t, refused)

	const calls = 3 * time.Second // the clock is read before, to check the dates, and after
	accepted := usertoken.Verification{Duration: calls - time.Second}
	require.Equal(t, []usertoken.Verification{accepted, {Duration: time.Second, Err: refused}}, got)
	require.Equal(t, []context.Context{ctx, ctx}, contexts)

	_, err = usertoken.NewVerifier(testProject, &projectKey().PublicKey, usertoken.WithObserver(nil))
	require.EqualError(t, err, "usertoken: WithObserver: the function is nil; give one, or leave the option out")
}
