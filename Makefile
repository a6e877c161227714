# Every command of the project. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
RUN := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
PYTEST := $(RUN) pytest
BENCH := $(RUN) PYTHONPATH=build/collections python -m
PLAYBOOK := $(RUN) scripts/exclusive ansible-playbook
LINK := build/collections/ansible_collections/detnet/testbed

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: site
site: $(VENV)/controller ## Bring up the pocket testbed, send traffic through it, show what happened
	@$(PLAYBOOK) playbooks/site.yml

.PHONY: teardown
teardown: $(VENV)/controller ## Take the testbed away again; the machine is left as it was
	@$(PLAYBOOK) playbooks/teardown.yml

.PHONY: doctor
doctor: $(VENV)/controller ## Say what this machine can do, what follows from that, and the way out
	@$(RUN) ansible-playbook playbooks/doctor.yml

.PHONY: check
check: lint unit ## Lint and unit tests, in under 2 minutes

.PHONY: lint
lint: $(VENV)/development ## Check style, types and documentation
	@$(RUN) scripts/lint

.PHONY: unit
unit: $(VENV)/development
	@$(PYTEST) -q tests/unit

.PHONY: scenario
scenario: $(VENV)/development ## Run one molecule scenario: make scenario NAME=pocket_end_to_end
	@$(RUN) scripts/scenario "$(or $(NAME),$(error Name a scenario: make scenario NAME=$(firstword $(notdir $(wildcard molecule/*_*)))))"

.PHONY: test
test: $(VENV)/development ## Run every test: what continuous integration runs
	@$(RUN) scripts/test

.PHONY: soak
soak: $(VENV)/development ## Run the long campaigns that make test has a short round of
	@$(PYTEST) --soak tests/system

.PHONY: bench
bench: $(VENV)/benchmarks ## Measure the switch beside its peers: table, plot, build/bench/switch.json (docs/benchmarks.md)
	@$(BENCH) benchmarks.switch $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(ONLY),--only '$(ONLY)') $(if $(PROFILE),--profile --only '$(PROFILE)')

.PHONY: bench-plan
bench-plan: $(VENV)/controller ## Measure what the controller computes for each of 100 hosts: build/bench/planning.json
	@$(BENCH) benchmarks.planning

.PHONY: bench-paths
bench-paths: $(VENV)/controller ## Measure paths and delay bounds of 10 000 flows in a fat-tree: build/bench/paths.json
	@$(BENCH) benchmarks.paths

.PHONY: bench-vms
bench-vms: $(VENV)/controller ## Measure VMs by the module beside community.libvirt and Vagrant: build/bench/vms.json
	@$(RUN) PYTHONPATH=build/collections scripts/exclusive python -m benchmarks.vms $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ONLY),--only '$(ONLY)')

.PHONY: pin
pin: ## Renew the pinned requirements from requirements/*.in
	@scripts/environment pin

$(VENV)/%: requirements/%.txt scripts/environment | $(LINK)
	@scripts/environment $*

$(LINK):
	@mkdir -p $(@D) && ln -sfn ../../../.. $@
