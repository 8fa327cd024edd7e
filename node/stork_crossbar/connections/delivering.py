"""Deliver a client's message to its session if the gate lets it pass; otherwise close the connection."""

from typing import Any

from autobahn.wamp.exception import InvalidUriError, ProtocolError
from autobahn.wamp.serializer import Serializer
from twisted.logger import Logger

from stork_crossbar.connections.closing import INVALID_PAYLOAD, PROTOCOL_ERROR, TOO_BIG, close_transport
from stork_crossbar.limits import client_limits
from stork_crossbar.limits.insiders import INSIDERS
from stork_node.gate.bounds import TooBig, Unreadable
from stork_node.gate.options import NotExpected, SenderKind

_SIZE_LIMITS = {SenderKind.STRANGER: "handshake_bytes", SenderKind.VISITOR: "message_bytes"}
_log = Logger(namespace="stork_components.guard")


def sender(session: Any) -> SenderKind:
    if session is None or session._session_id is None:
        return SenderKind.STRANGER
    return SenderKind.BACKEND if session._authrole in INSIDERS else SenderKind.VISITOR


def _parse(serializer: str, payload: bytes, session: Any) -> Any:
    raw = client_limits.gate().read(payload, serializer, sender(session))
    return Serializer.MESSAGE_TYPE_MAP[raw[0]].parse(raw)


def deliver(protocol: Any, serializer: str, payload: bytes) -> None:
    """Deliver a message to the session, or close its connection."""
    session = protocol._session
    if session is None:
        return
    try:
        session.onMessage(_parse(serializer, payload, session))
    except TooBig as error:
        refuse_size(protocol, error.reason)
    except NotExpected as error:
        refuse(protocol, PROTOCOL_ERROR, "protocol", error.reason)
    except Unreadable as error:
        refuse(protocol, INVALID_PAYLOAD, "unreadable", error.reason)
    except (ProtocolError, InvalidUriError) as error:
        refuse(protocol, PROTOCOL_ERROR, "protocol", str(error))
    except Exception:
        _log.failure("a message of {address} could not be handled", address=protocol.peer)
        refuse(protocol, PROTOCOL_ERROR, "protocol", "the message could not be handled")


def refuse_size(protocol: Any, reason: str) -> None:
    """A message of this connection is larger than its sender may send."""
    limit = _SIZE_LIMITS.get(sender(protocol._session))
    if limit is not None:
        client_limits.note(limit, f"a message of {protocol.peer}")
    refuse(protocol, TOO_BIG, "too_big", reason, is_logged=limit is None)


def refuse(protocol: Any, code: int, case: str, reason: str, *, is_logged: bool = True) -> None:
    client_limits.bounds().messages_refused[case] += 1
    if is_logged:
        _log.info("a message of {peer} is refused: {reason}", peer=protocol.peer, reason=reason)
    # A close frame has room for 123 bytes of reason.
    if not close_transport(protocol, code, reason.encode()[:120].decode(errors="ignore")):
        protocol.abort()
