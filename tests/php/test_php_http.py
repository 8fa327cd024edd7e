"""Pushing from PHP by HTTP, to a server that answers as a test says. e2e/test_http_api.py has a real node."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from php_process import PLAIN, STRICT, run_php

KEY = "a-key-of-the-tests-0123456789"
CURL = ["php", "-n", "-d", "extension=curl", *STRICT]
PUSH = """say(attempt(fn () => Stork::push(['v1.a.1'], new SimpleMessage('t', 1))));"""
MANY = """
$push = fn (int $n) => [['v1.a.1'], new SimpleMessage('t', $n), ['id' => "id-{$n}"]];
say(attempt(fn () => array_map('strval', (new Publisher($options))->pushMany(array_map($push, range(1, $args['n']))))));
"""


def has_curl() -> bool:
    done = subprocess.run([*CURL, "-r", "exit(extension_loaded('curl') ? 0 : 1);"], capture_output=True)
    return done.returncode == 0


@pytest.fixture(params=["stream", "curl"])
def php(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "curl" and not has_curl():
        pytest.skip("this PHP has no extension curl (Debian: php-curl)")
    return PLAIN if request.param == "stream" else CURL


class Server:
    """Answers each request by ``answer(body)``: a status and a value; keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.answer: Callable[[Any], tuple[int, Any]] = store
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._reply(None)

            def do_POST(self) -> None:
                self._reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _reply(self, body: Any) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.asked.append((self.command, self.path, headers, body))
                status, value = outer.answer(body)
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def store(body: Any) -> tuple[int, Any]:
    if body is None:
        return 200, {"position": "e:9"}
    answers = [{"ok": True, "id": each["id"], "position": f"e:{n}"} for n, each in enumerate(body, 1)]
    return 200, {"ok": True, "answers": answers}


def error(status: int, name: str) -> tuple[int, Any]:
    return status, {"ok": False, "error": name, "reason": "it says why"}


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def options(server: Server, **more: Any) -> dict[str, Any]:
    return {"options": {"endpoint": server.url, "api_key": KEY, "timeout_ms": 1500, **more}}


def push(server: Server, php: list[str], **more: Any) -> Any:
    return run_php("Stork::configure($options);" + PUSH, options(server, **more), command=php).only


@pytest.mark.parametrize(
    ("path", "base"), [("", "/api"), ("/", "/api"), ("/api", "/api"), ("/api/push", "/api"), ("/gw/api/", "/gw/api")]
)
def test_a_push_goes_to_the_api_with_its_key(server, php, path, base):
    assert push(server, php, endpoint=server.url + path) == {"result": "e:1"}
    [(method, asked, headers, [document])] = server.asked
    assert (method, asked, headers["authorization"]) == ("POST", f"{base}/push", f"Bearer {KEY}")
    assert headers["content-type"] == "application/json"
    assert (document["topics"], document["type"], document["data"], len(document["id"])) == (["v1.a.1"], "t", 1, 32)


def test_the_key_may_come_from_the_environment(server, php):
    said = run_php(
        "Stork::configure($options);" + PUSH,
        {"options": {"endpoint": server.url}},
        command=php,
        environment={"STORK_API_KEY": KEY},
    )
    assert said.only == {"result": "e:1"}


def test_the_position_is_asked(server, php):
    said = run_php("say((new Publisher($options))->position());", options(server), command=php)
    assert said.only == "e:9"
    assert server.asked[0][:2] == ("GET", "/api/position")


def test_many_go_in_arrays_of_a_thousand(server, php):
    said = run_php(MANY, {**options(server, timeout_ms=20_000), "n": 2001}, command=php)
    assert len(said.only["result"]) == 2001
    assert [len(body) for *_, body in server.asked] == [1000, 1000, 1]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_trouble_is_tried_again_with_the_same_id(server, php, status):
    server.answer = lambda body: store(body) if len(server.asked) > 2 else error(status, "not_confirmed")
    assert push(server, php) == {"result": "e:1"}
    assert len({body[0]["id"] for *_, body in server.asked}) == 1
    assert len(server.asked) == 3


def test_only_documents_without_an_answer_are_sent_again(server, php):
    def half(body: Any) -> tuple[int, Any]:
        status, value = store(body)
        if len(server.asked) == 1:
            value["answers"][1] = {"ok": False, "error": "storage_failed", "reason": "the disk is full"}
        return status, value

    server.answer = half
    said = run_php(MANY, {**options(server), "n": 3}, command=php)
    assert said.only["result"] == ["e:1", "e:1", "e:3"]
    assert [[each["id"] for each in body] for *_, body in server.asked] == [["id-1", "id-2", "id-3"], ["id-2"]]


