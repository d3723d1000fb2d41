"""Checkpoints: every policy's weights and optimiser, written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from codeduet.agents.team import Team
from codeduet.envs import InputError


def save_checkpoint(
    run: Path, step: int, team: Team, optimizers: Mapping[str, torch.optim.Optimizer], *, keep: int, tokens: int = 0
) -> Path:
    """Save a checkpoint under ``run/checkpoints`` and drop the oldest beyond ``keep``.

    It holds a transformers or PEFT folder for each policy, so other programs can load what was trained.

    Raises:
        OSError: there is no space or no permission; the checkpoints before it are kept.
    """
    folder = run / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step_{step:06d}"
    partial = folder / f".partial_{step:06d}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        for policy in team.policies:
            with _os_errors(final):
                policy.save(partial / policy.name)
                if policy.name in optimizers:
                    with (partial / f"{policy.name}.optimizer.pt").open("wb") as file:
                        torch.save(optimizers[policy.name].state_dict(), file)
        state = {
            "step": step,
            "tokens": tokens,
            "base": team.base,
            "identity": team.identity,
            "versions": {policy.name: policy.version for policy in team.policies},
        }
        (partial / "state.json").write_text(json.dumps(state, indent=2), encoding="utf-8")
        shutil.rmtree(final, ignore_errors=True)
        os.rename(partial, final)  # a run cut off here leaves no half checkpoint
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    for old in _checkpoints(run)[:-keep]:
        shutil.rmtree(old)
    return final


@contextlib.contextmanager
def _os_errors(path: Path) -> Iterator[None]:
    """Let what goes wrong with the disk be an ``OSError`` of ``path``, which torch and safetensors tell otherwise."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        if isinstance(error, SafetensorError):
            told = re.search(r"\(os error (\d+)\)", str(error))
            code = int(told[1]) if told else None
        else:  # torch closes its file after a failed write, and raises what is wrong with that
            cause = error if isinstance(error, OSError) else error.__context__
            code = cause.errno if isinstance(cause, OSError) else None
        if code is None:
            raise
        raise OSError(code, os.strerror(code), str(path)) from error


def latest_checkpoint(run: Path) -> Path | None:
    """Return the newest checkpoint of a run folder, or None."""
    found = _checkpoints(run)
    return found[-1] if found else None


def load_checkpoint(
    folder: Path, team: Team, optimizers: Mapping[str, torch.optim.Optimizer] | None = None
) -> tuple[int, int]:
    """Load weights (and optimisers, if given); return the step and the tokens generated up to it.

    Args:
        folder: a checkpoint, or a run folder, whose newest is taken.
        team: gets the weights; it must be made of the model the checkpoint was trained from.
        optimizers: policy name -> optimiser.

    Raises:
        InputError: there is no checkpoint, or it is of another model or team.
    """
    if not (folder / "state.json").is_file():
        newest = latest_checkpoint(folder)
        if newest is None:
            raise InputError(f"no checkpoint in {folder}")
        folder = newest
    state = read_state(folder)
    step, tokens, versions = state["step"], state["tokens"], state["versions"]
    for key, mine in team.identity.items():
        theirs = state.get("identity", {}).get(key)
        if not team.fits(key, theirs):
            raise InputError(f"{folder} is a checkpoint of another model: {key} is {theirs} there and {mine} here")
    for policy in team.policies:
        policy.load(folder / policy.name)
        policy.version = versions.get(policy.name, step)
        if optimizers and policy.name in optimizers:
            path = folder / f"{policy.name}.optimizer.pt"
            if not path.is_file():
                raise InputError(f"{path} is missing: the run that saved it did not train {policy.name!r}")
            saved = torch.load(path, map_location=policy.device, weights_only=True)
            optimizers[policy.name].load_state_dict(saved)
    return step, tokens


def read_state(folder: Path) -> dict[str, Any]:
    """Return what a checkpoint says of itself: ``step``, ``tokens`` generated up to it, ``versions``, ``identity``.

    Raises:
        InputError: its file is damaged.
    """
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        return state | {
            "step": int(state["step"]),
            "tokens": int(state.get("tokens", 0)),
            "versions": dict(state["versions"]),
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / 'state.json'} is damaged ({error}): use another checkpoint") from None


def _checkpoints(run: Path) -> list[Path]:
    return sorted(path for path in (run / "checkpoints").glob("step_*") if (path / "state.json").is_file())
