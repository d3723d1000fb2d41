"""Is the verdict right, and what does it cost?

Each module is a command (``python -m codeduet.benchmarks.verdict.NAME``): ``agreement`` with OpenAI's checker on
canonical solutions and mutants of them, ``saved`` with it on the samples of a run, ``cost`` of a program, ``examples`` that
prompts show and hidden tests repeat. ``corpora``, which is in the repository and not in the wheel, holds programs made to
break it and the commands that need them: ``forgery`` beside OpenAI's checker on programs that cheat, ``determinism`` with busy
neighbours, ``soak`` over a hundred thousand programs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def save(record: dict[str, Any], out: Path | None) -> None:
    """Write a run's figures to the JSON file ``out``, if one was named."""
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(record, indent=1) + "\n")
