"""
Close a client's connection, with a WebSocket code and without GOODBYE: private names of Crossbar and autobahn.

autobahn-js takes ABORT and GOODBYE as final. After any other end of the connection it reconnects.
"""

from typing import Any

from stork_node.protocol.close_codes import BREAK as BREAK
from stork_node.protocol.close_codes import RESTARTING as RESTARTING
from stork_node.protocol.close_codes import SESSION_IS_OVER as SESSION_IS_OVER
from stork_node.protocol.close_codes import TRY_AGAIN_LATER as TRY_AGAIN_LATER

NORMAL = 1000
PROTOCOL_ERROR = 1002
INVALID_PAYLOAD = 1007
TOO_BIG = 1009


def close(component: Any, session_id: int, code: int, reason: str) -> bool:
    """
    Close the connection of one session of the router that ``component`` is embedded in.

    Args:
        code: a WebSocket close code (1012, 1013, 4000 to 4999).
        reason: text for the client, at most 123 bytes of UTF-8.

    Returns:
        False if the session is gone, or its transport has no close codes (RawSocket, embedded).
    """
    router = component._transport._router
    session = router._session_id_to_session.get(session_id)
    return close_transport(getattr(session, "_transport", None), code, reason)


def close_transport(transport: Any, code: int, reason: str) -> bool:
    """Close the connection of a session that has not joined yet, by its transport."""
    send_close = getattr(transport, "sendCloseFrame", None)
    if send_close is None:
        return False
    send_close(code=code, reasonUtf8=reason.encode())
    return True


def say_goodbye(session: Any, reason: str, message: str) -> None:
    """
    End a session with GOODBYE, which is final for its client; the connection is closed after it.

    Args:
        reason: a URI.
        message: text for the client. The client of another protocol gets nothing else.
    """
    if hasattr(session, "end_for_good"):
        session.end_for_good(message)
        return
    is_over = session._transport is None or session._session_id is None or session._goodbye_sent
    if not is_over:
        session.has_left = True
        session.leave(reason, message)


def close_session(session: Any, code: int, reason: str) -> None:
    """
    Close the connection of a session that has joined. A RawSocket has no codes, and is just closed. The client of
    another protocol has other codes; it comes back as well.
    """
    if hasattr(session, "come_again"):
        session.come_again(code, reason)
        return
    transport = session._transport
    if transport is not None and not close_transport(transport, code, reason):
        transport.close()
