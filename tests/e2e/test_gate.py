"""The messages of strangers, visitors and backends on a real node: a refusal affects no other client."""

import itertools
import json
import struct

import cbor2
import msgpack
import pytest
from websockets.exceptions import InvalidStatus

from tests.e2e.operator_port import samples, value
from tests.gateway import Node
from tests.wamp import CALL, ERROR, HELLO, INVOCATION, RESULT, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE, Client, Closed

ROLES = {"caller": {}, "subscriber": {}}
MANY = 64 * 1024


def closed_code(client: Client) -> int:
    with pytest.raises(Closed) as closed:
        client.receive_all()
    return closed.value.code


# -- who is calling ----------------------------------------------------------------------------------------------------


def forged(session_id: int, authid: str) -> list[dict[str, object]]:
    who = {"session": session_id, "authid": authid, "authrole": "backend"}
    return [
        {"forward_for": [who]},
        {"forward_for": [who, who]},
        {"caller": session_id, "caller_authid": authid, "caller_authrole": "backend"},
    ]


def test_a_caller_is_who_sent_the_call_whatever_he_says(node):
    with node.join("user:ann") as ann, node.join("user:bob") as bob:
        for number, options in enumerate(forged(ann.session_id, "ann"), 100):
            bob.send(CALL, number, options, "test.whoami", [], {})
            answer = bob.receive()
            assert answer[:2] == [RESULT, number]
            assert (answer[3][0]["id"], answer[3][0]["authid"]) == (bob.session_id, "bob")


def test_nobody_recovers_for_another_session(node, many_ways):
    with node.join("user:ann") as ann, node.join("user:bob") as bob, many_ways.publisher() as publisher:
        ann.subscribe("v1.group.ann")
        position = publisher.push("v1.group.ann", type="t", data="for ann")
        since = position.split(":")[0] + ":0"
        [recovered] = ann.call("io.virge.stork.recover", {"v1.group.ann": since}).values()
        assert [event["data"] for event in recovered["events"]] == ["for ann"]
        for number, options in enumerate(forged(ann.session_id, "ann"), 100):
            bob.send(CALL, number, options, "io.virge.stork.recover", [{"v1.group.ann": since}])
            assert bob.receive()[3] == [{}]


def test_a_backend_sees_who_called_and_its_caller_says_nothing_else(node):
    seen = []

    def remember(*args, **kwargs):
        seen.append(args)
        return "done"

    with node.backend() as callee, node.backend() as caller:
        callee.register("test.forwarded", remember)
        for number, options in enumerate(forged(1, "ann"), 100):
            caller.send(CALL, number, options, "test.forwarded", [], {})
            invocation = callee.receive()
            assert invocation[0] == INVOCATION
            assert invocation[3].get("caller") in (caller.session_id, None)
            assert "forward_for" not in invocation[3]
            assert invocation[3].get("caller_authid") in ("backend", None)


def test_a_session_cannot_fail_the_calls_of_others(node):
    with node.backend() as callee, node.join("user:ann") as ann, node.join("user:bob") as bob:
        callee.register("test.slow-backend", lambda: "answer")
        ann.send(CALL, 1, {}, "test.count", ["x"], {})
        ann.receive()
        with node.backend() as caller:
            caller.send(CALL, 7, {}, "test.slow-backend", [], {})
            invocation = callee.receive()
            bob.send(ERROR, INVOCATION, invocation[1], {}, "wamp.error.canceled")
            assert closed_code(bob) == 1002
            callee._serve(invocation)
            assert caller.receive()[:2] == [RESULT, 7]


# -- bytes -------------------------------------------------------------------------------------------------------------


def hello(**details: object) -> list[object]:
    return [HELLO, "realm1", {"roles": ROLES, "authmethods": ["ticket"], **details}]


