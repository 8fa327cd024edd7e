from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.errors import InvalidCommand
from stork_node.protocol.commands.documents import (
    MAX_COMMAND_BYTES,
    CommandRequest,
    decode_command,
    encode_command,
    is_command,
)
from stork_node.protocol.push import Push, decode_request, readable_id
from tests.malformed import NOW, document, with_data
from tests.vector_files import frame_of, vectors

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)


@vectors("command_documents", "accepted")
def test_an_accepted_command_is_kept_as_given(case):
    request = decode_request(frame_of(case), NOW)
    assert isinstance(request, CommandRequest)
    assert msgspec.to_builtins(request.command) == case["command"]
    assert request.timeout_ms == case["timeout_ms"]


@vectors("command_documents", "refused")
def test_a_malformed_command_is_refused_with_its_reason(case):
    with pytest.raises(InvalidCommand) as caught:
        decode_request(frame_of(case), NOW)
    assert caught.value.reason == case["reason"]


@vectors("command_documents", "accepted")
def test_a_backend_writes_what_the_publish_server_accepts(case):
    told = dict(case["document"])
    assert decode_command(encode_command(told.pop("command"), **told)).command == decode_command(frame_of(case)).command


@vectors("command_documents", "refused")
def test_a_backend_is_told_before_anything_is_sent(case):
    told = dict(case.get("document", {}))
    known = {"command", "authid", "session", "role", "topic", "feed", "reason", "timeout_ms", "id"}
    if None in told.values() or not told or told.keys() - known:
        return  # a keyword argument of None is left out; Python itself refuses others
    with pytest.raises(InvalidCommand) as caught:
        encode_command(told.pop("command"), **told)
    assert caught.value.reason == case["reason"]


def test_a_lone_surrogate_is_refused():
    with pytest.raises(InvalidCommand, match=r"^invalid command: frame: "):
        encode_command("disconnect", authid="\ud800")


@pytest.mark.parametrize(
    "frame",
    [
        document(),
        with_data(b'{"command":"disconnect"}'),
        b'{"topics":["v1.a.b"],"type":"command"}',
        b'["command"]',
        b'{"command":',
        b"[" * 5_000 + b'"command"',
        b'{"command":"' + b"x" * MAX_COMMAND_BYTES + b'"}',
    ],
)
def test_other_documents_are_no_commands(frame):
    assert not is_command(frame)


def test_a_push_about_commands_stays_a_push():
    assert isinstance(decode_request(with_data(b'{"command":"disconnect"}'), NOW), Push)


@given(TEXTS, TEXTS.filter(lambda text: len(text.encode()) <= 123), st.integers(0, 30_000))
def test_commands_come_back_as_they_were_written(authid, reason, timeout_ms):
    frame = encode_command("disconnect", authid=authid, reason=reason, timeout_ms=timeout_ms, id="k")
    request = decode_command(frame)
    assert (request.command.authid, request.command.reason, request.timeout_ms) == (authid, reason, timeout_ms)
    assert readable_id(frame) == "k"


@given(st.binary(max_size=60))
def test_garbage_is_refused_and_nothing_else(garbage):
    frame = b'{"command":"disconnect",' + garbage
    with suppress(InvalidCommand):
        decode_command(frame)
