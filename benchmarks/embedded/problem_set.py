"""Write the embedded problem set, which ``load_problems("embedded")`` reads: ``python -m`` this module.

1,023 pipelines in HumanEval format, drawn by a fixed seed. No two have the same steps, every step of each is needed to pass
its tests, and the documents the embedded model is pre-trained on are about others.
"""

from __future__ import annotations

import functools
import gzip
import json
import random

from codeduet.benchmarks.embedded.pipelines import DEPTHS, Pipeline, body, draw_distinct, prompt
from codeduet.envs.problems import EMBEDDED_FILE

COUNT = 31 * 33
"""Divides into 775 problems to train on and 248 to test on."""

SEED = 0


@functools.cache
def embedded_pipelines() -> tuple[tuple[Pipeline, str], ...]:
    """Return the pipelines of the problem set with their tests, in its order."""
    return tuple(draw_distinct(random.Random(f"embedded problems {SEED}"), COUNT, DEPTHS))


def rows() -> list[dict[str, str]]:
    """Return the problem set in HumanEval format."""
    return [
        {
            "task_id": f"Embedded/{number}",
            "prompt": prompt(pipeline),
            "entry_point": pipeline.name,
            "canonical_solution": body(pipeline),
            "test": tests,
        }
        for number, (pipeline, tests) in enumerate(embedded_pipelines())
    ]


def write() -> None:
    """Write the file."""
    text = "".join(json.dumps(row) + "\n" for row in rows())
    EMBEDDED_FILE.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    write()
