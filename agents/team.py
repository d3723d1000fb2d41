"""A team: agent names, and the policy each of them acts by.

Sharing is a choice. ``separate`` gives each agent a model of its own, trained whole. ``adapter`` gives the team one
frozen base and each agent a LoRA adapter on it: two agents for the memory of one. ``shared`` lets all agents act by one
policy, trained whole, or through one adapter if ``lora_rank`` is given.
"""

from __future__ import annotations

import copy
import hashlib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from codeduet.agents.embedded import MODEL_DIR
from codeduet.agents.network import adapter_settings, shape
from codeduet.agents.self_test import paths
from codeduet.envs import HELPER, MAIN, InputError

Sharing = Literal["separate", "adapter", "shared"]

ADAPTER_FILE = "adapter_model.safetensors"
"""PEFT's name for an adapter's weights."""


class Policy:
    """Weights that act for one agent or several.

    Args:
        name: unique in its team.
        model: a transformers causal language model, or a PEFT model around one; None where the weights are elsewhere,
            as for an engine that loads them itself.
        tokenizer: its tokenizer.
        adapter: name of the LoRA adapter that is this policy, or None where the policy is the whole model.
        trainable: off, the policy acts and nothing of it can be trained.
        settings: the model's generation config, by default its own.

    Attributes:
        parameters: what training changes. The list is taken once: switching adapters flips ``requires_grad``, and an
            optimiser that asked afterwards would hold another policy's weights.
        version: number of updates so far.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        tokenizer: Any,
        adapter: str | None = None,
        *,
        trainable: bool = True,
        settings: Any = None,
    ) -> None:
        self.name = name
        self.model = model
        self.tokenizer = tokenizer
        self.adapter = adapter
        self.version = 0
        self._settings = settings
        self.parameters: list[nn.Parameter] = []
        if model is None:
            return
        if not trainable:
            model.requires_grad_(False)
        elif adapter is None:
            self.parameters = list(model.parameters())
        else:
            self.parameters = [p for n, p in model.named_parameters() if "lora_" in n and f".{adapter}." in n]
        for parameter in self.parameters:
            parameter.requires_grad_(True)

    def activate(self) -> Any:
        """Switch the model to this policy and return the causal language model to call."""
        if self.adapter is None:
            return self.model
        if self.model.active_adapter != self.adapter:
            self.model.set_adapter(self.adapter)
        return self.model.get_base_model()

    @property
    def eos_ids(self) -> frozenset[int]:
        """Every id that ends a sequence: chat models name several in their generation config."""
        settings = self._settings
        if settings is None and self.model is not None:
            settings = self.activate().generation_config
        named = getattr(settings, "eos_token_id", None)
        listed = named if isinstance(named, list) else [named]
        return frozenset({self.tokenizer.eos_token_id, *(i for i in listed if i is not None)})

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = next(self.model.parameters()).device
        return device

    def save(self, folder: Path) -> None:
        """Save as a transformers or a PEFT folder, which those libraries load again."""
        if self.adapter is None:
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        else:
            from peft import get_peft_model_state_dict
            from safetensors.torch import save_file

            # Not save_pretrained: it adds a folder level and a model card, and asks the hub about the base's vocabulary.
            weights = get_peft_model_state_dict(self.model, adapter_name=self.adapter, save_embedding_layers=False)
            config = copy.copy(self.model.peft_config[self.adapter])
            config.inference_mode = True
            config.save_pretrained(folder)
            save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / ADAPTER_FILE)

    def load(self, folder: Path) -> None:
        """Load what :meth:`save` saved.

        Raises:
            InputError: the folder is missing, or holds weights of another shape.
        """
        from safetensors import SafetensorError

        try:
            odd = self._load_model(folder) if self.adapter is None else self._load_adapter(folder)
            if odd:
                raise ValueError(f"{len(odd)} weights differ in name, {odd[0]} for one")
        except (OSError, RuntimeError, ValueError, SafetensorError) as error:
            raise InputError(f"{folder} does not fit policy {self.name!r}: {_brief(error)}") from None

    def _load_model(self, folder: Path) -> list[str]:
        """Read a whole model; return the weights that do not fit.

        By transformers: in files, weights have other names than in memory and experts are tensors of their own.
        """
        if not folder.is_dir():
            raise ValueError("there is no such folder")
        loaded, found = type(self.model).from_pretrained(folder, dtype=self.model.dtype, output_loading_info=True)
        odd = sorted(map(str, (*found["missing_keys"], *found["unexpected_keys"], *found["mismatched_keys"])))
        if not odd:
            self.model.load_state_dict(loaded.state_dict())
        return odd

    def _load_adapter(self, folder: Path) -> list[str]:
        """Read an adapter; return the weights that do not fit."""
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        weights = load_file(folder / ADAPTER_FILE, device=str(self.device))
        result = set_peft_model_state_dict(self.model, weights, adapter_name=self.adapter)
        # The base's weights are missing too, and rightly so.
        missing = [name for name in result.missing_keys if "lora_" in name and f".{self.adapter}." in name]
        return [*result.unexpected_keys, *missing]


class Team(Mapping[str, Policy]):
    """Agent name -> policy, in the order agents act.

    Args:
        policies: the policy of each agent; agents may share one.
        identity: what the team was made of; a checkpoint of another identity is refused.
    """

    def __init__(self, policies: Mapping[str, Policy], identity: Mapping[str, Any] | None = None) -> None:
        self._policies = dict(policies)
        self.identity = dict(identity or {})

    def __getitem__(self, agent: str) -> Policy:
        return self._policies[agent]

    def __iter__(self) -> Iterator[str]:
        return iter(self._policies)

    def __len__(self) -> int:
        return len(self._policies)

    @property
    def policies(self) -> list[Policy]:
        """Each policy once."""
        return list({policy.name: policy for policy in self._policies.values()}.values())

    @property
    def ways(self) -> str:
        """How its models are computed, as was found to be right for them: one line, empty where they are elsewhere."""
        models = {
            id(model): model for policy in self.policies if policy.model is not None for model in [policy.activate()]
        }
        return "; ".join(dict.fromkeys(f"{type(model).__name__} {paths(model)}" for model in models.values()))

    @property
    def tokenizer(self) -> Any:
        """The first policy's tokenizer, which all of them share."""
        return self.policies[0].tokenizer


