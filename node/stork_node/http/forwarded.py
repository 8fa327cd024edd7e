"""A client's address, host and scheme behind balancers: X-Forwarded-…, if trusted proxies wrote them."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

_OF_ONE_CLIENT = 64


def networks(value: object) -> tuple[Network, ...]:
    """
    A setting: networks and addresses in a list, or in one string with commas; may be empty.

    Raises:
        ValueError: an entry that is neither; the text names it.
    """
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list):
        raise ValueError(f'{value!r} is not a list of networks (want ["10.0.0.0/8"])')
    return tuple(_network(item) for item in items if not isinstance(item, str) or item.strip())


def _network(item: object) -> Network:
    try:
        if isinstance(item, str):
            return ip_network(item.strip())
    except ValueError:
        pass
    raise ValueError(f"{item!r} is not a network (want 10.0.0.0/8, or an address)")


def read_headers(request: bytes) -> dict[str, str]:
    """The headers of an HTTP/1.1 request, names in lower case; values of one name are joined, as in one header."""
    headers: dict[str, str] = {}
    for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        name, colon, value = line.decode("iso-8859-1").partition(":")
        name, value = name.strip().lower(), value.strip(" \t")
        if colon and name:
            # Proxies between HTTP/2 and HTTP/1.1 may leave several Cookie headers (RFC 9113, 8.2.3).
            separator = "; " if name == "cookie" else ", "
            headers[name] = f"{headers[name]}{separator}{value}" if name in headers else value
    return headers


def client_address(peer: str, header: str, trusted: Iterable[Network]) -> str:
    """
    The address of the client of a request.

    Each balancer appends the address from which it got the request. So the header is read from its end, as long as the
    writer of an entry is trusted. Entries before that may come from the client itself.

    Args:
        peer: the host at the other end of the connection.
        header: X-Forwarded-For, ``"client, balancer, …"``; several such headers in their order. May be empty.
        trusted: the networks whose entries are believed.

    Returns:
        The last address that is not trusted; if all are, the first one. ``peer``, if it is not trusted itself. If a
        trusted balancer names no address (``unknown``), the balancer's own.
    """
    trusted = tuple(trusted)
    found = peer
    for entry in reversed(header.split(",")):
        if not _is_in(found, trusted):
            break
        named = _address(entry.strip())
        if named is None:
            break
        found = str(named)
    return found


def requested_host(
    peer: str, headers: Mapping[str, str], trusted: Iterable[Network], *, is_secure: bool
) -> tuple[str, bool]:
    """
    The host (with its port, if named) that a client's request was for, and whether it came by TLS.

    A trusted balancer that changes the Host header passes the old one in X-Forwarded-Host. Of several values, the first
    comes from the balancer next to the client.

    Args:
        headers: names in lower case.
        is_secure: whether the connection to this node is TLS.
    """
    host = headers.get("host", "")
    if not _is_in(peer, tuple(trusted)):
        return host, is_secure
    scheme = _first(headers.get("x-forwarded-proto", "")).lower()
    return _first(headers.get("x-forwarded-host", "")) or host, scheme == "https" if scheme else is_secure


def is_in(host: str, trusted: Iterable[Network]) -> bool:
    """Whether an address, as text, is in one of these networks."""
    return _is_in(host, tuple(trusted))


def client_network(host: str) -> str:
    """
    The network for counting connections: an IPv4 address, or the first 64 bits of an IPv6 address, which one household
    has.

    Args:
        host: an address as text; any other text is returned unchanged.
    """
    address = _address(host)
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), _OF_ONE_CLIENT), strict=False))
    return str(address or host)


def _first(header: str) -> str:
    return header.partition(",")[0].strip()


def _is_in(host: str, trusted: tuple[Network, ...]) -> bool:
    address = _address(host)
    return address is not None and any(address in network for network in trusted)


def _address(entry: str) -> IPv4Address | IPv6Address | None:
    """The address of an entry, which may have a port: ``192.0.2.1:4711``, ``[2001:db8::1]:4711``, ``[2001:db8::1]``."""
    if entry.startswith("["):
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    try:
        address = ip_address(entry)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
