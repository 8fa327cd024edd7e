"""CURVE: the PHP client's own against libzmq's, keys from the secret and the push key, and every way to be wrong."""

from __future__ import annotations

from typing import Any

import pytest
import zmq
from php_process import PLAIN, interpreter, run_php
from router_double import RouterDouble, push_key, secret_key

SECRET = "correct horse é"
PUSH = """
$message = new SimpleMessage('t', str_repeat('x', $args['size'] ?? 1));
say(attempt(fn () => (new Publisher($options))->push('v1.test.1', $message)));
"""


def push(transport: str, endpoint: str, *, timeout_ms: int = 20_000, size: int = 1, **keys: Any) -> Any:
    """The outcome of one push."""
    options = {"endpoint": endpoint, "transport": transport, "timeout_ms": timeout_ms, **keys}
    return run_php(PUSH, {"options": options, "size": size}, command=interpreter(transport)).only


@pytest.mark.parametrize("size", [1, 200, 255, 256, 70_000, 1_048_000])
def test_a_push_arrives_encrypted(transport: str, size: int) -> None:
    with RouterDouble(secret=SECRET) as server:
        assert push(transport, server.endpoint, secret=SECRET, size=size) == {"result": "epoch:1"}
        assert server.documents[0]["data"] == "x" * size


def test_the_push_key_alone_is_enough(transport: str) -> None:
    with RouterDouble(secret=SECRET) as server:
        assert push(transport, server.endpoint, push_key=push_key(SECRET)) == {"result": "epoch:1"}


def test_the_secret_may_come_from_the_environment_and_a_push_key_wins(transport: str) -> None:
    with RouterDouble(secret=SECRET) as server:
        options = {"endpoint": server.endpoint, "transport": transport}
        how = {"command": interpreter(transport)}
        assert run_php(PUSH, {"options": options}, environment={"STORK_BUS_SECRET": SECRET}, **how).only == {
            "result": "epoch:1"
        }
        options["push_key"] = push_key(SECRET)
        assert run_php(PUSH, {"options": options}, environment={"STORK_BUS_SECRET": "old"}, **how).only == {
            "result": "epoch:2"
        }


def test_thousands_go_over_one_encrypted_connection(transport: str) -> None:
    code = """
    $publisher = new Publisher($options);
    $pushes = array_map(fn ($i) => ['v1.test.1', new SimpleMessage('t', $i)], range(0, 1999));
    $answers = [...$publisher->pushMany($pushes), $publisher->push('v1.test.1', new SimpleMessage('t', 2000))];
    say(array_map('strval', $answers));
    """
    with RouterDouble(secret=SECRET) as server:
        options = {"endpoint": server.endpoint, "transport": transport, "timeout_ms": 30_000, "secret": SECRET}
        said = run_php(code, {"options": options}, command=interpreter(transport))
        assert said.only == [f"epoch:{n}" for n in range(1, 2002)]
        assert len({arrival.peer for arrival in server.arrivals}) == 1


REFUSED = "the publish server refuses the secret or push key that is used here: it has another one, or none"
NOT_ADMITTED = "the publish server does not admit this key (ZAP 400): is it the push key, of the same secret?"


def wrong(
    server_secret: str, client_secret: str, server_label: str = "push server", client_label: str = "push client"
) -> str:
    """A push key of two halves that need not belong together."""
    server = zmq.curve_public(secret_key(server_secret, server_label))
    return (server + secret_key(client_secret, client_label)).decode()


@pytest.mark.parametrize(
    ("keys", "cause"),
    [
        (
            {"secret": "another"},
            REFUSED,
        ),
        (
            {"push_key": wrong("another", SECRET)},
            REFUSED,
        ),
        ({"push_key": wrong(SECRET, "another")}, NOT_ADMITTED),
        ({"push_key": wrong(SECRET, SECRET, client_label="follow client")}, NOT_ADMITTED),
        ({}, "the publish server wants CURVE, and no secret or push key is set here (STORK_BUS_SECRET)"),
    ],
)
def test_a_wrong_key_or_none_pushes_nothing_and_is_named(transport: str, keys: dict[str, Any], cause: str) -> None:
    with RouterDouble(secret=SECRET) as server:
        said = push(transport, server.endpoint, timeout_ms=400, **keys)
        assert said["thrown"] == "NotConfirmed"
        assert cause in said["cause"]
        assert server.arrivals == []


def test_a_server_without_a_secret_is_not_told_anything(transport: str) -> None:
    with RouterDouble() as server:
        said = push(transport, server.endpoint, timeout_ms=400, secret=SECRET)
        assert said["thrown"] == "NotConfirmed"
        assert "the publish server has no secret (STORK_BUS_SECRET), and one is set here" in said["cause"]
        assert server.arrivals == []


@pytest.mark.parametrize("keys", [{"secret": SECRET}, {"push_key": push_key(SECRET)}])
def test_a_php_without_sodium_says_so(keys: dict[str, str]) -> None:
    command = [*PLAIN, "-d", "disable_functions=sodium_crypto_box"]
    options = {"endpoint": "tcp://127.0.0.1:1", **keys}
    said = run_php(PUSH, {"options": options}, command=command).only
    assert said["thrown"] == "MissingExtension"
    assert (
        said["message"]
        == "PHP's extension sodium is not loaded: a secret or push key is set, and CURVE needs it to encrypt"
    )


def test_a_php_without_sodium_pushes_where_there_is_no_secret(server: RouterDouble) -> None:
    command = [*PLAIN, "-d", "disable_functions=sodium_crypto_box"]
    assert run_php(PUSH, {"options": {"endpoint": server.endpoint}}, command=command).only == {"result": "epoch:1"}


def test_no_dump_and_no_trace_shows_a_key() -> None:
    code = """
    $secret = $options['secret'];
    $publisher = new Publisher($options);
    ob_start();
    var_dump($publisher);
    print_r($publisher);
    foreach ([
        fn () => $publisher->push('v1.test.1', new SimpleMessage('t')),
        fn () => Stork::configure($options + ['bad' => 1]),
    ] as $call) {
        try { $call(); } catch (StorkException $error) { echo $error; var_dump($error, $error->getTrace()); }
    }
    $shown = ob_get_clean();
    $client = hash_hmac('sha256', 'stork push client', $secret, true);
    say([str_contains($shown, $secret), str_contains($shown, $client), strlen($shown) > 500]);
    """
    options = {"endpoint": "tcp://127.0.0.1:1", "secret": "hunter2hunter2", "timeout_ms": 50, "transport": "stream"}
    # Without the arguments that PHP leaves out of traces by default only in production.
    said = run_php(code, {"options": options}, command=[*PLAIN, "-d", "zend.exception_ignore_args=0"])
    assert said.only == [False, False, True]
