# Everything runs from here, in any folder, with Python 3.11 or later and make; `make` alone lists what there is.
# The environment is made in .venv, and again when setup.cfg changes. What make has to say goes to standard error.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := -m pip install --quiet --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name does; do \
		printf '  %-12s %s\n' "$$name" "$$does"; \
	done

.PHONY: demo
demo: $(VENV)/demo.stamp ## play a flash sale; STACK=real REQUESTS= BUYERS= STOCK= KEEP=1 change it
	@if [ "$(STACK)" = real ]; then contrib/stack/install.sh; fi
	@$(BIN)/python contrib/demo

.PHONY: test
test: $(VENV)/dev.stamp ## run the tests against real servers, with threads and under gevent; ARGS="-k word" picks
	@contrib/stack/install.sh njs hostile chromium
	@contrib/stack/test.sh $(BIN)/python $(ARGS)

.PHONY: check
check: $(VENV)/dev.stamp ## what a commit must pass: lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=contrib $(BIN)/mypy -p stack -p shop -p demo -p faults -p bench

.PHONY: faults
faults: $(VENV)/dev.stamp servers ## break every part under load and check what became of each order; SEEDS=3 ONLY=name JOBS=3 change it
	@$(BIN)/python contrib/faults

.PHONY: siege
siege: $(VENV)/dev.stamp servers ## kill every process at random, again and again, in one long sale, and audit; ORDERS=2000 SEED=1
	@$(BIN)/python contrib/faults siege

.PHONY: bench
bench: $(VENV)/dev.stamp ## measure beside what it is compared with; ONLY=accept,refuse ROUNDS=5 change it
	@contrib/stack/install.sh wrk
	@$(BIN)/python contrib/bench

.PHONY: lock
lock: $(VENV)/lock.stamp ## write contrib/requirements.txt anew, with the newest versions that setup.cfg allows
	CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/lock/bin/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe \
		--no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--output-file contrib/requirements.txt setup.cfg

.PHONY: clean
clean: ## delete what make and the tools have made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: servers
servers:
	@contrib/stack/install.sh

# -- the environment -----------------------------------------------------------------------------------

$(VENV)/demo.stamp: setup.cfg
	@contrib/stack/venv.sh $(PYTHON) $(VENV)
	@echo "installing into $(VENV)" >&2
	@$(BIN)/python $(PIP_INSTALL) --editable '.[embedded]' >&2
	@touch $@

$(VENV)/dev.stamp: setup.cfg
	@contrib/stack/venv.sh $(PYTHON) $(VENV)
	@echo "installing into $(VENV), with the tools" >&2
	@$(BIN)/python $(PIP_INSTALL) --editable '.[embedded,tracing,altcha,captcha,siteverify,dev]' >&2
	@touch $(VENV)/demo.stamp $@

$(VENV)/lock.stamp: | $(VENV)/dev.stamp
	@contrib/stack/venv.sh $(PYTHON) $(VENV)/lock
	@$(VENV)/lock/bin/python $(PIP_INSTALL) pip-tools >&2
	@touch $@
