"""Every frame and message of a client is looked at for hazards, before Crossbar and autobahn do."""

from typing import Any

from autobahn.wamp.message import Call, Hello
from crossbar.router.protocol import WampWebSocketServerProtocol

from stork_components.connections import INVALID_PAYLOAD, TOO_BIG, close_transport
from stork_node.hazards import MAX_LEVELS, json_fault, nests_deeper

# Before it has joined, a client has nothing to say but HELLO and AUTHENTICATE.
MAX_HANDSHAKE_BYTES = 64 * 1024


def message_fault(message: Any) -> str | None:
    """What is wrong with what goes on to the application, in a message of any serializer; None where nothing is."""
    if isinstance(message, Hello):
        carried: Any = message.authextra
    elif isinstance(message, Call):
        carried = [message.args, message.kwargs]
    else:
        return None
    return f"more than {MAX_LEVELS} levels" if nests_deeper(carried) else None


def look_first() -> None:
    """Have every WebSocket frame of a client looked at from now on, in this process."""
    receive = WampWebSocketServerProtocol.onMessage

    def look(protocol: Any, payload: bytes, is_binary: bool) -> None:
        if len(payload) > MAX_HANDSHAKE_BYTES and protocol._session._session_id is None:
            close_transport(protocol, TOO_BIG, "too much before the session has joined")
        elif not is_binary and (fault := json_fault(payload)):
            close_transport(protocol, INVALID_PAYLOAD, fault)
        else:
            receive(protocol, payload, is_binary)

    WampWebSocketServerProtocol.onMessage = look
