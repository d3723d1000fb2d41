"""What an agent is told of a failed turn: counts and its own code's error, never a test's text."""

from __future__ import annotations

from codeduet.envs.execution import Outcome


def feedback_for(agent: str, outcome: Outcome) -> str:
    """Return the feedback on ``outcome`` for ``agent`` (``"helper_0"`` or ``"main_0"``).

    Every agent reads how many tests passed; the error's message goes to the agent whose code raised it, the other
    learns whose it was.
    """
    role = agent.split("_")[0]
    lines = [f"{outcome.passed} of {outcome.total} tests passed."]
    if outcome.timed_out:
        lines.append("The program ran out of time.")
    elif outcome.error:
        if outcome.error_unit == role:
            lines.append(f"Your code raised {outcome.error}.")
        elif outcome.error_unit in ("helper", "main"):
            lines.append(f"The {outcome.error_unit} agent's code raised {outcome.error.split(':')[0]}.")
        elif outcome.error_unit:
            lines.append(f"The problem's own code raised {outcome.error}.")
        else:
            lines.append(f"{outcome.error[0].upper()}{outcome.error[1:]}.")
    elif not outcome.solved:
        lines.append("The program ran, but some results were wrong.")
    return "\n".join(lines)
