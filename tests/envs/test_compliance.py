"""PettingZoo's own tests of the AEC environment, with every warning accounted for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium
import pettingzoo
import pytest
from pettingzoo.test import api_test, parallel_api_test, render_test, seed_test, state_test
from pettingzoo.utils.conversions import turn_based_aec_to_parallel

from codeduet.envs import MAIN, Executor, env

TEXT_IS_NO_ARRAY = "the tests were written for arrays; observations of this game are dictionaries of text"
ALLOWED = {
    "Observation space for each agent probably should be gymnasium.spaces.box or gymnasium.spaces.discrete": (
        TEXT_IS_NO_ARRAY
    ),
    "Action space for each agent probably should be gymnasium.spaces.box or gymnasium.spaces.discrete": (
        "actions are text"
    ),
    "Observation is not a NumPy array": TEXT_IS_NO_ARRAY,
    "State space for each environment probably should be gymnasium.spaces.box or gymnasium.spaces.discrete": (
        "the state is a dictionary of text too"
    ),
    "State is not NumPy array": "the state is a dictionary of text too",
}
"""Warning -> why it is none of ours. ``TokenStep``, whose spaces are numeric, passes without any."""

Make = Callable[..., Any]


@pytest.fixture
def make(executor: Executor) -> Make:
    def made(**kwargs: Any) -> Any:
        settings = {"executor": executor, **kwargs}
        if not hasattr(pettingzoo, "make"):  # before 1.27
            return env(**settings)
        return pettingzoo.make("aec", "codeduet/humaneval-v0", **settings)

    return made


@contextmanager
def only(*allowed: str) -> Iterator[None]:
    """Demand that exactly the warnings that begin so are given, and that each stands in the list."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        yield
    messages = {str(warning.message).strip() for warning in given}
    assert messages <= set(ALLOWED)
    assert {message for message in messages if message.startswith(allowed)} == messages
    assert all(any(message.startswith(start) for message in messages) for start in allowed)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"max_turns": 3}, {"agents": (MAIN,)}, {"simultaneous": True}, {"extract": False, "reward": "grpo"}],
    ids=str,
)
def test_api(make: Make, arguments: dict[str, Any]) -> None:
    with only("Observation space", "Action space", "Observation is not"):
        api_test(make(**arguments), num_cycles=20)


def test_seeds(make: Make) -> None:
    with only():
        seed_test(lambda: make(max_turns=2), num_cycles=20)


def test_state(make: Make) -> None:
    with only("State space", "State is not"):
        state_test(make(max_turns=2), turn_based_aec_to_parallel(make(max_turns=2)), num_cycles=8)


def test_rendering(make: Make) -> None:
    with only():
        render_test(make)


@pytest.mark.parametrize("turns", [1, 2])
def test_the_parallel_view(make: Make, turns: int) -> None:
    with only():
        parallel_api_test(turn_based_aec_to_parallel(make(max_turns=turns)), num_cycles=20)


def test_the_parallel_view_pays_both(make: Make) -> None:
    parallel = turn_based_aec_to_parallel(make())
    parallel.reset(seed=0, options={"task_id": "HumanEval/0"})
    actions = {"helper_0": "", "main_0": "    return None"}
    observations, rewards, _, _, _ = parallel.step(actions)  # turn-based: helper acts in this step, main in the next
    assert rewards == {"helper_0": 0.0, "main_0": 0.0}
    assert observations["main_0"]["turn"] == 0
    _, rewards, terminations, _, infos = parallel.step(actions)
    assert rewards == {"helper_0": 0.5, "main_0": 0.5}
    assert terminations == {"helper_0": True, "main_0": True}
    assert infos["main_0"]["total"] == 7


def test_a_step_before_reset_or_without_an_action_is_refused(make: Make) -> None:
    game = make()
    with pytest.raises(AssertionError, match="reset"):
        game.step("x")
    game.reset(seed=0)
    with pytest.raises(AssertionError, match="action is not in action space"):
        game.step(None)


def test_both_registries_know_it() -> None:
    assert "codeduet/humaneval-v0" in gymnasium.registry
    if not hasattr(pettingzoo, "make"):
        pytest.skip("PettingZoo has a registry from 1.27 on")
    assert "codeduet/humaneval-v0" in pettingzoo.aec_registry
    assert pettingzoo.make("aec", "codeduet/humaneval-v0").metadata["is_parallelizable"] is False
