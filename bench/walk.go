package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/connectperms/permissions"
)

var walkCareless = contender{
	name: "hand-written walk, careless",
	model: "What a service developer writes for speed over the `map[string]any` of golang-jwt's `MapClaims`. It looks for the most " +
		"specific grant first, and knows nested and skipped levels, what each action acts on, and that write includes read. It allocates nothing for " +
		"names of usual length. Its source is below.",
	without: "It validates neither claim nor question, and compares UUIDs by bytes. An unknown identifier matches nothing, instead of " +
		"making the question undetermined, so it says yes where SPEC 4.7 wants a no. It gives no reason and does not explain.",
	beyond: "Nothing. It needs no dependency.",
	load: func(claim []byte) (loaded, error) {
		var tree map[string]any
		if err := json.Unmarshal(claim, &tree); err != nil {
			return loaded{}, err
		}
		return walkLoaded(tree, walk), nil
	},
}

var walkValidating = contender{
	name: "hand-written walk, validating",
	model: "The same walk. It also checks the action, the names, the external IDs and the IDs of a question as SPEC 2.4, 2.5 and 3.4 want " +
		"it, and compares IDs without regard to case, for which it rewrites the claim's IDs when it loads the claim. It checks names only " +
		"where the answer would be yes.",
	without: "It validates no claim, and cannot hold one that spells an ID in two ways. An unknown identifier matches nothing, as in the " +
		"careless walk. It gives no reason and does not explain.",
	beyond: walkCareless.beyond,
	load: func(claim []byte) (loaded, error) {
		var tree map[string]any
		if err := json.Unmarshal(claim, &tree); err != nil {
			return loaded{}, err
		}
		tree, err := walkCanonical(tree)
		return walkLoaded(tree, walkChecked), err
	},
}

func walkLoaded(tree map[string]any, walk func(map[string]any, *question) bool) loaded {
	return loaded{
		build: func(q *question) bool { return walk(tree, q) },
		prepare: func(q *question) func() bool {
			return func() bool { return walk(tree, q) }
		},
	}
}

// walk:begin

// walk answers a question over a claim, without checking either.
func walk(claim map[string]any, q *question) bool {
	var buffer [256]byte
	k := walkKeysOf(buffer[:0], q)
	return k.find(claim, q)
}

// walkChecked is walk for a claim with IDs in lower case. An invalid question is denied.
func walkChecked(claim map[string]any, q *question) bool {
	switch q.action {
	case permissions.CredentialWrite, permissions.ConfigWrite, permissions.SettingsRead, permissions.SettingsWrite, permissions.ProxyAPI,
		permissions.Workflows:
		if q.level == permissions.KindUser {
			return false
		}
	case permissions.MetadataRead, permissions.MetadataWrite, permissions.Events, permissions.ActionKit:
	default:
		return false
	}
	var buffer [256]byte
	k := walkKeysOf(buffer[:0], q)
	for _, id := range [2][]byte{k.of(k.credential[0]), k.of(k.configuration[0])} {
		if len(id) > 0 && !walkLowerUUID(id[bytes.IndexByte(id, ':')+1:]) {
			return false
		}
	}
	return k.find(claim, q) &&
		(q.level == permissions.KindUser || walkGoodName(q.integration, false)) &&
		(q.credential.externalID.state != permissions.Known || walkGoodName(q.credential.externalID.text, true)) &&
		(q.configuration.externalID.state != permissions.Known || walkGoodName(q.configuration.externalID.text, true))
}

// walkKeys are the keys that can match, one after the other in text. Those for a credential and a
// configuration are in the order of their specificity. A key is empty if its identifier is not known.
type walkKeys struct {
	text                      []byte
	integration               walkKey
	credential, configuration [3]walkKey
}

type walkKey struct{ begin, end int }

func (k *walkKeys) of(key walkKey) []byte { return k.text[key.begin:key.end] }

// walkKeysOf returns the keys for a question. It writes them to b, so that they need no allocation.
func walkKeysOf(b []byte, q *question) (k walkKeys) {
	if q.level == permissions.KindUser {
		return k
	}
	b = append(append(b, "integration:"...), q.integration...)
	k.integration.end = len(b)
	level := q.actsOn()
	if level >= permissions.KindCredential {
		b, k.credential = walkAppend(b, "credential:", &q.credential)
	}
	if level >= permissions.KindConfiguration {
		b, k.configuration = walkAppend(b, "configuration:", &q.configuration)
	}
	k.text = b
	return k
}

func walkAppend(b []byte, kind string, o *object) (_ []byte, keys [3]walkKey) {
	n := len(b)
	if o.id.state == permissions.Known {
		b = append(append(b, kind...), o.id.text...)
		keys[0] = walkKey{n, len(b)}
		n = len(b)
	}
	if o.externalID.state == permissions.Known {
		b = append(append(append(b, kind...), "ext:"...), o.externalID.text...)
		keys[1] = walkKey{n, len(b)}
		n = len(b)
	}
	b = append(append(b, kind...), '*')
	keys[2] = walkKey{n, len(b)}
	return b, keys
}

