"""
Facts from the opening handshake of a client's WebSocket: its headers, and its address behind a balancer.

Private names of autobahn.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stork_crossbar.http import refusals
from stork_node.application.values import peer_host
from stork_node.http.forwarded import Network, client_address, client_network, is_in, read_headers, requested_host
from stork_node.http.origins import AllowedOrigin, describe, is_allowed
from stork_node.process_state import singleton

# autobahn has one or the other, depending on the version of the protocol.
_ORIGIN_HEADERS = ("origin", "sec-websocket-origin")


@dataclass
class Handshakes:
    """
    The settings of this process for a client's first request.

    Attributes:
        trusted: proxies whose X-Forwarded-For is believed.
        origins: origins of pages that may open any WebSocket, beside its own host.
    """

    trusted: Sequence[Network] = ()
    origins: Sequence[AllowedOrigin] = ()


def trust(proxies: Sequence[Network]) -> None:
    """Set the proxies whose X-Forwarded-For this process believes."""
    singleton(Handshakes).trusted = proxies


def allow(origins: Sequence[AllowedOrigin]) -> None:
    """Set the origins of pages that may open any WebSocket of this process, beside its own host."""
    singleton(Handshakes).origins = origins


def refuse_origin(request: bytes, peer: str, named: Sequence[AllowedOrigin], *, is_secure: bool) -> str | None:
    """
    The sentence why a page may not open a WebSocket, for its developer. None if it may, or if the client is no page.

    Args:
        request: the head of the request.
        named: more origins, for this WebSocket only.
        is_secure: whether the request came by TLS.
    """
    allowed = (*singleton(Handshakes).origins, *named)
    for origin, host, host_is_secure in origins_of(request, peer, is_secure=is_secure):
        if not is_allowed(origin, host, allowed, is_secure=host_is_secure):
            sentence = describe(origin, host)
            refusals.count_and_say("origin", sentence)
            return sentence
    return None


def origins_of(request: bytes, peer: str, *, is_secure: bool) -> Iterator[tuple[str, str, bool]]:
    """
    The origins that a request names: one if the client is a page, else none.

    Returns:
        Each with the requested host, and whether that was requested by TLS.
    """
    headers = read_headers(request)
    host, is_secure = requested_host(peer_host(peer), headers, singleton(Handshakes).trusted, is_secure=is_secure)
    for name in _ORIGIN_HEADERS:
        origin = headers.get(name)
        if origin is not None:
            yield origin, host, is_secure


def is_trusted(host: str) -> bool:
    """Whether connections from this address may be those of many clients."""
    return is_in(host, singleton(Handshakes).trusted)


def counted_address(peer: str | None) -> str | None:
    """The address, or network, by which a client is counted; None if others may share it, or if it has none."""
    host = peer_host(peer)
    return client_network(host) if host and not is_trusted(host) else None


def apply_forwarded_headers(transport: Any) -> str | None:
    """
    Correct the details of a client's transport, which Crossbar passes on, by its handshake.

    Returns:
        The client's address, if a trusted balancer named it.
    """
    request = getattr(transport, "http_request_data", None)
    if request is None:  # a RawSocket, or a component of the router
        return None
    details = transport.transport_details
    # autobahn reads these headers as lines of Latin-1, in which a client can hide a header in another one.
    details.http_headers_received = headers = read_headers(request)
    address = _forwarded_address(headers, details.peer)
    if address is not None:
        details.peer = transport.peer = address
    return address


def forwarded_address(request: bytes, peer: str) -> str | None:
    """The client's address, if a trusted balancer names it in this request."""
    return _forwarded_address(read_headers(request), peer) if singleton(Handshakes).trusted else None


def _forwarded_address(headers: Mapping[str, str], peer: str) -> str | None:
    trusted = singleton(Handshakes).trusted
    if not trusted:
        return None
    host = peer_host(peer)
    address = client_address(host, headers.get("x-forwarded-for", ""), trusted)
    return None if address == host else address
