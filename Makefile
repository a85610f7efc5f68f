# The commands that CI runs, and that a person runs. Each sets up .venv by itself.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
EXTRAS := server,postgresql,frames,parquet,figures,sklearn,onnx,serve,streamlit
UV := $(shell command -v uv 2>/dev/null)

unexport PYTHONDONTWRITEBYTECODE  # tests and demo start hundreds of processes, and each would compile the same modules

.PHONY: help setup demo test lint format release-template picture screenshots bench clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 20

setup: $(READY)  ## set up .venv with everything

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v < (3, 15) else f"Runyard needs Python 3.11 to 3.14; $(PYTHON) is {v.major}.{v.minor}. Try: make PYTHON=python3.12")'
ifdef UV
	uv venv --quiet --clear --seed --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
	VIRTUAL_ENV=$(VENV) uv pip install --quiet --editable '.[$(EXTRAS)]' --group dev
else
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]' --group dev
endif
	@touch $(READY)

demo: $(READY)  ## a project, a grid of 36 runs on real data, a leaderboard
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python examples/demo.py

test: $(READY)  ## all tests, on all cores
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: $(READY)  ## ruff, mypy, the direction of imports, the types of the page
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports
	@if command -v npx > /dev/null; then npx --yes --package typescript@5 tsc --noEmit -p src/runyard/dashboard; else echo "npx is missing: the types of the page are not checked"; fi

format: $(READY)  ## let ruff put things in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

release-template: $(READY)  ## keep this version of the template for good, so that projects can be updated from it
	$(BIN)/python -m runyard.project.template.bundle template

picture: $(READY)  ## draw docs/images/demo.svg from a demo
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python examples/picture.py

screenshots: $(READY)  ## pictures of the dashboard, the customer's page and a report into docs/images
	$(BIN)/python -m examples.screenshots
	$(BIN)/python -m examples.showing_screenshots

bench: $(READY)  ## every number of the README, beside its limit
	$(BIN)/python benchmarks/all.py

clean:  ## forget .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache demo
