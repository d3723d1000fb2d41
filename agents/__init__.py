"""Who acts? Prompts, generation engines, teams.

What loads, makes or configures models needs the ``train`` extra; what is imported here needs no model library.
"""

from codeduet.agents.engine import Completion, Engine, Request, Sampling, derive_seed
from codeduet.agents.prompts import Formatter, MessageFormatter, PromptFormatter
from codeduet.agents.scripted import ScriptedEngine

__all__ = [
    "Completion",
    "Engine",
    "Formatter",
    "MessageFormatter",
    "PromptFormatter",
    "Request",
    "Sampling",
    "ScriptedEngine",
    "derive_seed",
]
