"""
Two nodes behind HAProxy, and one of them killed under clients that follow pusher-js: all are back, the members of a
presence channel are exactly those that are there, and nobody misses an event without being told.

STORK_PUSHER_CLIENTS=1000 makes it as large as a measurement; a line with the times goes to standard output.
"""

import asyncio
import os
import signal
import threading
import time

import pytest

from tests.balancer import haproxy_before
from tests.gateway import Deployment, children, wait_for
from tests.pusher import KEY, PusherBackend, PusherClient
from tests.pusher_crowd import CHANNEL, ROOM, Follower, faults

CLIENTS = int(os.environ.get("STORK_PUSHER_CLIENTS", "30"))
APP = {"id": "1", "keys": [{"key": KEY, "secret": "app-secret"}], "subscription_count": True}
# A cold machine, beside others.
DEADLINE_S = 120.0


def with_app(config):
    config["workers"][0]["components"][5]["extra"]["apps"] = [APP]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    with Deployment(tmp_path_factory.mktemp("cluster"), change=with_app) as deployment:
        deployment.start_publish_server()
        for name in ("node-1", "node-2"):
            deployment.start_node(name)
        yield deployment


@pytest.fixture
def balancer(deployment):
    with haproxy_before(deployment) as port:
        yield port


def skip_to(client, event, data):
    while (frame := client.skip_to(event))["data"] != data:
        pass
    return frame


def test_clients_of_two_nodes_are_told_of_each_other(deployment):
    one, two = (node.port for node in deployment.nodes)
    with PusherClient(one) as ann, PusherClient(two) as bob:
        assert set(ann.join_as("presence-two", "ann", name="Ann")) == {"ann"}
        assert skip_to_members(bob, "presence-two", "bob") >= {"bob"}
        added = ann.skip_to("pusher_internal:member_added")
        assert (added["channel"], added["data"]["user_id"]) == ("presence-two", "bob")
        for client in (ann, bob):
            client.ask_to_join("news.two")
        for client in (ann, bob):
            skip_to(client, "pusher_internal:subscription_count", {"subscription_count": 2})
        bob.sign_in("bob")
        ann.sign_in("ann", watchlist=["bob"])
        online = {"events": [{"name": "online", "user_ids": ["bob"]}]}
        skip_to(ann, "pusher_internal:watchlist_events", online)
        with PusherBackend(one) as backend:
            assert backend.get("/channels/news.two", info="subscription_count")[1]["subscription_count"] == 2
            users = backend.get("/channels/presence-two/users")[1]["users"]
            assert sorted(each["id"] for each in users) == ["ann", "bob"]
            bob.send("pusher:unsubscribe", data={"channel": "presence-two"})
            assert ann.skip_to("pusher_internal:member_removed")["data"] == {"user_id": "bob"}


def skip_to_members(client, channel, user):
    return set(client.join_as(channel, user))


class Pushing(threading.Thread):
    def __init__(self, port: int) -> None:
        super().__init__()
        self._port, self._stop_asked = port, threading.Event()
        self.pushed = 0

    def run(self) -> None:
        with PusherBackend(self._port) as backend:
            while not self._stop_asked.wait(0.05):
                backend.trigger(CHANNEL, "number", f'{{"n":{self.pushed}}}')
                self.pushed += 1

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()


def kill(node) -> None:
    """As a machine that loses its power."""
    for pid in [node.popen.pid, *children(node.popen.pid)]:
        os.kill(pid, signal.SIGKILL)
    node.popen.wait()


def test_clients_of_a_killed_node_are_back_and_presence_is_exact(deployment, balancer):
    survivor, victim = deployment.nodes
    url = f"ws://127.0.0.1:{balancer}/app/{KEY}?protocol=7"
    # Users on the node that will be gone who do not come back, and so have to be removed.
    gone = [PusherClient(victim.port) for _ in range(3)]
    pushing = Pushing(survivor.port)
    everybody = {f"u{number}" for number in range(CLIENTS)}
    followers = [Follower(url, user) for user in sorted(everybody)]

    async def until(what, fact):
        give_up_at = time.monotonic() + DEADLINE_S
        while not fact():
            assert time.monotonic() < give_up_at, f"{what}: not within {DEADLINE_S:g} s"
            await asyncio.sleep(0.1)
        return time.monotonic()

    async def follow():
        tasks = []
        for follower in followers:
            tasks.append(asyncio.create_task(follower.run()))
            await asyncio.sleep(0.005)
        there = everybody | {f"gone{number}" for number in range(len(gone))}
        await until("all are there", lambda: all(each.members == there and each.got for each in followers))
        returned = [len(each.returns) for each in followers]
        killed_at = time.monotonic()
        await asyncio.to_thread(kill, victim)
        await until("all are back", lambda: all(each.is_up for each in followers))
        exact_at = await until("presence is exact", lambda: all(each.members == everybody for each in followers))
        moved = [each for each, before in zip(followers, returned, strict=True) if len(each.returns) > before]
        await asyncio.to_thread(pushing.stop)
        await until("the last event", lambda: all(each.got[-1] == pushing.pushed - 1 for each in followers))
        for each in followers:
            each.is_leaving = True
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        back_s = max(each.returns[-1] for each in moved) - killed_at
        return len(moved), back_s, exact_at - killed_at

    for number, client in enumerate(gone):
        client.__enter__()
        client.join_as(ROOM, f"gone{number}")
    pushing.start()
    moved, back_s, exact_s = asyncio.run(follow())
    for client in gone:
        client.socket.close()
    print(f"{CLIENTS} clients, {moved} moved: all back after {back_s:.1f} s, presence exact after {exact_s:.1f} s")
    assert 0 < moved < CLIENTS
    assert [fault for each in followers for fault in faults(each, pushing.pushed)] == []
    assert sum(each.gaps for each in followers) == 0
    with PusherBackend(survivor.port) as backend:
        wait_for(lambda: backend.get(f"/channels/{ROOM}/users")[1] == {"users": []}, "an empty room")
