import pytest

from stork_node.protocol.push import PositionRequest, decode_push
from stork_node.publish_server.intake import Refusal
from stork_node.publish_server.requests import Arrival, read_pull, read_router
from tests.malformed import NOW, document

PUSH = decode_push(document(), NOW)


@pytest.mark.parametrize(
    ("frames", "envelope"),
    [
        ([b"peer", document()], [b"peer"]),
        ([b"peer", b"", document()], [b"peer", b""]),
        ([b"proxy", b"peer", b"", document()], [b"proxy", b"peer", b""]),
    ],
)
def test_the_envelope_is_what_comes_before_the_document(frames, envelope):
    assert read_router(frames, NOW, 28) == Arrival(PUSH, envelope)


@pytest.mark.parametrize(
    ("frames", "envelope", "reason"),
    [
        ([b"peer"], [b"peer"], "frame: a message of 0 frames, a push document is one"),
        ([b"peer", b""], [b"peer"], "frame: not JSON: it ends too early"),
        ([b"peer", b"", b""], [b"peer", b""], "frame: not JSON: it ends too early"),
        ([b"peer", b"a", b"b"], [b"peer"], "frame: a message of 2 frames, a push document is one"),
        ([b"peer", b"", b"a", b"b"], [b"peer", b""], "frame: a message of 2 frames, a push document is one"),
    ],
)
def test_a_message_that_is_not_one_document_is_refused_in_its_envelope(frames, envelope, reason):
    assert read_router(frames, NOW, 28) == Arrival(Refusal(None, reason), envelope)


def test_a_refused_document_is_answered_with_its_id():
    arrival = read_router([b"peer", document(id="k", type="")], NOW, 28)
    assert arrival.request == Refusal("k", "type: expected a string of length >= 1")


def test_pull_takes_one_frame_and_answers_nobody():
    assert read_pull([document()], NOW, 28) == Arrival(PUSH, [])
    assert read_pull([document(), b""], NOW, 28) == Arrival(
        Refusal(None, "frame: a message of 2 frames, a push document is one"), []
    )


def test_the_position_is_only_asked_for_where_it_is_answered():
    frame = b'{"position":true}'
    assert read_router([b"peer", frame], NOW, 28).request == PositionRequest()
    refused = read_pull([frame], NOW, 28).request
    assert isinstance(refused, Refusal)
    assert refused.reason.startswith("key: 'position' is not one of topics, ")
