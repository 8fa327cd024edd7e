"""Questions at the publish server: whom they go to, what is missing, and how much is held."""

import json
from typing import Any

import pytest
from msgspec import Raw

from stork_node.errors import InvalidFrame
from stork_node.protocol.commands.questions import (
    MAX_CONTENT_BYTES,
    MAX_PARAMS_BYTES,
    Ask,
    Question,
    Replies,
    Reply,
    decode_questions,
    encode_question,
    encode_replies,
)
from stork_node.publish_server import questions as questions_module
from stork_node.publish_server.questions import MOST_OPEN, AskedNode, Questions

ASKER = [b"asker"]


class Scene:
    """Three nodes; ``sent`` has what went to each connection."""

    def __init__(self) -> None:
        self.nodes = [AskedNode(f"node-{n}", f"i{n}", is_silent=False) for n in (1, 2, 3)]
        self.sent: list[tuple[bytes, Any]] = []
        self.full: set[bytes] = set()
        self.questions = Questions(lambda now: self.nodes, self._send)
        for node in self.nodes:
            self.questions.note(node.incarnation, [node.incarnation.encode()])

    def _send(self, envelope: list[bytes], frames: list[bytes]) -> bool:
        if envelope[0] in self.full:
            return False
        self.sent.append((envelope[0], decode_questions(frames)))
        return True

    def take(self) -> list[tuple[bytes, Any]]:
        sent, self.sent = self.sent, []
        return sent

    def ask(self, now: float = 0.0, old: int = 0, **fields: Any) -> list[tuple[bytes, int]]:
        self.questions.ask(ASKER, Ask(**({"id": 7, "question": "topic"} | fields)), old, now)
        return [(to, said.id) for to, said in self.take() if isinstance(said, Question)]

    def reply(self, to: bytes, number: int, content: Any = 1) -> None:
        self.questions.take([to], Reply(number, Raw(json.dumps(content).encode())))

    def replies(self, now: float = 0.0) -> Any:
        self.questions.work(now)
        [(to, read)] = self.take()
        assert to == ASKER[0]
        return read


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_every_other_node_is_asked_and_the_replies_come_in_one_message(scene):
    asked = scene.ask(incarnation="i1", params=Raw(b'{"topic":"v1.a.1"}'))
    assert [to for to, _ in asked] == [b"i2", b"i3"]
    for to, number in asked:
        scene.reply(to, number, {"sessions": 2})
    assert scene.replies() == (Replies(7, ("node-2", "node-3")), [b'{"sessions": 2}'] * 2)
    assert scene.questions.due(0.0) is None


def test_who_says_nothing_in_time_is_missing(scene):
    asked = scene.ask(now=5.0)
    scene.reply(*asked[0])
    assert scene.questions.due(6.0) == 1.0
    scene.questions.work(6.9)
    assert scene.take() == []
    assert scene.replies(7.0) == (Replies(7, ("node-1",), ("node-2", "node-3")), [b"1"])
    scene.reply(*asked[1])  # too late
    scene.questions.work(8.0)
    assert scene.take() == []


def test_silent_and_old_nodes_are_missing_at_once(scene):
    scene.nodes[1:] = [AskedNode(each.label, each.incarnation, is_silent=True) for each in scene.nodes[1:]]
    [(to, number)] = scene.ask(old=1)
    scene.reply(to, number)
    assert scene.replies()[0] == Replies(7, ("node-1",), ("old-1", "node-2", "node-3"))


def test_one_node_can_be_asked_alone(scene):
    [(to, number)] = scene.ask(node="node-2", old=1)
    scene.reply(to, number)
    assert scene.replies()[0] == Replies(7, ("node-2",))


def test_a_node_that_nobody_knows_is_missing(scene):
    assert scene.ask(node="node-9") == []
    assert scene.replies()[0] == Replies(7, (), ("node-9",))


@pytest.mark.parametrize("reply", [Reply(1), Reply(1, Raw(b'"%b"' % (b"x" * MAX_CONTENT_BYTES)))])
def test_a_node_without_a_usable_answer_is_missing(scene, reply):
    scene.ask(node="node-2")
    scene.questions.take([b"i2"], reply)
    assert scene.replies()[0].missing == ("node-2",)


def test_nobody_answers_for_another(scene):
    [(_, number)] = scene.ask(node="node-2")
    scene.reply(b"i3", number)
    scene.reply(b"stranger", number)
    scene.reply(b"i2", number + 1)
    scene.questions.work(0.0)
    assert scene.take() == []
    scene.reply(b"i2", number)
    assert scene.replies()[0].nodes == ("node-2",)


