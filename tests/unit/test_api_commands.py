"""Commands of the HTTP API, and the answers that all nodes make together."""

import json

import pytest

from stork_node.api.answers import ApiError
from stork_node.api.commands import ApiCommand, outcome_question, read_command
from stork_node.api.keys import ApiKey, TopicPattern
from stork_node.api.merging import MOST_PAGE_BYTES, TopicsPage, list_nodes, merge_topics, merge_user, topics_page
from stork_node.api.pushes import Ids
from stork_node.errors import PushRefused
from stork_node.protocol.commands.documents import MAX_COMMAND_BYTES, OutcomeRequest, decode_command
from stork_node.protocol.commands.leases import Nodes, NodeState
from stork_node.protocol.commands.results import CommandResult
from stork_node.protocol.positions import Position
from stork_node.protocol.push import decode_request

KEY = ApiKey("all", b"", frozenset({"command"}))
NARROW = ApiKey("narrow", b"", frozenset({"command"}), (TopicPattern("v1.orders.*"), TopicPattern("v1.a.1")))


def read(body: bytes, header_id: bytes | None = None, key: ApiKey = KEY) -> ApiCommand:
    return read_command(body, header_id, key, Ids())


def refusal(body: bytes, header_id: bytes | None = None, key: ApiKey = KEY) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        read(body, header_id, key)
    answer = caught.value.answer
    return answer.status, json.loads(answer.body)["reason"]


def test_a_command_has_an_id_and_its_own_time():
    command = read(b' {"command":"refresh","authid":"7","timeout_ms":7} ')
    given = decode_command(command.frame)
    assert (given.command.kind, given.command.id, command.wait_ms) == ("refresh", command.id, 7)
    assert command.shown_id is None
    assert command.id.startswith("http-")


@pytest.mark.parametrize(("body", "header"), [(b'"id":"k",', None), (b"", b"k"), (b'"id":"k",', b"k")])
def test_an_id_may_come_with_the_head_or_the_body(body, header):
    command = read(b'{%b"command":"refresh","authid":"7"}' % body, header)
    assert (command.id, command.shown_id) == ("k", "k")
    assert decode_command(command.frame).command.id == "k"


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [
        (b"[]", None, (422, "frame: expected an object, got array")),
        (b"{", None, (400, "the body is not JSON: Input data was truncated")),
        (b'{"command":"refresh","authid":"7","id":"a"}', b"b", (422, "id: the Idempotency-Key is another")),
        (b'{"command":"refresh","authid":"7"}', b"", (422, "id: the Idempotency-Key has 0 characters")),
        (b'{"command":"refresh"}', b"k", (422, "authid: missing (refresh names exactly one of authid, session)")),
        (b'{"command":"refresh","authid":"%b"}' % (b"x" * 20_000), None, (422, "frame: 20,033 bytes")),
        (
            b'{"command":"refresh","authid":"7",%b"reason":""}' % (b" " * (MAX_COMMAND_BYTES - 60)),
            None,
            (422, "frame: 16,4"),
        ),
        (b"[" * 5_000, None, (422, "frame: ")),
    ],
)
def test_a_bad_body_is_refused(body, header, expected):
    status, reason = refusal(body, header)
    assert status == expected[0]
    assert reason.startswith(expected[1])


@pytest.mark.parametrize(
    ("document", "may"),
    [
        ('{"command":"unsubscribe","topic":"v1.orders.42"}', True),
        ('{"command":"unsubscribe","topic":"v1.orders.42","authid":"7"}', True),
        ('{"command":"unsubscribe","feed":"v1.orders"}', True),
        ('{"command":"forget","topic":"v1.a.1"}', True),
        ('{"command":"forget","feed":"v1.a"}', False),
        ('{"command":"forget","authid":"7"}', False),
        ('{"command":"unsubscribe","topic":"v1.other.1"}', False),
        ('{"command":"disconnect","topic":"v1.orders.42"}', False),
        ('{"command":"refresh","authid":"7"}', False),
    ],
)
def test_a_key_of_some_topics_commands_these_alone(document, may):
    if may:
        assert read(document.encode(), key=NARROW).wait_ms == 5_000
    else:
        assert refusal(document.encode(), key=NARROW)[0] == 403


def test_the_result_is_told_as_the_publish_server_says_it():
    command = read(b'{"command":"refresh","authid":"7"}')
    command.outcome = CommandResult("e:7", False, {"node-1": {"sessions": 1}, "node-2": "pending"})
    command.take_outcome()
    assert json.loads(command.answer or b"") == {
        "ok": True,
        "id": None,
        "complete": False,
        "position": "e:7",
        "nodes": {"node-1": {"sessions": 1}, "node-2": "pending"},
    }
    refused = read(b'{"command":"refresh","authid":"7"}')
    refused.outcome = PushRefused("id_reused", "no")
    refused.take_outcome()
    assert refused.error == "id_reused"


def test_an_outcome_is_asked_for_by_its_position():
    question = outcome_question(Position("e", 7), Ids())
    assert decode_request(question.frame, "") == OutcomeRequest("e:7", question.id)


def page(limit: int = 10, after: str | None = None, prefix: str = "") -> TopicsPage:
    return topics_page([("b", 2), ("a", 1), ("c", 3)], limit, prefix, after, lambda topics: topics != ["c"])


def test_a_node_tells_its_first_topics():
    assert page() == TopicsPage([("a", 1), ("b", 2)])
    assert page(limit=1) == TopicsPage([("a", 1)], more=True)
    assert page(after="a") == TopicsPage([("b", 2)])
    assert page(prefix="b") == TopicsPage([("b", 2)])
    many = topics_page([(f"v1.a.{n:0200}", 1) for n in range(1_000)], 1_000, "", None, lambda _: True)
    assert many.more
    assert MOST_PAGE_BYTES - 300 < sum(len(topic) + 26 for topic, _ in many.topics) <= MOST_PAGE_BYTES


def test_pages_of_nodes_become_one_up_to_where_all_are_known():
    whole = TopicsPage([("a", 1), ("c", 1)])
    assert merge_topics([whole, TopicsPage([("a", 2)])], 10) == {
        "topics": [{"topic": "a", "sessions": 3}, {"topic": "c", "sessions": 1}]
    }
    cut = merge_topics([whole, TopicsPage([("a", 2), ("b", 1)], more=True)], 10)
    assert cut == {"topics": [{"topic": "a", "sessions": 3}, {"topic": "b", "sessions": 1}], "cursor": "b"}
    assert merge_topics([whole], 1) == {"topics": [{"topic": "a", "sessions": 1}], "cursor": "a"}
    assert merge_topics([], 1) == {"topics": []}


def test_a_user_is_told_with_the_node_of_each_session():
    found = merge_user("7", {"node-1": [{"session": 1}], "node-2": [{"session": 2}, {"session": 3}], "node-3": []})
    assert [(each["session"], each["node"]) for each in found["sessions"]] == [
        (1, "node-1"),
        (2, "node-2"),
        (3, "node-2"),
    ]


def test_nodes_that_are_silent_or_old_are_told():
    state = NodeState("node-1", "i1", "node-1", "26.11", 1, 7, 2, 2.5)
    assert list_nodes(Nodes("e", "r", 9, (state,), old=1)) == {
        "nodes": [
            {
                "node": "node-1",
                "incarnation": "i1",
                "version": "26.11",
                "position": "e:7",
                "sessions": 2,
                "state": "attached",
            },
            {
                "node": "old-1",
                "incarnation": None,
                "version": None,
                "position": None,
                "sessions": None,
                "state": "old",
            },
        ],
        "missing": ["node-1"],
    }
