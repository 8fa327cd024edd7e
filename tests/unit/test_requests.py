import pytest

from stork_node.protocol.answers import decode_answers, encode_answers, encode_bundle
from stork_node.protocol.commands.documents import decode_command, encode_command
from stork_node.protocol.push import PositionRequest, decode_push
from stork_node.publish_server.intake import Refusal
from stork_node.publish_server.requests import Answers, Arrival, read_all, read_pull, read_router
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


def test_a_command_is_taken_on_the_answered_port_only():
    frame = encode_command("refresh", authid="7", id="k")
    assert read_router([b"peer", frame], NOW, 28) == Arrival(decode_command(frame), [b"peer"])
    refusal = Refusal(None, "command: only the answered port takes commands", "invalid_command")
    assert read_pull([frame], NOW, 28) == Arrival(refusal, [])


def test_a_malformed_command_is_refused_as_one():
    reason = "authid: missing (refresh names exactly one of authid, session)"
    arrival = read_router([b"peer", b'{"command":"refresh","id":"k"}'], NOW, 28)
    assert arrival == Arrival(Refusal("k", reason, "invalid_command"), [b"peer"])


def test_a_bundle_is_many_documents_with_one_envelope():
    arrivals = list(read_all([b"peer", b"", encode_bundle([document(), b"{}", document()])], NOW, 28))
    assert [arrival.request for arrival in arrivals] == [PUSH, Refusal(None, "topics: missing"), PUSH]
    assert all(arrival.envelope is arrivals[0].envelope and arrival.is_bundled for arrival in arrivals)
    assert arrivals[0].envelope == [b"peer", b""]
    assert list(read_all([b"peer", document()], NOW, 28)) == [Arrival(PUSH, [b"peer"])]


@pytest.mark.parametrize(
    "body",
    [
        [b"stork 1 pushes "],
        [b"stork 1 pushes {}"],
        [b"stork 1 pushes []"],
        [b"stork 1 pushes [1"],
        [b"stork 1 pushes [" + b",".join([b"1"] * 1_001) + b"]"],
        [document(), encode_bundle([document()])],
        [b"stork 1 pushes " + b"[" * 100_000],
    ],
)
def test_another_bundle_is_refused(body):
    reason = "frame: not a bundle of 1 to 1,000 documents"
    assert list(read_all([b"peer", *body], NOW, 28)) == [Arrival(Refusal(None, reason), [b"peer"])]


def test_answers_to_one_bundle_go_together_and_all_go_in_order():
    sent: list[list[bytes]] = []
    answers = Answers(sent.append)
    one, two, alone = [b"1"], [b"2"], [b"3"]
    for envelope, answer in ((one, b"a"), (one, b"b"), (two, b"c"), (alone, b"d"), (two, b"e")):
        answers.add(envelope, answer, is_bundled=envelope is not alone)
    answers.flush()
    answers.flush()
    assert sent == [
        [b"1", b"stork 1 answers [a,b]"],
        [b"2", b"stork 1 answers [c]"],
        [b"3", b"d"],
        [b"2", b"stork 1 answers [e]"],
    ]


def test_answers_to_a_bundle_are_read():
    assert decode_answers(b'{"ok":true,"position":"e:1"}') is None
    answers = decode_answers(encode_answers([b'{"ok":true,"id":"a","position":"e:1"}', b'{"ok":true}']))
    assert answers is not None
    assert [answer.id for answer in answers] == ["a"]
    assert decode_answers(b"stork 1 answers [") == []
