"""Publish servers that are late, gone, cut, or something else: what the PHP client makes of them."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import zmq
from php_process import Php, interpreter, run_php
from raw_server import GREETING, Peer, RawServer, frame, free_port, proxy_to
from router_double import Arrival, RouterDouble, accept

ONE_PUSH = "say(attempt(fn () => (new Publisher($options))->push('v1.test.1', new SimpleMessage('t', 1))));"
FOR_EVER_MS = 600_000  # a PHP that waits for it is ended by its deadline
NOT_REMEMBERED = "usleep(1_100_000);"  # a failure is remembered for a second
IMPATIENT_PUSH = """
$impatient = new Publisher(['timeout_ms' => $args['patience_ms'] ?? 300] + $options);
say(attempt(fn () => $impatient->push('v1.test.1', new SimpleMessage($args['type'] ?? 't'))));
"""


def args(transport: str, endpoint: str, timeout_ms: int = 20_000) -> dict[str, Any]:
    """The arguments of a PHP program with these `$options`."""
    return {"options": {"endpoint": endpoint, "transport": transport, "timeout_ms": timeout_ms}}


def one_push(transport: str, endpoint: str, timeout_ms: int = 20_000) -> Any:
    """The outcome of one push: its `result`, or the exception that was `thrown`."""
    return run_php(ONE_PUSH, args(transport, endpoint, timeout_ms), command=interpreter(transport)).only


def test_a_host_without_an_address_is_named(transport: str) -> None:
    said = one_push(transport, "tcp://no-such-host.invalid:5557", 300)
    assert said["cause"].startswith("nobody answers at tcp://no-such-host.invalid:5557 (is the publish server running")


def test_no_publish_server_is_named_with_endpoint_time_and_cause(transport: str) -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    said = one_push(transport, endpoint, 300)
    assert said["thrown"] == "NotConfirmed"
    assert said["message"] == f"not confirmed by {endpoint} within 300 ms: {said['cause']}"
    assert said["cause"] == f"nobody answers at {endpoint} (is the publish server running there?): connection refused"
    assert (said["endpoint"], said["timeoutMs"]) == (endpoint, 300)
    assert len(said["ids"][0]) == 32


def test_a_name_that_does_not_exist_is_named(transport: str) -> None:
    said = one_push(transport, "tcp://nosuch.invalid:5557", 300)
    assert said["thrown"] == "NotConfirmed"
    assert "nosuch.invalid" in said["cause"]


def test_a_push_waits_for_a_publish_server_that_is_just_starting(transport: str) -> None:
    port = free_port()
    with Php(
        IMPATIENT_PUSH + NOT_REMEMBERED + ONE_PUSH,
        args(transport, f"tcp://127.0.0.1:{port}"),
        command=interpreter(transport),
    ) as php:
        assert php.hear()["thrown"] == "NotConfirmed"
        with RouterDouble(port=port) as server:
            assert php.hear() == {"result": "epoch:1"}
            php.finish()
            assert len(server.documents) == 1


def test_a_send_to_nobody_gives_up_at_once(transport: str) -> None:
    program = """
    $publisher = new Publisher($options);
    foreach (range(1, 5) as $number) {
        say(attempt(fn () => $publisher->send('v1.test.1', new SimpleMessage('t', $number))));
    }
    """
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    said = run_php(program, args(transport, endpoint, FOR_EVER_MS), command=interpreter(transport))
    assert [("refused" in each["cause"], each["thrown"]) for each in said.values] == [(True, "NotConfirmed")] * 5


def test_after_a_failure_only_a_push_to_nobody_gives_up_at_once(transport: str) -> None:
    port = free_port()
    program = IMPATIENT_PUSH + ONE_PUSH + "hear();" + ONE_PUSH
    with Php(program, args(transport, f"tcp://127.0.0.1:{port}", FOR_EVER_MS), command=interpreter(transport)) as php:
        assert php.hear()["thrown"] == "NotConfirmed"
        assert php.hear()["thrown"] == "NotConfirmed"
        with RouterDouble(port=port):
            php.tell()
            assert php.hear() == {"result": "epoch:1"}
            php.finish()


def test_a_push_without_an_answer_is_sent_again_with_the_same_id(transport: str) -> None:
    def answer_the_second(server: RouterDouble, arrival: Arrival) -> None:
        if len(server.arrivals) > 1:
            accept(server, arrival)

    with RouterDouble(answer_the_second) as server:
        assert one_push(transport, server.endpoint, 3000) == {"result": "epoch:1"}
        first, second = server.documents
        assert first == second


def test_a_late_answer_on_the_first_connection_counts(transport: str) -> None:
    def answer_the_first_when_the_second_has_come(server: RouterDouble, arrival: Arrival) -> None:
        if len(server.arrivals) > 1:
            accept(server, server.arrivals[0])

    with RouterDouble(answer_the_first_when_the_second_has_come) as server:
        assert one_push(transport, server.endpoint, 3000) == {"result": "epoch:1"}
        assert len({arrival.peer for arrival in server.arrivals}) == 2


def test_no_answer_at_all_is_not_confirmed(transport: str) -> None:
    with RouterDouble(lambda server, arrival: None) as server:
        said = one_push(transport, server.endpoint, 600)
        assert said["thrown"] == "NotConfirmed"
        assert said["cause"].startswith("no answer")
        assert {document["id"] for document in server.documents} == {said["ids"][0]}
        assert len(server.documents) >= 2


def test_late_answers_are_not_taken_for_those_of_a_later_push(transport: str) -> None:
    def answer_the_first_push_to_everyone_before_the_second(server: RouterDouble, arrival: Arrival) -> None:
        if arrival.document["type"] == "second":
            for earlier in server.arrivals[:-1]:
                server.reply(arrival.peer, {"ok": True, "id": earlier.document["id"], "position": "epoch:999"})
                server.reply(
                    arrival.peer, {"ok": False, "id": earlier.document["id"], "error": "invalid_push", "reason": ""}
                )
            accept(server, arrival)

    with RouterDouble(answer_the_first_push_to_everyone_before_the_second) as server:
        said = run_php(
            """
            $publisher = new Publisher($options);
            $push = fn ($type) => attempt(fn () => $publisher->push('v1.test.1', new SimpleMessage($type)));
            say([$push('first')['thrown'], $push('second')]);
            """,
            args(transport, server.endpoint, 1500),
            command=interpreter(transport),
        )
    assert said.only == ["NotConfirmed", {"result": "epoch:1"}]


def test_an_answer_given_twice_is_not_taken_for_that_of_the_next_push(transport: str) -> None:
    def answer_twice(server: RouterDouble, arrival: Arrival) -> None:
        accept(server, arrival)
        accept(server, arrival)

    code = """
    $publisher = new Publisher($options);
    for ($i = 0; $i < 20; $i++) { $positions[] = $publisher->push('v1.test.1', new SimpleMessage('t')); }
    say($positions);
    """
    with RouterDouble(answer_twice) as server:
        said = run_php(code, args(transport, server.endpoint), command=interpreter(transport))
        assert said.only == [f"epoch:{n}" for n in range(1, 21)]
        assert len(server.documents) == 20


@pytest.mark.parametrize(
    ("garbage", "shown"),
    [
        (b"hello", "'hello'"),
        (b"", "''"),
        (b"\xff\x00\n'", r"'\377\000\n\''"),
        (b"[]", "'[]'"),
        (b"true", "'true'"),
        (b'{"ok": 1}', "'{\"ok\": 1}'"),
        (b'{"ok": true, "id": "x"}', '\'{"ok": true, "id": "x"}\''),
        (b'{"ok": true, "position": "e:x"}', '\'{"ok": true, "position": "e:x"}\''),
        (b"x" * 60_000, "'" + "x" * 40 + "…'"),
    ],
)
def test_an_answer_that_is_none_is_named_and_the_push_sent_again(transport: str, garbage: bytes, shown: str) -> None:
    def respond(server: RouterDouble, arrival: Arrival) -> None:
        if arrival.document["type"] == "never" or len(server.arrivals) == 1:
            server.reply(arrival.peer, garbage)
        else:
            accept(server, arrival)

    with RouterDouble(respond) as server:
        assert one_push(transport, server.endpoint) == {"result": "epoch:1"}
        never = {**args(transport, server.endpoint), "type": "never", "patience_ms": 1500}
        said = run_php(IMPATIENT_PUSH, never, command=interpreter(transport)).only
        assert said["thrown"] == "NotConfirmed"
        assert f"it answered with what is no answer: {shown}" in said["cause"]


def test_an_answer_in_the_envelope_of_a_req_is_named(transport: str) -> None:
    with RouterDouble(
        lambda server, arrival: server.reply(arrival.peer, b"", server.store(arrival.document))
    ) as server:
        said = one_push(transport, server.endpoint, 300)
        assert "it answered in several frames, where an answer is one" in said["cause"]


def test_a_push_is_stored_once_when_its_connection_is_cut_unanswered(transport: str) -> None:
    def store_and_cut_the_first(server: RouterDouble, arrival: Arrival) -> None:
        answer = server.store(arrival.document)
        if len(server.arrivals) > 1:
            server.reply(arrival.peer, answer)
        else:
            proxy.cut()

    code = """
    $answer = (new Publisher($options))->pushMany([['v1.test.1', new SimpleMessage('t')]])[0];
    say([$answer->position, $answer->duplicate]);
    """
    with RouterDouble(store_and_cut_the_first) as server, proxy_to(server.port) as proxy:
        said = run_php(code, args(transport, proxy.endpoint, 3000), command=interpreter(transport))
        assert said.only == ["epoch:1", True]
        assert len(server.positions) == 1


def test_push_many_sends_again_only_what_has_no_answer(transport: str) -> None:
    def cut_in_the_middle(server: RouterDouble, arrival: Arrival) -> None:
        accept(server, arrival)
        # The answers of the first ones have been read: the client has sent more than its first 500.
        if len(server.arrivals) == 900 and len(proxy.connections) == 1:
            proxy.cut()

    code = """
    $pushes = array_map(fn ($i) => ['v1.test.1', new SimpleMessage('t', $i)], range(0, 1999));
    say(array_map('strval', (new Publisher($options))->pushMany($pushes)));
    """
    with RouterDouble(cut_in_the_middle) as server, proxy_to(server.port) as proxy:
        said = run_php(code, args(transport, proxy.endpoint, 4500), command=interpreter(transport))
        assert said.only == [f"epoch:{n}" for n in range(1, 2001)]
        assert len(server.positions) == 2000
        assert [document["data"] for document in server.documents].count(0) == 1
        assert len(proxy.connections) >= 2


def test_a_storage_failure_of_a_second_copy_says_nothing_about_the_first(transport: str) -> None:
    def store_the_first_and_fail_the_second(server: RouterDouble, arrival: Arrival) -> None:
        if len(server.arrivals) == 2:
            failed = {"ok": False, "id": arrival.document["id"], "error": "storage_failed", "reason": "disk full"}
            server.reply(arrival.peer, failed)
            server.reply(server.arrivals[0].peer, server.store(arrival.document))

    with RouterDouble(store_the_first_and_fail_the_second) as server:
        assert one_push(transport, server.endpoint, 3000) == {"result": "epoch:1"}


def test_storage_failures_of_every_copy_but_the_first_leave_it_unconfirmed(transport: str) -> None:
    def fail_all_but_the_first(server: RouterDouble, arrival: Arrival) -> None:
        if len(server.arrivals) > 1:
            failed = {"ok": False, "id": arrival.document["id"], "error": "storage_failed", "reason": "disk full"}
            server.reply(arrival.peer, failed)

    with RouterDouble(fail_all_but_the_first) as server:
        said = one_push(transport, server.endpoint, 900)
        assert said["thrown"] == "NotConfirmed"
        assert "storage_failed: disk full" in said["cause"]


def test_a_publish_server_that_restarts_between_pushes_is_found_again(transport: str) -> None:
    code = """
    $publisher = new Publisher($options);
    for ($i = 0; $i < 3; $i++) {
        hear();
        say(attempt(fn () => $publisher->push('v1.test.1', new SimpleMessage('t', $i))));
    }
    """
    with RouterDouble() as first:
        port = first.port
        with Php(code, args(transport, first.endpoint, 9000), command=interpreter(transport)) as php:
            php.tell()
            assert php.hear() == {"result": "epoch:1"}
            first.close()
            for number in (1, 2):
                with RouterDouble(port=port) as server:
                    php.tell()
                    assert php.hear() == {"result": "epoch:1"}
                    assert [document["data"] for document in server.documents] == [number]
            php.finish()


def test_a_pushed_message_is_not_delivered_after_the_exception(transport: str) -> None:
    port = free_port()
    code = """
    $impatient = new Publisher(['timeout_ms' => $args['patience_ms'] ?? 300] + $options);
    say(attempt(fn () => $impatient->push('v1.test.1', new SimpleMessage('too late'))));
    say(attempt(fn () => $impatient->send('v1.test.1', new SimpleMessage('too late'))));
    hear();
    say((new Publisher($options))->push('v1.test.1', new SimpleMessage('in time')));
    """
    with Php(code, args(transport, f"tcp://127.0.0.1:{port}"), command=interpreter(transport)) as php:
        assert php.hear()["thrown"] == "NotConfirmed"
        assert php.hear()["thrown"] == "NotConfirmed"
        with RouterDouble(port=port) as server:
            php.tell()
            assert php.hear() == "epoch:1"
            php.finish()
            assert [document["type"] for document in server.documents] == ["in time"]


def test_a_silent_server_is_waited_for_no_longer_than_the_timeout(transport: str) -> None:
    with RawServer(lambda peer, number: peer.read_to_the_end()) as server:
        said = one_push(transport, server.endpoint, 300)
        assert said["thrown"] == "NotConfirmed"
        assert said["cause"].startswith("no ZMTP greeting")


def test_a_server_that_hangs_in_the_handshake_is_named(transport: str) -> None:
    def greet_and_stop(peer: Peer, number: int) -> None:
        peer.send(GREETING)
        peer.read_to_the_end()

    with RawServer(greet_and_stop) as server:
        said = one_push(transport, server.endpoint, 300)
        assert said["thrown"] == "NotConfirmed"
        assert said["cause"].startswith("no ZMTP handshake")


def test_a_server_that_closes_at_once_is_named(transport: str) -> None:
    with RawServer(lambda peer, number: None) as server:
        said = one_push(transport, server.endpoint, 300)
        assert said["thrown"] == "NotConfirmed"
        assert "the connection was cut before the ZMTP greeting" in said["cause"]
        assert len(server.connections) > 1


HTTP = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("greeting", "cause"),
    [
        (HTTP, r"it does not speak ZMTP; it began with 'HTTP/1.1 400 Bad Request\r\nConnection: cl…'"),
        (b"-ERR unknown command\r\n", r"it does not speak ZMTP; it began with '-ERR unknown command\r\n'"),
        (b"\xff" + bytes(63), r"it does not speak ZMTP; it began with '\377" + r"\000" * 39 + "…'"),
        (b"\xff" + bytes(8) + b"\x7f\x01\x05\x00\x00", "it speaks an old ZMTP (want 3.0 or later)"),
    ],
)
def test_a_server_of_another_protocol_is_named(greeting: bytes, cause: str) -> None:
    def handle(peer: Peer, number: int) -> None:
        peer.send(greeting)
        peer.read_to_the_end()

    with RawServer(handle) as server:
        said = one_push("stream", server.endpoint, 300)
        assert said["thrown"] == "NotConfirmed"
        assert cause in said["cause"]


def test_libzmq_does_not_take_another_protocol_for_a_publish_server_either(transport: str) -> None:
    def handle(peer: Peer, number: int) -> None:
        peer.send(HTTP)
        peer.read_to_the_end()

    with RawServer(handle) as server:
        assert one_push(transport, server.endpoint, 300)["thrown"] == "NotConfirmed"


@pytest.mark.parametrize(
    ("command", "cause"),
    [
        (b"\x05READY\x0bSocket-Type\0\0\0\x07ROUTER", "its ZMTP handshake is malformed"),
        (b"\x05READY\x0bSocket-Ty", "its ZMTP handshake is malformed"),
        (b"\x05READY", "it is a nameless socket (want the publish server's ROUTER, port 5557 unless told otherwise)"),
        (b"\x05HELLO", "its ZMTP handshake is malformed"),
        (b"\xffREADY", "its ZMTP handshake is malformed"),
        (b"", "its ZMTP handshake is malformed"),
        (b"\x05ERROR\x07go away", "the publish server refused the connection: 'go away'"),
    ],
)
def test_a_handshake_that_goes_wrong_is_named(command: bytes, cause: str) -> None:
    def handle(peer: Peer, number: int) -> None:
        peer.send(GREETING + frame(command, 4))
        peer.read_to_the_end()

    with RawServer(handle) as server:
        said = one_push("stream", server.endpoint, 300)
        assert said["thrown"] == "NotConfirmed"
        assert cause in said["cause"]


@pytest.mark.parametrize(
    ("after", "cause"),
    [
        (frame(b"\x05HELLO", 8), r"it broke off from ZMTP with '\b\006\005HELLO'"),
        (bytes([2]) + (1 << 40).to_bytes(8), "it announced a frame of 1099511627776 bytes, which is no answer"),
        (bytes([2]) + b"\xff" * 8, "it announced a frame of -1 bytes, which is no answer"),
        (frame(b"half an answer")[:-3], "the connection was cut before the answer"),
    ],
)
def test_a_server_that_breaks_off_after_the_handshake_is_named(after: bytes, cause: str) -> None:
    def handle(peer: Peer, number: int) -> None:
        with contextlib.suppress(ConnectionError):  # in 300 ms it connects again and again, and may end in the middle
            peer.greet()
            peer.read_frame()
            peer.send(after)

    with RawServer(handle) as server:
        said = one_push("stream", server.endpoint, 300)
        assert said["thrown"] == "NotConfirmed"
        assert cause in said["cause"]


@pytest.mark.parametrize("name", ["PULL", "PUB", "REP"])
def test_a_socket_of_another_type_is_named(name: str) -> None:
    with RouterDouble(socket_type=zmq.SocketType[name]) as server:
        said = one_push("stream", server.endpoint, 300)
        named = f"it is a {name} socket (want the publish server's ROUTER, port 5557 unless told otherwise)"
        assert named in said["cause"]


def test_the_position_that_nobody_gives_is_not_confirmed(transport: str) -> None:
    with RouterDouble(lambda server, arrival: None) as server:
        code = "say(attempt(fn () => (new Publisher($options))->position()));"
        said = run_php(code, args(transport, server.endpoint, 300), command=interpreter(transport)).only
        assert said["thrown"] == "NotConfirmed"
        assert said["cause"].startswith("no answer")


def test_push_many_says_how_many_are_not_confirmed_and_which(transport: str) -> None:
    def answer_some(server: RouterDouble, arrival: Arrival) -> None:
        if arrival.document["data"] % 3:
            accept(server, arrival)

    code = """
    $pushes = array_map(fn ($i) => ['v1.test.1', new SimpleMessage('t', $i), ['id' => "n$i"]], range(0, 5));
    say(attempt(fn () => (new Publisher($options))->pushMany($pushes)));
    """
    with RouterDouble(answer_some) as server:
        said = run_php(code, args(transport, server.endpoint, 900), command=interpreter(transport)).only
        missing = f"not confirmed by {server.endpoint} within 900 ms (2 of 6 pushes): {said['cause']}"
        assert said["message"] == missing
        assert said["ids"] == {"0": "n0", "3": "n3"}
        assert set(said["answers"]) == {"1", "2", "4", "5"}


def test_the_next_of_several_servers_gets_the_push_with_its_id(transport: str) -> None:
    """Nobody listens at the first, and the second stays silent."""

    def store(server: RouterDouble, arrival: Arrival) -> None:
        server.reply(arrival.peer, {"ok": True, "id": arrival.document["id"], "position": "epoch:7"})

    with RouterDouble(lambda *_: None) as silent, RouterDouble(store) as server:
        nobody = f"tcp://127.0.0.1:{free_port()}"
        options = {"transport": transport, "timeout_ms": 9_000}
        options["endpoint"] = f"{nobody},{silent.endpoint},{server.endpoint}"
        program = "say(attempt(fn () => (new Publisher($options))->push('v1.a.1', new SimpleMessage('t', 1))));"
        assert run_php(program, {"options": options}, command=interpreter(transport)).only["result"] == "epoch:7"
        assert {each.document["id"] for each in silent.arrivals} == {each.document["id"] for each in server.arrivals}
