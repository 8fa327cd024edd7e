"""
Following: from frames of the bus and pages of replay to each push in order and once, or to a break.

The bus may lose, repeat and delay frames, and may carry frames of other publish servers. The follower believes only
replay about epoch, run and position (docs/delivery.md#relay).
"""

from collections.abc import Iterable, Sequence

from stork_node.errors import InvalidFrame
from stork_node.protocol import bus
from stork_node.protocol.bus import Frame, Heartbeat, OtherFrame
from stork_node.protocol.positions import Position
from stork_node.protocol.replay import Page, PageHeader, ReplayRequest
from stork_node.relay.counters import RelayCounters
from stork_node.relay.steps import Ask, HistoricPush, Step, StreamStart
from stork_node.relay.waiting import Waiting

UNKNOWN_SOURCE_S = 10.0
"""For so long after a frame of another epoch or run, a relay says that there are such."""

_VERIFY_PAUSE_S = 1.0  # between two questions that frames of another epoch or run give rise to
_FIRST_PATIENCE_S, _LAST_PATIENCE_S = 2.0, 10.0
# A page may overtake what the bus still holds of the run before: it is late, and not foreign.
_LATE_S = 5.0
# … and heartbeats on it. Where they stay behind for longer, the relay has believed numbers that were never given.
_BEHIND_S = 10.0
_MOST_REJECTED = 100

_Key = tuple[str, str]  # epoch, run
_Numbered = bus.PushFrame | bus.EraseFrame | bus.StateFrame | OtherFrame


