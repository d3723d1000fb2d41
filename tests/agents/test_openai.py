"""The OpenAI-compatible engine against a small server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai")

from codeduet.agents import MessageFormatter, Request, Sampling
from codeduet.agents.openai import OpenAIEngine
from codeduet.agents.team import Policy, Team, load_team, load_weightless
from codeduet.algorithms import TrainConfig, Trainer
from codeduet.algorithms.config import TeamConfig
from codeduet.envs import HELPER, MAIN, ByteTokenizer, InputError

SAMPLING = Sampling(temperature=0.8, max_new_tokens=30, stop=("\ndef ",))


@dataclass
class Server:
    """Answers every prompt with its seed; notes what it was asked; refuses after ``lives`` answers."""

    url: str = ""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    lives: int = 10**9
    lock: threading.Lock = field(default_factory=threading.Lock)


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
            text = f"    return {body['seed']}\ndef g(): pass"
            choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "stop_reason": "\ndef "}
            choice |= {"message": {"role": "assistant", "content": text}} if "chat" in self.path else {"text": text}
            answer = json.dumps({"id": "1", "object": "x", "created": 0, "model": "m", "choices": [choice]}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    yield state
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
    engine = OpenAIEngine(bytes_team(), "hosted", server.url, api="chat")
    formatter = MessageFormatter()
    observation = {"prompt": "def f(x):\n", "entry_point": "f", "helper_code": "", "feedback": "", "previous_code": ""}
    ids = formatter.encode(MAIN, observation)
    ((answer,),) = engine.generate([Request("base", ids, (7,), Sampling())])
    assert answer.text.startswith("    return 7")
    path, body = server.asked[0]
    assert path == "/v1/chat/completions"
    assert body["messages"] == [{"role": "user", "content": formatter.render(MAIN, observation)}]
    engine.close()


def test_a_server_that_dies_is_named(server: Server) -> None:
    server.lives = 1
    engine = OpenAIEngine(bytes_team(), "hosted", server.url, retries=0)
    with pytest.raises(InputError, match=f"server {server.url} \\(hosted\\): Connection error"):
        engine.generate([Request("base", (40,), (1, 2, 3), SAMPLING)])
    engine.close()


def test_what_it_cannot_do_is_refused_in_one_line(server: Server, model_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="base_url=http"):
        OpenAIEngine(bytes_team(), "hosted", "localhost:80")
    with pytest.raises(InputError, match="adapters are not sent there"):
        OpenAIEngine(load_team(str(model_dir), lora_rank=2), "hosted", server.url)
    with pytest.raises(InputError, match="engine=openai is for evaluation"):
        Trainer(TrainConfig(out=str(tmp_path), team=TeamConfig(model=str(model_dir), engine="openai")))
    engine = OpenAIEngine(bytes_team(), "hosted", server.url)
    with pytest.raises(InputError, match="cannot follow a training"):
        engine.sync(bytes_team()[MAIN], 1)
    engine.close()
