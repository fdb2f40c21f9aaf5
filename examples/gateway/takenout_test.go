//go:build takenout

package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/forwardauth"
)

// getsThrough reports whether the service got what it must not get. That it was not told of a subject counts only where
// the attack is about that: some checks cannot be taken out without that.
func (s staged) getsThrough(got []received) bool {
	if s.decision != nil || s.class == "route" || s.class == "subject" {
		return s.breaches(got) != nil
	}
	return hasProblem(got, s.class == "identity")
}

// hasProblem reports whether something is wrong with what the service got. A missing subject counts only if
// subjectCounts is true.
func hasProblem(got []received, subjectCounts bool) bool {
	for _, g := range got {
		for _, problem := range g.problems() {
			if problem != "the subject is " || subjectCounts {
				return true
			}
		}
	}
	return false
}

// getsThrough is that of staged. An attack about a subject gets through if the service is told of another one: that it
// is told of nobody is not enough.
func (s stranger) getsThrough(got []received) bool {
	if s.told == "" {
		return s.problem(got) != nil
	}
	for _, g := range got {
		if subject := strings.Join(g.Header["X-Auth-Subject"], ", "); subject != "" && subject != s.told {
			return true
		}
	}
	return false
}

// A trial sends an attack of any kind, and reports whether the service got what it must not get.
type trial = func(*testing.T, *rig) bool

// everyTrial returns the attacks of all tests that are sent to a gateway, by class and name. The random paths of
// TestRandomPaths are not among them.
func everyTrial(t *testing.T, g gateway) map[string]trial {
	byName := map[string]trial{}
	add := func(class, name string, a trial) {
		name = fmt.Sprintf("%s: %.120q", class, name)
		require.NotContains(t, byName, name)
		byName[name] = a
	}

	replace := tokens(t)
	list := slices.Clone(stages)
	for _, a := range concat(attacks, outsiders) {
		list = append(list, staged{attack: a})
	}
	for _, s := range list {
		add(s.class, s.name, func(t *testing.T, r *rig) bool { return s.getsThrough(r.stage(t, s, replace)) })
	}

	fromStrangers := strangers()
	if g.dialect == forwardauth.DialectHAProxy {
		fromStrangers = append(fromStrangers, strangersInPlaceOfTheServer()...)
	}
	for _, s := range fromStrangers {
		add(s.class, "stranger: "+s.name, func(t *testing.T, r *rig) bool {
			got, ok := r.tries(t, s)
			return ok && s.getsThrough(got)
		})
	}
	auth := bearer(t, onlySlack)
	for name, address := range nobody(t) {
		add("failure", "server is "+name, func(t *testing.T, r *rig) bool {
			there := start(t, asking(t, r.gateway, address), yes)
			there.send(t, lines("POST "+chat+" HTTP/1.1", auth, credential, empty))
			return len(there.take()) > 0
		})
	}

	// nginx and Caddy see only the preface of HTTP/2, which is among the attacks already. HAProxy speaks HTTP/2
	// without a line for it in the configuration, so the attacks are tried over that too.
	if g.dialect == forwardauth.DialectHAProxy {
		allowed := overHTTP2()[0]
		add("upgrade", "HTTP/2", func(t *testing.T, r *rig) bool { return len(r.sendHTTP2(t, allowed)) > 0 })
		taking := map[*rig]*rig{}
		for _, fields := range overHTTP2()[1:] {
			add("upgrade", fmt.Sprintf("HTTP/2: %q", fields), func(t *testing.T, r *rig) bool {
				switch {
				case taking[r] != nil:
				case lacks[r] == "HTTP/2 is not taken":
					taking[r] = r
				default:
					taking[r] = start(t, edited(t, r.gateway, withoutLine), nil)
				}
				taking[r].take() // of an attack before, if it came late
				got := taking[r].sendHTTP2(t, fields)
				r.mu.Lock()
				defer r.mu.Unlock()
				r.served += len(got)
				return hasProblem(got, false)
			})
		}
	}
	all := bearer(t, notJira)
	for _, path := range deniedNames() {
		add("path", "a denied name: "+path, func(t *testing.T, r *rig) bool {
			r.send(t, lines("POST "+path+" HTTP/1.1", all, empty))
			return readAsJira(r.take()) != nil
		})
	}
	return byName
}

