"""``stork up`` as a user runs it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.request

import pytest

from stork_node import Publisher
from tests.gateway import (
    BACKEND_SECRET,
    ROOT,
    STORK,
    Deployment,
    Process,
    children,
    command_line,
    free_ports,
    push_until_it_arrives,
    wait_for,
)
from tests.wamp import Aborted, Client


@pytest.fixture
def deployment(tmp_path):
    with Deployment(tmp_path) as deployment:
        yield deployment


def start_up(deployment, folder, **environ):
    process = Process(
        [*STORK, "up", "--config", str(folder)], deployment.folder / "up.log", {**deployment.environ, **environ}
    )
    deployment.processes.append(process)
    return process


def descendants(pid):
    return [each for child in children(pid) for each in (child, *descendants(child))]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_prints_a_page_and_a_push_that_work_and_ends_all_it_started(deployment, number):
    folder, port = deployment.write_folder()
    up = start_up(deployment, folder, STORK_TICKET="")
    up.wait_for_line("Ctrl-C ends it")
    assert "TRIAL" in up.log
    [(page, ticket)] = re.findall(r"(http://127\.0\.0\.1:\d+/)#ticket=(\S+)", up.log)
    assert page == f"http://127.0.0.1:{port}/"
    assert b"<title>" in urllib.request.urlopen(page, timeout=10).read()
    with Client(f"ws://127.0.0.1:{port}/ws") as client:
        client.join(ticket)
        client.subscribe("v1.test.1")
        [command] = re.findall(r"Push  (.*)", up.log)
        pushed = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
        assert client.event()[2]["position"] == pushed.stdout.strip()
    children = descendants(up.popen.pid)
    assert len(children) >= 4
    assert up.stop(number) == 0
    wait_for(lambda: not any(map(alive, children)), "the end of every process", 10)


def test_ports_and_an_address_of_the_environment_are_used(deployment, tmp_path):
    folder = tmp_path / "shipped"
    shutil.copytree(ROOT / ".crossbar", folder)
    port, operator, *others = free_ports(6)
    names = ["STORK_PULL_PORT", "STORK_PUB_PORT", "STORK_ROUTER_PORT", "STORK_REPLAY_PORT"]
    ports = dict(zip(names, map(str, others), strict=True))
    environ = ports | {"STORK_BIND": "127.0.0.5", "STORK_OPERATOR_PORT": str(operator), "STORK_PROT": "1"}
    up = Process(
        [*STORK, "up", "--config", str(folder), "--port", str(port), "--watch"],
        deployment.folder / "up.log",
        deployment.environ | environ,
    )
    deployment.processes.append(up)
    up.wait_for_line("Ctrl-C ends it")
    assert "stork: STORK_PROT has no effect: nothing reads it (did you mean STORK_PORT?)" in up.log
    assert urllib.request.urlopen(f"http://127.0.0.5:{operator}/ready", timeout=10).status == 200
    with Client(f"ws://127.0.0.1:{port}/ws") as client:
        client.join(deployment.environ["STORK_TICKET"])
        client.subscribe("v1.test.1")
        with Publisher(f"tcp://127.0.0.5:{ports['STORK_ROUTER_PORT']}", timeout_ms=20_000) as publisher:
            position = publisher.push("v1.test.1", type="t")
        assert client.event()[2]["position"] == position
        with (folder / "app.py").open("a") as app:
            app.write('\nstork.feed("v1", "fresh")\n')
        up.wait_for_line("stork: the new application runs")
        assert "stork: app.py changed" in up.log
        client.subscribe("v1.fresh.1")


def test_the_ticket_is_another_one_at_each_start(deployment):
    folder, _ = deployment.write_folder()
    tickets = set()
    for _ in range(2):
        (deployment.folder / "up.log").unlink(missing_ok=True)
        up = start_up(deployment, folder, STORK_TICKET="")
        up.wait_for_line("Ctrl-C ends it")
        tickets |= set(re.findall(r"#ticket=(\S+)", up.log))
        up.stop()
    assert len(tickets) == 2


def test_kill_9_of_up_leaves_nothing_behind(deployment):
    folder, _ = deployment.write_folder()
    up = start_up(deployment, folder)
    up.wait_for_line("Ctrl-C ends it")
    children = descendants(up.popen.pid)
    up.stop(signal.SIGKILL)
    wait_for(lambda: not any(map(alive, children)), "the end of every process", 30)


def test_a_publish_server_that_dies_is_started_again(deployment):
    folder, port = deployment.write_folder()
    up = start_up(deployment, folder)
    up.wait_for_line("Ctrl-C ends it")
    with Client(f"ws://127.0.0.1:{port}/ws") as client:
        client.join(deployment.environ["STORK_TICKET"])
        client.subscribe("v1.test.1")
        [pid] = [pid for pid in descendants(up.popen.pid) if "publish-server" in command_line(pid)]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: up.log.count("publish server is up") == 2, "the publish server's second start")
        with deployment.publisher(timeout_ms=20_000) as publisher:
            push_until_it_arrives(publisher, client, "v1.test.1")


@pytest.mark.parametrize("secret", ["", None])
def test_without_a_backend_secret_nobody_outside_is_a_backend(deployment, secret):
    folder, port = deployment.write_folder()
    environ = dict(deployment.environ)
    del environ["CROSSBAR_BACKEND_SECRET"]
    if secret is not None:
        environ["CROSSBAR_BACKEND_SECRET"] = secret
    deployment.environ = environ
    up = start_up(deployment, folder)
    up.wait_for_line("Ctrl-C ends it")
    for attempt in ("", BACKEND_SECRET, "${CROSSBAR_BACKEND_SECRET:-}"):
        with Client(f"ws://127.0.0.1:{port}/ws") as client, pytest.raises(Aborted):
            client.join(authid="backend", secret=attempt)


def refused(deployment, folder):
    ended = subprocess.run(
        [*STORK, "up", "--config", str(folder)], env=deployment.environ, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_a_port_in_use_is_one_sentence(deployment):
    folder, port = deployment.write_folder()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("0.0.0.0", port))
        taken.listen()
        assert refused(deployment, folder) == (
            f"stork: {folder}/config.json: workers[0].transports[0].endpoint.port: {port} is in use already: "
            "stop what uses it, or choose another one here\n"
        )


def test_a_port_of_the_publish_server_in_use_is_one_sentence(deployment):
    folder, _ = deployment.write_folder()
    host, _, port = deployment.pull.removeprefix("tcp://").rpartition(":")
    with socket.socket() as taken:
        taken.bind((host, int(port)))
        taken.listen()
        sentence = refused(deployment, folder)
    assert sentence.count("\n") == 1
    assert deployment.pull in sentence
    assert "is in use already" in sentence


@pytest.mark.parametrize(
    ("app", "sentence"),
    [
        ("import no_such_module\n", "app.py:1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("def broken(:\n", "app.py:1: SyntaxError"),
        ("x = 1\n", "app.py: has no 'stork' (want stork = Stork())"),
        ("from stork_node import Stork\nstork = Stork()\n1 / 0\n", "app.py:3: ZeroDivisionError: division by zero"),
        (
            'from stork_node import Stork\nstork = Stork()\nstork.feed("v1", "a").verify("nowhere")\n',
            "app.py:3: ",
        ),
    ],
)
def test_a_broken_application_is_one_sentence_with_its_line(deployment, app, sentence):
    folder, _ = deployment.write_folder()
    (folder / "app.py").write_text(app)
    said = refused(deployment, folder)
    assert sentence in said
    assert said.count("\n") == 1


def test_everything_wrong_in_the_configuration_is_said_at_once(deployment):
    folder, _ = deployment.write_folder()
    config = json.loads((folder / "config.json").read_text())
    router = config["workers"][0]
    router["components"][0]["extra"]["rols"] = ["frontend"]
    router["components"][1]["extra"]["bus"] = "tcp:/0.0.0.0:5555"
    router["realms"][0]["options"] = {}
    router["transports"][0]["paths"]["ws"]["options"]["max_message_size"] = 1000
    router["transports"][0]["paths"]["ws"]["options"]["compression"] = {"deflate": {}}
    router["transports"][0]["paths"]["ws"]["serializers"] = ["json", "ubjson"]
    config["workers"][1]["components"][0]["extra"]["threads"] = "many"
    page = router["transports"][0]["paths"]["/"]["extra"]
    page |= {"header": {}, "headers": {"content-length": "1"}}
    config["workers"][2]["arguments"] += ["--heartbeat", "1"]
    (folder / "config.json").write_text(json.dumps(config))
    said = refused(deployment, folder)
    for part in (
        "workers[0].components[0].extra.rols: unknown setting, did you mean 'roles'?",
        "workers[0].components[1].extra.bus: 'tcp:/0.0.0.0:5555' is not an endpoint (want tcp://HOST:PORT)",
        "workers[0].realms[0].options.event_dispatching_chunk_size: 100, and chunks reorder events",
        "workers[0].transports[0].paths.ws.options.max_message_size: 1000, and larger events would be dropped",
        "workers[0].transports[0].paths.ws.options.compression: has no effect: no event is compressed",
        "workers[0].transports[0].paths.ws.serializers: 'ubjson' is not offered to clients",
        "workers[1].components[0].extra.threads: 'many' is not a whole number",
        "workers[0].transports[0].paths./.extra.header: unknown setting, did you mean 'headers'?",
        "workers[0].transports[0].paths./.extra.headers: 'content-length' is made for each answer, and is no setting",
        "--heartbeat",
    ):
        assert part in said


def test_two_settings_with_one_port_are_named(deployment):
    folder, port = deployment.write_folder()
    deployment.environ |= {"STORK_OPERATOR_PORT": str(port), "STORK_PULL_PORT": "7001", "STORK_PUB_PORT": "7001"}
    said = refused(deployment, folder)
    public = "workers[0].transports[0].endpoint.port"
    assert f"workers[0].components[2].extra.listen: {port} is the port of {public}, too" in said
    assert "publish-server --pub: 7001 is the port of publish-server --pull, too" in said


def test_what_crossbar_does_not_accept_is_one_sentence(deployment):
    folder, _ = deployment.write_folder()
    config = json.loads((folder / "config.json").read_text())
    config["workers"][0]["transports"][1]["type"] = "carrier-pigeon"
    (folder / "config.json").write_text(json.dumps(config))
    said = refused(deployment, folder)
    assert "carrier-pigeon" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_file_that_is_no_configuration_is_one_sentence(deployment, text):
    folder, _ = deployment.write_folder()
    (folder / "config.json").write_text(text)
    said = refused(deployment, folder)
    assert said.startswith(f"stork: {folder}/config.json")
    assert said.count("\n") == 1
