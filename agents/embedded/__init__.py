"""A tiny code model that ships with the package, so that training, evaluation and tests run without a model hub.

It is a Qwen2 model of 1.2 million parameters with a byte-level tokenizer of 1024 entries: a plain base model that
continues a text and ends it with ``<|endoftext|>``. It was pre-trained on generated documents alone, 45 minutes on two
shared CPU cores: small documented functions, with and without helper functions, and pipelines of steps as in the embedded
problem set, none of them one of its problems. No ten words in a row of a HumanEval prompt, solution or test occur in them,
which is asserted as they are made. It is meant to be imperfect, because the documents are: good enough to write programs that
run, with room for reinforcement learning to improve them.

``make pretrain`` makes it, in the repository (``benchmarks/embedded``); ``recipe.json`` beside the weights records how.

Prompts and completions were tokenised apart in training, so give the model the tokens of the prompt and let it go on.
"""

from pathlib import Path

MODEL_DIR: Path = Path(__file__).resolve().parent / "model"
"""Folder with the model's files, for ``from_pretrained``."""

WEIGHTS_SHA256 = "831cdcebe903d7add2630359b6463ecbb9081f58e1c20f7c16388a8e82fb5433"
"""Checksum of ``model.safetensors``."""
