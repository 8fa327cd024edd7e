"""
The list of private names of Crossbar, autobahn and Twisted, and ``missing``, which finds those that are not installed.

``docs/crossbar.md`` has a row for each name. A name belongs to a part of the node. Without a name of ``NODE`` the node
does not start; any other part is left out, and the log says so. ``self_test`` checks the behaviour behind some names.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from types import CodeType
from typing import Any

NODE = "the node"
BROADCASTER = "events are written to sockets directly"
DIRECT_GUARD = "the guard is called as a function"
META_EVENTS = "meta events that nobody wants are left out"
PATTERNS = "patterns are looked up without cycles"
JSON = "one JSON encoder serves all messages"
CONNECTION_MEMORY = "connections share what is the same on each"
SHORT_TURNS = "turns of the reactor are short"


@dataclass(frozen=True)
class PrivateName:
    """
    ``owner`` is ``module`` or ``module:Class``.

    The name exists if the module has it (also as a module of a package), or the class has it. An attribute that methods
    set is found in the code of these methods.
    """

    owner: str
    name: str
    part: str = NODE

    def __str__(self) -> str:
        return f"{self.owner.replace(':', '.')}.{self.name}"

    @property
    def is_there(self) -> bool:
        module, _, class_name = self.owner.partition(":")
        try:
            owner = import_module(module)
            if not class_name:
                return hasattr(owner, self.name) or _is_module(f"{module}.{self.name}")
            return _has(getattr(owner, class_name), self.name)
        except (ImportError, AttributeError):
            return False


def _is_module(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True


def _has(owner: type[Any], name: str) -> bool:
    return hasattr(owner, name) or any(name in _names(code) for code in _codes(owner))


def _codes(owner: type[Any]) -> Iterator[CodeType]:
    """The code of all methods."""
    for each in owner.__mro__:
        for value in vars(each).values():
            function = getattr(value, "fget", None) or getattr(value, "__func__", value)
            code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
            if code is not None:
                yield code


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names(each)


def _rows(owner: str, names: str, part: str = NODE) -> list[PrivateName]:
    return [PrivateName(owner, name, part) for name in names.split()]


PRIVATE_NAMES = (
    # The router of a realm.
    *_rows("crossbar.router.router:Router", "_authorization_cache _broker _dealer _realm _roles"),
    *_rows("crossbar.router.router:Router", "_session_id_to_session"),
    *_rows("crossbar.router.router:Router", "_is_traced _message_stats _trace_traffic", BROADCASTER),
    *_rows("crossbar.router.router:RouterFactory", "_routers"),
    *_rows("crossbar.router.broker:Broker", "_event_store _reactor _role_features"),
    *_rows("crossbar.router.broker:Broker", "_session_to_subscriptions"),
    *_rows("crossbar.router.broker:Broker", "_subscription_map _unsubscribe"),
    *_rows("crossbar.router.dealer:Dealer", "_add_invoke_request _callee_to_invocations _caller_to_invocations"),
    *_rows("crossbar.router.dealer:Dealer", "_cancel_timers _invocations _invocations_by_call"),
    *_rows("crossbar.router.dealer:Dealer", "_registration_map _remove_invoke_request _router"),
    *_rows("crossbar.router.dealer:Dealer", "_reactor _session_to_registrations _unregister"),
    *_rows("crossbar.router.observation:UriObservationMap", "_observation_id_to_observation"),
    *_rows("crossbar.router.role:RouterRoleDynamicAuth", "_authorizer", DIRECT_GUARD),
    *_rows("crossbar.router.service:RouterServiceAgent", "_expose_on_sessions _transport", META_EVENTS),
    *_rows("crossbar.router.wildcard:WildcardTrieMatcher", "_root", PATTERNS),
    # Sessions.
    *_rows("crossbar.router.session:RouterSession", "_authextra _authid _authmethod _authprovider _authrole"),
    *_rows("crossbar.router.session:RouterSession", "_goodbye_sent _pending_session_id _previous_session_id _realm"),
    *_rows("crossbar.router.session:RouterSession", "_router _router_factory _session_id _session_roles _transport"),
    *_rows("crossbar.router.session:RouterSession", "_service_session _transport_config"),
    *_rows("crossbar.router.session:RouterApplicationSession", "_router"),
    *_rows("autobahn.wamp.protocol:ApplicationSession", "_registrations _session_roles _subscriptions _transport"),
    # Transports.
    *_rows("autobahn.wamp.websocket:WampWebSocketServerProtocol", "_serializer _session"),
    *_rows("autobahn.wamp.websocket:WampWebSocketServerFactory", "_serializers"),
    *_rows("autobahn.twisted.rawsocket:WampRawSocketServerProtocol", "_handshake_bytes _handshake_complete"),
    *_rows("autobahn.twisted.rawsocket:WampRawSocketServerProtocol", "_serializer _session"),
    *_rows("crossbar.router.unisocket:UniSocketServerProtocol", "_data _proto"),
    *_rows("autobahn.twisted.rawsocket:WampRawSocketServerFactory", "_serializers"),
    *_rows("autobahn.twisted.resource:WebSocketResource", "_factory"),
    *_rows("autobahn.twisted.websocket:WebSocketAdapterProtocol", "_closeConnection _onMessage"),
    *_rows("autobahn.websocket.protocol", "_url_to_origin"),
    *_rows("autobahn.websocket.protocol:WebSocketProtocol", "_isMessageCompressed _sendAutoPing"),
    *_rows("autobahn.websocket.protocol:WebSocketProtocol", "_perMessageCompress", BROADCASTER),
    *_rows("autobahn.websocket.protocol:WebSocketServerFactory", "_batched_timer"),
    *_rows("autobahn.websocket.protocol:WebSocketServerProtocol", "_connectionMade", CONNECTION_MEMORY),
    *_rows("autobahn.wamp.serializer", "_WAMPJsonEncoder _dumps", JSON),
    *_rows("crossbar.common.twisted.endpoint", "_CountedConnection"),
    *_rows("twisted.internet.abstract:FileDescriptor", "_tempDataBuffer _tempDataLen"),
    *_rows("twisted.internet.epollreactor:EPollReactor", "_poller", SHORT_TURNS),
    *_rows("twisted.protocols.tls:BufferingTLSTransport", "_aggregator"),
    *_rows("twisted.protocols.tls:TLSMemoryBIOProtocol", "_appSendBuffer"),
    *_rows("twisted.protocols.tls:_AggregateSmallWrites", "_buffer"),
    # Processes.
    *_rows("crossbar", "_import_serializers_quietly _logging _util"),
    *_rows("crossbar.common.twisted.processutil", "_WorkerWrapIProtocol"),
    *_rows("crossbar.common.twisted.processutil:_WorkerWrapIProtocol", "_worker"),
    *_rows("crossbar.common.key", "_maybe_generate_node_key"),
    *_rows("crossbar.node.controller:NodeController", "_node _shutdown_requested _shutdown_was_clean _workers"),
    *_rows("crossbar.node.node:Node", "_config _configure_native_worker_container _configure_native_worker_router"),
    *_rows("crossbar.node.node:Node", "_controller _extend_worker_args _node_secmod _node_shutdown_triggers _reactor"),
    *_rows("crossbar.node.node:Node", "_set_shutdown_triggers _worker_no"),
    *_rows("crossbar.node.worker:NativeWorkerProcess", "_controller _dump_remaining_log"),
    *_rows("crossbar.worker.router:RouterController", "_router_factory _router_session_factory"),
    *_rows("crossbar.worker.transport:RouterTransport", "_config"),
    *_rows("xbr", "_secmod"),
)


def missing(parts: Iterable[str] | None = None) -> list[PrivateName]:
    """The names of these parts, or of all parts, that are not installed."""
    wanted = None if parts is None else set(parts)
    return [name for name in PRIVATE_NAMES if (wanted is None or name.part in wanted) and not name.is_there]
