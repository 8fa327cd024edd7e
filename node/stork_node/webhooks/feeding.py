"""The side of the publish server's loop: it hands entries to the threads of webhooks, and never waits for them."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from stork_node.engines.interface import Engine
from stork_node.protocol.positions import Position, new_run
from stork_node.push_log import BeyondLog, StorageFailed
from stork_node.webhooks.forms import Form
from stork_node.webhooks.holding import Ended, Holding, SharedPosition
from stork_node.webhooks.mailbox import Mailbox
from stork_node.webhooks.reading import encode_saved
from stork_node.webhooks.sending import Sender
from stork_node.webhooks.stored import StoredPosition

_PAGE_BYTES = 256 << 10
_STOP_S = 1.0


class HandlerConsumer(Protocol):
    """``consumers.telling.Handlers``."""

    holding: Holding
    ended: Ended

    @property
    def may_hold(self) -> bool: ...

    def work(self, now: float) -> None: ...


class Webhooks:
    """
    All webhooks of a publish server. To be used by the thread of the engine.

    Args:
        folder: that of the log; where several servers share an engine, positions are kept there instead.
        handlers: those of the application, which are told, too.
    """

    def __init__(
        self, settings: Sequence[Form], engine: Engine, folder: Path, handlers: HandlerConsumer | None = None
    ) -> None:
        self._engine = engine
        self._own: list[Sender] = []
        self._held: list[Holding] = []
        self._handlers = handlers
        self._ended = Ended()
        self._is_away = False
        holder = new_run()
        for each in settings:
            if engine.consumers:
                opened = partial(self._open, each)
                self._held.append(Holding(f"webhook {each.known_as}", engine.consumers, holder, opened, self._ended))
            else:
                self._own.append(Sender(each, StoredPosition(folder, each.known_as)))

    def start(self) -> None:
        for sender in self._own:
            sender.start()

    def close(self) -> None:
        """End the threads, in 2 s at most; what is not told is told after the next start, or by another server."""
        for sender in self._senders:
            sender.stop()
        for sender in self._own:
            sender.join(_STOP_S / len(self._own))
        for holding in self._held:
            holding.close(_STOP_S / len(self._held))
        if self._handlers:
            self._handlers.holding.close(_STOP_S / 2)

    @property
    def _senders(self) -> list[Sender]:
        return self._told_by_http + ([sender] if (sender := self._of_handlers) else [])

    @property
    def _told_by_http(self) -> list[Sender]:
        return self._own + [holding.sender for holding in self._held if holding.sender]

    @property
    def _of_handlers(self) -> Sender | None:
        return self._handlers.holding.sender if self._handlers else None

    @staticmethod
    def _open(settings: Form, shared: SharedPosition, may_send: Callable[[], bool]) -> Sender:
        return Sender(settings, shared, may_send)

    @property
    def has_work(self) -> bool:
        """Whether ``work`` has something to do now."""
        return not self._is_away and any(self._is_behind(sender.mailbox) for sender in self._senders)

    def note(self, before: Position, frames: Sequence[bytes], position: Position) -> None:
        """Take what was published: all entries after ``before``, up to ``position``."""
        for sender in self._senders:
            if sender.mailbox.position == before and sender.mailbox.has_room:
                sender.mailbox.put(list(filter(sender.is_wanted, frames)), position)

    def work(self, now: float, awake: float) -> None:
        """
        Read one page for each webhook that is behind; to be called in each turn.

        Args:
            now: seconds of a clock that never goes back.
            awake: the same, without the time in which this process was stopped.
        """
        for holding in self._held:
            holding.work(now, awake, self._engine.is_current(now))
        if self._handlers:
            self._handlers.holding.work(now, awake, self._engine.is_current(now), self._handlers.may_hold)
            self._handlers.work(now)
        self._is_away = False
        for sender in self._senders:
            self._feed(sender)

    def figures(self) -> dict[str, float]:
        """What goes with a heartbeat; zeros without webhooks."""
        handlers = [sender] if (sender := self._of_handlers) else []
        found = _figures("webhooks", self._told_by_http, self._ended)
        return found | _figures("handlers", handlers, self._handlers.ended if self._handlers else Ended())

    def _is_behind(self, mailbox: Mailbox) -> bool:
        at, tail = mailbox.position, self._engine.tail
        if at is None:
            return self._engine.state.presence.is_settled
        return at.epoch != tail.epoch or (at.sequence < tail.sequence and mailbox.has_room)

    def _feed(self, sender: Sender) -> None:
        mailbox = sender.mailbox
        at, tail = mailbox.position, self._engine.tail
        if at is not None and (at.epoch != tail.epoch or at.sequence > tail.sequence):
            mailbox.lose("epoch")
        elif at is not None and at.sequence < self._engine.floor:
            mailbox.lose("trimmed")
        if mailbox.position is None:
            self._start(mailbox)
        elif at is not None and self._is_behind(mailbox):
            self._read(sender, at)

    def _start(self, mailbox: Mailbox) -> None:
        state, tail = self._engine.state, self._engine.tail
        if state.presence.is_settled:
            nodes = {row.incarnation: row.name for row in state.nodes.rows}
            mailbox.start(encode_saved(state.presence, nodes, tail), tail)

    def _read(self, sender: Sender, after: Position) -> None:
        mailbox = sender.mailbox
        try:
            page = self._engine.read(after.sequence, _PAGE_BYTES)
        except BeyondLog:
            mailbox.lose("trimmed")
        except StorageFailed:
            self._is_away = True  # it is tried again in the next turn
        else:
            told = [frame for frame in page.frames if frame and sender.is_wanted(frame)]
            mailbox.put(told, Position(after.epoch, page.last))


def _figures(what: str, senders: Sequence[Sender], ended: Ended) -> dict[str, float]:
    figures = {
        "waiting": sum(sender.waiting for sender in senders),
        "oldest_age_s": max((sender.oldest_age_s() for sender in senders), default=0.0),
        "failures": ended.failures + sum(sender.failures for sender in senders),
        "resyncs": ended.resyncs + sum(sender.resyncs for sender in senders),
    }
    return {f"{what}_{name}": figure for name, figure in figures.items()}
