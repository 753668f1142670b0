# trailql: short verbs. `make` lists them.
.DEFAULT_GOAL := help
export CGO_ENABLED := 0
GO     ?= go
TOOL    = $(GO) tool -modfile=tools/go.mod

.PHONY: help
help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

.PHONY: build
build: ## build bin/trailql
	$(GO) build -trimpath -o bin/trailql ./cmd/trailql

.PHONY: demo
demo: build ## generate a trail, compact it, ask it questions (in ./demo, made anew)
	bin/trailql demo --dir demo

.PHONY: test
test: ## every test that needs only Go
	$(GO) vet ./...
	$(GO) test ./...

.PHONY: race
race: ## the tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -short -timeout 30m ./...

.PHONY: lint
lint: ## golangci-lint, pinned in tools/go.mod
	$(TOOL) golangci-lint run ./...

.PHONY: vuln
vuln: ## govulncheck, pinned in tools/go.mod (its database must be reachable)
	$(TOOL) govulncheck ./...

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (20s)
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $${FUZZTIME:-20s} $$pkg; done; done

.PHONY: kills
kills: build ## kill -9 the compactor KILLS times (200) at random moments; nothing may be lost or doubled
	$(GO) test ./cmd/trailql -run TestKills -kills $${KILLS:-200} -timeout 60m -v

.PHONY: delta
delta: build ## open every table in delta-rs, an independent reader (python3 -m venv, pip install deltalake)
	testdata/delta/run

.PHONY: api
api: build ## requests made up from the endpoint's OpenAPI document by schemathesis (python3 -m venv, pip)
	testdata/api/run

.PHONY: page
page: build ## open a report's page in a browser and print it (chromium, poppler; installed where missing)
	testdata/page/run

.PHONY: second-readers
second-readers: ## read what trailql writes with arrow v17, pqarrow and DuckDB, and compare (needs a C compiler)
	cd bench && CGO_ENABLED=1 $(GO) test -tags duckdb_arrow ./...

.PHONY: differential
differential: ## ask trailql and DuckDB QUERIES (100000) generated queries from SEED (1) on and compare (needs a C compiler)
	cd bench && CGO_ENABLED=1 $(GO) test -tags duckdb_arrow ./...ferential -run TestDifferential -v -timeout 0 -queries $${QUERIES:-100000} -seed $${SEED:-1}

.PHONY: metamorphic
metamorphic: ## CHECKS (50000) each of: three partitions make the whole (TLP); a filter keeps what it counts (NoREC)
	$(GO) test ./engine/logictest -run 'TestPartition|TestFilterCounts' -v -timeout 0 -rapid.checks=$${CHECKS:-50000}

.PHONY: bench
bench: build ## trailql beside DuckDB and what cannot be avoided: EVENTS (600000); BENCH='-only queries -dir FOLDER' says more; prints tables (needs a C compiler)
	cd bench && CGO_ENABLED=1 $(GO) run -tags duckdb_arrow . -events $${EVENTS:-600000} $(BENCH)

.PHONY: bench-quick
bench-quick: build ## the same in small, two minutes
	cd bench && CGO_ENABLED=1 $(GO) run -tags duckdb_arrow . -quick $(BENCH)

.PHONY: clean
clean: ## remove what the verbs made
	rm -rf bin demo
