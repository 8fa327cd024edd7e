"""The request that an authenticator gets: a ticket, and facts about its client."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from stork_node.application.values import peer_host
from stork_node.protocol.wire_values import to_wire


class Headers(Mapping[str, str]):
    """HTTP headers of the WebSocket's opening handshake; names in any case."""

    def __init__(self, headers: Mapping[str, str] | None = None) -> None:
        self._headers = {name.lower(): value for name, value in (headers or {}).items()}

    def __getitem__(self, name: str) -> str:
        return self._headers[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._headers

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)

    def __repr__(self) -> str:
        # Values may be secrets: Cookie, Authorization.
        return f"<Headers {', '.join(self._headers)}>"


@dataclass(frozen=True, kw_only=True)
class AuthRequest:
    """
    A client that wants to join.

    ``ticket`` is the client's credential. ``authid`` is the name that the client asks for, unproven (None if there is
    none). ``headers`` and ``cookies`` are those of its WebSocket's opening handshake (none on a raw socket).
    ``address`` is the client's host, as the connection or a trusted proxy names it.
    """

    ticket: str = field(repr=False)
    realm: str = "realm1"
    authid: str | None = None
    headers: Mapping[str, str] = field(default_factory=Headers)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)
    address: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", Headers(self.headers))
        object.__setattr__(self, "cookies", dict(self.cookies) or parse_cookies(self.headers.get("cookie", "")))

    @classmethod
    def parse(cls, realm: str, authid: str | None, details: Mapping[str, Any]) -> Self:
        """
        Read the arguments of a dynamic authenticator of Crossbar.

        Args:
            realm: the realm that the client wants to join.
            authid: the authid in its HELLO, or None.
            details: ``{"ticket", "transport": {"peer", "http_headers_received"}, …}``.

        Raises:
            ValueError: a ticket or authid that is no text, or cannot be UTF-8.
        """
        ticket: Any = details.get("ticket")
        for value, name in ((ticket, "the ticket"), (authid or "", "the authid")):
            if not isinstance(value, str):
                raise ValueError(f"{name} is of type {type(value).__name__}, not text")
            to_wire(value, name)
        transport = details.get("transport") or {}
        return cls(
            ticket=ticket,
            realm=realm,
            authid=authid or None,
            headers=transport.get("http_headers_received") or {},
            address=peer_host(transport.get("peer")),
        )


def parse_cookies(header: str) -> dict[str, str]:
    """The cookies of a Cookie header. Of two with one name the first counts: it has the longer path (RFC 6265, 5.4)."""
    cookies: dict[str, str] = {}
    for pair in header.split(";"):
        name, equals, value = (part.strip() for part in pair.partition("="))
        if equals and name:
            quoted = len(value) >= 2 and value[0] == value[-1] == '"'
            cookies.setdefault(name, value[1:-1] if quoted else value)
    return cookies


def cookie_header(cookies: Mapping[str, Any]) -> str:
    """
    The Cookie header with these cookies: values are text, or ``http.cookies.Morsel`` as in Django's ``client.cookies``.

    Raises:
        ValueError: a name or value that no Cookie header can hold.
    """
    pairs = [f"{name}={getattr(value, 'coded_value', value)}" for name, value in cookies.items()]
    header = "; ".join(pairs)
    if len(parse_cookies(header)) != len(pairs) or not header.isprintable():
        raise ValueError("a cookie has a character that no Cookie header can hold, such as ;")
    return header
