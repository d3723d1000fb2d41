"""Checkpoints: every policy's weights and optimiser, written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from codeduet.agents.policy import Policy
from codeduet.agents.team import Team
from codeduet.envs import InputError

ALGORITHM = "algorithm.pt"
"""The file of a checkpoint in which an algorithm keeps its own: a critic, a running baseline."""

_PARTIAL = ".partial_"
"""How folders are named that are no checkpoint yet, or no longer."""


@dataclass(frozen=True)
class Told:
    """What a checkpoint keeps besides weights and optimisers.

    Attributes:
        tokens: generated up to it.
        callbacks: name -> state.
        algorithm: its own state.
        handed: what the run's config did not make.
    """

    tokens: int = 0
    callbacks: Mapping[str, Any] = field(default_factory=dict)
    algorithm: Mapping[str, Any] = field(default_factory=dict)
    handed: Sequence[str] = ()


def save_checkpoint(
    run: Path,
    step: int,
    team: Team,
    optimizers: Mapping[str, torch.optim.Optimizer],
    *,
    keep: int,
    told: Told = Told(),
) -> Path:
    """Save a checkpoint under ``run/checkpoints`` and drop the oldest beyond ``keep``.

    It holds a transformers or PEFT folder for each policy, so other programs can load what was trained; and what is ``told``
    beside.

    Raises:
        OSError: there is no space or no permission; the checkpoints before it are kept.
    """
    folder = run / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{_PARTIAL}*"):  # by a process that was killed at it
        shutil.rmtree(left, ignore_errors=True)
    final = folder / f"step_{step:06d}"
    partial = folder / f"{_PARTIAL}{step:06d}"
    partial.mkdir()
    try:
        for policy in team.policies:
            if not policy.has_weights:
                continue
            with _os_errors(final):
                policy.save(partial / policy.name)
                if policy.name in optimizers:
                    with (partial / f"{policy.name}.optimizer.pt").open("wb") as file:
                        torch.save(optimizers[policy.name].state_dict(), file)
        if told.algorithm:
            _save_algorithm(partial / ALGORITHM, final, told.algorithm)
        state = {
            "step": step,
            "tokens": told.tokens,
            "base": team.base,
            "identity": team.identity,
            "versions": {policy.name: policy.version for policy in team.policies},
            **({"callbacks": dict(told.callbacks)} if told.callbacks else {}),
            "moments": {name: len(optimizer.state) for name, optimizer in optimizers.items()},
            **({"algorithm": True} if told.algorithm else {}),
            **({"handed": list(told.handed)} if told.handed else {}),
            "precision": _precision(team),
        }
        (partial / "state.json").write_text(json.dumps(state, indent=2), encoding="utf-8")
        _remove(final)
        os.rename(partial, final)  # a run cut off here leaves no half checkpoint
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    for old in _checkpoints(run)[:-keep]:
        _remove(old)
    return final


def _remove(checkpoint: Path) -> None:
    """Delete a checkpoint; cut off half way, it is no checkpoint any more."""
    if checkpoint.exists():
        gone = checkpoint.with_name(f"{_PARTIAL}{checkpoint.name}")
        os.rename(checkpoint, gone)
        shutil.rmtree(gone)


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
        InputError: there is no checkpoint, it is of another model or team, or a file of it is damaged.
    """
    folder = find_checkpoint(folder)
    state = read_state(folder)
    step, tokens, versions = state["step"], state["tokens"], state["versions"]
    for key, mine in team.identity.items():
        theirs = state["identity"].get(key)
        if not team.fits(key, theirs):
            other = f"{folder} is a checkpoint of another model: {key} is {theirs} there and {mine} here"
            raise InputError(
                other + (_rounded(state.get("precision"), _precision(team)) if key == "base_weights" else "")
            )
    for policy in team.policies:
        if not policy.has_weights:
            continue
        for path in sorted((folder / policy.name).glob("*.safetensors")):
            try:
                with safe_open(path, framework="pt"):
                    pass  # its head says how long the file must be
            except (OSError, SafetensorError) as error:
                raise damaged(folder, path, error) from None
        _load_weights(folder, policy)
        policy.version = versions.get(policy.name, step)
        if optimizers and policy.name in optimizers:
            # Before their number was written down, it was known that there are some once a policy has learnt.
            count = state.get("moments", {}).get(policy.name)
            _load_optimizer(folder / f"{policy.name}.optimizer.pt", policy, optimizers[policy.name], count)
    return step, tokens


def _save_algorithm(path: Path, checkpoint: Path, state: Mapping[str, Any]) -> None:
    """Write what an algorithm keeps of its own.

    Raises:
        InputError: it holds what could not be read back, which would be found out too late.
    """
    with _os_errors(checkpoint), path.open("wb") as file:
        torch.save(dict(state), file)
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001  # whatever stands in the way of reading it
        told = " ".join(str(error).split())[:200]
        raise InputError(
            f"the algorithm's state_dict() holds what cannot be read back: numbers, texts, lists, dictionaries and tensors can ({told})"
        ) from None


def read_algorithm(folder: Path) -> dict[str, Any] | None:
    """Return what the algorithm saved of its own in a checkpoint, or None where it has nothing.

    Raises:
        InputError: its file is damaged or gone.
    """
    if not read_state(folder)["algorithm"]:
        return None
    path = folder / ALGORITHM
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return dict(state)
    except Exception as error:  # noqa: BLE001  # damaged bytes make the reader raise anything
        raise damaged(folder, path, error) from None


