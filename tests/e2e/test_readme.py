"""The code blocks of README and book, run as they stand but for ports; and the first lines, in a clean clone."""

import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from textwrap import indent

import pytest

from stork_node import AuthRequest, Principal
from stork_node.access.http_questions import connect_question, read_connect
from stork_node.errors import NoDecision
from stork_node.testing import AppTester, Denied
from tests.book import block
from tests.e2e.network import Namespace
from tests.gateway import BACKEND_SECRET, ROOT, Deployment, Process, free_ports, needs_root, wait_for
from tests.wamp import Refused

# As in the book, on the line with docker run.
[JWT_KEY] = re.findall(r"STORK_JWT_KEY=(\S+)", block("docker jwt"))


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    folder, environ = tmp_path_factory.mktemp("readme"), {"STORK_JWT_KEY": JWT_KEY}
    with Deployment(folder, app=block("full app.py"), environ=environ) as deployment:
        deployment.start_publish_server()
        deployment.start_node()
        yield deployment


def on_free_ports(text, deployment):
    replaced = {
        "tcp://127.0.0.1:5557": deployment.router,
        "ws://127.0.0.1:8080/ws": deployment.nodes[0].url,
        "the CROSSBAR_BACKEND_SECRET": BACKEND_SECRET,
    }
    for stands, here in replaced.items():
        text = text.replace(stands, here)
    return text


def commands(name):
    """The commands in a block of a console."""
    return re.findall(r"^\$ (.*)$", block(name), re.MULTILINE)


def run(command, text="", **options):
    ended = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, **options)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_short_application_does_what_its_text_says():
    names = {}
    exec(compile(block("app.py"), "app.py", "exec"), names)
    with AppTester(names["stork"]) as tester:
        tester.join(ticket="t-ann").subscribe("v1.orders.42")
        with pytest.raises(Denied):
            tester.join(ticket="t-bob").subscribe("v1.orders.42")
        with pytest.raises(Denied):
            tester.join(ticket="stolen")


def test_the_short_application_has_20_lines_of_code():
    assert len([line for line in block("app.py").splitlines() if line]) <= 20


def test_the_application_does_what_its_text_says(deployment):
    [node] = deployment.nodes
    with node.join("t-ann") as ann, node.join("t-bob") as bob:
        ann.subscribe("v1.orders.42")
        ann.subscribe("v1.staff.", "prefix")
        for topic, match in (("v1.orders.42", None), ("v1.staff.", "prefix")):
            with pytest.raises(Refused, match="not_authorized"):
                bob.subscribe(topic, match)
        assert ann.call("io.example.greet", name="Ann") == {"hello": "Ann"}
        assert ann.event()[1]["type"] == "greeted"
        with pytest.raises(Refused, match="invalid_argument"):
            ann.call("io.example.greet")


def test_the_application_is_tested_with_no_router(tmp_path):
    (tmp_path / "app.py").write_text(block("full app.py"))
    (tmp_path / "test_app.py").write_text(block("test_app.py"))
    assert "1 passed" in run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=tmp_path)


PYTHON_PUSHES = {"push.py": ["order_paid"], "publisher": ["order_paid", "typing", "sale", "order_paid"]}


@pytest.mark.parametrize("name", PYTHON_PUSHES)
def test_the_python_push_reaches_its_subscriber(deployment, name):
    with deployment.nodes[0].join("t-ann") as ann:
        ann.subscribe("v1.orders.42")
        run([sys.executable, "-W", "error", "-"], on_free_ports(block(name), deployment))
        assert [ann.event()[1]["type"] for _ in PYTHON_PUSHES[name]] == PYTHON_PUSHES[name]


@pytest.mark.parametrize("name", ["push.php", "php message"])
def test_the_php_push_reaches_its_subscriber(deployment, name):
    configure = f"\\Stork\\Stork::configure(['endpoint' => '{deployment.router}']);\n\necho "
    text = block(name).replace("echo ", configure)
    with deployment.nodes[0].join("t-ann") as ann:
        ann.subscribe("v1.orders.42")
        position = run(["php"], text, cwd=ROOT).strip()
        _, event, details = ann.event()
        assert (event["type"], event["data"], details["position"]) == ("order_paid", {"id": 42}, position)


