import json

import pytest

from stork_node.protocol.answers import Answer, decode_answer, encode_refused, encode_stored, encode_tail
from stork_node.protocol.positions import Position
from tests.vector_files import as_bytes, vectors

POSITION = Position("e", 12)


@pytest.mark.parametrize(
    ("frame", "document", "answer"),
    [
        (
            encode_stored("k", POSITION),
            {"ok": True, "id": "k", "position": "e:12"},
            Answer(True, "k", "e:12"),
        ),
        (
            encode_stored(None, POSITION),
            {"ok": True, "id": None, "position": "e:12"},
            Answer(True, None, "e:12"),
        ),
        (
            encode_stored('"\n', POSITION, duplicate=True),
            {"ok": True, "id": '"\n', "position": "e:12", "duplicate": True},
            Answer(True, '"\n', "e:12", True),
        ),
        (
            encode_stored("k", POSITION, warning="nobody gets it"),
            {"ok": True, "id": "k", "position": "e:12", "warning": "nobody gets it"},
            Answer(True, "k", "e:12", warning="nobody gets it"),
        ),
        (
            encode_stored("k", POSITION, duplicate=True, warning="nobody gets it"),
            {"ok": True, "id": "k", "position": "e:12", "duplicate": True, "warning": "nobody gets it"},
            Answer(True, "k", "e:12", True, warning="nobody gets it"),
        ),
        (
            encode_refused("k", "storage_failed", "disk full"),
            {"ok": False, "id": "k", "error": "storage_failed", "reason": "disk full"},
            Answer(False, "k", error="storage_failed", reason="disk full"),
        ),
        (
            encode_refused(None, "invalid_push", "type: missing"),
            {"ok": False, "id": None, "error": "invalid_push", "reason": "type: missing"},
            Answer(False, error="invalid_push", reason="type: missing"),
        ),
        (encode_tail(POSITION), {"ok": True, "position": "e:12"}, Answer(True, position="e:12")),
    ],
)
def test_answers_are_the_documents_of_delivery(frame, document, answer):
    assert json.loads(frame) == document
    assert decode_answer(frame) == answer


@vectors("push_answers", "read")
def test_an_answer_is_read_or_is_none(case):
    answer = decode_answer(as_bytes(case["frame"]))
    expected = case["answer"]
    assert answer == (expected and Answer(**{name: value for name, value in expected.items() if value is not None}))
