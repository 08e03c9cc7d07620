# One command each. GNU make 3.81 (macOS) or newer; everything stays in this checkout and in the user's cache.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo demo-crash dev test test-unit soak chaos lint format lock bench pictures clean weaviate

BIN := .venv/bin
ARGS ?=

# A question may hold quotes, `$` and backticks: it reaches the program through the environment, as it was typed.
QUESTION ?=
unexport QUESTION
export DEMO_QUESTION := $(value QUESTION)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.runtime ## Make .venv with all that Perdure needs to run
	@echo "Ready. Try: make demo"

demo: .venv/.runtime ## Start everything, run an agent and show it: make demo QUESTION="..."
	@$(BIN)/perdure demo -- $${DEMO_QUESTION:+"$$DEMO_QUESTION"}

demo-crash: .venv/.runtime ## The same, with the worker killed in the middle
	@$(BIN)/perdure demo --crash -- $${DEMO_QUESTION:+"$$DEMO_QUESTION"}

dev: .venv/.runtime ## Start Temporal, Weaviate and a worker, until Ctrl-C
	@$(BIN)/perdure dev

test: .venv/.dev weaviate ## Run the whole test suite: make test ARGS="-k name"
	@$(BIN)/pytest $(ARGS)

test-unit: .venv/.dev ## Run the tests that need no server
	@$(BIN)/pytest tests/unit $(ARGS)

soak: .venv/.dev weaviate ## Run the tests that take minutes: a chat of 2,000 turns
	@$(BIN)/pytest tests/soak -m soak $(ARGS)

chaos: .venv/.dev ## Run agents while workers are killed, and check what is promised: make chaos ARGS="--seed 7 --runs 50"
	@$(BIN)/python -m tests.chaos $(ARGS)

lint: .venv/.dev ## Check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_names.py

format: .venv/.dev ## Format the code
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

lock: ## Pin all dependencies again; make lock FLAGS=--upgrade takes newer ones
	@scripts/lock.sh $(FLAGS)

bench: .venv/.bench ## Measure, and compare with the peers: make bench ARGS="growth"
	@$(BIN)/python -m benchmarks $(ARGS)

pictures: .venv/.pictures weaviate ## Draw the pictures of the docs again: make pictures ARGS=support
	@$(BIN)/python -m docs.pictures $(ARGS)

clean: ## Remove .venv and caches; the state in .perdure stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

weaviate: .venv/.runtime
	@$(BIN)/python -m temporal.dev.fetch

.venv/.runtime: pyproject.toml requirements.lock
	@scripts/setup.sh requirements.lock && touch $@

.venv/.dev: pyproject.toml requirements-dev.lock
	@scripts/setup.sh requirements-dev.lock && touch $@ .venv/.runtime

.venv/.bench: .venv/.dev benchmarks/deepagents.lock
	@PYTHON=$(BIN)/python scripts/setup.sh benchmarks/deepagents.lock .venv/deepagents && touch $@

.venv/.pictures: pyproject.toml requirements-pictures.lock
	@scripts/setup.sh requirements-pictures.lock && touch $@ .venv/.dev .venv/.runtime
