"""What webhooks tell of the log's entries, and their settings."""

import json

import pytest
from msgspec import Raw

from stork_node.cli.publish_server import parse_arguments
from stork_node.config import configuration
from stork_node.errors import ConfigError
from stork_node.presence.table import PresenceTable
from stork_node.protocol.commands.entries import NodeAttached, NodeGone, StateFrame
from stork_node.protocol.positions import Position
from stork_node.protocol.presence.entries import AbsencesOver, PresenceChanges, TopicChanges
from stork_node.webhooks.mailbox import MOST_BYTES, Entries, Mailbox, Start
from stork_node.webhooks.reading import MOST_USERS, EventReader, decode_saved, encode_saved
from stork_node.webhooks.settings import EVENTS, WebhookSettings, read_webhooks
from stork_node.webhooks.stored import StoredPosition

ROOM = "v1.room.7"
SECRET = "a secret of twenty characters"


class Told:
    """Entries, and the names of the events that they bring."""

    def __init__(self, *wanted: str) -> None:
        self.reader, self.number = EventReader(wanted or EVENTS), 0

    def events(self, content) -> list[dict]:
        self.number += 1
        frame = StateFrame(Position("e", self.number), "r", content)
        return [json.loads(each) for each in self.reader.take(frame)]

    def names(self, content) -> list[str]:
        return [f"{each['event']} {each.get('authid', '')}".strip() for each in self.events(content)]

    def on(self, *users: str, node: str = "n1", info=None) -> list[str]:
        return self.names(PresenceChanges(node, 1, (TopicChanges(ROOM, on=users, info=info or {}),), 1_000))

    def left(self, *users: str, node: str = "n1") -> list[str]:
        return self.names(PresenceChanges(node, 1, (TopicChanges(ROOM, left=users),), 2_000))


def test_a_user_on_two_nodes_comes_once_and_goes_once():
    told = Told()
    assert told.on("ann") == ["occupied", "online ann"]
    assert told.on("ann", node="n2") == []
    assert told.left("ann") == []
    assert told.left("ann", node="n2") == ["offline ann", "vacated"]


def test_new_info_is_told_as_online():
    told = Told()
    told.on("ann")
    assert told.on("ann", info={"ann": Raw(b'{"name":"Ann"}')}) == ["online ann"]


def test_who_comes_and_goes_in_one_entry_is_told_in_order():
    told = Told()
    both = PresenceChanges("n1", 1, (TopicChanges(ROOM, on=("ann",), left=("ann",)),), 1_000)
    assert told.names(both) == ["occupied", "offline ann", "vacated"]


def test_users_of_a_node_that_is_gone_go_when_their_absence_is_over():
    told = Told()
    assert told.names(NodeAttached("n1", "node-1", "4")) == []
    told.on("ann")
    [gone] = told.events(NodeGone("n1", "silent"))
    assert (gone["event"], gone["node"], gone["why"], gone["position"]) == ("node_gone", "node-1", "silent", "e:3")
    assert told.names(AbsencesOver(((ROOM, "ann", 3),), 3_000)) == ["offline ann", "vacated"]


def test_events_have_their_facts():
    told = Told("online")
    [event] = told.events(PresenceChanges("n1", 1, (TopicChanges(ROOM, on=("ann",)),), 1_700_000_000_000))
    assert event == {
        "event": "online",
        "position": "e:1",
        "at": "2023-11-14T22:13:20.000Z",
        "topic": ROOM,
        "authid": "ann",
        "info": None,
        "since": "2023-11-14T22:13:20.000Z",
    }


@pytest.mark.parametrize("count", [0, 1, MOST_USERS, MOST_USERS + 1, 3 * MOST_USERS])
def test_a_resync_has_everybody_once_in_parts(count):
    told = Told()
    users = [f"u{n}" for n in range(count)]
    told.on(*users)
    parts = [json.loads(part) for part in told.reader.resync(Position("e", 9), "trimmed")]
    assert [part["part"] for part in parts] == list(range(len(parts)))
    assert [part["last"] for part in parts] == [False] * (len(parts) - 1) + [True]
    assert [each["authid"] for part in parts for each in part["topics"].get(ROOM, [])] == users
    assert {part["position"] for part in parts} == {"e:9"}


def test_a_saved_table_goes_on_where_it_was():
    told = Told()
    told.names(NodeAttached("n1", "node-1", "4"))
    told.on("ann", "bob")
    saved = decode_saved(encode_saved(told.reader.table, told.reader.nodes, Position("e", 2)))
    again = Told()
    again.reader.load(saved)
    assert again.left("ann") == ["offline ann"]
    assert again.events(NodeGone("n1"))[0]["node"] == "node-1"


def test_a_table_that_cannot_be_read_is_none():
    assert decode_saved(b"{") is None


def test_the_later_of_both_files_counts(tmp_path):
    stored = StoredPosition(tmp_path, "a")
    assert stored.load() == (None, None)
    stored.save_table(encode_saved(PresenceTable(), {}, Position("e", 5)))
    assert stored.load()[1] == Position("e", 5)
    stored.save_told(Position("e", 4))
    assert stored.load()[1] == Position("e", 5)
    stored.save_told(Position("e", 6))
    assert stored.load()[1] == Position("e", 6)
    assert StoredPosition(tmp_path, "b").load() == (None, None)


