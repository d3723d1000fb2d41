"""``openai``: generation by any OpenAI-compatible server, for evaluation: ``vllm serve``, or a hosted endpoint.

``api="completions"`` sends token ids to ``/v1/completions``, so prompts are exactly those of the other engines; it needs
the model's tokenizer here. ``api="chat"`` sends the prompt as one user message to ``/v1/chat/completions``, as hosted
models want it; no tokenizer is needed, and what counts as a token is a byte where the server does not say.

Weights stay where they are, so nothing can be trained through it: ``sync`` refuses a new version.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from codeduet.agents.engine import Completion, Request, cut
from codeduet.agents.team import Policy, Team
from codeduet.envs import InputError

Api = Literal["completions", "chat"]

_STOPS = 4
"""Stop strings these interfaces take; the others cut the text here, once it has come."""

_CHOICES = 64
"""Completions asked for at once: each has a seed of its own, so each is a call."""


class OpenAIEngine:
    """Generates by calls to a server.

    Args:
        team: whose policies answer, all by the same model.
        model: the server's name for it.
        base_url: address up to and with ``/v1``; the key is read from the environment's ``OPENAI_API_KEY``.
        api: which of the server's two interfaces.
        timeout_s: for one completion.
        retries: further attempts where the server is busy or the line breaks.

    Raises:
        InputError: the ``openai`` package is missing, or the team has adapters or trained weights.
    """

    def __init__(
        self,
        team: Team,
        model: str,
        base_url: str,
        *,
        api: Api = "completions",
        timeout_s: float = 600.0,
        retries: int = 2,
        batch_size: int = _CHOICES,
    ) -> None:
        try:
            import openai
        except ImportError:
            raise InputError("engine=openai needs the openai package: pip install 'codeduet[openai]'") from None
        if not base_url.startswith(("http://", "https://")):
            raise InputError(f"engine=openai needs base_url=http(s)://HOST:PORT/v1, not {base_url!r}")
        if any(policy.model is not None for policy in team.policies):
            raise InputError(
                "engine=openai plays the model its server has: checkpoints and adapters are not sent there"
            )
        self._openai = openai
        self.policies = {policy.name: policy for policy in team.policies}
        self.model = model
        self.base_url = base_url
        self.api = api
        self._client = openai.OpenAI(
            base_url=base_url,
            api_key=os.environ.get("OPENAI_API_KEY", "none"),
            timeout=timeout_s,
            max_retries=retries,
        )
        self._threads = ThreadPoolExecutor(batch_size)

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """Return the completions of each request, in the order of its seeds.

        Raises:
            InputError: the server is gone, or refuses; what was sampled before is the caller's to keep.
        """
        calls = [[self._threads.submit(self._ask, request, seed) for seed in request.seeds] for request in requests]
        try:
            return [[call.result() for call in of_request] for of_request in calls]
        except self._openai.APIError as error:
            reason = " ".join(str(error).split())[:300]
            raise InputError(f"server {self.base_url} ({self.model}): {reason}") from None
        finally:
            for call in (call for of_request in calls for call in of_request):
                call.cancel()

    def sync(self, policy: Policy, version: int) -> None:
        """Refuse: the server's weights cannot follow.

        Raises:
            InputError: always.
        """
        raise InputError("engine=openai is for evaluation: its server's weights cannot follow a training")

    def sleep(self) -> None:
        """Do nothing: the memory is the server's."""

    def wake(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown(cancel_futures=True)
        self._client.close()

    def _ask(self, request: Request, seed: int) -> Completion:
        sampling = request.sampling
        tokenizer = self.policies[request.policy].tokenizer
        settings: dict[str, Any] = {
            "model": self.model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
            "stop": list(sampling.stop[:_STOPS]) or None,
        }
        if self.api == "chat":
            message: Any = {"role": "user", "content": tokenizer.decode(list(request.prompt_ids))}
            answer = self._client.chat.completions.create(
                messages=[message], max_completion_tokens=sampling.max_new_tokens, **settings
            )
            text = answer.choices[0].message.content or ""
        else:
            answer = self._client.completions.create(
                prompt=list(request.prompt_ids),
                max_tokens=sampling.max_new_tokens,
                # Beyond OpenAI's own interface: what vLLM needs so that no default of the model's applies.
                extra_body={"top_k": sampling.top_k, "min_p": 0.0, "repetition_penalty": 1.0, "return_token_ids": True},
                **settings,
            )
            text = answer.choices[0].text
        choice = answer.choices[0]
        ids = tuple(getattr(choice, "token_ids", None) or tokenizer.encode(text))
        if choice.finish_reason == "length":
            finish = "length"
        else:
            finish = "stop" if isinstance(getattr(choice, "stop_reason", None), str) else "eos"
        if any(stop in text for stop in sampling.stop):
            finish = "stop"
        return Completion(ids, (0.0,) * len(ids), cut(text, sampling.stop), finish, 0)  # type: ignore[arg-type]
