# Each target says after ## what it does. make help lists them.

FUZZTIME ?= 30s
SOAKTIME ?= 10m

.DEFAULT_GOAL := help
.PHONY: help test race lint checks explorer fuzz soak bench load cover mutate ci

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

test: ## run the tests of the root module
	go test ./...

race: ## run them with the race detector
	go test -race ./...

lint: ## gofmt, go vet and staticcheck, in every module, and lines of tests below 120 characters
	@set -e; unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted"; exit 1; fi; \
	long=$$(find . -name '*_test.go' -not -path '*/node_modules/*' -exec awk 'length >= 120 && !/^[ \t]*\/\// {print FILENAME ":" FNR}' {} +); \
	if [ -n "$$long" ]; then echo "lines that are too long: $$long"; exit 1; fi; \
	tools=$$(mktemp -d); trap 'rm -rf "$$tools"' EXIT; \
	(cd tools && go build -o "$$tools/staticcheck" honnef.co/go/tools/cmd/staticcheck); \
	for module in $$(find . -name go.mod -not -path '*/testdata/*' -not -path '*/node_modules/*' -exec dirname {} \; | sort); do \
		echo "$$module"; (cd "$$module" && go vet ./... && "$$tools/staticcheck" ./...); \
	done; \
	cd cmd/connectperms && GOOS=js GOARCH=wasm go vet ./explorer/wasm ./explorer/tokenwasm

checks: ## golangci-lint, the exported API, the workflows, and other machines
	scripts/golangci.sh
	scripts/apidiff.sh
	scripts/workflows.sh
	scripts/portable.sh

fuzz: ## run every fuzz target for FUZZTIME (30s); it is an error if there is none
	scripts/fuzz.sh $(FUZZTIME)

soak: ## compare the library with the reference for SOAKTIME (10m)
	scripts/soak.sh $(SOAKTIME)

bench: ## measure against other engines; writes bench/RESULTS.md and a chart
	cd bench && go run .

explorer: ## build the explorer as a folder of static files, cmd/connectperms/explorer-static
	cd cmd/connectperms && npm ci --ignore-scripts --prefix explorer/web && go run ./internal/explorerbuild -o explorer-static

load: ## measure the forward-auth server of examples/gateway under concurrent requests
	cd examples/gateway && go run . -load -o LOAD.md

cover: ## statement coverage of each package that a decision depends on; less than 98 % is an error
	scripts/coverage.sh

mutate: ## change the code in small ways; a test must notice each (hours)
	scripts/mutate.sh

ci: ## all that a change must pass
	.ci/run
