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
test: ## every test that needs only Go (the S3 server of some comes from the module proxy once, and is built)
	$(GO) vet ./...
	@$(TOOL) -n versitygw >/dev/null || echo "note: no S3 server could be built; the tests that need one skip themselves"
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
kills: build ## kill -9 the program KILLS times (200) at random moments; nothing may be lost or doubled
	$(GO) test ./cmd/trailql -run TestKills -kills $${KILLS:-200} -timeout 0 -v

.PHONY: torture
torture: torture-disk torture-races torture-s3 torture-kills ## the long forms of docs/faults.md, some hours; each failure prints how it is repeated

.PHONY: torture-disk
torture-disk: ## power loss at every call of a run by SEEDS (20) seeds; every call fails once, for good, and on a full disk
	$(GO) test ./connectors/blob -run 'AtEveryCall|ExistsIsDurable' -v
	$(GO) test ./catalog/compact -run TestPowerLoss -disk.seeds $${SEEDS:-20} -timeout 0 -v
	$(GO) test ./catalog/compact -run TestFailingDisk -disk.seeds 1 -timeout 0 -v

.PHONY: torture-races
torture-races: ## two to eight compactors race while readers count READS (100000) snapshots
	$(GO) test ./catalog/compact -run TestRaces -race.reads $${READS:-100000} -race.per-round 2000 -timeout 0 -v

.PHONY: torture-s3
torture-s3: ## FAULTS (100000) requests to a real S3 server that go wrong
	TRAILQL_S3=required $(GO) test ./catalog/compact -run TestS3Faults -s3.faults $${FAULTS:-100000} -timeout 0 -v

.PHONY: torture-kills
torture-kills: ## kill -9 the program KILLS times (10000)
	$(MAKE) kills KILLS=$${KILLS:-10000}

.PHONY: million
million: ## list, compact, stop, go on with and list again OBJECTS (1,000,000) trail objects of a store that makes them up
	$(GO) test ./catalog/compact -run TestManyObjects -objects $${OBJECTS:-1000000} -timeout 60m -v

.PHONY: delta
delta: build ## open every table in delta-rs, an independent reader (python3 -m venv, pip install deltalake)
	testdata/delta/run

.PHONY: outgrow
outgrow: build ## register a lake in Trino and in Spark and compare their answers (Java; downloads 1.3 GB, once)
	testdata/outgrow/run

.PHONY: api
api: build ## requests made up from the endpoint's OpenAPI document by schemathesis (python3 -m venv, pip)
	testdata/api/run

.PHONY: digests
digests: ## CHAINS (1000) generated chains of digests, with faults, judged beside the AWS CLI's validator (python3 -m venv, pip)
	testdata/digests/run

.PHONY: year
year: ## faults planted in a year of an organisation of ACCOUNTS (40), signed: verification and trail_coverage name each and nothing else
	$(GO) test ./catalog/verify -run TestPlantedTrail -v -timeout 6h -args -year $(or $(ACCOUNTS),40)

.PHONY: queue
queue: ## the queue's client against moto, an imitation of SQS (python3 -m venv, pip)
	testdata/queue/run

.PHONY: page
page: build ## open a report's page in a browser and print it (chromium, poppler; installed where missing)
	testdata/page/run

.PHONY: second-readers
second-readers: ## read what trailql writes with arrow v17, pqarrow and DuckDB, and compare (needs a C compiler)
	cd bench && CGO_ENABLED=1 $(GO) test -tags duckdb_arrow ./...

.PHONY: differential
differential: ## ask trailql and DuckDB QUERIES (100000) generated queries from SEED (1) on and compare (needs a C compiler)
	cd bench && CGO_ENABLED=1 $(GO) test -tags duckdb_arrow ./differential -run TestDifferential -v -timeout 0 -queries $${QUERIES:-100000} -seed $${SEED:-1}

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
