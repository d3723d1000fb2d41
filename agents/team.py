"""A team: agent names, and the policy each of them acts by.

Sharing is a choice. ``separate`` gives each agent a model of its own, trained whole. ``adapter`` gives the team one
frozen base and each agent a LoRA adapter on it: two agents for the memory of one. ``shared`` lets all agents act by one
policy, trained whole, or through one adapter if ``lora_rank`` is given.
"""

from __future__ import annotations

import copy
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from codeduet.agents.embedded import MODEL_DIR
from codeduet.agents.fingerprint import fingerprint, sample_fingerprint
from codeduet.agents.network import contiguous_head, shape
from codeduet.agents.quantised import check_quantised, method_of
from codeduet.agents.self_test import check_adapted, paths
from codeduet.agents.template import ChatTemplate, Style, resolve_style
from codeduet.agents.tokenizers import check_ids, same_tokenizer
from codeduet.envs import HELPER, MAIN, InputError

Sharing = Literal["separate", "adapter", "shared"]

ADAPTER_FILE = "adapter_model.safetensors"
"""PEFT's name for an adapter's weights."""

ADAPTER_CONFIG = "adapter_config.json"
"""PEFT's name for an adapter's settings."""

_TWO_MODELS = f"a model and an adapter on it ({ADAPTER_CONFIG}): merge it first (PEFT's merge_and_unload), or move the adapter out"
"""What would be played by either, as a library sees fit."""

TASK = "CAUSAL_LM"
"""PEFT's name for what such models do."""

