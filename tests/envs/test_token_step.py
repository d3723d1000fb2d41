"""The game one token at a time: what a token does, and that numeric libraries take it."""

from __future__ import annotations

import copy
import pickle
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from pettingzoo.test import api_test, parallel_api_test, seed_test, state_test
from pettingzoo.utils.conversions import turn_based_aec_to_parallel

from codeduet.envs import HELPER, MAIN, ByteTokenizer, Executor, InputError, Problem, TokenStep, env

EOS = ByteTokenizer.eos_token_id


def tokens(problem: Problem, executor: Executor, *, max_tokens: int = 6, window: int = 32, **kwargs: Any) -> TokenStep:
    game = env(problems=[problem], executor=executor, **kwargs)
    return TokenStep(game, max_tokens=max_tokens, window=window)


def write(game: TokenStep, text: str) -> None:
    for token in [*text.encode(), EOS]:
        game.step(token)


def test_bytes_are_tokens_and_back() -> None:
    tokenizer = ByteTokenizer()
    assert tokenizer.encode("aü") == [97, 0xC3, 0xBC]
    assert tokenizer.decode([97, 0xC3, 0xBC, EOS]) == "aü"
    assert tokenizer.decode([0xC3]) == "\ufffd"
    assert tokenizer.encode("\ud800") == [ord("?")]
    assert len(tokenizer) == 257


def test_text_of_a_tokenizer_that_tidies_blanks_and_adds_an_end_is_to_the_letter(
    toy: Problem, executor: Executor
) -> None:
    class Tidy(ByteTokenizer):
        """As some of transformers: tidies unless told not to, and ends what it encodes unless told not to."""

        clean_up_tokenization_spaces = True

        def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
            return super().encode(text) + [EOS] * add_special_tokens

        def decode(self, ids: list[int], clean_up_tokenization_spaces: bool = True) -> str:
            text = super().decode(ids)
            return text.replace(" '", "'") if clean_up_tokenization_spaces else text

    game = TokenStep(env(problems=[toy], executor=executor), Tidy(), max_tokens=100, window=200)
    game.reset(seed=0)
    assert EOS not in game.observe(HELPER)[-len(toy.prompt) - 1 :]
    write(game, "def f(x):\n    return ' '.join(x)")
    assert game.env.observe(MAIN)["helper_code"] == "def f(x):\n    return ' '.join(x)"


def test_an_agent_writes_until_it_ends_its_text(toy: Problem, executor: Executor) -> None:
    game = tokens(toy, executor, max_tokens=100)
    game.reset(seed=0)
    for token in b"N = 2":
        assert game.agent_selection == HELPER
        game.step(token)
        assert game.rewards == {HELPER: 0.0, MAIN: 0.0}
    game.step(EOS)
    assert game.agent_selection == MAIN
    write(game, "    return N * x")
    assert game.rewards == {HELPER: 0.9, MAIN: 0.9}
    assert game.terminations == {HELPER: True, MAIN: True}
    assert game.last()[1] == 0.9
    game.step(None)
    assert game.last()[1] == 0.9
    game.step(None)
    assert game.agents == []


def test_a_spent_budget_ends_the_text(toy: Problem, executor: Executor) -> None:
    game = tokens(toy, executor, max_tokens=3)
    game.reset(seed=0)
    for token in b"N=2":
        assert game.agent_selection == HELPER
        game.step(token)
    assert game.agent_selection == MAIN
    assert game.env.observe(MAIN)["helper_code"] == "N=2"


def test_rewards_of_turns_add_up_for_the_agent_that_waits(toy: Problem, executor: Executor) -> None:
    game = tokens(toy, executor, max_tokens=100, max_turns=2)
    game.reset(seed=0)
    write(game, "")
    write(game, "    return 2")  # one test of four: 0.6
    assert game.agent_selection == HELPER
    assert game.last()[1] == 0.6
    write(game, "")
    assert game.last()[1] == 0.6  # main's, for the turn before
    write(game, "    return x + x")
    assert game.last()[1] == 0.9


def test_observations_are_the_last_ids_of_what_is_seen_and_written(toy: Problem, executor: Executor) -> None:
    game = tokens(toy, executor, max_tokens=100, window=200, max_turns=2)
    game.reset(seed=0)

    def text(agent: str) -> str:
        return game.tokenizer.decode([int(token) for token in game.observe(agent)])

    assert text(HELPER) == text(MAIN) == toy.prompt + "\n"
    padding = 200 - len(toy.prompt) - 1
    assert game.observe(HELPER)[:padding].tolist() == [EOS] * padding
    game.step(ord("N"))
    assert text(HELPER) == toy.prompt + "\nN"
    assert text(MAIN) == toy.prompt + "\n"
    write(game, "=2")
    assert text(MAIN) == "N=2\n" + toy.prompt + "\n"
    write(game, "def double(x): return N")
    assert text(HELPER).startswith("N=2\n1 of 4 tests passed.\n")
    short = tokens(toy, executor, window=4)
    short.reset(seed=0)
    assert short.observe(HELPER).tolist() == list(b'""\n\n')