def _precision(team: Team) -> str:
    """Return the precision that a team's models are loaded in; empty where they are elsewhere."""
    models = [policy.activate() for policy in team.policies if policy.model is not None]
    return str(next(models[0].parameters()).dtype).removeprefix("torch.") if models else ""


def _rounded(there: str | None, here: str) -> str:
    """Return why one base may have two hashes: in float16, which has no weights under 6e-8, it is another."""
    if there == here or "float16" not in (there, here):
        return ""
    return (
        f"; it may be the same one, whose weights differ in {there or 'another precision'} there and {here} here: use the "
        "training's team.dtype"
    )


def find_checkpoint(folder: Path) -> Path:
    """Return ``folder`` if it is a checkpoint, else the newest of the run folder it is.

    Raises:
        InputError: it is neither.
    """
    if (folder / "state.json").is_file():
        return folder
    newest = latest_checkpoint(folder)
    if newest is None:
        raise InputError(f"no checkpoint in {folder}")
    return newest


def _load_weights(folder: Path, policy: Policy) -> None:
    place = folder / policy.name
    try:
        policy.load(place)
        if not all(bool(torch.isfinite(weights).all()) for weights in policy.parameters):
            raise ValueError("weights that are not finite")
    except (InputError, ValueError) as error:
        # The team is the one that was saved: it is the files that are not.
        reason = str(error).removeprefix(f"{place} does not fit policy {policy.name!r}: ")
        raise damaged(folder, place, ValueError(reason)) from None


def _load_optimizer(path: Path, policy: Policy, optimizer: torch.optim.Optimizer, count: int | None) -> None:
    if not path.is_file() and count is None:
        raise InputError(f"{path} is missing: the run that saved it did not train {policy.name!r}")
    try:
        optimizer.load_state_dict(torch.load(path, map_location=policy.device, weights_only=True))
        check_moments(optimizer)
        held = len(optimizer.state)
        if held != count and (count is not None or (policy.version and not held)):
            raise ValueError(f"moments of {held} weights, not of {count or 'any'}")
    except Exception as error:  # noqa: BLE001  # damaged bytes make the reader raise anything
        raise damaged(path.parent, path, error) from None


def check_moments(optimizer: torch.optim.Optimizer) -> None:
    """Check that what was loaded into AdamW fits its weights.

    Raises:
        ValueError: a setting is missing, or a moment is, or has another shape, or is none that AdamW makes.
    """
    for group in optimizer.param_groups:
        if lacking := [name for name in optimizer.defaults if name not in group]:
            raise ValueError(f"its settings lack {lacking[0]!r}")
        settings = (*group["betas"], group["eps"], group["weight_decay"], group["lr"])
        if not all(math.isfinite(float(value)) for value in settings):
            raise ValueError("settings that are not finite")
    for parameter, moments in optimizer.state.items():
        if set(moments) != {"step", "exp_avg", "exp_avg_sq"}:
            raise ValueError(f"moments {', '.join(map(repr, moments))}")
        first, second = moments["exp_avg"], moments["exp_avg_sq"]
        odd = [tuple(moment.shape) for moment in (first, second) if moment.shape != parameter.shape]
        if odd:
            raise ValueError(f"moments of shape {odd[0]} for weights of shape {tuple(parameter.shape)}")
        if not all(bool(torch.isfinite(moment).all()) for moment in (moments["step"], first, second)):
            raise ValueError("moments that are not finite")
        if float(moments["step"]) < 1 or bool((second < 0).any()):
            raise ValueError("moments that no step makes")


def damaged(checkpoint: Path, path: Path, error: Exception) -> InputError:
    """Say which file of a checkpoint is wrong, and what is left without it."""
    told = " ".join((str(error) or type(error).__name__).split())[:120]
    others = _checkpoints(checkpoint.parent.parent)
    before = others[: others.index(checkpoint)] if checkpoint in others else []
    left = f"the one before it, {before[-1].name}, is taken then" if before else "there is none before it"
    return InputError(f"{path} is damaged ({told}): delete {checkpoint}; {left}")


def read_state(folder: Path) -> dict[str, Any]:
    """Return what a checkpoint says of itself: ``step``, ``tokens`` generated up to it, ``versions``, ``identity``, ``callbacks``,
    whether the ``algorithm`` has a state, and what was ``handed`` over.

    Raises:
        InputError: its file is damaged.
    """
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        if int(state["step"]) < 0:
            raise ValueError(f"step {state['step']}")
        return state | {
            "step": int(state["step"]),
            "tokens": int(state.get("tokens", 0)),
            "versions": {str(name): int(version) for name, version in state["versions"].items()},
            "identity": dict(state.get("identity", {})),
            "callbacks": dict(state.get("callbacks", {})),
            "algorithm": bool(state.get("algorithm", False)),
            "handed": [str(name) for name in state.get("handed", ())],
            "moments": {str(name): int(count) for name, count in state.get("moments", {}).items()},
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise damaged(folder, folder / "state.json", error) from None


def _checkpoints(run: Path) -> list[Path]:
    """Return a run's checkpoints, oldest first; folders of other names, a copy for one, are somebody else's."""
    named = ((re.fullmatch(r"step_(\d{6,})", path.name), path) for path in (run / "checkpoints").glob("step_*"))
    numbered = [(int(match[1]), path) for match, path in named if match and (path / "state.json").is_file()]
    return [path for _, path in sorted(numbered)]
