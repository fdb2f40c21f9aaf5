// Package schema has the JSON Schemas of the files that connectperms reads.
package schema

import _ "embed"

// Claim is the schema of a permissions claim. It is the file schema.json of the root of the repository.
//
//go:embed claim.schema.json
var Claim []byte

// Tests is the schema of the decision tables that the command test reads.
//
//go:embed tests.schema.json
var Tests []byte
