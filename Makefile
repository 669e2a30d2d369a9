GO ?= go
BIN := bin/flowctl
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: help build run test test-fast lint tidy bench fuzz update

help: ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

build: ## build bin/flowctl
	$(GO) build -trimpath -o $(BIN) ./cmd/flowctl

run: build ## build, then run the recommendation engine's job
	$(BIN) run examples/recommendation_engine/job.json

test: lint ## everything: lint, then all tests with the race detector, Spark's too
	FLOWCTL_HEAVY=1 $(GO) test -race -timeout 35m ./...

test-fast: ## the tests without the race detector and without the slow ones
	$(GO) test -short ./...

lint: tidy ## gofmt, vet, staticcheck, tidy
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'run gofmt -w on these'; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

tidy:
	$(GO) mod tidy -diff

bench: build ## benchmarks, and a table of ratios measured in one run
	$(GO) test -run '^$$' -bench . -benchtime 5x ./...
	$(GO) run ./cmd/flowctl/internal/bench $(BIN)

fuzz: ## a minute for each fuzz test
	$(GO) test -fuzz FuzzRead -fuzztime 60s -run '^$$' ./jobspec
	$(GO) test -fuzz FuzzParse -fuzztime 60s -run '^$$' ./jobspec/quartz
	$(GO) test -fuzz FuzzExpand -fuzztime 60s -run '^$$' ./jobspec/ref

update: ## rewrite expected files of tests; read the difference before you commit it
	$(GO) test ./engine/jobrun ./jobspec ./tasks/local ./cmd/flowctl -update