@pytest.mark.parametrize(("status", "name"), [(401, "unauthorized"), (403, "forbidden"), (413, "too_large")])
def test_a_refused_request_is_final(server, php, status, name):
    server.answer = lambda _: error(status, name)
    said = push(server, php)
    assert (said["thrown"], said["error"]) == ("PushRefused", name)
    assert len(server.asked) == 1
    assert KEY not in json.dumps(said)


def test_a_refused_document_is_told(server, php):
    server.answer = lambda body: (200, {"ok": False, "answers": [error(0, "invalid_push")[1]]})
    assert push(server, php)["error"] == "invalid_push"


@pytest.mark.parametrize(
    "answer", [(200, b"<html>"), (200, {"answers": []}), (302, b""), (404, b"nothing"), (503, b"")]
)
def test_another_answer_confirms_nothing(server, php, answer):
    server.answer = lambda _: answer
    said = push(server, php, timeout_ms=300)
    assert said["thrown"] == "NotConfirmed"
    assert [path for _, path, _, _ in server.asked if path != "/api/push"] == []


def test_nobody_there_is_not_confirmed(server, php):
    said = push(server, php, endpoint="http://127.0.0.1:1", timeout_ms=200)
    assert said["thrown"] == "NotConfirmed"
    assert "http://127.0.0.1:1/api within 200 ms" in said["message"]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"endpoint": "https://"}, "endpoint: 'https://' is not an endpoint (want tcp://HOST:PORT)"),
        ({"endpoint": "http://a b"}, "endpoint: 'http://a b' is not an endpoint (want tcp://HOST:PORT)"),
        ({"endpoint": "http://u:p@h"}, "endpoint: 'http://u:p@h' is not an endpoint (want tcp://HOST:PORT)"),
        ({"endpoint": "http://h/?a=1"}, "endpoint: 'http://h/?a=1' is not an endpoint (want tcp://HOST:PORT)"),
        (
            {"endpoint": "http://h", "api_key": ""},
            "api_key is missing, or has characters that no key has (STORK_API_KEY of the node)",
        ),
        (
            {"endpoint": "http://h", "api_key": "a\nb"},
            "api_key is missing, or has characters that no key has (STORK_API_KEY of the node)",
        ),
        (
            {"endpoint": "tcp://h:1", "api_key": KEY},
            "api_key: the endpoint is not an address of the HTTP API (want https://HOST)",
        ),
    ],
)
def test_a_wrong_setting_is_told(wrong, text):
    said = run_php("say(attempt(fn () => new Publisher($options)));", {"options": {"api_key": KEY, **wrong}}).only
    assert (said["thrown"], text in said["message"]) == ("InvalidSettings", True)


GIVE = "say(attempt(fn () => (new Publisher($options))->command('disconnect', ['authid' => '7', 'id' => 'k'])));"


def obeyed(body: Any) -> tuple[int, Any]:
    nodes = {"node-1": {"sessions": 2}, "node-2": "gone"}
    return 200, {"ok": True, "id": body["id"], "complete": True, "position": "e:9", "nodes": nodes}


def test_a_command_is_given(server, php):
    server.answer = obeyed
    said = run_php(GIVE, options(server), command=php).only["result"]
    assert (said["position"], said["complete"]) == ("e:9", True)
    assert said["nodes"] == {"node-1": {"sessions": 2}, "node-2": "gone"}
    [(method, path, _, body)] = server.asked
    assert (method, path) == ("POST", "/api/command")
    assert body == {"command": "disconnect", "authid": "7", "id": "k"}


def test_a_command_is_given_again_until_it_is_answered(server, php):
    answers = [error(503, "not_confirmed"), (502, b"a proxy"), obeyed({"id": "k"})]
    server.answer = lambda _: answers.pop(0)
    assert run_php(GIVE, options(server), command=php).only["result"]["position"] == "e:9"
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "thrown"),
    [
        (error(422, "invalid_command"), "PushRefused"),
        (error(403, "forbidden"), "PushRefused"),
        ((404, b"no such page"), "NotConfirmed"),
    ],
)
def test_a_command_that_is_refused_is_not_given_again(server, php, answer, thrown):
    server.answer = lambda _: answer
    assert run_php(GIVE, options(server), command=php).only["thrown"] == thrown
    assert len(server.asked) == 1


def test_a_receipt_comes_with_the_answer(server, php):
    receipt = {"node-1": {"sent": 1, "slow": 0, "cut": 0, "excluded": 0}}
    server.answer = lambda body: (
        200,
        {"ok": True, "answers": [{"ok": True, "id": body[0]["id"], "position": "e:9", "receipt": receipt}]},
    )
    code = """
    $pushes = [['v1.a.1', new SimpleMessage('t'), ['receipt' => true]]];
    say((new Publisher($options))->pushMany($pushes)[0]->receipt);
    """
    assert run_php(code, options(server), command=php).only == receipt
    assert server.asked[0][3][0]["receipt"] is True
