"""
The memory of an idle connection: of 22 KB with a stock web transport, half is left over from its opening handshake.

When a session has joined, its connection drops the HTTP request (Twisted keeps the whole channel as a producer,
autobahn the text and the headers) and the data of the join. Values that are equal on all connections are kept once, on
the class: Python looks there for an attribute that the object itself does not have.
"""

import sys
from typing import Any

from crossbar.router.protocol import WampWebSocketServerProtocol

from stork_crossbar.compat import Incompatible, require_signature
from stork_crossbar.pusher.protocol import PusherProtocol

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
# A router's session needs none of these attributes of autobahn's sessions; its class has the logger.
_OF_OTHER_SESSIONS = frozenset(
    ["_ecls_to_uri_pat", "_request_id_gen", "_results", "_uri_to_ecls", "_valid_events", "log"]
)
_VALUES = (type(None), bool, int, float, str, bytes, tuple)

_KINDS_OF_CLIENTS = 100

# The values with which every WebSocket of a class begins, before its client has sent anything.
_begun_with: dict[type, dict[str, Any]] = {}


class _Queue(list[Any]):
    """In place of autobahn's queue for sending in slices, which is never used here: a deque reserves 600 bytes."""

    __slots__ = ()

    def popleft(self) -> Any:
        return self.pop(0)


def share_options() -> None:
    """Keep the start values of every WebSocket on its class, so that ``release_handshake`` finds them there."""
    for protocol_class in (WampWebSocketServerProtocol, PusherProtocol):
        require_signature(protocol_class._connectionMade, "self")
        if tuple(protocol_class.CONFIG_ATTRS) != _options(protocol_class):
            raise Incompatible("autobahn's options are kept in another way")
    for protocol_class in (WampWebSocketServerProtocol, PusherProtocol):
        _share_options_of(protocol_class)


def _options(protocol_class: Any) -> tuple[str, ...]:
    return (*protocol_class.CONFIG_ATTRS_COMMON, *protocol_class.CONFIG_ATTRS_SERVER)


def _share_options_of(protocol_class: Any) -> None:
    begin, options = protocol_class._connectionMade, _options(protocol_class)
    shared = _begun_with[protocol_class] = {}

    def begin_with_few(protocol: Any) -> None:
        factory = protocol.factory
        for name in options if shared else ():
            # The class has the options of the transport that came first.
            if (value := getattr(factory, name)) is not shared.get(name, value):
                setattr(protocol, name, value)
        begin(protocol)
        if not shared:
            told = {name: value for name, value in vars(protocol).items() if isinstance(value, _VALUES)}
            shared.update(told | {name: value for name in options if _can_be_on_class(value := getattr(factory, name))})
            shared.pop("peer", None)
            for name, value in shared.items():
                setattr(protocol_class, name, value)

    protocol_class._connectionMade = begin_with_few


def _can_be_on_class(value: Any) -> bool:
    """Not so for a function: on the class it would be a method, and get one argument more."""
    return not hasattr(type(value), "__get__")


def release_handshake(protocol: Any, session: Any) -> None:
    """Drop the handshake data of a WebSocket whose session has joined. Other transports stay as they are."""
    if not isinstance(protocol, WampWebSocketServerProtocol):
        return
    release_websocket(protocol, WampWebSocketServerProtocol)
    _shed(session, _OF_OTHER_SESSIONS, {})
    details = protocol.transport_details
    # Browsers of one kind send the same names and values, except for the key of the handshake.
    details.http_headers_received = {
        sys.intern(name): sys.intern(value)
        for name, value in (details.http_headers_received or {}).items()
        if name != "sec-websocket-key"
    }
    session._session_roles = _shared(session._session_roles)


def release_websocket(protocol: Any, protocol_class: type) -> None:
    """Drop the handshake data of a WebSocket of this class, and what is the same on all."""
    protocol.transport.unregisterProducer()
    _shed(protocol, _OF_THE_HANDSHAKE, _begun_with.get(protocol_class, {}))
    if not vars(protocol).get("send_queue", True):
        protocol.send_queue = _Queue()


def _shed(owner: Any, names: frozenset[str], on_class: dict[str, Any]) -> None:
    """Drop these attributes, and those that are on the class. (Only a new dict is smaller.)"""
    owner.__dict__ = {
        name: value
        for name, value in vars(owner).items()
        if name not in names and on_class.get(name, _MISSING) is not value
    }


_roles: dict[str, Any] = {}


def _shared(roles: Any) -> Any:
    """Roles and features as one object, shared with other clients that announce the same."""
    announced = repr({name: vars(features) for name, features in roles.items()}) if roles else ""
    if len(_roles) >= _KINDS_OF_CLIENTS:
        _roles.clear()
    return _roles.setdefault(announced, roles)
