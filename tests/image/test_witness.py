"""The witness of the composition's test: what it must not let pass; and its subscribers, against scripted answers."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.gateway import wait_for
from tests.image import subscribers, witness
from tests.image.subscribers import Crowd, Push, Stay
from tests.image.witness import Account, Report, check_stay
from tests.wamp import CALL, CHALLENGE, ERROR, EVENT, RESULT, SUBSCRIBED, WELCOME

# One a second, each answered at once.
PUSHES = [Push(number, begun=float(number), answered=number + 0.1) for number in range(1, 6)]
TOPIC = "v1.test.1"


@pytest.mark.parametrize("numbers", [[1, 2, 3, 4, 5], [3, 4, 5], [0, 3, 4, 5]])
def test_whoever_got_all_since_it_subscribed_got_what_it_had_to(numbers):
    check_stay(Stay(since=2.5, numbers=numbers), PUSHES)


@pytest.mark.parametrize(
    ("stay", "complaint"),
    [
        (Stay(since=2.5, numbers=[3, 5]), r"never came: \[4\]"),
        (Stay(since=0.0, numbers=[]), r"never came: \[1, 2, 3, 4, 5\]"),
        (Stay(since=2.5, numbers=[3, 4, 4, 5]), "doubled, or out of order"),
        (Stay(since=2.5, numbers=[4, 3, 5]), "doubled, or out of order"),
        (Stay(since=0.0, until=4.5, numbers=[1, 2]), r"never came: \[3\]"),
    ],
)
def test_whoever_did_not_is_noticed(stay, complaint):
    with pytest.raises(AssertionError, match=complaint):
        check_stay(stay, PUSHES)


def test_the_report_is_a_table():
    report = Report(
        [("nothing", Account(20, 300, 6000, 0, 0.0, 0, 0)), ("a kill", Account(9, 200, 1799, 100, 1.234, 7, 1))]
    )
    assert report.lines() == [
        "what happened  pushes  stayed           got  moved  back within s  missed  told of gaps",
        "nothing            20     300  6000 of 6000      0              -       0             0",
        "a kill              9     200  1799 of 1800    100           1.23       7             1",
    ]


class Scripted:
    """
    A node that answers ``recover`` from a script: each answer is what RESULT or ERROR has, after those events.

    A connection ends when its script does.
    """

    def __init__(self, scripts: list[list[Any]]) -> None:
        self._scripts = iter(scripts)
        self.asked: list[Any] = []

    def __call__(self, socket: ServerConnection) -> None:
        script = next(self._scripts, None)
        if script is None:
            return
        answers = [[CHALLENGE, "ticket", {}], [WELCOME, 1, {}], [SUBSCRIBED, 1, 7]]
        for answer in answers:
            socket.recv()
            socket.send(json.dumps(answer))
        try:
            for step in script:
                self._play(socket, step)
        except ConnectionClosed:
            pass

    def _play(self, socket: ServerConnection, step: Any) -> None:
        if isinstance(step, int):
            socket.send(json.dumps([EVENT, 7, 1, {}, [{"data": {"n": step}}], {"position": f"e:{step}"}]))
            return
        kind, _, _, _, [positions] = json.loads(socket.recv())
        assert kind == CALL
        self.asked.append(positions[TOPIC])
        if isinstance(step, str):
            socket.send(json.dumps([ERROR, CALL, 2, {}, step]))
        else:
            socket.send(json.dumps([RESULT, 2, {}, [{TOPIC: step}]]))


def recovered(position: int, *numbers: int, **more: Any) -> dict[str, Any]:
    events = [{"position": f"e:{number}", "data": {"n": number}} for number in numbers]
    return {"recovered": True, "position": f"e:{position}", "events": events, **more}


@contextmanager
def subscriber_of(node: Scripted) -> Iterator[subscribers.Subscriber]:
    with serve(node, "127.0.0.1", 0, subprotocols=["wamp.2.json"]) as server:  # type: ignore[list-item]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with Crowd(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/ws", "ticket", TOPIC, 1) as crowd:
            yield crowd.members[0]
        server.shutdown()
    thread.join()


FIRST = {"recovered": False, "position": "e:3", "events": []}


@pytest.mark.parametrize(
    ("second", "asked"),
    [
        ([recovered(5, 4, 5), 6], ["e:3"]),
        # In pages; and what is held back comes after them, but for what they had already.
        ([4, 5, recovered(4, 4, more=True), recovered(5, 5), 6], ["e:3", "e:4"]),
        ([4, 5, 6, recovered(5, 4, 5)], ["e:3"]),
        (["io.virge.stork.not_ready", recovered(6, 4, 5, 6)], ["e:3", "e:3"]),
    ],
)
def test_a_subscriber_that_comes_back_recovers_once_and_in_order(second, asked):
    node = Scripted([[FIRST], second])
    with subscriber_of(node) as subscriber:
        wait_for(lambda: [number for stay in subscriber.stays for number in stay.numbers] == [4, 5, 6], "4, 5, 6", 10)
    assert node.asked == [None, *asked]
    assert subscriber.gaps == 0


def test_a_subscriber_counts_the_gaps_that_it_is_told_of():
    node = Scripted([[FIRST], [{"recovered": False, "position": "e:9", "events": []}, 10]])
    with subscriber_of(node) as subscriber:
        wait_for(lambda: subscriber.stays[-1:] and subscriber.stays[-1].numbers == [10], "10", 10)
    assert subscriber.gaps == 1


def account_of(*members: list[Stay]) -> Account:
    crowd, stream = Crowd("ws://nowhere/", "ticket", TOPIC, len(members)), subscribers.Stream([], 0)
    stream.pushes = PUSHES
    for member, stays in zip(crowd.members, members, strict=True):
        member.stays = stays
    return witness.take_account(crowd, stream)


def test_who_moved_is_told_from_who_stayed():
    stayed = [Stay(0.0, None, [1, 2, 3, 4, 5])]
    moved = [Stay(0.0, 2.0, [1]), Stay(2.5, None, [2, 3, 4, 5])]
    missing = [Stay(0.0, 2.0, [1]), Stay(3.5, None, [4, 5])]
    assert account_of(stayed, moved) == Account(5, 1, 5, 1, 0.5, 0, 0)
    assert account_of(stayed, stayed, moved, missing) == Account(5, 2, 10, 2, 1.5, 2, 0)


def test_what_came_before_and_after_a_move_is_noticed():
    with pytest.raises(AssertionError, match="doubled, or out of order"):
        account_of([Stay(0.0, 2.0, [1, 2]), Stay(2.5, None, [2, 3, 4, 5])])
