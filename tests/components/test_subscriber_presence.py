"""``Subscriber.presence`` on real sockets, against a router that says what a test tells it to."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from stork_node import InvalidTopic, Subscriber
from stork_node.clients.subscribing import presence as module
from stork_node.clients.subscribing import protocol
from stork_node.clients.subscribing.presence import PresenceChange
from tests.components.scripted_wamp import Peer, Router
from tests.components.test_subscriber import Told, run

ROOM = "v1.room.7"
URI = f"io.virge.stork.presence.{ROOM}"
SINCE = "2026-01-01T00:00:00.000Z"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "retry_delay_s", lambda attempt, chance: 0.02)


def user(authid: str) -> dict[str, Any]:
    return {"authid": authid, "info": None, "since": SINCE}


def answer(position: str, *authids: str) -> dict[str, Any]:
    return {"users": [user(authid) for authid in authids], "count": len(authids), "position": position}


def short(change: PresenceChange) -> tuple[list[str], list[str], list[str], str]:
    """Who is there, came and went, and the position."""
    return list(change.users), [each.authid for each in change.online], list(change.offline), change.position


async def asked(peer: Peer, uri: str = "io.virge.stork.online") -> tuple[int, Any]:
    """The next call of a procedure: its request and first argument."""
    while True:
        message = await peer.receive()
        if message[0] == 48 and message[3] == uri:
            return message[1], message[4][0]


async def reply(peer: Peer, result: dict[str, Any], uri: str = "io.virge.stork.online") -> None:
    request, _ = await asked(peer, uri)
    await peer.send([50, request, {}, [result]])


async def change(peer: Peer, position: str, data: Any) -> None:
    event = {"type": "stork.presence", "data": data, "timestamp": SINCE}
    await peer.send([36, 5, 1, {}, [event], {"position": position}])


async def moved(peer: Peer, position: str, online: list[str], offline: list[str]) -> None:
    await change(peer, position, {"online": [user(each) for each in online], "offline": offline})


def watching(test: Callable[[Router, Peer, Told, Subscriber, Any], Coroutine[Any, Any, None]]) -> None:
    """Run a test with a presence whose SUBSCRIBE is admitted under id 5."""

    async def main(router: Router) -> None:
        told = Told()
        async with Subscriber(router.url, ticket=lambda: "secret") as stork:
            presence = stork.presence(ROOM, told)
            peer = await router.join()
            await peer.admit(URI)
            await test(router, peer, told, stork, presence)

    run(main)


def test_a_snapshot_then_the_changes_after_its_position_once() -> None:
    async def test(router: Router, peer: Peer, told: Told, stork: Subscriber, presence: Any) -> None:
        request, topic = await asked(peer)
        assert topic == ROOM
        await moved(peer, "e:4", ["ann"], [])
        await moved(peer, "e:6", ["bob"], [])
        await peer.send([50, request, {}, [answer("e:5", "ann")]])
        assert short(await told.next()) == (["ann"], ["ann"], [], "e:5")
        assert short(await told.next()) == (["ann", "bob"], ["bob"], [], "e:6")
        await moved(peer, "e:7", [], ["ann"])
        assert short(await told.next()) == (["bob"], [], ["ann"], "e:7")
        assert (list(presence.users), presence.count, presence.position) == (["bob"], 1, "e:7")

    watching(test)


async def connect_again(router: Router, peer: Peer) -> Peer:
    await peer.close(1012)
    following = await router.join()
    await following.admit(URI)
    return following


def test_a_gap_that_is_recovered_asks_for_nobody() -> None:
    async def test(router: Router, peer: Peer, told: Told, stork: Subscriber, presence: Any) -> None:
        await reply(peer, answer("e:5", "ann"))
        await told.next()
        await moved(peer, "e:6", ["bob"], [])
        await told.next()
        peer = await connect_again(router, peer)
        data = {"online": [], "offline": ["ann"]}
        missed = {"position": "e:9", "type": "stork.presence", "data": data, "timestamp": SINCE}
        request, positions = await asked(peer, "io.virge.stork.recover")
        assert positions == {URI: "e:6"}
        await peer.send([50, request, {}, [{URI: {"recovered": True, "position": "e:9", "events": [missed]}}]])
        assert short(await told.next()) == (["bob"], [], ["ann"], "e:9")

    watching(test)


def test_after_a_gap_the_difference_is_told() -> None:
    async def test(router: Router, peer: Peer, told: Told, stork: Subscriber, presence: Any) -> None:
        await reply(peer, answer("e:5", "ann", "bob"))
        await told.next()
        await moved(peer, "e:6", ["eve"], [])
        await told.next()
        peer = await connect_again(router, peer)
        await reply(peer, {URI: {"recovered": False, "position": "f:2", "events": []}}, "io.virge.stork.recover")
        await reply(peer, answer("f:2", "bob", "joe"))
        assert short(await told.next()) == (["bob", "joe"], ["joe"], ["ann", "eve"], "f:2")

    watching(test)


def test_an_answer_that_was_lost_with_its_connection_is_asked_for_again() -> None:
    async def test(router: Router, peer: Peer, told: Told, stork: Subscriber, presence: Any) -> None:
        await asked(peer)
        peer = await connect_again(router, peer)
        await reply(peer, answer("e:5", "ann"))
        assert short(await told.next()) == (["ann"], ["ann"], [], "e:5")

    watching(test)


@pytest.mark.parametrize("bad", [{}, {"position": "e:5"}, {"position": "x", "users": [], "count": 0}, 7])
def test_a_node_that_is_not_ready_or_talks_nonsense_is_asked_again(bad: Any) -> None:
    async def test(router: Router, peer: Peer, told: Told, stork: Subscriber, presence: Any) -> None:
        request, _ = await asked(peer)
        await peer.send([8, 48, request, {}, "io.virge.stork.not_ready"])
        await reply(peer, bad)
        await reply(peer, answer("e:5", "ann"))
        assert short(await told.next()) == (["ann"], ["ann"], [], "e:5")

    watching(test)


def test_a_node_that_does_not_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_S", 0.1)

    async def test(router: Router, peer: Peer, told: Told, stork: Subscriber, presence: Any) -> None:
        await asked(peer)
        await reply(peer, answer("e:5", "ann"))
        assert short(await told.next()) == (["ann"], ["ann"], [], "e:5")

    watching(test)


@pytest.mark.parametrize("data", [{"resync": True}, None, {"online": [{"authid": 7}], "offline": []}])
def test_a_change_that_names_nobody_asks_anew(data: Any) -> None:
    async def test(router: Router, peer: Peer, told: Told, stork: Subscriber, presence: Any) -> None:
        await reply(peer, answer("e:5", "ann"))
        await told.next()
        await change(peer, "e:6", data)
        await reply(peer, answer("e:6", "bob"))
        assert short(await told.next()) == (["bob"], ["bob"], ["ann"], "e:6")

    watching(test)


def test_more_than_a_thousand_users_are_a_number() -> None:
    async def test(router: Router, peer: Peer, told: Told, stork: Subscriber, presence: Any) -> None:
        await reply(peer, {"count": 2000, "position": "e:5"})
        first = await told.next()
        assert (first.users, first.count) == ({}, 2000)
        await moved(peer, "e:6", ["eve"], [])
        await reply(peer, {"count": 2001, "position": "e:6"})
        assert (await told.next()).count == 2001

    watching(test)


def test_after_unsubscribe_nobody_is_told() -> None:
    async def test(router: Router, peer: Peer, told: Told, stork: Subscriber, presence: Any) -> None:
        await reply(peer, answer("e:5", "ann"))
        await told.next()
        stork.unsubscribe(presence)
        while (await peer.receive())[0] != 34:
            pass
        assert presence.subscription.state == "closed"

    watching(test)


def test_a_topic_that_is_none_is_refused_at_once() -> None:
    async def test(router: Router) -> None:
        with pytest.raises(InvalidTopic):
            Subscriber(router.url, ticket="secret").presence("room", print)

    run(test)
