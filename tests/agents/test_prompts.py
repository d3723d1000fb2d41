"""Golden prompts: what each role reads, to the letter."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers.processors import TemplateProcessing

from codeduet.agents import PromptFormatter
from codeduet.agents.briefs import Prompt, base_prompt, chat_message
from codeduet.agents.random_model import byte_tokenizer
from codeduet.envs import HELPER, MAIN, InputError
from codeduet.envs.roles import DUET, SINGLE, Role
from codeduet.envs.text import stop_strings

PROMPT = 'def area(r):\n    """Area of a circle."""\n'
HELPER_CODE = "def square(x):\n    return x * x\n"
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def observation(**changes: Any) -> dict[str, Any]:
    return {
        "prompt": PROMPT,
        "entry_point": "area",
        "helper_code": "",
        "previous_code": "",
        "feedback": "",
        "turn": 0,
        **changes,
    }


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """Bytes with a BOS that encoding adds, and a chat template that writes it as well, as Llama's do."""
    made = byte_tokenizer()
    made.add_special_tokens({"bos_token": "<|bos|>"})
    made.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|bos|> $A", special_tokens=[("<|bos|>", made.bos_token_id)]
    )
    made.chat_template = TEMPLATE
    assert made.encode("a")[0] == made.bos_token_id
    return made


ANSWER = (
    "Answer with the whole function `area` in one Python code block and nothing else. Use the standard library only."
)


def test_what_a_single_chat_model_reads() -> None:
    assert chat_message(MAIN, observation(), SINGLE) == (
        "Complete the following Python function.\n"
        "\n"
        "```python\n"
        "def area(r):\n"
        '    """Area of a circle."""\n'
        "```\n"
        "\n" + ANSWER
    )


def test_one_model_and_both_of_a_team_read_the_same_of_a_problem() -> None:
    """Each reads the whole prompt and nothing else of it: what a row wins, it does not win by knowing more."""
    spoken = [chat_message(agent, observation()) for agent in (HELPER, MAIN)]
    written = [base_prompt(agent, observation()) for agent in (HELPER, MAIN)]
    assert all(PROMPT.strip() in text for text in [*spoken, *written])
    # Main without anything to call reads what one model does, to the letter; with it, helper's code besides.
    assert spoken[1] == chat_message(MAIN, observation(), SINGLE)
    assert written[1] == PROMPT
    assert base_prompt(MAIN, observation(helper_code=HELPER_CODE)) == f"{HELPER_CODE}\n\n{PROMPT}"
    # Of the observation nothing else is used in a first turn: a key that only one of them read would show.
    noted = observation(feedback="", previous_code="SECRET", turn=7, tests="SECRET")
    assert all("SECRET" not in chat_message(agent, noted) for agent in (HELPER, MAIN))
    assert all("SECRET" not in base_prompt(agent, noted) for agent in (HELPER, MAIN))


def test_what_helper_reads() -> None:
    assert chat_message(HELPER, observation()) == (
        "You and another programmer write one Python program together. You write auxiliary functions; the other "
        "programmer sees them and then writes `area` below, calling what you wrote.\n"
        "\n"
        "```python\n"
        "def area(r):\n"
        '    """Area of a circle."""\n'
        "```\n"
        "\n"
        "Write one or two auxiliary functions that make `area` easy to write. Do not write `area` itself. "
        "Answer with one Python code block and nothing else."
    )


def test_what_main_reads() -> None:
    assert chat_message(MAIN, observation(helper_code=HELPER_CODE)) == (
        "Complete the following Python function `area`.\n"
        "\n"
        "```python\n"
        "def area(r):\n"
        '    """Area of a circle."""\n'
        "```\n"
        "\n"
        "Another programmer has written these auxiliary functions in the same file. Call them where they help; do not "
        "import them or write them again.\n"
        "\n"
        "```python\n"
        "def square(x):\n"
        "    return x * x\n"
        "```\n"
        "\n" + ANSWER
    )


@pytest.mark.parametrize("helper_code", ["", " \n"])
def test_main_without_anything_to_call_reads_the_single_prompt(helper_code: str) -> None:
    alone = chat_message(MAIN, observation(), SINGLE)
    assert chat_message(MAIN, observation(helper_code=helper_code)) == alone


def test_a_later_turn_shows_ones_own_answer_and_what_became_of_it() -> None:
    seen = observation(previous_code="def area(r):\n    return r\n", feedback="1 of 4 tests passed.\nWrong.", turn=1)
    again = (
        "\n\nYour last answer was:\n\n"
        "```python\ndef area(r):\n    return r\n```\n\n"
        "What became of it: 1 of 4 tests passed.\nWrong.\n"
        "Write a better one."
    )
    for agent, roles in ((MAIN, SINGLE), (MAIN, DUET), (HELPER, DUET)):
        first = chat_message(agent, observation(), roles)
        assert chat_message(agent, seen, roles) == first + again


