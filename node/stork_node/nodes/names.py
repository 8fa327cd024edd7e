"""The name of a node, for operators."""

import re
from collections.abc import Mapping

from stork_node.errors import ConfigError, Problem

VARIABLE = "STORK_NODE_NAME"
_MOST_CHARACTERS = 64
_NAME = re.compile(r"[0-9A-Za-z._-]{1,64}")
_OTHER = re.compile(r"[^0-9A-Za-z._-]")


def node_name(environ: Mapping[str, str], host: str) -> str:
    """
    ``STORK_NODE_NAME``, or else the name of the host.

    Raises:
        ConfigError: the variable holds no name.
    """
    given = environ.get(VARIABLE)
    if not given:
        return _OTHER.sub("-", host)[:_MOST_CHARACTERS] or "node"
    if _NAME.fullmatch(given) is None:
        what = f"{given!r} is no name (want 1 to 64 letters, digits and . _ -, such as node-1)"
        raise ConfigError([Problem(VARIABLE, what)])
    return given
