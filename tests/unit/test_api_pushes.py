"""Bodies of ``POST /api/push``, and their answers."""

import json

import pytest

from stork_node.api.answers import ApiError
from stork_node.api.keys import ApiKey, TopicPattern
from stork_node.api.pushes import MAX_DOCUMENTS, Ids, PushRequest, answer_of, read_pushes
from stork_node.clients.pending_pushes import StoredPosition
from stork_node.errors import PushRefused
from stork_node.limits.allowance import Allowance
from stork_node.protocol.push import MAX_PUSH_BYTES, PositionRequest, decode_request

KEY = ApiKey("shop", b"", frozenset({"push"}))
NARROW = ApiKey("orders", b"", frozenset({"push"}), (TopicPattern("v1.orders.*"),))
GOOD = {"topics": ["v1.orders.1"], "type": "paid", "data": {"a": [1, "ü"]}}


def body(value):
    return json.dumps(value, ensure_ascii=False).encode()


def take(value, header=None, key=KEY):
    return read_pushes(value if isinstance(value, bytes) else body(value), header, key, Ids())


def refused(value, header=None, key=KEY):
    with pytest.raises(ApiError) as caught:
        take(value, header, key)
    said = json.loads(caught.value.answer.body)
    assert said["ok"] is False
    return caught.value.answer.status, said["error"], said["reason"]


def store(request: PushRequest, sequence=1):
    for push in request.open():
        push.outcome = StoredPosition(f"e:{sequence}")
        push.take_outcome()
        sequence += 1
    return answer_of(request)


def test_a_document_goes_out_with_an_id_and_its_own_bytes():
    request = take(b' \n{"type":"paid","topics":["v1.orders.1"],"data":{"b": 1.50}}')
    [push] = request.open()
    assert push.frame.endswith(b',"type":"paid","topics":["v1.orders.1"],"data":{"b": 1.50}}')
    assert decode_request(push.frame, "2026-01-01T00:00:00Z").id == push.id
    assert json.loads(store(request).body) == {"ok": True, "id": None, "position": "e:1"}


def test_an_id_of_the_body_stays():
    request = take({**GOOD, "id": "mine"})
    [push] = request.open()
    assert (push.id, push.frame) == ("mine", body({**GOOD, "id": "mine"}))
    assert json.loads(store(request).body) == {"ok": True, "id": "mine", "position": "e:1"}


@pytest.mark.parametrize("in_body", [{}, {"id": "key-1"}])
def test_the_idempotency_key_is_the_id(in_body):
    [push] = take({**GOOD, **in_body}, b"key-1").open()
    assert decode_request(push.frame, "2026-01-01T00:00:00Z").id == "key-1"


@pytest.mark.parametrize(
    ("document", "header", "reason"),
    [
        ({**GOOD, "id": "other"}, b"key-1", "id: the Idempotency-Key is another one than the id of the document"),
        (GOOD, b"", "id: the Idempotency-Key has 0 characters, 1 to 128 are allowed"),
        (GOOD, b"x" * 129, "id: the Idempotency-Key has 129 characters, 1 to 128 are allowed"),
        (GOOD, b"\xff", "id: the Idempotency-Key is not UTF-8"),
        ([GOOD], b"key-1", "id: an array takes no Idempotency-Key, each document has its own id"),
        ({"topics": ["v1.orders.1"]}, None, "type: missing"),
        ({**GOOD, "topics": []}, None, "topics: expected a list of length >= 1"),
        (
            {"position": True},
            None,
            "key: 'position' is not one of topics, type, data, timestamp, id, exclude, store, receipt",
        ),
        ("text", None, "frame: expected an object, got str"),
        ({**GOOD, "command": "disconnect"}, None, None),
        ({**GOOD, "data": "x" * MAX_PUSH_BYTES}, None, None),
    ],
)
def test_an_invalid_push_is_refused(document, header, reason):
    status, error, said = refused(document, header)
    assert (status, error) == (422, "invalid_push")
    assert reason in (said, None)


