# OpenECP. `make help` lists the targets; CONTRIBUTING.md says more.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

DEV_DIR ?= .cache/dev
DIST_DIR ?= dist
BENCH ?= .
BENCH_FLAGS ?=
DIST_FLAGS ?=

.PHONY: help run build console agents dist test test-short test-long bench lint generate kube-up kube-down clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## start the daemon with simulated clusters; data in .cache/dev
	@arch=$$(go env GOARCH); [[ -e bin/agents/emqxee-agent-linux-$$arch ]] || tools/agents.sh bin/agents "$$arch"
	@tools/dev-context.sh $(DEV_DIR) &
	exec bin/ecpd serve --dev --data-dir $(DEV_DIR)

build: ## build the programs into bin/
	@tools/need.sh go
	@mkdir -p bin
	@echo "make: building into bin/; the first build fetches and compiles what is needed and takes some minutes"
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/ ./cmd/...

console: ## build the web console anew, in console/dist; it is part of ecpd
	@tools/need.sh node
	@tools/console.sh build

agents: ## build the agents that ecpd serves, for amd64, arm and arm64, into bin/agents
	@tools/need.sh go
	@tools/agents.sh bin/agents

dist: ## make packages, images, bills of materials and checksums of a release, in dist/; DIST_FLAGS adds flags
	@tools/need.sh go
	go -C tools/dist run . --out $(abspath $(DIST_DIR)) $(DIST_FLAGS)

test: ## run all tests but the long drills, with the race detector and a real Kubernetes control plane
	@tools/need.sh go gcc ip curl chromium iptables
	@tools/test.sh -race -timeout 30m

test-short: ## run what needs nothing but Go, in a minute or two
	@tools/need.sh go
	@tools/test.sh -short -timeout 10m

test-long: ## run everything: test, and the long drills
	@tools/need.sh go gcc ip curl chromium iptables
	@tools/need.sh --if-possible debootstrap rpm nginx haproxy
	@OPENECP_LONG=1 tools/test.sh -race -timeout 3h

bench: ## run the benchmarks; BENCH=<regexp> chooses, BENCH_FLAGS=<flags> adds
	@tools/need.sh go
	go test -run '^$$' -bench '$(BENCH)' -benchmem $(BENCH_FLAGS) ./...
	go -C agentproto/bench test -run '^$$' -bench '$(BENCH)' $(BENCH_FLAGS) ./...

lint: ## check format, go vet and the linters of .golangci.yml
	@tools/need.sh go
	@bad=$$(gofmt -l .); if [[ -n $$bad ]]; then echo "not formatted; run gofmt -w on:"; echo "$$bad"; exit 1; fi
	go vet ./...
	go -C agentproto/bench vet ./...
	go -C emqxsim/contract vet ./...
	go -C httpapi/clienttest vet ./...
	go -C tools/dist vet ./...
	@tools/lint/run.sh run ./...
	@cd agentproto/bench && ../../tools/lint/run.sh run ./...
	@cd emqxsim/contract && ../../tools/lint/run.sh run ./...
	@cd httpapi/clienttest && ../../tools/lint/run.sh run ./...
	@cd tools/dist && ../lint/run.sh run ./...

generate: ## make the generated files anew
	@tools/need.sh go
	go generate ./...

kube-up: ## start the test control plane and print how to reach it
	@tools/need.sh go ip
	go run ./internal/kubelab/cmd/kubelab-up up

kube-down: ## stop it
	go run ./internal/kubelab/cmd/kubelab-up down

clean: ## remove what was built and the data of `make run`; caches outside the tree stay
	rm -rf bin dist .cache
