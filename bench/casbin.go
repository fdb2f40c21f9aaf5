package main

import (
	"github.com/casbin/casbin/v3"
	"github.com/casbin/casbin/v3/model"
)

// A rule has a line for each of its permissions, then one that denies whatever else is asked of it. The
// first line that matches decides.
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

const casbinBeyond = "Roles and their inheritance, domains, models as text, adapters that store policies, watchers that spread changes."

const engineWithout = "It validates neither claim nor question. An unknown identifier matches nothing (SPEC 4.7). Somebody has to translate claims."

var casbinPlain = contender{
	name: "casbin",
	model: "A line for each permission of a rule and a denying line after them, the most specific rule first, with the effect " +
		"`priority(p.eft) || deny` and one matcher of string comparisons. For each line casbin looks through all lines' effects, so the " +
		"time grows with the square of the rules.",
	beyond:  casbinBeyond,
	without: engineWithout,
	most:    1_000,
	load: func(claim []byte) (loaded, error) {
		e, err := casbin.NewEnforcer(casbinNewModel())
		if err != nil {
			return loaded{}, err
		}
		return casbinLoad(e, claim)
	},
}

var casbinCached = contender{
	name:    "casbin, warm cache",
	model:   "The same in a `CachedEnforcer` that has answered the question before. Its cache has no bound.",
	beyond:  casbinBeyond,
	without: engineWithout + " Its cache joins the parts of a question to one key, so two questions can share an answer.",
	most:    1_000,
	load: func(claim []byte) (loaded, error) {
		e, err := casbin.NewCachedEnforcer(casbinNewModel())
		if err != nil {
			return loaded{}, err
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

func casbinLoad(e casbin.IEnforcer, claim []byte) (loaded, error) {
	rules, err := rulesOf(claim)
	if err != nil {
		return loaded{}, err
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
			return loaded{}, err
		}
	}
	enforce := func(values []any) bool {
		allowed, err := e.Enforce(values...)
		if err != nil {
			panic(err)
		}
		return allowed
	}
	return loaded{
		build: func(q *question) bool { return enforce(casbinValues(q)) },
		prepare: func(q *question) func() bool {
			values := casbinValues(q)
			return func() bool { return enforce(values) }
		},
	}, nil
}

func casbinValues(q *question) []any {
	e := q.forEngines()
	return []any{e.action, e.integration, e.credential, e.credentialExt, e.configuration, e.configurationExt}
}
