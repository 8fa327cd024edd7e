"""
The origins of pages that may open a WebSocket: the node's own host, and origins in a setting.

A browser sends a visitor's cookies with a WebSocket of any page, so a page of another site could join as its visitor.
The Origin header names the page's origin, and a page cannot change it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stork_node.transport.peer import is_loopback

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Schemes of apps that have their pages in a store of their own, and of browser extensions.
_APP_SCHEMES = frozenset(
    ["app", "capacitor", "chrome-extension", "file", "ionic", "moz-extension", "safari-web-extension", "tauri"]
)
_WRITTEN = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.-]*|\*)://)?(\*\.)?(\[[0-9A-Fa-f:.]+\]|[^\s/:*\[\]@?#,\"'<>]+)(?::([0-9]{1,5}|\*))?/?"
)
_SENT = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^\s/:\[\]@?#]*)(?::([0-9]{1,5}))?")
_WANT = "want https://shop.example"
_QUOTED_CHARACTERS = 80


@dataclass(frozen=True)
class Origin:
    """The origin of a page. ``port`` is None for schemes that have none."""

    scheme: str
    host: str
    port: int | None

    @classmethod
    def parse(cls, header: str) -> "Origin | None":
        """An Origin header; None for ``null``, and for values that no browser sends."""
        found = _SENT.fullmatch(header.strip().lower())
        if not found:
            return None
        port = int(found[3]) if found[3] else _DEFAULT_PORTS.get(found[1])
        return cls(found[1], found[2], port)


@dataclass(frozen=True)
class AllowedOrigin:
    """
    An origin in a setting. ``schemes`` empty: any; ``port`` None: the scheme's own; ``"*"``: any.

    ``host`` is without ``*.``. ``below``: each host below it counts, but not the host itself.
    """

    text: str
    schemes: tuple[str, ...] = ()
    host: str = ""
    below: bool = False
    port: int | str | None = None

    def allows(self, header: str) -> bool:
        if self.text == "*":
            return True
        if self.text == "null":
            return header.strip().lower() == "null"
        origin = Origin.parse(header)
        if origin is None or (self.schemes and origin.scheme not in self.schemes):
            return False
        port = _DEFAULT_PORTS.get(origin.scheme) if self.port is None else self.port
        is_host = origin.host.endswith("." + self.host) if self.below else origin.host == self.host
        return is_host and port in ("*", origin.port)

    @property
    def sentence(self) -> str:
        """Its meaning, for ``stork check``."""
        if self.text == "*":
            return "*: pages of every origin may open WebSockets, with their visitors' cookies"
        if self.text == "null":
            return "null: pages without an origin may open WebSockets (files, sandboxed frames)"
        host = f"every host below {self.host}" if self.below else self.host
        own_ports = [str(_DEFAULT_PORTS[scheme]) for scheme in self.schemes if scheme in _DEFAULT_PORTS]
        ports = " or ".join(own_ports) if self.port is None else str(self.port)
        port = " on any port" if self.port == "*" else f" on port {ports}" if ports else ""
        return f"{self.text}: pages of {host} may open WebSockets, by {' or '.join(self.schemes)}{port}"


def origins(value: object) -> tuple[AllowedOrigin, ...]:
    """
    A setting: origins in a list, or in one string with commas or spaces; may be empty.

    Raises:
        ValueError: an entry that is no origin; the text names it.
    """
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        raise ValueError(f'{value!r} is not a list of origins (want ["https://shop.example"])')
    return tuple(_origin(text) for item in items for text in _texts(item))


def _texts(item: object) -> list[str]:
    if not isinstance(item, str):
        raise ValueError(f"{item!r} is not an origin ({_WANT}, https://*.shop.example, or *)")
    return [text for text in re.split(r"[\s,]+", item) if text]


def _origin(text: str) -> AllowedOrigin:
    if text in ("*", "null"):
        return AllowedOrigin(text)
    found = _WRITTEN.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not an origin ({_WANT}, https://*.shop.example, or *)")
    scheme, host, port = (found[1] or "*").lower(), _host(found[3], text), found[4]
    if scheme in ("ws", "wss"):
        raise ValueError(f"{text!r} is the address of a WebSocket, not the origin of a page ({_WANT})")
    if scheme != "*" and scheme not in _DEFAULT_PORTS and scheme not in _APP_SCHEMES:
        raise ValueError(f"{text!r} has a scheme that no page has ({_WANT})")
    if port and port != "*" and not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} has a port that does not exist (want https://shop.example:8443)")
    schemes = tuple(_DEFAULT_PORTS) if scheme == "*" else (scheme,)
    number = int(port) if port and port != "*" else port
    return AllowedOrigin(text, schemes, host, bool(found[2]), number)


def _host(name: str, text: str) -> str:
    """A host as browsers send it: lower case, and other scripts in Punycode."""
    try:
        return name.lower() if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        raise ValueError(f"{text!r} has a host that is no name ({_WANT})") from None


def is_own(header: str, host: str, *, is_secure: bool) -> bool:
    """
    Whether an Origin header has the host of the request itself, with its port.

    An https page counts for its host even if the request came without TLS, as from a balancer that ends TLS. An http
    page does not count if the request came by TLS: others could have changed it on the way.

    Args:
        host: the Host header, or a trusted balancer's value for it: ``host``, or ``host:port``.
        is_secure: whether the client's request came by TLS.
    """
    page, node = _page_and_node(header, host, is_secure=is_secure)
    return node is not None and page == node


def _is_on_other_port_here(header: str, host: str, *, is_secure: bool) -> bool:
    """As ``is_own``, on any port of ``localhost`` and its addresses: there a developer has the application."""
    page, node = _page_and_node(header, host, is_secure=is_secure)
    if page is None or node is None or page.host != node.host:
        return False
    return node.host == "localhost" or node.host.endswith(".localhost") or is_loopback(node.host.strip("[]"))


def _page_and_node(header: str, host: str, *, is_secure: bool) -> tuple[Origin | None, Origin | None]:
    """The origins of a page, and of the node as that page would reach it; None, where it cannot be its own."""
    page = Origin.parse(header)
    if page is None or page.scheme not in _DEFAULT_PORTS or (is_secure and page.scheme == "http"):
        return None, None
    node = Origin.parse(f"{page.scheme}://{host}")
    return page, node if node and node.host else None


def is_allowed(header: str, host: str, allowed: Iterable[AllowedOrigin], *, is_secure: bool = False) -> bool:
    """Whether a page of this origin may open a WebSocket to ``host``."""
    if is_own(header, host, is_secure=is_secure) or _is_on_other_port_here(header, host, is_secure=is_secure):
        return True
    return any(each.allows(header) for each in allowed)


def describe(header: str, host: str) -> str:
    """Why a page of this origin is refused, and which setting would allow it; the headers are quoted and cut."""
    origin = Origin.parse(header)
    if header.strip().lower() == "null":
        to_do = "if it should, set STORK_ORIGINS=null"
    elif origin is None:
        to_do = f"this is no origin ({_WANT})"
    else:
        port = "" if origin.port in (None, _DEFAULT_PORTS.get(origin.scheme)) else f":{origin.port}"
        name = ascii(origin.host[:_QUOTED_CHARACTERS])[1:-1]
        to_do = f"if it should, set STORK_ORIGINS={origin.scheme}://{name}{port}"
        to_do += " (a balancer that changes the Host header belongs to STORK_TRUSTED_PROXIES)"
    return f"a page of {_quote(header)} may not open a WebSocket of {_quote(host)}: {to_do}"


def _quote(text: str) -> str:
    cut = text[:_QUOTED_CHARACTERS]
    return ascii(cut) + ("…" if len(text) > len(cut) else "")
