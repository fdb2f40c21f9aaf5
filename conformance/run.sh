#!/usr/bin/env bash
# Runs the conformance kit: the runners and their evaluators, faults that they must report, the JSON Schema with
# ajv, and issuers in other languages. It needs go, node 20 with npm, ruby with ruby-jwt, and a Python with PyJWT and
# cryptography, which is $PYTHON or else /usr/bin/python3. What is missing is an error.
set -euo pipefail
cd "$(dirname "$0")"
export PYTHON=${PYTHON:-/usr/bin/python3}

for program in go node npm ruby "$PYTHON"; do
	command -v "$program" >/dev/null || {
		echo "conformance: there is no $program" >&2
		exit 1
	}
done

npm ci --silent
npx tsc -p typescript
"$PYTHON" python/run.py
node typescript/build/run.js
"$PYTHON" faults.py python
"$PYTHON" faults.py typescript
node typescript/schema.mjs

cd ..
npm ci --silent --prefix examples/issuers/node
go run ./examples/issuers
