"""The WebSocket close codes that a node sends with a meaning, and what a client takes each for."""

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
"""After each, a client comes back by itself. After every other code, the connection was ``lost``."""
