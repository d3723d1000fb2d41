"""Where a training stands, told from its run folder: while it runs, too."""

from __future__ import annotations

import statistics
from pathlib import Path

from codeduet.algorithms.checkpoint import latest_checkpoint
from codeduet.algorithms.config import TrainConfig
from codeduet.algorithms.metrics import read_metrics
from codeduet.algorithms.show import duration
from codeduet.config import read_yaml
from codeduet.envs import InputError
from codeduet.files import locked

_RECENT = 10
"""Steps by whose pace the time left is told."""


def standing(run: Path) -> str:
    """Return in one line how far a training is, whether it runs, its last step, its pace, and what is left."""
    rows = [row for row in read_metrics(run) if row["kind"] == "train"]
    # By the keys as they stand: a run of an earlier version may have others beside them.
    config = read_yaml(str(run / "config.yaml")) if (run / "config.yaml").is_file() else {}
    steps = int(config.get("steps", TrainConfig().steps)) if config else 0
    budget = int(config.get("token_budget", 0))
    last = rows[-1] if rows else {"step": 0}
    step, tokens = int(last["step"]), float(last.get("tokens") or 0)
    over = bool(steps) and (step >= steps or 0 < budget <= tokens)
    state = "running" if at_work(run) else "finished" if over else "stopped" if steps else ""
    parts = [f"step {step}" + (f" of {steps}" if steps else ""), *([state] if state else [])]
    if budget:
        parts[0] += f", {tokens:,.0f} of {budget:,} tokens"
    parts += [f"{key} {last[key]:.3f}" for key in ("reward", "solved") if isinstance(last.get(key), float)]
    took = [row["seconds/rollout"] + row["seconds/learn"] for row in rows[-_RECENT:] if "seconds/learn" in row]
    if took:
        pace = statistics.median(took)
        parts.append(f"{pace:.1f} s a step")
        if steps and not over:
            left = float(steps - step)
            if budget and tokens:
                left = min(left, (budget - tokens) / (tokens / step))
            parts.append(f"{duration(left * pace)} left")
    newest = latest_checkpoint(run)
    parts.append(f"newest checkpoint {newest.name}" if newest else "no checkpoint yet")
    return f"{run}: {', '.join(parts)}"


def at_work(run: Path) -> bool:
    """Tell whether a process trains in a run folder."""
    try:
        with locked(run):
            return False
    except InputError:
        return True
