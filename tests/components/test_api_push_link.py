"""The HTTP API's connection to a publish server: real ZMQ, with a reactor whose turns the test makes."""

import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Crossbar imports what is deprecated
    from stork_components.api import push_link
    from stork_components.api.push_link import PushLink
from stork_node.api.pushes import ApiPush, PositionQuestion
from stork_node.clients.push_target import PushTarget
from stork_node.protocol.answers import encode_answers, is_bundle, split_bundle
from tests.components.test_publish_server_link import until
from tests.components.test_relay_sockets import Reactor

TIMEOUT_S = 4.0
FIRST = b'{"outcome":"none","id":"first bundle"}'


class Ends:
    """A link in a reactor, and the socket of a publish server."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]") -> None:
        self.reactor = Reactor()
        self.server = context.socket(zmq.ROUTER)
        self.server.linger = 0
        self.bundles = 0
        self.server.bind("tcp://127.0.0.1:*")
        endpoint = str(self.server.last_endpoint, "ascii")
        self.link = PushLink(self.reactor, PushTarget.parse(endpoint, True, 4000, None, None, 0), TIMEOUT_S)

    def push(self, *ids: str, size: int = 0) -> list[ApiPush]:
        pushes = [ApiPush(id, id, json.dumps({"id": id, "x": "x" * size}).encode()) for id in ids]
        self.link.send(pushes)
        return pushes

    def heard(self, number: int) -> list[tuple[bytes, Any]]:
        """So many documents that have come, each with its sender."""
        found: list[tuple[bytes, Any]] = []

        def take() -> bool:
            while len(found) < number and self.server.poll(0):
                sender, frame = self.server.recv_multipart()
                documents = split_bundle(frame) if is_bundle(frame) else [frame]
                found.extend((sender, json.loads(each)) for each in documents or () if each != FIRST)
                self.bundles += is_bundle(frame)
            return len(found) == number

        until(self.reactor, take)
        return found

    def answer(self, sender: bytes, **answer: Any) -> None:
        self.server.send_multipart([sender, json.dumps(answer).encode()])

    def until_settled(self, *pushes: ApiPush) -> list[Any]:
        until(self.reactor, lambda: all(push.answer for push in pushes))
        return [json.loads(push.answer or b"") for push in pushes]


@pytest.fixture
def ends() -> Iterator[Ends]:
    with zmq.Context() as context:
        ends = Ends(context)
        yield ends
        ends.link.close()
        ends.server.close()


def test_pushes_of_one_turn_go_in_one_frame_once_the_server_takes_it(ends):
    first = ends.push("a")
    [(sender, _)] = ends.heard(1)
    ends.server.send_multipart([sender, encode_answers([b'{"ok":true,"id":"a","position":"e:1"}'])])
    assert ends.until_settled(*first)[0]["position"] == "e:1"
    assert ends.bundles == 1  # the first bundle, which asks
    both = [*ends.push("b"), *ends.push("c")]
    assert [document["id"] for _, document in ends.heard(2)] == ["b", "c"]
    assert ends.bundles == 2
    answers = [b'{"ok":true,"id":"%b","position":"e:%d"}' % (id, n) for n, id in enumerate([b"b", b"c"], 2)]
    ends.server.send_multipart([sender, encode_answers(answers)])
    assert [answer["position"] for answer in ends.until_settled(*both)] == ["e:2", "e:3"]
    large = ends.push("d", "e", size=600_000)
    assert [document["id"] for _, document in ends.heard(2)] == ["d", "e"]
    assert ends.bundles == 2  # each alone in its frame
    # A server of an older release takes the place of this one: it cannot read a bundle.
    ends.answer(sender, ok=False, id=None, error="invalid_push", reason="frame: not JSON")
    assert [document["id"] for _, document in ends.heard(2)] == ["d", "e"]
    more = ends.push("f", "g")
    heard = ends.heard(2)
    assert [document["id"] for _, document in heard] == ["f", "g"]
    for id in "defg":
        ends.answer(heard[0][0], ok=True, id=id, position="e:9")
    assert {answer["position"] for answer in ends.until_settled(*large, *more)} == {"e:9"}


def test_pushes_of_one_turn_go_out_in_order_and_find_their_answers(ends):
    first, second = [*ends.push("a"), *ends.push("b")]
    (sender, one), (_, two) = ends.heard(2)
    assert (one["id"], two["id"]) == ("a", "b")
    ends.answer(sender, ok=False, id="b", error="invalid_push", reason="no")
    ends.answer(sender, ok=True, id="a", position="e:1")
    assert ends.until_settled(first, second) == [
        {"ok": True, "id": "a", "position": "e:1"},
        {"ok": False, "error": "invalid_push", "reason": "no"},
    ]
    assert ends.link.waiting_bytes == 0


def test_a_silent_server_is_asked_again_on_a_new_connection(ends):
    [push] = ends.push("a")
    [(sender, _)] = ends.heard(1)
    [(another, document)] = ends.heard(1)
    assert (another != sender, document["id"]) == (True, "a")
    ends.answer(another, ok=True, id="a", position="e:1", duplicate=True)
    assert ends.until_settled(push)[0]["duplicate"] is True


def test_a_push_without_an_answer_is_not_confirmed(ends):
    [push] = ends.push("a")
    [answer] = ends.until_settled(push)
    assert answer["error"] == "not_confirmed"
    assert ends.link.waiting_bytes == 0
    (sender, _), *_ = ends.heard(1)
    ends.answer(sender, ok=True, id="a", position="e:1")  # late: it settles nothing
    [next_push] = ends.push("a")
    assert next_push.answer is None


def test_what_waits_has_bounds(ends, monkeypatch):
    monkeypatch.setattr(push_link, "MAX_WAITING_BYTES", 1_000)
    fits, too_much, small = [*ends.push("a", size=600), *ends.push("b", size=600), *ends.push("c")]
    assert json.loads(too_much.answer or b"")["error"] == "not_confirmed"
    [(sender, one), (_, two)] = ends.heard(2)
    assert (one["id"], two["id"]) == ("a", "c")
    for id in ("a", "c"):
        ends.answer(sender, ok=True, id=id, position="e:1")
    ends.until_settled(fits, small)


def test_no_more_than_a_window_is_on_the_wire(ends, monkeypatch):
    monkeypatch.setattr(push_link, "WINDOW", 2)
    pushes = ends.push("a", "b", "c")
    (sender, _), _ = ends.heard(2)
    ends.answer(sender, ok=True, id="a", position="e:1")
    assert ends.heard(1)[0][1]["id"] == "c"
    for id in ("b", "c"):
        ends.answer(sender, ok=True, id=id, position="e:2")
    ends.until_settled(*pushes)


def test_the_position_is_asked_and_answered(ends):
    question = PositionQuestion()
    ends.link.send([question])
    [(sender, document)] = ends.heard(1)
    assert document == {"position": True}
    ends.answer(sender, ok=True, position="e:7")
    assert ends.until_settled(question) == [{"position": "e:7"}]
