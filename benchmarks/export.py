"""``codeduet export``: the result of a training as folders that peft, transformers and vLLM load without this package.

Each agent gets a folder: its adapter, or a whole model, the tokenizer, and a card that says how it was made. Beside them
``bench.yaml`` measures them behind a server.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from codeduet.agents.config import TeamConfig
from codeduet.agents.fingerprint import fingerprint
from codeduet.agents.models import base_name, model_path, resolve_device, resolve_dtype
from codeduet.agents.policy import ADAPTER_FILE, TASK, Policy
from codeduet.agents.quantised import method_of
from codeduet.agents.seats import rows_of
from codeduet.agents.team import Team, load_untrained, load_weightless, trains_whole
from codeduet.algorithms.checkpoint import find_checkpoint, read_state
from codeduet.algorithms.config import TrainConfig
from codeduet.benchmarks.model_card import Exported, card
from codeduet.benchmarks.serving import Kind, Served, write_bench
from codeduet.envs import InputError
from codeduet.envs.roles import policies_of
from codeduet.files import make_folder, write_whole
from codeduet.runs import check_training_run, read_config


@dataclass(frozen=True)
class _Source:
    """A run to export: what it was made by, and the checkpoint taken."""

    run: Path
    config: TrainConfig
    checkpoint: Path
    state: dict[str, Any]

    @property
    def whole(self) -> bool:
        return trains_whole(self.config.team.sharing, self.config.team.lora_rank)

    def weights(self, agent: str) -> Path:
        """The folder of the policy an agent acts by."""
        shared = self.config.team.sharing == "shared"
        return self.checkpoint / ("shared" if shared else policies_of(self.config.roles)[agent])


def export(run: Path, out: Path, *, merge: bool = False) -> Served:
    """Write the newest checkpoint of a training for others to load, and return how it is served.

    Args:
        run: a run folder of a training, or one of its checkpoints.
        out: gets a folder for each agent; it must be empty, or not be there.
        merge: whether adapters are merged into their base. A run that trained whole models has none, and its models are
            written in either case.

    Raises:
        InputError: there is no such run or checkpoint, ``out`` is taken, or the base is not the one it was trained on.
        OSError: nothing more can be written; what was is taken away.
    """
    source = _read(run)
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out} is not empty: choose another --out")
    team = source.config.team
    if len(rows_of(team, source.config.roles)) > 1:
        raise InputError(
            f"{source.run} trained several models: export is of teams that play by one; the folders in {source.checkpoint} load as they are"
        )
    for agent in source.config.agents:
        _check_weights(source, agent)
    kind: Kind = "model" if source.whole else "merged" if merge else "adapter"
    # Of a merged model it is told whether it can be had before a folder is made.
    bases = [_base(source)] if kind == "merged" else []
    players = _players(source)
    served = Served(
        out.resolve(),
        kind,
        base=_place(team.model) if kind == "adapter" else "",
        shared=team.sharing == "shared",
        config=source.config,
        dtype=_dtype_name(source),
    )
    there = out.is_dir()
    make_folder(out)
    try:
        _write(source, players, served, bases)
    except BaseException:  # half a model would be taken for one
        for made in out.iterdir():
            shutil.rmtree(made) if made.is_dir() else made.unlink()
        if not there:
            out.rmdir()
        raise
    return served


def _write(source: _Source, players: Team, served: Served, bases: list[Any]) -> None:
    """Write what is served, a folder for each agent; ``bases`` are loaded already, and merged into in place."""
    kind, out, team = served.kind, served.folder, source.config.team
    for agent in source.config.agents:
        folder = out / agent
        folder.mkdir()
        with _writing(folder):
            if kind == "adapter":
                _write_adapter(source, agent, folder)
            elif kind == "model":
                shutil.copytree(source.weights(agent), folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
            else:
                base = bases.pop() if bases else _base(source)
                _merged(base, source.weights(agent)).save_pretrained(folder)
                # They are written for their owner alone, and a server may be another.
                for weights in folder.glob("*.safetensors"):
                    shutil.copymode(folder / "config.json", weights)
            tokenizer = players[agent].tokenizer
            tokenizer.save_pretrained(folder)
            if kind == "adapter":
                _within(folder, tokenizer, _rows(team.model))
            else:
                _end_turns(folder, players[agent])
        told = Exported(agent, kind, source.run, source.checkpoint.name, source.state, base_name(team.model))
        write_whole(folder / "README.md", card(told, source.config, served))
    write_bench(served)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Let errors of writing that are no ``OSError`` be bad input: lists of a tree's copies, and what Rust says."""
    try:
        yield
    except shutil.Error as error:
        _, place, why = error.args[0][0]
        raise InputError(f"cannot write {place}: {why}") from None
    except Exception as error:
        if "(os error " not in str(error):
            raise
        raise InputError(f"cannot write {folder}: {error}") from None


def _read(run: Path) -> _Source:
    checkpoint = run if (run / "state.json").is_file() else None
    if checkpoint is not None:
        run = run.resolve().parent.parent
    check_training_run(run)
    checkpoint = checkpoint or find_checkpoint(run)
    return _Source(run, read_config(TrainConfig, run), checkpoint, read_state(checkpoint))


