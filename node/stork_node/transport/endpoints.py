"""Endpoints, ``tcp://HOST:PORT``, and the four of the publish server: the one place that reads and writes them."""

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self

from stork_node.errors import ConfigError, Problem

LOOPBACK = "127.0.0.1"

# An IPv6 address may stand without its brackets: a variable such as STORK_PUBLISH_SERVER then takes either form.
_ENDPOINT = re.compile(r"tcp://(?P<host>\[[^\[\]]+\]|[^\[\]]+):(?P<port>[0-9]{1,5}|\*)")
_NAME = re.compile(r"\*|[A-Za-z0-9._-]+")
_ANY_ADDRESS = {"*": LOOPBACK, "0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104  # compared
_PUBLISH_SERVER = "STORK_PUBLISH_SERVER"
ENGINE_VARIABLE = "STORK_ENGINE"


class Port(IntEnum):
    """The publish server's ports, where nothing else is said."""

    PULL = 5555
    PUB = 5556
    ROUTER = 5557
    REPLAY = 5558

    @property
    def variable(self) -> str:
        """The environment variable that names another one."""
        return "_".join(["STORK", self.name, "PORT"])


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``host`` has no brackets, and is ``*`` for every address; ``port`` is 0 for ``*``, any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, value: Any) -> Self:
        """
        Read ``tcp://HOST:PORT``, with or without brackets around an IPv6 address.

        Raises:
            ValueError: anything else, in one sentence.
        """
        found = _ENDPOINT.fullmatch(value) if isinstance(value, str) else None
        host = _host(found["host"]) if found else None
        port = 0 if not found or found["port"] == "*" else int(found["port"])
        if host is None or port > 65535:
            raise ValueError(f"{value!r} is not an endpoint (want tcp://HOST:PORT)")
        return cls(host, port)

    @property
    def to_reach(self) -> str:
        """The host at which this machine reaches what is bound here."""
        return _ANY_ADDRESS.get(self.host, self.host)

    def __str__(self) -> str:
        return f"tcp://{bracketed(self.host)}:{self.port or '*'}"


def parse_endpoints(value: Any) -> tuple[str, ...]:
    """
    Read one endpoint, or several with commas between them: ``tcp://a:5557,tcp://b:5557`` or ``tcp://a,b:5557``.

    Raises:
        ValueError: anything else, in one sentence.
    """
    if not isinstance(value, str) or "," not in value:
        return (str(Endpoint.parse(value)),)
    texts = [text.strip() for text in value.split(",")]
    port = texts[-1].rpartition(":")[2]
    endpoints = []
    for text in texts:
        whole = text if text.startswith("tcp://") else f"tcp://{text}"
        try:
            endpoints.append(str(Endpoint.parse(whole)))
        except ValueError:
            try:
                endpoints.append(str(Endpoint.parse(f"{whole}:{port}")))
            except ValueError:
                raise ValueError(f"{value!r} is not a list of endpoints (want tcp://HOST1,HOST2:PORT)") from None
    return tuple(dict.fromkeys(endpoints))


def is_port(text: str) -> bool:
    """Whether ``text`` is the number of a TCP port, in ASCII digits; 0 is none."""
    return text.isascii() and text.isdecimal() and 0 < int(text) <= 65535


def bracketed(host: str) -> str:
    """``host`` as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def local_endpoint(port: Port) -> str:
    """An endpoint of a publish server on this machine."""
    return str(Endpoint(LOOPBACK, port))


def publish_server_endpoint(port: Port, environ: Mapping[str, str]) -> str:
    """
    An endpoint of the publish server that ``STORK_PUBLISH_SERVER`` names; on this machine where it names none. Where it
    names several, with commas, their endpoints, with commas.

    Raises:
        ConfigError: what it says is not a host, or the variable of the port has no port.
    """
    host = environ.get(_PUBLISH_SERVER) or LOOPBACK
    number = environ.get(port.variable) or str(int(port))
    if not is_port(number):
        raise ConfigError([Problem(port.variable, f"{number!r} is not a port (want {int(port)}, say)")])
    try:
        return ",".join(parse_endpoints(f"tcp://{host}:{number}"))
    except ValueError:
        wanted = "want a name or an address, no port"
        raise ConfigError([Problem(_PUBLISH_SERVER, f"{host!r} is not a host ({wanted})")]) from None


def names_other_host(environ: Mapping[str, str], own_name: str) -> bool:
    """
    Whether ``STORK_PUBLISH_SERVER`` names a host that is not this machine, whose name is ``own_name``.

    With ``STORK_ENGINE`` each machine has a publish server of its own, and the variable names others besides.
    """
    if environ.get(ENGINE_VARIABLE):
        return False
    host = environ.get(_PUBLISH_SERVER, "")
    return (_host(host) or host) not in ("", "localhost", LOOPBACK, "::1", own_name)


def is_this_machine(host: str, own_name: str) -> bool:
    """
    Whether a name or an address is this machine's own.

    Args:
        own_name: the machine's name; one with a domain behind it is its own, too.
    """
    found = _host(host) or host
    if found in ("localhost", LOOPBACK, "::1") or found.partition(".")[0] == own_name.partition(".")[0]:
        return True
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return False
    with socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as own:
        try:
            own.bind((found, 0))
        except OSError:
            return False
    return True


def _host(text: str) -> str | None:
    """A name, or an address without brackets, in its shortest form; None for what is neither."""
    if _NAME.fullmatch(text):
        return text
    try:
        return str(ipaddress.IPv6Address(text[1:-1] if text.startswith("[") and text.endswith("]") else text))
    except ValueError:
        return None
