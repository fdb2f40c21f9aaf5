package main

import (
	"github.com/casbin/casbin/v3"
	"github.com/casbin/casbin/v3/model"

	"github.com/connectperms/permissions"
)

// One line per permission of a rule, then one that denies what else is asked of it;
// the first line that matches decides.
const casbinModel = `
[request_definition]
r = act, integration, credential, credential_ext, configuration, configuration_ext

[policy_definition]
p = integration, credential, configuration, act, eft

[policy_effect]
e = priority(p.eft) || deny

[matchers]
m = (p.credential == r.credential || p.credential == "" || p.credential == r.credential_ext || p.credential == "*" && r.credential != "") && \
    (p.configuration == "" || p.configuration == r.configuration || p.configuration == r.configuration_ext || p.configuration == "*" && r.configuration != "") && \
    (p.integration == r.integration || p.integration == "*") && \
    (p.act == r.act || p.act == "*")
`

var casbinPlain = contender{
	name: "casbin",
	model: "A line per permission of each rule and a denying line after them, the most specific rule first, effect " +
		"`priority(p.eft) || deny`, one matcher of string comparisons. For each line casbin looks through all lines' effects, so the " +
		"time grows with the square of the rules: at 100,000 one that was not in the cache took up to 40 s.",
	most: 1_000,
	load: func(claim []byte) (prepared, error) {
		e, err := casbin.NewEnforcer(casbinNewModel())
		if err != nil {
			return nil, err
		}
		return casbinLoad(e, claim)
	},
}

var casbinCached = contender{
	name:  "casbin, warm cache",
	model: "The same in a `CachedEnforcer` that has answered the question before.",
	most:  1_000,
	load: func(claim []byte) (prepared, error) {
		e, err := casbin.NewCachedEnforcer(casbinNewModel())
		if err != nil {
			return nil, err
		}
		return casbinLoad(e, claim)
	},
}

func casbinNewModel() model.Model {
	m, err := model.NewModelFromString(casbinModel)
	if err != nil {
		panic(err)
	}
	return m
}

func casbinLoad(e casbin.IEnforcer, claim []byte) (prepared, error) {
	rules, err := rulesOf(claim)
	if err != nil {
		return nil, err
	}
	var lines [][]string
	for _, r := range rules {
		for _, action := range r.grant {
			lines = append(lines, []string{r.integration, r.credential, r.configuration, action, "allow"})
		}
		lines = append(lines, []string{r.integration, r.credential, r.configuration, wildcard, "deny"})
	}
	if len(lines) > 0 {
		if _, err := e.AddPolicies(lines); err != nil {
			return nil, err
		}
	}
	return func(action permissions.Permission, t permissions.Target) func() bool {
		q := questionOf(action, t)
		values := []any{q.action, q.integration, q.credential, q.credentialExt, q.configuration, q.configurationExt}
		return func() bool {
			allowed, err := e.Enforce(values...)
			if err != nil {
				panic(err)
			}
			return allowed
		}
	}, nil
}
