"""``extra`` of the HTTP API's component."""

from dataclasses import dataclass
from typing import Any

from stork_node.api.keys import ApiKey, keys
from stork_node.config.settings import count, seconds, section, servers, setting, text
from stork_node.transport.endpoints import Port, local_endpoint


def _per_second(value: Any) -> int:
    if (number := count(value)) < 1:
        raise ValueError(f"{value!r} lets nobody push (want 10000)")
    return number


@dataclass(frozen=True)
class ApiLimits:
    """``pushes_per_second`` is for each key; a request with an array counts once for each of its documents."""

    pushes_per_second: int = setting(_per_second, 10_000)


@dataclass(frozen=True)
class ApiSettings:
    """
    ``keys`` are those of the backends. ``push`` is the publish server's ROUTER, ``secret`` STORK_BUS_SECRET or empty.

    A push without an answer for ``timeout_s`` is not confirmed; a call without one for ``call_timeout_s`` has failed.
    ``node_name`` names this node where it has no relay, which knows its name.
    """

    keys: tuple[ApiKey, ...] = setting(keys, ())
    push: str = setting(servers, local_endpoint(Port.ROUTER))
    secret: str = setting(text, "")
    timeout_s: float = setting(seconds, 5.0)
    call_timeout_s: float = setting(seconds, 30.0)
    node_name: str = setting(text, "")
    limits: ApiLimits = setting(section(ApiLimits), ApiLimits())
