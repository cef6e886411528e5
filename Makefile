# `make` lists what there is.
.DEFAULT_GOAL := help

TOOLS := gen/tools
BIN   := bin
# The race detector needs a C compiler; without one the tests run without it.
RACE  := $(shell test "$$(go env CGO_ENABLED)" = 1 && command -v $$(go env CC) >/dev/null && echo -race)
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)

.PHONY: help run build test lint generate verify bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  %-10s %s\n", $$1, $$2}'

run: build ## start the server with a database and a demo merchant of its own
	@exec $(BIN)/giftcards serve

build: ## build bin/giftcards
	@go build -ldflags '-X main.version=$(VERSION)' -o $(BIN)/giftcards ./cmd/giftcards

test: ## run all tests, against a PostgreSQL started for them
	@go build -o $(BIN)/withserver ./store/storetest/withserver
	@$(if $(RACE),,echo 'no C compiler found: testing without the race detector';) $(BIN)/withserver go test $(RACE) ./...

lint: ## vet and lint
	@go vet ./...
	@go tool -modfile=$(TOOLS)/lint/go.mod golangci-lint run

generate: ## make the documents, gen/api and gen/db anew
	@go -C $(TOOLS) build -o $(CURDIR)/$(BIN)/ ./overlay github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen github.com/sqlc-dev/sqlc/cmd/sqlc
	@$(BIN)/overlay openapi/openapi.json openapi/openapi-complete.json openapi/overlay.yaml
	@$(BIN)/overlay openapi/openapi-complete.json openapi/openapi-sdk.json openapi/sdk.yaml
	@$(BIN)/oapi-codegen -config openapi/codegen.yaml openapi/openapi-complete.json
	@$(BIN)/sqlc generate

verify: ## prove that generated files and go.mod are current
	@gen/verify.sh

bench: ## benchmarks of validation and of the handler chain
	@go build -o $(BIN)/withserver ./store/storetest/withserver
	@$(BIN)/withserver go test -run '^$$' -bench . -benchmem ./server/...

clean: ## remove what make built
	@rm -rf $(BIN)
