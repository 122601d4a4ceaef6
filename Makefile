# Needs make and Python 3.11 or newer; everything else goes into .venv.
PYTHON ?= $(shell for name in python3.11 python3; do \
    $$name -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
STAMP := .venv/.installed
DEMO := demo-output

export PIP_DISABLE_PIP_VERSION_CHECK := 1
.DEFAULT_GOAL := help
.PHONY: help setup demo readme method-pages docs test test-all faults check check-tex bench

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s  %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## create .venv, or bring it up to date

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer with venv on PATH; install it, or pass PYTHON=PATH" >&2; exit 2; }
	test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@echo "installing what constraints.txt names into .venv; the first time takes minutes"
	$(BIN)/python -m pip install --quiet --no-input -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP) ## train FB-CLIP on generated images, beside plain CLIP: no download, under three minutes
	@mkdir -p $(DEMO) && echo '*' > $(DEMO)/.gitignore
	ZSADBENCH_CACHE=$(DEMO)/cache $(BIN)/python tools/demo_table --out $(DEMO)/results
	@echo "Generated images and a demo backbone, not CLIP: these numbers rank no method. More: docs/demo.md"

readme: $(STAMP) ## make docs/demo.md, the README's table and its pictures anew; half an hour, needs Chromium
	@mkdir -p $(DEMO) && echo '*' > $(DEMO)/.gitignore
	ZSADBENCH_CACHE=$(DEMO)/cache $(BIN)/python tools/demo_table --all --seed 0,1,2 --out $(DEMO)/results --write docs/demo.md
	ZSADBENCH_CACHE=$(DEMO)/cache $(BIN)/python tools/readme --results $(DEMO)/results

method-pages: $(STAMP) ## make what docs/methods.md and docs/methods say of every method's card, cost and numbers anew
	$(BIN)/python tools/method_pages

docs: $(STAMP) ## build the site into site/, without a network; count the commands of the pages by how they are tested
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@$(BIN)/python tools/doc_commands
	@echo "open site/index.html"

test: $(STAMP) ## run the tests, on as many processes as there are cores
	$(BIN)/pytest -q -n logical -m "not wheel and not slow"

test-all: $(STAMP) ## run the tests, those too that take more than twenty seconds each
	$(BIN)/pytest -q -n logical -m "not wheel"

KILLS := 300
faults: $(STAMP) ## kill runs at random moments, KILLS=300 times, and check that nothing is lost; a quarter of an hour
	$(BIN)/python -m tools.faults --kills $(KILLS)

check: $(STAMP) ## formatting, lint, types, who may import whom
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

check-tex: $(STAMP) ## compile the tables of the report; fails where there is no pdflatex
	ZSADBENCH_NEEDS_TEX=1 $(BIN)/pytest -q tests/reports/test_compile.py

bench: $(STAMP) ## speed, side by side with the slow way, as ratios
	@for file in benchmarks/*.py; do echo "$$file"; $(BIN)/python "$$file" || exit 1; done