@pytest.mark.parametrize("data", [b"", b"{", b"[", b"[1,", b"{}x", b"\xff", b'{"a":"\xff"}', b'["\xff"]', b"nope"])
def test_a_body_that_is_not_json_is_refused(data):
    status, error, reason = refused(data)
    assert (status, error) == (400, "invalid_json")
    assert reason.startswith(("the body is not JSON: ", "the body is not UTF-8, at byte "))


def test_no_body_becomes_another_request_of_the_publish_server():
    for value in ({"position": True}, {"position": True, **GOOD}, {"command": "forget", "authid": "7"}):
        assert refused(value)[0] == 422
    [push] = take(GOOD).open()
    assert not isinstance(decode_request(push.frame, "2026-01-01T00:00:00Z"), PositionRequest)


def test_a_document_that_its_id_makes_too_large_is_refused():
    longest = {**GOOD, "data": ""}
    longest["data"] = "x" * (MAX_PUSH_BYTES - len(body(longest)))
    assert refused(longest)[:2] == (422, "invalid_push")


def test_each_document_of_an_array_is_answered_in_order():
    request = take([GOOD, {"topics": "x"}, {**GOOD, "id": "b"}, 7])
    assert [push.id for push in request.open()][1] == "b"
    answer = store(request)
    said = json.loads(answer.body)
    assert (answer.status, said["ok"]) == (200, False)
    assert [each.get("position", each.get("error")) for each in said["answers"]] == [
        "e:1",
        "invalid_push",
        "e:2",
        "invalid_push",
    ]


def test_an_empty_array_is_fine():
    request = take([])
    assert answer_of(request).body == b'{"ok":true,"answers":[]}'


def test_an_array_has_a_largest_number_of_documents():
    assert len(list(take([GOOD] * MAX_DOCUMENTS).open())) == MAX_DOCUMENTS
    assert refused([GOOD] * (MAX_DOCUMENTS + 1)) == (
        413,
        "too_large",
        "1,001 documents, at most 1,000 are taken at once",
    )


def test_a_key_pushes_to_its_topics_only():
    assert list(take(GOOD, key=NARROW).open())
    foreign = {**GOOD, "topics": ["v1.orders.1", "v1.news.1"]}
    assert refused(foreign, key=NARROW)[:2] == (403, "forbidden")
    request = take([GOOD, foreign], key=NARROW)
    said = json.loads(store(request).body)
    assert [each["ok"] for each in said["answers"]] == [True, False]
    assert said["answers"][1]["error"] == "forbidden"


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        ("invalid_push", 422, ()),
        ("id_reused", 422, ()),
        ("storage_failed", 503, ((b"Retry-After", b"1"),)),
        ("not_confirmed", 503, ((b"Retry-After", b"1"),)),
        ("of_a_later_release", 503, ((b"Retry-After", b"1"),)),
    ],
)
def test_a_refusal_of_the_publish_server_has_its_status(error, status, headers):
    request = take(GOOD)
    [push] = request.open()
    push.outcome = PushRefused(error, "it says why")
    push.take_outcome()
    answer = answer_of(request)
    assert (answer.status, answer.headers) == (status, headers)
    assert json.loads(answer.body) == {"ok": False, "error": error, "reason": "it says why"}


def test_a_duplicate_is_told():
    request = take({**GOOD, "id": "a"})
    [push] = request.open()
    push.outcome = StoredPosition("e:5")
    push.outcome.duplicate = True
    push.take_outcome()
    assert json.loads(answer_of(request).body) == {"ok": True, "id": "a", "position": "e:5", "duplicate": True}


def test_pushes_a_second_are_limited():
    allowance = Allowance(10, 5, now=0.0)
    assert allowance.take(10, 0.0)
    assert not allowance.take(1, 0.05)
    assert allowance.take(1, 0.11)
    assert not allowance.take(11, 100.0)
    assert Allowance(1, 1_000, now=0.0).take(1_000, 0.0)
