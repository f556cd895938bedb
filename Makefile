# `make demo` and `make test` set everything up; the rest is for working on the project.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.stamp
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test test-all lint format types docs bench clean

demo: $(STAMP)/core
	$(BIN)/phosphene demo --folder runs/demo

# Files side by side in two processes, each with one thread.
test: $(STAMP)/dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-all: $(STAMP)/dev
	$(BIN)/python -m pytest -m ""

lint: $(STAMP)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: $(STAMP)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP)/dev
	$(BIN)/mypy

docs: $(STAMP)/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# `make bench MODEL=run/model SOURCE=file REFERENCE=file` also compares decoding with its peers.
bench: $(STAMP)/bench
	$(BIN)/python benchmarks/train.py
	$(if $(MODEL),$(BIN)/python benchmarks/decode.py --model $(MODEL) --source $(SOURCE) --reference $(REFERENCE))

$(STAMP)/core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) -e .
	mkdir -p $(STAMP) && touch $@

$(STAMP)/dev: $(STAMP)/core
	$(PIP) -e '.[dev,pretrained]'
	touch $@

$(STAMP)/docs: $(STAMP)/core
	$(PIP) -e '.[docs]'
	touch $@

$(STAMP)/bench: $(STAMP)/dev
	$(PIP) -e '.[bench]'
	touch $@

clean:
	rm -rf .venv site build dist
