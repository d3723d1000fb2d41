"""What is pinned is what may be installed, set-up pins it, and the newest is tried without pins."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PINS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11")
def test_every_dependency_but_torch_is_pinned_within_its_bounds() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    named = [Requirement(text) for name in ("cli", "train", "openai", "dev") for text in extras[name]]
    named += [Requirement(text) for text in project["dependencies"]]
    pinned = {canonicalize_name(pin.name): next(iter(pin.specifier)) for pin in PINS}
    assert "torch" not in pinned  # the Makefile's
    for wanted in named:
        if wanted.name in {"codeduet", "torch"}:
            continue
        assert pinned[canonicalize_name(wanted.name)].operator == "=="
        assert wanted.specifier.contains(pinned[canonicalize_name(wanted.name)].version), wanted


def test_pins_name_versions_and_no_place_to_get_them_from() -> None:
    assert len({pin.name for pin in PINS}) == len(PINS)
    assert all(pin.url is None and len(pin.specifier) == 1 for pin in PINS)


def test_set_up_takes_the_pins_and_newest_takes_none() -> None:
    def installs(target: str) -> list[str]:
        told = subprocess.run(
            ["make", "--dry-run", "--always-make", target, "VENV=nowhere"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, told.stderr
        return re.findall(r"pip install (?!.*--upgrade pip).*", told.stdout)

    pinned, newest = installs("install"), installs("newest")
    assert len(pinned) == len(newest) == 2
    assert all("--constraint constraints.txt" in line and "torch==" in line for line in pinned)
    assert all("--constraint" not in line and "torch==" in line for line in newest)
