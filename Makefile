# make demo: from a clone to videos. make test: everything that is checked. make paper: docs/paper.md's experiment.
PYTHON ?= python3.11
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
PACKAGES := $(filter-out tests/with_robosuite tests/cuda,$(patsubst %/,%,$(wildcard tests/[!_]*/)))
LONGEST := tests/commands tests/training tests/policies
JOBS ?= 2

.PHONY: demo fuzz paper paper-small tables docs test torture lint types test-robosuite test-cuda install clean $(PACKAGES)

demo: install
	@$(BIN)/s2robot demo $(DEMO)

# Damaged and hostile files for every reader, hours; FUZZ='run --count 500' for some of them.
fuzz: install
	$(BIN)/python benchmarks/fuzz.py $(FUZZ)

# The S2 paper's experiment: hours, --small less than one. Cells of docs/results are not run again, so both go on.
paper: install
	$(BIN)/python benchmarks/paper.py $(PAPER)

paper-small: install
	$(BIN)/python benchmarks/paper.py --small $(PAPER)

# The tables of README and docs, rebuilt from docs/results.
tables: install
	$(BIN)/python benchmarks/tables.py

# Each package's tests run in a process of their own: together they would load every library that brings its own
# LLVM, OpenMP and OpenGL into one process, which no user's command does. JOBS of them at once, each on one thread,
# the longest first, so that none is left alone at the end.
test: install
	$(MAKE) --jobs=$(JOBS) $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) lint types \
	  test-robosuite $(LONGEST) $(filter-out $(LONGEST),$(PACKAGES)) docs test-cuda

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

$(PACKAGES): install
	@echo "$@"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q $@

# The documentation as a site in build/site; a broken link fails. NO_MKDOCS_2_WARNING: no advertisement.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# What only a GPU can show; without one every test is skipped and pytest says why.
test-cuda: install
	$(BIN)/python -m pytest -q -rs tests/cuda

# robosuite needs an older MuJoCo and NumPy than the rest is tested with: an environment of its own. Its tests
# fail where robosuite is missing, they are never skipped.
test-robosuite: .venv-robosuite/installed
	.venv-robosuite/bin/python -m pytest -q tests/with_robosuite

# Commands stopped at random moments and run again, see docs/trust.md; TORTURE="--count 5" for a short one.
torture: install
	$(BIN)/python benchmarks/torture.py $(TORTURE)

install: .venv/installed

# robomimic asks for egl_probe, which needs a compiler and is not used: it comes without its
# requirements, and pyproject.toml names those that it imports.
.venv/installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing; install Python 3.11 or say make PYTHON=..."; exit 2; }
	$(PYTHON) -m venv .venv || { echo "error: cannot make .venv; on Debian: apt-get install python3.11-venv"; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test,docs]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps robomimic
	@touch $@

.venv-robosuite/installed: pyproject.toml constraints-robosuite.txt
	$(PYTHON) -m venv .venv-robosuite
	.venv-robosuite/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints-robosuite.txt --editable '.[robosuite]' beartype pytest
	.venv-robosuite/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint constraints-robosuite.txt --no-deps robomimic
	@touch $@

clean:
	rm -rf .venv .venv-robosuite build *.egg-info
