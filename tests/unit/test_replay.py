"""The words of replay: requests and pages."""

import pytest
from msgspec import structs

from stork_node.errors import InvalidFrame, UnknownProtocol
from stork_node.protocol.replay import (
    EraseRequest,
    Erasing,
    Page,
    PageHeader,
    ReplayRefused,
    ReplayRequest,
    decode_answer,
    decode_erasing,
    decode_request,
    encode_erasing,
    encode_page,
    encode_refusal,
    encode_request,
)

REQUEST = ReplayRequest("0123456789abcdef", 12, "89abcdef", 300.0, 67108864)
HEADER = PageHeader("0123456789abcdef", "89abcdef", 0, 40, 12, 14)


def test_a_request_is_a_line_and_comes_back():
    frame = encode_request(REQUEST)
    assert frame == (
        b'stork 1 replay {"epoch":"0123456789abcdef","after":12,"run":"89abcdef","keep_s":300.0,"keep_bytes":67108864}'
    )
    assert decode_request(frame) == REQUEST


@pytest.mark.parametrize("proof", ["", "0123456789abcdef"])
def test_requests_and_pages_of_a_release_without_proofs_are_read(proof):
    request, header = structs.replace(REQUEST, proof=proof), structs.replace(HEADER, proof=proof)
    assert (b"proof" in encode_request(request)) == (proof != "")
    assert decode_request(encode_request(request)) == request
    assert decode_answer(encode_page(header, [])) == Page(header, [])


def test_a_page_has_a_header_and_the_frames_as_they_were():
    frames = encode_page(HEADER, [b"one", b"two"])
    assert frames[0] == (
        b'stork 1 page {"epoch":"0123456789abcdef","run":"89abcdef","floor":0,"tail":40,"after":12,"last":14}'
    )
    assert decode_answer(frames) == Page(HEADER, [b"one", b"two"])


def test_a_refusal_says_why():
    for decode in (decode_answer, decode_erasing):
        with pytest.raises(ReplayRefused, match="what is this"):
            decode(encode_refusal("what is this"))


def test_a_request_to_erase_is_a_line_and_its_answers_say_how_far_it_is():
    frame = encode_request(EraseRequest("v1.user.7"))
    assert frame == b'stork 1 erase {"topic":"v1.user.7"}'
    assert decode_request(frame) == EraseRequest("v1.user.7")
    for answer, line in (
        (Erasing(12, is_done=False), b'stork 1 erasing {"pushes":12}'),
        (Erasing(40, is_done=True), b'stork 1 erased {"pushes":40}'),
    ):
        assert encode_erasing(answer) == [line]
        assert decode_erasing([line]) == answer


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (b"", InvalidFrame),
        (b"stork 2 replay {}", UnknownProtocol),
        (b"stork 1 replay", InvalidFrame),
        (b"stork 1 replay {}", InvalidFrame),
        (b'stork 1 replay {"epoch":"a","after":-1,"run":"","keep_s":1,"keep_bytes":1}', InvalidFrame),
        (b"stork 1 page {}", InvalidFrame),
        (b"stork 1 replay " + b"[" * 5000, InvalidFrame),
        (encode_request(REQUEST) + b"\n", InvalidFrame),
        (b"stork 1 erase {}", InvalidFrame),
        (encode_request(EraseRequest("v1.a.1")) + b"\n", InvalidFrame),
    ],
)
def test_what_is_no_request_is_refused(frame, error):
    with pytest.raises(error):
        decode_request(frame)


@pytest.mark.parametrize(
    "frames", [[], [b""], [b"stork 1 page {}"], [b"stork 1 page {}\nx"], [encode_request(REQUEST)]]
)
def test_what_is_no_answer_is_refused(frames):
    with pytest.raises(InvalidFrame):
        decode_answer(frames)


@pytest.mark.parametrize(
    "frames",
    [[], [b"stork 1 erased {}"], [b'stork 1 erased {"pushes":-1}'], encode_page(HEADER, []), [b"stork 1 refused {}"]],
)
def test_what_says_nothing_of_an_erasure_is_refused(frames):
    with pytest.raises(InvalidFrame):
        decode_erasing(frames)
