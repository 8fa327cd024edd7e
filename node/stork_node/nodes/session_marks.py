"""
Which commands bind a session: those after it was opened (docs/delivery.md#whom-a-command-binds).

A session has two marks. ``low`` is what its node had obeyed when its ticket was taken. ``high`` is the log's tail in
the answer to the first lease that was sent after its WELCOME. A command up to ``low`` is older than the session. One
above ``high`` is younger. Between them nobody knows.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum, auto

from msgspec import Struct

from stork_node.nodes.binding import names_session
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.positions import Position

_MOST_KEPT = 10_000


class Binding(Enum):
    """What a command does to a session that it names."""

    OLDER = auto()
    """Nothing: it was given before the session was opened."""
    DOUBTFUL = auto()
    """The session is closed, so that the application decides again."""
    BINDS = auto()
    """The command is obeyed."""


class Opening(Struct, frozen=True):
    """
    The moment when a ticket is taken.

    Attributes:
        low: what was obeyed by then; None before there is a position.
        losses: how often the node had missed commands by then.
    """

    low: Position | None
    losses: int


class SessionMarks:
    """
    The marks of all sessions of one node.

    Attributes:
        obeyed: all commands up to here were obeyed; its owner sets it.
    """

    def __init__(self) -> None:
        self.obeyed: Position | None = None
        self._losses = 0
        self._low: dict[int, Position | None] = {}
        self._high: dict[int, Position] = {}
        self._new: set[int] = set()
        self._asked: dict[int, int] = {}
        self._others: set[int] = set()  # that have joined without a ticket
        self._recent: deque[tuple[Position, Command]] = deque(maxlen=_MOST_KEPT)
        self._forgotten: Position | None = None

    def __len__(self) -> int:
        """How many sessions have joined with a ticket."""
        return len(self._low) - len(self._others)

    def open(self) -> Opening:
        """A ticket is taken now."""
        return Opening(self.obeyed, self._losses)

    def joined(self, session_id: int, opening: Opening | None) -> None:
        """A session has got its WELCOME; ``opening`` is None for one whose ticket nobody has taken here."""
        self._low[session_id] = opening.low if opening else None
        self._new.add(session_id)
        if opening is None:
            self._others.add(session_id)

    def left(self, session_id: int) -> None:
        """A session is gone; may be called more than once."""
        self._low.pop(session_id, None)
        self._high.pop(session_id, None)
        self._asked.pop(session_id, None)
        self._new.discard(session_id)
        self._others.discard(session_id)

    def lease_sent(self, number: int) -> None:
        """A lease is on its way."""
        self._asked.update(dict.fromkeys(self._new, number))
        self._new.clear()

    def lease_answered(self, number: int, tail: Position) -> None:
        """The answer to that lease says the log's tail."""
        answered = [session_id for session_id, asked in self._asked.items() if asked <= number]
        for session_id in answered:
            del self._asked[session_id]
            self._high[session_id] = tail

    def binding(self, session_id: int, at: Position) -> Binding:
        """What a command with this position does to a session. A session of an older epoch is older than all of it."""
        low, high = self._low.get(session_id), self._high.get(session_id)
        if low is not None and low.epoch == at.epoch and at.sequence <= low.sequence:
            return Binding.OLDER
        if high is None or (high.epoch == at.epoch and at.sequence <= high.sequence):
            return Binding.DOUBTFUL
        return Binding.BINDS

    def note(self, at: Position, command: Command) -> None:
        """A command is obeyed now: sessions that are being opened are not there yet."""
        if len(self._recent) == _MOST_KEPT:
            self._forgotten = self._recent[0][0]
        self._recent.append((at, command))

    def lose(self) -> None:
        """Commands may have been missed."""
        self._losses += 1
        self._recent.clear()

    def user_missed(self, opening: Opening, authid: str, topic: str) -> bool:
        """
        Whether a command since ``opening`` ends the connections of a user, or may have: somebody who says only now who
        it is was not there to be bound. ``topic`` is the user's own one.
        """
        return self._any_missed(opening, lambda command: _ends_user(command, authid, topic))

    def missed(self, opening: Opening, session_id: int, authid: str, role: str) -> bool:
        """Whether a command since ``opening`` names the session, or may have: it was not there to be bound."""
        return self._any_missed(opening, lambda command: names_session(command, session_id, authid, role))

    def _any_missed(self, opening: Opening, names: Callable[[Command], bool]) -> bool:
        if opening.losses != self._losses or _is_after(self._forgotten, opening.low):
            return True
        for at, command in reversed(self._recent):
            if not _is_after(at, opening.low):
                return False
            if names(command):
                return True
        return False


def _ends_user(command: Command, authid: str, topic: str) -> bool:
    return command.kind in ("disconnect", "refresh") and (command.authid == authid or command.topic == topic)


def _is_after(at: Position | None, low: Position | None) -> bool:
    return at is not None and (low is None or low.epoch != at.epoch or at.sequence > low.sequence)
