"""The jail of a caller that is not root: the same escapes, tried from a process of an ordinary user.

Where the tests themselves run as an ordinary user, ``test_escapes`` is that test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import codeduet

if sys.platform != "linux" or os.geteuid() != 0:
    pytest.skip("only root can become an ordinary user", allow_module_level=True)

USER = 54321
INTERPRETERS = (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3")
"""The one in use may lie where only root may look."""

SCRIPT = """
import json, os, sys, types

root, isolation = sys.argv[1:]
for name in ("codeduet", "codeduet.envs", "codeduet.envs.execution", "codeduet.benchmarks"):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [root + name.removeprefix("codeduet").replace(".", "/")]

from codeduet.benchmarks.verdict.corpora.escapes import CASES, fill, problem
from codeduet.benchmarks.verdict.corpora.outside import Outside, descendants
from codeduet.envs.execution.executor import Executor
from codeduet.envs.execution.limits import Limits

failures = []
with Outside() as outside:
    target = problem(outside.secret)
    before = set(descendants(os.getpid()))
    with Executor(workers=1, isolation=isolation, limits=Limits(cpu_s=1, wall_s=4)) as executor:
        level, _ = executor.start()
        tokens = outside.tokens(set(descendants(os.getpid())) - before)
        right = f"def attempt():\\n    return {outside.secret!r}\\n"
        for case in CASES:
            outcome = executor.judge(target, main_code=fill(case, tokens).main)
            effects = outside.effects()
            solved = executor.judge(target, main_code=right).solved
            if outcome.passed or effects or not solved or outcome.isolation != isolation:
                failures.append([case.name, outcome.passed, effects, solved, outcome.isolation])
print(json.dumps({"user": os.getuid(), "cases": len(CASES), "failures": failures}))
"""


@pytest.fixture(scope="module")
def sources() -> Iterator[Path]:
    """A copy of what the script needs, where anybody may read it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    package = Path(codeduet.__file__).parent
    for part in ("envs", "benchmarks/verdict/corpora"):
        shutil.copytree(package / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(package / "errors.py", folder / "errors.py")
    (folder / "script.py").write_text(SCRIPT)
    yield folder
    shutil.rmtree(folder)


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        user=USER,
        group=USER,
        extra_groups=[],
        cwd="/",
        env={"HOME": "/"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def interpreter() -> str:
    for path in INTERPRETERS:
        try:
            if run([path, "-c", "import sys; sys.exit(sys.version_info < (3, 10))"]).returncode == 0:
                return path
        except OSError:
            continue
    pytest.skip(f"no Python that an ordinary user can start among {', '.join(INTERPRETERS)}")


@pytest.mark.parametrize("isolation", ["namespaces", "landlock"])
def test_no_escape_works_for_an_ordinary_user(sources: Path, interpreter: str, isolation: str) -> None:
    done = run([interpreter, "-s", str(sources / "script.py"), str(sources), isolation])
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["user"] == USER
    assert said["cases"] >= 50
    assert said["failures"] == []
