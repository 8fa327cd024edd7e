"""The WebSocket close codes of a node, and their meanings for a client."""

RESTARTING = 1012
TRY_AGAIN_LATER = 1013
SESSION_IS_OVER = 4001
BREAK = 4010

REASONS = {
    RESTARTING: "draining",
    TRY_AGAIN_LATER: "unavailable",
    SESSION_IS_OVER: "session_over",
    BREAK: "break",
}
"""After each of these, a client comes back by itself. Any other code means that the connection was ``lost``."""