def _check_weights(source: _Source, agent: str) -> None:
    """Refuse a checkpoint whose files are missing or cut off."""
    folder = source.weights(agent)
    files = [folder / ADAPTER_FILE] if not source.whole else sorted(folder.glob("*.safetensors"))
    try:
        if not files:
            raise FileNotFoundError("no weights")
        for path in files:
            with safe_open(path, framework="pt"):
                pass  # its head says how long the file must be
        _ = source.whole or json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, SafetensorError) as error:
        told = " ".join(str(error).split())[:120]
        raise InputError(
            f"{folder} is damaged ({told}): export another checkpoint, in {source.checkpoint.parent}"
        ) from None


def _players(source: _Source) -> Team:
    """Return the team without weights: its tokenizer, and what ends a turn."""
    team = source.config.team
    agents = source.config.agents
    model = str(source.weights(agents[0])) if source.whole else team.model
    return load_weightless(model, agents, team)


def _place(model: str) -> str:
    """Return by what others load a base: its hub name where it has one, else where it lies on this machine."""
    name = base_name(model)
    return name if "/" in name else str(Path(model_path(model)).resolve())


def _dtype_name(source: _Source) -> str:
    """Return the precision in which the run computes, on this machine."""
    team = source.config.team
    device = resolve_device("auto") if team.device == "auto" else torch.device(team.device)
    return str(resolve_dtype(team.dtype, device, whole=source.whole)).removeprefix("torch.")


def _write_adapter(source: _Source, agent: str, folder: Path) -> None:
    shutil.copyfile(source.weights(agent) / ADAPTER_FILE, folder / ADAPTER_FILE)
    config = json.loads((source.weights(agent) / "adapter_config.json").read_text(encoding="utf-8"))
    # Checkpoints name the base as any machine knows it; peft loads it by what stands here.
    config |= {"base_model_name_or_path": _place(source.config.team.model), "task_type": TASK}
    write_whole(folder / "adapter_config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")


def _rows(model: str) -> int:
    from transformers import AutoConfig

    rows: int = AutoConfig.from_pretrained(model_path(model)).get_text_config().vocab_size
    return rows


def _within(folder: Path, tokenizer: Any, rows: int) -> None:
    """Leave out of a saved tokenizer the special tokens for which the base has no embedding.

    No prompt of the run held one. ``AutoPeftModelForCausalLM`` would give each an embedding, at random, and with it a share
    of every probability. A class of the tokenizer's own may add them anew, so that it is saved as a general one.
    """
    beyond = {token.content for number, token in tokenizer.added_tokens_decoder.items() if number >= rows}
    path, settings_path = folder / "tokenizer.json", folder / "tokenizer_config.json"
    if not beyond or not path.is_file():
        return
    whole = json.loads(path.read_text(encoding="utf-8"))
    whole["added_tokens"] = [token for token in whole["added_tokens"] if token["id"] < rows]
    write_whole(path, json.dumps(whole, indent=2, ensure_ascii=False))
    settings = {
        key: [one for one in value if _content(one) not in beyond] if isinstance(value, list) else value
        for key, value in json.loads(settings_path.read_text(encoding="utf-8")).items()
        if key != "added_tokens_decoder" and _content(value) not in beyond
    }
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    write_whole(settings_path, json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


def _content(token: Any) -> str:
    """Return the text of a token as a tokenizer's settings hold it."""
    found = token.get("content") if isinstance(token, dict) else token
    return found if isinstance(found, str) else ""


def _base(source: _Source) -> Any:
    """Load the base that adapters are merged into.

    Raises:
        InputError: it cannot be had, holds other weights than it was trained on, or is quantised.
    """
    chosen: TeamConfig = source.config.team
    team = load_untrained(chosen.model, ("base",), TeamConfig(device="cpu", dtype=_dtype_name(source), prompt="base"))
    model = team["base"].model
    if method := method_of(model.config):
        raise InputError(
            f"the base {chosen.model!r} is quantised by {method}: nothing is merged into it; leave out --merge"
        )
    same = Team(team, {"base_weights": fingerprint(model)})
    if not same.fits("base_weights", source.state["identity"].get("base_weights")):
        raise InputError(
            f"{chosen.model} holds other weights than {source.checkpoint} was trained on: merged into them the adapters "
            "would mean nothing; set team.model in the run's config.yaml to where its base is"
        )
    return model


def _merged(base: Any, adapter: Path) -> Any:
    """Return ``base`` with an adapter merged into it, in place.

    The product is added in float32 and rounded once, to the precision of the base.
    """
    from peft import PeftModel

    return PeftModel.from_pretrained(base, str(adapter)).merge_and_unload()


def _end_turns(folder: Path, policy: Policy) -> None:
    """Let whoever generates by a model end where its answers ended in the run."""
    path = folder / "generation_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    ends = sorted(policy.eos_ids)
    write_whole(path, json.dumps(settings | {"eos_token_id": ends if len(ends) > 1 else ends[0]}, indent=2) + "\n")
