"""What one client has missed in one topic, page after page, while new pushes come."""

from collections.abc import Collection

from stork_node.protocol.positions import Position
from stork_node.relay.stream import NodeStream


class MissedPushes:
    """
    Args:
        stream: a node's, that has caught up.
        since: the client has all pushes up to here; None if it asks only where the node is.
        ids: those of its sockets. What was not for one of them is not for this client.

    Attributes:
        is_recovered: whether the pages are all that the client has missed. Otherwise there are none.
        at: the client has all pushes up to here, once it has the pages that were read.
    """

    def __init__(self, stream: NodeStream, topic: str, since: Position | None, ids: Collection[int]) -> None:
        here = stream.position
        assert here is not None  # noqa: S101  # it has caught up
        self._stream, self._topic, self._ids = stream, topic, frozenset(ids)
        self.at = here if since is None else since
        self.is_recovered = since is not None and self.is_complete
        if not self.is_recovered:
            self.at = here

    @property
    def is_complete(self) -> bool:
        """Whether the node still has everything after ``at``."""
        here = self._stream.position
        if here is None or here.epoch != self.at.epoch:
            return False
        return self._stream.histories.floor(self._topic) <= self.at.sequence <= here.sequence

    def read(self, max_bytes: int) -> tuple[list[tuple[bytes, str]], bool]:
        """
        Read the next page: at most so many bytes of events, or one event.

        Returns:
            The events with their positions, in order, and whether there are more.
        """
        events: list[tuple[bytes, str]] = []
        here = self._stream.position
        assert here is not None  # noqa: S101  # it is complete
        for kept in self._stream.histories.after(self._topic, self.at.sequence):
            if not self._ids.isdisjoint(kept.exclude):
                continue
            if events and len(kept.event) > max_bytes:
                return events, True
            max_bytes -= len(kept.event)
            self.at = Position(here.epoch, kept.sequence)
            events.append((kept.event, str(self.at)))
        self.at = here
        return events, False
