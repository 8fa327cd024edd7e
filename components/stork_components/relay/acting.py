"""Does what the node's stream has decided: delivers, obeys, closes, and asks for what is missing."""

from collections.abc import Callable, Sequence
from typing import assert_never

from twisted.logger import Logger

from stork_components.broadcaster import Broadcaster
from stork_components.commands.attending import Attending
from stork_components.commands.obeying import Obeying
from stork_components.relay.waiters import Waiters
from stork_crossbar.connections.closing import BREAK
from stork_node import clock
from stork_node.nodes.session_marks import SessionMarks
from stork_node.protocol import bus
from stork_node.protocol.bus import PushFrame, StateFrame
from stork_node.protocol.commands.documents import RECEIPT, Command
from stork_node.relay.steps import Ask
from stork_node.relay.stream import Action, Break, Events, NodeStream, State
from stork_node.why.recent import RecentEvents


class Acting:
    """
    Args:
        stream: what decides; its position is the node's.
        ask: sends a request for a page.
        waiters: calls that wait until the node has come to a position.
    """

    log = Logger()

    def __init__(
        self,
        stream: NodeStream,
        broadcaster: Broadcaster,
        attending: Attending,
        marks: SessionMarks,
        recent: RecentEvents,
        waiters: Waiters,
        ask: Callable[[Ask], None],
    ) -> None:
        self._stream, self._broadcaster, self._attending = stream, broadcaster, attending
        self._marks, self._recent, self._waiters, self._ask = marks, recent, waiters, ask
        self._obeying = Obeying(broadcaster, marks)

    def act(self, actions: Sequence[Action]) -> None:
        """Do all of it, in order; then the node is at the stream's position."""
        for action in actions:
            match action:
                case Events():
                    self._deliver(action.pushes)
                case Break():
                    self._break(action)
                case State():
                    self._take(action.frame)
                case Ask():
                    self._ask(action)
                case _:
                    assert_never(action)
        here = self._stream.position
        self._marks.obeyed = here
        if here and here.epoch != self._recent.epoch:
            self._recent.begin(here.epoch, here.sequence)
        self._waiters.look(here)

    def lose_clients(self) -> None:
        """Commands may have been missed: all clients have to come back."""
        self._obeying.lose(BREAK, "commands were missed")

    def _deliver(self, pushes: Sequence[PushFrame]) -> None:
        self._broadcaster.deliver(pushes)
        last = pushes[-1]
        self._recent.delivered(last.position.epoch, pushes[0].position.sequence, last.position.sequence)
        arrived = bus.stamped_at(last.event)
        if arrived is not None:
            self._stream.counters.delivery_seconds.observe(max(0.0, clock.wall() - arrived))

    def _break(self, lost: Break) -> None:
        self.log.warn(
            "a break: pushes between {before} and {after} are lost to this node; every subscriber is cut",
            before=lost.before,
            after=lost.after,
        )
        self._broadcaster.close_subscribers(BREAK, "pushes were missed")
        if self._attending.is_understood:
            self.lose_clients()
        self._attending.begin_anew()

    def _take(self, frame: StateFrame) -> None:
        """An entry that is no push."""
        self._attending.met(frame)
        if not isinstance(frame.content, Command):
            return
        if frame.content.kind == RECEIPT:
            counts = self._broadcaster.receipts.take(frame.position.sequence - 1)
        else:
            counts = self._obey(frame.content, frame)
        self._attending.obeyed(frame.position, counts)

    def _obey(self, command: Command, frame: StateFrame) -> dict[str, int]:
        counts = self._obeying.obey(command, frame.position)
        self._stream.counters.commands += 1
        log = self.log.info if any(counts.values()) else self.log.debug
        log(
            "obeyed {command} at {position}: {counts}",
            command=command.kind,
            position=frame.position,
            counts=", ".join(f"{number} {name}" for name, number in counts.items()),
        )
        return counts
