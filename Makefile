# Every target does the set-up it needs. Variables: PYTHON (3.11 or later), PYTEST_ARGS, BENCH_ARGS, QUICK=1 (a bench of minutes).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
# An editable installation is meant: its warning would only worry the newcomer.
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet
C_SOURCES := $(wildcard rtpbridge/*.c rtpbridge/*.h) rtpbridge/build.py

.PHONY: setup demo test test-postgresql bench soak lint docs clean test-system translations

setup: $(STAMP)-base

$(STAMP)-base: pyproject.toml setup.py $(C_SOURCES)
	@PYTHON=$(PYTHON) deploy/need-build-tools
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	$(PIP) --editable .
	@touch $@

$(STAMP)-develop: $(STAMP)-base
	$(PIP) --editable '.[test,lint,docs]'
	@touch $@

$(STAMP)-bench: $(STAMP)-develop
	$(PIP) --editable '.[bench]'
	@touch $@

demo: setup
	$(BIN)/webcb demo $(DEMO_ARGS)

test-system:
	@PYTHON=$(PYTHON) deploy/need-test-tools

# Tests start hundreds of Python programs, and pytest rewrites every file of tests: what is compiled once is kept, wherever the
# environment says otherwise.
test test-postgresql soak: export PYTHONDONTWRITEBYTECODE =

# Most of the suite waits for real programs; two at a time halve the wait.
test: $(STAMP)-develop test-system lint docs
	$(BIN)/python -m pytest -m 'not soak' --numprocesses 2 --dist worksteal $(PYTEST_ARGS)
	$(BIN)/python -m pytest -m 'not soak' --numprocesses 2 --dist worksteal --database postgresql \
		tests/billing tests/cli tests/clerk tests/provisioning

# The tests that go through the database, on the other one.
test-postgresql: $(STAMP)-develop test-system
	$(BIN)/python -m pytest -m 'not soak' --numprocesses 2 --dist worksteal --database postgresql $(PYTEST_ARGS)

soak: $(STAMP)-develop test-system
	@deploy/need-soak-tools
	$(BIN)/python -m pytest -m soak --timeout 7200 $(PYTEST_ARGS)

bench: $(STAMP)-bench
	$(BIN)/python -m bench $(if $(QUICK),--quick) $(BENCH_ARGS)

lint: $(STAMP)-develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP)-develop
	$(BIN)/mkdocs build --quiet --strict

# Gathers the texts of the pages into the catalogues; what is new there has to be translated by hand, a test says what is missing.
translations: $(STAMP)-develop
	@mkdir -p build
	$(BIN)/pybabel --quiet extract --no-location --sort-output --mapping-file webcb/web/translations/babel.cfg \
		--keywords marked --keywords NumberError --keywords lazy_gettext --output-file build/pages.pot webcb
	@for catalogue in webcb/web/translations/*.po; do $(BIN)/pybabel --quiet update --no-fuzzy-matching --no-wrap --omit-header \
		--ignore-obsolete --input-file build/pages.pot --output-file $$catalogue --locale $$(basename $$catalogue .po); done

clean:
	rm -rf $(VENV) build dist site *.egg-info rtpbridge/_bridge.c rtpbridge/*.so
