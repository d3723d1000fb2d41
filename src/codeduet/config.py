"""From a YAML file and dotted overrides to any dataclass, checked; every mistake is one line.

A config that a command takes says which in its class (``COMMAND``), and its file by the key ``command``.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
import types
import typing
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from codeduet.errors import InputError, nearest

T = TypeVar("T")

STRICT = ConfigDict(extra="forbid")
"""Pydantic's setting for every config: an unknown key is an error, never ignored."""

Seed = Annotated[int, Field(ge=-(2**63), lt=2**63)]
"""A whole number that every generator of random numbers takes."""

_BEFORE = {
    "protocol": "reproduce", "magrpo": "reproduce", "algorithm": "train", "steps": "train", "checkpoint": "bench",
    "split": "bench",
}  # fmt: skip
"""Keys that only one command's configs have, by which those are known that do not name the command, as in run folders of before."""

FIRST, LAST = "# whole with its last line\n", "# end\n"
"""What a run folder's config stands between, so that one that was cut off is known."""

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


def load_config(
    kind: type[T], source: str | None, overrides: Sequence[str] = (), base: T | None = None, *, saved: bool = False
) -> T:
    """Build a config.

    Args:
        kind: its dataclass.
        source: the name of a packaged config, the path of a YAML file, or None for the defaults.
        overrides: ``"dotted.key=value"``, the value in YAML; of a key that holds text it is the text as it stands,
            quotes around it aside, and of texts in a list or mapping each is. A section's value changes the keys in it and
            leaves the others.
        base: what holds where neither says anything; by default the dataclass's defaults.
        saved: whether ``source`` is a run folder's own, whose keys of before are read as what they are now.

    Raises:
        InputError: no such file, one that was cut off, an unknown key (with the nearest name), or a value that does not fit.
    """
    tree = plain(base) if base is not None else {}
    if source is not None:
        told = _without_command(read_yaml(source, kind), kind, source)
        of_before = getattr(kind, "of_before", None)
        tree = _merged(tree, of_before(told, saved=saved) if of_before else told)
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator or not key:
            raise InputError(f"an override is dotted.key=value, not {override!r}")
        # Quoted text is that within the quotes; any other is nothing but itself.
        keys = key.split(".")
        verbatim = _is_text(kind, keys) and not re.fullmatch(r"'.*'|\".*\"", value, re.DOTALL)
        # The base loader takes whatever stands in a list or mapping for text: {main_0: 1e3}.
        changed = (
            value if verbatim else parsed(value, override, yaml.BaseLoader if _holds_texts(kind, keys) else _Loader)
        )
        _set(tree, keys, changed, override, within=dataclasses.is_dataclass(_annotation(kind, keys)))
    try:
        config = TypeAdapter(kind).validate_python(_at_home(tree))
    except ValidationError as error:
        where = ".".join(_named(kind, error.errors()[0]["loc"]))
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


def command_in(tree: Mapping[str, Any]) -> str | None:
    """Return the command whose config a tree of keys is: the one it names, or else the one whose keys it has."""
    told = tree.get("command")
    return str(told) if told else next((command for key, command in _BEFORE.items() if key in tree), None)


def command_for(kind: Any) -> str | None:
    """Return the command that takes configs of a kind, if one does."""
    command: str | None = getattr(kind, "COMMAND", None)
    return command


def _at_home(value: Any) -> Any:
    """Return a config's tree with paths that begin with ``~/``, as a shell would have them."""
    if isinstance(value, dict):
        return {key: _at_home(each) for key, each in value.items()}
    return str(Path(value).expanduser()) if isinstance(value, str) and value.startswith("~/") else value


def parsed(value: str, override: str, loader: type[yaml.SafeLoader | yaml.BaseLoader] = _Loader) -> Any:
    """Return the value of an override.

    Raises:
        InputError: it is no YAML.
    """
    try:
        return yaml.load(value, loader)
    except (yaml.YAMLError, ValueError):  # ValueError: a number of too many digits
        raise InputError(f"the value of {override!r} is not YAML") from None


def _is_text(kind: Any, keys: Sequence[str]) -> bool:
    """Tell whether a dotted key holds text, by the annotations of a config."""
    kind = _annotation(kind, keys)
    if typing.get_origin(kind) is typing.Literal:
        return all(isinstance(choice, str) for choice in typing.get_args(kind))
    return kind is str


def _holds_texts(kind: Any, keys: Sequence[str]) -> bool:
    """Tell whether a dotted key holds a list or a mapping of text."""
    kind = _annotation(kind, keys)
    return typing.get_origin(kind) in (dict, list) and typing.get_args(kind)[-1] is str


def _annotation(kind: Any, keys: Sequence[str]) -> Any:
    """Return the type that a dotted key's value has by the annotations of a config, None where they do not say."""
    for key in keys:
        if dataclasses.is_dataclass(kind):
            kind = typing.get_type_hints(kind).get(key)
        elif typing.get_origin(kind) is dict:
            kind = typing.get_args(kind)[1]
        else:
            return None
    return kind


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


