# Curfew's commands; `make help` lists them.

GO ?= go
COUNT ?= 1
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.12.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4
# The race detector needs a C compiler; the program itself does not.
RACE := $(if $(shell command -v gcc),-race)

.PHONY: help build demo dev deps test check bench load faults faults-replicas fuzz soak conformance screenshots release clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the program, one static binary: bin/curfew
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/curfew ./cmd/curfew

demo: build ## Sign in once, sign out everywhere: the provider and three applications on this machine
	$(GO) build -trimpath -o bin/curfew-demo ./cmd/curfew-demo
	@exec bin/curfew-demo $(ARGS)

dev: ## The demo with the race detector where there is a C compiler, and every log line
	$(GO) build $(RACE) -o build/ ./cmd/curfew ./cmd/curfew-demo
	@CURFEW_LOG_LEVEL=debug exec build/curfew-demo $(ARGS)

deps: ## Install what the tests need (as root on Debian), or name what is missing
	@.ci/deps

test: deps build check ## Run all tests, and `check` before them
	CURFEW_REQUIRE_ALL=$(if $(CI),1) $(GO) test $(RACE) -timeout 20m ./...
	@.ci/fuzz 2s

check: ## Look for mistakes without running anything: gofmt, vet and the other linters of .golangci.yml, govulncheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt would change:" $$unformatted; exit 1; }
	$(GO) run $(GOLANGCI) run ./...
	@if curl -sfm 5 -o /dev/null https://vuln.go.dev/index/db.json 2>/dev/null; then $(GO) run $(GOVULNCHECK) ./...; \
	else echo "govulncheck is skipped: its database vuln.go.dev cannot be reached"; fi

# GOGC is what the program sets itself while it serves.
bench: ## Measure: ns, allocations, CPU and commits of each kind of request (COUNT=5 for benchstat)
	GOGC=400 $(GO) test -run '^$$' -bench . -benchmem -count $(COUNT) -timeout 60m ./provider/... ./logout ./storage/...

load: ## Measure the built program over HTTP from outside: CPU and latency of each kind of request (Linux)
	$(GO) run ./conformance/cmd/curfew-load

faults: deps ## Break a built server in many ways and count what is lost: docs/reliability.md (root for some of it)
	CURFEW_FAULTS=full $(GO) test -count=1 -v -parallel 2 -timeout 60m -skip '^TestReplicas' ./conformance/fault

faults-replicas: deps ## Break replicas and their PostgreSQL under load, and check all histories: docs/postgresql.md (root for some of it)
	CURFEW_FAULTS=full $(GO) test -count=1 -v -timeout 60m -run '^TestReplicas' ./conformance/fault

fuzz: ## Send random input to everything that parses what comes from outside, FUZZTIME for each target (30s)
	@.ci/fuzz $(or $(FUZZTIME),30s)

soak: ## An hour of mixed load: does memory grow?
	CURFEW_SOAK=1h $(GO) test -count=1 -v -timeout 80m -run TestLongLoad ./conformance/fault

conformance: build ## Run the OpenID Foundation's plans: make conformance SUITE=https://host:port
	$(GO) run ./conformance/cmd/curfew-conformance $(if $(filter 0,$(shell id -u)),-no-sandbox) -suite '$(SUITE)' $(ARGS)

screenshots: ## Take a picture of every page: build/screenshots
	$(GO) test -count=1 -run Screenshots ./conformance/...

release: ## Build the release for every platform, with checksums and SBOM: dist/
	deploy/release $(ARGS)

clean: ## Remove what these commands built
	rm -rf bin build dist
