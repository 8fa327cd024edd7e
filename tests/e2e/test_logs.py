"""The logs of a whole deployment: lines of JSON where that is asked for, and never a ticket, a secret or a body."""

import json
import os
import signal
import socket
import subprocess

import pytest
import zmq

from stork_node.transport import curve
from tests.e2e.applications import MANY_WAYS
from tests.gateway import BACKEND_SECRET, STORK, Deployment, Process, children, command_line, wait_for
from tests.wamp import Aborted, Client, Closed, Refused

BUS_SECRET = "bus-secret-bus-secret-bus-secret-32"
BODY = "body-of-a-message"
SECRETS = (BACKEND_SECRET, BUS_SECRET, "ticket-that-is-wrong", "user:ticket-of-joe", BODY, "test-ticket")


@pytest.fixture(params=["text", "json"])
def up(request, tmp_path):
    deployment = Deployment(
        tmp_path,
        app=MANY_WAYS + '\nimport logging\nlogging.getLogger("shop").warning("from the shop")\nprint("a print")\n',
        environ={"STORK_LOG": request.param, "STORK_LOG_LEVEL": "debug", "STORK_BUS_SECRET": BUS_SECRET},
    )
    folder, port = deployment.write_folder()
    process = Process([*STORK, "up", "--config", str(folder)], tmp_path / "up.log", deployment.environ)
    deployment.processes.append(process)
    with deployment:
        process.wait_for_line("the node is ready")
        process.format, process.deployment = request.param, deployment
        process.url = f"ws://127.0.0.1:{port}/ws"
        yield process


def run_into_everything(up):
    """Sessions that come in and do not, pushes that are taken and refused, calls that fail, and a process that dies."""
    joe = Client(up.url).join("user:ticket-of-joe")
    with Client(up.url) as client, pytest.raises(Aborted):
        client.join("ticket-that-is-wrong")
    with Client(up.url) as client, pytest.raises(Closed):
        client.join("raise")
    with Client(up.url) as client, pytest.raises(Aborted):
        client.join(authid="backend", secret=BODY)
    backend = Client(up.url).join(authid="backend", secret=BACKEND_SECRET)
    joe.subscribe("v1.open.1")
    for topic in ("v1.bad.raise", "v1.nothing.1", "nonsense"):
        with pytest.raises(Refused):
            joe.subscribe(topic)
    with pytest.raises(Refused):
        joe.call("test.raise", BODY)
    with up.deployment.publisher(secret=BUS_SECRET) as publisher:
        publisher.push("v1.open.1", type="t", data=BODY)
        assert joe.event()[1]["data"] == BODY
        push_raw(up.deployment, b'{"topics": ["v1.open.1"], "type": "", "data": "' + BODY.encode() + b'"}')
        push_raw(up.deployment, BODY.encode())
    joe.send_text('["' + BODY)
    backend.close()
    grandchildren = [pid for child in children(up.popen.pid) for pid in children(child)]
    [application] = [pid for pid in grandchildren if "ContainerController" in command_line(pid)]
    os.kill(application, signal.SIGKILL)
    wait_for(lambda: "it starts again" in up.log, "the process again")
    with Client(up.url) as late:
        late.join("user:late")


def push_raw(deployment, document):
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        curve.secure_client(socket, curve.ClientKeys.from_secret(BUS_SECRET, "push"))
        socket.linger = 10_000
        socket.connect(deployment.pull)
        socket.send(document)


def test_a_whole_run_logs_no_secret_and_is_json_on_request(up):
    run_into_everything(up)
    assert up.stop() == 0
    for secret in SECRETS:
        assert secret not in up.log
    if up.format == "json":
        records = [json.loads(line) for line in up.log.splitlines()]
        for record in records:
            assert list(record) == ["time", "level", "process", "logger", "message", "fields"]
        assert {record["process"] for record in records} == {"up", "node", "router", "app", "publish"}
        said = {(record["process"], record["level"], record["logger"]): record["message"] for record in records}
        assert said["app", "warn", "app.shop"] == "from the shop"
        assert ("app", "info", "stdout") in said
    else:
        assert "warn  app     from the shop" in up.log


