"""The figures of README and of the pages in ``docs``, written from the files in ``benchmarks/results``.

    python -m codeduet.benchmarks.readme   # make readme; in the repository's root

They have places, each between two comments that name it; what stands in them is made here and nowhere else, and a test
compares. The picture of pass@k is made from the same files.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from codeduet.benchmarks.paper_table import comparisons
from codeduet.benchmarks.probes.page import probes
from codeduet.benchmarks.readme_places import (
    ablations,
    architectures,
    checker,
    comparison,
    cpu_speed,
    examples,
    first,
    gpu_speed,
    losses,
    paper,
    quickstart,
    speed,
    verdict,
)
from codeduet.benchmarks.readme_real import SEARCH, real_checker, real_first, real_learnt, real_table, search
from codeduet.benchmarks.report import pass_at_k_curves
from codeduet.files import read_run_rows

RESULTS = Path("benchmarks/results")
SEEDS = (0, 1, 2)

COMMANDS = {
    "embedded/seed?/results.json": "codeduet reproduce --preset embedded seed=S",
    "embedded/seed?/*_metrics.jsonl": "codeduet reproduce --preset embedded seed=S (ROW/train/metrics.jsonl)",
    "embedded/seed0/ablations.json": "codeduet ablate runs/reproduce-embedded-sound-seed0 (ablations/results.json)",
    "embedded/seed?/checker.json": "python -m codeduet.benchmarks.verdict.saved runs/reproduce-embedded-sound-seed0 --out FILE",
    "embedded/seed0/pass_at_k.png": "make readme",
    "quickstart/seed0_*": "make quickstart",
    "qwen2.5-coder-0.5b/*/checker.json": "python -m codeduet.benchmarks.verdict.saved RUN --out FILE",
    "qwen2.5-coder-0.5b/cpu/[!c]*": "codeduet reproduce --preset qwen-0.5b-cpu rows=[magrpo]",
    "qwen2.5-coder-0.5b/cpu/config.yaml": "codeduet reproduce --preset qwen-0.5b-cpu rows=[magrpo]",
    "qwen2.5-coder-0.5b/seed0/helper_silent/*": "codeduet bench --config multi_agent blank=[helper_0]",
    "qwen2.5-coder-0.5b/seed0/report/*": "codeduet report runs/reproduce-qwen-0.5b-sound-seed0 --samples 1",
    "qwen2.5-coder-0.5b/seed0/results.json": "make gpu-table",
    "qwen2.5-coder-0.5b/seed0/config.yaml": "make gpu-table",
    "qwen2.5-coder-0.5b/seed0/*_samples.jsonl.gz": "make gpu-table (ROW/samples and ROW/greedy)",
    "qwen2.5-coder-0.5b/seed0/*_metrics.jsonl": "make gpu-table (ROW/train/metrics.jsonl)",
    "qwen2.5-coder-0.5b/seed1/*": "make gpu-table (seed=1)",
    "qwen2.5-coder-0.5b/search/*": "codeduet train --config magrpo (metrics.jsonl)",
    "speed/h200*.json": "make gpu",
    "speed/cpu.json": "python -m codeduet.benchmarks.speed --model FOLDER",
    "speed/grpo_step_*.json": "python -m codeduet.benchmarks.grpo_step --against COMMAND",
    "speed/checkouts.json": "python -m codeduet.benchmarks.speed.checkouts --model FOLDER --other SRC --out FILE",
    "verdict/agreement.json": "make agreement",
    "verdict/cost.json": "make cost",
    "verdict/determinism.json": "make determinism",
    "verdict/examples.json": "python -m codeduet.benchmarks.verdict.examples --out FILE",
    "verdict/forgery.json": "make forgery",
    "verdict/soak.json": "make soak",
    "trl_losses.json": "python -m codeduet.benchmarks.trl_losses --against COMMAND --out FILE",
    "probes/matrix.json": "make matrix",
    "probes/variance.json": "python -m codeduet.benchmarks.probes.variance --out FILE",
    "architectures.json": "make architectures",
    "magrpo_step.json": "python -m codeduet.benchmarks.magrpo_step --against COMMAND",
    "vllm_generation.json": "python -m codeduet.benchmarks.vllm_generation",
}
"""Which command makes a file of ``benchmarks/results``, by its name's pattern; in brackets where it is in the run folder."""


class Place(NamedTuple):
    """A place in README, or in a page of ``docs``.

    Attributes:
        files: what it is made from, in ``benchmarks/results``.
        make: what makes it, given those files read.
        page: where it stands.
    """

    files: tuple[str, ...]
    make: Callable[..., str]
    page: str = "README.md"


def made_by(name: str) -> str:
    """Return the command that makes a file of ``benchmarks/results``."""
    (command,) = {command for pattern, command in COMMANDS.items() if fnmatch(name, pattern)}
    return command


