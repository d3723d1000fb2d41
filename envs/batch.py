"""Step a whole group of environments at the price of one verdict."""

from __future__ import annotations

from collections.abc import Sequence

from codeduet.envs.humaneval import Env, raw_env


def step_many(envs: Sequence[Env], actions: Sequence[str | None]) -> None:
    """Step ``envs[i]`` with ``actions[i]`` for each i.

    All programs that the actions complete are handed to the executor before any is waited for, so judging a group
    takes the time of its slowest program and not of their sum. The effect is that of stepping one after another.

    Args:
        envs: environments whose innermost one is ``codeduet/humaneval-v0``, wrapped as you like.
        actions: one action for the selected agent of each.
    """
    for env, action in zip(envs, actions, strict=True):
        inner = env.unwrapped
        if isinstance(inner, raw_env) and inner.agents and isinstance(action, str):
            inner.submit(action)
    for env, action in zip(envs, actions, strict=True):
        env.step(action)
