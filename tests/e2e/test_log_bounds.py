"""Strangers, applications and slow readers of the log: the node does not suffer."""

import fcntl
import json
import os
import re
import subprocess
import threading

import cbor2
import msgpack
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from stork_node.logs.log_text import MAX_LINE_BYTES
from tests.gateway import STORK, TICKET, Deployment, wait_for
from tests.wamp import Aborted, Client, Closed, Refused

pytestmark = pytest.mark.alone

NASTY = "a\nb\r\x1b[31mred\x1b[0m\x85\u2028\u2029\u202e\x00\x07" + "long" * 2_000
APP = """
import logging
import os
import subprocess
import sys
import threading
import warnings
from stork_node import Deny, Principal, Stork

stork = Stork()

@stork.authenticator
def check(request):
    if request.ticket != "test-ticket":
        return Deny(f"wrong: {request.authid}")
    return Principal(authid=request.authid or "guest")

stork.feed("v1", "open")

@stork.feed("v1", "raise").verify
def fails(session, topic):
    raise ValueError(NASTY)

@stork.feed("v1", "deny").verify
def denies(session, topic):
    return Deny(NASTY + topic.feed_id)

@stork.rpc("test.say", allow=True)
def say(call):
    what, text = call.args
    if what == "print":
        print(text)
    elif what == "log":
        logging.getLogger("shop\\n" + text).error(text)
    elif what == "raise":
        raise RuntimeError(text)
    elif what == "thread":
        def fail():
            raise RuntimeError(text)
        thread = threading.Thread(target=fail, name=text[:50])
        thread.start()
        thread.join()
    elif what == "wrong":
        logging.getLogger("shop").error("%d", text)
    elif what == "warn":
        warnings.warn(text)
    elif what == "bytes":
        os.write(2, text.encode() + b"\\xff\\xfe\\n")
    elif what == "program":
        subprocess.run(["head", "-c", "100000000", "/dev/zero"], stdout=2)
    elif what == "long line":
        sys.stdout.write("y" * 100_000_000)
        print()
    elif what == "lines":
        for n in range(100_000):
            print("z" * 100)
    elif what == "yes":
        subprocess.run("yes | head -c 10000000 >&2", shell=True)
    return "said"
""".replace("NASTY", repr(NASTY))
SAYINGS = ["print", "log", "raise", "thread", "wrong", "warn", "bytes", "program", "long line", "lines", "yes"]
LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} (debug|info |warn |error|critical) (node|router|app|publish) "
)


@pytest.fixture(params=["text", "json"])
def node(request, tmp_path):
    with Deployment(tmp_path, app=APP, environ={"STORK_LOG": request.param}) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        node.deployment, node.format = deployment, request.param
        yield node


def raw_lines(process):
    return process._log.read_bytes().split(b"\n")[:-1]


def assert_well_formed(process, form):
    """Every line is of the log, can be printed, and is short."""
    for raw in raw_lines(process):
        assert len(raw) < MAX_LINE_BYTES
        line = raw.decode()
        assert line.isprintable()
        if form == "json":
            record = json.loads(line)
            assert record["message"].isprintable()
            assert record["logger"].isprintable()
        else:
            assert LINE.match(line), line


def say(client, what):
    try:
        client.call("test.say", what, NASTY)
    except Refused:
        assert what == "raise"


def test_an_application_cannot_spoil_its_log_nor_hold_up_the_node(node):
    with node.join() as client, node.join() as other:
        other.subscribe("v1.open.1")
        for what in SAYINGS:
            say(client, what)
            with node.deployment.publisher() as publisher:
                publisher.push("v1.open.1", type=what)
            assert other.event()[1]["type"] == what
    wait_for(lambda: "lines were left out" in node.log, "what was counted")
    assert_well_formed(node, node.format)
    assert len(raw_lines(node)) < 40_000


def test_refusals_and_failures_are_counted_whatever_they_say(node):
    before = len(raw_lines(node))
    for n in range(60):
        with Client(node.url) as stranger, pytest.raises(Aborted):
            stranger.join(f"wrong {NASTY}", authid=f"{n}")
    with node.join() as client:
        for n in range(60):
            for topic in (f"v1.deny.{n}", f"v1.raise.{n}", f"v1.none.{n}", f"{n}"):
                with pytest.raises(Refused):
                    client.subscribe(topic)
            with pytest.raises(Refused):
                client.call("test.say", "raise", f"{n} {NASTY}")
            with pytest.raises(Refused):
                client.call(f"no.such.{n}")
    assert_well_formed(node, node.format)
    wait_for(lambda: re.search(r"\d+ more in 1\d s, the latest: ", node.log), "a summary")
    assert len(raw_lines(node)) - before < 100


