"""
The environment variables of ports: each takes the place of a port in config.json.

config.json has the ports themselves, so that stock Crossbar, and people, can read it as it is.
"""

import re
from collections.abc import Mapping
from typing import Any

from stork_node.errors import Problem
from stork_node.transport.endpoints import Port, is_port

PUBLIC, OPERATOR = "STORK_PORT", "STORK_OPERATOR_PORT"

_OF_EXTRA = {
    "listen": OPERATOR,
    "push": Port.ROUTER.variable,
    "bus": Port.PUB.variable,
    "replay": Port.REPLAY.variable,
}
_OF_ARGUMENTS = {f"--{port.name.lower()}": port.variable for port in Port}
_WRITTEN_PORT = re.compile(r":[0-9]{1,5}$")


class PortVariables:
    """What ``environ`` says of ports; what is none is added to ``problems``, with its path in config.json."""

    def __init__(self, environ: Mapping[str, str], problems: list[Problem]) -> None:
        self._environ, self._problems = environ, problems

    def wanted(self, variable: str, path: str) -> str | None:
        """The port that ``variable`` names, for the value at ``path``."""
        port = self._environ.get(variable)
        if not port:
            return None
        if is_port(port):
            return port
        self._problems.append(Problem(path, f"{variable} is {port!r}, not a port (want 8080, say)"))
        return None

    def set_in_extra(self, extra: dict[str, Any], path: str) -> None:
        """Set the ports of a Stork component's endpoints."""
        for key in _OF_EXTRA.keys() & extra.keys():
            extra[key] = self._with_port(extra[key], _OF_EXTRA[key], f"{path}.extra.{key}")

    def set_in_arguments(self, arguments: list[Any], path: str) -> None:
        """Set the ports of the publish server's endpoints."""
        for i, option in enumerate(arguments[:-1]):
            if option in _OF_ARGUMENTS:
                arguments[i + 1] = self._with_port(
                    arguments[i + 1], _OF_ARGUMENTS[option], f"{path}.arguments[{i + 1}]"
                )

    def _with_port(self, endpoint: Any, variable: str, path: str) -> Any:
        port = self.wanted(variable, path)
        return _WRITTEN_PORT.sub(f":{port}", endpoint) if port and isinstance(endpoint, str) else endpoint
