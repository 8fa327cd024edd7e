"""A node's own side: its incarnation, its leases, and its reports about commands."""

import secrets
from collections import deque
from collections.abc import Callable

from stork_node.protocol.commands.entries import NodeAttached, NodeGone, Obeyed, StateFrame
from stork_node.protocol.commands.leases import MOST_REPORTS, FeedNames, Lease, Leased, Report
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import PresenceBatch

_MOST_GOODBYES = 10


def new_incarnation() -> str:
    """A name for one life of a node: 16 random hexadecimal characters."""
    return secrets.token_hex(8)


class Attachment:
    """
    Says what a node has to say: a lease each second, and reports until the log has them.

    An incarnation ends with its ``gone`` entry, and with a break: whoever misses entries cannot know what it has to
    obey. A new incarnation then attaches, and starts with report 1.

    Attributes:
        incarnation: the current one.
        is_attached: whether its entry was met in the log.
    """

    def __init__(
        self,
        name: str,
        version: str,
        new: Callable[[], str] = new_incarnation,
        feeds: Callable[[], FeedNames | None] = lambda: None,
        has_handlers: Callable[[], bool] = lambda: False,
    ) -> None:
        self._has_handlers = has_handlers
        self._name, self._version, self._new, self._feeds = name, version, new, feeds
        self.incarnation = new()
        self._attached: Position | None = None
        self._unmet: deque[Report] = deque()
        self._next_report = 1
        self._leases = 0
        self._goodbyes: list[str] = []

    @property
    def is_attached(self) -> bool:
        return self._attached is not None

    @property
    def has_news(self) -> bool:
        """Whether there are reports that the log does not have yet, as far as is known."""
        return bool(self._unmet)

    def lease(
        self,
        position: Position | None,
        sessions: int,
        presence: PresenceBatch | None = None,
        is_reported: bool | None = None,
    ) -> Lease:
        """What to say now, with what is said of users; each has the next number."""
        self._leases += 1
        at = position or Position("", 0)
        reports = tuple(self._unmet)[:MOST_REPORTS]
        return Lease(
            self.incarnation,
            self._name,
            self._version,
            at.epoch,
            at.sequence,
            sessions,
            reports,
            number=self._leases,
            presence=presence if self.is_attached else None,
            is_reported=is_reported,
            feeds=self._feeds(),
            handlers=self._has_handlers(),
        )

    def goodbyes(self) -> list[Lease]:
        """What to say once for incarnations that have ended themselves."""
        ended, self._goodbyes = self._goodbyes, []
        return [Lease(incarnation, self._name, self._version, leaves=True) for incarnation in ended]

    def farewell(self) -> Lease:
        """What to say when the node stops."""
        return Lease(self.incarnation, self._name, self._version, leaves=True)

    def answered(self, leased: Leased) -> None:
        """Take an answer. A node that was frozen for too long learns here that it is gone."""
        if leased.state == "gone" and leased.incarnation == self.incarnation:
            self._renew()

    def met(self, frame: StateFrame) -> None:
        """Take an entry of the log."""
        match frame.content:
            case NodeAttached(self.incarnation):
                self._attached = frame.position
                self._unmet.clear()
                self._next_report = 1
            case NodeGone(self.incarnation):
                self._renew()
            case Obeyed(self.incarnation, report):
                while self._unmet and self._unmet[0].report <= report:
                    self._unmet.popleft()

    def obeyed(self, at: Position, counts: dict[str, int]) -> None:
        """The command at ``at`` was obeyed. It waits for a report if it was numbered after the node had attached."""
        if self._attached is None or self._attached.epoch != at.epoch or at.sequence <= self._attached.sequence:
            return
        self._unmet.append(Report(self._next_report, at.sequence, counts))
        self._next_report += 1

    def begin_anew(self) -> None:
        """There was a break."""
        self._goodbyes = [*self._goodbyes, self.incarnation][-_MOST_GOODBYES:]
        self._renew()

    def _renew(self) -> None:
        self.incarnation = self._new()
        self._attached = None
        self._unmet.clear()
        self._next_report = 1
