"""The options of a push besides topics, type and data: the same for every ``push``."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypedDict

from stork_node.protocol.push_limits import rounded_integer

_MOST_SENTENCES = 100
_ROUNDED = "a push holds the integer {number}: JavaScript rounds integers beyond 2^53, so send it as a string"


class PushOptions(TypedDict, total=False):
    """
    Keyword arguments of ``push``.

    Attributes:
        id: idempotency key; a random one if None. An id seen in the last 5 minutes is not delivered again.
        exclude: WAMP session ids that do not get the push.
        store: False for a push that no client needs to recover, such as "is typing".
        receipt: True: the answer waits until each node has written the push, and says how many sessions got it.
        timestamp: RFC 3339, or a datetime with a time zone; the time of arrival if None.
    """

    id: str | None
    exclude: Iterable[int]
    store: bool
    receipt: bool
    timestamp: str | datetime | None


class PushWarnings:
    """
    Tells a publisher's ``warn`` function of pushes that arrive otherwise than meant: each sentence once, and of rounded
    integers one at all. Further sentences than 100 are left out.
    """

    def __init__(self, warn: Callable[[str], None] | None) -> None:
        self._warn = warn
        self._told: set[str] = set()

    def look_at(self, frames: Iterable[bytes]) -> None:
        """Look for integers in pushes that are about to be sent."""
        if self._warn is None or _ROUNDED in self._told:
            return
        for number in filter(None, map(rounded_integer, frames)):
            self._told.add(_ROUNDED)
            self._warn(_ROUNDED.format(number=number))
            return

    def answered(self, warning: str) -> None:
        """Take the warning in an answer; it may be empty."""
        if warning and self._warn is not None and warning not in self._told and len(self._told) < _MOST_SENTENCES:
            self._told.add(warning)
            self._warn(warning)
