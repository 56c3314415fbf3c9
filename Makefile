# Everything here gets the machine ready by itself first; see scripts/setup.sh.

cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/parfocal
tools := $(cache)/tools

# One place for what is built, shared by all these targets and by every checkout.
CARGO_TARGET_DIR ?= $(or $(PARFOCAL_TARGET_DIR),$(cache)/target)
export CARGO_TARGET_DIR

# .cargo/config.toml sets this path only where the environment has none.
openslide := $(CURDIR)/.deps/openslide/lib/pkgconfig
ifneq ($(origin PKG_CONFIG_PATH),undefined)
ifeq ($(findstring $(openslide),$(PKG_CONFIG_PATH)),)
PKG_CONFIG_PATH := $(openslide)$(if $(PKG_CONFIG_PATH),:$(PKG_CONFIG_PATH))
endif
export PKG_CONFIG_PATH
endif

# Handed on through the environment, so that any file name arrives whole.
SLIDE ?=
ARGS ?=
export SLIDE

.DEFAULT_GOAL := help
.PHONY: help run test test-card lint bench setup fmt clean clean-deps

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: ## Open a slide (SLIDE=path; without it, the demo slide)
	@sh scripts/setup.sh run
	@cargo run --release --locked -- $${SLIDE:+"$$SLIDE"} $(ARGS)

test: ## Run all the tests
	@sh scripts/setup.sh run test
	cargo test --release --locked --no-fail-fast

# In the release profile throughout, so that what the build compiles for build
# scripts and macros serves here too. Advisories are left out: they need the
# network, and change without a change here.
lint: ## Check style, lints, documentation, spelling, licences and scripts
	@sh scripts/setup.sh lint
	cargo fmt --all --check
	cargo clippy --release --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --release --locked --no-deps --document-private-items
	'$(tools)/typos'
	'$(tools)/cargo-deny' --locked --log-level warn check --hide-inclusion-graph bans licenses sources
	shellcheck -x .ci/run scripts/*.sh

test-card: ## Run networks on the graphics device; minutes where that is the processor
	cargo test --release --locked --lib -- --ignored --nocapture a_network_on_the_windows_device
	cargo test --release --locked --test segment -- --ignored the_device_changes

bench: ## Measure: the benchmarks, then the whole pipeline as JSON
	@sh scripts/setup.sh run
	cargo bench --locked
	cargo run --release --locked -- bench --json $(ARGS)

setup: ## Install what building, running, testing and linting need
	@sh scripts/setup.sh run test lint

fmt: ## Format the code
	cargo fmt --all

clean: ## Remove what was built
	cargo clean

clean-deps: ## Remove the fetched OpenSlide, tools and downloads
	rm -rf .deps '$(cache)/downloads' '$(cache)/tools'
