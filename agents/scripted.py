"""``scripted``: an engine that answers by function, for tests, baselines and replaying saved answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from codeduet.agents.engine import Completion, Engine, FinishReason, Request, cut
from codeduet.envs.token_step import ByteTokenizer, Tokenizer, decode_ids, encode_text

if TYPE_CHECKING:
    from codeduet.agents.policy import Policy

Script = Callable[[str, int], str]
"""(prompt text, seed) -> answer text."""


class ScriptedEngine(Engine):
    """Answers with what each policy's script says.

    Args:
        scripts: policy name -> its script.
        tokenizer: turns prompts and answers into ids and back; bytes by default.
    """

    def __init__(self, scripts: Mapping[str, Script], tokenizer: Tokenizer | None = None) -> None:
        self.scripts = dict(scripts)
        self.tokenizer: Tokenizer = tokenizer or ByteTokenizer()
        self.versions = dict.fromkeys(self.scripts, 0)

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """Return the completions of each request, in the order of its seeds."""
        return [[self._answer(request, seed) for seed in request.seeds] for request in requests]

    def sync(self, policy: Policy, version: int) -> None:
        """Note the version; a script has no weights."""
        self.versions[policy.name] = version

    def _answer(self, request: Request, seed: int) -> Completion:
        script = self.scripts[request.policy]
        text = script(decode_ids(self.tokenizer, list(request.prompt_ids)), seed)
        sampling = request.sampling
        # As a model would: it writes up to the end of the first stop string, and its text ends before that.
        ends = [text.find(stop) + len(stop) for stop in sampling.stop if stop in text]
        finish: FinishReason = "stop" if ends else "eos"
        text = text[: min(ends, default=len(text))]
        ids = encode_text(self.tokenizer, text) + ([] if ends else [self.tokenizer.eos_token_id])
        if len(ids) > sampling.max_new_tokens:
            finish = "length"
            ids = ids[: sampling.max_new_tokens]
            text = decode_ids(self.tokenizer, ids)
        return Completion(
            token_ids=tuple(ids),
            logprobs=(0.0,) * len(ids),
            text=cut(text, sampling.stop),
            finish_reason=finish,
            policy_version=self.versions[request.policy],
        )
