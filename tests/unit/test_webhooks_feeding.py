"""What the publish server's loop hands to webhooks: all entries once, in order, and no more than there is room for."""

from collections.abc import Iterator

import pytest

from stork_node.engines.embedded import EmbeddedEngine
from stork_node.protocol.bus import StateFrame, decode_frame
from stork_node.protocol.commands.entries import NodeAttached
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import PresenceChanges, PresenceSettled, TopicChanges
from stork_node.push_log import SegmentLog
from stork_node.webhooks import feeding
from stork_node.webhooks.feeding import Webhooks
from stork_node.webhooks.mailbox import MOST_BYTES, Entries, Mailbox, Start
from stork_node.webhooks.settings import WebhookSettings
from tests.unit.push_log_tools import pushes

LARGE = 2_000  # users in one entry: some 16 KiB


class Server:
    """The loop of a publish server, as far as webhooks see it; their threads do not run."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        self.engine, self.batch = engine, 0
        self.webhooks = Webhooks([WebhookSettings("http://127.0.0.1:9/", "s" * 20)], engine, engine._log.folder)
        self.published = engine.tail
        engine.append([NodeAttached("n1", "node-1", "4")])
        self.turn()

    @property
    def mailbox(self) -> Mailbox:
        return self.webhooks._senders[0].mailbox

    def turn(self) -> None:
        while self.published != self.engine.tail:
            followed = self.engine.follow(self.published.sequence)
            self.webhooks.note(self.published, followed.frames, followed.position)
            self.published = followed.position
        self.webhooks.work(0.0, 0.0)

    def say(self, count: int = 1) -> Position:
        self.batch += 1
        users = tuple(f"user-{n}" for n in range(count))
        changes = TopicChanges("v1.room.7", on=users if self.batch % 2 else (), left=() if self.batch % 2 else users)
        [position] = self.engine.append([PresenceChanges("n1", self.batch, (changes,), 0)])
        return position

    def taken(self) -> list[int]:
        """The numbers of the batches that wait."""
        numbers = []
        while isinstance(item := self.mailbox.take(0), Entries):
            for frame in map(decode_frame, item.frames):
                assert isinstance(frame, StateFrame)
                if isinstance(frame.content, PresenceChanges):
                    numbers.append(frame.content.batch)
        return numbers


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    engine = EmbeddedEngine(SegmentLog(tmp_path / "log", segment_bytes=100_000, retention_bytes=100 << 20), 0.0)
    made = Server(engine)
    assert isinstance(made.mailbox.take(0), Start)
    yield made
    engine.close()


def test_entries_come_once_and_pushes_do_not(server):
    for _ in range(3):
        server.engine.append(pushes(5))
        server.say()
        server.turn()
    assert server.taken() == [1, 2, 3]
    assert (server.mailbox.position, server.webhooks.has_work) == (server.engine.tail, False)


def test_what_has_no_room_stays_in_the_log_and_comes_later(server):
    most, got = 0, []
    for _ in range(200):
        server.say(LARGE)
        server.turn()
        most = max(most, server.mailbox._bytes)
    assert MOST_BYTES <= most < MOST_BYTES + feeding._PAGE_BYTES + 100_000
    assert not server.webhooks.has_work
    while server.mailbox.position != server.engine.tail:
        got += server.taken()
        server.turn()
    got += server.taken()
    assert got == list(range(1, 201))


def test_in_a_new_epoch_it_waits_until_the_table_is_settled(server):
    server.say()
    server.turn()
    server.engine.begin_new_epoch()
    server.published = server.engine.tail
    server.turn()
    assert server.taken() == [1]
    assert (server.mailbox.position, server.mailbox.reason, server.webhooks.has_work) == (None, "epoch", False)
    server.engine.append([PresenceSettled(0)])
    server.turn()
    start = server.mailbox.take(0)
    assert isinstance(start, Start)
    assert start.reason == "epoch"
    assert server.mailbox.position == server.engine.tail