def write_places(text: str, results: Path = RESULTS, page: str = "README.md") -> str:
    """Return a page's ``text`` with all its places made anew.

    Raises:
        ValueError: a place is missing, or stands twice.
    """
    for name in (name for name, place in PLACES.items() if place.page == page):
        begin, end = f"<!-- {name}: written by `make readme` -->\n", f"<!-- end of {name} -->"
        parts = re.split(f"({re.escape(begin)}|{re.escape(end)})", text)
        if [parts[i] for i in range(1, len(parts), 2)] != [begin, end]:
            raise ValueError(f"{page} must have one place {name!r}, between {begin.strip()} and {end}")
        text = "".join((parts[0], begin, place_text(name, results), "\n", end, parts[4]))
    return text


def place_text(name: str, results: Path = RESULTS) -> str:
    """Return what stands in a place."""
    place = PLACES[name]
    return place.make(*(_read(results / file) for file in place.files))


def draw(results: Path = RESULTS) -> None:
    """Draw README's picture of pass@k, seed 0."""
    of_seed = _read(results / "embedded/seed0/results.json")
    rows = of_seed["rows"]
    panels = [(made.title, {rows[name]["title"]: rows[name] for name in made.names}) for made in comparisons(of_seed)]
    pass_at_k_curves(panels, results / "embedded/seed0/pass_at_k.png")


def _read(path: Path) -> Any:
    return read_run_rows(path) if path.suffix == ".jsonl" else json.loads(path.read_text(encoding="utf-8"))


_OF_SEEDS = tuple(f"embedded/seed{seed}/results.json" for seed in SEEDS)

PLACES = {
    "what holds at equal budget": Place(_OF_SEEDS, first),
    "equal budget": Place(_OF_SEEDS, lambda *seeds: comparison(False, *seeds)),
    "capped answers": Place(_OF_SEEDS, lambda *seeds: comparison(True, *seeds), "docs/embedded_model.md"),
    "ablations": Place(("embedded/seed0/ablations.json",), ablations, "docs/embedded_model.md"),
    "checker": Place(("embedded/seed0/checker.json",), checker),
    "quickstart": Place(
        tuple(f"quickstart/seed0_{part}" for part in ("before.json", "after.json", "metrics.jsonl")),
        quickstart,
        "docs/embedded_model.md",
    ),
    "real model: first": Place(
        tuple(
            f"qwen2.5-coder-0.5b/{name}.json"
            for name in ("seed0/results", "seed1/magrpo", "seed0/helper_silent/results")
        ),
        real_first,
    ),
    "real model": Place(
        tuple(
            f"qwen2.5-coder-0.5b/{name}.json"
            for name in (
                "seed0/results",
                "seed1/magrpo",
                "seed1/magrpo_greedy",
                "seed0/helper_silent/results",
                "cpu/results",
            )
        ),
        real_table,
    ),
    "real model: checker": Place(
        ("qwen2.5-coder-0.5b/seed0/checker.json", "qwen2.5-coder-0.5b/cpu/checker.json"), real_checker
    ),
    "real model: learnt": Place(
        tuple(f"qwen2.5-coder-0.5b/seed0/{n}" for n in ("results.json", "magrpo_metrics.jsonl", "grpo_metrics.jsonl")),
        real_learnt,
        "docs/real_model.md",
    ),
    "real model: settings": Place(
        tuple(f"qwen2.5-coder-0.5b/search/{name}_metrics.jsonl" for name in SEARCH), search, "docs/real_model.md"
    ),
    "verdict": Place(
        tuple(f"verdict/{name}.json" for name in ("forgery", "agreement", "cost", "determinism", "soak")),
        verdict,
        "docs/verdict.md",
    ),
    "examples": Place(("verdict/examples.json",), examples, "docs/verdict.md"),
    "architectures": Place(("architectures.json",), architectures, "docs/models.md"),
    "speed on a GPU": Place(("speed/h200.json", "speed/h200_training.json"), gpu_speed, "docs/speed.md"),
    "speed on a CPU": Place(("speed/cpu.json",), cpu_speed, "docs/speed.md"),
    "speed": Place(
        (
            "magrpo_step.json",
            "vllm_generation.json",
            "speed/grpo_step_2x4.json",
            "speed/grpo_step_8x4.json",
            "speed/checkouts.json",
        ),
        speed,
    ),
    "losses": Place(("trl_losses.json", "probes/variance.json"), losses, "docs/algorithms.md"),
    "paper": Place((), paper),
    "probes": Place(("probes/matrix.json",), probes, "docs/probes.md"),
}
"""The places, and what they are made from."""


def main() -> None:
    """Write all places, and README's picture."""
    if not (Path("README.md").is_file() and RESULTS.is_dir()):
        sys.exit(
            "codeduet.benchmarks.readme: no README.md with benchmarks/results here: call it in the repository's root"
        )
    for page in dict.fromkeys(place.page for place in PLACES.values()):
        path = Path(page)
        path.write_text(write_places(path.read_text(encoding="utf-8"), page=page), encoding="utf-8")
    draw()


if __name__ == "__main__":
    main()
