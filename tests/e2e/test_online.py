"""Who is online on two nodes behind one publish server: each node says the same, and the truth after each fault."""

import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from stork_node.clients.node_asker import NodeAsker
from tests.book import block
from tests.browser.conftest import CHROMIUM, QUIET
from tests.gateway import STORK, Deployment, wait_for
from tests.wamp import GOODBYE, Client, Refused

KEY = "k" * 24
APP = f"""
import os

from stork_node import Deny

{block("chat app.py")}

stork.feed("v1", "room", presence=True, leave_after_s=2)
stork.feed("v1", "plain")
mine = stork.feed("v1", "mine", presence=True)


@mine.verify
def is_own(session, topic):
    return topic.feed_id == session.authid or Deny("not yours")


@mine.verify_presence
async def is_boss(session, topic):
    return session.authid == "boss" or Deny("not the boss")


def write(kind, user, topic):
    with open(os.environ["TOLD"], "a") as told:
        told.write(" ".join(map(str, (os.getpid(), kind, user, topic))) + "\\n")


@stork.on_online
def came(user, topic):
    write("online", user, topic)


@stork.on_offline
async def went(user, topic):
    write("offline", user, topic)
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("online")
    environ = {"STORK_API_KEY": KEY, "TOLD": str(folder / "told")}
    with Deployment(folder, app=APP, environ=environ) as deployment:
        deployment.start_publish_server()
        deployment.start_node("first")
        deployment.start_node("second")
        with NodeAsker(deployment.replay, "") as asker:
            wait_for(lambda: len(asker.ask().nodes) == 2, "both nodes to attach")
        yield deployment


@pytest.fixture
def looker(deployment: Deployment) -> Iterator[Callable[[str], list[list[str]]]]:
    """Tells who is online in a topic, as each node says."""
    clients = [node.join("user:looker") for node in deployment.nodes]
    yield lambda topic: [names(client, topic) for client in clients]
    for client in clients:
        client.close()


def told(deployment: Deployment, topic: str) -> list[list[str]]:
    """What handlers were told of a topic: process, kind and user."""
    path = deployment.folder / "told"
    lines = path.read_text().splitlines() if path.exists() else []
    return [words[:3] for words in map(str.split, lines) if words[3] == topic]


def told_online(deployment: Deployment, topic: str) -> set[str]:
    """Who is online, if one believes the handlers."""
    online: set[str] = set()
    for _, kind, user in told(deployment, topic):
        (online.add if kind == "online" else online.discard)(user)
    return online


def launched(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)


def ask(client: Client, topic: str, **options: Any) -> dict[str, Any]:
    def answer() -> dict[str, Any] | None:
        try:
            return client.call("io.virge.stork.online", topic, **options)
        except Refused as error:
            if error.uri != "io.virge.stork.not_ready":
                raise
            return None

    return wait_for(answer, "a node to know who is online")


def names(client: Client, topic: str) -> list[str]:
    return sorted(user["authid"] for user in ask(client, topic)["users"])


def comes_to(look: Callable[[str], list[list[str]]], topic: str, *users: str) -> None:
    wait_for(lambda: look(topic) == [sorted(users)] * 2, f"both nodes to say {users}")


def presence_of(client: Client) -> tuple[list[str], list[str]]:
    """Who has come and who has gone, by the next event."""
    _, event, _ = client.event()
    assert event["type"] == "stork.presence"
    return sorted(user["authid"] for user in event["data"]["online"]), event["data"]["offline"]


def log_out(client: Client) -> None:
    client.send(GOODBYE, {}, "wamp.close.normal")
    client.close()


def test_two_tabs_on_two_nodes_are_one_user(deployment, looker):
    first, second = deployment.nodes
    with first.join("user:watcher") as watcher:
        watcher.subscribe("io.virge.stork.presence.v1.room.tabs")
        one, two = first.join("user:ann"), second.join("user:ann")
        one.subscribe("v1.room.tabs")
        assert presence_of(watcher) == (["ann"], [])
        two.subscribe("v1.room.tabs")
        with second.join("user:bob") as bob, first.join("user:joe") as joe:
            bob.subscribe("v1.room.tabs")
            assert presence_of(watcher) == (["bob"], [])  # what a node says is in order: it has said the second tab
            log_out(one)
            joe.subscribe("v1.room.tabs")
            assert presence_of(watcher) == (["joe"], [])  # and the first node has said that the first tab is gone
            log_out(two)
            assert presence_of(watcher) == ([], ["ann"])
            comes_to(looker, "v1.room.tabs", "bob", "joe")


def test_handlers_of_one_process_are_told_and_another_takes_over(deployment):
    first, second = deployment.nodes
    topic = "v1.room.handlers"
    with first.join("user:ann") as ann, second.join("user:bob") as bob:
        ann.subscribe(topic)
        bob.subscribe(topic)
        wait_for(lambda: told_online(deployment, topic) == {"ann", "bob"}, "handlers to be told who came")
        assert {user for _, kind, user in told(deployment, "None") if kind == "online"} >= {"ann", "bob"}
        [process] = {process for process, _, _ in told(deployment, topic)}
        os.kill(int(process), signal.SIGKILL)
        log_out(ann)
        wait_for(lambda: told_online(deployment, topic) == {"bob"}, "another process to be told", 40)
        assert told(deployment, topic)[-1][0] != process
    wait_for(lambda: not told_online(deployment, topic), "handlers to be told who went")


def test_the_chat_room_of_the_book_in_a_browser(deployment):
    for node in deployment.nodes:
        (node.folder / "web" / "chat.html").write_text(block("chat.html"))
    with sync_playwright() as playwright, launched(playwright) as browser:
        expect.set_options(timeout=20_000)
        complaints: list[str] = []
        ann, bob = (browser.new_context().new_page() for _ in range(2))
        for page, node, name in zip((ann, bob), deployment.nodes, ("ann", "bob"), strict=True):
            page.set_default_timeout(20_000)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.goto(f"{node.page_url}chat.html#lobby/{name}")
        for page in (ann, bob):
            expect(page.get_by_label("Members").get_by_role("listitem")).to_have_count(2)
        bob.get_by_label("Message", exact=True).press_sequentially("Hello")
        expect(ann.locator("#typing")).to_have_text("bob is typing")
        bob.get_by_role("button", name="Send").click()
        for page in (ann, bob):
            expect(page.get_by_label("Messages")).to_have_text("bob: Hello")
            expect(page.locator("#typing")).to_have_text("")
        bob.reload()
        expect(bob.get_by_label("Members")).to_contain_text("Ann")
        expect(ann.get_by_label("Members")).to_contain_text("Bob")
        bob.close()
        expect(ann.get_by_label("Members")).to_have_text("Ann")
        assert complaints == []


def test_the_answer_says_who_since_when_and_at_which_position(deployment):
    first, _ = deployment.nodes
    with first.join("user:zoe") as zoe:
        zoe.subscribe("v1.room.facts")
        wait_for(lambda: names(zoe, "v1.room.facts") == ["zoe"], "zoe to be online")
        answer = ask(zoe, "v1.room.facts")
        [user] = answer["users"]
        assert (user["authid"], user["info"], answer["count"]) == ("zoe", {"name": "Zoe"}, 1)
        assert user["since"].endswith("Z")
        assert ":" in answer["position"]
        assert "users" not in ask(zoe, "v1.room.facts", users=False)


@pytest.mark.parametrize(
    ("topic", "uri"),
    [
        ("v1.plain.1", "io.virge.stork.no_presence"),
        ("v1.mine.bob", "wamp.error.not_authorized"),
        ("nonsense", "wamp.error.invalid_argument"),
    ],
)
def test_who_may_not_subscribe_may_not_look(deployment, topic, uri):
    with deployment.nodes[0].join("user:eve") as eve:
        with pytest.raises(Refused) as caught:
            eve.call("io.virge.stork.online", topic)
        assert caught.value.uri == uri
        with pytest.raises(Refused):
            eve.subscribe(f"io.virge.stork.presence.{topic}")
        eve.subscribe("io.virge.stork.presence.v1.mine.eve")


def test_a_verifier_of_presence_lets_others_look_and_not_subscribe(deployment):
    first, second = deployment.nodes
    with first.join("user:boss") as boss, second.join("user:bob") as bob:
        boss.subscribe("io.virge.stork.presence.v1.mine.bob")
        with pytest.raises(Refused, match="not_authorized"):
            boss.subscribe("v1.mine.bob")
        bob.subscribe("v1.mine.bob")
        assert presence_of(boss) == (["bob"], [])
        assert names(boss, "v1.mine.bob") == ["bob"]


def test_a_page_that_is_loaded_again_changes_nothing(deployment, looker):
    first, second = deployment.nodes
    with second.join("user:watcher") as watcher, first.join("user:bob") as bob:
        watcher.subscribe("io.virge.stork.presence.v1.room.reload")
        ann = first.join("user:ann")
        ann.subscribe("v1.room.reload")
        assert presence_of(watcher) == (["ann"], [])
        for node in (first, second, first):
            ann.close()
            ann = node.join("user:ann")
            ann.subscribe("v1.room.reload")
        bob.subscribe("v1.room.reload")
        assert presence_of(watcher) == (["bob"], [])
        ann.close()
        assert presence_of(watcher) == ([], ["ann"])


def test_recovery_brings_what_a_watcher_missed(deployment):
    first, _ = deployment.nodes
    topic = "io.virge.stork.presence.v1.room.recovered"
    with first.join("user:watcher") as watcher, first.join("user:ann") as ann, first.join("user:bob") as bob:
        watcher.subscribe(topic)
        ann.subscribe("v1.room.recovered")
        *_, details = watcher.event()
        bob.subscribe("v1.room.recovered")
        watcher.event()
        answer = watcher.call("io.virge.stork.recover", {topic: details["position"]})[topic]
        assert answer["recovered"]
        assert [user["authid"] for each in answer["events"] for user in each["data"]["online"]] == ["bob"]


def test_disconnect_by_command_does_not_wait(deployment, looker):
    first, _ = deployment.nodes
    with first.join("user:ann") as ann, first.join("user:bob") as bob, deployment.publisher() as publisher:
        for client in (ann, bob):
            client.subscribe("v1.room.command")
        comes_to(looker, "v1.room.command", "ann", "bob")
        publisher.command("disconnect", authid="ann")
        comes_to(looker, "v1.room.command", "bob")


def test_http_and_the_command_line_say_it_of_each_node(deployment):
    first, second = deployment.nodes
    with first.join("user:ann") as ann, deployment.publisher() as publisher:
        ann.subscribe("v1.room.http")
        wait_for(lambda: names(ann, "v1.room.http") == ["ann"], "ann to be online")
        position = publisher.push("v1.plain.1", type="t")

        def get(query: str) -> dict[str, Any]:
            address = f"http://127.0.0.1:{second.port}/api/topics/v1.room.http/online?wait_for={position}{query}"
            request = urllib.request.Request(address, headers={"X-API-Key": KEY})
            with urllib.request.urlopen(request) as answer:
                return json.loads(answer.read())

        here = get("")
        assert [user["authid"] for user in here["users"]] == ["ann"]
        assert [get(f"&node={label}")["users"] for label in labels(deployment)] == [here["users"]] * 2
        assert "users" not in get("&users=false")
        command = [
            *STORK,
            "online",
            "--ticket",
            "user:bob",
            "--url",
            f"ws://127.0.0.1:{second.port}/ws",
            "v1.room.http",
        ]
        told = subprocess.run(command, capture_output=True, check=True, env=deployment.environ)
        assert [user["authid"] for user in json.loads(told.stdout)["users"]] == ["ann"]


def labels(deployment: Deployment) -> list[str]:
    with NodeAsker(deployment.replay, "") as asker:
        return [row.node for row in asker.ask().nodes]


def test_a_frozen_router_whose_users_have_moved(deployment, looker):
    first, second = deployment.nodes
    with second.join("user:watcher") as watcher, first.join("user:ann") as ann, first.join("user:eve") as eve:
        watcher.subscribe("io.virge.stork.presence.v1.room.frozen")
        ann.subscribe("v1.room.frozen")
        eve.subscribe("v1.room.frozen")
        comes_to(looker, "v1.room.frozen", "ann", "eve")
        [router] = first.workers("RouterController")
        os.kill(router, signal.SIGSTOP)
        try:
            with second.join("user:ann") as moved:
                moved.subscribe("v1.room.frozen")
                eve.close()
                ann.close()
                wait_for(lambda: names(watcher, "v1.room.frozen") == ["ann"], "eve to be offline", 40)
                os.kill(router, signal.SIGCONT)
                comes_to(looker, "v1.room.frozen", "ann")
                came, gone = set(), []
                while not gone:
                    online, gone = presence_of(watcher)
                    assert came.isdisjoint(online)
                    came.update(online)
                assert (came, gone) == ({"ann", "eve"}, ["eve"])
        finally:
            os.kill(router, signal.SIGCONT)


def test_a_publish_server_that_is_killed_and_a_node_that_begins_after_it(deployment, looker):
    first, second = deployment.nodes
    with first.join("user:ann") as ann:
        ann.subscribe("v1.room.restart")
        comes_to(looker, "v1.room.restart", "ann")
        assert deployment.publish_server is not None
        deployment.publish_server.stop(signal.SIGKILL)
        with second.join("user:bob") as bob:
            bob.subscribe("v1.room.restart")
            deployment.start_publish_server()
            comes_to(looker, "v1.room.restart", "ann", "bob")


def test_users_of_a_router_that_is_killed_are_offline(deployment, looker):
    first, second = deployment.nodes
    with second.join("user:bob") as bob, first.join("user:ann") as ann:
        ann.subscribe("v1.room.killed")
        bob.subscribe("v1.room.killed")
        comes_to(looker, "v1.room.killed", "ann", "bob")
        [router] = first.workers("RouterController")
        os.kill(router, signal.SIGKILL)
        wait_for(lambda: names(bob, "v1.room.killed") == ["bob"], "ann to be offline", 40)
        wait_for(lambda: told_online(deployment, "v1.room.killed") == {"bob"}, "handlers to be told", 40)
