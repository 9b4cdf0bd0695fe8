PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup bench test lint perf perf-gate perf-decide docs check beliefs gallery report clean

help:  ## say what each target does
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / {printf "  make %-24s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@for f in scenarios/*.yaml; do printf '  make bench-%-18s %s\n' "$$(basename $$f .yaml)" "$$(sed -n 's/^question: //p' $$f)"; done

setup: $(READY)  ## make .venv with the pinned dependencies
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "celery-bench needs Python 3.11 or newer; this is $$($(PYTHON) -V). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 3; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

bench: bench-quickstart  ## run the quickstart scenario and write its report

bench-%: scenarios/%.yaml $(READY)
	$(BIN)/celery-bench run $<

test: $(READY)  ## run every test
	$(BIN)/pytest -m 'not alone' --numprocesses 4 --dist loadfile --no-loadscope-reorder --durations 25 --durations-min 5
	$(BIN)/pytest -m alone --durations 25 --durations-min 5

lint: $(READY)  ## format, lint, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests/perf
	$(BIN)/lint-imports

perf: $(READY)  ## measure the harness itself and write docs/performance.md (8 min)
	$(BIN)/pytest tests/perf --benchmark-only
	$(BIN)/python tests/perf/report.py

perf-gate: $(READY)  ## how often a check errs and what it finds (hours; started again it goes on)
	$(BIN)/python tests/perf/gate.py

perf-decide: $(READY)  ## how good tuned settings and plans are (hours; started again it goes on)
	$(BIN)/python tests/perf/grids.py
	$(BIN)/python tests/perf/decide.py
	$(BIN)/python tests/perf/known.py
	$(BIN)/python tests/perf/sizes.py

docs: $(READY)  ## write the generated parts of docs/ again
	$(BIN)/python docs/generate.py

SCENARIO ?= serializers
BASE ?= celery==5.6.*
HEAD ?= celery==5.7.*

check: $(READY)  ## did it become slower? SCENARIO, BASE and HEAD say what (two versions of Celery, 10 min)
	$(BIN)/celery-bench check '$(SCENARIO)' --base '$(BASE)' --head '$(HEAD)'

beliefs: $(READY)  ## what people say, measured, into reports/beliefs/ (half an hour; started again it goes on)
	$(BIN)/celery-bench beliefs --run

gallery: $(READY)  ## keep the page of what people say in reports/gallery/, which is in the repository
	$(BIN)/celery-bench --reports reports/gallery beliefs

report: $(READY)  ## write the report of the latest run again
	$(BIN)/celery-bench report latest

clean:  ## remove the environment, caches and rendered reports; results stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find reports -mindepth 1 -maxdepth 1 ! -name gallery -exec rm -rf {} +