CBOR_BOMB = cbor2.dumps(hello(authextra={"x": 0}))[:-1] + bytes([0xD8, 28, 0x82, 0xD8, 29, 0, 0xD8, 29, 0])
BEFORE_JOINING = {
    "cbor that contains itself": ("cbor", CBOR_BOMB, 1007),
    "cbor with a big number": ("cbor", cbor2.dumps(hello(authextra={"x": 2**80})), 1007),
    "cbor with numbers for keys": ("cbor", cbor2.dumps(hello(authextra={"x": {1: 2}})), 1007),
    "cbor of deep lists": ("cbor", b"\x9f" * 60_000, 1007),
    "cbor that promises much": ("cbor", b"\x9b" + b"\xff" * 8, 1007),
    "msgpack with an extension": ("msgpack", msgpack.packb(hello(authextra={"x": msgpack.ExtType(1, b"x")})), 1007),
    "msgpack with numbers for keys": ("msgpack", msgpack.packb(hello(authextra={"x": {1: 2}})), 1007),
    "msgpack of empty maps": ("msgpack", b"\xdc\x03\xe7" + b"\x80" * 999, 1007),
    "json of quotes": ("json", "[" * 111 + '"' + '\\"' * 30_000, 1007),
    "json of many elements": ("json", json.dumps(hello(authextra={"x": [1] * 2_000})), 1007),
    "json with a big number": ("json", json.dumps(hello(authextra={"x": 2**70})), 1007),
    "a lone surrogate": ("json", json.dumps(hello(authextra={"x": "\ud800"})), 1007),
    "no message": ("json", "{}", 1007),
    "a message that comes after joining": ("json", '[32, 1, {}, "v1.open.1"]', 1002),
    "a message of a router": ("json", '[2, 1, {}]', 1002),
    "unknown roles": ("json", json.dumps(hello(roles={"x": {}})), 1002),
    "more than 64 KiB": ("json", json.dumps(hello(authextra={"x": "x" * MANY})), 1009),
    "text where bytes are due": ("cbor", "[]", 1002),
    "bytes where text is due": ("json", b"[]", 1002),
}  # fmt: skip


@pytest.mark.parametrize(("serializer", "message", "code"), BEFORE_JOINING.values(), ids=BEFORE_JOINING)
def test_a_stranger_is_closed_at_once(node, serializer, message, code):
    with node.connect(serializer=serializer) as stranger:
        stranger._socket.send(message)
        assert closed_code(stranger) == code


def test_a_stranger_makes_the_node_keep_64_kib_in_whatever_pieces(node):
    sizes = {1: 70_000, 60_000: 2}
    for size, pieces in sizes.items():
        with node.connect() as stranger:
            try:
                stranger._socket.send(itertools.chain(["["], itertools.repeat(" " * size, pieces)))
            except Exception as error:
                assert "1009" in str(error), error  # noqa: PT017  # it may be told in the middle, or behind all of it
            else:
                assert closed_code(stranger) == 1009


def test_a_visitor_sends_256_kib_and_no_more(node):
    with node.join("user:joe") as joe:
        assert joe.call("test.count", "x" * 200_000) is not None
        joe.send(CALL, 99, {}, "test.count", ["x" * 262_144])
        assert closed_code(joe) == 1009


def test_a_backend_may_send_more(node):
    with node.backend() as backend:
        backend.register("test.large", lambda text: len(text))
        backend.send(CALL, 99, {}, "test.large", ["x" * 3_000_000])
        backend.serve()
        assert backend.receive()[3] == [3_000_000]


def test_a_ping_or_a_close_may_come_before_any_message(node):
    with node.connect() as client:
        assert client.ping()
    with node.connect() as client:
        client._socket.close()  # waits for the node's own close frame
        assert client._socket.close_code == 1000


def test_batches_are_not_offered(node):
    with pytest.raises(InvalidStatus):
        node.connect(serializer="json.batched")


def test_options_that_are_null_are_as_if_they_were_not_there(node):
    with node.join("user:joe") as joe:
        joe.send(SUBSCRIBE, 1, {"match": None, "get_retained": None}, "v1.open.1")
        answer = joe.receive()
        assert answer[:2] == [SUBSCRIBED, 1]
        joe.send(UNSUBSCRIBE, 2, answer[2], None)
        assert joe.receive()[1] == 2


def test_refused_messages_are_counted_and_tell_no_more_than_a_line(node):
    refused = count_refused(node)
    log = len(node.log)
    for _ in range(20):
        with node.connect() as stranger:
            stranger.send_text("nonsense\n" * 100)
            assert closed_code(stranger) == 1007
    assert count_refused(node) == refused + 20
    written = node.log[log:]
    assert "Traceback" not in written
    assert written.count("nonsense") == 0


def count_refused(node: Node) -> float:
    return value(samples(node), "stork_guard_messages_refused_total", case="unreadable")


def test_the_close_frame_has_a_reason_that_fits(node):
    with node.connect() as stranger:
        stranger._socket.send(struct.pack("!I", 1))
        with pytest.raises(Closed) as closed:
            stranger.receive_all()
    assert closed.value.reason == "a text message is JSON, and a binary one is not"
