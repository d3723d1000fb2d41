"""A team: agent names, and the policy each of them acts by.

Sharing is a choice. ``separate`` gives each agent a model of its own, trained whole. ``adapter`` gives the team one
frozen base and each agent a LoRA adapter on it: two agents for the memory of one. ``shared`` lets all agents act by one
policy, trained whole, or through one adapter if ``lora_rank`` is given.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from codeduet.agents.config import SeatConfig, Sharing, TeamConfig
from codeduet.agents.fingerprint import fingerprint, sample_fingerprint
from codeduet.agents.models import (
    adapt,
    base_name,
    load_model,
    load_tokenizer,
    model_path,
    resolve_device,
    resolve_dtype,
    rows_of,
    turn_ends,
)
from codeduet.agents.network import shape
from codeduet.agents.policy import Policy
from codeduet.agents.self_test import paths
from codeduet.envs import HELPER, MAIN, InputError

if TYPE_CHECKING:
    from codeduet.envs.roles import Role, Roles


class Team(Mapping[str, Policy]):
    """Agent name -> policy, in the order agents act.

    Args:
        policies: the policy of each agent; agents may share one.
        identity: what the team was made of; a checkpoint of another identity is refused.
        base: name of the model it was made of, as another machine may know it.
        config: how its roles act, where it was loaded by :func:`load_team` of seats.
        roles: which they are, then.

    Raises:
        InputError: two different policies have one name.
    """

    def __init__(
        self,
        policies: Mapping[str, Policy],
        identity: Mapping[str, Any] | None = None,
        base: str = "",
        *,
        config: TeamConfig | None = None,
        roles: Roles = (),
    ) -> None:
        self.config = config
        self.roles = roles
        self._policies = dict(policies)
        named: dict[str, Policy] = {}
        for policy in self._policies.values():
            if named.setdefault(policy.name, policy) is not policy:
                raise InputError(
                    f"two policies of this team are named {policy.name!r}, of which one would learn: give each a name of its own"
                )
        self.identity = dict(identity or {})
        self.base = base

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
        """The tokenizer of the first policy, and of all where they play by one model."""
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
    model: str | Mapping[Role, SeatConfig] | None = None,
    agents: Sequence[str] | Mapping[str, str] = (HELPER, MAIN),
    config: TeamConfig | None = None,
    *,
    seed: int = 0,
) -> Team:
    """Load a model and make a team of it.

    Args:
        model: ``"embedded"``, a transformers folder, or a hub name, by default the config's; or roles, in the order they act, each
            with its seat: where that leaves a setting out it is the config's.
        agents: who acts, in this order; a mapping says by which policy, so that several may act by one.
        config: how policies relate to models (see the module's docstring), adapters, device, precision and chat. Weights that
            train whole are float32, since bfloat16 rounds small updates away.
        seed: for the adapters' first weights.

    Raises:
        InputError: no such model, one that cannot be loaded or trained here, or settings that make no team.
    """
    config = config or TeamConfig()
    if isinstance(model, Mapping):
        from codeduet.agents.build import load_seats

        return load_seats(model, config, seed)
    model = config.model if model is None else model
    sharing, lora_rank, lora_alpha = config.sharing, config.lora_rank, config.lora_alpha
    whole = trains_whole(sharing, lora_rank)
    if sharing == "adapter" and lora_rank < 1:
        raise InputError(f"sharing=adapter needs lora_rank of at least 1, not {lora_rank}")
    where = resolve_device(config.device)
    precision = resolve_dtype(config.dtype, where, whole=whole)
    base, tokenizer = load_model(model, where, precision, train=True, whole=whole)
    ends = turn_ends(model, tokenizer, rows_of(base), config.prompt, config.system, config.template)
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
        adapted = adapt(base, names, lora_rank, lora_alpha, seed, base_name(model))
        policies = {name: Policy(name, adapted, tokenizer, adapter=name, turn_ends=ends) for name in names}
    acting = {agent: policies[names[0] if sharing == "shared" else name] for agent, name in by_name.items()}
    return Team(acting, identity, base_name(model))


def trains_whole(sharing: Sharing, lora_rank: int) -> bool:
    """Tell whether whole models are trained, and not adapters on one."""
    return sharing == "separate" or (sharing == "shared" and lora_rank == 0)


def load_untrained(model: str, agents: Sequence[str], config: TeamConfig | None = None) -> Team:
    """Load a model by which every agent acts as it is: the untrained rows of a benchmark.

    It is what any sharing starts from, since a new adapter changes nothing, at the price of no adapter. The config's device,
    precision, which may be bfloat16 on a CPU too, and chat count.

    Raises:
        InputError: no such model, or one that cannot be loaded here.
    """
    config = config or TeamConfig()
    where = resolve_device(config.device)
    precision = resolve_dtype(config.dtype, where, whole=False)
    base, tokenizer = load_model(model, where, precision, train=False, whole=False)
    ends = turn_ends(model, tokenizer, rows_of(base), config.prompt, config.system, config.template)
    paths(base)
    policy = Policy("base", base, tokenizer, trainable=False, turn_ends=ends)
    return Team(dict.fromkeys(agents, policy), base=base_name(model))


def load_weightless(model: str, agents: Sequence[str], config: TeamConfig | None = None) -> Team:
    """Load the tokenizer of a model by which every agent acts as it is, for an engine that has the weights itself.

    Of the config its chat counts.

    Raises:
        InputError: no such model.
    """
    from transformers import AutoConfig, GenerationConfig

    config = config or TeamConfig()
    try:
        settings = GenerationConfig.from_pretrained(model_path(model))
    except OSError:  # a model need not have one
        settings = None
    tokenizer = load_tokenizer(model)
    try:
        rows = AutoConfig.from_pretrained(model_path(model)).get_text_config().vocab_size
    except (OSError, ValueError, AttributeError):  # of a model that another library knows
        rows = None
    ends = turn_ends(model, tokenizer, rows, config.prompt, config.system, config.template)
    policy = Policy("base", None, tokenizer, trainable=False, settings=settings, turn_ends=ends)
    return Team(dict.fromkeys(agents, policy), base=base_name(model))


def memory_estimate(team: Team) -> dict[str, float]:
    """Return what training ``team`` holds in MiB: weights, gradients, AdamW's two moments.

    Activations and the cache of generation come on top; they follow micro_batch_tokens and batch_size.
    """
    models = {id(policy.model): policy.model for policy in team.policies if policy.model is not None}
    weights = sum(p.numel() * p.element_size() for model in models.values() for p in model.parameters())
    trained = sum(p.numel() * p.element_size() for policy in team.policies for p in policy.parameters)
    return {"weights": weights / 2**20, "gradients": trained / 2**20, "optimiser": 2 * trained / 2**20}
