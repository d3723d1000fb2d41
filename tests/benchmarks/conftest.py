"""Four problems small enough to solve by hand, a tiny random model, and the command line as a function."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from codeduet.agents.random_model import random_model
from codeduet.envs import Executor

torch.set_num_threads(1)

_NAMES = ("double", "triple", "square", "negate")
_BODIES = ("2 * x", "3 * x", "x * x", "-x")
_ASSERTS = ((1, 2), (3, 6)), ((1, 3), (3, 9)), ((1, 1), (3, 9)), ((1, -1), (3, -3))


@pytest.fixture(scope="session")
def problem_rows() -> list[dict[str, str]]:
    """HumanEval-format rows ``Toy/0`` to ``Toy/3``, two tests each."""
    return [
        {
            "task_id": f"Toy/{i}",
            "prompt": f'def {name}(x: int) -> int:\n    """Return {body}."""\n',
            "entry_point": name,
            "canonical_solution": f"    return {body}\n",
            "test": "def check(candidate):\n" + "".join(f"    assert candidate({x}) == {y}\n" for x, y in asserts),
        }
        for i, (name, body, asserts) in enumerate(zip(_NAMES, _BODIES, _ASSERTS, strict=True))
    ]


@pytest.fixture(scope="session")
def problem_file(tmp_path_factory: pytest.TempPathFactory, problem_rows: list[dict[str, str]]) -> Path:
    """Those rows as a file: three are the train split, one is the test split."""
    path = tmp_path_factory.mktemp("problems") / "toy.jsonl"
    return write_rows(path, problem_rows)


@pytest.fixture(scope="session")
def executor() -> Iterator[Executor]:
    with Executor(workers=2) as shared:
        yield shared


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of another width."""
    return save_random_model(tmp_path_factory.mktemp("models") / "other", hidden=48)


def save_random_model(folder: Path, **shape: int) -> Path:
    model, tokenizer = random_model(layers=1, **shape)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


class Ran(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def codeduet(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run the command line in this process."""
    from codeduet.cli import main

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, *capsys.readouterr())

    return run
