"""
What an idle connection keeps: of 22 KB with a stock web transport, half is left over from its opening handshake.

When a session has joined, its connection lets go of the HTTP request (Twisted keeps the whole channel as a producer,
autobahn the text and the headers), of what it was asked on the way in, and of values that are the same on every other
connection: those are kept once, on the class, where Python looks for an attribute that the object itself does not have.
"""

import sys
from typing import Any

from crossbar.router.protocol import WampWebSocketServerProtocol

from stork_crossbar.compat import Incompatible, require_signature

_MISSING = object()
_OF_THE_HANDSHAKE = frozenset(
    [
        "_origin",
        "_wskey",
        "http_headers",
        "http_request_data",
        "http_request_host",
        "http_request_params",
        "http_request_path",
        "http_request_uri",
        "http_response_data",
        "http_status_line",
        "websocket_extensions",
        "websocket_origin",
        "websocket_protocols",
    ]
)
# Of what every session of autobahn's has, a router's has no use for these; its log is its class's as well.
_OF_OTHER_SESSIONS = frozenset(
    ["_ecls_to_uri_pat", "_request_id_gen", "_results", "_uri_to_ecls", "_valid_events", "log"]
)
_VALUES = (type(None), bool, int, float, str, bytes, tuple)

_KINDS_OF_CLIENTS = 100

# What every WebSocket of this process begins with, before its client has said anything.
_begun_with: dict[str, Any] = {}


class _Queue(list[Any]):
    """autobahn's queue of what waits to be sent in slices, which nothing here does: a deque reserves 600 bytes."""

    __slots__ = ()

    def popleft(self) -> Any:
        return self.pop(0)


def share_options() -> None:
    """Have every WebSocket's values at its start kept on the class, so that ``release_handshake`` finds them there."""
    begin = WampWebSocketServerProtocol._connectionMade
    require_signature(begin, "self")
    options = (*WampWebSocketServerProtocol.CONFIG_ATTRS_COMMON, *WampWebSocketServerProtocol.CONFIG_ATTRS_SERVER)
    if tuple(WampWebSocketServerProtocol.CONFIG_ATTRS) != options:
        raise Incompatible("autobahn's options are kept in another way")

    def begin_with_few(protocol: Any) -> None:
        factory = protocol.factory
        for name in options if _begun_with else ():
            # The class has the options of the transport that came first.
            if (value := getattr(factory, name)) is not _begun_with.get(name, value):
                setattr(protocol, name, value)
        begin(protocol)
        if not _begun_with:
            told = {name: value for name, value in vars(protocol).items() if isinstance(value, _VALUES)}
            _begun_with.update(
                told | {name: value for name in options if _can_be_on_class(value := getattr(factory, name))}
            )
            _begun_with.pop("peer", None)
            for name, value in _begun_with.items():
                setattr(WampWebSocketServerProtocol, name, value)

    WampWebSocketServerProtocol._connectionMade = begin_with_few


def _can_be_on_class(value: Any) -> bool:
    """A function would become a method there, and be called with one argument more."""
    return not hasattr(type(value), "__get__")


def release_handshake(protocol: Any, session: Any) -> None:
    """Let a WebSocket whose session has joined forget how it came to be. Other transports are left as they are."""
    if not isinstance(protocol, WampWebSocketServerProtocol):
        return
    protocol.transport.unregisterProducer()
    _shed(protocol, _OF_THE_HANDSHAKE, _begun_with)
    _shed(session, _OF_OTHER_SESSIONS, {})
    if not vars(protocol).get("send_queue", True):
        protocol.send_queue = _Queue()
    details = protocol.transport_details
    # Browsers of one kind send the same names and values, but for the key of this one handshake.
    details.http_headers_received = {
        sys.intern(name): sys.intern(value)
        for name, value in (details.http_headers_received or {}).items()
        if name != "sec-websocket-key"
    }
    session._session_roles = _shared(session._session_roles)


def _shed(owner: Any, names: frozenset[str], on_class: dict[str, Any]) -> None:
    """Drop these attributes, and those that are on the class. (A dict shrinks only when it is made anew.)"""
    owner.__dict__ = {
        name: value
        for name, value in vars(owner).items()
        if name not in names and on_class.get(name, _MISSING) is not value
    }


_roles: dict[str, Any] = {}


def _shared(roles: Any) -> Any:
    """The same roles and features as other clients of one kind have announced, as one object."""
    announced = repr({name: vars(features) for name, features in roles.items()}) if roles else ""
    if len(_roles) >= _KINDS_OF_CLIENTS:
        _roles.clear()
    return _roles.setdefault(announced, roles)
