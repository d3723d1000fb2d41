"""``vllm``: generation with vLLM in this process, one engine and one copy of the base for the whole team.

Each policy is a LoRA adapter on that base, or the base itself; requests of all of them share a batch, and prompts their
prefix. An adapter is written to disk once a version, under a name and a path of its own, because vLLM's prefix cache is
keyed by both: the same name with new weights would go on from keys and values of the old ones.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeduet.agents.engine import Completion, Engine, FinishReason, Request, Sampling
from codeduet.agents.models import dtype_named, model_path
from codeduet.agents.policy import Policy
from codeduet.agents.team import Team
from codeduet.agents.tokenizers import completion_text
from codeduet.envs import InputError

if TYPE_CHECKING:
    from codeduet.agents.config import TeamConfig

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks vLLM has room for; an adapter's is rounded up to one of them."""


class VLLMEngine(Engine):
    """Generates with vLLM.

    Args:
        team: whose policies answer; each an adapter, or an untrained whole model.
        model: what the team was loaded from: ``"embedded"``, a transformers folder, or a hub name.
        dtype: of the weights; ``"auto"`` is that of the team's own copy, or the model's where it has none.
        context: tokens of a prompt and its completion, at most; 0 is as many as the model has positions.
        batch_size: completions decoded side by side, at most.
        gpu_share: share of a GPU's memory for weights and cache.
        cache_gib: memory for keys and values on a CPU.

    Raises:
        InputError: vLLM is missing or cannot load the model, or a policy is a whole model that is being trained.
    """

    weights = "own"
    limit = "tokens of team.context"
    packages = ("vllm", "vllm-cpu")  # the build for CPUs is a package of another name

    def __init__(
        self,
        team: Team,
        model: str,
        *,
        dtype: str = "auto",
        context: int = 0,
        batch_size: int = 64,
        gpu_share: float = 0.5,
        cache_gib: float = 2.0,
    ) -> None:
        # In this process: a second one would need its own way to hand adapters over, and outlive a crash of this one.
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        try:
            import torch
            import vllm
        except ImportError as error:
            raise InputError(f"engine=vllm needs vLLM ({error}): pip install 'codeduet[vllm]', or engine=hf") from None
        for policy in team.policies:
            if policy.parameters and policy.adapter is None:
                raise InputError(
                    f"engine=vllm cannot follow policy {policy.name!r}, which trains whole: use sharing=adapter, or "
                    "engine=hf"
                )
        self._vllm = vllm
        self._on_gpu = torch.cuda.is_available()
        self.context = context or _positions(model)
        self.policies: dict[str, Policy] = {policy.name: policy for policy in team.policies}
        self.versions = {name: policy.version for name, policy in self.policies.items()}
        self._folder = Path(tempfile.mkdtemp(prefix="codeduet-adapters-"))
        # Also where nobody comes to close the engine, as after a failure in the rest of this constructor.
        self._clean_up = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._ids = itertools.count(1)
        self._adapters: dict[str, Any] = {}
        options: dict[str, Any] = {}
        if not self._on_gpu:  # there the share is one of the machine's memory, and far too much
            options["kv_cache_memory_bytes"] = int(cache_gib * 2**30)
            # A prompt cut in two takes its seeded draw back, which a CPU's generator cannot: "does not use offset".
            options["enable_chunked_prefill"] = False
            options["max_num_batched_tokens"] = max(4096, self.context)
        adapted = [policy for policy in team.policies if policy.adapter is not None]
        if adapted:
            rank = max(policy.model.peft_config[policy.adapter].r for policy in adapted)
            options |= {
                "enable_lora": True,
                "max_loras": len(adapted),
                "max_lora_rank": next(size for size in RANKS if size >= rank),
            }
        own = next((policy.model for policy in team.policies if policy.model is not None), None)
        if dtype == "auto" and own is not None:
            dtype = str(next(own.parameters()).dtype).removeprefix("torch.")
        elif dtype != "auto":
            dtype = str(dtype_named(dtype)).removeprefix("torch.")
        give_back_threads = _keep_threads()
        try:
            self.llm = vllm.LLM(
                model=model_path(model),
                dtype=dtype,
                max_model_len=self.context,
                max_num_seqs=batch_size,
                gpu_memory_utilization=gpu_share,
                enable_prefix_caching=True,
                enable_sleep_mode=self._on_gpu,
                logprobs_mode="processed_logprobs",
                generation_config="vllm",
                seed=0,
                **options,
            )
        except (OSError, ValueError, RuntimeError) as error:
            self._clean_up()
            raise InputError(f"vLLM cannot load {model!r}: {' '.join(str(error).split())[:300]}") from None
        finally:
            give_back_threads()
        for policy in adapted:
            self.sync(policy, policy.version)

    @classmethod
    def build(cls, config: TeamConfig, team: Team, answers: Path | None, say: Callable[[str], None]) -> Engine:
        """Make the engine that a config asks for."""
        return cls(
            team,
            config.model,
            context=config.context,
            batch_size=config.batch_size,
            gpu_share=config.gpu_share,
            dtype=config.dtype,
        )

    def room(self) -> int | None:
        """Return the context."""
        return self.context

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """Return the completions of each request, in the order of its seeds."""
        prompts, parameters, adapters = self.plain(requests)
        outputs = iter(self.llm.generate(prompts, parameters, lora_request=adapters, use_tqdm=False))
        return [[self._completion(request, next(outputs).outputs[0]) for _ in request.seeds] for request in requests]

    def plain(self, requests: Sequence[Request]) -> tuple[list[Any], list[Any], list[Any] | None]:
        """Return requests as ``LLM.generate`` takes them: one prompt, sampling and adapter for each completion.

        Raises:
            InputError: a prompt leaves no room for the completion.
        """
        prompts, parameters, adapters = [], [], []
        for request in requests:
            policy = self.policies[request.policy]
            room = self.context - len(request.prompt_ids)
            if room < request.sampling.max_new_tokens:
                raise InputError(
                    f"a prompt of {len(request.prompt_ids)} tokens and max_new_tokens="
                    f"{request.sampling.max_new_tokens} exceed the context of {self.context}"
                )
            for seed in request.seeds:
                prompts.append({"prompt_token_ids": list(request.prompt_ids)})
                parameters.append(self._parameters(request.sampling, policy, seed))
                adapters.append(self._adapters.get(request.policy))
        return prompts, parameters, adapters if self._adapters else None

    def sync(self, policy: Policy, version: int) -> None:
        """Register the policy's adapter as it is now under a new name, and drop the one before."""
        self.versions[policy.name] = version
        if policy.adapter is None:
            return
        number = next(self._ids)  # not the version: a resumed run may come by the same one with other weights
        path = self._folder / f"{policy.name}@{version}-{number}"
        policy.save(path)
        old = self._adapters.get(policy.name)
        if old is not None:
            self.llm.llm_engine.remove_lora(old.lora_int_id)
            shutil.rmtree(old.lora_path, ignore_errors=True)
            self.llm.reset_prefix_cache()
        adapter = self._vllm.lora.request.LoRARequest(path.name, number, str(path))
        self.llm.llm_engine.add_lora(adapter)
        self._adapters[policy.name] = adapter

    def sleep(self) -> None:
        """Give the GPU's memory to the learner: weights wait in CPU memory, the cache is dropped."""
        if self._on_gpu:
            self.llm.sleep(level=1)

    def wake(self) -> None:
        """Take the GPU's memory back."""
        if self._on_gpu:
            self.llm.wake_up()

    def close(self) -> None:
        """End the engine and delete the adapters it wrote."""
        self._clean_up()
        self.llm.llm_engine.engine_core.shutdown()

    def _parameters(self, sampling: Sampling, policy: Policy, seed: int) -> Any:
        return self._vllm.SamplingParams(
            seed=seed,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=0.0,
            repetition_penalty=1.0,
            presence_penalty=0.0,
            frequency_penalty=0.0,
            max_tokens=sampling.max_new_tokens,
            stop=list(sampling.stop),
            stop_token_ids=sorted(policy.eos_ids),
            logprobs=0 if sampling.temperature > 0 else None,
        )

    def _completion(self, request: Request, output: Any) -> Completion:
        ids = tuple(output.token_ids)
        policy = self.policies[request.policy]
        finish: FinishReason = "length"
        if output.finish_reason == "stop":
            finish = "stop" if isinstance(output.stop_reason, str) else "eos"
        logprobs = (0.0,) * len(ids)
        if output.logprobs is not None:
            logprobs = tuple(float(entry[token].logprob) for token, entry in zip(ids, output.logprobs, strict=True))
        # Decoded here, all at once, as every engine does it.
        text = completion_text(policy.tokenizer, ids, policy.eos_ids, request.sampling.stop)
        return Completion(ids, logprobs, text, finish, self.versions[request.policy])


def _positions(model: str) -> int:
    from transformers import AutoConfig

    return int(AutoConfig.from_pretrained(model_path(model)).max_position_embeddings)


def _keep_threads() -> Callable[[], None]:
    """Return what gives the learner its threads and cores back: vLLM's worker for CPUs may tie this process to some of them."""
    import torch

    threads, set_threads = torch.get_num_threads(), torch.set_num_threads
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None

    def give_back() -> None:
        torch.set_num_threads = set_threads
        torch.set_num_threads(threads)
        if cores is not None:
            os.sched_setaffinity(0, cores)

    return give_back
