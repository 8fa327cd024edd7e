"""Who waits for the answer to a command, and when it is answered: once all nodes have obeyed, or its time is over."""

from dataclasses import dataclass

from stork_node.engines.interface import Engine
from stork_node.protocol.answers import encode_obeyed, encode_refused, encode_stored
from stork_node.protocol.positions import Position
from stork_node.publish_server.intake import Awaited

KEPT_S = 310.0
"""A repeated id is answered alike for so long: a little longer than its id is known."""
MOST_KEPT = 10_000
LOOK_S = 0.25
"""Nodes of an older release, which obey no command, say nothing when they leave: that is looked for so often."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    envelope: list[bytes]
    awaited: Awaited
    epoch: str
    until: float


class CommandAnswers:
    """Times are seconds of a clock that never goes back."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: list[_Waiting] = []
        self._since: dict[int, float] = {}
        self._next_forget = 0.0

    def __len__(self) -> int:
        """How many peers wait."""
        return len(self._waiting)

    def wait(self, envelope: list[bytes], awaited: Awaited, now: float) -> None:
        """``envelope`` is to be answered about a command that has a number."""
        until = now + awaited.timeout_ms / 1000
        self._waiting.append(_Waiting(envelope, awaited, self._engine.tail.epoch, until))

    def due(self, now: float) -> float | None:
        """Seconds until ``settle`` may have something to say; None while nobody waits."""
        return min((min(LOOK_S, max(0.0, each.until - now)) for each in self._waiting), default=None)

    def settle(self, old: int, now: float) -> list[tuple[list[bytes], bytes]]:
        """
        The answers that are due, each with its envelope.

        Args:
            old: how many nodes follow that obey no commands.
        """
        answers, waiting = [], []
        for each in self._waiting:
            answer = self._answer(each, old, now)
            if answer is None:
                waiting.append(each)
            else:
                answers.append((each.envelope, answer))
        self._waiting = waiting
        return answers

    def end(self, old: int) -> list[tuple[list[bytes], bytes]]:
        """Answer all who wait as things are: the server stops."""
        return self.settle(old, float("inf"))

    def forget_old(self, now: float) -> None:
        """Forget the commands of more than five minutes ago."""
        if now < self._next_forget:
            return
        self._next_forget = now + 1.0
        commands = self._engine.state.commands
        self._since = {given.number: self._since.get(given.number, now) for given in commands.given}
        excess = len(self._since) - MOST_KEPT
        for i, (number, since) in enumerate(list(self._since.items())):
            if i < excess or now - since > KEPT_S:
                commands.forget(number)
                del self._since[number]

    def _answer(self, each: _Waiting, old: int, now: float) -> bytes | None:
        tail, awaited = self._engine.tail, each.awaited
        given = self._engine.state.commands.get(awaited.number) if each.epoch == tail.epoch else None
        if given is None:
            again = "push it" if awaited.push else "give the command"
            return encode_refused(awaited.id, "not_confirmed", f"a new epoch of the log has begun: {again} again")
        is_complete = given.is_complete and not old
        if not is_complete and now < each.until:
            return None
        if awaited.push:
            outcomes = given.outcomes(old)
            return encode_stored(awaited.id, awaited.push, duplicate=awaited.is_duplicate, receipt=outcomes)
        return encode_obeyed(awaited.id, Position(tail.epoch, awaited.number), is_complete, given.outcomes(old))