def difference(before: Any, after: Any, same: Callable[[str, Any, Any], bool] = lambda key, one, other: False) -> str:
    """Return the first key in which two configs of one kind differ, with both values; ``""`` where none does.

    Args:
        before: one.
        after: the other.
        same: tells of a dotted key whether two values that differ mean the same.
    """
    return _difference(plain(before), plain(after), same)


def _difference(
    before: dict[str, Any], after: dict[str, Any], same: Callable[[str, Any, Any], bool], path: str = ""
) -> str:
    for key, value in before.items():
        other, name = after.get(key), f"{path}{key}"
        if isinstance(value, dict) and isinstance(other, dict):
            if found := _difference(value, other, same, f"{name}."):
                return found
        elif value != other and not same(name, value, other):
            return f"{name} is {value!r} there and {other!r} here"
    added = next((key for key in after if key not in before), None)
    return f"{path}{added} is {after[added]!r} here only" if added else ""


def _keys(kind: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def cut_off(source: str, tree: Iterable[str], kind: Any) -> str:
    """Say that a config was cut off, and without which keys."""
    missing = ", ".join(name for name in (_keys(kind) if kind else ()) if name not in set(tree))
    return (
        f"{source} was cut off{f', without {missing}' if missing else ''}: put these back as they were, or begin anew with "
        "another out="
    )


def read_yaml(source: str, kind: Any = None) -> dict[str, Any]:
    """Read keys and values from a YAML file, or from a packaged config by its name.

    Args:
        source: which.
        kind: the dataclass of the config that it is to be as a whole; without one what is left of a file is read, if it
            still tells whose config it is.

    Raises:
        InputError: there is none, it is not YAML, or it was cut off.
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
    cut = text.startswith(FIRST.encode()) and LAST.encode() not in text
    if cut and (kind or not command_in(tree)):
        raise InputError(cut_off(source, tree, kind))
    return tree


def _set(tree: dict[str, Any], keys: list[str], value: Any, override: str, *, within: bool) -> None:
    """Set a dotted key; ``within`` the section that it is, if keys and values are given."""
    for key in keys[:-1]:
        child = tree.setdefault(key, {})
        if not isinstance(child, dict):
            raise InputError(f"{override!r}: {key} is a value and holds no keys")
        tree = child
    before = tree.get(keys[-1])
    tree[keys[-1]] = (
        _merged(before, value) if within and isinstance(before, dict) and isinstance(value, dict) else value
    )


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return both trees in one, ``above`` holding where both speak."""
    both = below | above
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            both[key] = _merged(below[key], above[key])
    return both


def _one_line(kind: Any, error: ValidationError, source: str | None) -> str:
    first = error.errors()[0]
    path = _named(kind, first["loc"])
    where = f" in {source}" if source else ""
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        owner = _annotation(kind, path[:-1])
        known = _keys(owner)
        unknown = [str(e["loc"][0]) for e in error.errors() if e["type"] == first["type"]]
        mine, theirs = command_for(kind), command_in(dict.fromkeys(unknown))
        if source and theirs not in (None, mine):
            return f"{source} is a config of codeduet {theirs}, not of codeduet {mine}"
        if written := getattr(owner, "GONE", {}).get(path[-1]):
            return f"config key {'.'.join(path)!r}{where} is gone: write {written} in its place"
        elsewhere = [key for key in _dotted(kind) if key.rpartition(".")[2] == path[-1]]
        meant = f"; did you mean {' or '.join(map(repr, elsewhere))}?" if elsewhere else nearest(path[-1], known)
        return f"unknown config key {'.'.join(path)!r}{where}{meant}"
    # A value that may be of several types has an error for each.
    messages = dict.fromkeys(
        e["msg"][0].lower() + e["msg"][1:] for e in error.errors() if _named(kind, e["loc"]) == path
    )
    return f"config key {'.'.join(path)!r}{where}: {' or '.join(messages)}, not {first['input']!r}"


def _named(kind: Any, place: Iterable[int | str]) -> list[str]:
    """Return the keys in an error's place: of a value that may be of several types, the type tried stands behind them."""
    names = []
    for part in place:
        if kind is None or not (dataclasses.is_dataclass(kind) or typing.get_origin(kind) in (dict, list)):
            break
        names.append(str(part))
        if dataclasses.is_dataclass(kind):
            kind = typing.get_type_hints(kind).get(str(part))
            if types.NoneType in typing.get_args(kind) and len(typing.get_args(kind)) == 2:
                kind = typing.get_args(kind)[0]
        else:
            kind = typing.get_args(kind)[-1]
    return names


def _dotted(kind: Any, path: str = "") -> Iterator[str]:
    for key, value in typing.get_type_hints(kind).items():
        if dataclasses.is_dataclass(value):
            yield from _dotted(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"
