"""The environment needs no model library, and no folder is imported under a bare name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pettingzoo
import pytest


def run(code: str, folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_environment_loads_no_torch(tmp_path: Path) -> None:
    run(
        "import codeduet.envs, sys; assert 'torch' not in sys.modules; assert 'transformers' not in sys.modules",
        tmp_path,
    )


def test_no_folder_is_imported_under_a_bare_name(tmp_path: Path) -> None:
    run(
        "import codeduet.envs, sys\n"
        "assert not {'envs', 'agents', 'algorithms', 'benchmarks'} & {name.split('.')[0] for name in sys.modules}",
        tmp_path,
    )


@pytest.mark.skipif(not hasattr(pettingzoo, "make"), reason="PettingZoo has a registry from 1.27 on")
def test_the_loop_of_the_readme_plays_an_episode(tmp_path: Path) -> None:
    run(
        "import sys, codeduet.envs, pettingzoo\n"
        "env = pettingzoo.make('aec', 'codeduet/humaneval-v0')\n"
        "env.reset(seed=0)\n"
        "for agent in env.agent_iter():\n"
        "    observation, reward, terminated, truncated, info = env.last()\n"
        "    env.step(None if terminated or truncated else '    return None')\n"
        "assert env.agents == []\n"
        "assert 'torch' not in sys.modules",
        tmp_path,
    )


def test_without_a_registry_of_pettingzoos_the_environment_is_still_made(tmp_path: Path) -> None:
    """It has one from 1.27 on, and there are libraries that hold it below, AgileRL among them."""
    run(
        "import pettingzoo\n"
        "for name in {'make', 'register', 'aec_registry', 'parallel_registry'} & set(vars(pettingzoo)):\n"
        "    delattr(pettingzoo, name)\n"
        "import codeduet.envs, gymnasium\n"
        "env = codeduet.envs.env()\n"
        "env.reset(seed=0)\n"
        "assert env.agent_selection == 'helper_0'\n"
        "assert 'codeduet/humaneval-v0' in gymnasium.registry",
        tmp_path,
    )


def test_importing_it_twice_registers_it_once(tmp_path: Path) -> None:
    run(
        "import importlib, warnings, codeduet.envs\nwarnings.simplefilter('error')\nimportlib.reload(codeduet.envs)",
        tmp_path,
    )
