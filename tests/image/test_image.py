"""The image by itself: what `docker run stork-node` is, with which commands, whose user, and what is not in it."""

import json
import os
import re
import shutil
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterator

import pytest

from stork_node import Publisher
from tests.gateway import ROOT, free_ports, push_until_it_arrives, wait_for
from tests.image.build import CANARY, build_derived
from tests.image.containers import CommandFailed, Container, Containers, own_environ, run
from tests.wamp import Client

pytestmark = pytest.mark.image

READY = "the node is ready"
# What SIGTERM takes at most (docs/operations.md#drain), in seconds; today's node does not drain.
STOPS_WITHIN_S = 10
UID = "10001"

OWN_APP = """
from stork_node import Principal, Stork
{imports}
stork = Stork()
stork.feed("v1", "own")


@stork.authenticator
def check_ticket(request):
    return Principal(authid={authid})
"""

# A package that the image leaves out, which pip gets back.
DERIVED = """
FROM {image}
USER root
RUN pip install python-slugify
USER 10001
COPY app.py /app/.crossbar/
RUN stork check
"""


class Gateway:
    """A container that runs a node, with ports of this host: ``http``, and where pushes go, if it takes any."""

    def __init__(self, containers: Containers, name: str, image: str, *options: str, pushes: bool = True) -> None:
        self.http, self.push = free_ports(2)
        ports = ["--publish", f"127.0.0.1:{self.http}:8080"]
        if pushes:
            ports += ["--publish", f"127.0.0.1:{self.push}:5557"]
        self.container = containers.start(name, image, options=[*ports, *options]).wait_for_line(READY)

    @property
    def page_url(self) -> str:
        return f"http://127.0.0.1:{self.http}/"

    def join(self, ticket: str | None = None) -> Client:
        """With the ticket that it made up at its start, unless its application takes others."""
        if ticket is None:
            [ticket] = re.findall(r"#ticket=(\S+)", self.container.wait_for_line("#ticket=").log)
        return Client(f"ws://127.0.0.1:{self.http}/ws").join(ticket)

    def publisher(self) -> Publisher:
        return Publisher(f"tcp://127.0.0.1:{self.push}", 5000)


@pytest.fixture(scope="module")
def network(containers: Containers, image: str) -> str:
    return containers.network(f"stork-test-{os.getpid()}")


@pytest.fixture(scope="module")
def gateway(containers: Containers, image: str, network: str) -> Gateway:
    return Gateway(containers, f"stork-test-{os.getpid()}-gateway", image, "--network", network)


@pytest.fixture
def name(request: pytest.FixtureRequest, containers: Containers) -> Iterator[str]:
    """A name for a container of one test, which is removed after it."""
    name = f"stork-test-{os.getpid()}-{re.sub('[^a-z0-9]+', '-', request.node.name)[:40]}".strip("-")
    yield name
    subprocess.run([*containers.command, "rm", "--force", "--volumes", name], capture_output=True, check=False)


def test_one_container_is_the_whole_gateway(gateway):
    for path, text in (("", "<!doctype html>"), ("stork.js", "Stork")):
        with urllib.request.urlopen(gateway.page_url + path, timeout=10) as answer:
            assert text in answer.read().decode()
    with gateway.join() as client, gateway.publisher() as publisher:
        client.subscribe("v1.test.1")
        push_until_it_arrives(publisher, client, "v1.test.1")
        publisher.push("v1.test.1", type="from Python", data=[1])
        assert client.event()[1]["type"] == "from Python"
        php = ["php", str(ROOT / "scripts/push.php"), f"--endpoint=tcp://127.0.0.1:{gateway.push}"]
        run([*php, "v1.test.1", "from PHP", '{"n": 2}'], env=own_environ())
        assert client.event()[1]["data"] == {"n": 2}
        assert client.call("virge.stork.example.foo", name="Ada") == {"bar": "Ada"}
    assert gateway.container.execute("ls", "/data").split() == ["log"]


def test_the_same_line_with_one_variable_more_is_a_replica(containers, image, network, gateway, name):
    options = ["--network", network, "--env", f"STORK_PUBLISH_SERVER={gateway.container.name}"]
    replica = Gateway(containers, name, image, *options, pushes=False)
    assert not replica.container.process_ids("publish-server")
    with gateway.join() as here, replica.join() as there, gateway.publisher() as publisher:
        here.subscribe("v1.test.both")
        there.subscribe("v1.test.both")
        push_until_it_arrives(publisher, there, "v1.test.both")
        publisher.push("v1.test.both", type="last")
        assert wait_for(lambda: here.event()[1]["type"] == "last", "the last push here")
        assert wait_for(lambda: there.event()[1]["type"] == "last", "the last push there")
    assert replica.container.execute("ls", "-A", "/data") == ""  # the log is with the publish server


