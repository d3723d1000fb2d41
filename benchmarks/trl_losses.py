"""Are our losses TRL's, where both have one? On the same tensors, value and gradient.

    python -m codeduet.benchmarks.trl_losses --against "PYTHON_WITH_TRL benchmarks/peers/trl_losses.py" --out FILE.json

TRL's gradients are of its own code, called with tensors in place of a model's.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import torch

from codeduet.algorithms import MAGRPO
from codeduet.algorithms.losses import LossBatch
from codeduet.files import write_whole
from codeduet.screen import run_script

PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "grpo": ({"aggregate": "mean", "clip": 0.2}, {"loss_type": "grpo"}),
    "grpo with KL": ({"aggregate": "mean", "clip": 0.2, "kl": 0.1}, {"loss_type": "grpo", "beta": 0.1}),
    "dr_grpo": ({"aggregate": "length", "clip": 0.2}, {"loss_type": "dr_grpo"}),
    "dapo": ({"aggregate": "token", "clip": (0.2, 0.28)}, {"loss_type": "dapo", "epsilon": (0.2, 0.28)}),
    "dapo with entropy": (
        {"aggregate": "token", "clip": 0.2, "entropy": 0.1},
        {"loss_type": "dapo", "entropy": 0.1},
    ),
    "gspo": (
        {"aggregate": "mean", "clip": (0.05, 0.08), "level": "sequence"},
        {"loss_type": "grpo", "level": "sequence", "epsilon": (0.05, 0.08)},
    ),
    "truncated importance weights": (
        {"aggregate": "token", "clip": 0.2, "importance_cap": 2.0},
        {"loss_type": "dapo", "importance": True},
    ),
}
"""Name -> our options, TRL's settings."""

_LONGEST = 12


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--against", required=True, help="a command that computes TRL's")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    random = torch.Generator().manual_seed(0)

    def draw(scale: float) -> torch.Tensor:
        return scale * torch.randn(6, 9, generator=random, dtype=torch.float64)

    lengths = torch.tensor([9, 1, 4, 7, 2, 5])
    mask = (torch.arange(9) < lengths[:, None]).double()
    old = -draw(1.0).abs() * mask
    logprobs, reference, sampler = old + draw(0.2) * mask, old + draw(0.3) * mask, old + draw(0.5) * mask
    advantages, entropy = draw(1.0)[:, 0], draw(1.0).abs() * mask
    asked = {
        "logprobs": logprobs.tolist(), "old": old.tolist(), "reference": reference.tolist(), "mask": mask.tolist(),
        "sampler_weights": (old - sampler).exp().clamp(max=2.0).tolist(), "advantages": advantages.tolist(),
        "entropy": entropy.tolist(), "longest": _LONGEST, "settings": {name: theirs for name, (_, theirs) in PAIRS.items()},
    }  # fmt: skip
    ran = subprocess.run(
        shlex.split(options.against), input=json.dumps(asked), stdout=subprocess.PIPE, text=True, check=True
    )
    told = json.loads(ran.stdout.splitlines()[-1])
    theirs = told["losses"]
    found = {}
    for name, (settings, _) in PAIRS.items():
        mine = logprobs.clone().requires_grad_()
        batch = LossBatch(
            mine, old, mask, advantages[:, None].expand(mask.shape), len(lengths), int(lengths.sum()), sampler=sampler,
            reference=reference, entropy=entropy, longest=_LONGEST,
        )  # fmt: skip
        value = MAGRPO(**settings).loss(batch)
        (slope,) = torch.autograd.grad(value, mine)
        gradient = torch.tensor(theirs[name]["gradient"], dtype=torch.float64)
        found[name] = {
            "loss": abs(float(value.detach()) - theirs[name]["loss"]),
            "gradient": float((slope - gradient).abs().max()),
            "largest gradient": float(gradient.abs().max()),
        }
        print(
            f"{name}: loss differs by {found[name]['loss']:.1e}, its gradient by {found[name]['gradient']:.1e} at most"
        )
    if options.out:
        record = {"trl": told["version"], "torch": torch.__version__, "differences": found}
        write_whole(options.out, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    run_script(main)
