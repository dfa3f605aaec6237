# Every target does the set-up it needs first; on a machine that is set up this takes no time.
PYTHON := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help run up demo test interop cluster fuzz properties lint format lock clean

help:
	@echo 'make run     start the server with the shipped flows, and print how to call it'
	@echo 'make up      the same with its services beside it: voices, recognisers, dashboard; stops them together'
	@echo 'make demo    two scripted calls to the vendor-order flow, from the INVITE to the stored result'
	@echo 'make test    linters, types, import layers, unit tests, and calls with the phones of other projects'
	@echo 'make interop calls with the phones of other projects alone, and docs/interop.md from what is seen'
	@echo 'make cluster the speech services in replicas on a Ray cluster of this machine, some of them killed'
	@echo 'make fuzz    ten minutes of broken messages and packets, against everything that strangers can reach'
	@echo 'make properties  the property tests with many new examples, some minutes'
	@echo 'make lint    only the linters, types and import layers'
	@echo 'make format  format the code'
	@echo 'make lock    pin the newest packages that pyproject.toml allows'
	@echo 'make clean   remove the virtual environment and caches (not the data in var/)'

run:
	@scripts/setup run
	@.venv/bin/ivr serve

up:
	@scripts/setup run
	@.venv/bin/ivr up

demo:
	@scripts/setup run
	@.venv/bin/ivr demo

lint:
	@scripts/setup lint
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

# The summary comes last. Much of the time is spent waiting for calls: four tests at a time use two cores well,
# and who is done takes over what others have left.
test: lint
	@scripts/setup test
	$(PYTHON) -m pytest -n 4 --dist worksteal

interop:
	@scripts/setup test
	$(PYTHON) -m pytest tests/interop -n 2 --write-interop

cluster:
	@scripts/setup cluster
	$(PYTHON) -m pytest tests/cluster -m "cluster or not cluster"

fuzz:
	@scripts/setup fuzz
	$(PYTHON) -m tests.fuzz --minutes 10

properties:
	@scripts/setup test
	HYPOTHESIS_PROFILE=thorough $(PYTHON) -m pytest -n 2 -m hypothesis --timeout 600

format:
	@scripts/setup lint
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

lock:
	@scripts/lock

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
