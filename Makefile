# `make help` lists the targets. They need Go and make, and install everything else themselves (Debian).

.DEFAULT_GOAL := help
SHELL := /bin/sh
export PATH := $(PATH):/usr/local/go/bin

LINT      := go tool -modfile=tools/go.mod golangci-lint
FUZZTIME  ?= 20s
COUNT     ?= 20

# Builds without the race detector all have these settings, so that they share what they compile. With the tag, the
# command line renders its help without text/template, which makes the program a quarter larger: see ARCHITECTURE.md.
export GOFLAGS := -trimpath -tags=urfave_cli_no_template $(filter-out -trimpath -tags=%,$(GOFLAGS))
export CGO_ENABLED := 0

# The race detector makes tests up to four times as slow. It is used where concurrency is: in all packages but those
# whose tests vary values or run built programs, and in those tests of the whole service in which tasks are fanned out,
# cancelled, interrupted or delayed (they are not repeated without it). Of the web page, only the tests without a
# browser are raced. infra/soak checks that each fragment of RACED matches a test.
UNRACED   := /(local|local/page|infra/(openapi|readme|package|release|toolchain|torture|load|lambda/e2e)|shared/(app|difffile|render|rowdigest|rowpairs))$$
RACED     := ALostOrWrongUnit|EndsTheQueriesOnTheNodes|ConnectionsAndLocksStay|DoesNotDependOnTheUnitsOfWork|RestartedDuringTheRun|RetriesAStatement|WithoutAFreeConnection|OutageLongerThanTheLease|Pages_|LiveWrites_|Rewrites_|Silence_|LeavesNoGoroutine|LeavesNoTransactionOpen|ResumesAnEarlierRun|IsCancelledWhileANodeAnswers|ComparesChangedBlocksAndProvesTheRest|AndAConcurrentComparisonBothComplete|WaitsForARowThatAnother

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: deps-demo ## start three local nodes, plant differences, find and repair them: about a minute (KEEP=1 leaves it running)
	@echo 'building the demo and ace: about two minutes the first time, then seconds'
	@KEEP='$(KEEP)' go run -v ./infra/demo

.PHONY: unit
unit: go-version ## the tests that need no server, in less than a minute once their packages are built: needs Go alone
	@echo 'running the tests that need no server: less than a minute; the first build takes a few minutes more'
	@go test -vet=off -tags unit $$(go list -tags unit -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...)

.PHONY: test
test: deps ## install what is missing, then run every test (about 20 minutes): most with the race detector, random ones from fixed seeds
	@echo 'running every test: about 20 minutes on 2 cores'; \
	status=0; tests() { RAPID_SEED=1 go test -vet=off -timeout 30m -parallel 6 "$$@" || status=1; }; \
	raced() { CGO_ENABLED=1 tests -race "$$@"; }; \
	raced -p 3 $$(go list ./... | grep -Ev '$(UNRACED)'); \
	raced -run '$(RACED)' ./shared/app; \
	raced -tags unit ./local/page; \
	tests -skip '$(RACED)' ./shared/app; \
	tests -p 3 $$(go list ./... | grep -E '$(UNRACED)' | grep -Ev '/(infra/lambda/e2e|shared/app)$$'); \
	tests -parallel 4 ./infra/lambda/e2e; \
	exit $$status # the functions have limits of seconds, so no other test runs at the same time

.PHONY: check
check: go-version ## check what must be clean before a commit: format, English, go.mod, generated files, lint (vet is one of its linters)
	@$(MAKE) --no-print-directory --keep-going format english modules generated lint

.PHONY: format english modules generated
format:
	@unformatted=$$(gofmt -l docs functions infra local shared); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w on: $$unformatted" >&2; exit 1; fi

english: go-version
	go run ./infra/prose

modules: go-version
	go mod tidy -diff

generated: go-version
	infra/toolchain/check-generated.sh

.PHONY: lint
lint: go-version ## the house style and the import rules, see .golangci.yml
	$(LINT) run

.PHONY: build
build: go-version ## build bin/ace for this machine
	go build -o bin/ace ./local

.PHONY: run
run: build ## build and run the service on 127.0.0.1:5000 (ARGS='--listen ...')
	bin/ace serve $(ARGS)

.PHONY: package
package: go-version ## build the Lambda functions for arm64 and amd64, reproducibly: dist/<arch>/<function>.zip
	rm -rf dist/arm64 dist/amd64
	@set -e; for arch in arm64 amd64; do \
		GOOS=linux GOARCH=$$arch go build -buildvcs=false -tags lambda.norpc \
			-ldflags '-s -w -buildid=' -o "dist/$$arch/bin/" ./functions/...; \
		go run ./infra/package "dist/$$arch/bin" "dist/$$arch"; \
	done

.PHONY: release
release: go-version ## build the packages for arm64 and amd64, reproducibly: dist/release/*.deb, *.rpm, *.tar.gz (VERSION=v1.2.3)
	VERSION='$(VERSION)' infra/release/build.sh

.PHONY: bench
bench: deps-demo ## measure comparisons against the limit of a plain digest scan of the same tables
	go run ./infra/bench

.PHONY: fuzz
fuzz: deps ## run every fuzz target for a while (FUZZTIME=20s each)
	@set -e; for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' "$$package" | grep '^Fuzz' || true); do \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime '$(FUZZTIME)' "$$package"; \
		done; \
	done

.PHONY: soak
soak: deps ## run the randomised tests at length, from a new seed: live writes, oracle, properties, fuzz (SOAK='-seed 7 -scale 0.2')
	go run ./infra/soak $(SOAK)

.PHONY: torture
torture: deps ## put the built service through faults of itself, its nodes and its store, judged by an oracle (TORTURE='-seed 7 -runs 20 -store minio')
	go run ./infra/torture $(TORTURE)

.PHONY: load
load: deps ## put the built service under load: polling clients, tasks at once, long lists (LOAD='-store minio -tasks 2000')
	go run ./infra/load $(LOAD)

.PHONY: shuffle
shuffle: deps ## repeat every test in random order, to find errors that are rare (COUNT=20)
	CGO_ENABLED=1 go test -race -count '$(COUNT)' -shuffle on -timeout 0 -p 2 ./...

.PHONY: vuln
vuln: go-version ## report known vulnerabilities in dependencies; needs the internet, so no other target runs it
	go run golang.org/x/vuln/cmd/govulncheck@v1.1.4 ./...

.PHONY: deps
deps: go-version ## install what the tests need: a C compiler, curl and jq, PostgreSQL, Chromium, Prometheus, a MinIO server (minutes the first time, then nothing)
	infra/toolchain/install-cc.sh
	infra/toolchain/install-curl-jq.sh
	infra/postgres/install.sh
	infra/postgres/install-repack.sh
	infra/postgres/install-pglogical.sh
	infra/postgres/install-majors.sh
	infra/chromium/install.sh
	infra/monitoring/install.sh
	infra/minio/build.sh
	infra/release/install.sh

.PHONY: deps-demo
deps-demo: go-version
	@infra/postgres/install.sh

.PHONY: clean
clean: ## remove bin and dist (not .cache, which has the servers of the tests)
	rm -rf bin dist

.PHONY: go-version
go-version:
	@infra/toolchain/check-go.sh
