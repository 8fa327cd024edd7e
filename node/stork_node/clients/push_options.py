"""The options of a push besides topics, type and data: the same for every ``push``."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypedDict


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
