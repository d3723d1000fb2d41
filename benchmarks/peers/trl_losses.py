"""Compute TRL's GRPO losses on given tensors: run by the Python of an environment that has TRL.

Reads one JSON object: ``logprobs``, ``old``, ``reference``, ``sampler_weights``, ``entropy``, ``mask`` ``[N, L]``, ``advantages`` ``[N]``, ``longest``,
and ``settings``, name -> TRL's own settings. Writes its ``version``, and ``losses``, name -> loss and its gradient over ``logprobs``.
"""

from __future__ import annotations

import json
import sys
from typing import Any
from unittest.mock import MagicMock

import torch
import trl
from trl import GRPOTrainer


def loss_of(given: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Return TRL's loss of one kind, and its gradient."""
    tensors = {
        name: torch.tensor(given[name], dtype=torch.float64)
        for name in ("old", "reference", "sampler_weights", "entropy", "mask")
    }
    logprobs = torch.tensor(given["logprobs"], dtype=torch.float64, requires_grad=True)
    count, longest = logprobs.shape
    trainer = MagicMock()
    trainer.model.training = False
    trainer._get_per_token_logps_and_entropies = lambda *_, **__: (logprobs, tensors["entropy"], None)
    trainer.top_entropy_quantile, trainer.off_policy_mask_threshold = 1.0, None
    trainer.aux_loss_enabled = trainer.use_adaptive_entropy = False
    trainer.entropy_coef = settings.get("entropy", 0.0)
    trainer._entropy_bonus_enabled = trainer.entropy_coef > 0
    trainer.importance_sampling_level = settings.get("level", "token")
    trainer.loss_type = settings["loss_type"]
    trainer.epsilon_low, trainer.epsilon_high = settings.get("epsilon", (0.2, 0.2))
    trainer.beta = settings.get("beta", 0.0)
    trainer.use_vllm = trainer.vllm_importance_sampling_correction = settings.get("importance", False)
    trainer.max_completion_length = given["longest"]
    trainer.args.delta, trainer.args.use_bias_correction_kl = None, False
    trainer.accelerator.num_processes = 1
    trainer.accelerator.gather = lambda tensor: tensor  # what it writes down of a loss is of all processes
    ids = torch.zeros(count, longest, dtype=torch.long)
    inputs = {
        "prompt_ids": ids[:, :1],
        "prompt_mask": torch.ones(count, 1),
        "completion_ids": ids,
        "completion_mask": tensors["mask"],
        "advantages": torch.tensor(given["advantages"], dtype=torch.float64),
        "old_per_token_logps": tensors["old"],
        "ref_per_token_logps": tensors["reference"],
        "importance_sampling_ratio": tensors["sampler_weights"],
        "num_items_in_batch": tensors["mask"].sum(),
    }
    loss = GRPOTrainer._compute_loss(trainer, trainer.model, inputs)
    (slope,) = torch.autograd.grad(loss, logprobs)
    return {"loss": float(loss.detach()), "gradient": slope.tolist()}


if __name__ == "__main__":
    asked = json.loads(sys.stdin.read())
    told = {name: loss_of(asked, settings) for name, settings in asked["settings"].items()}
    sys.stdout.write(json.dumps({"version": trl.__version__, "losses": told}) + "\n")
