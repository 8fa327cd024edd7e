"""The HTTP API of one node, on both of its ports."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from typing import Any

import pytest
import zmq

from stork_node.protocol.commands.leases import Lease, encode_node_request
from tests.book import block
from tests.e2e.http_client import connect, read_to_the_end, request, status
from tests.e2e.operator_port import samples, value
from tests.gateway import ROOT, STORK, TICKET, Deployment, wait_for
from tests.stubborn import Stubborn, message
from tests.wamp import SUBSCRIBE, Aborted, Closed, Refused

KEY = "a-key-of-the-tests-0123456789"
PUSHER, READER, NARROW = ("push-" + "p" * 20, "read-" + "r" * 20, "narrow-" + "n" * 20)
COMMANDER = "command-" + "c" * 20
ZERO = {"sessions": 0}
SLOW_S = 2
JSON = "Content-Type: application/json"
GOOD = {"topics": ["v1.test.1"], "type": "hello", "data": {"a": 1}}


class Api:
    """One connection that is kept; ``ask`` returns the status, the headers and the JSON."""

    def __init__(self, port: int, key: str = KEY) -> None:
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.key = key

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
        sent = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, data, sent)
        answer = self.connection.getresponse()
        said = answer.read()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, json.loads(said) if said else None

    def push(self, body: Any, **headers: str) -> tuple[int, Any]:
        status, _, said = self.ask("POST", "/api/push", body, **headers)
        return status, said

    def command(self, body: Any, **headers: str) -> tuple[int, Any]:
        status, _, said = self.ask("POST", "/api/command", body, **headers)
        return status, said

    def get(self, path: str) -> tuple[int, Any]:
        status, _, said = self.ask("GET", path)
        return status, said

    def error(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        status, _, said = self.ask(method, path, body, **headers)
        assert said["ok"] is False
        assert said["reason"]
        return status, said["error"]


def with_keys(config: dict[str, Any]) -> None:
    keys = config["workers"][0]["components"][4]["extra"]["keys"]
    keys.append({"name": "pusher", "key": PUSHER, "rights": ["push"]})
    keys.append({"name": "reader", "key": "${READER_KEY}", "rights": ["read"]})
    keys.append({"name": "narrow", "key": NARROW, "rights": ["push", "read"], "topics": ["v1.test.*"]})
    keys.append({"name": "commander", "key": COMMANDER, "rights": ["command"], "topics": ["v1.test.*"]})
    config["workers"][0]["transports"][0]["options"]["client_timeout"] = SLOW_S


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    environ = {"STORK_API_KEY": KEY, "READER_KEY": READER, "STORK_NODE_NAME": "node-1"}
    with Deployment(tmp_path_factory.mktemp("http-api"), environ=environ, change=with_keys) as deployment:
        deployment.start_publish_server()
        deployment.start_node()
        yield deployment


@pytest.fixture
def port(deployment: Deployment) -> int:
    return deployment.nodes[0].port


@pytest.fixture(params=["public", "operator"])
def api(deployment: Deployment, port: int, request: pytest.FixtureRequest) -> Iterator[Api]:
    api = Api(port if request.param == "public" else deployment.operator_ports[port])
    yield api
    api.connection.close()


def test_a_push_reaches_a_browser(deployment, api):
    with deployment.nodes[0].join() as client:
        client.subscribe("v1.test.1")
        status, said = api.push(GOOD)
        assert (status, said["ok"], said["id"]) == (200, True, None)
        _, event, kwargs = client.event()
        assert (event["type"], event["data"], kwargs["position"]) == ("hello", {"a": 1}, said["position"])


def test_the_line_of_the_book_pushes(deployment, port):
    line = block("http push").replace("8080", str(port))
    environ = {**os.environ, "STORK_API_KEY": KEY}
    said = subprocess.run(["bash", "-c", line], env=environ, capture_output=True, text=True, timeout=30).stdout
    # The shipped app declares no feed v1.orders: a warning says so.
    assert json.loads(said).keys() - {"warning"} == {"ok", "id", "position"}


@pytest.mark.parametrize("flags", [["-n"], []], ids=["no extension", "its extensions"])
def test_php_pushes_with_a_url_and_a_key(port, flags):
    code = f"""
        require '{ROOT}/node/php/autoload.php';
        Stork\\Stork::configure(['endpoint' => 'http://127.0.0.1:{port}', 'api_key' => '{KEY}']);
        $stored = Stork\\Stork::push('v1.test.1', new Stork\\SimpleMessage('hello', ['a' => 1]));
        echo json_encode([$stored, Stork\\Stork::position()]);
    """
    done = subprocess.run(["php", *flags, "-r", code], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    stored, position = json.loads(done.stdout)
    assert stored == position


def test_an_idempotency_key_is_stored_once(api):
    key = f"once-{api.port}"
    first, again = api.push(GOOD, Idempotency_Key=key)[1], api.push({**GOOD, "id": key})[1]
    assert (again["position"], again["duplicate"], again["id"]) == (first["position"], True, key)
    assert api.error("POST", "/api/push", {**GOOD, "type": "other"}, Idempotency_Key=key) == (422, "id_reused")
    assert api.error("POST", "/api/push", {**GOOD, "id": "x"}, Idempotency_Key=key) == (422, "invalid_push")


def test_a_push_that_nobody_can_get_is_stored_with_a_warning(api):
    wait_for(lambda: "warning" in api.push({**GOOD, "topics": ["v1.tset.1"]})[1], "the node has said its feeds")
    assert "warning" not in api.push(GOOD)[1]


def test_an_array_is_answered_in_order(deployment, api):
    bad = {"topics": ["nonsense"], "type": "x"}
    status, said = api.push([GOOD, bad] * 500)
    assert (status, said["ok"], len(said["answers"])) == (200, False, 1000)
    assert all(answer["ok"] for answer in said["answers"][::2])
    assert {answer["error"] for answer in said["answers"][1::2]} == {"invalid_push"}
    numbers = [int(answer["position"].partition(":")[2]) for answer in said["answers"][::2]]
    assert numbers == sorted(set(numbers))
    assert api.push([GOOD])[1]["ok"] is True
    assert api.error("POST", "/api/push", [GOOD] * 1001) == (413, "too_large")


def test_a_key_is_needed_for_everything(port, deployment):
    for each in (port, deployment.operator_ports[port]):
        for key in ("", "another-key-of-20-characters", KEY[:-1]):
            stranger = Api(each, key)
            for path in ("/api/push", "/api/position", "/api/openapi.json", "/api/nothing", "/api"):
                status, headers, said = stranger.ask("GET", path)
                assert (status, headers["www-authenticate"], said["error"]) == (401, "Bearer", "unauthorized")
            stranger.connection.close()


def test_a_key_may_come_in_another_header(api):
    api.key = ""
    assert api.ask("GET", "/api/position", X_API_Key=KEY)[0] == 200
    assert api.ask("GET", "/api/position", Authorization=f"bearer {KEY}")[0] == 200
    assert api.ask("GET", "/api/position", Authorization=f"Basic {KEY}")[0] == 401


def test_a_key_has_its_rights_and_topics_only(port):
    pusher, reader, narrow = Api(port, PUSHER), Api(port, READER), Api(port, NARROW)
    assert pusher.push(GOOD)[0] == 200
    assert pusher.error("GET", "/api/position") == (403, "forbidden")
    assert pusher.error("POST", "/api/call", {"procedure": "a.b"}) == (403, "forbidden")
    assert reader.get("/api/position")[0] == 200
    assert reader.error("POST", "/api/push", GOOD) == (403, "forbidden")
    assert narrow.push(GOOD)[0] == 200
    assert narrow.error("POST", "/api/push", {**GOOD, "topics": ["v1.orders.1"]}) == (403, "forbidden")
    assert narrow.error("GET", "/api/topics/v1.orders.1/history") == (403, "forbidden")
    for each in (pusher, reader, narrow):
        assert each.get("/api/openapi.json")[0] == 200
        each.connection.close()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/api/push", "POST"), ("DELETE", "/api/push", "POST"), ("POST", "/api/position", "GET, HEAD")],
)
def test_another_method_is_not_allowed(api, method, path, allowed):
    status, headers, said = api.ask(method, path)
    assert (status, headers["allow"], said["error"]) == (405, allowed, "method_not_allowed")


def test_what_is_not_there_is_not_found(api):
    assert api.error("GET", "/api/nothing") == (404, "not_found")
    assert api.error("POST", "/api/push/x", GOOD) == (404, "not_found")


@pytest.mark.parametrize("wrong", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
def test_another_content_type_is_refused(api, wrong):
    assert api.error("POST", "/api/push", GOOD, Content_Type=wrong) == (415, "unsupported_media_type")
    assert api.push(GOOD, Content_Type="application/JSON; charset=utf-8")[0] == 200


@pytest.mark.parametrize("data", [b"{", b"", b"\xff", b"[1"])
def test_a_body_that_is_not_json_is_refused(api, data):
    assert api.error("POST", "/api/push", data) == (400, "invalid_json")


def test_no_page_of_another_site_gets_more(api):
    status, headers, _ = api.ask("OPTIONS", "/api/push", Access_Control_Request_Method="POST")
    assert status == 405
    assert not [name for name in headers if name.startswith("access-control")]


def head(*headers: str, line: str = "POST /api/push HTTP/1.1") -> bytes:
    return request(f"Authorization: Bearer {KEY}", JSON, *headers, line=line)


def test_too_large_a_body_is_refused_before_it_comes(port, deployment):
    for each in (port, deployment.operator_ports[port]):
        with connect(each) as client:
            client.sendall(head(f"Content-Length: {(16 << 20) + 1}"))
            answer = read_to_the_end(client)
        assert status(answer) == 413
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"] == "too_large"


def test_a_long_body_of_a_stranger_is_not_read(port):
    with connect(port) as client:
        client.sendall(request(JSON, "Content-Length: 1000000", line="POST /api/push HTTP/1.1") + b"[")
        assert status(read_to_the_end(client)) == 401


def test_a_body_in_chunks_is_refused(port):
    with connect(port) as client:
        client.sendall(head("Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n")
        assert status(read_to_the_end(client)) == 411


def test_a_body_of_16_mib_is_taken(api):
    text = "x" * ((1 << 20) - 200)
    status, said = api.push([{**GOOD, "store": False, "data": text}] * 15)
    assert (status, said["ok"]) == (200, True)
    assert api.error("POST", "/api/push", {**GOOD, "data": text + "x" * 1000}) == (422, "invalid_push")


def test_a_slow_body_is_cut_and_others_go_on(port):
    api = Api(port)
    with connect(port) as client:
        client.sendall(head("Content-Length: 100") + b'{"topics"')
        assert api.push(GOOD)[0] == 200
        assert read_to_the_end(client) == b""
    assert api.push(GOOD)[0] == 200
    api.connection.close()


def answers(client: socket.socket, number: int) -> list[Any]:
    found = []
    with client.makefile("rb") as stream:
        for _ in range(number):
            assert stream.readline().startswith(b"HTTP/1.1 200")
            size = 0
            while (line := stream.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            found.append(json.loads(stream.read(size)))
    return found


def test_pipelined_requests_are_answered_in_order(port, deployment):
    for each in (port, deployment.operator_ports[port]):
        bodies = [json.dumps({**GOOD, "id": f"pipe-{each}-{n}"}).encode() for n in range(50)]
        data = b"".join(head(f"Content-Length: {len(body)}") + body for body in bodies)
        with connect(each) as client:
            client.sendall(data)
            found = answers(client, 50)
        assert [answer["id"] for answer in found] == [f"pipe-{each}-{n}" for n in range(50)]
        numbers = [int(answer["position"].partition(":")[2]) for answer in found]
        assert numbers == sorted(numbers)


def test_a_client_that_is_gone_hurts_nobody(deployment, port):
    api = Api(port)
    body = json.dumps({**GOOD, "id": "of-one-that-left"}).encode()
    for _ in range(20):
        with connect(port) as client, contextlib.suppress(OSError):
            client.sendall((head(f"Content-Length: {len(body)}") + body) * 3)
    # What was stored for one that has left is known by its id.
    wait_for(lambda: api.push({**GOOD, "id": "of-one-that-left"})[1].get("duplicate"), "a push of one that left")
    api.connection.close()
    assert "Traceback" not in deployment.nodes[0].log


def test_head_is_get_without_a_body(api):
    assert api.ask("HEAD", "/api/position")[::2] == (200, None)
    assert api.ask("HEAD", "/api/push")[::2] == (405, None)
    assert api.get("/api/position")[0] == 200


def test_the_position_is_that_of_the_last_push(api):
    position = api.push(GOOD)[1]["position"]
    assert api.get("/api/position") == (200, {"position": position})
    assert api.error("GET", "/api/position?x=1") == (400, "invalid_request")


def test_a_history_goes_on_after_a_position(api):
    topic = f"v1.test.history-{api.port}"
    before = api.get("/api/position")[1]["position"]
    last = [api.push({"topics": [topic], "type": "n", "data": n})[1]["position"] for n in range(5)][-1]
    path = f"/api/topics/{topic}/history?since={urllib.parse.quote(before)}"
    wait_for(lambda: len(api.get(path)[1]["events"]) == 5, "all five events")
    status, page = api.get(path)
    assert (status, page["recovered"], page["position"]) == (200, True, last)
    assert [event["data"] for event in page["events"]] == [0, 1, 2, 3, 4]
    first = api.get(path + "&limit=2")[1]
    assert ([event["data"] for event in first["events"]], first["more"]) == ([0, 1], True)
    rest = api.get(f"/api/topics/{topic}/history?since={urllib.parse.quote(first['position'])}")[1]
    assert [event["data"] for event in rest["events"]] == [2, 3, 4]
    unknown = {"recovered": False, "position": last, "events": []}
    for since in ("other:1", "nonsense", ""):
        assert api.get(f"/api/topics/{topic}/history?since={since}") == (200, unknown)
    assert api.get(f"/api/topics/{topic}/history") == (200, unknown)
    epoch = last.partition(":")[0]
    assert api.error("GET", f"/api/topics/{topic}/history?since={epoch}:9007199254740991") == (503, "not_ready")
    assert api.error("GET", f"/api/topics/{topic}/history?since={last}&limit=0") == (400, "invalid_request")


def topic_of(topic: str, sessions: int, *missing: str) -> dict[str, Any]:
    return {"topic": topic, "sessions": {"node-1": sessions}, "missing": list(missing)}


def test_topics_have_their_sessions(deployment, api):
    node = deployment.nodes[0]
    with node.join() as one, node.join() as two:
        for topic in ("v1.test.a", "v1.test.b", "v1.test.c"):
            one.subscribe(topic)
        two.subscribe("v1.test.b")
        found = api.get("/api/topics?prefix=v1.test.")[1]
        assert [(each["topic"], each["sessions"]) for each in found["topics"]] == [
            ("v1.test.a", 1),
            ("v1.test.b", 2),
            ("v1.test.c", 1),
        ]
        page = api.get("/api/topics?prefix=v1.test.&limit=2")[1]
        assert (len(page["topics"]), page["cursor"]) == (2, "v1.test.b")
        rest = api.get("/api/topics?prefix=v1.test.&cursor=v1.test.b")[1]
        assert rest == {"topics": [{"topic": "v1.test.c", "sessions": 1}], "missing": []}
        assert api.get("/api/topics/v1.test.b") == (200, topic_of("v1.test.b", 2))
    assert api.get("/api/topics/no%2Fsuch%20topic") == (200, topic_of("no/such topic", 0))
    assert api.error("GET", "/api/topics?limit=1001") == (400, "invalid_request")


def test_a_receipt_says_what_became_of_a_push(deployment, api):
    with deployment.nodes[0].join() as one, deployment.nodes[0].join() as two:
        for client in (one, two):
            client.subscribe("v1.test.receipt")
        body = {"topics": ["v1.test.receipt"], "type": "t", "receipt": True, "exclude": [two.session_id]}
        status, stored = api.push(body)
        assert (status, stored["receipt"]) == (200, {"node-1": {"sent": 1, "slow": 0, "cut": 0, "excluded": 1}})
        answers = api.push([{**GOOD, "id": f"before-{api.port}"}, body, GOOD])[1]["answers"]
        assert [each["receipt"]["node-1"]["sent"] if "receipt" in each else None for each in answers] == [None, 1, None]
        numbers = [int(each["position"].partition(":")[2]) for each in answers]
        assert numbers == sorted(numbers)


def test_a_user_has_sessions_with_their_topics(deployment, api):
    node = deployment.nodes[0]
    with node.join(authid="ann/1") as one, node.join(authid="ann/1") as two, node.join(authid="bob"):
        for topic in ("v1.test.b", "v1.test.a"):
            one.subscribe(topic)
        status, found = api.get("/api/users/ann%2F1")
        assert (status, found["authid"], found["missing"]) == (200, "ann/1", [])
        told = {each["session"]: each for each in found["sessions"]}
        assert set(told) == {one.session_id, two.session_id}
        since = told[one.session_id].pop("since")
        assert 0 <= time.time() - datetime.fromisoformat(since).timestamp() < 60
        assert told[one.session_id] == {
            "session": one.session_id,
            "node": "node-1",
            "address": "127.0.0.1",
            "topics": ["v1.test.a", "v1.test.b"],
            "waiting_bytes": 0,
        }
    assert api.get("/api/users/nobody") == (200, {"authid": "nobody", "sessions": [], "missing": []})


def test_the_nodes_are_known(deployment, api):
    wait_for(lambda: api.get("/api/nodes")[1]["nodes"], "the node to attach")
    with deployment.nodes[0].join():
        wait_for(lambda: api.get("/api/nodes")[1]["nodes"][0]["sessions"] == 1, "the lease after the join")
        [node] = api.get("/api/nodes")[1]["nodes"]
        assert (node["node"], node["state"], node["version"]) == ("node-1", "attached", version("stork-node"))
        assert set(node) == {"node", "incarnation", "version", "position", "sessions", "state"}
        assert node["position"].partition(":")[0] == api.get("/api/position")[1]["position"].partition(":")[0]


def test_a_node_that_says_nothing_is_missing(deployment, port):
    api = Api(port)
    with zmq.Context() as context, context.socket(zmq.DEALER) as silent, deployment.nodes[0].join() as client:
        silent.linger = 1_000
        silent.connect(deployment.replay)
        client.subscribe("v1.test.missing")
        silent.send(encode_node_request(Lease("silent", "node-2")))
        try:
            silent.recv()
            assert api.get("/api/topics/v1.test.missing") == (200, topic_of("v1.test.missing", 1, "node-2"))
            assert [each["node"] for each in api.get("/api/nodes")[1]["nodes"]] == ["node-1", "node-2"]
            status, given = api.command({"command": "disconnect", "authid": "nobody", "timeout_ms": 0})
            assert (status, given["complete"], given["nodes"]["node-2"]) == (200, False, "pending")
        finally:
            silent.send(encode_node_request(Lease("silent", "node-2", leaves=True)))
            silent.recv()
        path = f"/api/command/{urllib.parse.quote(given['position'])}"
        wait_for(lambda: api.get(path)[1]["complete"], "node-1 to obey")
        assert api.get(path) == (200, {**given, "complete": True, "nodes": {"node-1": ZERO, "node-2": "gone"}})
        assert api.get("/api/topics/v1.test.missing") == (200, topic_of("v1.test.missing", 1))
    api.connection.close()


def test_a_command_is_obeyed_once_with_its_id(deployment, api):
    with deployment.nodes[0].join(authid="ann") as out, deployment.nodes[0].join(authid="bob") as stays:
        body = {"command": "disconnect", "authid": "ann", "reason": "signed out"}
        id = f"out-{api.port}"
        status, given = api.command(body, Idempotency_Key=id)
        assert (status, given["ok"], given["id"], given["complete"]) == (200, True, id, True)
        assert given["nodes"] == {"node-1": {"sessions": 1}}
        with pytest.raises(Closed):
            out.receive_all()
        assert api.command(body, Idempotency_Key=id) == (200, given)
        assert api.command({**body, "id": id}) == (200, given)
        assert api.error("POST", "/api/command", {**body, "authid": "b"}, Idempotency_Key=id) == (422, "id_reused")
        assert api.error("POST", "/api/push", GOOD, Idempotency_Key=id) == (422, "id_reused")
        assert api.get(f"/api/command/{urllib.parse.quote(given['position'])}") == (200, {**given, "id": None})
        stays.call("virge.stork.example.foo", name="x")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"command": "disconnect"}, (422, "invalid_command")),
        ({"command": "disconnect", "authid": "7", "session": 1}, (422, "invalid_command")),
        ({"command": "ban", "authid": "7"}, (422, "invalid_command")),
        ({"command": "refresh", "authid": "7", "timeout_ms": 30_001}, (422, "invalid_command")),
        ({"authid": "7"}, (422, "invalid_command")),
        (GOOD, (422, "invalid_command")),
        ([{"command": "refresh", "authid": "7"}], (422, "invalid_command")),
        ({"command": "refresh", "authid": "7", "id": "another"}, (422, "invalid_command")),
        (b"{", (400, "invalid_json")),
        (b"\xff", (400, "invalid_json")),
        (b"", (400, "invalid_json")),
        ({"command": "refresh", "authid": "x" * 20_000}, (413, "too_large")),
    ],
)
def test_a_bad_command_is_refused(port, body, expected):
    api = Api(port)
    assert api.error("POST", "/api/command", body, Idempotency_Key="one") == expected
    api.connection.close()


def test_commands_need_their_right_and_topics(port):
    disconnect = {"command": "disconnect", "topic": "v1.test.1"}
    for key in (PUSHER, READER, NARROW):
        api = Api(port, key)
        assert api.error("POST", "/api/command", disconnect) == (403, "forbidden")
        api.connection.close()
    api = Api(port, COMMANDER)
    assert api.error("GET", "/api/nodes") == (403, "forbidden")
    assert api.error("POST", "/api/command", disconnect) == (403, "forbidden")
    assert api.error("POST", "/api/command", {"command": "unsubscribe", "topic": "v1.a.b"}) == (403, "forbidden")
    assert api.command({"command": "unsubscribe", "topic": "v1.test.nobody"})[0] == 200
    assert api.command({"command": "forget", "feed": "v1.test"})[0] == 200
    for position in ("nonsense", "other:1", api.command({"command": "forget", "feed": "v1.test"})[1]["position"] + "9"):
        assert api.error("GET", f"/api/command/{urllib.parse.quote(position)}") == (404, "not_found")
    api.connection.close()
    narrow = Api(port, NARROW)
    assert narrow.error("GET", "/api/users/ann") == (403, "forbidden")
    assert narrow.error("GET", "/api/topics/v1.orders.1") == (403, "forbidden")
    narrow.connection.close()


# -- why a user did not get an event -----------------------------------------------------------------------------------


@contextlib.contextmanager
def asking(port: int, key: str = KEY) -> Iterator[Api]:
    api = Api(port, key)
    try:
        yield api
    finally:
        api.connection.close()


class Story:
    """Pushes to one topic, and asks why a user did or did not get them."""

    def __init__(self, deployment: Deployment, topic: str, user: str) -> None:
        self.node, self.topic, self.user = deployment.nodes[0], topic, user

    def push(self, data: Any = None, **keys: Any) -> str:
        with asking(self.node.port) as api:
            position: str = api.push({"topics": [self.topic], "type": "t", "data": data, **keys})[1]["position"]
        return position

    def is_here(self) -> bool:
        with asking(self.node.port) as api:
            return bool(api.get(f"/api/users/{self.user}")[1]["sessions"])

    def ask(self, position: str | None = None) -> dict[str, Any]:
        asked = {"topic": self.topic, "user": self.user} | ({"position": position} if position else {})
        with asking(self.node.port) as api:
            status, answer = api.get(f"/api/why?{urllib.parse.urlencode(asked)}")
        assert (status, answer["missing"]) == (200, [])
        return answer

    def cause(self, position: str | None) -> dict[str, Any]:
        """The only cause, once the node has come to the position."""
        wait_for(lambda: self.ask(position)["causes"][0]["cause"] != "pending", "the push to come")
        [cause] = self.ask(position)["causes"]
        assert cause.get("node", "node-1") == "node-1"
        return cause


def is_between(cause: dict[str, Any], start: float, end: float) -> bool:
    return start - 0.2 <= datetime.fromisoformat(cause["at"]).timestamp() <= end + 0.2


def test_why_delivered_excluded_and_not_subscribed(deployment):
    story = Story(deployment, "v1.test.why", "why-1")
    with story.node.join(authid="why-1") as client:
        before = story.push()
        assert story.cause(before) == {"cause": "not_subscribed", "node": "node-1", "session": client.session_id}
        began = time.time()
        subscription = client.subscribe(story.topic)
        position = story.push()
        client.event()
        delivered = story.cause(position)
        assert (delivered["cause"], delivered["session"]) == ("delivered", client.session_id)
        assert is_between(delivered, began, time.time())
        assert story.ask() == story.ask(position)
        assert story.cause(before)["cause"] == "not_subscribed"
        assert story.cause(story.push(exclude=[client.session_id]))["cause"] == "excluded"
        client.unsubscribe(subscription)
        ended = time.time()
        assert is_between(found := story.cause(story.push()), began, ended)
        assert found["cause"] == "not_subscribed"
        assert story.cause(position) == delivered


def test_why_denied_by_whom_and_when(deployment):
    story = Story(deployment, "v1.user.ann", "why-2")
    began = time.time()
    with story.node.join(authid="why-2") as client, pytest.raises(Refused):
        client.subscribe(story.topic)
    with story.node.join(authid="why-2") as client:
        with pytest.raises(Refused):
            client.subscribe(story.topic)
        denied = story.cause(story.push())
        assert (denied["cause"], denied["by"], denied["session"]) == ("denied", "application", client.session_id)
        assert "is_own_topic" in denied["reason"]
        assert is_between(denied, began, time.time())


def test_why_offline_since_and_recovered(deployment):
    story = Story(deployment, "v1.test.offline", "why-3")
    with story.node.join(authid="why-3") as client:
        client.subscribe(story.topic)
        read = story.push()
        client.event()
        left = time.time()
    wait_for(lambda: not story.is_here(), "the leave")
    missed = story.push()
    offline = story.cause(missed)
    assert offline["cause"] == "offline"
    assert is_between(offline, left, time.time())
    with story.node.join(authid="why-3") as client:
        client.subscribe(story.topic)
        client.call("io.virge.stork.recover", {story.topic: read})
        recovered = story.cause(missed)
        assert (recovered["cause"], recovered["session"]) == ("recovered", client.session_id)
        assert story.cause(read)["cause"] == "delivered"
    story.user = "nobody"
    assert story.cause(missed) == {"cause": "offline"}


def test_why_the_join_was_refused(deployment):
    story = Story(deployment, "v1.test.refused", "why-5")
    began = time.time()
    with pytest.raises(Aborted):
        story.node.join("another ticket", authid="why-5")
    refused = story.cause(story.push())
    assert (refused["cause"], refused["by"]) == ("join_refused", "application")
    assert "wrong ticket" in refused["reason"]
    assert is_between(refused, began, time.time())


def test_why_slow_and_cut(deployment):
    story = Story(deployment, "v1.test.slow", "guest")
    with Stubborn(story.node.port, receive_bytes=4096) as client:
        client.join(TICKET)
        client.say(message(SUBSCRIBE, 1, {}, story.topic))
        client.hear()
        first = story.push()
        began = time.time()
        # What the kernel takes is delivered as far as this node can tell.
        positions = [story.push("x" * 900_000) for _ in range(20)]
        wait_for(lambda: not story.is_here(), "the cut")
    assert story.cause(first)["cause"] == "delivered"
    slow = story.cause(positions[-1])
    assert slow["cause"] == "slow"
    assert "waiting" in slow["reason"]
    assert is_between(slow, began, time.time())


def test_why_unknown_and_not_pushed(deployment):
    story = Story(deployment, "v1.test.unknown", "why-4")
    assert story.ask("other:7")["causes"][0]["cause"] == "unknown"
    position = Story(deployment, "v1.test.known", "why-4").push()
    assert story.cause(position) == {"cause": "not_pushed"}
    with asking(story.node.port) as api:
        for query in ("", "topic=a", "topic=a&user=b&position=c", "topic=a&user=b&x=y"):
            assert api.error("GET", f"/api/why?{query}") == (400, "invalid_request")
    with asking(story.node.port, NARROW) as api:
        assert api.error("GET", "/api/why?topic=v1.test.1&user=b") == (403, "forbidden")


def test_why_by_the_command(deployment):
    story = Story(deployment, "v1.test.cli", "why-5")
    with story.node.join(authid="why-5") as client:
        client.subscribe(story.topic)
        position = story.push()
        client.event()
        url = f"http://127.0.0.1:{deployment.operator_ports[story.node.port]}"
        command = [*STORK, "why", story.topic, "--user", "why-5", "--url", url]
        said = subprocess.run([*command, "--key", KEY], capture_output=True, text=True, timeout=60)
    first, second = said.stdout.splitlines()
    assert first == f"v1.test.cli at {position}, user why-5:"
    assert second.startswith(f"  delivered: to session {client.session_id} on node-1 at ")
    refused = subprocess.run([*command, "--key", "x"], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert refused.stderr.startswith("stork: the node refuses: send a key of this deployment")


def test_a_procedure_is_called(deployment, api):
    with deployment.nodes[0].backend() as backend:
        backend.register("com.shop.add", lambda *args, **kwargs: sum(args) + kwargs.get("more", 0))
        body = {"procedure": "com.shop.add", "args": [1, 2], "kwargs": {"more": 3}}
        api.connection.request(
            "POST",
            "/api/call",
            json.dumps(body),
            {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
        )
        backend.serve()
        answer = api.connection.getresponse()
        assert (answer.status, json.loads(answer.read())) == (200, 6)
    assert api.error("POST", "/api/call", {"procedure": "no.such.procedure"}) == (502, "wamp.error.no_such_procedure")
    for wrong in ({"procedure": ""}, {"procedure": "a b"}, {}, {"procedure": "a.b", "kwargs": {"options": 1}}, [1]):
        assert api.error("POST", "/api/call", wrong) == (400, "invalid_request")
    assert api.error("POST", "/api/call", b"{") == (400, "invalid_json")


def test_the_api_is_as_it_is_described(port, tmp_path):
    """Requests that schemathesis makes up from the description, right and wrong ones."""
    url = f"http://127.0.0.1:{port}/api/openapi.json"
    # No schema can say that the Idempotency-Key and the id of the body must be the same. A 502 is right for a procedure
    # that is not there; a 500 is described nowhere, and so is found.
    checks = ["--checks", "all", "--exclude-checks", "positive_data_acceptance,not_a_server_error"]
    command = [sys.executable, "-m", "schemathesis.cli", "run", url, "-H", f"Authorization: Bearer {KEY}", *checks]
    done = subprocess.run(
        [*command, "--max-examples", "10", "--seed", "1", "--no-color"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_requests_are_counted(deployment, port):
    node = deployment.nodes[0]
    before = samples(node)
    api = Api(port)
    api.push(GOOD)
    api.push([GOOD, GOOD])
    api.get("/api/nothing")
    after = samples(node)
    api.connection.close()

    def risen(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert risen("stork_api_pushes_total") == 3
    assert risen("stork_api_requests_total", status="200") == 2
    assert risen("stork_api_requests_total", status="404") == 1


def test_no_key_is_in_the_log(deployment):
    log = deployment.nodes[0].log
    assert TICKET not in log
    assert not [key for key in (KEY, PUSHER, READER, NARROW, COMMANDER) if key in log]


def test_keys_are_replaced_by_a_reload(deployment, port):
    """Last here: it changes the keys of the shared node."""
    from tests.e2e.test_reload import reload

    file = deployment.nodes[0].folder / "config.json"
    config = json.loads(file.read_text())
    keys = config["workers"][0]["components"][4]["extra"]["keys"]
    new = "new-" + "k" * 20
    keys[1] |= {"key": new, "rights": ["read"]}
    del keys[3]
    quiet = deployment.operator_ports[port]  # where an idle connection stays for 30 s
    kept, other = Api(quiet, PUSHER), Api(quiet, READER)
    assert kept.push(GOOD)[0] == 200
    file.write_text(json.dumps(config))
    assert reload(deployment, file.parent).returncode == 0
    kept.connection.close()  # a slow reload takes longer than an idle connection may
    assert kept.push(GOOD)[0] == 401
    kept.key = new
    assert kept.get("/api/position")[0] == 200
    assert other.get("/api/position")[0] == 200
    keys[1]["key"] = "short"
    file.write_text(json.dumps(config))
    refused = reload(deployment, file.parent)
    assert refused.returncode == 1
    kept.connection.close()
    assert "components[4].extra.keys[1].key: a key has at least 20 characters" in refused.stdout + refused.stderr
    assert kept.get("/api/position")[0] == 200
    kept.connection.close()
    other.connection.close()
