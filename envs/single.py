"""The single-agent game for Gymnasium users: ``gymnasium.make("codeduet/humaneval-v0")``."""

from __future__ import annotations

from typing import Any

import gymnasium

from codeduet.envs.game import Observation
from codeduet.envs.humaneval import MAIN, raw_env
from codeduet.envs.roles import SINGLE


class SingleAgentEnv(gymnasium.Env[Observation, str]):
    """One agent writes the whole program; otherwise the game of :class:`codeduet.envs.humaneval.raw_env`.

    Spaces, rewards, infos, episode end and arguments are those of ``raw_env`` with ``roles=[Role("main")]``.
    """

    metadata = {"render_modes": ["human", "ansi"], "render_fps": 1}  # noqa: RUF012  # Gymnasium's own form

    def __init__(self, **kwargs: Any) -> None:
        self.game = raw_env(roles=SINGLE, **kwargs)
        self.render_mode = self.game.render_mode
        self.observation_space = self.game.observation_space(MAIN)
        self.action_space = self.game.action_space(MAIN)  # type: ignore[assignment]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see ``raw_env.reset``."""
        super().reset(seed=seed)
        self.game.reset(seed=seed, options=options)
        return self.game.observe(MAIN), self.game.infos[MAIN]

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Judge the program ``action`` holds."""
        self.game.step(action)
        return (
            self.game.observe(MAIN),
            self.game.rewards[MAIN],
            self.game.terminations[MAIN],
            self.game.truncations[MAIN],
            self.game.infos[MAIN],
        )

    def render(self) -> Any:
        """Show the episode so far; see ``raw_env.render``."""
        return self.game.render()

    def close(self) -> None:
        """Let go of the episode."""
        self.game.close()