def test_base_prompts_are_exactly_what_the_embedded_model_was_trained_on() -> None:
    assert base_prompt(MAIN, observation()) == PROMPT
    assert base_prompt(HELPER, observation()) == PROMPT + "    ...\n\n# Helper functions for area:\n"
    main = base_prompt(MAIN, observation(helper_code=HELPER_CODE + "\n\n"))
    assert main == HELPER_CODE.rstrip("\n") + "\n\n\n" + PROMPT


def test_base_models_read_feedback_as_comments() -> None:
    seen = observation(feedback="0 of 4 tests passed.\nYour code raised NameError.", turn=1)
    comments = "# 0 of 4 tests passed.\n# Your code raised NameError.\n"
    assert base_prompt(MAIN, seen) == comments + PROMPT
    assert base_prompt(HELPER, seen).startswith(comments + PROMPT)


def test_base_models_read_their_last_answer_before_what_became_of_it() -> None:
    last = "def area(r):\n    return r\n"
    seen = observation(previous_code=last, feedback="0 of 4 tests passed.", turn=1)
    assert base_prompt(MAIN, seen) == f"{last}\n\n# 0 of 4 tests passed.\n{PROMPT}"
    assert base_prompt(HELPER, seen).startswith(f"{last}\n\n# 0 of 4 tests passed.\n{PROMPT}")


@pytest.mark.parametrize("style", ["chat", "base"])
def test_helper_code_reaches_main_alone(tokenizer: Any, style: Any) -> None:
    formatter = PromptFormatter(tokenizer, style)
    seen = observation(helper_code=HELPER_CODE)
    assert "def square" in formatter.render(MAIN, seen)
    assert "def square" not in formatter.render(HELPER, seen)
    assert formatter.render(HELPER, seen) == formatter.render(HELPER, observation())


@pytest.mark.parametrize("agent", [HELPER, MAIN])
def test_braces_in_code_and_prompts_survive(agent: str) -> None:
    seen = observation(
        prompt='def area(r):\n    """{"a": {}} {0} {entry_point} {{x}} {r!r} %s"""\n',
        helper_code='PAIRS = {"{": "}"}  # {helper}\n',
        previous_code="return {**{}}",
        feedback="KeyError: '{prompt}'",
    )
    for text in (chat_message(agent, seen), base_prompt(agent, seen)):
        assert '{"a": {}} {0} {entry_point} {{x}} {r!r} %s' in text
        if agent == MAIN:
            assert 'PAIRS = {"{": "}"}  # {helper}' in text
        assert "KeyError: '{prompt}'" in text
    assert "return {**{}}" in chat_message(agent, seen)


def test_the_chat_template_is_applied_once_with_the_generation_prompt(tokenizer: Any) -> None:
    formatter = PromptFormatter(tokenizer)
    assert formatter.style == "chat"
    text = formatter.render(HELPER, observation())
    assert text == f"<|bos|><|user|>{chat_message(HELPER, observation())}<|end|><|assistant|>"


@pytest.mark.parametrize("style", ["chat", "base"])
def test_a_prompt_begins_with_one_bos(tokenizer: Any, style: Any) -> None:
    ids = PromptFormatter(tokenizer, style).encode(MAIN, observation())
    assert ids[0] == tokenizer.bos_token_id
    assert ids.count(tokenizer.bos_token_id) == 1


def test_ids_are_the_rendered_text(tokenizer: Any) -> None:
    formatter = PromptFormatter(tokenizer, "chat")
    assert tokenizer.decode(formatter.encode(MAIN, observation())) == formatter.render(MAIN, observation())


def test_a_tokenizer_without_a_template_reads_as_a_base_model() -> None:
    formatter = PromptFormatter(byte_tokenizer())
    assert formatter.style == "base"
    assert formatter.render(MAIN, observation()) == PROMPT


def test_a_model_that_plays_alone_reads_the_single_prompt(tokenizer: Any) -> None:
    alone = PromptFormatter(tokenizer, roles=SINGLE).render(MAIN, observation())
    assert "auxiliary" not in alone
    assert "auxiliary" in PromptFormatter(tokenizer).render(MAIN, observation(helper_code=HELPER_CODE))