def test_a_disk_that_fails_is_a_line_of_the_log(tmp_path, caplog):
    StoredPosition(tmp_path / "none", "a").save_told(Position("e", 4))
    assert caplog.messages == ["webhook a: its position cannot be stored: No such file or directory"]


def test_a_mailbox_is_bounded_and_keeps_the_order():
    mailbox = Mailbox(Position("e", 0), "")
    mailbox.put([], Position("e", 1))
    mailbox.put([], Position("e", 2))
    mailbox.put([b"x" * MOST_BYTES], Position("e", 3))
    assert (mailbox.has_room, mailbox.frames) == (False, 1)
    mailbox.lose("trimmed")
    mailbox.start(b"table", Position("e", 9))
    assert mailbox.take(0) == Entries([], Position("e", 2))
    assert isinstance(mailbox.take(0), Entries)
    assert mailbox.has_room
    assert mailbox.take(0) == Start(b"table", "trimmed")
    assert mailbox.take(0) is None
    mailbox.put([], Position("e", 10))
    mailbox.close()
    assert mailbox.take(60) is None


def write(folder, webhooks) -> str:
    guest = {"type": "guest", "arguments": ["publish-server"], "webhooks": webhooks}
    file = folder / "config.json"
    file.write_text(json.dumps({"workers": [{"type": "container"}, guest]}))
    return str(file)


def test_the_webhooks_of_config_json_are_read(tmp_path):
    file = write(tmp_path, [{"url": "${HOOK}", "secret": "${SECRET}", "events": ["online"]}, {"url": "${NONE:-}"}])
    found = read_webhooks(file, {"HOOK": "https://a.example/x", "SECRET": SECRET})
    assert found == (WebhookSettings("https://a.example/x", SECRET, ("online",)),)
    assert SECRET not in repr(found)


def test_webhooks_may_have_a_file_of_their_own(tmp_path):
    file = tmp_path / "hooks.json"
    file.write_text(json.dumps({"webhooks": [{"url": "http://a.example", "secret": SECRET}]}))
    assert [each.events for each in read_webhooks(str(file), {})] == [EVENTS]


GOOD = {"url": "https://a.example/x", "secret": SECRET}


@pytest.mark.parametrize(
    ("webhooks", "problem"),
    [
        ({}, "workers[1].webhooks: {} is not a list (want […])"),
        ([7], "workers[1].webhooks[0]: 7 is not a group of settings (want {…})"),
        ([{}], "workers[1].webhooks[0].url: is missing (want https://www.example.com/path)"),
        (
            [GOOD | {"url": "ftp://a"}],
            "workers[1].webhooks[0].url: 'ftp://a' is not an address (want https://www.example.com/path)",
        ),
        ([GOOD | {"secret": "short"}], "workers[1].webhooks[0].secret: is too short (want 20 characters, or more)"),
        (
            [GOOD, GOOD | {"name": "b", "events": ["join"]}],
            "workers[1].webhooks[1].events: 'join' is not an event of webhooks "
            "(want some of online, offline, occupied, vacated, node_gone, resync)",
        ),
        ([GOOD | {"pushes": ["v1.a.7"]}], "workers[1].webhooks[0].pushes: 'v1.a.7' is not a feed (want v1.orders)"),
        ([GOOD | {"pushes": ["orders"]}], "workers[1].webhooks[0].pushes: 'orders' is not a feed (want v1.orders)"),
        ([GOOD, GOOD], "workers[1].webhooks: 'https://a.example/x' is there twice (want another name)"),
        (
            [GOOD | {"timeout_s": 90}],
            "workers[1].webhooks[0].timeout_s: 90 is not a time to wait for an answer (want 0.1 to 60)",
        ),
        ([GOOD | {"urls": 1}], "workers[1].webhooks[0].urls: unknown setting, did you mean 'url'?"),
        (
            [GOOD | {"secret": "${NOT_SET}"}],
            "workers[1].webhooks[0].secret: the environment variable NOT_SET is not set "
            "(and there is no ${NOT_SET:-default})",
        ),
        ([GOOD | {"name": f"{n}"} for n in range(9)], "workers[1].webhooks: has 9 entries (want at most 8)"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(tmp_path, webhooks, problem):
    file = write(tmp_path, webhooks)
    with pytest.raises(ConfigError) as refused:
        read_webhooks(file, {})
    assert str(refused.value) == f"{file}: {problem}"


@pytest.mark.parametrize(
    ("content", "text"), [("{", "is not JSON"), (None, "cannot be read: No such file or directory")]
)
def test_a_file_that_cannot_be_read(tmp_path, content, text):
    file = tmp_path / "hooks.json"
    if content:
        file.write_text(content)
    with pytest.raises(ConfigError, match=text):
        read_webhooks(str(file), {})


def test_the_publish_server_is_told_where_its_webhooks_are(tmp_path):
    file = write(tmp_path, [GOOD | {"secret": "${HOOK_SECRET}"}])
    config = configuration.load(tmp_path, {})
    assert config.publish_server == ("publish-server", "--webhooks", file)
    assert "${HOOK_SECRET}" in config.webhooks
    assert parse_arguments(config.publish_server[1:], {"HOOK_SECRET": SECRET}).webhooks == file


def test_webhooks_go_with_an_engine(tmp_path):
    file = write(tmp_path, [GOOD])
    read = parse_arguments(["--webhooks", file, "--engine", "redis://127.0.0.1:6379"], {})
    assert (read.webhooks, read.engine) == (file, "redis://127.0.0.1:6379")
