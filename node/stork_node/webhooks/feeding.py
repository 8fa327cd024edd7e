"""The side of the publish server's loop: it hands entries to the threads of webhooks, and never waits for them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stork_node.engines.interface import Engine
from stork_node.protocol.positions import Position
from stork_node.push_log import BeyondLog, StorageFailed
from stork_node.webhooks.mailbox import Mailbox
from stork_node.webhooks.reading import encode_saved
from stork_node.webhooks.settings import WebhookSettings

if TYPE_CHECKING:
    from stork_node.webhooks.sending import Sender

_PAGE_BYTES = 256 << 10
_TOLD = (b"stork 1 presence ", b"stork 1 absent ", b"stork 1 attached ", b"stork 1 gone ")
_STOP_S = 1.0


class Webhooks:
    """
    All webhooks of a publish server. To be used by the thread of the engine.

    Args:
        folder: that of the log.
    """

    def __init__(self, settings: Sequence[WebhookSettings], engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._senders = [_sender(each, folder) for each in settings]

    def start(self) -> None:
        for sender in self._senders:
            sender.start()

    def close(self) -> None:
        """End the threads, in 2 s at most; what is not told is told after the next start."""
        for sender in self._senders:
            sender.stop()
        for sender in self._senders:
            sender.join(_STOP_S / len(self._senders))

    @property
    def has_work(self) -> bool:
        """Whether ``work`` has something to do now."""
        return any(self._is_behind(sender.mailbox) for sender in self._senders)

    def note(self, before: Position, frames: Iterable[bytes], position: Position) -> None:
        """Take what was published: all entries after ``before``, up to ``position``."""
        current = [each.mailbox for each in self._senders if each.mailbox.position == before and each.mailbox.has_room]
        if current:
            told = [frame for frame in frames if frame.startswith(_TOLD)]
            for mailbox in current:
                mailbox.put(told, position)

    def work(self) -> None:
        """Read one page for each webhook that is behind."""
        for sender in self._senders:
            self._feed(sender.mailbox)

    def figures(self) -> dict[str, float]:
        """What goes with a heartbeat; zeros without webhooks."""
        return {
            "webhooks_waiting": sum(sender.waiting for sender in self._senders),
            "webhooks_oldest_age_s": max((sender.oldest_age_s() for sender in self._senders), default=0.0),
            "webhooks_failures": sum(sender.failures for sender in self._senders),
            "webhooks_resyncs": sum(sender.resyncs for sender in self._senders),
        }

    def _is_behind(self, mailbox: Mailbox) -> bool:
        at, tail = mailbox.position, self._engine.tail
        if at is None:
            return self._engine.state.presence.is_settled
        return at.epoch != tail.epoch or (at.sequence < tail.sequence and mailbox.has_room)

    def _feed(self, mailbox: Mailbox) -> None:
        at, tail = mailbox.position, self._engine.tail
        if at is not None and (at.epoch != tail.epoch or at.sequence > tail.sequence):
            mailbox.lose("epoch")
        elif at is not None and at.sequence < self._engine.floor:
            mailbox.lose("trimmed")
        if mailbox.position is None:
            self._start(mailbox)
        elif at is not None and self._is_behind(mailbox):
            self._read(mailbox, at)

    def _start(self, mailbox: Mailbox) -> None:
        state, tail = self._engine.state, self._engine.tail
        if state.presence.is_settled:
            nodes = {row.incarnation: row.name for row in state.nodes.rows}
            mailbox.start(encode_saved(state.presence, nodes, tail), tail)

    def _read(self, mailbox: Mailbox, after: Position) -> None:
        try:
            page = self._engine.read(after.sequence, _PAGE_BYTES)
        except BeyondLog:
            mailbox.lose("trimmed")
        except StorageFailed:
            return
        else:
            told = [frame for frame in page.frames if frame and frame.startswith(_TOLD)]
            mailbox.put(told, Position(after.epoch, page.last))


def _sender(settings: WebhookSettings, folder: Path) -> "Sender":
    from stork_node.webhooks.sending import Sender  # with it, ssl and an HTTP client: most servers have no webhooks
    from stork_node.webhooks.stored import StoredPosition

    return Sender(settings, StoredPosition(folder, settings.known_as))
