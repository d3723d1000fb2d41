"""One self-contained HTML page about runs: tables, curves, signs of collapse, and transcripts to browse.

The page holds its own data, pictures, style and script, and asks nothing of the network; ``page.html`` is its frame.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from codeduet.algorithms.diagnostics import FEW_STEPS, signs
from codeduet.algorithms.metrics import read_metrics
from codeduet.benchmarks.samples import problems_of, read_samples
from codeduet.envs import InputError, load_problems
from codeduet.files import finite

SAMPLES = 3
"""Samples of each problem and row that the page shows, unless told otherwise: the page stays a few MB."""


class Pair(NamedTuple):
    """Two samples side by side.

    Attributes:
        before: place of the left one among the page's samples.
        after: place of the right one.
        line: what stands above them.
    """

    before: int
    after: int
    line: str


class Section(NamedTuple):
    """A part of the page.

    Attributes:
        title: its heading.
        note: a line below it.
        table: ``{"columns": [...], "rows": [[...]]}`` of text.
        image: path of a PNG.
        signs: (text, whether it is good news).
        pairs: samples side by side.
    """

    title: str
    note: str = ""
    table: Mapping[str, Any] | None = None
    image: Path | None = None
    signs: Sequence[tuple[str, bool]] = ()
    pairs: Sequence[Pair] = ()


class Transcripts(NamedTuple):
    """What the page has to browse.

    Attributes:
        samples: an entry of each.
        prompts: problem set -> task id -> prompt, of the tasks in ``samples``.
        note: which samples are there, if not all.
        left_out: a line on each samples file that cannot be shown.
    """

    samples: list[dict[str, Any]]
    prompts: dict[str, dict[str, str]]
    note: str
    left_out: list[str]


def read_transcripts(runs: Sequence[Path], samples: int = SAMPLES) -> Transcripts:
    """Read the samples of runs; one file that cannot be read does not cost the others.

    Args:
        runs: folders that hold ``samples.jsonl``, themselves or somewhere below.
        samples: of each problem in each of them, at most; 0 is all.
    """
    shown: list[dict[str, Any]] = []
    prompts: dict[str, dict[str, str]] = {}
    left_out: list[str] = []
    for run in runs:
        for path in sorted(run.rglob("samples.jsonl")):
            name = name_of(path.parent, run, runs)
            try:
                sources = problems_of(path)
                source = " and ".join(filter(None, sources))
                if source not in prompts:
                    known = load_problems(sources[0], "all", sources[1])
                    prompts[source] = {problem.task_id: problem.prompt for problem in known}
                rows = read_samples(path)
            except InputError as error:
                left_out.append(f"transcripts of {path} are left out: {str(error).removeprefix(f'{path} ')}")
                continue
            shown += [_transcript(row, name, source) for row in rows if not samples or row["sample"] < samples]
    used = {(row["problems"], row["task"]) for row in shown}
    needed = {
        source: {task: text for task, text in known.items() if (source, task) in used}
        for source, known in prompts.items()
    }
    note = f"At most {samples} of each problem: codeduet report --samples shows more." if samples else ""
    return Transcripts(shown, needed, note, left_out)


def write_page(out: Path, sections: Sequence[Section], transcripts: Transcripts) -> None:
    """Write the page.

    Args:
        out: the HTML file.
        sections: what stands on it, in order.
        transcripts: what can be browsed below them.
    """
    data = {
        "sections": [_section(section) for section in sections],
        "prompts": transcripts.prompts,
        "samples": transcripts.samples,
        "note": transcripts.note,
    }
    # Inside a script element nothing but its end tag is special.
    # And JSON has no NaN, though Python writes it: a reward may be one, an interval of one problem is.
    text = json.dumps(finite(data), allow_nan=False).replace("</", "<\\/").replace("<!--", "<\\u0021--")
    frame = (resources.files("codeduet.benchmarks") / "page.html").read_text(encoding="utf-8")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(frame.replace("__DATA__", text), encoding="utf-8")


def sign_section(runs: Sequence[Path]) -> Section:
    """Return what the trainings' metrics warn of."""
    rows = {run: read_metrics(run) for run in runs}
    found = [(f"{run}: {sign.text}", False) for run in runs for sign in signs(rows[run])]
    calm = [
        (f"{run}: " + ("nothing fires" if len(rows[run]) >= FEW_STEPS else "too few steps to tell"), True)
        for run in runs
        if not signs(rows[run])
    ]
    return Section("Signs of collapse", "Last tenth of training beside the first.", signs=[*found, *calm])


def label(run: Path, runs: Sequence[Path]) -> str:
    """Return the shortest name that tells a run from the others: its folder's, or with those above."""
    own = run.resolve().parts
    for length in range(1, len(own)):
        if sum(other.resolve().parts[-length:] == own[-length:] for other in runs) == 1:
            return "/".join(own[-length:])
    return str(run)


def name_of(folder: Path, run: Path, runs: Sequence[Path]) -> str:
    """Return what to call a benchmark in a run folder: its place there, behind the run's label if there are several."""
    place = folder.relative_to(run).as_posix().removesuffix("/samples")
    if place == ".":
        return label(run, runs)
    return f"{label(run, runs)}/{place}" if len(runs) > 1 else place


def _transcript(row: Mapping[str, Any], name: str, problems: str) -> dict[str, Any]:
    return {
        "row": name,
        "problems": problems,
        "task": row["task_id"],
        "sample": row["sample"],
        "turns": list(_turns(row)),
        "cut": [agent for agent, cut in row["truncated"].items() if cut],
        "tests": row["outcome"]["tests"],
        "error": row["outcome"]["error"],
        "passed": row["passed"],
        "reward": row["reward"],
    }


def _turns(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what was written, turn by turn, in the order the agents act."""
    texts: Mapping[str, list[str]] = row["texts"]
    # Who did not play has written nothing, not even the token that ends an answer.
    agents = [agent for agent in texts if any(texts[agent]) or row["tokens"][agent]]
    turns = max(map(len, texts.values()))
    for turn in range(turns):
        for agent in agents:
            if turn < len(texts[agent]):
                yield agent + (f", turn {turn + 1}" if turns > 1 else ""), texts[agent][turn]


def _section(section: Section) -> dict[str, Any]:
    made: dict[str, Any] = {"title": section.title, "note": section.note, "table": section.table}
    made["signs"] = [{"text": text, "calm": calm} for text, calm in section.signs]
    made["pairs"] = [pair._asdict() for pair in section.pairs]
    if section.image is not None:
        made["image"] = "data:image/png;base64," + base64.b64encode(section.image.read_bytes()).decode()
    return made
