"""The relay's sockets and a publish server that floods them: real ZMQ, with a reactor whose turns the test makes."""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zmq

from stork_components.relay import publish_server_link
from stork_components.relay.publish_server_link import PublishServerLink
from stork_node.protocol.replay import ReplayRequest
from stork_node.relay.steps import Ask
from stork_node.transport.server_watch import ServerLimits
from tests.components import zmtp
from tests.components.test_relay_sockets import Reactor

ASK = Ask(ReplayRequest("e", 1, "r", 0, 0))
SMALL = ServerLimits(frames=100, unread_bytes=1 << 20, unfinished_bytes=100_000)


def until(reactor: Reactor, fact: Callable[[], bool]) -> None:
    """Turns of the reactor, in which a twentieth of a second passes for it."""
    give_up_at = time.monotonic() + 30
    while not fact():
        assert time.monotonic() < give_up_at
        reactor.advance(0.05)
        for reader in list(reactor.readers):
            reader.doRead()
        time.sleep(0.001)  # for libzmq's thread
        time.sleep(0.005)


def turns(reactor: Reactor, number: int) -> None:
    left = iter(range(number))
    until(reactor, lambda: next(left, None) is None)


class Ends:
    """A link in a reactor, and the sockets of a publish server."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        self.reactor = Reactor()
        self.heard: list[Any] = []
        self.answered: list[Any] = []
        self.leased: list[Any] = []
        self.cuts: list[str] = []
        self.bus, self.replay = context.socket(zmq.XPUB), context.socket(zmq.ROUTER)
        self.bus.linger = self.replay.linger = 0
        self.bus.sndhwm = self.replay.sndhwm = 0
        for each in (self.bus, self.replay):
            each.bind("tcp://127.0.0.1:*")
        bus, replay = (str(each.last_endpoint, "ascii") for each in (self.bus, self.replay))
        self._names = {bus: "bus", replay: "replay"}
        self.link = PublishServerLink(
            self.reactor, [bus], [replay], "", self.heard.append, self.answered.append, self.leased.append, self._cut
        )

    def _cut(self, endpoint: str, why: str) -> None:
        self.cuts.append(f"{self._names[endpoint]}: {why}")

    def subscribed(self) -> bool:
        while self.bus.poll(0):
            if self.bus.recv() == b"\1stork ":
                return True
        return False

    def asked(self) -> list[bytes]:
        """The request that has come, with its envelope."""
        found: list[bytes] = []
        self.until(lambda: bool(self.replay.poll(0)) and found.extend(self.replay.recv_multipart()) is None)
        return found

    def until(self, fact: Callable[[], bool]) -> None:
        until(self.reactor, fact)


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ends]:
    monkeypatch.setattr(publish_server_link, "_BUS_LIMITS", SMALL)
    monkeypatch.setattr(publish_server_link, "_REPLAY_LIMITS", SMALL)
    with zmq.Context() as context:
        ends = Ends(context)
        ends.until(ends.subscribed)
        yield ends
        ends.link.close()
        ends.bus.close()
        ends.replay.close()


def works(ends: Ends) -> None:
    """The bus is heard, and replay is asked and answers."""
    ends.heard.clear()
    ends.answered.clear()

    def is_heard() -> bool:
        ends.bus.send(b"stork afterwards")
        return [b"stork afterwards"] in [message for batch in ends.heard for message in batch]

    ends.until(is_heard)
    ends.link.ask(Ask(ASK.request, anew=True))
    envelope, _ = ends.asked()
    ends.replay.send_multipart([envelope, b"answer"])
    ends.until(lambda: bool(ends.answered))
    assert ends.answered == [[[b"answer"]]]


class Raw:
    """A publish server by hand, for what libzmq does not send."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.listeners = {kind: socket.create_server(("127.0.0.1", 0)) for kind in (b"PUB", b"ROUTER")}
        self.cuts: list[str] = []
        self.got: list[Any] = []
        self.reactor = Reactor()
        bus, replay = (f"tcp://127.0.0.1:{each.getsockname()[1]}" for each in self.listeners.values())
        self.link = PublishServerLink(
            self.reactor,
            [bus],
            [replay],
            "",
            self.got.extend,
            self.got.extend,
            self.got.extend,
            lambda _, why: self.cuts.append(why),
        )

    def close(self) -> None:
        self.link.close()
        for listener in self.listeners.values():
            listener.close()


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Iterator[Raw]:
    monkeypatch.setattr(publish_server_link, "_BUS_LIMITS", SMALL)
    monkeypatch.setattr(publish_server_link, "_REPLAY_LIMITS", SMALL)
    raw = Raw(monkeypatch)
    yield raw
    raw.close()


