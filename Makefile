# Two commands do everything: `make classify` and `make test`. Both set the environment up first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUT ?= classified.jsonl

.PHONY: classify test test-all check format setup clean bench-quality bench-speed bench-published browser

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

classify: $(STAMP)  ## label every sentence of the articles in seeds/articles
	$(BIN)/stanceline classify seeds/articles --force -o $(OUT)

browser:  ## Chromium for the tests of the review page, where it is missing and can be installed
	tests/install_browser.sh

test: $(STAMP) browser  ## the tests, without the slow ones
	$(BIN)/python -m pytest -m "not slow"

test-all: $(STAMP) browser  ## all tests
	$(BIN)/python -m pytest

check: $(STAMP)  ## ruff, mypy and the import order
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_import_order.py

PEERS := eval/peers/.venv

$(PEERS)/.installed: eval/peers/requirements.txt constraints.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r eval/peers/requirements.txt
	touch $@

bench-quality: $(STAMP) $(PEERS)/.installed  ## ours and other libraries, trained and scored on the same data: hours
	$(BIN)/python eval/peers/run.py $(ARGS)

bench-speed: $(STAMP) $(PEERS)/.installed  ## how fast, beside other libraries and beside the machine: on an idle machine
	$(BIN)/python eval/bench_speed.py $(ARGS)

bench-published: $(STAMP)  ## trained and scored on two published tasks, from the base encoder; DATA is their folder
	eval/published/run.sh $(ARGS)

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
