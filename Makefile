# `make` lists the targets. It needs only Go and make. With a C compiler, the tests also
# look for data races.
.DEFAULT_GOAL := help

TOOLS   := $(CURDIR)/gen/tools
BIN     := $(CURDIR)/bin
VERSION  = $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
RACE     = $(shell command -v $$(go env CC) >/dev/null && echo -race)

# These settings make the same programs and tools with a C compiler and without one. They
# also work in a checkout that git refuses to read because another user owns it.
export CGO_ENABLED := 0
export GOFLAGS     := -buildvcs=false $(GOFLAGS)

.PHONY: help run sandbox sandbox-page examples free-port build test test-full lint vulncheck generate schema licences verify changelog contract sdk restore proxies spreadsheet scan dkim upgrade operations bench microbench faults clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  %-12s %s\n", $$1, $$2}'

run: free-port build ## start the server with a database and a demo merchant of its own
	@exec $(BIN)/giftcards serve

sandbox: free-port build ## start a sandbox, with a database of its own, to test clients against
	@exec $(BIN)/giftcards serve --sandbox

# The program checks its address too, but only after a newcomer has waited for the build.
LISTEN = $(or $(GIFTCARDS_LISTEN),127.0.0.1:8080)
free-port:
	@! curl -s --noproxy '*' --max-time 2 -o /dev/null 'http://$(LISTEN)' || \
		{ echo 'Another server answers at $(LISTEN): stop it, or choose another address, as in GIFTCARDS_LISTEN=127.0.0.1:8090 make run'; exit 1; }

# first prints how long a build takes, if the program does not exist yet.
first = @test -e $(BIN)/$(1) || echo 'Building $(2): this takes about $(3) the first time.'

build: ## build bin/giftcards
	$(call first,giftcards,giftcards,two minutes)
	@go build -ldflags '-X main.version=$(VERSION)' -o $(BIN)/giftcards ./cmd/giftcards

test: ## run the tests, against a PostgreSQL started for them
	$(call first,withserver,the program and its tests,eight minutes)
	@go build -o $(BIN)/withserver ./store/storetest/withserver
	@$(if $(RACE),,echo 'No C compiler: tests do not look for data races.')
	@$(TEST) -skip '^($(call marked,Only))$$' ./...

# Tests wait more than they compute, so that twice as many run at once as there are processors.
# The detector of races sleeps at the end of each test binary, by default for a second. It
# makes collecting garbage expensive, so that tests collect it less often. It checks the unsafe
# pointers of this project only, because checking those of all libraries takes 6 % of the time. The
# test binaries stay in bin/tests, so that Go links only those that have changed. They are without
# what only a debugger reads (-s -w).
RACING = $(if $(RACE),-race -gcflags=all=-d=checkptr=0 -gcflags=giftcards/...= $(COMPUTING:%=-gcflags=%=-race=false))
TEST = umask 022; mkdir -p $(BIN)/tests; CGO_ENABLED=$(if $(RACE),1,0) GORACE=atexit_sleep_ms=100 GOGC=400 \
	$(BIN)/withserver go test $(RACING) -o $(BIN)/tests/ -ldflags='-s -w' -parallel $$((2 * $$(getconf _NPROCESSORS_ONLN)))

# The detector does not watch these libraries, because they compute much and share nothing with
# other goroutines. encoding/json must not be here: the detector would not see its sync.Map and
# sync.Once, and would report false races.
COMPUTING = regexp regexp/syntax compress/flate image/png golang.org/x/crypto/argon2 rsc.io/qr/... \
	github.com/alecthomas/kong github.com/boombuler/barcode/qr github.com/santhosh-tekuri/jsonschema/v6 codeberg.org/go-pdf/fpdf

