package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/connectperms/permissions"
)

// A workload is a claim and what is asked of it.
type workload struct {
	rules       int
	claim       []byte
	credentials []permissions.Target // named by a rule of their own
	asks        []ask
}

// An ask is a question about a claim, with its answer.
type ask struct {
	name    string
	action  permissions.Permission
	target  permissions.Target
	allowed bool
}

// The kinds of question.
const (
	askHit     = "hit"
	askDeepest = "deepest"
	askMiss    = "miss"
	askInside  = "miss in a named integration"
	askFull    = "deepest, all identifiers given"
	askOpen    = "hit, external ID open"
)

const composition = "A claim of N rules grants `events` and `metadata:read` at `integration:*`, and has N/20 integrations (1 to " +
	"100), each with a rule for `credential:*`. The other rules are spread over the integrations: of every four, three stand for " +
	"a credential (`integration:X` > `credential:ID`) and one for a configuration (`integration:X` > `credential:ID` > " +
	"`configuration:ext:ID`). IDs and external IDs are UUIDs; grants are arrays of one to three permissions, `true` and `false`."

const kinds = "*Hit* asks about a credential that a rule names, *deepest* about a configuration that one names; *miss* about " +
	"a credential and an integration that the claim does not name, where `integration:*` says no, and *miss in a named integration* about " +
	"another credential of one that it does. A target gives one identifier of a level and says `None` for the " +
	"other, except where it says that all are given or that one is open."

var integrationNames = strings.Fields("salesforce hubspot slack googledrive sharepoint jira notion dropbox zendesk intercom " +
	"asana box confluence dynamics365 googleCalendar linear monday netsuite quickbooks xero")

var (
	credentialGrants    = strings.Fields(`["proxy-api","workflows"] ["proxy-api"] ["settings:read"] true ["settings:write","workflows"] ["proxy-api","settings:read","workflows"] ["workflows"] false`)
	configurationGrants = strings.Fields(`["settings:read","workflows"] ["settings:write"] true ["workflows"] false`)
)

// newWorkload composes a claim of n rules, at least 4, always the same for the
// same n.
func newWorkload(n int) *workload {
	w := &workload{rules: n}
	random := rand.New(rand.NewPCG(1, uint64(n)))
	inside := make([][]string, min(max(n/20, 1), 100)) // the members of each integration
	for i := range inside {
		inside[i] = []string{`"credential:*":["credential:write"]`}
	}
	var hits, deepest []permissions.Target
	for i := range n - 1 - len(inside) {
		at := i % len(inside)
		t := permissions.Target{Integration: integrationName(at), CredentialID: uuid(random), CredentialExternalID: permissions.None}
		if turn := i / len(inside); turn%4 == 1 {
			t.ConfigurationID, t.ConfigurationExternalID = permissions.None, uuid(random)
			grant := configurationGrants[turn/4%len(configurationGrants)]
			inside[at] = append(inside[at], fmt.Sprintf(`"credential:%s":{"configuration:ext:%s":%s}`, t.CredentialID, t.ConfigurationExternalID, grant))
			if grant == configurationGrants[0] {
				deepest = append(deepest, t)
			}
		} else {
			grant := credentialGrants[(turn+2)/4*3%len(credentialGrants)]
			inside[at] = append(inside[at], fmt.Sprintf(`"credential:%s":%s`, t.CredentialID, grant))
			w.credentials = append(w.credentials, t)
			if grant == credentialGrants[0] {
				hits = append(hits, t)
			}
		}
	}
	members := []string{`"integration:*":["events","metadata:read"]`}
	for i, m := range inside {
		members = append(members, fmt.Sprintf(`"integration:%s":{%s}`, integrationName(i), strings.Join(m, ",")))
	}
	w.claim = []byte("{" + strings.Join(members, ",") + "}")

	hit, deep := hits[len(hits)/2], deepest[len(deepest)/2]
	stranger := permissions.Target{Integration: "unheard-of", CredentialID: uuid(random), CredentialExternalID: permissions.None}
	neighbour, full, open := stranger, deep, hit
	neighbour.Integration = hit.Integration
	full.CredentialExternalID, full.ConfigurationID = uuid(random), uuid(random)
	open.CredentialExternalID = ""
	w.asks = []ask{
		{askHit, permissions.ProxyAPI, hit, true},
		{askDeepest, permissions.Workflows, deep, true},
		{askMiss, permissions.ProxyAPI, stranger, false},
		{askInside, permissions.ProxyAPI, neighbour, false},
		{askFull, permissions.Workflows, full, true},
		{askOpen, permissions.ProxyAPI, open, true},
	}
	for i := range w.asks {
		w.asks[i].target = cloned(w.asks[i].target)
	}
	return w
}

func (w *workload) ask(name string) ask {
	for _, a := range w.asks {
		if a.name == name {
			return a
		}
	}
	panic(name)
}

// claimOfSize is a claim of about so many bytes, small ones with two rules.
func claimOfSize(bytes int) []byte {
	if bytes < 250 {
		return []byte(`{"integration:*":["events","metadata:read"],"integration:salesforce":{"credential:3fa85f64-5717-4562-b3fc-2c963f66afa6":["proxy-api","workflows"]}}`)
	}
	rules := 4
	for rules < 100_000 && len(newWorkload(rules+1).claim) <= bytes {
		rules++
	}
	return newWorkload(rules).claim
}

func integrationName(i int) string {
	if i < len(integrationNames) {
		return integrationNames[i]
	}
	return fmt.Sprintf("custom.app%d", i)
}

func uuid(random *rand.Rand) string {
	a, b := random.Uint64(), random.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0xfff, b&0xffffffffffff)
}

// cloned has strings of its own, as a request's are, so that comparing them takes
// looking at their bytes.
func cloned(t permissions.Target) permissions.Target {
	for _, s := range []*string{&t.Integration, &t.CredentialID, &t.CredentialExternalID, &t.ConfigurationID, &t.ConfigurationExternalID} {
		*s = strings.Clone(*s)
	}
	return t
}
