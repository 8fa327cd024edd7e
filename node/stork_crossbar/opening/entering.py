"""
Every connection of a client passes the entrance. This uses private names of Crossbar: its counter of connections is the
outermost layer of each listening port.
"""

from typing import Any

from crossbar.common.twisted.endpoint import MaxConnectionsFactory, _CountedConnection
from twisted.internet.address import UNIXAddress
from twisted.internet.tcp import Port
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

from stork_crossbar.compat import Incompatible, require_signature
from stork_crossbar.http.channel import HttpChannel
from stork_crossbar.internals import broadcasting
from stork_crossbar.opening.entrance import FULL, entrance

_ACCEPTS_A_TURN = 16
"""For each port. A connection that is ended frees its descriptor in the next turn."""


def watch_entrance() -> None:
    """
    Report the connections of all clients' transports in this process to ``entrance``.

    Raises:
        Incompatible: that is impossible. A node in which strangers could use up all descriptors must not start.
    """
    require_signature(MaxConnectionsFactory.buildProtocol, "self", "addr")
    require_signature(_CountedConnection.makeConnection, "self", "transport")
    require_signature(_CountedConnection.connectionLost, "self", "reason")
    if "numberAccepts" not in Port.doRead.__code__.co_names:
        raise Incompatible("Twisted accepts connections in another way")
    ordinary_build, make, lose = (
        MaxConnectionsFactory.buildProtocol,
        _CountedConnection.makeConnection,
        _CountedConnection.connectionLost,
    )

    def build(factory: Any, address: Any) -> Any:
        if isinstance(address, UNIXAddress) or len(factory.protocols) < factory.max_connections:
            return ordinary_build(factory, address)
        has_room = entrance.make_room(lambda transport: getattr(transport.protocol, "factory", None) is factory)
        return WrappingFactory.buildProtocol(factory, address) if has_room else ordinary_build(factory, address)

    def make_and_enter(counted: Any, transport: Any) -> None:
        if isinstance(transport.getHost(), UNIXAddress):
            make(counted, transport)
            return
        is_http = isinstance(_innermost(counted), HttpChannel)
        used = entrance.enter(transport, has_own_deadline=is_http)
        make(counted, transport)
        if used and isinstance(counted.wrappedProtocol, HttpChannel):
            counted.wrappedProtocol.turn_away(FULL, waits=entrance.lingers(used))
        elif used:
            transport.abortConnection()

    def lose_and_go(counted: Any, reason: Any) -> None:
        entrance.gone(counted.transport)
        lose(counted, reason)

    entrance.end_by(broadcasting.end)
    MaxConnectionsFactory.buildProtocol = build
    _CountedConnection.makeConnection = make_and_enter
    _CountedConnection.connectionLost = lose_and_go
    Port.numberAccepts = property(lambda _port: _ACCEPTS_A_TURN, lambda _port, _number: None)


def _innermost(protocol: Any) -> Any:
    while isinstance(protocol, ProtocolWrapper):
        protocol = protocol.wrappedProtocol
    return protocol
