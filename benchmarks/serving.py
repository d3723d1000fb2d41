"""How what was exported is served: the command lines, and the benchmark that measures exactly that."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from codeduet.agents.vllm import RANKS
from codeduet.algorithms.config import TrainConfig
from codeduet.benchmarks.pass_at_k import BenchConfig
from codeduet.config import to_yaml
from codeduet.files import write_whole

Kind = Literal["adapter", "merged", "model"]

_PORT = 8000


@dataclass(frozen=True)
class Served:
    """Agents behind vLLM, each by its own name.

    Attributes:
        folder: holds a folder for each agent; an absolute path.
        kind: what is in these: ``adapter``, ``merged`` (into a whole model) or ``model`` (that was trained whole).
        base: of adapters, the model they are put on, as vLLM loads it.
        shared: whether all agents act by the same weights.
        config: of the training.
        dtype: precision of the weights in the run.
    """

    folder: Path
    kind: Kind
    base: str
    shared: bool
    config: TrainConfig
    dtype: str

    @property
    def agents(self) -> tuple[str, ...]:
        """Who is served."""
        return self.config.agents

    @property
    def base_urls(self) -> dict[str, str]:
        """Agent -> address: adapters share a server, and so do agents of one model."""
        apart = self.kind != "adapter" and not self.shared
        return {agent: f"http://127.0.0.1:{_PORT + number * apart}/v1" for number, agent in enumerate(self.agents)}

    def commands(self) -> list[str]:
        """Return the ``vllm serve`` lines, one for each server."""
        # Without the last, vLLM samples by the model folder's own settings where a request leaves one open.
        common = ["--dtype", self.dtype.replace("float64", "float32"), "--generation-config", "vllm"]
        if self.kind == "adapter":
            rank = next(size for size in RANKS if size >= self.config.team.lora_rank)
            loras = [f"{agent}={self.folder / agent}" for agent in self.agents]
            room = ["--enable-lora", "--max-loras", str(len(loras)), "--max-lora-rank", str(rank)]
            return [shlex.join(["vllm", "serve", self.base, *_at(_PORT), *common, *room, "--lora-modules", *loras])]
        if self.shared:
            one = str(self.folder / self.agents[0])
            return [shlex.join(["vllm", "serve", one, *_at(_PORT), *common, *_named(*self.agents)])]
        # Each server takes nine tenths of a GPU unless told otherwise.
        share = ["--gpu-memory-utilization", "0.45"] if len(self.agents) > 1 else []
        return [
            shlex.join(["vllm", "serve", str(self.folder / agent), *_at(port), *common, *share, *_named(agent)])
            for port, agent in enumerate(self.agents, start=_PORT)
        ]

    def bench_command(self) -> str:
        """Return the command that measures the served agents."""
        return shlex.join(["codeduet", "bench", "--config", str(self.folder / "bench.yaml")])

    def lines(self) -> list[str]:
        """Say what was written, and how it is served and measured."""
        whole = ["this run trained whole models and has no adapters: the models are written"]
        return [
            *(whole if self.kind == "model" else []),
            *(f"{self.kind} of {agent} in {self.folder / agent}" for agent in self.agents),
            *(f"serve: {line}" for line in self.commands()),
            f"measure what is served: {self.bench_command()}",
        ]

    def bench_config(self) -> BenchConfig:
        """Return the benchmark of the served agents: prompts, game and sampling are the training's."""
        urls = self.base_urls
        first = self.agents[0]
        team = replace(
            self.config.team,
            engine="openai",
            model=self.base or first,
            models={agent: agent for agent in self.agents},
            base_url=urls[first],
            base_urls={agent: url for agent, url in urls.items() if url != urls[first]},
            tokenizer=self.base or str(self.folder / first),
        )
        return BenchConfig(
            out="runs/served",
            seed=self.config.seed,
            team=team,
            env=self.config.env,
            blank=self.config.blank,
            sampling=self.config.sampling,
        )


def write_bench(served: Served) -> Path:
    """Write ``bench.yaml`` beside the agents' folders."""
    path = served.folder / "bench.yaml"
    write_whole(path, to_yaml(served.bench_config()))
    return path


def _at(port: int) -> list[str]:
    return ["--host", "127.0.0.1", "--port", str(port)]


def _named(*names: str) -> list[str]:
    return ["--served-model-name", *names]
