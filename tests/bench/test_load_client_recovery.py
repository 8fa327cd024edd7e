"""The load client's subscribers when their node is gone: they come back to another, and ask for what they missed."""

import contextlib
import json
import queue
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from benchmarks import events
from benchmarks.load_client import Address, CameBack, LoadClient
from benchmarks.tools import compile_c
from websockets import ConnectionClosed, Subprotocol
from websockets.sync.server import Server, ServerConnection, serve

CALL = 48
TOPIC = events.topic(0)


class Node:
    """Lets everybody in, and answers each call of recover with the next of ``answers``."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.asked: list[Any] = []
        self.subscribers: queue.SimpleQueue[ServerConnection] = queue.SimpleQueue()
        self.before_answer: list[str] = []
        self._answers = list(answers)
        self._server: Server = serve(self._serve, "127.0.0.1", 0, compression=None, select_subprotocol=_take_first)
        self.port = self._server.socket.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _serve(self, connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                for answer in self._answer(json.loads(connection.recv())):
                    connection.send(answer)
                    if answer.startswith("[50,"):
                        self.subscribers.put(connection)

    def _answer(self, message: list[Any]) -> list[str]:
        match message[0]:
            case 1:
                return ['[4,"ticket",{}]']
            case 5:
                return ["[2,1,{}]"]
            case 32:
                return ["[33,1,7]"]
            case _:
                assert message[:4] == [CALL, 2, {}, "io.virge.stork.recover"]
                self.asked.append(message[4])
                return [*self.before_answer, _compact([50, 2, {}, [{TOPIC: self._answers.pop(0)}]])]

    def close(self) -> None:
        self._server.shutdown()


def _take_first(_: ServerConnection, offered: list[Subprotocol]) -> Subprotocol:
    return offered[0]


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def recovered(position: str, *numbers: int, ok: bool = True, **more: Any) -> dict[str, Any]:
    stored = [{"position": f"e:{number}", **json.loads(events.event(number, 0))} for number in numbers]
    return {"recovered": ok, "position": position, "events": stored, **more}


def event(number: int) -> str:
    return _compact([36, 7, number, {}, [json.loads(events.event(number, 0))], {"position": f"e:{number}"}])


@pytest.fixture
def run() -> Iterator[Any]:
    nodes: list[Node] = []

    def run_(*answers: dict[str, Any], meanwhile: list[str] | None = None) -> tuple[CameBack, Node]:
        """One subscriber gets events 1 and 2, and loses its node; the other node gives these answers."""
        first, second = Node(recovered("e:0", ok=False)), Node(*answers)
        second.before_answer = meanwhile or []
        nodes.extend((first, second))
        address = Address(first.port, "/", "wamp", "a-ticket")
        with LoadClient(compile_c("load"), address, 1, fallback_port=second.port) as load:
            load.count(2)
            connection = first.subscribers.get(timeout=10)
            connection.send(event(1))
            connection.send(event(2))
            load.counted()
            connection.socket.shutdown(socket.SHUT_RDWR)
            came_back = load.came_back(20)
        assert first.asked == [[{TOPIC: None}]]
        return came_back, second

    yield run_
    for node in nodes:
        node.close()


def test_a_subscriber_comes_back_and_asks_since_its_last_event(run):
    came_back, node = run(recovered("e:4", 3, 4))
    assert (came_back.lost, came_back.recovered, came_back.missing, came_back.repeated) == (1, 1, 0, 0)
    assert node.asked == [[{TOPIC: "e:2"}]]
    assert came_back.seconds >= 0.5  # with jitter, and not before


def test_more_is_asked_for_until_there_is_no_more(run):
    came_back, node = run(recovered("e:3", 3, more=True), recovered("e:4", 4))
    assert node.asked == [[{TOPIC: "e:2"}], [{TOPIC: "e:3"}]]
    assert (came_back.recovered, came_back.missing) == (1, 0)


def test_events_before_the_answer_are_no_gap_if_the_answer_leads_to_them(run):
    came_back, _ = run(recovered("e:4", 3, 4), meanwhile=[event(4), event(5)])
    assert (came_back.recovered, came_back.missing, came_back.repeated) == (1, 0, 0)


def test_a_gap_between_the_answer_and_what_came_before_it_is_told(run):
    came_back, _ = run(recovered("e:3", 3), meanwhile=[event(6)])
    assert (came_back.recovered, came_back.missing) == (1, 2)


def test_an_answer_that_leaves_something_out_is_told(run):
    came_back, _ = run(recovered("e:5", 5))
    assert (came_back.recovered, came_back.missing) == (1, 2)


def test_who_was_told_false_is_back_but_not_recovered(run):
    came_back, _ = run(recovered("e:9", ok=False))
    assert (came_back.lost, came_back.recovered) == (1, 0)
