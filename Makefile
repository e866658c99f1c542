# `make` lists the targets. `make setup` installs what is needed; the targets that need it run it.
SHELL := /bin/bash
export PATH := $(CURDIR)/.mangoes/tools/bin:$(PATH)
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint fmt fix sqlx sqlx-check bless unused check bench bench-check \
  bench-bless bench-pure chaos shrink hunt image compose-test cluster-test

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

setup: ## install nats-server, Postgres and PgBouncer where they are missing
	@scripts/setup

demo: setup ## the main job end to end on local servers, without a TMDB key
	cargo run --release -p mangoes -- demo

test: setup ## all tests, against real servers and each version of Postgres that can be had
	@scripts/postgres-versions >/dev/null
	@if cargo nextest --version >/dev/null 2>&1; then \
	  echo "cargo nextest run --workspace"; cargo nextest run --workspace; \
	else \
	  echo "cargo test --workspace"; cargo test --workspace; \
	fi

lint: ## formatting, clippy, documentation, and licences where cargo-deny is installed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	@if cargo deny --version >/dev/null 2>&1; then echo "cargo deny check"; cargo deny check; fi

fmt: ## format all Rust code
	cargo fmt --all

fix: ## apply what clippy can mend by itself, then format
	cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
	cargo fmt --all

sqlx: setup ## write .sqlx again, after a change of SQL or of a migration
	@scripts/sqlx-prepare

sqlx-check: setup ## fail where .sqlx differs from the queries
	@scripts/sqlx-prepare --check

# One build for all tests: a package alone would have other features.
bless: ## write generated files again: schemas, docs/api, events.md, fates.md, schema.txt
	MANGOES_BLESS=1 cargo test --workspace --bins --test contracts --test contract --test it -- \
	  schemas_and_asyncapi_are_those_of_the_types has_a_file_and fates:: schema::
	git status --short proto docs migrations

unused: ## fail where a Cargo.toml names a dependency that is not used
	@scripts/unused-dependencies

check: ## what CI does, in CI's order: before a push
	@.ci/run

# One build: `make demo` builds the same program.
BENCH = cargo build --release -p mangoes -p bench && $${CARGO_TARGET_DIR:-target}/release/bench

bench: setup ## speed and cost of a movie, on real servers: make bench ARGS="--movies 1000"
	$(BENCH) $(ARGS)

bench-check: setup ## fail where a movie costs a third more beside the reference than it did
	$(BENCH) --short --check

bench-bless: setup ## make what a short bench measures the baseline: on a quiet machine
	$(BENCH) --short --bless

bench-pure: ## what reading, mapping and comparing a movie costs, without servers
	cargo bench -p mangoes -p bench --bench pure

CHAOS = MINUTES=$(or $(MINUTES),10) SEED=$(or $(SEED),1) SERVERS=$(or $(SERVERS),1) \
  ONLY=$(ONLY) WITHOUT=$(WITHOUT) cargo test --workspace --test chaos --

chaos: setup ## faults and an oracle, on one NATS server and on three: make chaos MINUTES=10 SEED=7
	$(CHAOS) every_obligation --nocapture

shrink: setup ## which few faults of a failing run matter: make shrink MINUTES=2 SEED=7
	$(CHAOS) --ignored shrink:: --nocapture

hunt: setup ## switch one safeguard off at a time: the oracle has to notice each
	$(CHAOS) --ignored hunt:: --test-threads 1 --nocapture

# The commit is that of what is built: a change of a document builds nothing again.
BUILT = .dockerignore .sqlx Cargo.lock Cargo.toml Dockerfile LICENSE \
  crates docker migrations nats proto services
DIRTY = $(shell git diff --quiet HEAD -- $(BUILT) || echo -dirty)
COMMIT = $(shell git log -1 --format=%h -- $(BUILT))$(DIRTY)

image: ## one image for every service, which knows its commit
	docker build -t mangoes:latest \
	  --build-arg COMMIT="$(COMMIT)" \
	  --build-arg SOURCE="$$(git config remote.origin.url)" .

compose-test: setup ## the containers of docker-compose.yml: start, work, kill each, refuse
	@scripts/compose-test

cluster-test: setup ## the containers of compose.cluster.yml: work goes on while any one is away
	@scripts/cluster-test