def load_team(
    model: str = "embedded",
    agents: tuple[str, ...] = (HELPER, MAIN),
    sharing: Sharing = "adapter",
    *,
    lora_rank: int = 16,
    lora_alpha: int = 32,
    device: str = "auto",
    dtype: str = "auto",
    seed: int = 0,
) -> Team:
    """Load a model and make a team of it.

    Args:
        model: ``"embedded"``, a transformers folder, or a hub name.
        agents: who acts, in this order.
        sharing: how policies relate to models (see the module's docstring).
        lora_rank: rank of the adapters; with ``shared``, 0 trains the whole model.
        lora_alpha: their scale, alpha / rank.
        device: ``"auto"`` takes a GPU where there is one.
        dtype: of frozen weights; ``"auto"`` is bfloat16 on a GPU and float32 elsewhere. Weights that train whole are
            float32, since bfloat16 rounds small updates away.
        seed: for the adapters' first weights.

    Raises:
        InputError: no such model, or settings that make no team.
    """
    whole = trains_whole(sharing, lora_rank)
    if sharing == "adapter" and lora_rank < 1:
        raise InputError(f"sharing=adapter needs lora_rank of at least 1, not {lora_rank}")
    where = resolve_device(device)
    precision = resolve_dtype(dtype, where, whole=whole)
    base, tokenizer = _load_model(model, where, precision)
    paths(base)  # a model that cannot be scored is refused before anything is generated
    identity = {
        **shape(base),
        "sharing": sharing,
        "lora_rank": 0 if whole else lora_rank,
        "lora_alpha": 0 if whole else lora_alpha,
        "agents": list(agents),
        # An adapter means something on the base it was trained on only; whole models bring all their weights.
        "base_weights": "" if whole else _fingerprint(base),
    }
    names = ["shared"] if sharing == "shared" else list(agents)
    if whole:
        models = [base, *(copy.deepcopy(base) for _ in names[1:])]
        policies = {name: Policy(name, m, tokenizer) for name, m in zip(names, models, strict=True)}
    else:
        adapted = _adapt(base, names, lora_rank, lora_alpha, seed)
        policies = {name: Policy(name, adapted, tokenizer, adapter=name) for name in names}
    return Team({agent: policies.get(agent, policies[names[0]]) for agent in agents}, identity)


def trains_whole(sharing: Sharing, lora_rank: int) -> bool:
    """Tell whether whole models are trained, and not adapters on one."""
    return sharing == "separate" or (sharing == "shared" and lora_rank == 0)


def load_untrained(model: str, agents: tuple[str, ...], *, device: str = "auto", dtype: str = "auto") -> Team:
    """Load a model by which every agent acts as it is: the untrained rows of a benchmark.

    It is what any sharing starts from, since a new adapter changes nothing, at the price of no adapter. ``dtype`` may
    be bfloat16 on a CPU too.

    Raises:
        InputError: no such model.
    """
    where = resolve_device(device)
    base, tokenizer = _load_model(model, where, resolve_dtype(dtype, where, whole=False))
    paths(base)
    return Team(dict.fromkeys(agents, Policy("base", base, tokenizer, trainable=False)))


