"""Servers' troubles, one by one and in turn: what passes is waited out, what does not costs one answer or is one line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai")

from tests.servers import Played, Server, serving

from codeduet.agents import Completion, Request, Sampling
from codeduet.agents import served as served_module
from codeduet.agents.openai import OpenAIEngine
from codeduet.agents.policy import Policy
from codeduet.agents.replies import Trouble, read_reply
from codeduet.agents.served import Calls
from codeduet.agents.team import Team
from codeduet.envs import HELPER, MAIN, ByteTokenizer, InputError
from codeduet.envs.text import extract_helper

PLAIN = Sampling(temperature=0.8, max_new_tokens=30)

RATE_LIMIT = Played({"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}, 429)
PASSING = {
    "no choices": Played({"choices": []}),
    "choices is null": Played({"choices": None, "usage": None}),
    "an empty object": Played({}),
    "an error in a 200": Played({"error": {"message": "upstream died", "code": 502}}),
    "a server's error in a 200": Played({"error": {"message": "oops", "type": "server_error"}, "choices": None}),
    "a rate limit in a 200": Played({"error": {"message": "slow", "code": "rate_limit_exceeded"}}),
    "an error in a choice": Played({"choices": [{"error": {"message": "gone", "code": 502}, "text": ""}]}),
    "a rate limit": RATE_LIMIT,
    "a rate limit with a time": Played(b"slow down", 429, (("Retry-After", "0.02"),)),
    "a rate limit with a date": Played(b"", 429, (("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"),)),
    "overloaded": Played({"detail": "try later"}, 503),
    "a gateway's page": Played(b"<html>502 Bad Gateway</html>", 502),
    "a cut line": Played(None),
    "no JSON": Played(b'{"choices": ['),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_module, "_FIRST_WAIT_S", 0.005)
    monkeypatch.setattr(served_module, "_LONGEST_WAIT_S", 0.02)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as made:
        yield made


class Asker:
    """An engine for one policy of bytes, which notes what is told."""

    def __init__(self, server: Server, **options: Any) -> None:
        self.told: list[str] = []
        team = Team(dict.fromkeys((HELPER, MAIN), Policy("base", None, ByteTokenizer(), trainable=False)))
        others = {key: options.pop(key) for key in ("answers", "served") if key in options}
        calls = Calls(**{"api": "chat", **options})
        self.engine = OpenAIEngine(team, "m", server.url, calls=calls, say=self.told.append, **others)

    def __call__(self, *seeds: int, prompt: str = "def f():", sampling: Sampling = PLAIN) -> list[Completion]:
        ids = tuple(prompt.encode())
        (completions,) = self.engine.generate([Request("base", ids, seeds, sampling)])
        return completions


@pytest.fixture
def asker(server: Server) -> Iterator[Callable[..., Asker]]:
    made: list[Asker] = []

    def make(**options: Any) -> Asker:
        made.append(Asker(server, **options))
        return made[-1]

    yield make
    for one in made:
        one.engine.close()


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_tried_again_and_told(server: Server, asker: Callable[..., Asker], name: str) -> None:
    ask = asker()
    for before in (0, 1):  # the very first call, and a later one
        server.troubles = [PASSING[name]] * 2
        (answer,) = ask(7 + before)
        assert answer.text == f"    return {7 + before}"
    assert [line for line in ask.told if "asked again" in line]
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    ("error", "finish", "asked"),
    [
        ({"message": "prompt too long", "code": 400}, "refused", 2),  # itself, and whether anything is answered
        ({"message": "prompt too long", "type": "invalid_request_error", "code": None}, "refused", 2),
        ({"message": "prompt too long", "code": "400"}, "refused", 2),
        ({"message": "no credit", "code": 402}, None, 1),
    ],
)
def test_an_error_in_a_200_is_what_it_would_be_under_its_own_status(
    server: Server, asker: Callable[..., Asker], error: dict[str, Any], finish: str | None, asked: int
) -> None:
    ask = asker()
    ask(1)
    server.refuses = lambda body: Played({"error": error}) if body["seed"] == 2 and "hello" not in str(body) else None
    if finish is None:
        with pytest.raises(InputError, match=r"\(m\): HTTP 402: no credit$"):
            ask(2)
    else:
        assert ask(2)[0].finish_reason == finish
        assert "prompt too long" in ask.told[0]
    assert len(server.asked) == 1 + asked


@pytest.mark.parametrize(
    "told",
    [
        {"message": "prompt too long", "type": "BadRequestError", "code": 400},
        {"message": "prompt too long", "type": "invalid_request_error", "code": None},
        {"message": "prompt too long", "code": 40303},
    ],
)
def test_an_error_object_in_a_200_is_an_error(told: dict[str, Any]) -> None:
    with pytest.raises(Trouble, match="prompt too long") as trouble:
        read_reply(json.dumps({"object": "error", **told}).encode(), "chat")
    assert trouble.value.kind == "refused"


@pytest.mark.parametrize("reason", ["error", "abort"])
def test_an_answer_that_broke_off_is_none_and_is_asked_for_again(reason: str) -> None:
    choice = {"finish_reason": reason, "message": {"role": "assistant", "content": "def f"}}
    with pytest.raises(Trouble, match=f"broken off .finish_reason {reason}") as trouble:
        read_reply(json.dumps({"choices": [choice]}).encode(), "chat")
    assert trouble.value.kind == "broken"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("MAX_TOKENS", "length"),
        ("max_tokens", "length"),
        ("length", "length"),
        ("stop", "eos"),
        ("content_filter", "refused"),
    ],
)
def test_why_an_answer_ended_is_read_by_any_servers_name_for_it(
    server: Server, asker: Callable[..., Asker], reason: str, finish: str
) -> None:
    server.choice = lambda *_: {"finish_reason": reason, "message": {"role": "assistant", "content": "def f"}}
    (answer,) = asker()(1)
    assert (answer.text, answer.finish_reason) == ("" if finish == "refused" else "def f", finish)


def test_code_that_a_tool_is_called_with_is_the_text(server: Server, asker: Callable[..., Asker]) -> None:
    arguments = json.dumps({"code": "def f(x):\n    return x"})
    call = {"type": "function", "function": {"name": "run", "arguments": arguments}}
    server.choice = lambda *_: {"finish_reason": "tool_calls", "message": {"content": None, "tool_calls": [call]}}
    (answer,) = asker()(1)
    assert extract_helper(answer.text) == "def f(x):\n    return x"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "x"}], "x"),
        ([{"type": "output_text", "text": "a"}, "b", {"text": "c"}], "abc"),
        ([{"type": "text", "text": None}, {"type": "refusal", "refusal": "no"}], ""),
        ([], ""),
        (None, ""),
    ],
)
def test_content_may_come_in_parts(server: Server, asker: Callable[..., Asker], content: Any, text: str) -> None:
    server.choice = lambda *_: {"finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    (answer,) = asker()(1)
    assert (answer.text, answer.finish_reason) == (text, "eos")


def refuse_long(status: int) -> Callable[[dict[str, Any]], Played | None]:
    def refuse(body: dict[str, Any]) -> Played | None:
        long = "long" in str(body["messages"])
        return Played({"error": {"message": "context length exceeded", "param": "messages"}}, status) if long else None

    return refuse


@pytest.mark.parametrize("status", [400, 403, 413, 422, 500])
@pytest.mark.parametrize("first", [True, False])
def test_a_prompt_that_is_refused_is_an_empty_answer_and_its_neighbours_are_not(
    server: Server, asker: Callable[..., Asker], status: int, first: bool
) -> None:
    server.refuses = refuse_long(status)
    ask = asker(retries=2)
    if not first:
        ask(1)
    (refused,) = ask(2, prompt="long")
    assert (refused.text, refused.token_ids, refused.finish_reason) == ("", (), "refused")
    assert ask(3)[0].text == "    return 3"
    told = [line for line in ask.told if "counts as answered by nothing" in line]
    assert len(told) == 1
    assert "context length exceeded" in told[0]
    ask(4, 5, prompt="long")
    ask.engine.close()
    assert "3 prompts refused" in ask.told[-1]


@pytest.mark.parametrize(
    "message", [{"content": None, "refusal": "I will not."}, {"content": ""}, {"content": [{"type": "refusal"}]}]
)
def test_what_a_content_filter_keeps_back_is_refused(
    server: Server, asker: Callable[..., Asker], message: dict[str, Any]
) -> None:
    server.choice = lambda *_: {"finish_reason": "content_filter", "message": message}
    (answer,) = asker()(1)
    assert (answer.text, answer.finish_reason) == ("", "refused")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("played", "reason"),
    [
        (Played({"error": {"message": "no key"}}, 401), "HTTP 401: no key"),
        (Played({"error": {"message": "The model `m` does not exist"}}, 404), "HTTP 404: The model `m` does not exist"),
        (
            Played({"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}, 429),
            "HTTP 429: You exceeded your quota",
        ),
        (Played({"error": {"message": "Budget has been exceeded"}}, 400), "HTTP 400: Budget has been exceeded"),
        (Played(b"", 429, (("Retry-After", "86400"),)), "HTTP 429; it asks to wait 86400 s, and team.timeout=600"),
        (Played({"choices": []}), 'its answer is no completion: {"choices": []}'),
    ],
)
def test_a_server_that_refuses_everything_ends_the_run_with_its_reason(
    server: Server, asker: Callable[..., Asker], played: Played, reason: str
) -> None:
    ask = asker(retries=2)
    ask(1)
    server.refuses = lambda _: played
    with pytest.raises(InputError) as raised:
        ask(2, 3)
    assert str(raised.value) == f"server {server.url} (m): {reason}"
    server.refuses = lambda _: None
    assert ask(2)[0].text == "    return 2"


def test_whose_fault_a_refusal_is_is_asked_only_where_nobody_else_is_answered(
    server: Server, asker: Callable[..., Asker]
) -> None:
    ask = asker()
    ask(1)
    server.refuses = lambda body: Played({"message": "no"}, 400) if body["seed"] == 2 else None
    server.write = lambda body: time.sleep(0.1) or "text"  # type: ignore[func-returns-value]
    assert [answer.finish_reason for answer in ask(2, 3, 4)] == ["refused", "eos", "eos"]
    assert not [body for body in server.asked if "hello" in str(body)]


def test_a_busy_server_is_waited_for_as_long_as_it_answers_somebody(
    server: Server, asker: Callable[..., Asker]
) -> None:
    count = 0

    def mostly(_: dict[str, Any]) -> Played | None:
        nonlocal count
        count += 1
        return None if count % 6 == 0 else RATE_LIMIT

    ask = asker(retries=6, at_once=2)
    server.refuses = mostly
    answers = ask(*range(12))
    assert [answer.text for answer in answers] == [f"    return {seed}" for seed in range(12)]


def test_a_reason_is_shown_whole_and_without_a_terminals_signs(server: Server, asker: Callable[..., Asker]) -> None:
    detail = [{"loc": ["body", "messages", 0], "msg": "bad \x1b[31mthing\n" + "x" * 400, "type": "value_error"}]
    server.refuses = lambda _: Played({"detail": detail}, 422)
    with pytest.raises(InputError) as raised:
        asker()(1)
    said = str(raised.value)
    assert said.endswith("x" * 400 + '", "type": "value_error"}]}')
    assert "\\u001b" in said
    assert said.isprintable()


def speaks(**rules: Callable[[Any], bool]) -> Callable[[dict[str, Any]], Played | None]:
    """Refuse with a reason that names the first setting whose value is not as it must be."""

    def refuse(body: dict[str, Any]) -> Played | None:
        for name, fits in rules.items():
            if name in body and not fits(body[name]):
                return Played({"error": {"message": f"Unsupported value of {name}", "param": name}}, 400)
        return None

    return refuse


def never(_: Any) -> bool:
    return False


@pytest.mark.parametrize(
    ("rules", "there", "absent", "told"),
    [
        ({"max_tokens": never}, {"max_completion_tokens": 30}, ["max_tokens"], "calls the token limit max_completion"),
        ({"max_completion_tokens": never}, {"max_tokens": 30}, ["max_completion_tokens"], ""),
        ({"seed": lambda seed: seed < 2**31}, {"seed": 2**62 % 2**31 + 5}, [], "takes seeds of 31 bits"),
        ({"seed": never}, {}, ["seed"], "takes no seed"),
        (
            {"top_k": never, "min_p": never},
            {"repetition_penalty": 1.0},
            ["top_k", "min_p"],
            "takes no top_k, min_p: its",
        ),
        (
            {"seed": never, "max_tokens": never, "repetition_penalty": never, "stop": never},
            {"max_completion_tokens": 30},
            ["seed", "stop", "repetition_penalty"],
            "takes no stop",
        ),
    ],
)
def test_a_dialect_is_found_out_once(
    server: Server,
    asker: Callable[..., Asker],
    rules: dict[str, Any],
    there: dict[str, Any],
    absent: list[str],
    told: str,
) -> None:
    server.refuses = speaks(**rules)
    ask = asker()
    sampling = Sampling(temperature=0.8, max_new_tokens=30, stop=("\ndef ",))
    ask(2**62 + 5, 1, 2, 3, sampling=sampling)
    used = next(body for body, _ in server.answered)
    assert {key: used[key] for key in there} == there
    assert not used.keys() & set(absent)
    assert told in " ".join(ask.told)
    tries = len(server.asked) - len(server.answered)
    ask(4, 5, 6, sampling=sampling)
    assert len(server.answered) == 7
    assert len(server.asked) - len(server.answered) == tries  # nothing is found out again


@pytest.mark.parametrize("known", [("max_tokens", 0), ("max_completion_tokens", 31), ("max_completion_tokens", 0)])
def test_a_dialect_is_found_where_the_reason_names_nothing(
    server: Server, asker: Callable[..., Asker], known: tuple[str, int]
) -> None:
    limit, bits = known

    def refuse(body: dict[str, Any]) -> Played | None:
        fits = limit in body and body.get("seed", 0) < 2**bits and (bits or "seed" not in body) and "min_p" not in body
        return None if fits else Played(b"Bad Request", 400)

    server.refuses = refuse
    ask = asker()
    assert len(ask(2**62 + 5, 1, 2)) == 3
    assert len(server.answered) == 3
    assert len(server.asked) <= 3 + 10


def test_top_k_off_may_be_minus_one(server: Server, asker: Callable[..., Asker]) -> None:
    def refuse(body: dict[str, Any]) -> Played | None:
        off = body.get("top_k") == 0
        return Played({"message": "top_k must be -1 (disable), or at least 1, got 0."}, 400) if off else None

    server.refuses = refuse
    asker()(1)
    assert server.asked[-1]["top_k"] == -1


def test_a_setting_that_measures_something_else_is_never_dropped(server: Server, asker: Callable[..., Asker]) -> None:
    server.refuses = speaks(temperature=lambda value: value == 1)
    with pytest.raises(InputError, match="Unsupported value of temperature"):
        asker()(1)
    server.refuses = speaks(top_k=never)
    with pytest.raises(InputError, match="Unsupported value of top_k"):
        asker()(1, sampling=Sampling(top_k=5))
    server.refuses = speaks(temperature=never, top_p=never)
    assert asker()(1, sampling=Sampling(temperature=1.0))  # these are what it does anyway


def test_a_chats_server_is_told_to_apply_no_settings_of_its_own(server: Server, asker: Callable[..., Asker]) -> None:
    asker()(1)
    (body,) = server.asked
    sent = {key: body[key] for key in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")}
    assert sent == {"temperature": 0.8, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_a_prompt_that_was_read_in_part_is_told(server: Server, asker: Callable[..., Asker], api: str) -> None:
    ask = asker(api=api)
    server.usage = lambda _: {"prompt_tokens": 1000 if api == "completions" else 200, "completion_tokens": 30}
    ask(1, prompt="x" * 1000)
    assert ask.told == []
    server.usage = lambda _: {"prompt_tokens": 99, "completion_tokens": 31}
    ask(2, 3, prompt="x" * 1000)
    assert len(ask.told) == 2
    assert "was read as 99 tokens: it is cut off there" in ask.told[0]
    assert "an answer has 31 tokens, where max_new_tokens=30" in ask.told[1]


def test_every_trouble_in_turn_loses_no_answer_and_asks_for_none_again(
    server: Server, asker: Callable[..., Asker], tmp_path: Path
) -> None:
    saved = tmp_path / "answers.jsonl"
    ask = asker(answers=saved, at_once=4)
    server.troubles = [*PASSING.values(), *[RATE_LIMIT] * 3]
    first = ask(*range(20))
    assert not server.troubles
    assert [answer.text for answer in first] == [f"    return {seed}" for seed in range(20)]
    server.refuses = lambda body: Played(b"gone", 401) if body["seed"] == 30 else None
    with pytest.raises(InputError, match="HTTP 401"):
        ask(*range(20, 40))
    ask.engine.close()
    server.refuses = refuse_long(400)
    again = asker(answers=saved, at_once=4)
    assert again(*range(20)) == first
    last = again(*range(20, 40))
    again(50, prompt="too long")
    given = [(body, text) for body, text in server.answered if "hello" not in str(body)]
    assert {text for _, text in given} == {answer.text for answer in (*first, *last)}
    assert sorted(body["seed"] for body, _ in given) == list(range(40))  # each once
    asked = len(server.asked)
    assert asker(answers=saved)(50, prompt="too long")[0].finish_reason == "refused"
    assert len(server.asked) == asked


def test_a_call_that_takes_too_long_is_made_again(server: Server, asker: Callable[..., Asker]) -> None:
    slow = [0.3]

    def slowly(body: dict[str, Any]) -> str:
        time.sleep(slow.pop(0) if slow else 0)
        return f"    return {body['seed']}"

    ask = asker(timeout_s=0.2)
    server.write = slowly
    assert ask(1)[0].text == "    return 1"
    assert "no answer within 0.2 s (team.timeout); asked again in" in ask.told[0]


def test_calls_under_way_are_saved_when_another_ends_the_run(
    server: Server, asker: Callable[..., Asker], tmp_path: Path
) -> None:
    ask = asker(answers=tmp_path / "answers.jsonl")
    ask(1)

    def slowly(body: dict[str, Any]) -> str:
        time.sleep(0.3)
        return f"    return {body['seed']}"

    server.write = slowly
    server.refuses = lambda body: Played(b"", 401) if body["seed"] == 3 else None
    with pytest.raises(InputError, match="HTTP 401"):
        ask(2, 3)
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert "    return 2" in [row.get("text") for row in rows]


def test_a_saved_file_that_was_cut_off_is_read_up_to_there_and_a_foreign_one_is_one_line(
    server: Server, asker: Callable[..., Asker], tmp_path: Path
) -> None:
    saved = tmp_path / "answers.jsonl"
    ask = asker(answers=saved)
    ask(1, 2, 3)
    saved.write_text(saved.read_text()[:-20])
    again = asker(answers=saved)
    assert len(again(1, 2, 3)) == 3
    assert len(server.answered) == 4
    assert len([json.loads(line) for line in saved.read_text().splitlines()]) == 4  # a dialect, and three answers
    saved.write_text('{"task_id": "a"}\n')
    with pytest.raises(InputError, match=r"answers\.jsonl line 1 is no saved answer: delete that line"):
        asker(answers=saved)


def test_agents_may_have_models_and_servers_of_their_own(server: Server) -> None:
    team = Team({agent: Policy(agent, None, ByteTokenizer(), trainable=False) for agent in (HELPER, MAIN)})
    with serving(Server(write=lambda body: body["model"])) as other:
        engine = OpenAIEngine(
            team, "base", server.url, calls=Calls(api="chat"), served={HELPER: ("helper_0", ""), MAIN: ("", other.url)}
        )
        ((helper,), (main,)) = engine.generate([Request(agent, (40,), (5,), PLAIN) for agent in (HELPER, MAIN)])
        engine.close()
        assert (helper.text, main.text) == ("    return 5", "base")
        assert [body["model"] for body in (*server.asked, *other.asked)] == ["helper_0", "base"]
