"""The OpenAI-compatible engine against a small server on loopback."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai")

from codeduet.agents import MessageFormatter, Request, Sampling
from codeduet.agents.briefs import Prompt
from codeduet.agents.config import SeatConfig, TeamConfig
from codeduet.agents.openai import OpenAIEngine
from codeduet.agents.policy import Policy
from codeduet.agents.replies import Api
from codeduet.agents.served import Calls
from codeduet.agents.team import Team, load_team, load_weightless
from codeduet.algorithms import TrainConfig, make_trainer
from codeduet.envs import HELPER, MAIN, ByteTokenizer, InputError

SAMPLING = Sampling(temperature=0.8, max_new_tokens=30, stop=("\ndef ",))


@dataclass
class Server:
    """Answers every prompt with its seed; notes what it was asked; refuses after ``lives`` answers.

    Seed ``hang`` gets no answer before the test ends, and seed ``deny`` is told that its key is wrong. ``body`` is sent
    in place of any answer, as of type ``kind``.
    """

    url: str = ""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    lives: int = 10**9
    lock: threading.Lock = field(default_factory=threading.Lock)
    hang: int = -1
    deny: int = -1
    over: threading.Event = field(default_factory=threading.Event)
    body: bytes | None = None
    kind: str = "application/json"


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with state.lock:
                state.asked.append((self.path, body))
                state.lives -= 1
                dead = state.lives < 0
            if dead:
                self.connection.close()
                return
            if body["seed"] == state.hang:
                state.over.wait()
            text = f"    return {body['seed']}\ndef g(): pass"
            choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "stop_reason": "\ndef "}
            choice |= {"message": {"role": "assistant", "content": text}} if "chat" in self.path else {"text": text}
            answer = json.dumps({"id": "1", "object": "x", "created": 0, "model": "m", "choices": [choice]}).encode()
            answer = answer if state.body is None else state.body
            self.send_response(401 if body["seed"] == state.deny else 200)
            self.send_header("Content-Type", state.kind)
            self.send_header("Content-Length", str(len(answer)))
            with contextlib.suppress(OSError):  # nobody waits for it any more
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    yield state
    state.over.set()
    http.shutdown()
    http.server_close()


def bytes_team() -> Team:
    return Team(dict.fromkeys((HELPER, MAIN), Policy("base", None, ByteTokenizer(), trainable=False)))


def test_completions_send_token_ids_and_every_setting(server: Server, model_dir: Path) -> None:
    engine = OpenAIEngine(load_weightless(str(model_dir), (MAIN,)), "some-model", server.url)
    ((first, second),) = engine.generate([Request("base", (40, 41), (5, 6), SAMPLING)])
    assert (first.text, second.text) == ("    return 5", "    return 6")
    assert first.finish_reason == "stop"
    assert sorted(body["seed"] for _, body in server.asked) == [5, 6]
    path, body = server.asked[0]
    assert path == "/v1/completions"
    assert body["prompt"] == [40, 41]
    wanted = {"model": "some-model", "temperature": 0.8, "top_p": 1.0, "top_k": 0, "max_tokens": 30, "stop": ["\ndef "]}
    assert {key: body[key] for key in wanted} == wanted
    engine.close()


def test_stop_strings_beyond_the_four_a_server_takes_cut_the_text_here(server: Server) -> None:
    engine = OpenAIEngine(bytes_team(), "some-model", server.url)
    sampling = Sampling(stop=("a1", "b2", "c3", "d4", "\ndef "))
    ((answer,),) = engine.generate([Request("base", (40,), (5,), sampling)])
    assert server.asked[0][1]["stop"] == ["a1", "b2", "c3", "d4"]
    assert (answer.text, answer.finish_reason) == ("    return 5", "stop")
    engine.close()


def test_chat_sends_the_message_as_text_and_needs_no_tokenizer(server: Server) -> None:
    engine = OpenAIEngine(bytes_team(), "hosted", server.url, calls=Calls(api="chat"))
    formatter = MessageFormatter()
    observation = {"prompt": "def f(x):\n", "entry_point": "f", "helper_code": "", "feedback": "", "previous_code": ""}
    ids = formatter.encode(MAIN, observation)
    ((answer,),) = engine.generate([Request("base", ids, (7,), Sampling())])
    assert answer.text.startswith("    return 7")
    assert answer.token_ids == tuple(b"    return 7\ndef g(): pass")
    path, body = server.asked[0]
    assert path == "/v1/chat/completions"
    assert body["messages"] == [{"role": "user", "content": formatter.render(MAIN, observation)}]
    engine.close()


def test_a_chat_gets_its_system_message_and_the_templates_arguments(server: Server) -> None:
    engine = OpenAIEngine(
        bytes_team(),
        "hosted",
        server.url,
        calls=Calls(api="chat", system="You program.", template={"enable_thinking": False}),
    )
    engine.generate([Request("base", (40,), (1,), Sampling())])
    _, body = server.asked[0]
    assert body["messages"] == [{"role": "system", "content": "You program."}, {"role": "user", "content": "("}]
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    engine.close()


def test_completions_end_with_a_chats_turn(server: Server, model_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(model_dir, tmp_path / "chat")
    (tmp_path / "chat" / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}<|pad|>{% endfor %}")
    engine = OpenAIEngine(load_weightless(str(tmp_path / "chat"), (MAIN,)), "some-model", server.url)
    engine.generate([Request("base", (40,), (1,), SAMPLING)])
    assert server.asked[0][1]["stop_token_ids"] == [256, 257]
    engine.close()


def test_a_server_that_dies_is_named(server: Server) -> None:
    server.lives = 1
    engine = OpenAIEngine(bytes_team(), "hosted", server.url, calls=Calls(retries=0))
    with pytest.raises(InputError, match=f"server {server.url} \\(hosted\\): Connection error"):
        engine.generate([Request("base", (40,), (1, 2, 3), SAMPLING)])
    engine.close()


CHOICE = (
    b'{"id": "1", "object": "x", "created": 0, "model": "m", "choices": [{"index": 0, "finish_reason": "stop", %s}]}'
)


@pytest.mark.parametrize("api", ["completions", "chat"])
@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": [',
        b"\xff",
        b"",
        b"null",
        b"[1]",
        b"{}",
        b'{"error": {"message": "no such model"}}',
        b'{"choices": []}',
        b'{"choices": 3}',
        b'{"choices": [null]}',
        CHOICE % b'"text": null, "message": null',
        CHOICE % b'"text": 5, "message": {"role": "assistant", "content": 5}',
        CHOICE % b'"logprobs": null',
    ],
)
def test_an_answer_that_is_none_is_one_line(server: Server, api: Api, body: bytes) -> None:
    server.body = body
    engine = OpenAIEngine(bytes_team(), "hosted", server.url, calls=Calls(api=api, retries=0))
    with pytest.raises(InputError, match=f"^server {server.url} \\(hosted\\): .*") as raised:
        engine.generate([Request("base", (40,), (1,), Sampling())])
    assert "\n" not in str(raised.value)
    engine.close()


def test_a_web_page_is_shown_in_part(server: Server) -> None:
    server.body, server.kind = b"<html>\n<p>nginx</p>" + b"." * 1000, "text/html"
    engine = OpenAIEngine(bytes_team(), "hosted", server.url, calls=Calls(retries=0))
    with pytest.raises(InputError, match=r"its answer is no completion: <html> <p>nginx</p>\.{281}$"):
        engine.generate([Request("base", (40,), (1,), Sampling())])
    engine.close()


def test_a_chat_answer_without_words_is_an_empty_one(server: Server) -> None:
    server.body = CHOICE.replace(b"stop", b"length") % b'"message": {"role": "assistant", "content": null}'
    engine = OpenAIEngine(bytes_team(), "hosted", server.url, calls=Calls(api="chat"))
    ((answer,),) = engine.generate([Request("base", (40,), (1,), Sampling())])
    assert (answer.text, answer.token_ids, answer.finish_reason) == ("", (), "length")
    engine.close()


@pytest.mark.parametrize("ids", [b"", b', "token_ids": null', b', "token_ids": 5', b', "token_ids": ["a"]'])
def test_text_alone_is_enough_of_an_answer(server: Server, ids: bytes) -> None:
    server.body = b'{"choices": [{"text": "ab"%s}]}' % ids
    engine = OpenAIEngine(bytes_team(), "hosted", server.url)
    ((answer,),) = engine.generate([Request("base", (40,), (1,), Sampling())])
    assert (answer.text, answer.token_ids, answer.finish_reason) == ("ab", (97, 98), "eos")
    engine.close()


def test_an_error_does_not_wait_for_calls_under_way(server: Server) -> None:
    server.hang, server.deny = 1, 2
    engine = OpenAIEngine(bytes_team(), "hosted", server.url)
    engine.generate([Request("base", (40,), (3,), SAMPLING)])  # the first call goes alone
    began = time.perf_counter()
    with pytest.raises(InputError, match="HTTP 401: "):
        engine.generate([Request("base", (40,), (1, 2), SAMPLING)])
    engine.close()
    engine.close()  # the second time it is nothing
    assert time.perf_counter() - began < 10  # the other call would take 600 s
    assert len(server.asked) == 3


def test_ctrl_c_does_not_wait_for_calls_under_way_nor_does_the_end_of_python(server: Server) -> None:
    server.hang = 1
    program = f"""
