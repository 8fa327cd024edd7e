"""The WebSocket close codes of a node, and their meanings for a client."""

RESTARTING = 1012
TRY_AGAIN_LATER = 1013
SESSION_IS_OVER = 4001
BREAK = 4010
PROTOCOL_ERROR = 1002
INVALID_DATA = 1007
TOO_LARGE = 1009

REASONS = {
    RESTARTING: "draining",
    TRY_AGAIN_LATER: "unavailable",
    SESSION_IS_OVER: "session_over",
    BREAK: "break",
    PROTOCOL_ERROR: "refused",
    INVALID_DATA: "refused",
    TOO_LARGE: "refused",
}
"""Any other code means that the connection was ``lost``."""

FINAL = frozenset((PROTOCOL_ERROR, INVALID_DATA, TOO_LARGE))
"""After these, a client would be refused again for what it sends. After any other code it comes back by itself."""