def test_stop_strings_end_a_base_models_answer_and_leave_a_chat_models_alone(tokenizer: Any) -> None:
    base = PromptFormatter(tokenizer, "base")
    assert base.stop(MAIN) == stop_strings()
    assert "\ndef " in base.stop(MAIN)
    # Helper writes functions: the next one is no end.
    assert not any("\ndef two():\n    # why\n    return 1\n".count(stop) for stop in base.stop(HELPER))
    assert any("\n\nif __name__ == '__main__':".count(stop) for stop in base.stop(HELPER))
    assert PromptFormatter(tokenizer, "chat").stop(MAIN) == ()


PLANNER = Role("planner", writes="text")
REVIEWER = Role("reviewer", writes="text", reads=("main",))
TEAM = (
    PLANNER,
    Role("helper", reads=("planner",), count=2),
    Role("main", reads=("planner", "helper", "reviewer")),
    REVIEWER,
)


def seen_by_all(**fields: Any) -> dict[str, Any]:
    return observation(planner_text="Square it.", main_code="", reviewer_text="", **fields)


def test_who_writes_text_is_told_for_whom_and_what_is_written() -> None:
    plan = chat_message("planner_0", observation(), TEAM)
    assert "You are the planner of a team" in plan
    assert "a message to the helper and the main." in plan
    review = chat_message("reviewer_0", observation(main_code="def area(r):\n    return r\n"), TEAM)
    assert "The team has written this code:\n\n```python\ndef area(r):\n    return r\n```\n\n" in review
    assert base_prompt("planner_0", observation(), TEAM) == f"{PROMPT}    ...\n\n# The planner's message on area:\n#"
    for text in (chat_message("planner_0", seen_by_all(), TEAM), base_prompt("planner_0", seen_by_all(), TEAM)):
        assert "Square it." not in text  # its own role it does not read


def test_messages_stand_before_what_is_to_be_done() -> None:
    for agent in ("helper_0", "helper_1", MAIN):
        text = chat_message(agent, seen_by_all(), TEAM)
        before, _, behind = text.partition("The planner of your team says:\n\nSquare it.\n\n")
        assert "def area(r):" in before
        assert behind.endswith(("Use the standard library only.", "one Python code block and nothing else."))
        assert base_prompt(agent, seen_by_all(), TEAM).startswith(f"# planner: Square it.\n{PROMPT}")
    assert "reviewer" not in chat_message(MAIN, seen_by_all(), TEAM)  # who has not written yet


def test_a_last_message_is_shown_as_text() -> None:
    seen = observation(main_code="", previous_code="Add.", feedback="0 of 4 tests passed.", turn=1)
    assert "Your last answer was:\n\nAdd.\n\n" in chat_message("reviewer_0", seen, TEAM)
    assert base_prompt("reviewer_0", seen, TEAM).startswith(f"# Add.\n\n\n# 0 of 4 tests passed.\n{PROMPT}")


def test_a_role_has_words_of_its_own(tokenizer: Any) -> None:
    prompts = {"planner": Prompt(chat="Plan `{entry_point}`:\n{prompt}", base="# Plan {{1}} of {entry_point}\n")}
    assert chat_message("planner_0", observation(), TEAM, prompts) == f"Plan `area`:\n{PROMPT.strip()}"
    assert base_prompt("planner_0", observation(), TEAM, prompts) == "# Plan {1} of area\n"
    assert chat_message(MAIN, seen_by_all(), TEAM, prompts) == chat_message(MAIN, seen_by_all(), TEAM)
    again = observation(feedback="Wrong.", previous_code="Add.", turn=1)
    assert chat_message("planner_0", again, TEAM, prompts).endswith(
        "Add.\n\nWhat became of it: Wrong.\nWrite a better one."
    )
    told = {"planner": Prompt(chat="{feedback} Plan.")}
    assert chat_message("planner_0", again, TEAM, told) == "Wrong. Plan."
    formatter = PromptFormatter(tokenizer, roles=TEAM, prompts=prompts)
    assert f"Plan `area`:\n{PROMPT.strip()}<|end|>" in formatter.render("planner_0", observation())
    assert PromptFormatter(tokenizer, "base", roles=TEAM).stop("planner_0")[0] == "\n\n"


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ({"plannr": Prompt(chat="x")}, "a prompt is of no role: 'plannr'; did you mean 'planner'"),
        ({"planner": Prompt(chat="{promt}")}, "the prompt of role 'planner' names 'promt': .*did you mean 'prompt'"),
        ({"planner": Prompt(base="{")}, "the prompt of role 'planner': .*for braces"),
    ],
)
def test_words_that_cannot_be_filled_in_are_refused(prompts: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PromptFormatter(byte_tokenizer(), roles=TEAM, prompts=prompts)