def test_the_state_holds_the_game_and_the_text_being_written(toy: Problem, executor: Executor) -> None:
    game = tokens(toy, executor, window=32)
    game.reset(seed=0)
    before = game.state()
    game.step(ord("a"))
    assert game.state()[32:].tolist() == [EOS] * 31 + [97]
    assert game.state()[:32].tolist() == before[:32].tolist()
    assert game.state_space.contains(game.state())


def test_a_pickled_game_replays(toy: Problem) -> None:
    with Executor(workers=1) as executor:
        original = tokens(toy, executor)
        copy = pickle.loads(pickle.dumps(original))
        rng = np.random.default_rng(0)
        actions = rng.integers(0, 257, 12).tolist()
        for game in (original, copy):
            game.reset(seed=3)
        for action in actions:
            assert np.array_equal(original.state(), copy.state())
            for game in (original, copy):
                game.step(None if game.terminations[game.agent_selection] else action)
            assert (original.agents, original.rewards) == (copy.agents, copy.rewards)
            if not original.agents:
                break


def test_a_copy_in_mid_episode_is_the_same_episode(toy: Problem, executor: Executor) -> None:
    original = tokens(toy, executor, max_tokens=100, max_turns=2)
    original.reset(seed=0)
    write(original, "N = 2")
    for token in b"def double(x): ret":
        original.step(token)
    twin = copy.deepcopy(original)
    assert np.array_equal(twin.state(), original.state())
    write(twin, "urn N")
    assert twin.infos[MAIN]["passed"] == 1
    assert original.infos[MAIN]["turn"] == 0
    write(original, "urn N")
    assert np.array_equal(twin.state(), original.state())
    assert twin.rewards == original.rewards


def test_wrong_tokens_and_sizes_are_refused(toy: Problem, executor: Executor) -> None:
    game = tokens(toy, executor)
    game.reset(seed=0)
    for action in (257, -1, None):
        with pytest.raises(InputError, match="an action is a token id below 257"):
            game.step(action)
    with pytest.raises(InputError, match="max_tokens and window must be at least 1, not 0 and 512"):
        TokenStep(env(problems=[toy]), max_tokens=0)


def test_it_passes_pettingzoos_tests_without_a_warning(executor: Executor) -> None:
    def make(**kwargs: Any) -> TokenStep:
        return TokenStep(env(executor=executor, **kwargs), max_tokens=5, window=24)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        api_test(make(), num_cycles=60)
        api_test(make(max_turns=2, agents=(MAIN,)), num_cycles=60)
        seed_test(make, num_cycles=40)
        state_test(make(), turn_based_aec_to_parallel(make()), num_cycles=20)
        parallel_api_test(turn_based_aec_to_parallel(make(max_turns=2)), num_cycles=40)


def test_torchrl_takes_it(executor: Executor, toy: Problem) -> None:
    from torchrl.envs.libs.pettingzoo import PettingZooWrapper
    from torchrl.envs.utils import check_env_specs

    with warnings.catch_warnings():
        # TorchRL says that it is tested with PettingZoo 1.24.3.
        warnings.filterwarnings("ignore", message="PettingZoo in TorchRL is tested using")
        wrapped = PettingZooWrapper(tokens(toy, executor, max_tokens=4), use_mask=True, return_state=True)
    check_env_specs(wrapped, seed=0)
    rollout = wrapped.rollout(20)
    steps = rollout.batch_size[0]
    assert 2 <= steps <= 8  # each agent writes one to four tokens
    assert rollout["next", "done"].flatten().tolist() == [False] * (steps - 1) + [True]
    assert rollout["helper_0", "observation"].shape == (steps, 1, 32)
    assert rollout["next", "main_0", "reward"].flatten()[-1] == pytest.approx(
        rollout["next", "helper_0", "reward"].flatten()[-1]
    )


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Tianshou needs Python 3.11")
def test_tianshou_takes_it(executor: Executor, toy: Problem) -> None:
    from tianshou.env import PettingZooEnv

    wrapped = PettingZooEnv(tokens(toy, executor, max_tokens=2))
    observation, _ = wrapped.reset()
    assert observation["agent_id"] == HELPER
    assert observation["obs"].shape == (32,)
    for token, acting in ((35, HELPER), (35, MAIN), (35, MAIN)):
        observation, reward, terminated, truncated, _ = wrapped.step(token)
        assert observation["agent_id"] == acting
        assert (terminated, truncated) == (False, False)
        assert reward == [0.0, 0.0]
    *_, reward, terminated, truncated, _ = wrapped.step(35)
    assert (terminated, truncated) == (True, False)
    assert reward == [0.2, 0.2]  # "##" parses and defines nothing