class Follower:
    """
    Follows one epoch. Times are seconds of a clock that never goes back.

    Args:
        keep_s, keep_bytes: how much of the past is of use, where it has to begin anew.
    """

    def __init__(self, keep_s: float, keep_bytes: int, counters: RelayCounters) -> None:
        self._keep_s, self._keep_bytes, self._counters = keep_s, keep_bytes, counters
        self._epoch = self._run = ""
        self._proof = ""  # of ``_last``
        self._last = 0  # the number of the last push that was taken or passed over
        self._catch_up_target = 0  # the log's tail when following began: all pushes up to it are history
        self._asked: ReplayRequest | None = None
        self._asked_at = self._waits_since = 0.0
        self._patience_s = _FIRST_PATIENCE_S
        self._waiting = Waiting()
        self._former: _Key = ("", "")
        self._changed_at = self._verified_at = self._unknown_source_at = float("-inf")
        self._behind_since: float | None = None
        self._source_to_verify: _Key | None = None
        self._rejected_sources: set[_Key] = set()

    @property
    def position(self) -> Position | None:
        """Everything up to here was taken; None until replay has told where to begin."""
        return Position(self._epoch, self._last) if self._epoch else None

    @property
    def goal(self) -> Position:
        """The tail that was met at the beginning; of no epoch before that."""
        return Position(self._epoch, self._catch_up_target)

    @property
    def is_ready(self) -> bool:
        """Whether the tail that was met at the beginning (the start, or the last break) has been reached."""
        return self._epoch != "" and self._last >= self._catch_up_target

    @property
    def waits_since(self) -> float | None:
        """When the page that is waited for was first asked for; None where nothing is missing."""
        return self._waits_since if self._asked else None

    def sees_unknown_source(self, now: float) -> bool:
        """Whether frames of an epoch or run that replay does not confirm have come lately."""
        return now - self._unknown_source_at < UNKNOWN_SOURCE_S

    # -- the bus -------------------------------------------------------------------------------------------------------

    def take(self, frames: Iterable[Frame], now: float) -> list[Step]:
        """Take frames in the order in which the bus brought them."""
        steps: list[Step] = []
        for frame in frames:
            if self._asked is not None:
                self._counters.dropped += self._waiting.add(frame)
            elif frame.run == self._run and frame.position.epoch == self._epoch and self._epoch:
                self._follow(frame, now, steps)
            else:
                self._verify_source(frame, now, steps)
        return self._asking(steps)

    def _asking(self, steps: list[Step]) -> list[Step]:
        """The steps of one call: a request in them is sent now, and what waits has come before."""
        if any(isinstance(step, Ask) for step in steps):
            self._waiting.mark()
        return steps

    def _follow(self, frame: Frame, now: float, steps: list[Step]) -> None:
        sequence = frame.position.sequence
        if sequence >= self._last:
            self._behind_since = None
        if sequence <= self._last:
            if sequence < self._last and isinstance(frame, Heartbeat):
                self._fall_behind(now, steps)
            return
        if isinstance(frame, Heartbeat) or sequence > self._last + 1:
            self._counters.gaps += 1
            self._ask(now, steps)
            self._waiting.add(frame)
            return
        self._last, self._proof = sequence, frame.proof
        self._counters.followed += 1
        if not isinstance(frame, OtherFrame):
            steps.append(frame)

    def _fall_behind(self, now: float, steps: list[Step]) -> None:
        """A heartbeat names a lower number than this relay has seen."""
        if self._behind_since is None:
            self._behind_since = now
        elif now - self._behind_since >= _BEHIND_S:
            self._behind_since = None
            self._ask(now, steps)

    def _verify_source(self, frame: Frame, now: float, steps: list[Step]) -> None:
        key = (frame.position.epoch, frame.run)
        if key == self._former and now - self._changed_at < _LATE_S:
            return
        if key in self._rejected_sources:
            self._unknown_source_at = now
            self._counters.foreign += 1
        if now - self._verified_at < _VERIFY_PAUSE_S:
            return  # what is not foreign comes again: a heartbeat tells of it
        self._source_to_verify, self._verified_at = key, now
        self._ask(now, steps)
        self._waiting.add(frame)

    def _ask(self, now: float, steps: list[Step]) -> None:
        self._asked = ReplayRequest(self._epoch, self._last, self._run, self._keep_s, self._keep_bytes, self._proof)
        self._asked_at = self._waits_since = now
        self._patience_s = _FIRST_PATIENCE_S
        self._counters.requests += 1
        steps.append(Ask(self._asked))

    def tick(self, now: float) -> list[Step]:
        """What is due without a frame: to be called a few times a second."""
        if self._asked is None or now - self._asked_at < self._patience_s:
            return []
        self._asked_at = now
        self._patience_s = min(2 * self._patience_s, _LAST_PATIENCE_S)
        self._counters.requests += 1
        self._counters.unanswered += 1
        return self._asking([Ask(self._asked, anew=True)])

    # -- replay --------------------------------------------------------------------------------------------------------

    def refuse(self, now: float) -> list[Step]:
        """
        Take a refusal of the last request: what this relay has seen was never given, by this server at least.

        It asks for a beginning, then, as a relay does that has seen nothing; the server decides where that is.
        """
        if self._asked is None or self._asked.epoch == "":
            return []
        self._asked = ReplayRequest("", 0, "", self._keep_s, self._keep_bytes)
        self._asked_at = now
        self._counters.requests += 1
        return self._asking([Ask(self._asked)])

    def answer(self, page: Page, now: float) -> list[Step]:
        """
        Take the answer to the last request.

        Raises:
            InvalidFrame: it is no answer to that; the request goes on unanswered, and nothing has changed.
        """
        header, asked = page.header, self._asked
        if asked is None:
            raise InvalidFrame("a page that nobody asked for")
        _check(header, asked)
        frames, is_whole = _decode(page)
        steps: list[Step] = []
        if not self._continues(header, asked):
            self._begin(Position(header.epoch, header.after), header.tail, steps)
        # A tail never goes back, and so was not there where it was higher.
        self._catch_up_target = min(self._catch_up_target, header.tail)
        self._note_run(header, now)
        for frame in frames:
            is_past = isinstance(frame, bus.PushFrame) and frame.position.sequence <= self._catch_up_target
            self._counters.followed += not is_past
            if isinstance(frame, OtherFrame):
                continue
            steps.append(HistoricPush(frame) if isinstance(frame, bus.PushFrame) and is_past else frame)
        self._counters.replayed += len(frames)
        if not is_whole:
            # What cannot be read cannot be delivered, today or later: the only honest thing is to tell everybody.
            self._begin(Position(header.epoch, header.last), header.tail, steps)
        self._last, self._proof = header.last, header.proof
        if header.last < header.tail:
            self._ask(now, steps)
        else:
            self._asked = None
            waiting, false = self._waiting.take((self._epoch, self._run), header.tail)
            self._counters.refused += false
            steps += self.take(waiting, now)
        return self._asking(steps)

    def _continues(self, header: PageHeader, asked: ReplayRequest) -> bool:
        return asked.epoch != "" and (header.epoch, header.after) == (asked.epoch, asked.after)

    def _begin(self, position: Position, met: int, steps: list[Step]) -> None:
        is_break = self._epoch != ""
        self._counters.breaks += is_break
        self._catch_up_target = met
        steps.append(StreamStart(position, is_break))

    def _note_run(self, header: PageHeader, now: float) -> None:
        known, told = (self._epoch, self._run), (header.epoch, header.run)
        if told != known:
            self._former, self._changed_at = known, now
            self._rejected_sources.clear()
            self._epoch, self._run = told
        if self._source_to_verify is not None and self._source_to_verify not in (told, self._former):
            if len(self._rejected_sources) >= _MOST_REJECTED:
                self._rejected_sources.clear()
            self._rejected_sources.add(self._source_to_verify)
        self._source_to_verify = None


def _check(header: PageHeader, asked: ReplayRequest) -> None:
    if not header.after <= header.last <= header.tail:
        raise InvalidFrame(f"a page from {header.after} to {header.last}, of a log that ends at {header.tail}")
    if header.after == header.last < header.tail:
        raise InvalidFrame(f"an empty page after {header.after}, of a log that goes on to {header.tail}")
    if header.epoch == asked.epoch and header.after < asked.after:
        # An older log under the same epoch: its numbers are given a second time.
        raise InvalidFrame(f"a page after {header.after} where {asked.after} was asked for")


def _decode(page: Page) -> tuple[Sequence[_Numbered], bool]:
    """The frames of a page up to the first that cannot be read, and whether those are all."""
    frames: list[_Numbered] = []
    before = page.header.after
    for data in page.frames:
        try:
            frame = bus.decode_frame(data)
        except InvalidFrame:
            return frames, False
        sequence = frame.position.sequence
        if (
            isinstance(frame, Heartbeat)
            or frame.position.epoch != page.header.epoch
            or not before < sequence <= page.header.last
        ):
            raise InvalidFrame(f"a page with a frame that does not belong there: {frame.position} after {before}")
        frames.append(frame)
        before = sequence
    return frames, True
