package main

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/connectperms/permissions"
)

// The rules are data, by configuration, credential and integration; the first that
// is there decides.
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

var opa = contender{
	name: "OPA rego, prepared query",
	model: "The rules are a document by configuration, credential and integration; the policy collects the grants that " +
		"apply, the most specific first, and takes the first. A prepared query, the input parsed ahead, the data held as AST.",
	load: func(claim []byte) (prepared, error) {
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
		query, err := rego.New(
			rego.Query("data.connect.allow"),
			rego.Module("connect.rego", opaModule),
			rego.Store(store),
		).PrepareForEval(context.Background())
		if err != nil {
			return nil, err
		}
		return func(action permissions.Permission, t permissions.Target) func() bool {
			input := opaInput(questionOf(action, t))
			return func() bool {
				result, err := query.Eval(context.Background(), rego.EvalParsedInput(input))
				if err != nil {
					panic(err)
				}
				return result.Allowed()
			}
		}, nil
	},
}

func opaInput(q question) ast.Value {
	levels := func(id, ext string) []string {
		if id == noLevel {
			return []string{noLevel}
		}
		return []string{id, ext, wildcard, noLevel}
	}
	input, err := ast.InterfaceToValue(map[string]any{
		"action":         q.action,
		"integrations":   []string{q.integration, wildcard},
		"credentials":    levels(q.credential, q.credentialExt),
		"configurations": levels(q.configuration, q.configurationExt),
	})
	if err != nil {
		panic(err)
	}
	return input
}
