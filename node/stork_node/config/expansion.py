"""``${NAME}`` and ``${NAME:-default}`` in any value of a configuration."""

import re
from collections.abc import Mapping
from typing import Any

from stork_node.errors import Problem

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|\$\{")
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_WORDS = {"true": True, "false": False}


def expand(value: Any, environ: Mapping[str, str], path: str, problems: list[Problem], *, typed: bool = False) -> Any:
    """
    Replace every reference in ``value``, at any depth; keys stay unchanged.

    An unset or empty variable takes the default (as in a shell's ``:-``); ``$${`` stands for ``${``.

    Args:
        value: JSON value.
        environ: the values of the names.
        path: the name of ``value`` in problems, such as ``workers[0].transports[1]``.
        problems: gets one entry for each reference that cannot be resolved.
        typed: a string that is only one reference becomes an integer or a boolean if it reads as one.
    """
    if isinstance(value, str):
        return _expand_text(value, environ, path, problems, typed)
    if isinstance(value, list):
        return [expand(v, environ, f"{path}[{i}]", problems, typed=typed) for i, v in enumerate(value)]
    if isinstance(value, dict):
        return {k: expand(v, environ, f"{path}.{k}" if path else k, problems, typed=typed) for k, v in value.items()}
    return value


def names_in(text: str) -> set[str]:
    """The variables in the references of ``text``."""
    return {found["name"] for found in _REFERENCE.finditer(text) if found["name"]}


def _expand_text(text: str, environ: Mapping[str, str], path: str, problems: list[Problem], typed: bool) -> Any:
    def resolve(found: re.Match[str]) -> str:
        name, default = found["name"], found["default"]
        if found[0] == "$${":
            return "${"
        if name is None:
            problems.append(Problem(path, f"{text!r} has a '${{' that is not ${{NAME}} or ${{NAME:-default}}"))
        elif environ.get(name):
            return environ[name]
        elif default is not None:
            return default
        elif name in environ:
            return ""
        else:
            problems.append(
                Problem(path, f"the environment variable {name} is not set (and there is no ${{{name}:-default}})")
            )
        return ""

    expanded = _REFERENCE.sub(resolve, text)
    whole = _REFERENCE.fullmatch(text)
    if typed and whole and whole["name"]:
        if _INTEGER.fullmatch(expanded):
            return int(expanded)
        return _WORDS.get(expanded, expanded)
    return expanded
