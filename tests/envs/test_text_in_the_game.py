"""What is read of an answer within the game: what main is shown is what is judged, and what a template has opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from codeduet.agents import Completion, Request, Sampling
from codeduet.agents.briefs import base_prompt, chat_message
from codeduet.agents.play import Seat, game, play
from codeduet.agents.tree import Tree
from codeduet.envs import HELPER, MAIN, Executor, Problem, Program, raw_env
from codeduet.envs.roles import SINGLE
from codeduet.envs.text import extract_main, join_body, opened_thought, without_definition

PLUS = "def plus(a, b):\n    return a + b\n"
OWN_TRY = "@cache\ndef double(\n    x,\n):\n    return plus(x\n"  # does not parse
CALLS = "def double(x):\n    return plus(x, x)\n"


class Witness(Executor):
    """Judges, and keeps what it was given."""

    seen: Program

    def submit(self, program: Program) -> Any:
        self.seen = program
        return super().submit(program)


@pytest.fixture(scope="module")
def witness() -> Any:
    with Witness(workers=1) as made:
        yield made


def played(toy: Problem, executor: Executor, helper: str, **changes: Any) -> raw_env:
    env = raw_env(problems=[toy], executor=executor, max_turns=2, **changes)
    env.reset(seed=0)
    env.step(helper)
    return env


@pytest.mark.parametrize("helper", [f"{PLUS}\n\n{OWN_TRY}", f"```python\n{OWN_TRY}\n\n{PLUS}```\n"])
def test_helpers_own_try_costs_nobody_anything(toy: Problem, executor: Executor, helper: str) -> None:
    env = played(toy, executor, helper)
    env.step(CALLS)
    assert (env.infos[MAIN]["syntax_ok"], env.infos[MAIN]["passed"]) == (1, 4)


@pytest.mark.parametrize(
    ("helper", "shown"),
    [
        (PLUS, PLUS),
        (f"{PLUS}\n\n{OWN_TRY}", PLUS.rstrip("\n")),
        (f"{CALLS}\n\n{PLUS}\nSIX = double(3)\n", f"\n\n{PLUS}".rstrip("\n")),
        (f"{CALLS}\n\n{PLUS}\nSIX = double(3)\n\n\ndef six():\n    return SIX\n", None),
        (OWN_TRY, ""),
        (f"import math\n\n{OWN_TRY}", ""),
        ("import math", ""),
        ("# nothing to do", ""),
        ("double = lambda x: 7", ""),
        ("I would add them.", ""),
    ],
)
def test_what_main_is_shown_of_helpers_code_is_what_is_judged(
    toy: Problem, witness: Witness, helper: str, shown: str | None
) -> None:
    env = played(toy, witness, helper)
    observation = env.observe(MAIN)
    env.step(CALLS)
    code = dict(witness.seen.parts)[HELPER]
    assert code == observation["helper_code"] == env.observe(HELPER)["previous_code"]
    assert shown is None or code.strip("\n") == shown.strip("\n")
    chat, base = chat_message(MAIN, observation), base_prompt(MAIN, observation)
    if code:
        assert code.strip("\n") in chat
        assert code.strip("\n") in base
    else:
        assert chat == chat_message(MAIN, observation, SINGLE)
        assert base == toy.prompt


def test_text_that_is_not_to_be_extracted_is_shown_and_judged_whole(toy: Problem, witness: Witness) -> None:
    env = played(toy, witness, CALLS + PLUS, extract=False)
    assert CALLS + PLUS.rstrip("\n") in chat_message(MAIN, env.observe(MAIN))
    env.step(CALLS)
    assert dict(witness.seen.parts)[HELPER] == CALLS + PLUS


def test_code_without_the_target_is_left_as_it_is() -> None:
    odd = f"\n{PLUS}\n\n  # end\n"
    assert without_definition(odd, "double") == odd
    assert without_definition("    x = 1\n", "double") == "    x = 1\n"


@pytest.mark.parametrize(
    ("prompt", "mark"),
    [
        ("<|im_start|>assistant\n<think>\n", "<think>\n"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", ""),
        ("<|start|>assistant<|channel|>analysis<|message|>", "<|channel|>analysis<|message|>"),
        ("[THINK]", "[THINK]"),
        ('def f(x):\n    """Answer."""\n', ""),
        ("<think> is a mark.", ""),
    ],
)
def test_a_thought_that_the_prompt_opens_is_seen(prompt: str, mark: str) -> None:
    assert opened_thought(prompt) == mark


class Thinker:
    """Writes the same answer to everything, behind a template that has opened a thought."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        return [[Completion((1,), (0.0,), self.answer, "length", 0) for _ in request.seeds] for request in requests]

    def render(self, agent: str, observation: Any) -> str:
        return "<|im_start|>assistant\n<think>\n"

    def encode(self, agent: str, observation: Any) -> tuple[int, ...]:
        return (1,)

    def stop(self, agent: str) -> tuple[str, ...]:
        return ()


@pytest.mark.parametrize(
    ("answer", "passed"),
    [
        (f"Perhaps\n```python\n{CALLS.replace('plus(x, x)', '2 * x')}```\nLet me check", 0),
        ("It is a sum.\n</think>\n    return x + x", 4),
    ],
)
def test_a_draft_in_a_thought_that_the_template_opened_is_not_paid(
    toy: Problem, executor: Executor, answer: str, passed: int
) -> None:
    env = raw_env(problems=[toy], executor=executor, agents=[MAIN])
    thinker = Thinker(answer)
    seat = Seat("main", thinker, Sampling(max_new_tokens=8), thinker)
    groups = play(game([env], seed_parts=(0,)), ["Toy/0"], Tree((1,)), {MAIN: seat}, seed_parts=(0,))
    outcome = groups[0].trajectories[0].outcome
    assert outcome is not None
    assert outcome.passed == passed
    assert (groups[0].trajectories[0].state[f"{MAIN}_code"] == "") == (passed == 0)


@pytest.mark.parametrize("margin", ["  ", "        ", "\t"])
def test_a_body_is_indented_as_its_prompt_is(executor: Executor, toy: Problem, margin: str) -> None:
    prompt = f'def double(x):\n{margin}"""Return twice x."""\n'
    problem = Problem(toy.task_id, prompt, "double", "", toy.tests)
    body = "    y = 0\n    for _ in range(2):\n        y += x\n    return y"
    for written in (body, body.lstrip(), body.replace("    ", margin), body.replace("    ", "\t")):
        code = join_body(written, problem)
        assert extract_main(written, problem) == code
        assert executor.judge(problem, helper_code="", main_code=code).solved, code
