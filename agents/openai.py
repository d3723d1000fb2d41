"""``openai``: generation by any OpenAI-compatible server, for evaluation: ``vllm serve``, or a hosted endpoint.

``api="completions"`` sends token ids to ``/v1/completions``, so prompts are exactly those of the other engines; it needs
the model's tokenizer here. ``api="chat"`` sends the prompt as one user message to ``/v1/chat/completions``, as hosted
models want it; no tokenizer is needed. Such a server tells how many tokens it wrote and not which, so that a completion
is recorded as its bytes, and counts of tokens are counts of bytes.

Weights stay where they are, so nothing can be trained through it: ``sync`` refuses a new version.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from codeduet.agents.engine import Completion, FinishReason, Request, cut
from codeduet.agents.team import Policy, Team
from codeduet.envs import InputError
from codeduet.envs.token_step import decode_ids, encode_text

Api = Literal["completions", "chat"]

_STOPS = 4
"""Stop strings these interfaces take; the others cut the text here, once it has come."""

_CHOICES = 64
"""Completions asked for at once: each has a seed of its own, so each is a call."""

_REASON_CHARS = 300
"""Of what a server says, so many characters are shown: a page of HTML is no error message."""


class OpenAIEngine:
    """Generates by calls to a server.

    Args:
        team: whose policies answer, all by the same model.
        model: the server's name for it.
        base_url: address up to and with ``/v1``; the key is read from the environment's ``OPENAI_API_KEY``.
        api: which of the server's two interfaces.
        timeout_s: for one completion.
        retries: further attempts where the server is busy or the line breaks.
        batch_size: calls under way at once, at most.
        system: under ``api="chat"`` a system message before the user's; empty is none.
        template: under ``api="chat"`` further arguments of the server's chat template; vLLM and SGLang take them.

    Raises:
        InputError: the ``openai`` package is missing, the address is none, or the team has adapters or trained weights.
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
        system: str = "",
        template: Mapping[str, Any] | None = None,
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
        self._system: list[Any] = [{"role": "system", "content": system}] if system else []
        self._extra = {"chat_template_kwargs": dict(template)} if template else None
        try:
            self._client = openai.AsyncOpenAI(
                base_url=base_url,
                api_key=os.environ.get("OPENAI_API_KEY") or "none",
                timeout=timeout_s,
                max_retries=retries,
            )
        except Exception as error:  # noqa: BLE001  # the HTTP library's own, which openai does not name
            raise InputError(f"engine=openai cannot use base_url={base_url!r}: {_brief(error)}") from None
        self._free = asyncio.Semaphore(batch_size)
        # Calls are tasks, because a task can be ended: a thread would wait for its server, and Python for the thread.
        # The loop has a thread of its own, because the caller's may run one already, as in a notebook.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="codeduet-openai", daemon=True)
        self._thread.start()

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """Return the completions of each request, in the order of its seeds.

        The first error ends all calls under way.

        Raises:
            InputError: the server is gone, refuses, or answers with something else; what was sampled before is the
                caller's to keep. Or ``top_k`` is set, which the chat interface does not have.
        """
        if self.api == "chat" and any(request.sampling.top_k for request in requests):
            raise InputError("team.api=chat has no top_k to send: set sampling.top_k=0, or team.api=completions")
        answers = asyncio.run_coroutine_threadsafe(self._ask_all(requests), self._loop)
        try:
            return answers.result()
        finally:
            answers.cancel()  # Ctrl-C

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
        """End the calls under way and close the connections."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self._client.close()

    async def _ask_all(self, requests: Sequence[Request]) -> list[list[Completion]]:
        calls = [asyncio.ensure_future(self._ask(request, seed)) for request in requests for seed in request.seeds]
        try:
            answers = iter(await asyncio.gather(*calls))
        finally:
            for call in calls:
                call.cancel()
        return [[next(answers) for _ in request.seeds] for request in requests]

    async def _ask(self, request: Request, seed: int) -> Completion:
        async with self._free:
            try:
                answer = await self._call(request, seed)
            except (self._openai.OpenAIError, ValueError) as error:  # ValueError: what should be JSON is none
                raise self._refuse(_brief(error)) from None
        choice, text = self._read(answer)
        ids = getattr(choice, "token_ids", None) if self.api == "completions" else None
        if not ids or not isinstance(ids, list) or not all(isinstance(i, int) for i in ids):
            ids = encode_text(self.policies[request.policy].tokenizer, text)
        finish: FinishReason
        if getattr(choice, "finish_reason", None) == "length":
            finish = "length"
        else:
            finish = "stop" if isinstance(getattr(choice, "stop_reason", None), str) else "eos"
        if any(stop in text for stop in request.sampling.stop):
            finish = "stop"
        return Completion(tuple(ids), (0.0,) * len(ids), cut(text, request.sampling.stop), finish, 0)

    async def _call(self, request: Request, seed: int) -> Any:
        sampling = request.sampling
        settings: dict[str, Any] = {
            "model": self.model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
            "stop": list(sampling.stop[:_STOPS]) or None,
        }
        if self.api == "chat":
            tokenizer = self.policies[request.policy].tokenizer
            message: Any = {"role": "user", "content": decode_ids(tokenizer, list(request.prompt_ids))}
            return await self._client.chat.completions.create(
                messages=[*self._system, message],
                max_completion_tokens=sampling.max_new_tokens,
                extra_body=self._extra,
                **settings,
            )
        return await self._client.completions.create(
            prompt=list(request.prompt_ids),
            max_tokens=sampling.max_new_tokens,
            # Beyond OpenAI's own interface: what vLLM needs so that no default of the model's applies.
            extra_body={
                "top_k": sampling.top_k,
                "min_p": 0.0,
                "repetition_penalty": 1.0,
                "return_token_ids": True,
                "stop_token_ids": sorted(self.policies[request.policy].eos_ids),
            },
            **settings,
        )

    def _read(self, answer: Any) -> tuple[Any, str]:
        """Return an answer's choice and its text: the client library passes on whatever came, a web page too."""
        choices = getattr(answer, "choices", None)
        choice = choices[0] if isinstance(choices, list) and choices else None
        if self.api == "chat":
            text = getattr(getattr(choice, "message", None), "content", False)
            text = "" if text is None else text  # a model that thought until its tokens were used up
        else:
            text = getattr(choice, "text", None)
        if not isinstance(text, str):
            raise self._refuse(f"its answer is no completion: {_brief(answer)}")
        return choice, text

    def _refuse(self, reason: str) -> InputError:
        return InputError(f"server {self.base_url} ({self.model}): {reason}")


def _brief(said: object) -> str:
    return " ".join(str(said).split())[:_REASON_CHARS]