// generals are the checks that stop much, and the last ones most. Where others are enough to take out, these are not
// named.
var generals = []string{
	"a look-up finds what was asked about", "what was found is asked about", "a look-up that fails is a no",
	"claims that cannot be read are a no", "a token is needed", "a token that is not verified is a no",
	"the most specific route decides", "the policy is asked", "a route is needed",
}

// lastOfAll are the lines of a configuration that stop next to everything. They are tried where nothing else lets an
// attack through.
var lastOfAll = []string{"only 204 is a yes", "the decision is asked for"}

const separator = " + "

// attempt takes checks of the package out, and reports whether an attack gets through.
func attempt(t *testing.T, r *rig, a trial, out ...string) bool {
	r.patience = 60 * time.Millisecond
	r.take() // of an attack before, if it came late
	forwardauth.TakeOut(out...)
	defer forwardauth.TakeOut()
	return a(t, r)
}

// needed returns the fewest checks of the package that must be taken out, or nothing if all are not enough.
func needed(t *testing.T, r *rig, a trial, names []string) (list []string, ok bool) {
	if !attempt(t, r, a, names...) {
		return nil, false
	}
	list = slices.Clone(names)
	slices.SortStableFunc(list, func(a, b string) int { return slices.Index(generals, b) - slices.Index(generals, a) })
	drop := func(from, to int) bool {
		fewer := slices.Delete(slices.Clone(list), from, min(to, len(list)))
		if !attempt(t, r, a, fewer...) {
			return false
		}
		list = fewer
		return true
	}
	for range 2 {
		for i := 0; i < len(generals) && i < len(list); i++ {
			if drop(i, i+1) {
				i--
			}
		}
		for chunk := 16; chunk > 0; chunk /= 2 {
			for i := 0; i < len(list); {
				if !drop(i, i+chunk) {
					i += chunk
				}
			}
		}
	}
	slices.Sort(list)
	return list, true
}

