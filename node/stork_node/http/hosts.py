"""
The hosts that the operator's port answers to.

A web page can have its own name resolved to 127.0.0.1 (DNS rebinding), and read local ports. Only the Host header, with
the page's host, shows that. No page can have a bare address that is not its own.
"""

import ipaddress
import re
from collections.abc import Collection

_HOST = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::[0-9]+)?")
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


def is_known(header: str, known: Collection[str]) -> bool:
    """
    Whether a Host header has a name of this machine's loopback, an address, or one of the ``known`` names (lower case).
    """
    found = _HOST.fullmatch(header.strip().lower())
    if not found:
        return False
    host = found[1].strip("[]").removesuffix(".")
    return _is_address(host) or host == "localhost" or host.endswith(".localhost") or host in known


def names(value: object) -> tuple[str, ...]:
    """
    A setting: host names in a list, or in one string with commas or spaces; may be empty.

    Raises:
        ValueError: an entry that is no name; the text says which.
    """
    items = re.split(r"[\s,]+", value) if isinstance(value, str) else value
    if not isinstance(items, list):
        raise ValueError(f'{value!r} is not a list of hosts (want ["stork.internal"])')
    for item in items:
        if item != "" and not (isinstance(item, str) and (_NAME.fullmatch(item) or _is_address(item.strip("[]")))):
            raise ValueError(f"{item!r} is not the name of a host (want stork.internal, without a scheme and a port)")
    return tuple(item.lower() for item in items if item)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
