"""
What the opening handshake of a client's WebSocket says of it: its headers, and who it is behind a balancer.

Private names of autobahn.
"""

from collections.abc import Sequence
from typing import Any

from stork_node.forwarded import Network, client_address, read_headers
from stork_node.values import peer_host

_trusted: Sequence[Network] = ()


def trust(proxies: Sequence[Network]) -> None:
    """Believe ``proxies``, in this process, from whom they have a connection (X-Forwarded-For)."""
    global _trusted
    _trusted = proxies


def correct(transport: Any) -> None:
    """Have the details of a client's transport, which Crossbar gives to everybody, say what its handshake says."""
    request = getattr(transport, "http_request_data", None)
    if request is None:  # a RawSocket, or a component of the router
        return
    details = transport.transport_details
    # autobahn reads them as lines of Latin-1, in which a client can hide a header within another one.
    details.http_headers_received = headers = read_headers(request)
    if not _trusted:
        return
    peer = peer_host(details.peer)
    address = client_address(peer, headers.get("x-forwarded-for", ""), _trusted)
    if address != peer:
        details.peer = transport.peer = address
