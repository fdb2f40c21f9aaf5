package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/connectperms/permissions"
)

// A question with an unknown identifier is timed against the same question with that identifier absent.
const (
	allKnown   = "known"
	oneUnknown = "unknown"
)

// addedRules is how many rules are added to the claim, in one integration.
const addedRules = 100

// The cases that have goals.
const (
	noRuleDenies   = "a credential by its ID; no rule names an external ID"
	hundredRules   = "the same; 100 rules with external IDs of its integration deny"
	hundredOutside = "the same; 100 rules with external IDs of another integration deny"
)

// unknown times questions with an unknown identifier (SPEC 4.7).
func unknown(p pace) *section {
	s := &section{}
	for _, n := range sizes[1:] {
		progress("unknown identifiers: %d rules", n)
		w := newWorkload(n)
		stranger := w.ask(askInside).question
		stranger.action = permissions.CredentialWrite
		here, elsewhere := stranger.integration, integrationName(0)
		if here == elsewhere {
			elsewhere = integrationName(1)
		}
		byID, byExternalID := stranger, stranger
		byID.credential.externalID = identifier{}
		byExternalID.credential = object{externalID: known("tenant")}
		inQuiet := byExternalID
		inQuiet.integration = "quiet"
		configuration := w.ask(askHit).question.in(permissions.ProxyAPI, object{id: stranger.credential.id})

		with := func(integration string, rules int, grant string) []byte {
			var members strings.Builder
			for i := range rules {
				fmt.Fprintf(&members, `"credential:ext:tenant-%d":%s,`, i, grant)
			}
			holder := fmt.Appendf(nil, `"integration:%s":{`, integration)
			return bytes.Replace(w.claim, holder, append(holder, members.String()...), 1)
		}
		withQuiet := fmt.Appendf(nil, `{"integration:quiet":{"credential:*":["credential:write"]},%s`, w.claim[1:])

		for _, c := range []struct {
			what    string
			claim   []byte
			asked   question
			allowed bool // with the identifier unknown
		}{
			{noRuleDenies, w.claim, byID, true},
			{"the same; 100 rules with external IDs of its integration allow", with(here, addedRules, "true"), byID, true},
			{hundredRules, with(here, addedRules, "false"), byID, false},
			{hundredOutside, with(elsewhere, addedRules, "false"), byID, true},
			{"the same; 1 rule with an external ID of its integration denies", with(here, 1, "false"), byID, false},
			{"a credential by its external ID; rules with IDs of its integration deny", w.claim, byExternalID, false},
			{"the same; all rules with IDs are of other integrations", withQuiet, inQuiet, true},
			{"a configuration by its ID; rules with external IDs under other credentials deny", w.claim, configuration, true},
		} {
			policy := must(permissions.Parse(c.claim))
			closed := c.asked
			for _, id := range []*identifier{
				&closed.credential.id, &closed.credential.externalID, &closed.configuration.id, &closed.configuration.externalID,
			} {
				if id.state == permissions.Unknown {
					*id = absent
				}
			}
			if !policy.Allowed(closed.action, closed.target()) || policy.Allowed(c.asked.action, c.asked.target()) != c.allowed {
				panic("wrong answer to " + c.what)
			}
			s.add(n, c.what, p.measure([]timed{
				{allKnown, askBuilt(policy, &closed)},
				{oneUnknown, askBuilt(policy, &c.asked)},
			}))
		}
	}
	return s
}
