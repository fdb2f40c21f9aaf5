package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/connectperms/permissions"
)

// A workload is a claim and questions about it.
type workload struct {
	rules int
	claim []byte
	named []question // one for each rule that names a credential or a configuration by itself
	asks  []ask
}

// An ask is a question about a claim, with its answer.
type ask struct {
	name string
	question
	allowed bool
}

// The kinds of question.
const (
	askHit     = "hit"
	askDeepest = "deepest"
	askMiss    = "miss"
	askInside  = "miss in a named integration"
	askFull    = "deepest, all identifiers given"
	askUnknown = "hit, external ID unknown"
	askNew     = "new credential"
)

const composition = "A claim of N rules grants `events` and `metadata:read` at `integration:*`. It has N/20 integrations (1 to " +
	"100), each with a rule for `credential:*`. The other rules are spread over the integrations. Three of every four are about " +
	"a credential (`integration:X` > `credential:ID`), and one is about a configuration (`integration:X` > `credential:ID` > " +
	"`configuration:ext:ID`). IDs and external IDs are UUIDs. Grants are arrays of one to three permissions, `true` and `false`."

const kinds = "*Hit* asks about a credential that a rule names, and *deepest* about a configuration that a rule names. *Miss* asks about " +
	"a credential and an integration that the claim does not name, where `integration:*` says no. *Miss in a named integration* asks " +
	"about another credential of an integration that the claim names. *New credential* asks an integration whether a credential can be " +
	"connected, so the question is about a credential that has no ID yet (SPEC 3.3). A target has one identifier of a " +
	"level and says that the other is absent, except where the name of the question says otherwise."

var integrationNames = strings.Fields("salesforce hubspot slack googledrive sharepoint jira notion dropbox zendesk intercom " +
	"asana box confluence dynamics365 googleCalendar linear monday netsuite quickbooks xero")

var (
	credentialGrants = strings.Fields(`["proxy-api","workflows"] ["proxy-api","actionkit"] ["settings:read"] true ` +
		`["settings:write","workflows"] ["proxy-api","settings:read","workflows"] ["actionkit"] false`)
	configurationGrants = strings.Fields(`["settings:read","workflows"] ["settings:write"] true ["workflows"] false`)
)

// newWorkload composes a claim of n rules, at least 4. It is always the same for the same n.
func newWorkload(n int) *workload {
	w := &workload{rules: n}
	random := rand.New(rand.NewPCG(1, uint64(n)))
	inside := make([][]string, min(max(n/20, 1), 100)) // the members of each integration
	for i := range inside {
		inside[i] = []string{`"credential:*":["credential:write"]`}
	}
	var hits, deepest []question
	for i := range n - 1 - len(inside) {
		at := i % len(inside)
		id := uuid(random)
		q := credentialQuestion(permissions.ProxyAPI, integrationName(at), id)
		if turn := i / len(inside); turn%4 == 1 {
			externalID := uuid(random)
			q = q.in(permissions.Workflows, byExternalID(externalID))
			grant := configurationGrants[turn/4%len(configurationGrants)]
			inside[at] = append(inside[at], fmt.Sprintf(`"credential:%s":{"configuration:ext:%s":%s}`, id, externalID, grant))
			if grant == configurationGrants[0] {
				deepest = append(deepest, q)
			}
		} else {
			grant := credentialGrants[(turn+2)/4*3%len(credentialGrants)]
			inside[at] = append(inside[at], fmt.Sprintf(`"credential:%s":%s`, id, grant))
			if grant == credentialGrants[0] {
				hits = append(hits, q)
			}
		}
		w.named = append(w.named, q)
	}
	members := []string{`"integration:*":["events","metadata:read"]`}
	for i, m := range inside {
		members = append(members, fmt.Sprintf(`"integration:%s":{%s}`, integrationName(i), strings.Join(m, ",")))
	}
	w.claim = []byte("{" + strings.Join(members, ",") + "}")

	hit, deep := hits[len(hits)/2], deepest[len(deepest)/2]
	stranger := credentialQuestion(permissions.ProxyAPI, "unheard-of", uuid(random))
	neighbour, full, unknown := stranger, deep, hit
	neighbour.integration = hit.integration
	full.credential.externalID, full.configuration.id = known(uuid(random)), known(uuid(random))
	unknown.credential.externalID = identifier{}
	create := question{action: permissions.CredentialWrite, level: permissions.KindIntegration, integration: hit.integration}
	w.asks = []ask{
		{askHit, hit, true},
		{askDeepest, deep, true},
		{askMiss, stranger, false},
		{askInside, neighbour, false},
		{askFull, full, true},
		{askUnknown, unknown, true},
		{askNew, create, true},
	}
	for i := range w.asks {
		w.asks[i].question = w.asks[i].cloned()
	}
	return w
}

// credentialQuestion asks about a credential that has an ID and no external ID.
func credentialQuestion(action permissions.Permission, integration, id string) question {
	return question{action: action, level: permissions.KindCredential, integration: integration, credential: byID(id)}
}

// in asks about a configuration of the credential of q.
func (q question) in(action permissions.Permission, configuration object) question {
	q.action, q.level, q.configuration = action, permissions.KindConfiguration, configuration
	return q
}

func (w *workload) ask(name string) ask {
	for _, a := range w.asks {
		if a.name == name {
			return a
		}
	}
	panic(name)
}

// claimOfSize returns a claim of about so many bytes. The smallest has two rules.
func claimOfSize(bytes int) []byte {
	if bytes < 250 {
		return []byte(`{"integration:*":["events","metadata:read"],"integration:salesforce":{"credential:3fa85f64-5717-4562-b3fc-2c963f66afa6":["proxy-api","workflows"]}}`)
	}
	// A binary search for the most rules that fit.
	rules := 4
	for step := 1 << 16; step > 0; step /= 2 {
		if len(newWorkload(rules+step).claim) <= bytes {
			rules += step
		}
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
