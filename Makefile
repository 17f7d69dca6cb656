# Two commands do everything: `make classify` and `make test`. Both set the environment up first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUT ?= classified.jsonl

.PHONY: classify test test-all check format setup clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

classify: $(STAMP)  ## label every sentence of the articles in seeds/articles
	$(BIN)/stanceline classify seeds/articles --force -o $(OUT)

test: $(STAMP)  ## the tests, without the slow ones
	$(BIN)/python -m pytest -m "not slow"

test-all: $(STAMP)  ## all tests
	$(BIN)/python -m pytest

check: $(STAMP)  ## ruff, mypy and the import order
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_import_order.py

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
