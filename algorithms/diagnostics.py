"""Signs that a training collapses, read off its metrics: what fires is said in the summary and in the report.

The paper saw GRPO fall from 29 to 15 at pass@1 and does not say why. Each sign compares the last tenth of the steps with a
bound, or with the first tenth; under twenty steps nothing is said. But for log-probabilities that are not the sampler's: no
step has any that rounding does not explain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from codeduet.algorithms.metrics import read_metrics
from codeduet.envs import HELPER


class Sign(NamedTuple):
    """Something that looks wrong.

    Attributes:
        name: the metric it is read off.
        text: what it was and is, and what that means, in one line.
    """

    name: str
    text: str


FEW_STEPS = 20
_ENTROPY_LEFT = 0.1
_DRIFT = 2.0
_SURE = 2.0  # standard errors
_LIMITS = {
    "dead_groups": (0.8, "groups whose returns are all equal teach nothing: a larger group, or other problems"),
    "repeated": (0.9, "completions of a group repeat each other: diversity goes, and pass@k for large k with it"),
    "skipped_updates": (
        0.1,
        "losses or gradients are not finite: lower optim.lr, or look for the problems they come from",
    ),
    "truncated": (0.5, "completions are cut off by the length limit: raise max_new_tokens, or reward short ones"),
}
_LEAST = {
    "extracted": (0.5, "completions hold no code that defines what was asked for"),
}


def sign_lines(run: Path) -> list[str]:
    """Return a line on each sign that fires in the metrics of a run folder."""
    return [f"look at {run}: {sign.text}" for sign in signs(read_metrics(run))]


def signs(rows: Sequence[Mapping[str, Any]]) -> list[Sign]:
    """Return what fires in the training rows of ``metrics.jsonl``, in the order of the metrics."""
    steps = [row for row in rows if row.get("kind") == "train"]
    tenth = len(steps) // 10
    found = mismatch_signs(steps)
    if len(steps) < FEW_STEPS:
        return found
    for name in dict.fromkeys(name for row in steps for name in row):  # some are missing where nothing was learnt
        values = [float(row[name]) for row in steps if isinstance(row.get(name), int | float)]
        if len(values) < FEW_STEPS:
            continue
        first, last = float(np.mean(values[:tenth])), float(np.mean(values[-tenth:]))
        if text := _sign(name, first, last, _noise(values) / np.sqrt(tenth)):
            found.append(Sign(name, text))
    return found + _helper_signs(steps, tenth)


def _noise(values: Sequence[float]) -> float:
    """Return the standard deviation of single steps, from neighbours, so that a trend is none of it."""
    return float(np.std(np.diff(values)) / np.sqrt(2))


def _sign(name: str, first: float, last: float, error: float) -> str:
    """Return what is wrong with a metric's first and last mean, each with its standard error, or nothing."""
    kind = name.rpartition("/")[2]
    change = f"{name} went from {first:.3g} to {last:.3g}"
    if kind in _LIMITS and last > _LIMITS[kind][0]:
        return f"{change}: {_LIMITS[kind][1]}"
    if kind in _LEAST and last < _LEAST[kind][0]:
        return f"{change}: {_LEAST[kind][1]}"
    if kind == "entropy" and last < _ENTROPY_LEFT * first:
        return f"{change}: the policy hardly varies any more and stops exploring"
    drifted = first > 0 and not 1 / _DRIFT <= last / first <= _DRIFT
    if kind == "tokens" and name != "tokens" and drifted:
        return f"{change}: the length of completions drifts"
    if name == "reward" and last < first - _SURE * np.sqrt(2) * error:
        return f"{change}: training made it worse"
    if name == "helper_gain" and last < -_SURE * error:
        return f"{change}: programs score lower with {HELPER}'s code than without"
    return ""


def mismatch_signs(steps: Sequence[Mapping[str, Any]]) -> list[Sign]:
    """Tell which policies are trained on other log-probabilities than they were sampled by.

    The learner writes beside each ``mismatch_kl`` what rounding explains: half the square of the tolerance that its
    precision has when a model is tried at load, over that of the temperature. Healthy runs were at 6e-9 nats where
    2e-8 are allowed (float32) and at 2e-4 of .03 (bfloat16, 24 layers); attention windows that padding counted were at .08
    and more. The median forgives a step whose few tokens hold an unlikely one, for which rounding is coarser.
    """
    found = []
    for name in dict.fromkeys(name for row in steps for name in row if name.rpartition("/")[2] == "mismatch_kl"):
        bound = name.removesuffix("kl") + "limit"
        pairs = [(row[name], row[bound]) for row in steps if isinstance(row.get(name), float) and bound in row]
        if not pairs:  # written before there was a limit
            continue
        value, limit = (float(np.median(column)) for column in zip(*pairs[-FEW_STEPS:], strict=True))
        if value > limit:
            text = (
                f"{name} is {value:.2g} where rounding explains {limit:.2g}: the log-probabilities learnt from are not those "
                "sampled by; top_p < 1 and top_k > 0 do that, a model computed otherwise by its engine, or weights that were "
                "not passed on to it"
            )
            found.append(Sign(name, text))
    return found


def _helper_signs(steps: Sequence[Mapping[str, Any]], tenth: int) -> list[Sign]:
    """Tell whether main leaves helper's code alone: then two agents are one."""
    last = [row for row in steps[-tenth:] if "helper_called" in row]
    if not last:
        return []
    called = float(np.mean([row["helper_called"] for row in last]))
    if called >= 0.05:
        return []
    written = float(np.mean([row["helper_nonempty"] for row in last]))
    return [
        Sign(
            "helper_called",
            f"main calls a function of {HELPER}'s in {100 * called:.0f} % of programs, {HELPER} writes one in "
            f"{100 * written:.0f} %: it learns nothing from helping",
        )
    ]
