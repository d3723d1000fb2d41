"""The script that times the reading of answers, on short texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codeduet.benchmarks import reading


def test_every_text_is_read_and_the_slowest_are_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "reading.json"
    assert reading.main(["--size", "500", "--limit-ms", "1000", "--out", str(out)]) == 0
    record = json.loads(out.read_text())
    assert (record["characters"], record["texts"]) == (500, len(reading.UNITS) * len(reading.BEFORE))
    assert len(record["slowest"]) == 10
    assert record["steep"] == []
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_a_slow_reader_and_one_that_grows_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reading, "UNITS", {"words": "a"})
    monkeypatch.setattr(reading, "milliseconds", lambda text: 101.0)
    assert reading.main(["--size", "100"]) == 1
    assert "grows" not in capsys.readouterr().out
    monkeypatch.setattr(reading, "milliseconds", lambda text: len(text) ** 2 / 150)  # 67 ms, of half the text 17
    assert reading.main(["--size", "100"]) == 1
    assert "words, alone grows faster than the text: 66.7 ms, half the text 16.7 ms" in capsys.readouterr().out
