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
	for _, g := range got {
		for _, problem := range g.problems() {
			if problem != "the subject is " || s.class == "identity" {
				return true
			}
		}
	}
	return false
}

// everyAttack returns the attacks of all tests.
func everyAttack() (list []staged) {
	for _, a := range concat(attacks, outsiders) {
		list = append(list, staged{attack: a})
	}
	return append(list, stages...)
}

// TestTakenOut is run by TestEachCheckIsNeeded, for one gateway.
func TestTakenOut(t *testing.T) {
	g := gateways[slices.IndexFunc(gateways, func(g gateway) bool { return g.program == os.Getenv("GATEWAY") })]
	names := strings.Split(os.Getenv("CHECKS"), "|")
	file := filepath.Join("testdata", "stopped-"+g.program+".txt")
	replace := tokens(t)
	update := os.Getenv("UPDATE") != ""
	attempt := func(r *rig, s staged) bool {
		r.patience = 60 * time.Millisecond
		got := r.stage(t, s, replace)
		return s.getsThrough(got)
	}

	stopped := map[string][]string{} // by the name of the check
	if !update {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			check, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
			require.True(t, ok, "%q", line)
			stopped[check] = append(stopped[check], name)
		}
	}
	byName := map[string]staged{}
	for _, s := range everyAttack() {
		name := fmt.Sprintf("%s: %.120q", s.class, s.name)
		require.NotContains(t, byName, name)
		byName[name] = s
	}

	r := start(t, g, nil)
	if update {
		left := map[string]staged{}
		for _, name := range slices.Sorted(maps.Keys(byName)) {
			s := byName[name]
			forwardauth.TakeOut(names...)
			if !attempt(r, s) {
				left[name] = s
				continue
			}
			needed := slices.Clone(names)
			slices.SortStableFunc(needed, func(a, b string) int {
				return slices.Index(generals, b) - slices.Index(generals, a)
			})
			drop := func(from, to int) bool {
				fewer := slices.Delete(slices.Clone(needed), from, min(to, len(needed)))
				forwardauth.TakeOut(fewer...)
				if !attempt(r, s) {
					return false
				}
				needed = fewer
				return true
			}
			for range 2 {
				for i := 0; i < len(generals) && i < len(needed); i++ {
					if drop(i, i+1) {
						i--
					}
				}
				for chunk := 16; chunk > 0; chunk /= 2 {
					for i := 0; i < len(needed); {
						if !drop(i, i+chunk) {
							i += chunk
						}
					}
				}
			}
			slices.Sort(needed)
			stopped[strings.Join(needed, " + ")] = append(stopped[strings.Join(needed, " + ")], name)
		}
		forwardauth.TakeOut()
		checks := slices.Sorted(maps.Keys(configurationEdits[g.program]))
		slices.SortStableFunc(checks, func(a, b string) int { // what needs fewer edits first
			return len(configurationEdits[g.program][a]) - len(configurationEdits[g.program][b])
		})
		for _, check := range checks {
			r := start(t, edited(t, g, configurationEdits[g.program][check]), nil)
			for _, name := range slices.Sorted(maps.Keys(left)) {
				if attempt(r, left[name]) {
					stopped[check] = append(stopped[check], name)
					delete(left, name)
				}
			}
			// What another check stops too is listed only where the edit would not be listed otherwise.
			for _, name := range slices.Sorted(maps.Keys(byName)) {
				if len(stopped[check]) == 0 && attempt(r, byName[name]) {
					stopped[check] = append(stopped[check], name)
				}
			}
		}
		stopped[theProgram] = slices.Sorted(maps.Keys(left))
		var b bytes.Buffer
		for _, check := range slices.Sorted(maps.Keys(stopped)) {
			for _, name := range stopped[check] {
				fmt.Fprintf(&b, "%s\t%s\n", check, name)
			}
		}
		require.NoError(t, os.WriteFile(file, b.Bytes(), 0o644))
		return
	}

	listed := map[string]bool{}
	for check, list := range stopped {
		for _, name := range list {
			require.Contains(t, byName, name)
			listed[name] = true
		}
		r := r
		edits, isConfiguration := configurationEdits[g.program][check]
		switch {
		case check == theProgram:
			continue
		case isConfiguration:
			r = start(t, edited(t, g, edits), nil)
			require.False(t, attempt(r, staged{attack: attack{"header", "none", to(chat)}}), check)
		default:
			for _, name := range strings.Split(check, " + ") {
				require.Contains(t, names, name)
			}
		}
		for _, name := range list {
			if !isConfiguration {
				forwardauth.TakeOut(strings.Split(check, " + ")...)
			}
			for try := 0; !attempt(r, byName[name]); try++ {
				require.Less(t, try, 3, "%s does not get through without the check: %s", name, check)
				time.Sleep(10 * time.Millisecond)
			}
			forwardauth.TakeOut()
		}
	}
	require.Len(t, listed, len(byName), "each attack is listed")
}

// generals are the checks that stop much. Where others are enough to take out, these are not named.
var generals = []string{
	"a look-up finds what was asked about", "what was found is asked about", "a look-up that fails is a no",
	"a token is needed", "a token that is not verified is a no", "the most specific route decides",
	"the policy is asked", "a route is needed",
}
