"""From a YAML file and dotted overrides to any dataclass, checked; every mistake is one line.

A config that a command takes says which in its class (``COMMAND``), and its file by the key ``command``.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
import typing
import unicodedata
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from codeduet.errors import InputError, nearest

T = TypeVar("T")

STRICT = ConfigDict(extra="forbid")
"""Pydantic's setting for every config: an unknown key is an error, never ignored."""

_PACKAGED = resources.files("codeduet").joinpath("benchmarks", "configs")
"""Where the configs lie that ship with the package."""


class _Loader(yaml.SafeLoader):
    """Reads what has no quotes as YAML 1.2 does.

    Of YAML 1.1's numbers ``1e-5`` is none, ``010`` is 8, ``2024_10_01`` is 20 million and ``1:30`` is 90; its ``on`` is true.
    """


class _Dumper(yaml.SafeDumper):
    """Quotes the text that ``_Loader`` would take for something else."""


_CORE = (
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("merge", r"<<", "<"),
)
"""YAML 1.2's core schema: type, what it looks like, and how that may begin."""

for _kind in (_Loader, _Dumper):
    _kind.yaml_implicit_resolvers = {}
    for _name, _pattern, _first in _CORE:
        _kind.add_implicit_resolver(
            f"tag:yaml.org,2002:{_name}", re.compile(rf"(?:{_pattern})$"), ["" if c == "\0" else c for c in _first]
        )


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)


def packaged_configs(folder_name: str = "") -> list[str]:
    """Return the names of the configs that ship with the package, or of those in a folder among them."""
    folder = _PACKAGED / folder_name
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_config(kind: type[T], source: str | None, overrides: Sequence[str] = (), base: T | None = None) -> T:
    """Build a config.

    Args:
        kind: its dataclass.
        source: the name of a packaged config, the path of a YAML file, or None for the defaults.
        overrides: ``"dotted.key=value"``, the value in YAML; of a key that holds text it is the text as it stands,
            quotes around it aside.
        base: what holds where neither says anything; by default the dataclass's defaults.

    Raises:
        InputError: no such file, an unknown key (with the nearest name), or a value that does not fit.
    """
    tree = plain(base) if base is not None else {}
    if source is not None:
        tree = _merged(tree, _without_command(read_yaml(source), kind, source))
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator or not key:
            raise InputError(f"an override is dotted.key=value, not {override!r}")
        # Quoted text is that within the quotes; any other is nothing but itself.
        verbatim = _is_text(kind, key.split(".")) and not re.fullmatch(r"'.*'|\".*\"", value, re.DOTALL)
        _set(tree, key.split("."), value if verbatim else _parsed(value, override), override)
    try:
        config = TypeAdapter(kind).validate_python(tree)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        overridden = any(f"{where}.".startswith(f"{override.partition('=')[0]}.") for override in overrides)
        raise InputError(_one_line(kind, error, None if overridden else source)) from None
    out = getattr(config, "out", "")
    if any(unicodedata.category(sign) == "Cc" for sign in out):
        raise InputError(f"out={out!r} holds a line break or another control character: name a folder without")
    return config


def _without_command(tree: dict[str, Any], kind: Any, source: str) -> dict[str, Any]:
    """Return what a file says, having checked that it is of the command whose configs are of ``kind``."""
    mine = command_for(kind)
    if mine is None or "command" not in tree:
        return tree
    if tree["command"] != mine:
        raise InputError(f"{source} is a config of codeduet {tree['command']}, not of codeduet {mine}")
    return {key: value for key, value in tree.items() if key != "command"}


def command_for(kind: Any) -> str | None:
    """Return the command that takes configs of a kind, if one does."""
    command: str | None = getattr(kind, "COMMAND", None)
    return command


def _parsed(value: str, override: str) -> Any:
    try:
        return yaml.load(value, _Loader)
    except (yaml.YAMLError, ValueError):  # ValueError: a number of too many digits
        raise InputError(f"the value of {override!r} is not YAML") from None


def _is_text(kind: Any, keys: Sequence[str]) -> bool:
    """Tell whether a dotted key holds text, by the annotations of a config."""
    for key in keys:
        if dataclasses.is_dataclass(kind):
            kind = typing.get_type_hints(kind).get(key)
        elif typing.get_origin(kind) is dict:
            kind = typing.get_args(kind)[1]
        else:
            return False
    if typing.get_origin(kind) is typing.Literal:
        return all(isinstance(choice, str) for choice in typing.get_args(kind))
    return kind is str


