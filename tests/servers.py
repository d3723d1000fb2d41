"""A server on loopback that speaks as OpenAI's do, and plays troubles in turn."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Played(NamedTuple):
    """What is sent in place of an answer.

    Attributes:
        body: bytes, or what becomes JSON; None cuts the line.
        status: of HTTP.
        headers: further ones.
    """

    body: Any
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Server:
    """Answers with the seed it was sent, or what ``write`` makes of the request, after its troubles are played.

    Attributes:
        url: up to and with ``/v1``.
        troubles: each is played to one call.
        refuses: called with each request before anything else; what it returns is sent.
        write: request -> text.
        choice: request, text -> choice; by default in the form of the interface asked.
        usage: request -> usage, or None.
        asked: all requests.
        answered: requests that got an answer, with its text.
    """

    url: str = ""
    troubles: list[Played] = field(default_factory=list)
    refuses: Callable[[dict[str, Any]], Played | None] = lambda _: None
    write: Callable[[dict[str, Any]], str] = lambda body: f"    return {body.get('seed')}"
    choice: Callable[[dict[str, Any], str], dict[str, Any]] | None = None
    usage: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda _: None
    asked: list[dict[str, Any]] = field(default_factory=list)
    answered: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def play(self, body: dict[str, Any]) -> Played:
        """Return what to send."""
        with self.lock:
            self.asked.append(body)
            if refusal := self.refuses(body):
                return refusal
            if self.troubles:
                return self.troubles.pop(0)
        text = self.write(body)
        with self.lock:
            self.answered.append((body, text))
        own = {"message": {"role": "assistant", "content": text}} if "messages" in body else {"text": text}
        choice = self.choice(body, text) if self.choice else {"index": 0, "finish_reason": "stop", **own}
        return Played({"id": "1", "choices": [choice], "usage": self.usage(body)})


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Run it until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            played = server.play(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if played.body is None:
                self.connection.close()
                return
            sent = played.body if isinstance(played.body, bytes) else json.dumps(played.body).encode()
            with contextlib.suppress(OSError):
                self.send_response(played.status)
                for name, value in (("Content-Length", str(len(sent))), *played.headers):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(sent)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