from codeduet.agents import Request, Sampling
from codeduet.agents.openai import OpenAIEngine
from codeduet.agents.policy import Policy
from codeduet.agents.team import Team
from codeduet.envs import ByteTokenizer
engine = OpenAIEngine(Team(dict(a=Policy("base", None, ByteTokenizer()))), "hosted", {server.url!r})
try:
    engine.generate([Request("base", (40,), (1,), Sampling())])
except KeyboardInterrupt:
    engine.close()
    print("closed")
"""
    running = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    while not any(body["seed"] == server.hang for _, body in server.asked) and time.monotonic() < until:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    try:
        assert running.communicate(timeout=60) == ("closed\n", "")
    finally:
        running.kill()
    assert running.returncode == 0


def test_at_most_batch_size_calls_are_under_way(server: Server) -> None:
    server.hang = 1
    engine = OpenAIEngine(bytes_team(), "hosted", server.url, calls=Calls(at_once=1))
    threading.Timer(0.5, server.over.set).start()
    ((first, second),) = engine.generate([Request("base", (40,), (1, 2), SAMPLING)])
    assert [body["seed"] for _, body in server.asked] == [1, 2]
    assert (first.text, second.text) == ("    return 1", "    return 2")
    engine.close()


def test_an_empty_key_is_none(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    engine = OpenAIEngine(bytes_team(), "hosted", server.url)
    assert engine.generate([Request("base", (40,), (1,), SAMPLING)])
    engine.close()


def test_what_it_cannot_do_is_refused_in_one_line(server: Server, model_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="base_url=http"):
        OpenAIEngine(bytes_team(), "hosted", "localhost:80")
    with pytest.raises(InputError, match="cannot use base_url='http://localhost:notaport/v1'"):
        OpenAIEngine(bytes_team(), "hosted", "http://localhost:notaport/v1")
    with pytest.raises(InputError, match="adapters are not sent there"):
        OpenAIEngine(load_team(str(model_dir), config=TeamConfig(lora_rank=2)), "hosted", server.url)
    with pytest.raises(InputError, match="engine=openai is for evaluation"):
        make_trainer(TrainConfig(out=str(tmp_path), team=TeamConfig(model=str(model_dir), engine="openai")))
    engine = OpenAIEngine(bytes_team(), "hosted", server.url)
    with pytest.raises(InputError, match="cannot follow a training"):
        engine.sync(bytes_team()[MAIN], 1)
    engine.close()


@pytest.mark.parametrize(
    ("changed", "api"),
    [
        ({}, "chat"),
        ({"api": "completions"}, "completions"),
        ({"tokenizer": "org/name"}, "completions"),
        ({"model": "."}, "completions"),
        ({"prompt": "Plan {prompt}"}, "completions"),
        ({"prompt": None}, "completions"),
    ],
)
def test_a_seat_with_nothing_but_a_message_is_sent_messages(changed: dict[str, Any], api: str) -> None:
    words = {"model": "big", "engine": "openai", "learns": False, "prompt": Prompt(chat="Plan {prompt}"), **changed}
    assert TeamConfig(seats={"planner": SeatConfig(**words)}).seat("planner").api == api
