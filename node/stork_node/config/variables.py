"""The environment variables of this project, and those that look like one and are none."""

import difflib
from collections.abc import Mapping
from pathlib import Path

from stork_node.config.configuration import read_file
from stork_node.config.expansion import names_in
from stork_node.config.port_variables import OPERATOR, PUBLIC
from stork_node.transport.endpoints import ENGINE, Port

_PREFIX = "STORK_"
# Read by the commands themselves, whatever config.json says.
_OF_COMMANDS = frozenset(
    {
        "STORK_BIND",
        "STORK_BUS_SECRET",
        "STORK_DATA",
        "STORK_DEPLOYMENT",
        ENGINE,
        "STORK_LOG",
        "STORK_LOG_LEVEL",
        "STORK_NODE_NAME",
        PUBLIC,
        OPERATOR,
        "STORK_PUBLISH_SERVER",
        "STORK_TICKET",
        *(port.variable for port in Port),
    }
)
# Named by the shipped config.json; in one that does not name them they have no effect.
_OF_CONFIGURATIONS = frozenset(
    {
        "STORK_API_KEY",
        "STORK_BACKENDS_DECIDE",
        "STORK_DRAIN_SPREAD_S",
        "STORK_DRAIN_WAIT_S",
        "STORK_JWT_KEY",
        "STORK_OPERATOR_HOSTS",
        "STORK_ORIGINS",
        "STORK_TRUSTED_PROXIES",
    }
)


def unknown_variables(folder: Path, environ: Mapping[str, str]) -> list[str]:
    """
    Name the variables ``STORK_…`` that nothing reads, in one sentence each.

    Raises:
        ConfigError: config.json in ``folder`` cannot be read.
    """
    named = _names(read_file(folder))
    known = named | _OF_COMMANDS
    given = sorted(name for name in environ if name.startswith(_PREFIX) and name not in known)
    return [_sentence(name, known) for name in given]


def _names(value: object) -> set[str]:
    if isinstance(value, str):
        return names_in(value)
    if isinstance(value, dict):
        return set().union(*map(_names, value.values()))
    return set().union(*map(_names, value)) if isinstance(value, list) else set()


def _sentence(name: str, known: set[str]) -> str:
    if name in _OF_CONFIGURATIONS:
        return f"{name} has no effect: config.json does not name it (the shipped one does)"
    candidates = [each.removeprefix(_PREFIX) for each in known | _OF_CONFIGURATIONS]
    nearest = difflib.get_close_matches(name.removeprefix(_PREFIX), candidates, n=1)
    return f"{name} has no effect: nothing reads it" + (f" (did you mean {_PREFIX}{nearest[0]}?)" if nearest else "")
