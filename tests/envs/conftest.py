"""One executor for all tests of the environment, and a problem small enough to count by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from codeduet.envs import Executor, Limits, Problem


@pytest.fixture(scope="session")
def executor() -> Iterator[Executor]:
    with Executor(workers=2) as shared:
        yield shared


@pytest.fixture(scope="session")
def quick() -> Iterator[Executor]:
    """An executor whose limits are soon reached."""
    with Executor(workers=2, limits=Limits(cpu_s=1, wall_s=3.0, memory_mb=256)) as shared:
        yield shared


@pytest.fixture(scope="session")
def toy() -> Problem:
    """Four tests: doubles 1 and 2, then 3 and -4."""
    return Problem(
        task_id="Toy/0",
        prompt='from typing import List\n\n\ndef double(x: int) -> int:\n    """Return twice x."""\n',
        entry_point="double",
        canonical_solution="    return x + x\n",
        tests=(
            "def check(candidate):\n"
            "    assert candidate(1) == 2\n"
            "    assert candidate(2) == 4, 'two'\n"
            "    assert (\n        candidate(3)\n        == 6\n    )\n"
            "    assert candidate(-4) == -8\n"
            "    assert True\n"
        ),
    )
