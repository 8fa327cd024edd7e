"""The stream of a node: where it stands, what it remembers, and what its shell has to do."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

from stork_node.protocol.bus import EraseFrame, Frame, PushFrame, StateFrame
from stork_node.protocol.positions import MAX_SEQUENCE, Position
from stork_node.protocol.replay import Page
from stork_node.relay.counters import RelayCounters
from stork_node.relay.following import Follower
from stork_node.relay.histories import Histories
from stork_node.relay.history_settings import HistoryRule, HistorySettings
from stork_node.relay.steps import Ask, HistoricPush, Step, StreamStart


@dataclass(frozen=True)
class Events:
    """Pushes to deliver, in order."""

    pushes: Sequence[PushFrame]


@dataclass(frozen=True)
class Break:
    """Every connection with a subscription gets no later event, and is closed: the stream goes on elsewhere."""

    before: Position | None
    after: Position


@dataclass(frozen=True)
class State:
    """An entry about nodes, or a command: to be obeyed after all events before it, and before all that follow."""

    frame: StateFrame


Action = Events | Break | State | Ask


_PRESENCE = HistorySettings({}, HistoryRule(300.0, 1 << 20), 16 << 20)


class NodeStream:
    """
    Follower and histories as one: what is delivered can be recovered from then on, and nothing else can be.

    Attributes:
        presence_events: the events about who is online, which are numbers of the log, too.
        presence_floor: says after which number they are known; its owner sets it.
    """

    def __init__(self, settings: HistorySettings) -> None:
        self.counters = RelayCounters()
        self.follower = Follower(settings.longest_s, settings.most_bytes, self.counters)
        self.histories = Histories(settings)
        self.presence_events = Histories(_PRESENCE)
        self.presence_floor: Callable[[], int] = lambda: MAX_SEQUENCE

    @property
    def position(self) -> Position | None:
        """The node's position; None until replay has told where to begin."""
        return self.follower.position

    @property
    def is_ready(self) -> bool:
        """Whether the node has caught up with the tail that the log had when it began."""
        return self.follower.is_ready

    @property
    def goal(self) -> Position:
        """The tail that was met at the beginning; ``:0`` where replay has told nothing yet."""
        return self.follower.goal

    def take(self, frames: Iterable[Frame], now: float) -> list[Action]:
        """Take frames of the bus; returns what to do, in order."""
        before = self.position
        return self._act(self.follower.take(frames, now), before)

    def answer(self, page: Page, now: float) -> list[Action]:
        """
        Take a page.

        Raises:
            InvalidFrame: it does not answer what was asked.
        """
        before = self.position
        return self._act(self.follower.answer(page, now), before)

    def refuse(self, now: float) -> list[Action]:
        """Take the publish server's refusal of the last request."""
        return self._act(self.follower.refuse(now), self.position)

    def tick(self, now: float) -> list[Action]:
        """To be called a few times a second."""
        return self._act(self.follower.tick(now), self.position)

    def _act(self, steps: Iterable[Step], before: Position | None) -> list[Action]:
        actions: list[Action] = []
        pushes: list[PushFrame] = []
        keep = self.histories.keep
        for step in steps:
            if isinstance(step, PushFrame):
                keep(step)
                pushes.append(step)
                continue
            if pushes and isinstance(step, StreamStart | StateFrame | Ask):
                actions.append(Events(pushes))
                pushes = []
            match step:
                case HistoricPush():
                    keep(step.push)
                case EraseFrame():
                    self.histories.erase(step.topic, step.position.sequence)
                case StreamStart():
                    self.histories.begin(step.position.sequence)
                    self.presence_events.begin(step.position.sequence)
                    if step.is_break:
                        actions.append(Break(before, step.position))
                case StateFrame():
                    actions.append(State(step))
                case Ask():
                    actions.append(step)
                case _:
                    assert_never(step)
        if pushes:
            actions.append(Events(pushes))
        return actions
