# `make NAME` runs `inv NAME`, whatever the command; the first run also sets .venv up. `make photos-check` is `inv photos check`.
#   make full        make test        make sync-faces COLLECTION=eduguard-school-default
#   make photos-pull ARGS=photos
#   make faults      break each command that writes off at its messages and requests; takes hours
#   make mutants     change the pure modules one small thing at a time, and count what their tests notice
# ARGS passes anything else on: make full ARGS="--yes", make status ARGS=--json

MAKEFLAGS += --no-builtin-rules
FLAGS := $(if $(COLLECTION),--collection $(COLLECTION)) $(ARGS)
# The first word of a command of two names a collection in tasks.py, such as Collection("photos", ...).
words = $(subst -, ,$@)
command = $(if $(shell grep -s 'Collection."$(firstword $(words))"' tasks.py),$(words),$@)

.PHONY: help clean always faults mutants
.DEFAULT_GOAL := help

help: .venv/ready
	@.venv/bin/inv help

# For developers of the suite; docs/faults.md says what this found...
faults: .venv/ready
	@.venv/bin/python tests/faults $(ARGS)

# ... and docs/mutants.md says what this one found. Its tool is not in constraints.txt, because nothing else needs it.
mutants: .venv/ready
	@.venv/bin/python -c 'import cosmic_ray' 2>/dev/null || { \
	  group=$$(.venv/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["mutants"])'); \
	  if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python .venv $$group; \
	  else .venv/bin/pip install --quiet --disable-pip-version-check $$group; fi; }
	@.venv/bin/python tests/mutants $(ARGS)

# Any other name; `always`, because a file or folder of that name does not make the command up to date.
%: .venv/ready always
	@.venv/bin/inv $(command) $(FLAGS)

# Files that make itself looks for; they are not commands.
Makefile pyproject.toml constraints.txt: ;

# Uses uv if it is installed, otherwise venv and pip; both with the pins and hashes of constraints.txt. The stamp is
# written last, so an interrupted set-up starts again. Servers are stopped first, because they run from .venv.
# A checkout that was moved, or whose Python was removed, is set up again: inv's first line names an interpreter by its path.
ifneq ($(wildcard .venv/ready),)
ifeq ($(shell test -x "$$(sed -n '1s/^.!//p' .venv/bin/inv)" && echo there),)
.venv/ready: always
endif
endif
.venv/ready: pyproject.toml constraints.txt
	@set -eu; \
	say() { echo "setup    $$1" >&2; }; \
	if [ -f $@ ]; then say 'stops the servers, which run from .venv'; .venv/bin/inv down || true; fi; \
	say "makes .venv and installs $$(grep -c '^[a-z]' constraints.txt) packages of constraints.txt: this takes a minute or two, once"; \
	if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --clear --python '>=3.11' .venv; \
	  uv pip install --quiet --python .venv --require-hashes -r constraints.txt; \
	  uv pip install --quiet --python .venv --no-deps --no-build-isolation -e .; \
	else \
	  python=; \
	  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then python=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$python" ]; then echo 'error: no Python 3.11 or later found; install one, or uv' >&2; exit 1; fi; \
	  "$$python" -m venv --clear .venv || { echo 'error: no venv; on Debian: apt install python3-venv, or install uv' >&2; exit 1; }; \
	  .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt; \
	  .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi; \
	say 'compiles the modules'; \
	.venv/bin/python -m compileall -q lib tasks.py; \
	touch $@; \
	say '.venv is ready'

clean:
	@if [ -f .venv/ready ]; then .venv/bin/inv down || true; fi
	rm -rf .venv
