# Needs make and Python 3.11 or newer; everything else goes into .venv.
PYTHON ?= $(shell for name in python3.11 python3; do \
    $$name -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
STAMP := .venv/.installed
DEMO := demo-output

export PIP_DISABLE_PIP_VERSION_CHECK := 1
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s  %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## create .venv, or bring it up to date

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer with venv on PATH; install it, or pass PYTHON=PATH" >&2; exit 2; }
	test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@echo "installing what constraints.txt names into .venv; the first time takes minutes"
	$(BIN)/python -m pip install --quiet --no-input -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP) ## run fbclip and clip on drawn miniatures, with random weights: no download, a minute or two
	@mkdir -p $(DEMO) && echo '*' > $(DEMO)/.gitignore
	$(BIN)/zsadbench datasets synth mvtec --out $(DEMO)/data
	$(BIN)/zsadbench datasets synth visa --out $(DEMO)/data
	ZSADBENCH_CACHE=$(DEMO)/cache OMP_NUM_THREADS=1 $(BIN)/zsadbench run -m fbclip -m clip -t visa \
	    --backbone benchmarks/tiny.json --weights random --device cpu --data-root $(DEMO)/data --out $(DEMO)/results
	@echo "The weights are random and the images are drawn: these numbers mean nothing."
	@echo "Records, one JSON a method with a row an image beside it: $(DEMO)/results/visa/"

test: $(STAMP) ## run the tests
	$(BIN)/pytest -q -m "not wheel"

check: $(STAMP) ## formatting, lint, types, who may import whom
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP) ## speed, side by side with the slow way, as ratios
	@for file in benchmarks/*.py; do echo "$$file"; $(BIN)/python "$$file" || exit 1; done
