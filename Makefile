# Lanyard. `make run` starts everything on this machine; `make test` tests it. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
GO ?= go
export CGO_ENABLED ?= 0
# Packages whose tests run at once: one more than there are processors, since many wait for what they started.
AT_ONCE := $(shell expr $$(nproc) + 1)
# SQLite is C made Go, with locks of its own: with the race detector in it each database of a test costs a second. Only what
# was translated is left out: generic code of the standard library that others use too must not come from there. What only a
# debugger reads is a fifth of seventy programs.
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false -ldflags=-w
# A failed test is run again, at most twice, and named as flaky when it passes then: with a thousand tests of real programs on
# a busy machine one that waits too briefly would else stop everybody. A data race is never tried again, nor are many failures.
GOTESTSUM := $(GO) tool gotestsum --format pkgname --rerun-fails=2 --rerun-fails-max-failures=8 --rerun-fails-abort-on-data-race --packages ./... --
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
ESBUILD := $(GO) tool esbuild
CLIENTS := $(patsubst %,%/node_modules/.package-lock.json,test/oidc/provider test/msal/testdata/client test/provisioning/testdata/client test/clients/js test/devfile test/packages/registry)
UI := $(shell find ui/src -type f 2>/dev/null) ui/package.json ui/tsconfig.json
DIST := internal/dashboard/dist

.PHONY: help run build check test test-all bench needs-run needs-test needs-bench ui clean FORCE

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

run: needs-run build ## install what is missing, build, and start `lanyard dev` (ARGS="…" are its flags)
	exec bin/lanyard dev $(ARGS)

needs-run:
	@scripts/need bubblewrap:bwrap git:git curl:curl ca-certificates:/etc/ssl/certs/ca-certificates.crt

needs-test: needs-run
	@scripts/need chromium:chromium postgresql:/usr/lib/postgresql gcc:gcc libc6-dev:/usr/include/stdlib.h nginx:nginx systemd:systemd-socket-activate openssl:openssl docker.io:dockerd debootstrap:debootstrap dpkg-dev:dpkg-scanpackages python3-pip:/usr/bin/pip3
	@scripts/base-image >/dev/null
	$(GO) -C test/pebble build tool

build: ui bin/lanyard bin/lanyard-agent ## both programs into bin/, with the dashboard

bin/lanyard: FORCE
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/lanyard

bin/lanyard-agent: FORCE
	@mkdir -p bin
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/lanyard-agent

ui: $(DIST)/.built

ui/node_modules/.package-lock.json: ui/package-lock.json ui/.npmrc
	npm --prefix ui ci --no-audit --no-fund --loglevel=error
	@touch $@

$(CLIENTS): %/node_modules/.package-lock.json: %/package-lock.json %/.npmrc
	npm --prefix $* ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(DIST)/.built: $(UI) ui/node_modules/.package-lock.json
	@ui/build "$(ESBUILD)" $(DIST)
	@touch $@

check: ui/node_modules/.package-lock.json cross ## gofmt, vet, staticcheck, tsc, and builds for other systems
	@test -z "$$(gofmt -l $$(git ls-files '*.go') | tee /dev/stderr)" || { echo 'gofmt has something to say about the files above'; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	npm --prefix ui run --silent check

# The command line is for every desk; the server and workspaces are Linux, on either processor.
CROSS := linux-arm64 darwin-arm64 windows-amd64
.PHONY: cross $(CROSS)
cross: $(CROSS)
	GOOS=linux GOARCH=arm64 $(GO) build -o /dev/null ./cmd/lanyard-agent

$(CROSS):
	GOOS=$(word 1,$(subst -, ,$@)) GOARCH=$(word 2,$(subst -, ,$@)) $(GO) build -o /dev/null ./cmd/lanyard

test: needs-test build $(CLIENTS) ## every test but the slow ones, with the race detector (`make check` has vet)
	CGO_ENABLED=1 LANYARD_REQUIRE=all LANYARD_PROGRAMS=$(CURDIR)/bin LANYARD_REQUIRE_POSTGRES=1 $(GOTESTSUM) $(RACE) -vet=off -count=1 -p $(AT_ONCE) -timeout 15m
	scripts/fuzz 1

test-all: needs-test build $(CLIENTS) ## the slow ones too, and what uses a database again on PostgreSQL
	CGO_ENABLED=1 LANYARD_REQUIRE=all LANYARD_PROGRAMS=$(CURDIR)/bin LANYARD_REQUIRE_POSTGRES=1 LANYARD_SLOW=1 $(GO) test $(RACE) -count=1 -timeout 60m ./...
	CGO_ENABLED=1 LANYARD_REQUIRE=all LANYARD_PROGRAMS=$(CURDIR)/bin LANYARD_REQUIRE_POSTGRES=1 LANYARD_TEST_DATABASE=postgresql $(GO) test $(RACE) -count=1 -timeout 30m ./test/cut ./test/people ./test/crash ./test/work
	scripts/fuzz 600

needs-bench: needs-test test/oidc/provider/node_modules/.package-lock.json
	@scripts/need nginx:nginx apache2-bin:apache2 libapache2-mod-auth-openidc:/usr/lib/apache2/modules/mod_auth_openidc.so caddy:caddy gh:gh

bench: needs-bench build ## benchmarks, a line each (ONLY=name for one)
	$(GO) run ./bench $(ONLY)

clean: ## remove what was built
	rm -rf bin ui/node_modules $(dir $(CLIENTS)) $(DIST)/*
