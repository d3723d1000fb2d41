"""A tiny code model that ships with the package, so that training, evaluation and tests run without a model hub.

It is a Qwen2 model of 1.2 million parameters with a byte-level tokenizer of 1024 entries: a plain base model that
continues a text and ends it with ``<|endoftext|>``. It was pre-trained on generated documents alone: small documented
functions, with and without helper functions (see :mod:`~codeduet.agents.embedded.corpus`). No ten words in a row of a
HumanEval prompt, solution or test occur in them; :mod:`~codeduet.agents.embedded.pretrain` asserts it. It is meant to be
imperfect: good enough to write programs that run, with room for reinforcement learning to improve them.

``python -m codeduet.agents.embedded.pretrain --out DIR`` makes a successor, which learns the embedded problem set's
pipelines (:mod:`~codeduet.agents.embedded.pipelines`) too and whose tokenizer splits as Qwen2's does. The weights here are
of that script's first form, two stages of it, as ``recipe.json`` beside them records; transformers loads them with Qwen2's
splitting, which is not the one they were trained with.

Known weakness: of main's bodies only 2 % call the helper by its name (on HumanEval, before any reinforcement learning).

Prompts and completions were tokenised apart in training, so give the model the tokens of the prompt and let it go on.
"""

from pathlib import Path

MODEL_DIR: Path = Path(__file__).resolve().parent / "model"
"""Folder with the model's files, for ``from_pretrained``."""

WEIGHTS_SHA256 = "adedf5e5fe89f13797af9380c49ffe219d677f576fad2b800aee10c20883ce31"
"""Checksum of ``model.safetensors``."""
