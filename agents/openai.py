"""``openai``: generation by any OpenAI-compatible server, for evaluation: ``vllm serve``, or a hosted endpoint.

``api="completions"`` sends token ids to ``/v1/completions``, so prompts are exactly those of the other engines; it needs
the model's tokenizer here. ``api="chat"`` sends the prompt as one user message to ``/v1/chat/completions``, as hosted
models want it; no tokenizer is needed. Such a server tells how many tokens it wrote and not which, so that a completion
is recorded as its bytes, and counts of tokens are counts of bytes.

Servers differ in what they take, are busy, and refuse single prompts: :mod:`codeduet.agents.served` sees to that. Each
answer is saved when it comes, where a file is named.

Weights stay where they are, so nothing can be trained through it: ``sync`` refuses a new version.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeduet.agents.engine import Completion, Engine, FinishReason, Request, cut
from codeduet.agents.policy import Policy
from codeduet.agents.saved_answers import SavedAnswers
from codeduet.agents.served import Calls, Question, Served
from codeduet.agents.team import Team
from codeduet.envs import InputError
from codeduet.envs.token_step import decode_ids, encode_text

if TYPE_CHECKING:
    from codeduet.agents.config import TeamConfig

_GRACE_S = 5.0
"""When a run ends, calls under way are given so long: their answers are paid for."""


class OpenAIEngine(Engine):
    """Generates by calls to a server.

    Args:
        team: whose policies answer.
        model: the server's name for the model they answer by.
        base_url: address up to and with ``/v1``; the key is read from the environment's ``OPENAI_API_KEY``.
        calls: how it is called.
        served: policy -> (model, address) of those that answer by another; an empty one is the one above.
        answers: a JSONL file where each answer is saved when it comes, and found again; None saves none.
        say: gets a line on each kind of trouble when it comes up first, and on how often at the end.

    Raises:
        InputError: the ``openai`` package is missing, an address is none, or the team has adapters or trained weights.
    """

    weights = "served"
    packages = ("openai",)

    def __init__(
        self,
        team: Team,
        model: str,
        base_url: str,
        *,
        calls: Calls | None = None,
        served: Mapping[str, tuple[str, str]] | None = None,
        answers: Path | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        if any(policy.model is not None for policy in team.policies):
            raise InputError(
                "engine=openai plays the model its server has: checkpoints and adapters are not sent there"
            )
        self.policies = {policy.name: policy for policy in team.policies}
        calls = calls or Calls()
        self.api = calls.api
        self._system = ({"role": "system", "content": calls.system},) if calls.system else ()
        self._template = {"chat_template_kwargs": dict(calls.template)} if calls.template else {}
        self._say = say
        saved = SavedAnswers(answers)
        free = asyncio.Semaphore(calls.at_once)
        self._clients: dict[str, Any] = {}
        models: dict[tuple[str, str], Served] = {}
        self._served: dict[str, Served] = {}
        for policy in self.policies:
            name, url = (served or {}).get(policy, ("", ""))
            place = (name or model, url or base_url)
            if place[1] not in self._clients:
                self._clients[place[1]] = _client(place[1], calls.timeout_s)
            if place not in models:
                client = self._clients[place[1]]
                models[place] = Served(client, place[0], calls, free=free, saved=saved, say=say)
            self._served[policy] = models[place]
        # Calls are tasks, because a task can be ended: a thread would wait for its server, and Python for the thread.
        # The loop has a thread of its own, because the caller's may run one already, as in a notebook.
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="codeduet-openai", daemon=True)
        self._thread.start()

    @classmethod
    def build(cls, config: TeamConfig, team: Team, answers: Path | None, say: Callable[[str], None]) -> Engine:
        """Make the engine that a config asks for."""
        return cls(
            team,
            config.model,
            config.base_url,
            calls=Calls(
                api=config.api,
                timeout_s=config.timeout,
                retries=config.retries,
                at_once=config.batch_size,
                system=config.system,
                template=config.template,
            ),
            served={
                team[agent].name: (config.models.get(agent, ""), config.base_urls.get(agent, "")) for agent in team
            },
            answers=answers,
            say=say,
        )

    def generate(self, requests: Sequence[Request]) -> list[list[Completion]]:
        """Return the completions of each request, in the order of its seeds.

        The first error ends all calls; those under way are waited for, shortly, and their answers saved.

        Raises:
            InputError: a server is gone, stays busy, or refuses whatever it is asked; what was sampled before is the
                caller's to keep.
        """
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

    def close(self) -> None:
        """End the calls under way, close the connections, and say how often there was trouble."""
        if self._loop.is_closed():
            return
        for summary in dict.fromkeys(served.summary() for served in self._served.values()):
            if summary:
                self._say(summary)
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        for client in self._clients.values():
            await client.close()

    async def _ask_all(self, requests: Sequence[Request]) -> list[list[Completion]]:
        calls = [asyncio.ensure_future(self._ask(request, seed)) for request in requests for seed in request.seeds]
        try:
            answers = iter(await asyncio.gather(*calls))
        except InputError:
            under_way = {call for served in self._served.values() for call in served.under_way}
            for call in set(calls) - under_way:
                call.cancel()
            if under_way:
                await asyncio.wait(under_way, timeout=_GRACE_S)
            raise
        finally:
            for call in calls:
                call.cancel()
        return [[next(answers) for _ in request.seeds] for request in requests]

    async def _ask(self, request: Request, seed: int) -> Completion:
        served, policy = self._served[request.policy], self.policies[request.policy]
        sampling = request.sampling
        if self.api == "chat":
            message = {"role": "user", "content": decode_ids(policy.tokenizer, list(request.prompt_ids))}
            question = Question((*self._system, message), sampling, seed, self._template)
        else:
            # Beyond OpenAI's own interface: what vLLM needs so that no default of the model's applies.
            more = {"return_token_ids": True, "stop_token_ids": sorted(policy.eos_ids)}
            question = Question(request.prompt_ids, sampling, seed, more)
        reply = await served.ask(question)
        finish: FinishReason = "stop" if any(stop in reply.text for stop in sampling.stop) else reply.finish
        ids = reply.token_ids or tuple(encode_text(policy.tokenizer, reply.text))
        return Completion(ids, (0.0,) * len(ids), cut(reply.text, sampling.stop), finish, 0)


def _client(base_url: str, timeout_s: float) -> Any:
    """Return a client of the ``openai`` package, which makes each call once."""
    try:
        import openai
    except ImportError:
        raise InputError("engine=openai needs the openai package: pip install 'codeduet[openai]'") from None
    if not base_url.startswith(("http://", "https://")):
        raise InputError(f"engine=openai needs base_url=http(s)://HOST:PORT/v1, not {base_url!r}")
    key = os.environ.get("OPENAI_API_KEY") or "none"
    try:
        return openai.AsyncOpenAI(base_url=base_url, api_key=key, timeout=timeout_s, max_retries=0)
    except Exception as error:  # noqa: BLE001  # the HTTP library's own, which openai does not name
        reason = " ".join(str(error).split())
        raise InputError(f"engine=openai cannot use base_url={base_url!r}: {reason}") from None
