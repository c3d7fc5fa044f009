# Millrace: everything runs from here. `make` alone lists the targets.

TRANSCODERS ?= 1
NATS_NODES ?= 1
WORKSPACE ?= folder
NATS_TLS ?= 0
PORT_BASE ?= 18080
STATE_DIR ?= .millrace
VIDEO ?=
CLIP ?=
SERVICE ?=
VERSION ?=
SEED ?=
JOBS ?=
MINUTES ?=
ROUNDS ?=
OTHERS ?=
ANYWAY ?=
RECORD ?=
OLD ?=
# The first Python that is new enough.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
# Values reach the commands through the environment, so that spaces and quotes in a path are just characters.
export TRANSCODERS NATS_NODES NATS_TLS WORKSPACE PORT_BASE STATE_DIR VIDEO CLIP SERVICE VERSION SEED JOBS MINUTES OLD ROUNDS OTHERS ANYWAY RECORD

# The tests and the stack start hundreds of Python processes: each would compile all of its modules again.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help docs wheels demo up down ps logs doctor test test-unit coverage corpus chaos rolling lanes compose soak check format bench ladder fleet formats documents vendor lock release .venv

help: ## Show this list
	@echo "Millrace: video in over REST, adaptive HLS out to a bucket."
	@echo
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Choices, as in \`make up TRANSCODERS=2 PORT_BASE=28000 STATE_DIR=/somewhere\`:"
	@echo "  TRANSCODERS=$(TRANSCODERS)  NATS_NODES=$(NATS_NODES) (1, or 3 for a cluster)  NATS_TLS=$(NATS_TLS) (1 for TLS)  WORKSPACE=$(WORKSPACE) (or s3)  PORT_BASE=$(PORT_BASE) (this and the 99 ports after it)  STATE_DIR=$(STATE_DIR)"

demo: $(STAMP) ## Transcode a clip, or VIDEO=<path or URL>, and watch it being done
	@./millrace demo

up: $(STAMP) ## Start everything in the background and write the file env in STATE_DIR
	@./millrace up

down: $(STAMP) ## Stop everything; the data stays
	@./millrace down

ps: $(STAMP) ## Show the processes of the stack
	@./millrace ps

doctor: $(STAMP) ## Find out what keeps a stack from working, and what to do about it
	@./millrace doctor

logs: $(STAMP) ## Follow all logs, or those of SERVICE=<name>
	@./millrace logs

test: $(STAMP) ## Run the whole test suite, on real servers
	@$(VENV)/bin/python -m pytest -q -n 2 --dist worksteal --cov --cov-report= tests/unit
	@# Most of these wait for servers and processes, so four modules run side by side; of whole stacks, two are enough for two cores.
	@$(VENV)/bin/python -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder tests/integration
	@$(VENV)/bin/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests/e2e
	@$(VENV)/bin/python -m tools.coverage_table

coverage: $(STAMP) ## Print what the unit and integration tests cover, which takes them twice as long
	@$(VENV)/bin/python -m pytest -q -n 3 --dist loadfile --cov --cov-report= tests/unit tests/integration
	@$(VENV)/bin/python -m tools.coverage_table

test-unit: $(STAMP) ## Run the tests that need no server
	@$(VENV)/bin/python -m pytest -q -n 2 --dist worksteal --hypothesis-profile quick tests/unit

corpus: $(STAMP) ## Send all real files of ../shared/media, films of many hours and ten thousand jobs through a stack; encode a thousand broken files
	@CORPUS=all $(VENV)/bin/python -m pytest tests/integration/test_mutants.py tests/integration/test_endings.py tests/integration/test_encrypted_playback.py tests/e2e/test_corpus.py tests/e2e/test_field.py tests/e2e/test_workspace_in_s3.py \
		tests/e2e/test_long.py tests/e2e/test_long_outage.py tests/e2e/test_long_queue.py

chaos: $(STAMP) ## Run JOBS=60 jobs while faults of all kinds hit a stack for MINUTES=4, and account for each; SEED=<n> repeats a run
	@$(VENV)/bin/python -m tests.chaos

rolling: $(STAMP) ## Go over from revision OLD (default: the last release, or the schema of events before) to this tree and back under load
	@$(VENV)/bin/python -m tests.rolling

lanes: $(STAMP) ## Send clips beside a film of ten minutes to a single slot, and print what each of them waited for
	@$(VENV)/bin/python -m tests.chaos.lanes

compose: $(STAMP) ## Follow the README's way with Docker, and again with two of every service; builds images
	@COMPOSE=1 $(VENV)/bin/python -m pytest -q tests/e2e/test_compose.py

soak: $(STAMP) ## Send JOBS=2000 tiny jobs through a stack and watch the memory of each service
	@$(VENV)/bin/python -m tests.chaos.soak

check: $(STAMP) ## Lint, formatting, types, import contracts
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	env PYTHONPATH=client/src $(VENV)/bin/lint-imports --config client/pyproject.toml

format: $(STAMP) ## Format the code and put its imports in order
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(STAMP) ## Measure a clip, or CLIP=<path>, against plain ffmpeg, ROUNDS=3 by turns, and OTHERS; RECORD=1 writes docs/benchmarks
	@./millrace bench

ladder: $(STAMP) ## Measure the encoding profiles on a clip, or CLIP=<path>
	@$(VENV)/bin/python -m tools.measure_ladder "$$CLIP"

fleet: $(STAMP) ## Run fleets of 1 to 64 simulated slots on a film of two hours and on 500 mixed jobs; more than an hour
	@$(VENV)/bin/python -m tests.chaos.fleet

formats: $(STAMP) ## Send a sample of every format through a stack and write docs/formats.md
	@$(VENV)/bin/python -m tools.formats

documents: $(STAMP) ## Write the documents that are made from the code
	@$(VENV)/bin/python -m tools.documents

docs: $(STAMP) ## Build the documentation as a site into build/docs/html, and check every link in it
	@$(VENV)/bin/python -m tools.site

vendor: $(STAMP) ## Write the vendor/ of console and API page as their locks say (needs npm); PIN=1 takes new digests for versions that were changed there
	@$(VENV)/bin/python -m tools.vendor_console $(if $(PIN),--pin)

wheels: $(STAMP) ## Build the wheel of the Python client into dist/
	@# With the build backend that the lock names: nothing is downloaded. What an earlier build left would go into the wheel.
	@rm -rf client/build
	@$(VENV)/bin/python -m pip --disable-pip-version-check wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir dist ./client
	@ls dist/millrace_client-*.whl

COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --quiet
IMAGE_EXTRAS := api fetcher media uploader

lock: ## Resolve pyproject.toml into requirements.lock and what the images install of it (needs uv)
	@$(COMPILE) --all-extras --output-file requirements.lock
	@# The same versions, since the whole lock constrains them. Each is written anew: what stands there would count as wanted.
	@rm -f deploy/locks/*.lock
	@$(COMPILE) --no-annotate --constraints requirements.lock --output-file deploy/locks/base.lock
	@for extra in $(IMAGE_EXTRAS); do \
		$(COMPILE) --no-annotate --constraints requirements.lock --extra $$extra --output-file deploy/locks/$$extra.lock || exit 1; done
	@uv run --no-project --quiet --with pip --with packaging python -m tools.lock_platforms

release: check ## Tag what is checked out as VERSION=<1.2.3>; pushes nothing
	@$(VENV)/bin/python -m tools.release "$$VERSION"

.venv: $(STAMP) ## Install what the lock file names into .venv

# The stamp is written last, so an interrupted installation is done again, and so is one of an older lock.
$(STAMP): requirements.lock
	@test -n "$(PYTHON)" || { echo "Millrace needs Python 3.11 or newer on the PATH (or PYTHON=<path>)." >&2; exit 1; }
	@$(PYTHON) -m shared.system
	@echo "Installing into $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --no-compile --require-hashes -r requirements.lock
	@touch $@
