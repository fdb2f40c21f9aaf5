package lists_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/connectperms/permissions"
)

// Identifiers that rules name, and that rows have. Many are alike: in another letter case, in another
// Unicode form, with a space after it, or written like an ID.
const (
	idA = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	idB = "0b1c2d3e-0000-4000-8000-00000000000a"
	idC = "ffffffff-ffff-4fff-bfff-ffffffffffff"
	nfc = "\u00e9quipe"
	nfd = "e\u0301quipe"
)

var (
	namedIntegrations = []string{"slack", "jira", "Slack", nfc, nfd, `it's "q" \ %_`, "x:y", "\U0001f600", "a/b",
		"{a,b}"}
	namedIDs         = []string{idA, idB, strings.ToUpper(idA)}
	namedExternalIDs = []string{"team", "sales", "Team", nfc, nfd, `it's "q" \ %_`, "\U0001f600", idA,
		strings.ToUpper(idA), "NULL", "$1?", "a, b}", "*a"}

	rowIntegrations = append(slices.Clone(namedIntegrations), "slack", "slack", "other")
	rowIDs          = append(slices.Clone(namedIDs), idC)
	rowExternalIDs  = append(slices.Clone(namedExternalIDs), "other")

	// No valid target has these (SPEC 2.4, 2.5).
	badIntegrations = []string{"", " slack", "slack ", "sl*ck", "ext", "Ext:x", "sl\tack", "slack\u00a0", "a\u0085b",
		"a\ufffd"}
	badIDs = []string{"42", "", idA + " ", strings.ReplaceAll(idA, "-", ""), "{" + idA + "}",
		"3fa85f64-5717-4562-b3fc-2c963f66afag", idA[:35] + "\n"}
	badExternalIDs = []string{"", " team", "team ", "*", "te\nam", "\u2003team", "team\u3000", "\x7f", "a\ufffdb"}
)

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func chance(r *rand.Rand, percent int) bool { return r.IntN(100) < percent }

// few picks a string, and mostly one of the first.
func few(r *rand.Rand, list []string) string {
	if chance(r, 60) {
		return pick(r, list[:min(3, len(list))]...)
	}
	return pick(r, list...)
}

// randomPolicy returns a policy of a few rules, or an intersection of two.
func randomPolicy(r *rand.Rand) (*permissions.Policy, string) {
	switch {
	case chance(r, 1):
		return nil, "no policy"
	case chance(r, 1):
		return permissions.Unrestricted(), "unrestricted"
	case chance(r, 15):
		first, a := randomPolicy(r)
		second, b := randomPolicy(r)
		both, err := permissions.Intersect(first, second)
		if err != nil {
			panic(err)
		}
		return both, a + " and " + b
	}
	for {
		claim := randomClaim(r)
		if p, err := permissions.Parse([]byte(claim)); err == nil {
			return p, claim
		}
	}
}

func randomClaim(r *rand.Rand) string {
	claim := make(map[string]any)
	if chance(r, 60) {
		claim["integration:*"] = randomGrant(r)
	}
	rules := r.IntN(9)
	if chance(r, 10) {
		rules = 40 // so many that lists are compared as one text
	}
	for range rules {
		switch r.IntN(6) {
		case 0:
			claim["integration:"+few(r, namedIntegrations)] = randomGrant(r)
		case 1:
			claim[randomScope(r, "credential")] = randomGrant(r)
		case 2:
			claim[randomScope(r, "configuration")] = randomGrant(r)
		case 3:
			claim["integration:"+pick(r, few(r, namedIntegrations), "*")] = map[string]any{
				randomScope(r, "credential"): randomGrant(r), randomScope(r,
					"credential"): randomGrant(r), randomScope(r, "configuration"): randomGrant(r),
			}
		case 4:
			claim[randomScope(r, "credential")] = map[string]any{randomScope(r, "configuration"): randomGrant(r)}
		case 5:
			claim["integration:"+few(r, namedIntegrations)] = map[string]any{
				randomScope(r, "credential"): map[string]any{randomScope(r, "configuration"): randomGrant(r),
					randomScope(r, "configuration"): randomGrant(r)},
			}
		}
	}
	text, err := json.Marshal(claim)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func randomScope(r *rand.Rand, kind string) string {
	switch r.IntN(5) {
	case 0:
		return kind + ":*"
	case 1, 2:
		return kind + ":" + few(r, namedIDs)
	}
	return kind + ":ext:" + few(r, namedExternalIDs)
}

func randomGrant(r *rand.Rand) any {
	switch r.IntN(5) {
	case 0, 1:
		return true
	case 2, 3:
		return false
	}
	return []string{string(randomAction(r)), string(randomAction(r))}
}

func randomAction(r *rand.Rand) permissions.Permission {
	return pick(r, append(permissions.AllPermissions(), permissions.ConfigWrite, permissions.Workflows,
		permissions.ProxyAPI)...)
}

// A row has the identifiers of a configuration, a credential or an integration, as a database has them.
type row struct {
	integration                              *string
	credentialID, credentialExternalID       *string
	configurationID, configurationExternalID *string
}

func randomRow(r *rand.Rand, valid bool) row {
	one := func(absent int, good, bad []string) *string {
		if chance(r, absent) {
			return nil
		}
		s := few(r, good)
		if !valid && chance(r, 6) {
			s = pick(r, bad...)
		}
		return &s
	}
	absentIntegration := 4
	if valid {
		absentIntegration = 0
	}
	return row{
		one(absentIntegration, rowIntegrations, badIntegrations),
		one(10, rowIDs, badIDs), one(25, rowExternalIDs, badExternalIDs),
		one(10, rowIDs, badIDs), one(25, rowExternalIDs, badExternalIDs),
	}
}

// identifiers returns what a target says of a level of a row.
func identifiers(id, externalID *string) []permissions.Identifier {
	first := permissions.NoID()
	if id != nil {
		first = permissions.ID(*id)
	}
	return []permissions.Identifier{first, permissions.ExternalIDPtr(externalID)}
}

// target returns the target of a row, which is not ok if it has no integration.
func (w row) target(kind permissions.Kind) (t permissions.Target, ok bool) {
	if w.integration == nil {
		return t, false
	}
	t = permissions.Integration(*w.integration)
	if kind >= permissions.KindCredential {
		t = t.Credential(identifiers(w.credentialID, w.credentialExternalID)...)
	}
	if kind >= permissions.KindConfiguration {
		t = t.Configuration(identifiers(w.configurationID, w.configurationExternalID)...)
	}
	return t, true
}

// in reports whether a row is in what a list is within, and returns the target to ask about.
func (w row) in(kind permissions.Kind, within permissions.Target) (t permissions.Target, ok bool) {
	for which, got := range map[permissions.Identifiers]*string{
		permissions.IntegrationName: w.integration, permissions.CredentialID: w.credentialID,
		permissions.CredentialExternalID: w.credentialExternalID,
	} {
		switch want, state := within.Lookup(which); {
		case state == permissions.Absent && got != nil, state == permissions.Known && got == nil:
			return t, false
		case state == permissions.Known && which == permissions.CredentialID:
			if strings.ToLower(*got) != want {
				return t, false
			}
		case state == permissions.Known && *got != want:
			return t, false
		}
	}
	if within.Level() == permissions.KindCredential {
		return within.Configuration(identifiers(w.configurationID, w.configurationExternalID)...), true
	}
	return w.target(kind)
}