// reasonWithoutCheck returns why an attack does not get through although all checks of the package are taken out. It is
// empty if the attack does.
func reasonWithoutCheck(t *testing.T, r *rig, a trial, names []string) string {
	r.mu.Lock()
	before := r.served
	r.mu.Unlock()
	if attempt(t, r, a, names...) {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.served > before {
		return noEffect
	}
	return theProgram
}

// lacks has the check that the configuration of a gateway lacks.
var lacks = map[*rig]string{}

// startWithout starts a gateway whose configuration lacks a check.
func startWithout(t *testing.T, g gateway, check string) *rig {
	r := start(t, edited(t, g, configurationEdits[g.program][check]), nil)
	lacks[r] = check
	return r
}

// find returns the attacks that each check stops.
func find(t *testing.T, g gateway, byName map[string]trial, names []string) map[string][]string {
	stopped := map[string][]string{}
	left := slices.Sorted(maps.Keys(byName))
	// without tries what is left, on a gateway without a part of its configuration.
	without := func(r *rig, configuration []string, names []string) {
		left = slices.DeleteFunc(left, func(name string) bool {
			list, ok := needed(t, r, byName[name], names)
			if ok {
				check := strings.Join(append(list, configuration...), separator)
				stopped[check] = append(stopped[check], name)
			}
			return ok
		})
	}
	all := start(t, g, nil)
	for _, name := range left {
		require.False(t, attempt(t, all, byName[name]), "%s gets through with all checks", name)
	}
	without(all, nil, names)

	edits := configurationEdits[g.program]
	checks := slices.Sorted(maps.Keys(edits))
	slices.SortStableFunc(checks, func(a, b string) int { return len(edits[a]) - len(edits[b]) }) // few edits first
	rigs := map[string]*rig{}
	for _, check := range checks {
		rigs[check] = startWithout(t, g, check)
	}
	for _, withSwitches := range [][]string{nil, names} {
		for _, check := range checks {
			if !slices.Contains(lastOfAll, check) {
				without(rigs[check], []string{check}, withSwitches)
			}
		}
	}
	for _, check := range lastOfAll {
		if rigs[check] != nil {
			without(rigs[check], []string{check}, nil)
		}
	}
	// What another check stops too is listed only where the edit would not be listed otherwise.
	for _, check := range checks {
		for _, name := range slices.Sorted(maps.Keys(byName)) {
			if len(stopped[check]) == 0 && attempt(t, rigs[check], byName[name]) {
				stopped[check] = append(stopped[check], name)
			}
		}
	}
	for _, name := range left {
		const tries = 5 // the service may get the head of a request, or not, whose body the gateway refuses
		reasons := map[string]int{}
		for range tries {
			reasons[reasonWithoutCheck(t, all, byName[name], names)]++
		}
		for reason, n := range reasons {
			if n > tries/2 {
				stopped[reason] = append(stopped[reason], name)
			}
		}
	}
	return stopped
}

// TestTakenOut is run by TestEachCheckIsNeeded, for one gateway.
func TestTakenOut(t *testing.T) {
	g := gateways[slices.IndexFunc(gateways, func(g gateway) bool { return g.program == os.Getenv("GATEWAY") })]
	names := strings.Split(os.Getenv("CHECKS"), "|")
	file := filepath.Join("testdata", "stopped-"+g.program+".txt")
	byName := everyTrial(t, g)

	if os.Getenv("UPDATE") != "" {
		stopped := find(t, g, byName, names)
		var b bytes.Buffer
		for _, check := range slices.Sorted(maps.Keys(stopped)) {
			slices.Sort(stopped[check])
			for _, name := range stopped[check] {
				fmt.Fprintf(&b, "%s\t%s\n", check, name)
			}
		}
		require.NoError(t, os.WriteFile(file, b.Bytes(), 0o644))
		return
	}

	stopped := map[string][]string{}
	listed := map[string]bool{}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		check, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		require.True(t, ok, "%q", line)
		require.Contains(t, byName, name)
		stopped[check] = append(stopped[check], name)
		listed[name] = true
	}
	for name := range byName {
		require.Contains(t, listed, name, "each attack is listed")
	}

	usual := start(t, g, nil)
	rigs := map[string]*rig{}
	for check, list := range stopped {
		if check == theProgram || check == noEffect {
			for _, name := range list {
				for try := 0; ; try++ {
					reason := reasonWithoutCheck(t, usual, byName[name], names)
					require.NotEmpty(t, reason, "%s gets through without a check", name)
					if reason == check {
						break
					}
					require.Less(t, try, 20, "%s is not explained by: %s", name, check)
					time.Sleep(10 * time.Millisecond)
				}
			}
			continue
		}
		r := usual
		var out []string
		for _, part := range strings.Split(check, separator) {
			if configurationEdits[g.program][part] == nil {
				require.Contains(t, names, part)
				out = append(out, part)
				continue
			}
			if rigs[part] == nil {
				rigs[part] = startWithout(t, g, part)
				rigs[part].send(t, strings.ReplaceAll(to(chat), "{auth}", bearer(t, onlySlack)))
				require.False(t, hasProblem(rigs[part].take(), false), check)
			}
			r = rigs[part]
		}
		for _, name := range list {
			for try := 0; !attempt(t, r, byName[name], out...); try++ {
				require.Less(t, try, 10, "%s does not get through without the check: %s", name, check)
				time.Sleep(10 * time.Millisecond)
			}
		}
	}
}
