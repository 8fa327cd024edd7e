"""A bounded number of connections: a new one ends the one that has been silent for longest."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any


class BoundedConnections:
    """
    Args:
        most: the maximum of channels.
        end: ends the connection of a channel.
    """

    def __init__(self, most: int, end: Callable[[Any], None]) -> None:
        self._most, self._end = most, end
        self._members: OrderedDict[Any, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._members)

    def enter(self, channel: Any) -> None:
        self._members[channel] = None
        if len(self._members) > self._most:
            oldest, _ = self._members.popitem(last=False)
            self._end(oldest)

    def ask(self, channel: Any) -> None:
        if channel in self._members:
            self._members.move_to_end(channel)

    def leave(self, channel: Any) -> None:
        self._members.pop(channel, None)