def test_the_publish_server_runs_alone_with_its_log_in_a_volume(containers, image, name):
    [port] = free_ports(1)
    volume = f"{name}-log"
    options = ["--publish", f"127.0.0.1:{port}:5557", "--volume", f"{volume}:/data"]

    def push_to_a_new_container() -> tuple[Container, str, str]:
        server = containers.start(name, image, "publish-server", options=options).wait_for_line("publish server is up")
        with Publisher(f"tcp://127.0.0.1:{port}", 5000) as publisher:
            epoch, _, sequence = publisher.push("v1.test.1", type="stored").partition(":")
        return server, epoch, sequence

    try:
        server, epoch, sequence = push_to_a_new_container()
        assert sequence == "1"
        assert server.is_healthy()
        assert not server.process_ids("crossbar")
        assert server.stop(STOPS_WITHIN_S) == 0
        server.remove()
        server, *position = push_to_a_new_container()
        assert position == [epoch, "2"]
        server.kill()
        server.remove()
        assert push_to_a_new_container()[1:] == (epoch, "3")
    finally:
        subprocess.run([*containers.command, "rm", "--force", name], capture_output=True, check=False)
        containers.call("volume", "rm", volume)


def test_a_users_folder_is_mounted_and_only_read(containers, checkout, image, name, tmp_path):
    folder = tmp_path / "crossbar"
    shutil.copytree(checkout / ".crossbar", folder)
    (folder / "app.py").write_text(OWN_APP.format(imports="", authid='"from-the-mounted-app"'))
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    mounted = Gateway(
        containers, name, image, "--volume", f"{folder}:/app/.crossbar:ro", "--read-only", "--tmpfs", "/tmp"
    )
    with mounted.join("anything") as client, mounted.publisher() as publisher:
        assert client.welcome["authid"] == "from-the-mounted-app"
        client.subscribe("v1.own.1")
        push_until_it_arrives(publisher, client, "v1.own.1")
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


def test_a_changed_application_in_a_mounted_folder_goes_live_by_exec(containers, checkout, image, name, tmp_path):
    folder = tmp_path / "crossbar"
    shutil.copytree(checkout / ".crossbar", folder)
    app = folder / "app.py"
    app.write_text(OWN_APP.format(imports="", authid='"one"'))
    mounted = Gateway(
        containers, name, image, "--volume", f"{folder}:/app/.crossbar:ro", "--read-only", "--tmpfs", "/tmp"
    )

    def authid_of_who_joins() -> str:
        with mounted.join("anything") as late:
            return str(late.welcome["authid"])

    with mounted.join("anything") as early, mounted.publisher() as publisher:
        early.subscribe("v1.own.1")
        app.write_text(OWN_APP.format(imports="", authid='"two"'))
        assert mounted.container.execute("stork", "reload").splitlines()[-1] == "stork: the new application runs"
        assert authid_of_who_joins() == "two"

        app.write_text("import no_such_module\n")
        with pytest.raises(CommandFailed) as refused:
            mounted.container.execute("stork", "reload")
        assert "/app/.crossbar/app.py:1: ModuleNotFoundError: No module named 'no_such_module'" in refused.value.output
        assert authid_of_who_joins() == "two"

        # What is started again is what lies there by then.
        app.write_text(OWN_APP.format(imports="", authid='"three"'))
        [application] = mounted.container.process_ids("ContainerController")
        mounted.container.signal("KILL", application)
        mounted.container.wait_for_line("is gone; it starts again in 0.2 s")
        assert authid_of_who_joins() == "three"
        publisher.push("v1.own.1", type="still here")
        assert early.event()[1]["type"] == "still here"


def test_an_image_derived_from_it_has_packages_of_the_applications_own(containers, image, name, tmp_path):
    (tmp_path / "Dockerfile").write_text(DERIVED.format(image=image))
    (tmp_path / "app.py").write_text(
        OWN_APP.format(imports="from slugify import slugify\n", authid='slugify("Zoë of the derived image")')
    )
    derived = f"localhost/{name}"
    build_derived(containers, tmp_path, derived)
    try:
        with Gateway(containers, name, derived).join("anything") as client:
            assert client.welcome["authid"] == "zoe-of-the-derived-image"
    finally:
        containers.call("rm", "--force", "--volumes", name)
        containers.call("rmi", derived)


@pytest.mark.parametrize(
    ("command", "line"),
    [("up", READY), ("node", READY), ("publish-server", "publish server is up")],
    ids=lambda each: each,
)
def test_sigterm_ends_it_with_status_0_in_time(containers, image, name, command, line):
    container = containers.start(name, image, command).wait_for_line(line)
    assert container.stop(STOPS_WITHIN_S) == 0, container.log


