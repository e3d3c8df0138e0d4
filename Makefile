# Everything one does with this repository; `make` alone lists it.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help up build test check format clippy docs deny deploy tests soak generated clean

# `make up PROFILE=release` for speed at run time; the default is there sooner and shares its work with the tests.
PROFILE ?= dev
# For `profe up`: make up ARGS="--data-dir /var/lib/profe"
ARGS ?=

TARGET := $(or $(CARGO_TARGET_DIR),target)
BINARIES := $(TARGET)/$(if $(filter dev test,$(PROFILE)),debug,$(PROFILE))
# A lock file that does not fit the manifests is an error where nobody would notice it being rewritten.
LOCKED := $(if $(CI),--locked)

# pg_query's build script reads C headers through libclang, which does not bring the compiler's own (stdbool.h).
ifndef BINDGEN_EXTRA_CLANG_ARGS
export BINDGEN_EXTRA_CLANG_ARGS := -I$(shell $(CC) -print-file-name=include 2>/dev/null)
endif

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | expand -t 12

up: ## installs what is missing, builds, and runs the platform with a database of its own; Ctrl-C stops it
	@scripts/needs.sh default-database
	cargo build $(LOCKED) --profile $(PROFILE) -p profe
	@exec $(BINARIES)/profe up $(ARGS)

build: ## the binary as it is shipped, in target/release/profe
	@scripts/needs.sh
	cargo build $(LOCKED) --release -p profe

# One build from nothing gains nothing by what the next build would use, and twice the room is taken. The soak waits for servers
# most of its time, so it runs beside the checks; what it says comes after them.
test: export CARGO_INCREMENTAL := 0
test: ## installs what is missing, then runs every check, every test and ten minutes of the soak
	@scripts/needs.sh test-database
	cargo test $(LOCKED) --workspace --no-run
	cargo build $(LOCKED) -p profe -p soak
	@$(TARGET)/debug/soak --seconds 600 --seed $(or $(SEED),20260901) $(SOAK_ARGS) >$(TARGET)/soak.log 2>&1 & soak=$$!; trap 'kill $$soak' INT TERM; \
	checked=0; $(MAKE) --no-print-directory check || checked=$$?; \
	soaked=0; wait $$soak || soaked=$$?; cat $(TARGET)/soak.log; [ $$checked = 0 ] && [ $$soaked = 0 ]
	@$(MAKE) --no-print-directory tests

check: format clippy docs deny deploy ## formatting, lints, documentation, dependencies, deploy/

format:
	cargo fmt --all --check
	@cargo metadata $(LOCKED) --format-version 1 --manifest-path benches/Cargo.toml > /dev/null

clippy:
	@scripts/needs.sh
	cargo clippy $(LOCKED) --workspace --all-targets -- -D warnings

# Private items are documented too, so links to them are good; `<schema>` in a doc comment is the text of a --help.
docs:
	@scripts/needs.sh
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links -A rustdoc::invalid_html_tags" cargo doc $(LOCKED) --workspace --no-deps --document-private-items

deny:
	@scripts/deny.sh

deploy:
	@scripts/deploy.sh

# One PostgreSQL serves all test programs; it is started for the run and leaves nothing behind.
tests: ## only the tests
	@scripts/needs.sh test-database
	@scripts/contract.sh
	cargo test $(LOCKED) --workspace --no-run
	$(TARGET)/debug/with-test-server cargo test $(LOCKED) --workspace --no-fail-fast

# What is asked and what is broken is drawn from the seed: docs/operations.md, "The soak".
SOAK_SECONDS ?= 1800
soak: ## half an hour of everything at once while everything breaks; SEED=7 repeats one, SOAK_SECONDS=600 is shorter
	@scripts/needs.sh test-database
	cargo build $(LOCKED) -p profe -p soak
	$(TARGET)/debug/soak --seconds $(SOAK_SECONDS) $(if $(SEED),--seed $(SEED)) $(SOAK_ARGS)

generated: ## writes anew what is made from the code and the database: openapi/, the ERD
	@scripts/needs.sh default-database
	cargo build $(LOCKED) -p profe
	$(TARGET)/debug/profe openapi >$(TARGET)/openapi.json && mv $(TARGET)/openapi.json openapi/migration-service.json
	UPDATE_OPENAPI=1 cargo test $(LOCKED) -p auth -p users -p organizations document
	UPDATE_GATEWAY=1 cargo test $(LOCKED) -p gateway --test deploy
	$(TARGET)/debug/profe db erd

clean: ## removes what was built; data in .profe/ stays
	cargo clean