def to_yaml(config: Any) -> str:
    """Return a config as the YAML that :func:`load_config` reads; a command's begins with the command."""
    command = command_for(config)
    tree = ({"command": command} if command else {}) | plain(config)
    return str(yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True))


def describe(config: Any) -> str:
    """Return a config as the YAML that :func:`load_config` reads, with what its class's docstring says of each key above it."""
    command = command_for(config)
    return "\n".join([*([f"command: {command}"] if command else []), *_described(config, "")]) + "\n"


def _described(config: Any, indent: str) -> Iterator[str]:
    meanings, tree = _meanings(type(config)), plain(config)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        sign = f"{indent}# "
        yield from textwrap.wrap(
            meanings.get(field.name, ""), 110, initial_indent=sign, subsequent_indent=sign, break_on_hyphens=False
        )
        if dataclasses.is_dataclass(value):
            yield f"{indent}{field.name}:"
            yield from _described(value, f"{indent}  ")
        else:
            pair = {field.name: tree[field.name]}
            shown = yaml.dump(pair, Dumper=_Dumper, default_flow_style=True, allow_unicode=True, width=10**6)
            yield f"{indent}{shown.strip()[1:-1]}"  # without the braces


def _meanings(kind: Any) -> dict[str, str]:
    """Return what a dataclass's docstring says of its attributes."""
    text = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2]
    parts = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", text, re.MULTILINE)
    return {name: " ".join(meaning.replace("``", "").split()) for name, meaning in parts}


def plain(config: Any) -> dict[str, Any]:
    """Return a config as plain JSON types."""
    tree: dict[str, Any] = TypeAdapter(type(config)).dump_python(config, mode="json")
    return tree


def difference(before: Any, after: Any) -> str:
    """Return the first key in which two configs of one kind differ, with both values; ``""`` where none does."""
    return _difference(plain(before), plain(after))


def _difference(before: dict[str, Any], after: dict[str, Any], path: str = "") -> str:
    for key, value in before.items():
        other, name = after.get(key), f"{path}{key}"
        if isinstance(value, dict) and isinstance(other, dict):
            if found := _difference(value, other, f"{name}."):
                return found
        elif value != other:
            return f"{name} is {value!r} there and {other!r} here"
    added = next((key for key in after if key not in before), None)
    return f"{path}{added} is {after[added]!r} here only" if added else ""


def read_yaml(source: str) -> dict[str, Any]:
    """Read keys and values from a YAML file, or from a packaged config by its name.

    Raises:
        InputError: there is none, or it is not YAML.
    """
    path = Path(source)
    if not path.is_file():
        packaged = _PACKAGED / f"{source}.yaml"
        if not packaged.is_file():
            raise InputError(
                f"no config {source!r}: give a YAML file or one of {', '.join(packaged_configs())}"
                f"{nearest(source, packaged_configs())}"
            )
        text = packaged.read_bytes()
    else:
        text = path.read_bytes()
    try:
        tree = yaml.load(text.decode(), _Loader) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{source} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise InputError(f"{source} must hold keys and values")
    return tree


def _set(tree: dict[str, Any], keys: list[str], value: Any, override: str) -> None:
    for key in keys[:-1]:
        child = tree.setdefault(key, {})
        if not isinstance(child, dict):
            raise InputError(f"{override!r}: {key} is a value and holds no keys")
        tree = child
    tree[keys[-1]] = value


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return both trees in one, ``above`` holding where both speak."""
    both = below | above
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            both[key] = _merged(below[key], above[key])
    return both


def _one_line(kind: Any, error: ValidationError, source: str | None) -> str:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    where = f" in {source}" if source else ""
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        owner = kind
        for key in path[:-1]:
            owner = typing.get_type_hints(owner).get(key, owner)
        known = [field.name for field in dataclasses.fields(owner)]
        return f"unknown config key {'.'.join(path)!r}{where}{nearest(path[-1], known)}"
    message = first["msg"][0].lower() + first["msg"][1:]
    return f"config key {'.'.join(path)!r}{where}: {message}, not {first['input']!r}"
