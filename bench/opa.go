package main

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// The rules are data, by configuration, credential and integration. The first that is there decides.
const opaModule = `package connect

default allow := false

allow if input.action in grant

allow if "*" in grant

grant := [g |
	some configuration in input.configurations
	some credential in input.credentials
	some integration in input.integrations
	g := data.rules[configuration][credential][integration]
][0]
`

const opaBeyond = "A general language, bundles and their distribution, decision logs, partial evaluation, data from elsewhere."

var opaPrepared = contender{
	name: "OPA, prepared query",
	model: "The rules are a document by configuration, credential and integration. The policy collects the grants that " +
		"apply, the most specific first, and takes the first. The query is prepared, the data is held as AST, and the input is built as AST.",
	beyond:  opaBeyond,
	without: engineWithout,
	load: func(claim []byte) (loaded, error) {
		r, err := opaRego(claim)
		if err != nil {
			return loaded{}, err
		}
		query, err := r().PrepareForEval(context.Background())
		if err != nil {
			return loaded{}, err
		}
		return opaLoaded(func(input ast.Value) (rego.ResultSet, error) {
			return query.Eval(context.Background(), rego.EvalParsedInput(input))
		}), nil
	},
}

var opaPlain = contender{
	name:    "OPA, query not prepared",
	model:   "The same, with the policy compiled for each question.",
	beyond:  opaBeyond,
	without: engineWithout,
	most:    4,
	load: func(claim []byte) (loaded, error) {
		r, err := opaRego(claim)
		if err != nil {
			return loaded{}, err
		}
		return opaLoaded(func(input ast.Value) (rego.ResultSet, error) {
			return r(rego.ParsedInput(input)).Eval(context.Background())
		}), nil
	},
}

// opaRego returns a function that makes a query about the rules of a claim.
func opaRego(claim []byte) (func(...func(*rego.Rego)) *rego.Rego, error) {
	rules, err := rulesOf(claim)
	if err != nil {
		return nil, err
	}
	tree := map[string]any{}
	down := func(tree map[string]any, key string) map[string]any {
		if tree[key] == nil {
			tree[key] = map[string]any{}
		}
		return tree[key].(map[string]any)
	}
	for _, r := range rules {
		grant := make([]any, len(r.grant))
		for i, action := range r.grant {
			grant[i] = action
		}
		down(down(tree, r.configuration), r.credential)[r.integration] = grant
	}
	store := inmem.NewFromObjectWithOpts(map[string]any{"rules": tree}, inmem.OptReturnASTValuesOnRead(true))
	return func(options ...func(*rego.Rego)) *rego.Rego {
		return rego.New(append(options,
			rego.Query("data.connect.allow"), rego.Module("connect.rego", opaModule), rego.Store(store))...)
	}, nil
}

func opaLoaded(eval func(ast.Value) (rego.ResultSet, error)) loaded {
	ask := func(input ast.Value) bool {
		result, err := eval(input)
		if err != nil {
			panic(err)
		}
		return result.Allowed()
	}
	return loaded{
		build: func(q *question) bool { return ask(opaInput(q)) },
		prepare: func(q *question) func() bool {
			input := opaInput(q)
			return func() bool { return ask(input) }
		},
	}
}

func opaInput(q *question) ast.Value {
	e := q.forEngines()
	levels := func(id, ext string) *ast.Term {
		if id == noLevel {
			return ast.ArrayTerm(opaNoLevel)
		}
		return ast.ArrayTerm(ast.StringTerm(id), ast.StringTerm(ext), opaWildcard, opaNoLevel)
	}
	return ast.NewObject(
		[2]*ast.Term{opaAction, ast.StringTerm(e.action)},
		[2]*ast.Term{opaIntegrations, ast.ArrayTerm(ast.StringTerm(e.integration), opaWildcard)},
		[2]*ast.Term{opaCredentials, levels(e.credential, e.credentialExt)},
		[2]*ast.Term{opaConfigurations, levels(e.configuration, e.configurationExt)},
	)
}

var (
	opaNoLevel, opaWildcard           = ast.StringTerm(noLevel), ast.StringTerm(wildcard)
	opaAction, opaIntegrations        = ast.StringTerm("action"), ast.StringTerm("integrations")
	opaCredentials, opaConfigurations = ast.StringTerm("credentials"), ast.StringTerm("configurations")
)
