"""
Refusals and endings: the reason in one word, and whether to try again (docs/architecture.md#refusals-and-endings).

The words are those of stork.js: ``denied``, ``expired``, ``disconnected`` and ``refused`` may be final; the others are
``unavailable``, ``draining``, ``session_over``, ``break``, ``goodbye``, ``lost``, ``silent``, ``garbage``, ``ticket``.
"""

from dataclasses import dataclass

from stork_node.protocol import close_codes

MIN_DELAY_S = 0.5
MAX_DELAY_S = 20.0

# The errors of an application that is down behind stock Crossbar.
_OUTAGES = frozenset(
    {
        "io.virge.stork.unavailable",
        "wamp.error.authorization_failed",
        "wamp.error.canceled",
        "wamp.error.no_such_procedure",
        "wamp.error.runtime_error",
        "wamp.close.system_shutdown",
    }
)


@dataclass(frozen=True)
class Ending:
    """
    The reason why a connection, a try or a subscription has ended.

    Attributes:
        reason: one word, as above.
        again: whether the subscriber comes back by itself.
        uri: of the ABORT, GOODBYE or ERROR, if there was one.
        text: the other side's text.
    """

    reason: str
    again: bool
    uri: str = ""
    text: str = ""


def retry_delay_s(attempt: int, chance: float) -> float:
    """Seconds before try number ``attempt`` (from 0): full jitter between 0.5 s and a ceiling of 1, 2, 4 … 20 s."""
    ceiling = min(MAX_DELAY_S, 2 * MIN_DELAY_S * (1 << min(attempt, 10)))
    return MIN_DELAY_S + chance * (ceiling - MIN_DELAY_S)


def abort_ending(uri: str, text: str = "") -> Ending:
    if uri == "io.virge.stork.denied":
        return Ending("denied", False, uri, text)
    if uri == "io.virge.stork.expired":
        return Ending("expired", True, uri, text)
    return _refusal(uri, text)


def goodbye_ending(uri: str, text: str = "") -> Ending:
    # After other GOODBYEs (a router that shuts down, a kill) the subscriber comes back. The authenticator stops clients
    # that must not.
    if uri == "io.virge.stork.disconnected":
        return Ending("disconnected", False, uri, text)
    return Ending("goodbye", True, uri, text)


def close_ending(code: int, text: str = "") -> Ending:
    return Ending(close_codes.REASONS.get(code, "lost"), code not in close_codes.FINAL, "", text)


def subscription_ending(uri: str, text: str = "") -> Ending:
    if uri == "wamp.error.not_authorized":
        return Ending("denied", False, uri, text)
    return _refusal(uri, text)


def _refusal(uri: str, text: str) -> Ending:
    again = uri in _OUTAGES
    return Ending("unavailable" if again else "refused", again, uri, text)
