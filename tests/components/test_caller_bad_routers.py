"""Caller and WampConnection against routers that do not keep to WAMP."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from stork_node.clients.caller import Caller
from stork_node.clients.wamp_client import NotAnswered
from stork_node.errors import ConnectionRefused

WELCOME = [2, 7, {"authid": "backend", "authrole": "backend", "roles": {}}]
WAMP = [Subprotocol("wamp.2.json")]


@contextmanager
def router(answer: Callable[[ServerConnection], Any], subprotocols: list[Subprotocol] | None = WAMP) -> Iterator[str]:
    """A WebSocket server that does ``answer`` with each connection; its address."""
    with serve(answer, "127.0.0.1", 0, subprotocols=subprotocols) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/ws"
        server.shutdown()
        thread.join()


def says(*messages: Any) -> Callable[[ServerConnection], None]:
    """After each message that comes, send the next of these (text as it is); then wait for the end."""

    def answer(connection: ServerConnection) -> None:
        waiting = list(messages)
        for _ in connection:
            if waiting:
                message = waiting.pop(0)
                connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    return answer


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("no JSON", "it answered with something that is not WAMP"),
        ({"not": "a list"}, "it answered with something that is not WAMP"),
        ([], "it answered with something that is not WAMP"),
        ([36, 1, 2, {}], "it answered with something that is not WAMP"),
        (b"\x93\x02\x07\x80", "it answered with something that is not WAMP"),
        ([4, "ticket", {}], "its CHALLENGE cannot be answered: asked for ticket, which was not offered"),
        ([4, "wampcra", {}], "its CHALLENGE cannot be answered: 'challenge'"),
        ([4, "wampcra", {"challenge": 5}], "its CHALLENGE cannot be answered: "),
        ([3, {}, "wamp.error.no_such_realm"], "wamp.error.no_such_realm"),
        ([3, {"message": "no"}, "a.b"], r"no \(a.b\)"),
    ],
    ids=str,
)
def test_a_router_that_does_not_welcome_is_named(message: Any, cause: str) -> None:
    with router(says(message)) as url, pytest.raises(ConnectionRefused, match=f"no session with {url}: {cause}"):
        Caller(url, secret="s", timeout_s=10).call("a.b")


def test_a_server_that_does_not_speak_wamp_is_named() -> None:
    with (
        router(says(), subprotocols=None) as url,
        pytest.raises(ConnectionRefused, match="does not speak WAMP in JSON"),
    ):
        Caller(url, secret="s", timeout_s=10).call("a.b")


def test_a_router_that_never_welcomes_is_given_up_in_time() -> None:
    with router(says()) as url, pytest.raises(ConnectionRefused, match="did not let the session in, or refuse it"):
        Caller(url, secret="s", timeout_s=0.3).call("a.b")


def test_a_router_that_hangs_up_says_with_which_code() -> None:
    def hang_up(connection: ServerConnection) -> None:
        connection.recv()
        connection.close(1013, "try again later")

    with router(hang_up) as url, pytest.raises(ConnectionRefused) as raised:
        Caller(url, secret="s", timeout_s=10).call("a.b")
    assert raised.value.cause == "the router closed the connection (1013 try again later)"
    assert raised.value.reason == ""


@pytest.mark.parametrize("text", ["no JSON", "[50]", '[8, 48, "x", {}, "a.b"]', "[36]", "[2, 8, {}]"])
def test_a_router_that_sends_nonsense_loses_the_session_and_the_call(text: str) -> None:
    with (
        router(says(WELCOME, text)) as url,
        Caller(url, secret="s", timeout_s=10) as caller,
        pytest.raises(NotAnswered, match="the router sent something that is not WAMP"),
    ):
        caller.call("a.b")


def test_an_answer_that_comes_too_late_is_not_taken_for_another() -> None:
    def answer(connection: ServerConnection) -> None:
        connection.recv()
        connection.send(json.dumps(WELCOME))
        first = json.loads(connection.recv())
        second = json.loads(connection.recv())
        for call in (first, second):
            connection.send(json.dumps([50, call[1], {}, [call[3]]]))
        for _ in connection:
            pass

    with router(answer) as url, Caller(url, secret="s", timeout_s=2) as caller:
        with pytest.raises(NotAnswered):
            caller.call("first")
        assert caller.call("second") == "second"


def test_a_connection_that_breaks_is_replaced_at_the_next_call() -> None:
    connections = 0

    def answer(connection: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        connection.recv()
        connection.send(json.dumps(WELCOME))
        call = json.loads(connection.recv())
        if connections > 1:
            connection.send(json.dumps([50, call[1], {}, [connections]]))
            for _ in connection:
                pass

    with router(answer) as url, Caller(url, secret="s", timeout_s=10) as caller:
        with pytest.raises(NotAnswered, match="the router closed the connection"):
            caller.call("a.b")
        assert caller.call("a.b") == 2
