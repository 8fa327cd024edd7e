"""A publish server that sends anything: the relay's core refuses or follows it, stays small, and comes back."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stork_node.errors import InvalidFrame
from stork_node.protocol.bus import decode_frame
from stork_node.protocol.replay import ReplayRefused, ReplayRequest, decode_answer
from stork_node.relay.history_settings import HistoryRule, HistorySettings
from stork_node.relay.steps import Ask
from stork_node.relay.stream import Break, Events, NodeStream
from tests import lies
from tests.unit.relay_model import Log

PLACE = lies.Place("epoch1", "run1", 12)
HISTORY = HistorySettings({}, HistoryRule(seconds=300.0, bytes=100_000), total_bytes=1_000_000)
UNREADABLE = dict(lies.unreadable(PLACE))
MISLEADING = dict(lies.misleading(PLACE))
ANSWERS = dict(lies.unbelievable(PLACE)) | dict(lies.harmful(PLACE))
LIES = list(UNREADABLE.values()) + [message for messages in MISLEADING.values() for message in messages]


class Shell:
    """What the relay's component does, without sockets; the time is the model's."""

    def __init__(self) -> None:
        self.stream, self.now, self.refused, self.breaks = NodeStream(HISTORY), 0.0, 0, 0
        self.request: ReplayRequest | None = None
        self.delivered: list[str] = []

    def hear(self, message: list[bytes]) -> None:
        try:
            if len(message) != 1:
                raise InvalidFrame("not one frame")
            frame = decode_frame(message[0])
        except InvalidFrame:
            self.refused += 1
        else:
            self._act(self.stream.take([frame], self.now))

    def answered(self, frames: list[bytes]) -> None:
        try:
            self._act(self.stream.answer(decode_answer(frames), self.now))
        except ReplayRefused:
            self.refused += 1
            self._act(self.stream.refuse(self.now))
        except InvalidFrame:
            self.refused += 1

    def answer(self, lie: lies.Answer) -> None:
        if self.request:
            request, self.request = self.request, None
            self.answered(lie(request))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self._act(self.stream.tick(self.now))
        self.stream.histories.sweep(self.now)

    def _act(self, actions: list[Any]) -> None:
        for action in actions:
            if isinstance(action, Ask):
                self.request = action.request
            elif isinstance(action, Break):
                self.breaks += 1
            elif isinstance(action, Events):
                self.delivered += [str(push.position) for push in action.pushes]


class HonestServer(Log):
    """One whose log may have any epoch and run: also those that somebody has lied about."""

    def __init__(self, epoch: str, run: str, tail: int) -> None:
        super().__init__()
        self.epoch, self.run, self.truth[epoch] = epoch, run, {}
        for number in range(tail):
            self.push(("v1.a.1",), str(number), True)
        self.began_at = 0

    def check_proof(self, request: ReplayRequest) -> None:
        """A relay that believed a lie has no proof of it."""

    def answer(self, request: ReplayRequest) -> list[bytes]:
        if request.epoch == self.epoch and request.after > self.tail:
            return [b'stork 1 refused {"reason":"a position that this log never gave"}']
        if request.epoch == self.epoch and request.run != self.run and request.after:
            # Of a claim without a proof, this relay alone has a break: its page begins at the tail.
            request = msgspec.structs.replace(request, after=self.tail, run=self.run)
        page = self.page(request)
        return lies.Place(self.epoch, self.run, self.tail).page(
            page.header.after, page.header.last, page.header.tail, *page.frames
        )


def check_size(stream: NodeStream) -> None:
    assert stream.follower._waiting._bytes <= 16 << 20
    assert len(stream.follower._rejected_sources) <= 100
    assert stream.histories.bytes <= HISTORY.total_bytes


def work(shell: Shell, server: HonestServer) -> None:
    """A second with an honest server."""
    shell.pass_time(1.0)
    shell.hear([lies.Place(server.epoch, server.run, server.tail).heartbeat(server.tail)])
    for _ in range(20):
        shell.answer(server.answer)


def follow(shell: Shell, server: HonestServer) -> None:
    """An honest server is there: within a minute the relay comes to its end, and delivers what is pushed then."""
    for _ in range(60):
        work(shell, server)
    here = shell.stream.position
    assert here is not None
    assert (here.epoch, here.sequence, shell.stream.is_ready) == (server.epoch, server.tail, True)
    shell.delivered.clear()
    server.push(("v1.a.1",), "afterwards", True)
    frame = server.entries[server.tail].frame
    assert frame
    shell.hear([frame])
    assert shell.delivered == [f"{server.epoch}:{server.tail}"]


@pytest.fixture(params=["at its beginning", "that follows"])
def shell(request):
    shell = Shell()
    if request.param == "that follows":
        follow(shell, HonestServer("epoch1", "run1", 11))
        assert shell.stream.position.sequence == PLACE.tail
    return shell


@pytest.fixture(params=["the same", "another run", "another epoch"])
def server(request):
    names = {"the same": ("epoch1", "run1"), "another run": ("epoch1", "run2"), "another epoch": ("epoch2", "run1")}
    return HonestServer(*names[request.param], 12)


@pytest.mark.parametrize("message", UNREADABLE.values(), ids=list(UNREADABLE))
def test_what_cannot_be_a_message_of_the_bus_is_refused(message):
    shell = Shell()
    shell.hear(message)
    assert (shell.refused, shell.request, shell.delivered) == (1, None, [])


@pytest.mark.parametrize("messages", MISLEADING.values(), ids=list(MISLEADING))
def test_after_a_lie_on_the_bus_an_honest_server_is_followed(shell, server, messages):
    for _ in range(20):
        for message in messages:
            shell.hear(message)
        shell.pass_time(1.0)
        check_size(shell.stream)
    follow(shell, server)


@pytest.mark.parametrize("lie", ANSWERS.values(), ids=list(ANSWERS))
def test_after_a_lie_of_replay_an_honest_server_is_followed(shell, server, lie):
    shell.hear([PLACE.heartbeat(PLACE.tail + 1)])
    for _ in range(20):
        shell.answer(lie)
        shell.pass_time(1.0)
        check_size(shell.stream)
    follow(shell, server)


@pytest.mark.parametrize("lie", dict(lies.unbelievable(PLACE)).values(), ids=list(dict(lies.unbelievable(PLACE))))
def test_what_cannot_be_an_answer_is_refused_and_changes_nothing(lie):
    shell = Shell()
    follow(shell, HonestServer("epoch1", "run1", 11))
    before, refused = shell.stream.position, shell.refused
    shell.hear([PLACE.heartbeat(PLACE.tail + 1)])
    shell.answer(lie)
    assert (shell.refused, shell.stream.position, shell.breaks) == (refused + 1, before, 0)


def mutate(frame: bytes, place: int, noise: bytes, keep: bool) -> bytes:
    place %= len(frame)
    return frame[:place] + noise + (frame[place + len(noise) :] if keep else b"")


messages = st.one_of(
    st.sampled_from(LIES),
    st.lists(st.binary(max_size=200).map(lambda noise: b"stork " + noise), max_size=3),
    st.builds(
        lambda frame, place, noise, keep: [mutate(frame, place, noise, keep)],
        st.sampled_from([PLACE.push(13), PLACE.erase(13), PLACE.heartbeat(13), PLACE.push(14)]),
        st.integers(0, 2**16),
        st.binary(max_size=8),
        st.booleans(),
    ),
)
numbers = st.one_of(st.integers(0, 20), st.sampled_from([lies.HIGHEST, lies.HIGHEST - 1, 2**53, 2**64]))
answers = st.one_of(
    st.sampled_from(list(ANSWERS.values())),
    st.lists(st.binary(max_size=100), max_size=3).map(lambda frames: lambda _: frames),
    st.builds(
        lambda after, last, tail, epoch, run, frames: (
            lambda _: PLACE.page(after, last, tail, *frames, epoch=epoch, run=run)
        ),
        numbers,
        numbers,
        numbers,
        st.sampled_from(["epoch1", "epoch2", "other", ""]),
        st.sampled_from(["run1", "run2", "other", ""]),
        st.lists(st.sampled_from([PLACE.push(n) for n in range(16)]), max_size=4),
    ),
)
steps = st.one_of(
    messages.map(lambda message: lambda shell: shell.hear(message)),
    answers.map(lambda answer: lambda shell: shell.answer(answer)),
    answers.map(lambda answer: lambda shell: shell.answered(answer(ReplayRequest("epoch1", 12, "run1", 0, 0)))),
    st.floats(0.1, 12.0).map(lambda seconds: lambda shell: shell.pass_time(seconds)),
)


@settings(max_examples=500, deadline=None)
@given(
    st.booleans(), st.lists(steps, max_size=30), st.sampled_from(["epoch1", "epoch2"]), st.sampled_from(["run1", "r"])
)
def test_after_any_lies_an_honest_server_is_followed(follows, steps, epoch, run):
    shell = Shell()
    if follows:
        follow(shell, HonestServer("epoch1", "run1", 11))
    for step in steps:
        step(shell)
        check_size(shell.stream)
    follow(shell, HonestServer(epoch, run, 15))