_SHORT = {"bf16": "bfloat16", "fp16": "float16", "half": "float16", "fp32": "float32", "float": "float32"}
"""Other names of precisions."""


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
        turn_ends: ids by which the chat template closes an assistant's turn; none where the model is no chat model.

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
        turn_ends: frozenset[int] = frozenset(),
    ) -> None:
        self.name = name
        self.model = model
        self.tokenizer = tokenizer
        self.adapter = adapter
        self.version = 0
        self._settings = settings
        self._turn_ends = turn_ends
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
        """Every id that ends a completion: chat models name several in their generation config, and end turns."""
        settings = self._settings
        if settings is None and self.model is not None:
            settings = self.activate().generation_config
        named = getattr(settings, "eos_token_id", None)
        listed = named if isinstance(named, list) else [named]
        return frozenset({self.tokenizer.eos_token_id, *(i for i in listed if i is not None)}) | self._turn_ends

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
            config.task_type = TASK  # by which AutoPeftModelForCausalLM knows what to load
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
        base: name of the model it was made of, as another machine may know it.

    Raises:
        InputError: the policies' tokenizers differ, so that no prompt is right for all of them.
    """

    def __init__(
        self, policies: Mapping[str, Policy], identity: Mapping[str, Any] | None = None, base: str = ""
    ) -> None:
        self._policies = dict(policies)
        self.identity = dict(identity or {})
        self.base = base
        first = next(iter(self._policies.values()), None)
        for other in self.policies[1:]:
            if first is not None and not same_tokenizer(first.tokenizer, other.tokenizer):
                raise InputError(
                    f"policies {first.name!r} and {other.name!r} have different tokenizers: the agents of a team play "
                    "by one model for now"
                )

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
        """The tokenizer of all policies."""
        return self.policies[0].tokenizer

    def fits(self, key: str, saved: object) -> bool:
        """Tell whether a checkpoint of a team with ``saved`` under ``key`` of its identity is one of this team."""
        if self.identity[key] == saved:
            return True
        # Before 128 bits of all weights, 64 bits of a sample were saved: such checkpoints are judged by that.
        if key != "base_weights" or not isinstance(saved, str) or len(saved) != 16:
            return False
        return bool(self.identity[key]) and sample_fingerprint(self.policies[0].activate()) == saved


def load_team(
    model: str = "embedded",
    agents: Sequence[str] | Mapping[str, str] = (HELPER, MAIN),
    sharing: Sharing = "adapter",
    *,
    lora_rank: int = 16,
    lora_alpha: int = 32,
    device: str = "auto",
    dtype: str = "auto",
    seed: int = 0,
    prompt: Style = "auto",
    system: str = "",
    template: Mapping[str, Any] | None = None,
) -> Team:
    """Load a model and make a team of it.

    Args:
        model: ``"embedded"``, a transformers folder, or a hub name.
        agents: who acts, in this order; a mapping says by which policy, so that several may act by one.
        sharing: how policies relate to models (see the module's docstring).
        lora_rank: rank of the adapters; with ``shared``, 0 trains the whole model.
        lora_alpha: their scale, alpha / rank.
        device: ``"auto"`` takes a GPU where there is one.
        dtype: of frozen weights; ``"auto"`` is bfloat16 on a GPU and float32 elsewhere. Weights that train whole are
            float32, since bfloat16 rounds small updates away.
        seed: for the adapters' first weights.
        prompt: ``"chat"`` or ``"base"``: in a chat the turn's end ends a completion. ``"auto"`` is chat where the
            tokenizer has a chat template.
        system: a chat's system message; empty is none.
        template: further keyword arguments of ``apply_chat_template``.

    Raises:
        InputError: no such model, one that cannot be loaded or trained here, or settings that make no team.
    """
    whole = trains_whole(sharing, lora_rank)
    if sharing == "adapter" and lora_rank < 1:
        raise InputError(f"sharing=adapter needs lora_rank of at least 1, not {lora_rank}")
    where = resolve_device(device)
    precision = resolve_dtype(dtype, where, whole=whole)
    base, tokenizer = _load_model(model, where, precision, train=True, whole=whole)
    ends = _turn_ends(model, tokenizer, _rows(base), prompt, system, template)
    paths(base)  # a model that cannot be scored is refused before anything is generated
    identity = {
        **shape(base),
        "sharing": sharing,
        "lora_rank": 0 if whole else lora_rank,
        "lora_alpha": 0 if whole else lora_alpha,
        "agents": list(agents),
        # An adapter means something on the base it was trained on only; whole models bring all their weights.
        "base_weights": "" if whole else fingerprint(base),
    }
    by_name = agents if isinstance(agents, Mapping) else {agent: agent for agent in agents}
    names = ["shared"] if sharing == "shared" else list(dict.fromkeys(by_name.values()))
    if whole:
        models = [base, *(copy.deepcopy(base) for _ in names[1:])]
        policies = {name: Policy(name, m, tokenizer, turn_ends=ends) for name, m in zip(names, models, strict=True)}
    else:
        adapted = _adapt(base, names, lora_rank, lora_alpha, seed, base_name(model))
        policies = {name: Policy(name, adapted, tokenizer, adapter=name, turn_ends=ends) for name in names}
    acting = {agent: policies[names[0] if sharing == "shared" else name] for agent, name in by_name.items()}
    return Team(acting, identity, base_name(model))


def trains_whole(sharing: Sharing, lora_rank: int) -> bool:
    """Tell whether whole models are trained, and not adapters on one."""
    return sharing == "separate" or (sharing == "shared" and lora_rank == 0)


def load_untrained(
    model: str,
    agents: Sequence[str],
    *,
    device: str = "auto",
    dtype: str = "auto",
    prompt: Style = "auto",
    system: str = "",
    template: Mapping[str, Any] | None = None,
) -> Team:
    """Load a model by which every agent acts as it is: the untrained rows of a benchmark.

    It is what any sharing starts from, since a new adapter changes nothing, at the price of no adapter. ``dtype`` may
    be bfloat16 on a CPU too; the other arguments are those of :func:`load_team`.

    Raises:
        InputError: no such model, or one that cannot be loaded here.
    """
    where = resolve_device(device)
    base, tokenizer = _load_model(model, where, resolve_dtype(dtype, where, whole=False), train=False, whole=False)
    ends = _turn_ends(model, tokenizer, _rows(base), prompt, system, template)
    paths(base)
    policy = Policy("base", base, tokenizer, trainable=False, turn_ends=ends)
    return Team(dict.fromkeys(agents, policy), base=base_name(model))


def load_weightless(
    model: str,
    agents: Sequence[str],
    *,
    prompt: Style = "auto",
    system: str = "",
    template: Mapping[str, Any] | None = None,
) -> Team:
    """Load the tokenizer of a model by which every agent acts as it is, for an engine that has the weights itself.

    The other arguments are those of :func:`load_team`.

    Raises:
        InputError: no such model.
    """
    from transformers import AutoConfig, GenerationConfig

    try:
        settings = GenerationConfig.from_pretrained(model_path(model))
    except OSError:  # a model need not have one
        settings = None
    tokenizer = _load_tokenizer(model)
    try:
        rows = AutoConfig.from_pretrained(model_path(model)).get_text_config().vocab_size
    except (OSError, ValueError, AttributeError):  # of a model that another library knows
        rows = None
    ends = _turn_ends(model, tokenizer, rows, prompt, system, template)
    policy = Policy("base", None, tokenizer, trainable=False, settings=settings, turn_ends=ends)
    return Team(dict.fromkeys(agents, policy), base=base_name(model))


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
    """Return the precision of the loaded weights (see :func:`load_team`).

    Raises:
        InputError: there is no such precision, or not for these weights on this device.
    """
    if dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" and not whole else torch.float32
    chosen = dtype_named(dtype)
    if chosen == torch.float64 != finest_dtype(device):
        raise InputError(f"dtype={dtype}: device {device.type!r} has no float64; use float32")
    if whole and chosen != torch.float32:
        raise InputError(f"dtype={dtype} with weights that train whole: small updates round away; use float32")
    return chosen


def dtype_named(dtype: str) -> torch.dtype:
    """Return the precision of a name, long or short.

    Raises:
        InputError: there is none of that name, or not one that a model computes in.
    """
    chosen = getattr(torch, _SHORT.get(dtype, dtype), None)
    if chosen not in (torch.bfloat16, torch.float16, torch.float32, torch.float64):
        raise InputError(f"unknown dtype {dtype!r}: choose auto, float32 or bfloat16, or float16 on a GPU")
    assert isinstance(chosen, torch.dtype)
    return chosen


def finest_dtype(device: torch.device) -> torch.dtype:
    """Return the finest precision a device computes in: a Mac's GPU has no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


def base_name(model: str) -> str:
    """Return a name of ``model`` that holds elsewhere too: its hub name where it has one, never a path.

    A folder in the hub's cache has the name it was fetched by; another folder is called by its own name.
    """
    if model == "embedded" or not Path(model).expanduser().is_dir():
        return model
    path = Path(model).expanduser().resolve()
    if path == MODEL_DIR:
        return "embedded"
    cached = next((part for part in path.parts if re.fullmatch(r"models--[^-].*?--.+", part)), None)
    return "/".join(cached.split("--")[1:]) if cached else path.name


def model_path(model: str) -> str:
    """Return where the weights of ``model`` are: the embedded folder, a folder, or a hub name as it is.

    Raises:
        InputError: it looks like a folder and is not there, or the folder holds a model and an adapter on it.
    """
    if model == "embedded":
        return str(MODEL_DIR)
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise InputError(f"{path} is no model folder: config.json is missing")
        if (path / ADAPTER_CONFIG).is_file():
            raise InputError(f"{path} holds {_TWO_MODELS}")
        return str(path)
    if path.is_absolute() or model.startswith((".", "~")) or model.count("/") != 1:
        raise InputError(f"no model folder {model}: give 'embedded', a transformers folder, or a hub name owner/name")
    return model


def _load_model(model: str, device: torch.device, dtype: torch.dtype, *, train: bool, whole: bool) -> tuple[Any, Any]:
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = _load_tokenizer(model)
    try:
        config = AutoConfig.from_pretrained(model_path(model))
    except (OSError, ValueError, StrictDataclassError) as error:
        raise InputError(f"model {model!r} cannot be loaded: {_brief(error)}") from None
    check_quantised(model, config, train=train, whole=whole)
    # Quantised weights are made on their device, and cannot be moved.
    place = {"device_map": {"": device}} if method_of(config) else {}
    try:
        network = AutoModelForCausalLM.from_pretrained(model_path(model), dtype=dtype, **place)
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        raise InputError(f"model {model!r} cannot be loaded: {_brief(error)}") from None
    if getattr(network, "_hf_peft_config_loaded", False):  # a hub's: transformers has put it on
        raise InputError(f"model {model!r} holds {_TWO_MODELS}")
    contiguous_head(network)
    if device.type == "cuda":
        # Its backward pass makes NaN of finite numbers where a mask is given and keys end half way a tile (pytorch #196678):
        # 2 of 48 updates of a 0.5B on an H200 were lost to it.
        torch.backends.cuda.enable_cudnn_sdp(False)
    return (network if place else network.to(device)).eval(), tokenizer


def _rows(network: Any) -> int:
    rows: int = network.get_input_embeddings().weight.shape[0]
    return rows


def _turn_ends(
    model: str, tokenizer: Any, rows: int | None, prompt: Style, system: str, template: Mapping[str, Any] | None
) -> frozenset[int]:
    """Return the ids that end a chat's turn, and refuse a tokenizer or a template by which no prompt can be made."""
    is_chat = resolve_style(prompt, tokenizer) == "chat"
    chat = ChatTemplate(tokenizer, system, template) if is_chat else None
    if rows is not None:
        check_ids(model, tokenizer, rows, chat.written if chat else frozenset())
    return chat.turn_ends() if chat else frozenset()


def _load_tokenizer(model: str) -> Any:
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model_path(model))
    except (OSError, ValueError, StrictDataclassError) as error:
        hint = "" if Path(model_path(model)).is_dir() else " ('embedded' or a folder needs no network)"
        raise InputError(f"model {model!r} cannot be loaded{hint}: {_brief(error)}") from None
    if tokenizer.eos_token_id is None:
        raise InputError(f"the tokenizer of {model!r} has no end-of-sequence token")
    return tokenizer


def _adapt(base: Any, names: list[str], rank: int, alpha: int, seed: int, called: str) -> Any:
    from peft import LoraConfig, get_peft_model

    from codeduet.agents.adapters import adapter_settings, quicken

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
        try:
            adapted = get_peft_model(base, config, adapter_name=names[0])
        except ValueError as error:
            raise InputError(f"no adapters can be put on {called!r}: {_brief(error)}") from None
        for name in names[1:]:
            adapted.add_adapter(name, config)
    for made in adapted.peft_config.values():
        made.base_model_name_or_path = called  # and not where it lies on this machine
    quicken(adapted).eval()
    check_adapted(adapted, called)
    return adapted


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
