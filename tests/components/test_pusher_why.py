"""What a node remembers of its Pusher clients for ``stork why``: one test for each cause."""

from typing import Any

import pytest

from stork_node.process_state import singleton
from stork_node.why.judging import Judgement, judge
from stork_node.why.recent import RecentEvents
from tests.components.router_inside import Inside
from tests.components.test_pusher_sockets import Client, Hub

CHANNEL, TOPIC = "private-chat.42", "pusher.private-chat.42"


class Story:
    """Pushes, and what became of them for one user."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.recent = hub, singleton(RecentEvents)
        self.recent.begin("e", 0)

    def push(self) -> int:
        number = self.recent.sequence + 1
        self.recent.delivered("e", number, number)
        return number

    def judge(self, number: int) -> Judgement:
        sockets = self.hub.table.clients("ann", None, None)
        live = {each._session_id: [(one.uri, one.match) for one in each.subscriptions()] for each in sockets}
        return judge(self.recent.of("ann", live), live, TOPIC, number, None, (), self.recent.refused_joins("ann"))

    def cause(self, number: int) -> str:
        [finding] = self.judge(number).findings
        return finding.cause


def number_of(client: Client) -> Any:
    return client.protocol.socket._session_id


@pytest.fixture
def story():
    inside = Inside()
    yield Story(Hub(inside.reactor))
    inside.close()


@pytest.mark.parametrize("signs_in_first", [True, False])
def test_delivered_while_the_channel_was_subscribed(story, signs_in_first):
    client = story.hub.connect()
    if signs_in_first:
        client.signs_in("ann")
        before = story.push()
        client.joins(CHANNEL)
        assert story.cause(before) == "not_subscribed"
    else:
        client.joins(CHANNEL)
        client.signs_in("ann")
    number = story.push()
    assert story.cause(number) == "delivered"
    client.says("pusher:unsubscribe", data={"channel": CHANNEL})
    after = story.push()
    assert [story.cause(each) for each in (number, after)] == ["delivered", "not_subscribed"]
    client.protocol.connectionLost()
    assert [story.cause(each) for each in (number, after)] == ["delivered", "not_subscribed"]


def test_delivered_to_a_member_of_a_presence_channel_that_left_later(story):
    client = story.hub.connect()
    client.joins(CHANNEL)
    client.joins_as("presence-room.1", "ann")
    number = story.push()
    client.says("pusher:unsubscribe", data={"channel": "presence-room.1"})
    assert story.cause(number) == "delivered"
    offline = story.judge(story.push()).offline
    assert offline is not None
    assert (offline.cause, offline.session) == ("offline", number_of(client))


def test_denied_by_a_wrong_signature(story):
    client = story.hub.connect()
    client.signs_in("ann")
    client.says("pusher:subscribe", data={"channel": CHANNEL, "auth": "key:0"})
    [finding] = story.judge(story.push()).findings
    assert (finding.cause, finding.by, finding.session) == ("denied", "node", number_of(client))
    assert finding.reason == "the signature is not one of this app for this socket and channel"


def test_recovered(story):
    client = story.hub.connect()
    missed = story.push()
    client.signs_in("ann")
    client.protocol.socket.recovered(TOPIC, missed - 1, missed)
    assert story.cause(missed) == "recovered"


def test_a_sign_in_is_refused(story):
    client = story.hub.connect()
    client.signs_in("ann", secret="x")
    found = story.judge(story.push()).offline
    assert found is not None
    assert (found.cause, found.by, found.session) == ("join_refused", "node", number_of(client))
    assert found.reason == "the signature of the sign-in is not one of this app for this socket"


def test_of_clients_without_a_user_nothing_is_remembered(story):
    client = story.hub.connect()
    client.joins(CHANNEL)
    client.says("pusher:unsubscribe", data={"channel": CHANNEL})
    client.protocol.connectionLost()
    assert len(story.recent) == 0
