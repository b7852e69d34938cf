# Everything a contributor runs. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
.DEFAULT_GOAL := help

TARGET_DIR := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
RELEASE := $(TARGET_DIR)/release/skybridge
SETUP := tests/peers/setup

# End-to-end tests drive a program close to the released one, without minutes of fat LTO a change.
E2E_BINARY := $(TARGET_DIR)/quick/skybridge

.NOTPARALLEL:

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## The release binary, target/release/skybridge
	$(SETUP) build
	cargo build --locked --release --package agent

.PHONY: demo
demo: build ## An agent and a collector on this machine's real telemetry; Ctrl-C stops
	exec $(RELEASE) demo

.PHONY: test
test: setup lint unit tidy e2e infra ## Everything that must pass before a change lands

.PHONY: bench
bench: build ## Figures of the whole program, on a quiet machine; RECORD=1 keeps them, WAY=Loki selects
	cargo bench --locked --package otlp --bench walk
	cargo build --locked --profile quick --package tests --bin bench
	SKYBRIDGE_BIN=$(RELEASE) $(TARGET_DIR)/quick/bench $(TARGET_DIR)/criterion '$(WAY)' \
		$(if $(RECORD),| tee tests/benches/RESULTS.md)

.PHONY: setup
setup: ## Installs by name what building and testing need
	$(SETUP) all

.PHONY: fmt
fmt: ## Formats all sources
	cargo fmt --all

.PHONY: clean
clean: ## Removes what was built; the cache of test peers stays
	cargo clean

# The parts of `make test`, each runnable alone.

.PHONY: lint
lint:
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$$($(SETUP) where)/cargo-deny --log-level error check bans licenses sources

# Always the whole workspace: one choice of features, so that no dependency is built twice.
.PHONY: unit
unit:
	cargo test --locked --workspace --lib --bins
	cargo test --locked --workspace --doc

.PHONY: tidy
tidy:
	cargo test --locked --workspace --test tidy

.PHONY: e2e
e2e:
	cargo build --locked --profile quick --package agent
	SKYBRIDGE_BIN=$(E2E_BINARY) cargo test --locked --workspace --test e2e -- $(E2E)

.PHONY: infra
infra:
	@if [ -e infra/Makefile ]; then $(MAKE) -C infra test; fi