def test_a_reply_counts_once(scene):
    asked = scene.ask()
    for _ in range(2):
        scene.reply(*asked[0], content=1)
    for each in asked[1:]:
        scene.reply(*each)
    assert scene.replies()[0].nodes == ("node-1", "node-2", "node-3")


def test_three_questions_at_once_are_on_their_way_to_a_node(scene):
    numbers = [number for _ in range(5) for _, number in scene.ask(node="node-2")]
    assert len(numbers) == 3
    scene.reply(b"i2", numbers[0])
    assert [said.id for to, said in scene.take() if to == b"i2"] == [numbers[-1] + 1]


def test_a_frozen_node_gets_three_questions_until_their_time_is_over(scene):
    for _ in range(10):
        scene.ask(node="node-2")
    scene.questions.work(2.0)
    sent = scene.take()
    assert [to for to, _ in sent].count(ASKER[0]) == 10
    assert [to for to, _ in sent].count(b"i2") <= 7


def test_a_node_that_comes_back_by_another_connection_is_asked_there(scene):
    scene.questions.note("i2", [b"new"])
    [(to, number)] = scene.ask(node="node-2")
    assert to == b"new"
    scene.reply(to, number)
    assert scene.replies()[0].nodes == ("node-2",)


def test_a_node_without_a_connection_is_asked_when_it_has_one(scene):
    scene.nodes.append(AskedNode("node-4", "i4", is_silent=False))
    assert scene.ask(node="node-4") == []
    scene.questions.note("i4", [b"late"])
    [(to, said)] = scene.take()
    scene.reply(to, said.id)
    assert scene.replies()[0].nodes == ("node-4",)


def test_an_asker_that_does_not_read_is_tried_again_and_holds_nobody_up(scene):
    scene.full.add(ASKER[0])
    scene.ask(node="node-9")
    scene.questions.work(0.0)
    scene.questions.ask([b"other"], Ask(1, "topic", node="node-9"), 0, 0.0)
    scene.questions.work(0.1)
    assert [to for to, _ in scene.take()] == [b"other"]
    scene.full.clear()
    assert scene.replies(0.2)[0].id == 7


def test_an_answer_that_nobody_takes_is_dropped(scene):
    scene.full.add(ASKER[0])
    scene.ask(node="node-9")
    scene.questions.work(3.0)
    assert scene.questions.due(3.0) is None


def test_questions_are_bounded(scene):
    for _ in range(MOST_OPEN):
        scene.ask()
    scene.take()
    scene.ask()
    assert scene.replies()[0].missing == ("node-1", "node-2", "node-3")
    scene.questions.work(2.0)
    scene.take()
    scene.ask(params=Raw(b'"%b"' % (b"x" * MAX_PARAMS_BYTES)))
    assert scene.replies()[0].missing == ("node-1", "node-2", "node-3")


@pytest.mark.parametrize("limit", ["MOST_REPLY_BYTES", "MOST_HELD_BYTES"])
def test_replies_are_bounded_together(scene, monkeypatch, limit):
    monkeypatch.setattr(questions_module, limit, 5)
    for each in scene.ask():
        scene.reply(*each, content="abc")
    assert scene.replies()[0] == Replies(7, ("node-1",), ("node-2", "node-3"))
    for each in scene.ask():  # what was sent is not held any more
        scene.reply(*each, content="abc")
    assert scene.replies()[0].nodes == ("node-1",)


def test_frames_are_read_as_they_were_written():
    question = Question(3, "topic", Raw(b'{"a":[1]}'))
    read = decode_questions([encode_question(question)])
    assert (read.id, read.question, bytes(read.params)) == (3, "topic", b'{"a":[1]}')
    replies = Replies(7, ("node-1",), ("node-2",))
    assert decode_questions(encode_replies(replies, [b"1"])) == (replies, [b"1"])
    assert decode_questions([b"stork 1 leased {}"]) is None
    assert decode_questions([]) is None


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([b"stork 1 question {}"], "its header: Object missing required field `id`"),
        ([b'stork 1 question {"id":1,"question":"A"}'], "its header: "),
        ([b"stork 1 replies " + b"[" * 100_000], "its header: "),
        ([b'stork 1 replies {"id":1,"nodes":["a"],"missing":[]}'], "0 replies of 1 nodes"),
        ([b'stork 1 replies {"id":1,"nodes":[],"missing":[]}', b"1"], "1 replies of 0 nodes"),
    ],
)
def test_other_frames_are_refused(frames, reason):
    with pytest.raises(InvalidFrame) as caught:
        decode_questions(frames)
    assert caught.value.reason.startswith(reason)