def test_a_publish_server_that_dies_is_a_warning_and_success_is_not(tmp_path):
    deployment = Deployment(tmp_path, environ={"STORK_LOG": "json", "STORK_LOG_LEVEL": "warn"})
    folder, _ = deployment.write_folder()
    up = Process([*STORK, "up", "--config", str(folder)], tmp_path / "up.log", deployment.environ)
    deployment.processes.append(up)
    with deployment:
        [server] = wait_for(
            lambda: [pid for pid in children(up.popen.pid) if "publish-server" in command_line(pid)], "a publish server"
        )
        os.kill(server, signal.SIGKILL)
        up.wait_for_line("the publish server ended (SIGKILL); next start in 0.5 s")
    records = [json.loads(line) for line in up.log.splitlines()]
    assert [record["level"] for record in records if record["process"] == "up"] == ["warn"]


def test_no_line_for_a_join_at_the_default_level(tmp_path):
    with Deployment(tmp_path, app=MANY_WAYS) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        before = node.log
        for n in range(3):
            with node.join(f"user:joe{n}") as joe:
                joe.subscribe("v1.group." + f"joe{n}")
        assert node.log == before


@pytest.mark.parametrize("command", ["up", "node", "publish-server"])
def test_a_wrong_setting_is_a_sentence(tmp_path, command):
    deployment = Deployment(tmp_path, environ={"STORK_LOG": "xml"})
    folder, _ = deployment.write_folder()
    options = [] if command == "publish-server" else ["--config", str(folder)]
    process = Process([*STORK, command, *options], tmp_path / "log", deployment.environ)
    assert process.popen.wait(60) == 2
    assert process.log == "stork: STORK_LOG: 'xml' is none of text, json\n"


WRITES = (
    MANY_WAYS
    + """
import logging
import os
import subprocess

@stork.rpc("test.write", allow=True)
def write(call):
    os.write(2, b"\\xff from the application")
    subprocess.run("echo to stdout; echo to stderr >&2", shell=True)
    logging.getLogger("shop").warning("from the shop")
"""
)


def test_output_of_an_application_is_logged_and_no_line_is_lost(tmp_path):
    with Deployment(tmp_path, app=WRITES) as deployment:
        deployment.start_publish_server()
        node = deployment.start_node()
        with node.join("user:joe") as joe:
            for n in range(1, 3):
                joe.call("test.write")
                wait_for(lambda n=n: node.log.count("warn  app     from the shop") == n, "the line after it")
            lines = [line.partition(" ")[2] for line in node.log.splitlines() if " app " in line]
    assert sorted(lines) == sorted(
        [
            "error app     \N{REPLACEMENT CHARACTER} from the applicationto stderr",
            "info  app     to stdout",
            "warn  app     from the shop",
        ]
        * 2
    )


def busy_port(folder):
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    config = json.loads((folder / "config.json").read_text())
    config["workers"][0]["components"][2]["extra"]["listen"] = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
    (folder / "config.json").write_text(json.dumps(config))
    return taken


SPOILT = {
    "a broken application": lambda folder: (folder / "app.py").write_text("def broken(:\n"),
    "a broken configuration": lambda folder: (folder / "config.json").write_text("{"),
    "a port in use": busy_port,
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("command", ["up", "node"])
def test_an_error_before_the_start_is_the_same_sentence_in_json(tmp_path, command, spoil):
    deployment = Deployment(tmp_path)
    folder, _ = deployment.write_folder()
    held = spoil(folder)  # a port is taken for as long as this is there

    def said(form):
        environ = {**deployment.environ, "STORK_LOG": form}
        ended = subprocess.run([*STORK, command, "--config", folder], env=environ, capture_output=True, text=True)
        assert ended.returncode == 2
        return ended.stderr

    text, record = said("text"), json.loads(said("json"))
    assert text == f"stork: {record['message']}\n"
    assert list(record) == ["time", "level", "process", "logger", "message", "fields"]
    assert (record["level"], record["process"]) == ("error", command)
    if isinstance(held, socket.socket):
        held.close()


def test_a_wrong_flag_is_a_line_of_json_where_that_is_asked_for(tmp_path):
    environ = {**Deployment(tmp_path).environ, "STORK_LOG": "json"}
    ended = subprocess.run([*STORK, "publish-server", "--nonsense"], env=environ, capture_output=True, text=True)
    record = json.loads(ended.stderr)
    assert ended.returncode == 2
    assert (record["process"], record["message"]) == ("publish", "No such option '--nonsense'.")


def test_a_command_for_people_says_it_to_people(tmp_path):
    environ = {**Deployment(tmp_path).environ, "STORK_LOG": "json"}
    ended = subprocess.run([*STORK, "check", "--config", tmp_path], env=environ, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (
        2,
        f"stork: {tmp_path}/config.json: no such file (write one with: stork init)\n",
    )
