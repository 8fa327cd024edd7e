"""Whatever happens to webhooks and their target, what a backend has heard ends with the right set of users."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from stork_node.webhooks import sending
from stork_node.webhooks.settings import WebhookSettings
from tests.components.routerless import Node, fixed_settings, run
from tests.components.served import serving, wait_for
from tests.components.webhook_target import SECRET, Target

ROOMS = ("v1.room.1", "v1.room.2")
USERS = ("ann", "bob", "eve", "joe")
TROUBLE = (500, "hang", "cut", "cut after 200", "late", 302, 204)


class Backend:
    """What a backend keeps, by the rules of docs/webhooks.md#requests."""

    def __init__(self) -> None:
        self.online: dict[str, set[str]] = {}
        self._resync: dict[str, set[str]] = {}
        self._at = ("", 0)
        self.seen = 0

    def take(self, batches: list[list[dict]]) -> None:
        for batch in batches[self.seen :]:
            before = self._at
            for event in batch:
                epoch, _, sequence = event["position"].partition(":")
                at = epoch, int(sequence)
                if event["event"] == "resync" or at[0] != before[0] or at[1] > before[1]:
                    self._take(event, at)
        self.seen = len(batches)

    def _take(self, event: dict, at: tuple[str, int]) -> None:
        if event["event"] == "resync":
            if event["part"] == 0:
                self._resync = {}
            for topic, users in event["topics"].items():
                self._resync.setdefault(topic, set()).update(user["authid"] for user in users)
            if event["last"]:
                self.online, self._at = self._resync, at
            return
        self._at = at
        topic = event.get("topic", "")
        if event["event"] == "occupied":
            assert not self.online.get(topic)
            self.online[topic] = set()
        elif event["event"] == "online":
            self.online[topic].add(event["authid"])
        elif event["event"] == "offline":
            self.online[topic].discard(event["authid"])
        elif event["event"] == "vacated":
            assert not self.online.pop(topic)


@pytest.mark.parametrize("seed", range(4))
def test_a_backend_ends_with_the_right_set(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(sending, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(sending, "LONGEST_PAUSE_S", 0.05)
    monkeypatch.setattr(sending, "SAVE_S", 0.05)
    chance = random.Random(seed)
    chosen = fixed_settings(tmp_path)
    node, truth, backend = Node(chosen.pub, chosen.replay, "node-1"), {room: set[str]() for room in ROOMS}, Backend()
    with Target() as target:
        hook = WebhookSettings(target.url, SECRET, timeout_s=0.1)
        try:
            for _ in range(4):
                before = {path: path.read_bytes() for path in files(chosen.data)}
                with serving(chosen, webhooks=[hook]):
                    for _ in range(10):
                        target.script.extend(chance.choices(TROUBLE, k=chance.randrange(3)))
                        step(node, truth, chance)
                    if chance.random() < 0.5:
                        wait_for(says(backend, target, truth), "the right set")
                if before and chance.random() < 0.4:  # what was told is not what is stored
                    path, content = chance.choice(list(before.items()))
                    path.write_bytes(content)
            with serving(chosen, webhooks=[hook]):
                wait_for(says(backend, target, truth), "the right set at the end")
        finally:
            node.close()


def files(data: Path) -> list[Path]:
    return sorted((data / "log").glob("webhook-*.json"))


def step(node: Node, truth: dict[str, set[str]], chance: random.Random) -> None:
    room, user = chance.choice(ROOMS), chance.choice(USERS)
    if user in truth[room]:
        truth[room].discard(user)
        node.local.leave(room, user, has_left=True)
    else:
        truth[room].add(user)
        node.local.join(room, user, 0)
    run([node], lambda: all(set(node.attending.presence.table.users(each)) == truth[each] for each in ROOMS))


def says(backend: Backend, target: Target, truth: dict[str, set[str]]) -> Callable[[], bool]:
    def fact() -> bool:
        backend.take(list(target.batches))
        return {room: users for room, users in backend.online.items() if users} == {
            room: users for room, users in truth.items() if users
        }

    return fact