// find looks for the most specific grant.
func (k *walkKeys) find(claim map[string]any, q *question) bool {
	everything := claim["integration:*"]
	if q.level == permissions.KindUser {
		return walkGrants(everything, q.action)
	}
	integration := claim[string(k.of(k.integration))]
	// What may hold deeper scopes: the integration, any integration, and the claim itself.
	var holders [3]map[string]any
	holders[0], _ = integration.(map[string]any)
	holders[1], _ = everything.(map[string]any)
	holders[2] = claim

	var inner [3][3]map[string]any // by the key of the credential and by holder
	first := true
	for _, key := range k.configuration {
		configuration := k.of(key)
		if len(configuration) == 0 {
			continue
		}
		for c, key := range k.credential {
			credential := k.of(key)
			if len(credential) == 0 {
				continue
			}
			for h, holder := range holders {
				if holder == nil {
					continue
				}
				if first {
					inner[c][h], _ = holder[string(credential)].(map[string]any)
				}
				if inner[c][h] != nil {
					if grant := inner[c][h][string(configuration)]; grant != nil {
						return walkGrants(grant, q.action)
					}
				}
				if c == 2 { // a level that is skipped is a wildcard
					if grant := holder[string(configuration)]; grant != nil {
						return walkGrants(grant, q.action)
					}
				}
			}
		}
		first = false
	}
	for _, key := range k.credential {
		credential := k.of(key)
		if len(credential) == 0 {
			continue
		}
		for _, holder := range holders {
			if holder == nil {
				continue
			}
			if grant := holder[string(credential)]; isGrant(grant) {
				return walkGrants(grant, q.action)
			}
		}
	}
	if isGrant(integration) {
		return walkGrants(integration, q.action)
	}
	return walkGrants(everything, q.action)
}

func isGrant(v any) bool {
	if v == nil {
		return false
	}
	_, nested := v.(map[string]any)
	return !nested
}

func walkGrants(grant any, action permissions.Permission) bool {
	switch grant := grant.(type) {
	case bool:
		return grant
	case []any:
		for _, name := range grant {
			if name, _ := name.(string); name == string(action) ||
				name == "settings:write" && action == permissions.SettingsRead ||
				name == "metadata:write" && action == permissions.MetadataRead {
				return true
			}
		}
	}
	return false
}

// walkLowerHex has each hexadecimal digit in lower case, and 0 for every other byte.
var walkLowerHex = func() (table [256]byte) {
	for _, c := range []byte("0123456789abcdefABCDEF") {
		table[c] = strings.ToLower(string(rune(c)))[0]
	}
	return table
}()

// walkLowerUUID puts a UUID into lower case. It returns false if the text is not a UUID.
func walkLowerUUID(b []byte) bool {
	if len(b) != 36 || b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
		return false
	}
	b[8], b[13], b[18], b[23] = '0', '0', '0', '0'
	good := true
	for i, c := range b {
		c = walkLowerHex[c]
		good = good && c != 0
		b[i] = c
	}
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return good
}

// walkGoodName reports whether SPEC 2.4 allows a name or an external ID.
func walkGoodName(s string, external bool) bool {
	if s == "" {
		return false
	}
	plain := s[0] != ' ' && s[len(s)-1] != ' '
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '*' {
			plain = false
			break
		}
	}
	if !plain {
		first, _ := utf8.DecodeRuneInString(s)
		last, _ := utf8.DecodeLastRuneInString(s)
		if !utf8.ValidString(s) || strings.ContainsRune(s, utf8.RuneError) || strings.ContainsFunc(s, unicode.IsControl) ||
			unicode.Is(unicode.White_Space, first) || unicode.Is(unicode.White_Space, last) ||
			external && s == "*" || !external && strings.Contains(s, "*") {
			return false
		}
	}
	return external || !(len(s) >= 3 && strings.EqualFold(s[:3], "ext") && (len(s) == 3 || s[3] == ':'))
}

// walk:end

// errTwoSpellings is returned for a claim that spells one ID in two ways in one object.
var errTwoSpellings = errors.New("one ID in two spellings, which no map with IDs in lower case can hold")

// walkCanonical returns a claim with IDs in lower case.
func walkCanonical(tree map[string]any) (map[string]any, error) {
	lower := make(map[string]any, len(tree))
	for scope, value := range tree {
		if inner, ok := value.(map[string]any); ok {
			var err error
			if value, err = walkCanonical(inner); err != nil {
				return nil, err
			}
		}
		if kind, pattern, _ := strings.Cut(scope, ":"); kind != "integration" {
			scope = kind + ":" + canonical(pattern)
		}
		if lower[scope] != nil {
			return nil, errTwoSpellings
		}
		lower[scope] = value
	}
	return lower, nil
}
