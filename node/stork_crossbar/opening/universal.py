"""
Crossbar's universal transport distinguishes RawSocket and HTTP by the first bytes of a client.

Crossbar's own code rejects a request line that comes in two segments. It writes a log line for each such client, and a
traceback if the line is not ASCII.
"""

from typing import Any

from crossbar.router.unisocket import UniSocketServerProtocol

from stork_crossbar.compat import require_signature
from stork_crossbar.http import refusals
from stork_crossbar.http.answers import refusal_bytes
from stork_node.http.heads import Refused, end_of_head, read_head

_RAW_SOCKET = b"\x7f"


def tell_clients_apart() -> None:
    """
    Make the universal transports of this process wait for a whole request, and refuse all other bytes.

    Raises:
        Incompatible: they distinguish clients in another way.
    """
    require_signature(UniSocketServerProtocol.dataReceived, "self", "data")
    ordinary = UniSocketServerProtocol.dataReceived

    def receive(protocol: Any, data: bytes) -> None:
        if protocol._proto is not None or getattr(protocol, "_stork_is_refused", False):
            if protocol._proto is not None:
                protocol._proto.dataReceived(data)
            return
        received = protocol._data + data
        if not received.startswith(_RAW_SOCKET):
            try:
                end = end_of_head(received)
                if end is not None:
                    read_head(received[:end])
            except Refused as error:
                _refuse(protocol, error)
                return
            if end is None:
                protocol._data = received
                return
        protocol._data = b""
        ordinary(protocol, received)

    UniSocketServerProtocol.dataReceived = receive


def _refuse(protocol: Any, error: Refused) -> None:
    protocol._stork_is_refused, protocol._data = True, b""
    refusals.count(error.refusal.reason)
    protocol.transport.write(refusal_bytes(error.refusal))
    protocol.transport.loseConnection()