@pytest.mark.parametrize(("name", "command"), [("jwt php", ["php"]), ("jwt python", [sys.executable, "-"])])
def test_the_token_lets_in_and_permits_its_topics(deployment, name, command):
    ticket = run(command, block(name), env={**os.environ, "STORK_JWT_KEY": JWT_KEY}).strip()
    with deployment.nodes[0].join(ticket) as client:
        assert client.welcome["authid"] == "7"
        for topic in ("v1.orders.42", "v1.news.1"):
            client.subscribe(topic)
        with pytest.raises(Refused, match="not_authorized"):
            client.subscribe("v1.other.1")


def test_the_route_of_php_answers_what_http_asks(tmp_path):
    (tmp_path / "connect.php").write_text(block("connect.php"))
    [port] = free_ports(1)
    environ = {**os.environ, "STORK_HTTP_SECRET": "s"}
    server = Process(["php", "-S", f"127.0.0.1:{port}", "connect.php"], tmp_path / "php.log", environ, cwd=tmp_path)

    def ask(ticket, secret="s"):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/", connect_question(AuthRequest(ticket=ticket)))
        request.add_header("Authorization", f"Bearer {secret}")
        try:
            with urllib.request.urlopen(request) as answer:
                return read_connect(answer.status, "", answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return read_connect(refused.status, "", b"")

    try:
        server.wait_for_line("started")
        assert ask("t-ann") == Principal("7", topics=["v1.orders.42"])
        assert ask("stolen").reason == "403: the ticket was refused"
        with pytest.raises(NoDecision, match="500"):
            ask("t-ann", "wrong")
    finally:
        server.stop()


def test_the_caller_calls(deployment):
    said = run([sys.executable, "-W", "error", "-"], on_free_ports(block("caller"), deployment))
    assert said == "{'hello': 'Ann'}\n"


def test_the_subscriber_prints_what_is_pushed(deployment, tmp_path):
    """The block stands in a coroutine; ``new_ticket`` is the reader's own."""
    body = indent(on_free_ports(block("subscriber"), deployment), "    ")
    program = (
        f"import asyncio\n\ndef new_ticket():\n    return 't-ann'\n\nasync def main():\n{body}\nasyncio.run(main())"
    )
    with deployment.nodes[0].backend() as backend, deployment.publisher() as publisher:

        def subscribed():
            return backend.call("wamp.subscription.lookup", "v1.orders.42") is not None

        wait_for(lambda: not subscribed(), "the end of the subscribers before")
        command = [sys.executable, "-u", "-W", "error", "-c", program]
        listening = Process(command, tmp_path / "subscriber.log", dict(os.environ))
        try:
            wait_for(subscribed, "its subscription")
            position = publisher.push("v1.orders.42", type="order_paid", data={"id": 42})
            listening.wait_for_line("order_paid")
        finally:
            listening.stop()
    assert listening.log == f"{position} order_paid {{'id': 42}}\n"


@needs_root
def test_a_newcomer_runs_a_clean_clone_and_pushes_from_python_and_php(tmp_path):
    clone = tmp_path / "stork-node"
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    for name in files.decode().split("\0")[:-1]:
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("STORK_", "VIRTUAL_ENV"))}
    subprocess.run(["scripts/venv"], cwd=clone, env=environ, check=True, timeout=600)
    [start] = commands("run")
    with Namespace() as network:
        up = Process([*network.command, start], tmp_path / "run.log", environ, cwd=clone)
        watch = None
        try:
            up.wait_for_line("Ctrl-C ends it", 60)
            [command] = re.findall(r"  Push  (.*)", up.log)
            watch = Process(
                [*network.command, ".venv/bin/stork", "watch", "--json", "v1.test.1"],
                tmp_path / "watch.log",
                environ | {"STORK_TICKET": re.findall(r"#ticket=(\S+)", up.log)[0]},
                cwd=clone,
            )
            watch.wait_for_line("v1.test.1")
            for pushed in (command, *commands("push scripts")):
                run([*network.command, "sh", "-c", pushed], cwd=clone)
            for n in (1, 2, 3):
                watch.wait_for_line(f'"n": {n}')
        finally:
            if watch:
                watch.stop()
            assert up.stop() == 0
