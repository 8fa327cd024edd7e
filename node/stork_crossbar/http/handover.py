"""Hand a connection that began with HTTP to another protocol: private names of Twisted."""

from typing import Any

from twisted.protocols.policies import ProtocolWrapper


def hand_over(transport: Any, protocol: Any) -> None:
    """From now on ``protocol`` gets the bytes of this connection."""
    over = transport if isinstance(transport, ProtocolWrapper) else transport.protocol  # TLS, or Crossbar's counter
    if isinstance(over, ProtocolWrapper):
        over.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)