@pytest.mark.parametrize("command", ["up", "node", "publish-server"])
def test_sigterm_ends_it_while_it_is_starting(containers, image, name, command):
    container = containers.start(name, image, command)
    # Until Python runs the command, which is a moment, the kernel keeps SIGTERM from a container's process 1.
    wait_for(container.handles_sigterm, "a handler of SIGTERM")
    assert container.stop(STOPS_WITHIN_S) == 0, container.log


def test_a_router_that_dies_ends_the_container(containers, image, name):
    container = containers.start(name, image).wait_for_line(READY)
    [router] = container.process_ids("RouterController")
    container.signal("KILL", router)
    wait_for(lambda: not container.state()["Running"], "the end of the container", 10)
    assert container.state()["ExitCode"] == 1


def test_it_runs_as_a_user_who_may_write_nothing_but_the_log(gateway):
    assert gateway.container.execute("id", "-u") == UID
    assert set(gateway.container.execute("sh", "-c", "stat -c %u /proc/[0-9]*").split()) == {UID}
    writable = gateway.container.execute(
        "sh", "-c", "find / -xdev -writable ! -type l ! -path '/proc/*' ! -path '/dev/*' 2>/dev/null || true"
    ).split()
    assert [path for path in writable if not re.match(r"/(tmp|var/tmp|run/lock|var/lock|data)(/|$)", path)] == []


def test_the_health_check_tells_a_node_that_answers_from_one_that_hangs(containers, image, name):
    container = Gateway(containers, name, image).container
    assert container.is_healthy()
    [router] = container.process_ids("RouterController")
    container.signal("STOP", router)
    assert not container.is_healthy()
    container.signal("CONT", router)
    assert container.is_healthy()


def test_no_layer_holds_a_secret(containers, image, tmp_path):
    if "STORK_TEST_IMAGE" in os.environ:
        pytest.skip("STORK_TEST_IMAGE was not built from a folder with secrets in it")
    saved = tmp_path / "image.tar"
    containers.call("save", "--output", str(saved), image, timeout_s=300)
    searched = 0
    with tarfile.open(saved) as whole:
        [manifest] = json.load(whole.extractfile("manifest.json"))
        for layer in manifest["Layers"]:
            with tarfile.open(fileobj=whole.extractfile(layer)) as files:
                for each in filter(tarfile.TarInfo.isfile, files):
                    content = files.extractfile(each)
                    assert content
                    assert CANARY.encode() not in content.read(), each.name
                    searched += 1
    assert searched > 1000
    told = containers.call("history", "--no-trunc", "--format", "{{.CreatedBy}}", image) + containers.call(
        "inspect", image
    )
    assert not re.search(r"(SECRET|TICKET|PASSWORD|TOKEN)=\S", told)


def test_what_makes_it_large_is_a_table(containers, image):
    table = run([str(ROOT / "scripts/image"), "--size", image], timeout_s=120, env=own_environ()).splitlines()
    sizes = {what: int(mb) for what, mb in re.findall(r"^\| (.+) \| (\d+) \|$", "\n".join(table), re.MULTILINE)}
    assert sizes.pop("**in all**") == pytest.approx(sum(sizes.values()), abs=len(sizes))
    assert {"base image", "numpy", "compiled Python", "application and node"} <= set(sizes)


def test_it_has_no_compiler_and_nothing_of_the_build(gateway):
    for program in ("gcc", "cc", "ld", "git", "hatchling"):
        with pytest.raises(CommandFailed):
            gateway.container.execute("sh", "-c", f"command -v {program}")
    assert gateway.container.execute("ls", "-A", "/app/.crossbar").split() == ["app.py", "config.json", "web"]
    assert gateway.container.execute("sh", "-c", "ls -d /build /root/.cache 2>/dev/null || true") == ""


def test_pip_finds_nothing_broken_by_what_was_left_out(gateway):
    said = gateway.container.execute("sh", "-c", "pip check || true").splitlines()
    newer = re.compile(r"crossbar \S+ has requirement (h2|hpack|hyperframe|idna)[<>=].*")
    assert [line for line in said if not newer.fullmatch(line)] in ([], ["No broken requirements found."])


def test_what_the_router_process_imports_is_compiled(gateway):
    script = """
import os, sys
import stork_crossbar.personality.workers
specs = filter(None, [getattr(module, "__spec__", None) for module in sys.modules.values()])
files = [(spec.origin, spec.cached) for spec in specs if (spec.origin or "").endswith(".py")]
print(len(files) > 1000, *[origin for origin, cached in files if not os.path.exists(cached)])
"""
    assert gateway.container.execute("python", "-c", script) == "True"
