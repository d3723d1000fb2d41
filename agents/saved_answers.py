"""Answers of a server, saved when they come: what was paid for is not asked for again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codeduet.agents.dialect import Dialect
from codeduet.agents.replies import Reply
from codeduet.envs import InputError
from codeduet.files import naming, read_run_rows, write_whole


class SavedAnswers:
    """A file of replies by what was asked, and of the dialects that servers were found to speak.

    Args:
        path: a JSONL file; made with the first answer. None saves nothing.

    Raises:
        InputError: a line of the file is no saved answer.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._replies: dict[str, Reply] = {}
        self._dialects: dict[str, Dialect] = {}
        rows = read_run_rows(path) if path else []
        for number, row in enumerate(rows, start=1):
            try:
                self._read(**row)
            except TypeError:
                raise InputError(f"{path} line {number} is no saved answer: delete that line") from None
        if path and rows:  # without a last line that was cut off
            write_whole(path, "".join(json.dumps(row) + "\n" for row in rows))

    def _read(self, key: str, dialect: dict[str, Any] | None = None, **reply: Any) -> None:
        if dialect is not None:
            self._dialects[key] = Dialect(**{**dialect, "without": tuple(dialect.get("without", ()))})
            return
        ids = reply.get("token_ids")
        self._replies[key] = Reply(**{**reply, "token_ids": None if ids is None else tuple(ids)})

    def reply(self, key: str) -> Reply | None:
        """Return the reply to a question, or None."""
        return self._replies.get(key)

    def dialect(self, key: str) -> Dialect | None:
        """Return how a server wants to be asked, or None: it has not been asked."""
        return self._dialects.get(key)

    def keep_reply(self, key: str, reply: Reply) -> None:
        """Save a reply."""
        self._replies[key] = reply
        self._append({"key": key, **asdict(reply)})

    def keep_dialect(self, key: str, dialect: Dialect) -> None:
        """Save how a server wants to be asked."""
        self._dialects[key] = dialect
        self._append({"key": key, "dialect": asdict(dialect)})

    def _append(self, row: dict[str, Any]) -> None:
        if self._path:
            with naming(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


def key_of(*parts: Any) -> str:
    """Return a name of a question: equal where all of its parts are."""
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()
