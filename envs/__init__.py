"""What does each agent see, how is its text read, what is the team paid?

Importing this package registers ``codeduet/humaneval-v0`` with PettingZoo (which has a registry from 1.27 on) and Gymnasium;
it loads no model library.
"""

import gymnasium
import pettingzoo

from codeduet.envs.batch import step_many
from codeduet.envs.execution import Executor, Limits, Outcome, Part, Program, shared_executor
from codeduet.envs.humaneval import HELPER, MAIN, env, raw_env
from codeduet.envs.problems import Problem, find_problem, load_problems, read_rows, stub
from codeduet.envs.rewards import REWARDS, get_reward
from codeduet.envs.roles import Role
from codeduet.envs.single import SingleAgentEnv
from codeduet.envs.tests import Asserts, Cases, Streams
from codeduet.envs.token_step import ByteTokenizer, TokenStep
from codeduet.errors import InputError

__all__ = [
    "HELPER",
    "MAIN",
    "REWARDS",
    "Asserts",
    "ByteTokenizer",
    "Cases",
    "Executor",
    "InputError",
    "Limits",
    "Outcome",
    "Part",
    "Problem",
    "Program",
    "Role",
    "SingleAgentEnv",
    "Streams",
    "TokenStep",
    "env",
    "find_problem",
    "get_reward",
    "load_problems",
    "raw_env",
    "read_rows",
    "shared_executor",
    "step_many",
    "stub",
]

_ID = "codeduet/humaneval-v0"
if hasattr(pettingzoo, "register") and _ID not in pettingzoo.aec_registry:  # a reload must not warn
    pettingzoo.register("aec", _ID, entry_point="codeduet.envs.humaneval:env")
if _ID not in gymnasium.registry:
    gymnasium.register(_ID, entry_point="codeduet.envs.single:SingleAgentEnv")
