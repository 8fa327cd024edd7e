"""A connection that has begun with HTTP goes on with another protocol: private names of Twisted."""

from typing import Any

from twisted.protocols.policies import ProtocolWrapper


def hand_over(transport: Any, protocol: Any) -> None:
    """``protocol`` gets what comes from now on."""
    over = transport if isinstance(transport, ProtocolWrapper) else transport.protocol  # TLS, or Crossbar's counter
    if isinstance(over, ProtocolWrapper):
        over.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)