@pytest.mark.parametrize("kind", [b"PUB", b"ROUTER"])
@pytest.mark.parametrize("size", [0, 1, 10_000])
def test_a_message_without_end_cuts_the_connection_which_is_made_anew(raw: Raw, kind: bytes, size: int) -> None:
    frame = zmtp.frame(bytes(size), more=True)
    with zmtp.accept(raw.listeners[kind], kind) as connection:
        connection.sendall(zmtp.frame(b"stork before"))
        until(raw.reactor, lambda: bool(raw.got))
        turns(raw.reactor, 3)
        connection.sendall(zmtp.frame(b"stork ", more=True) + frame * (200_000 // len(frame)))
        until(raw.reactor, lambda: bool(raw.cuts))
        assert raw.cuts[0].startswith("a message has no end after ")
        assert zmtp.is_ended(connection)
    until(raw.reactor, lambda: raw.link._bus._watch is not None is not raw.link._replay._watch)
    with zmtp.accept(raw.listeners[kind], kind) as connection:
        connection.sendall(zmtp.frame(b"stork afterwards"))
        until(raw.reactor, lambda: raw.got == [[b"stork before"], [b"stork afterwards"]])
    assert len(raw.cuts) == 1


def test_connections_that_come_and_go_do_not_add_up(raw: Raw) -> None:
    for number in range(1, 20):
        with zmtp.accept(raw.listeners[b"PUB"], b"PUB") as connection:
            # Whole messages of 70 KB, and one of as much that is not finished.
            connection.sendall(zmtp.frame(b"stork " + bytes(70_000)))
            connection.sendall(zmtp.frame(b"stork " + bytes(70_000), more=True))
            until(raw.reactor, lambda number=number: len(raw.got) == number)
    assert not raw.cuts


def test_a_message_of_too_many_frames_is_not_taken(ends: Ends) -> None:
    ends.bus.send_multipart([b"stork "] * 101)
    ends.until(lambda: bool(ends.cuts))
    assert ends.cuts == ["bus: a message has more than 100 frames"]
    assert not ends.heard
    works(ends)


def test_what_comes_faster_than_it_is_taken_is_bounded(ends: Ends) -> None:
    for reader in list(ends.reactor.readers):
        ends.reactor.removeReader(reader)  # the reactor is busy
    ends.bus.send_multipart([b"stork " + bytes(100_000)])
    for _ in range(100):
        ends.bus.send_multipart([b"stork " + bytes(100_000)])
    watch = ends.link._bus._watch
    assert watch is not None
    give_up_at = time.monotonic() + 30
    while not (why := watch.check(0.0)):
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
    assert why.endswith(" bytes wait")


def test_messages_of_any_size_that_end_are_taken_for_ever(ends: Ends) -> None:
    for _ in range(20):
        ends.heard.clear()
        for size in (0, 1, 10, 200, 300, 70_000):
            ends.bus.send_multipart([b"stork ", bytes(size)])
        ends.until(lambda: sum(map(len, ends.heard)) == 6)
        turns(ends.reactor, 3)
    assert not ends.cuts


def test_a_server_that_answers_and_does_not_read_is_connected_to_anew() -> None:
    reactor, nobody = Reactor(), ["tcp://127.0.0.1:1"]
    link = PublishServerLink(reactor, nobody, nobody, "", print, print, print, print)
    for _ in range(100):
        link.ask(ASK)
    link.close()
    assert reactor.getDelayedCalls() == []


def test_a_request_while_the_connection_is_cut_goes_nowhere(ends: Ends) -> None:
    ends.link.ask(ASK)
    envelope, _ = ends.asked()
    ends.replay.send_multipart([envelope, *[b""] * 101])
    ends.until(lambda: bool(ends.cuts))
    ends.link.ask(ASK)
    turns(ends.reactor, 30)
    works(ends)


def test_what_a_node_says_has_a_connection_of_its_own(ends: Ends) -> None:
    asked: list[list[bytes]] = []

    def is_asked() -> bool:
        while ends.replay.poll(0):
            asked.append(ends.replay.recv_multipart())
        return len(asked) > 1

    ends.link.ask(Ask(ASK.request, anew=True))
    ends.until(lambda: ends.link.say(b"lease"))
    ends.until(is_asked)
    [said] = [frames for frames in asked if frames[1] == b"lease"]
    ends.replay.send_multipart([said[0], b"leased"])
    ends.until(lambda: bool(ends.leased))
    assert (ends.leased, ends.answered) == ([[[b"leased"]]], [])


def test_without_a_connection_a_node_says_nothing() -> None:
    reactor, nobody = Reactor(), ["tcp://127.0.0.1:1"]
    link = PublishServerLink(reactor, nobody, nobody, "", print, print, print, print)
    assert [link.say(b"lease") for _ in range(3)] == [False] * 3
    link.close()
    assert reactor.getDelayedCalls() == []