def load_weightless(model: str, agents: tuple[str, ...]) -> Team:
    """Load the tokenizer of a model by which every agent acts as it is, for an engine that has the weights itself.

    Raises:
        InputError: no such model.
    """
    from transformers import GenerationConfig

    try:
        settings = GenerationConfig.from_pretrained(model_path(model))
    except OSError:  # a model need not have one
        settings = None
    policy = Policy("base", None, _load_tokenizer(model), trainable=False, settings=settings)
    return Team(dict.fromkeys(agents, policy))


def resolve_device(device: str) -> torch.device:
    """Return the device meant; ``"auto"`` is the first GPU, else the CPU.

    Raises:
        InputError: there is no such device here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:  # a torch without CUDA asserts
        raise InputError(f"device {device!r} cannot be used here: {_brief(error)}") from None


def resolve_dtype(dtype: str, device: torch.device, *, whole: bool) -> torch.dtype:
    """Return the precision of the loaded weights (see :func:`load_team`)."""
    if dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" and not whole else torch.float32
    chosen = getattr(torch, dtype, None)
    if not isinstance(chosen, torch.dtype) or not chosen.is_floating_point:
        raise InputError(f"unknown dtype {dtype!r}: choose auto, float32 or bfloat16")
    if whole and chosen != torch.float32:
        raise InputError(f"dtype={dtype} with weights that train whole: small updates round away; use float32")
    return chosen


def model_path(model: str) -> str:
    """Return where the weights of ``model`` are: the embedded folder, a folder, or a hub name as it is.

    Raises:
        InputError: it looks like a folder and is not there.
    """
    if model == "embedded":
        return str(MODEL_DIR)
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise InputError(f"{path} is no model folder: config.json is missing")
        return str(path)
    if path.is_absolute() or model.startswith((".", "~")) or model.count("/") != 1:
        raise InputError(f"no model folder {model}: give 'embedded', a transformers folder, or a hub name owner/name")
    return model


def _load_model(model: str, device: torch.device, dtype: torch.dtype) -> tuple[Any, Any]:
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    tokenizer = _load_tokenizer(model)
    try:
        network = AutoModelForCausalLM.from_pretrained(model_path(model), dtype=dtype)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"model {model!r} cannot be loaded: {_brief(error)}") from None
    return network.to(device).eval(), tokenizer


def _load_tokenizer(model: str) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model_path(model))
    except (OSError, ValueError) as error:
        hint = "" if Path(model_path(model)).is_dir() else " ('embedded' or a folder needs no network)"
        raise InputError(f"model {model!r} cannot be loaded{hint}: {_brief(error)}") from None
    if tokenizer.eos_token_id is None:
        raise InputError(f"the tokenizer of {model!r} has no end-of-sequence token")
    return tokenizer


def _adapt(base: Any, names: list[str], rank: int, alpha: int, seed: int) -> Any:
    from peft import LoraConfig, get_peft_model

    base.requires_grad_(False)
    # Dropout would make the learner's log-probabilities differ from the sampled ones.
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=0.0, **adapter_settings(base))
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # PEFT asks transformers for a name that transformers gives up.
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        # It looks for the settings of experts among layers, and does not find them there.
        warnings.filterwarnings("ignore", message="The following (alpha|rank)_pattern keys", category=RuntimeWarning)
        warnings.filterwarnings("ignore", message="fan_in_fan_out")  # PEFT sees itself how GPT-2 lays out its weights
        torch.manual_seed(seed)
        adapted = get_peft_model(base, config, adapter_name=names[0])
        for name in names[1:]:
            adapted.add_adapter(name, config)
    return adapted.eval()


def _fingerprint(model: Any) -> str:
    """Return a short hash of a sample of the weights that tells one base from another in any precision."""
    digest = hashlib.blake2b(digest_size=8)
    vectors = [parameter for parameter in model.parameters() if parameter.ndim == 1]
    for weights in (model.get_input_embeddings().weight[:64], *vectors):
        digest.update(weights.detach().to("cpu", torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes())
    return digest.hexdigest()


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def memory_estimate(team: Team) -> dict[str, float]:
    """Return what training ``team`` holds in MiB: weights, gradients, AdamW's two moments.

    Activations and the cache of generation come on top; they follow micro_batch_tokens and batch_size.
    """
    models = {id(policy.model): policy.model for policy in team.policies if policy.model is not None}
    weights = sum(p.numel() * p.element_size() for model in models.values() for p in model.parameters())
    trained = sum(p.numel() * p.element_size() for policy in team.policies for p in policy.parameters)
    return {"weights": weights / 2**20, "gradients": trained / 2**20, "optimiser": 2 * trained / 2**20}