# The tests that call one of these functions of package full, as "TestA|TestB".
marked = $(shell awk '/^func Test/ { sub(/[^A-Za-z0-9].*/, "", $$2); test = $$2 } /full[.]($(1))[^a-z]/ { print test }' $(wildcard $(SLOWIN:%=%/*_test.go)) | sort -u | paste -sd '|' -)
SLOWIN = cmd/giftcards server jobs jobs/message

test-full: ## run the slow tests in full, of which `make test` runs a part (for those of faults: `make faults`)
	@go build -o $(BIN)/withserver ./store/storetest/withserver
	@$(TEST) -run '^($(call marked,Size|Asked|Only))$$' $(SLOWIN:%=./%) -args -full

lint: ## vet, for other systems too, and lint
	$(call first,golangci-lint,the linter,eight minutes)
	@go -C $(TOOLS)/lint build -o $(BIN)/ tool
	@go vet -tags restore,proxies,spreadsheet,scan,dkim ./...
	@GOOS=darwin go vet -tags restore,proxies,spreadsheet,scan,dkim ./...
	@GOOS=windows go vet ./store/embedded # servers run on Unix; on Windows this package says so
	@$(BIN)/golangci-lint run
	@go -C $(TOOLS) build -o $(BIN)/ ./prose
	@$(BIN)/prose
	@go -C $(TOOLS) vet ./...
	@go -C $(TOOLS) test ./...
	@cd $(TOOLS) && $(BIN)/golangci-lint run

vulncheck: ## look for known vulnerabilities; asks vuln.go.dev, or the database that GOVULNDB names (file:///…)
	$(call first,govulncheck,govulncheck,a minute)
	@go -C $(TOOLS)/vuln build -o $(BIN)/ tool
	@$(BIN)/govulncheck $(if $(GOVULNDB),-db $(GOVULNDB)) ./...

generate: ## generate the documents, gen/api and gen/db
	$(call first,overlay,the generators,four minutes)
	@go -C $(TOOLS) build -o $(BIN)/ tool ./overlay
	@$(BIN)/overlay -merge openapi/lifecycle.json openapi/openapi.json openapi/openapi-complete.json openapi/overlay.yaml openapi/lifecycle-overlay.yaml
	@$(BIN)/overlay openapi/openapi-complete.json openapi/openapi-sdk.json openapi/sdk.yaml
	@$(BIN)/overlay openapi/openapi-complete.json openapi/openapi-sandbox.json openapi/sandbox-overlay.yaml
	@$(BIN)/overlay -x-order openapi/openapi-complete.json $(BIN)/generate.json openapi/generate.yaml
	@$(BIN)/oapi-codegen -config openapi/codegen.yaml $(BIN)/generate.json
	@$(BIN)/sqlc generate

schema: ## generate docs/schema.md from the migrations
	@go build -o $(BIN)/withserver ./store/storetest/withserver
	@$(BIN)/withserver go test -count=1 -run '^TestTheSchemaPageIsCurrent$$' ./store -update

licences: ## generate docs/dependencies.md, and the licences that the program prints
	@go -C $(TOOLS) build -o $(BIN)/ ./licences
	@$(BIN)/licences >docs/dependencies.md
	@$(BIN)/licences -texts >cmd/giftcards/licences.txt

verify: ## prove that generated files, go.mod and the formatting are current
	@gen/verify.sh

changelog: ## generate openapi/changelog.md, the list of what the complete document adds
	@go tool -modfile=openapi/contract/go.mod oasdiff changelog --format markdown openapi/openapi.json openapi/openapi-complete.json >openapi/changelog.md

contract: ## let outside tools judge the server by the documents (python3, node)
	@openapi/contract/run

examples: ## run the examples of docs/testing-against.md, or ONLY='go pytest', against a sandbox (python3, node, java, mvn)
	@docs/examples/sandbox/run $(ONLY)

sdk: ## make clients with eight generators, or ONLY=a,b, and run the journey (node, python3, java, mvn)
	@openapi/sdk/run $(if $(ONLY),--only $(ONLY))

restore: ## back up and restore a running server (PostgreSQL's client programs)
	@go test -count=1 -v -tags restore -run TestABackupBringsEverythingBack ./cmd/giftcards

proxies: ## run the samples in docs/proxies (nginx, HAProxy, Caddy; Linux)
	@go test -count=1 -v -tags proxies -run TestASampleOfAProxyPassesEverythingOn ./cmd/giftcards

spreadsheet: ## open a merchant's workbook in LibreOffice, and look for every digit (soffice)
	@go build -o $(BIN)/withserver ./store/storetest/withserver
	@$(BIN)/withserver go test -count=1 -v -tags spreadsheet -run TestLibreOfficeKeepsEveryDigit ./server

dkim: ## verify a signed mail with dkimpy (python3)
	@test -e $(BIN)/dkimpy || { python3 -m venv $(BIN)/dkimpy && $(BIN)/dkimpy/bin/pip install --quiet dkimpy==1.1.8 PyNaCl==1.6.2; }
	@PATH=$(BIN)/dkimpy/bin:$$PATH go test -count=1 -v -tags dkim -run TestAnotherProgramVerifiesASignedMail ./jobs/transport

scan: ## let a till's scanner read the mails and the printed cards (chromium, zbarimg, pdftoppm)
	@go test -count=1 -v -tags scan -run 'TestATillReads' ./jobs/message ./cmd/giftcards/sheet

upgrade: ## roll two servers under load from the version FROM=<git revision> to this one
	@git worktree add --quiet --force --detach $(BIN)/from $(or $(FROM),$(error FROM=<git revision> is needed))
	@trap 'git worktree remove --force $(BIN)/from' EXIT; \
		go -C $(BIN)/from build -o $(BIN)/giftcards-from ./cmd/giftcards
	@GIFTCARDS_UPGRADE_FROM=$(BIN)/giftcards-from go test -count=1 -v -run TestAnUpgradeFailsNoRequest ./cmd/giftcards -args -full

sandbox-page: ## use the page of a sandbox in a browser (Chromium, node; PICTURES=directory keeps pictures)
	@server/sandbox/page/check/run

operations: ## let promtool and Grafana's types judge the alerts and the dashboard (promtool, node)
	@docs/operations/check/run

bench: build ## measure the server, and what PostgreSQL and echo do without it (ARGS='-only create')
	@go build -o $(BIN)/bench ./cmd/bench
	@$(BIN)/bench $(ARGS)

microbench: ## run the Go benchmarks, two minutes (without that of jobs, see jobs/bench_test.go)
	@go build -o $(BIN)/withserver ./store/storetest/withserver
	@$(BIN)/withserver go test -p 1 -run '^$$' -bench . -benchmem $$(go list ./... | grep -v /jobs$$)

faults: ## break the server, its database and the connection between them, about 2,000 times, and try 500 histories of cards (PgBouncer; SEED=n; minutes)
	@go -C cmd/giftcards/faults test -count=1 -timeout 45m -args -full $(if $(SEED),-seed=$(SEED))
	@go build -o $(BIN)/withserver ./store/storetest/withserver
	@$(BIN)/withserver go test -count=1 -run '^TestMoneyIsConservedInEveryHistory$$' ./server -args -full

clean: ## remove what make built
	@rm -rf $(BIN)