MALFORMED = [
    {},
    [],
    [1],
    [999, 1],
    ["1"],
    "text",
    7,
    [1, "realm1"],
    [1, "realm1", []],
    [1, "realm1", {"roles": {}}],
    [1, "realm1", {"roles": {"subscriber": 7}}],
    [1, "realm1", {"roles": {"subscriber": {}}, "authid": 7}],
    [1, "realm1", {"roles": {"subscriber": {}}, "authmethods": "ticket"}],
    [1, NASTY, {"roles": {"subscriber": {}}}],
    [2, 1, {}],
    [3, {}, "wamp.error.bye"],
    [4, "ticket", {}],
    [5, {}, {}],
    [6, {}, "wamp.close.normal"],
    [32, 1, {}, "v1.open.1"],
    [36, 1, 1, {}],
    [48, "x", {}, "test.say"],
]
AFTER_JOINING = [
    [1, "realm1", {"roles": {"subscriber": {}}}],
    [2, 1, {"roles": {"broker": {}}}],
    [5, "ticket", {}],
    [3, {}, "wamp.error.bye"],
    [32, "1", {}, "v1.open.1"],
    [32, 1, [], "v1.open.1"],
    [32, 1, {"match": 7}, "v1.open.1"],
    [32, 1, {}, {}],
    [34, 1, 2**70],
    [48, 1, {}, "test.say", {}, []],
    [48, 1, {}, NASTY],
    [50, 1, {}],
    [70, 1, {}],
    [8, 68, 1, {}, "a.b"],
    [16, 1, {"acknowledge": 7}, "v1.open.1"],
    [64, 1, {}, 7],
    [69, 1, {}],
]


def encode(serializer, message):
    try:
        return {"json": json.dumps, "msgpack": msgpack.packb, "cbor": cbor2.dumps}[serializer](message)
    except OverflowError:
        return b"\xc1"


@pytest.mark.parametrize("serializer", ["json", "msgpack", "cbor"])
def test_malformed_messages_are_counted_lines_at_info_and_no_tracebacks(tmp_path, serializer):
    with Deployment(tmp_path, app=APP, environ={"STORK_LOG": "json"}) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        before = len(raw_lines(node))
        for joins, messages in ((False, MALFORMED), (True, AFTER_JOINING)):
            for message in [*messages * 3, b"\xc1\xff", b""]:
                with Client(node.url, serializer=serializer) as client:
                    if joins:
                        client.join(TICKET)
                    wrong = encode(serializer, message) if isinstance(message, list | dict | str | int) else message
                    send(client, wrong)
        with node.join() as client:
            client.subscribe("v1.open.1")
        records = [json.loads(line) for line in raw_lines(node)[before:]]
    assert_well_formed(node, "json")
    assert "Traceback" not in node.log
    assert [each for each in records if each["level"] not in ("info",)] == []
    assert len([each for each in records if "malformed" in each["message"]]) <= 10
    assert len(records) < 40


def send(client, payload):
    """Send it, and wait for what the node makes of it, if it says anything."""
    try:
        client._socket.send(payload)
        client.receive(0.3)
    except (Closed, ConnectionClosed, TimeoutError, ValueError):
        pass


def blocked_up(tmp_path, form):
    """``stork up`` with a pipe of one page for its log, and who reads it until the node is ready."""
    deployment = Deployment(tmp_path, app=APP, environ={"STORK_LOG": form})
    folder, port = deployment.write_folder()
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4_096)
    command = [*STORK, "up", "--config", str(folder)]
    up = subprocess.Popen(command, stdout=writer, stderr=writer, env=deployment.environ)
    os.close(writer)
    seen = b""
    while b"Stork node is ready" not in seen and b"and its page is" not in seen:
        piece = os.read(reader, 65_536)
        assert piece, seen.decode()
        seen += piece
    return deployment, up, reader, f"ws://127.0.0.1:{port}/ws"


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("reader_does", ["nothing", "leave"])
def test_a_log_that_nobody_reads_holds_up_nobody(tmp_path, form, reader_does):
    deployment, up, reader, url = blocked_up(tmp_path, form)
    try:
        if reader_does == "leave":
            os.close(reader)
        with Client(url).join(TICKET) as client, deployment.publisher() as publisher:
            client.subscribe("v1.open.1")
            for n in range(3):
                say(client, "lines")
                say(client, "program")
                for _ in range(20):
                    with Client(url) as stranger, pytest.raises(Aborted):
                        stranger.join("wrong")
                publisher.push("v1.open.1", type=f"t{n}")
                assert client.event()[1]["type"] == f"t{n}"
        if reader_does == "nothing":
            read = []

            def take_all():
                while piece := os.read(reader, 65_536):
                    read.append(piece)

            threading.Thread(target=take_all, daemon=True).start()
            dropped = b"since nobody read the log"
            wait_for(lambda: dropped in b"".join(read), "what was dropped")
    finally:
        up.terminate()
        assert up.wait(30) == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_it_runs_with_closed_standard_streams(tmp_path, closed):
    deployment = Deployment(tmp_path, app=APP)
    folder, port = deployment.write_folder()
    command = " ".join([*STORK, "up", "--config", str(folder), closed])
    up = subprocess.Popen(["sh", "-c", f"exec {command}"], env=deployment.environ)
    try:

        def joins():
            assert up.poll() is None
            try:
                with Client(f"ws://127.0.0.1:{port}/ws") as client:
                    return client.join(TICKET)
            except (OSError, InvalidStatus, Closed):  # no port, no path, or no application yet
                return None

        wait_for(joins, "a node", 150)
    finally:
        up.terminate()
        assert up.wait(30) == 0
