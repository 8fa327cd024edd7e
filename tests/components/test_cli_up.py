"""``stork up``: what is said of a push with PHP, of a replica, and of a node that does not come up."""

import json
import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.gateway import STORK, TICKET, Deployment, Process, wait_for
from tests.wamp import Client

READY = "Stork node is ready."


class Up(Process):
    """``stork up`` on a copy of .crossbar/."""

    def __init__(self, deployment: Deployment, environ: dict[str, str]) -> None:
        self.folder, self.port = deployment.write_folder()
        command = [*STORK, "up", "--config", str(self.folder)]
        super().__init__(command, deployment.folder / "up.log", deployment.environ | environ, deployment.folder)

    def family(self) -> list[psutil.Process]:
        return [psutil.Process(self.popen.pid), *psutil.Process(self.popen.pid).children(recursive=True)]

    def shown(self, label: str) -> str:
        """The text after a label of the welcome."""
        found = re.search(rf"^  {label} +(.*)$", self.log, re.MULTILINE)
        assert found, self.log
        return found[1]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(app: str | None = None, **environ: str) -> Up:
        started.append(Up(Deployment(tmp_path, app=app), environ))
        return started[-1]

    yield start
    for up in started:
        up.stop()


def test_the_push_command_for_php_reaches_a_browser(start: Callable[..., Up]) -> None:
    up = start()
    up.wait_for_line(READY, 60)
    assert "TRIAL" not in up.log
    assert up.shown("Page") == f"http://127.0.0.1:{up.port}/#ticket=$STORK_TICKET"
    assert TICKET not in up.log
    with Client(f"ws://127.0.0.1:{up.port}/ws").join(TICKET) as browser:
        browser.subscribe("v1.test.1")
        pushed = subprocess.run(up.shown("PHP"), shell=True, cwd=up.folder.parent, capture_output=True, text=True)
        assert (pushed.returncode, pushed.stderr) == (0, "")
        _, message, kwargs = browser.event()
    assert (message["type"], message["data"]) == ("hello", {"n": 1})
    assert kwargs["position"] == pushed.stdout.strip()


def test_where_another_host_has_the_publish_server_none_is_started(start: Callable[..., Up]) -> None:
    elsewhere = {"STORK_PUBLISH_SERVER": "publish.example", "STORK_TICKET": ""}
    up = start('from stork_node import Stork\nstork = Stork()\nstork.feed("v1", "orders")\n', **elsewhere)
    up.wait_for_line(READY, 60)
    assert "TRIAL" not in up.log
    assert up.shown("Page") == f"http://127.0.0.1:{up.port}/"
    push = up.shown("Push")
    assert " push v1.orders.1 --type hello " in push
    assert push.endswith(" --endpoint=tcp://publish.example:5557")
    facts = json.load(urllib.request.urlopen(f"http://127.0.0.1:{up.port}/page.json", timeout=10))
    assert push.startswith(facts["commands"]["stork"])
    assert facts["commands"]["options"] == "--endpoint=tcp://publish.example:5557"
    assert facts | {"commands": {}} == {
        "commands": {},
        "feeds": [],
        "procedures": [],
        "trial": False,
        "websocket": "ws",
    }
    family = up.family()
    assert [process for process in family if "publish-server" in process.cmdline()] == []
    assert up.stop(signal.SIGINT) == 0
    wait_for(lambda: not any(process.is_running() for process in family), "the end of all that it started")


def test_a_node_that_does_not_come_up_is_not_said_to_be_ready(start: Callable[..., Up]) -> None:
    up = start(
        "from stork_node import Stork\nstork = Stork()\n"
        "@stork.on_start\ndef start():\n    raise RuntimeError('no database')\n"
    )
    assert up.popen.wait(60) == 1
    assert "no database" in up.log
    assert READY not in up.log


def test_a_stop_while_it_checks_is_a_stop_as_asked(start: Callable[..., Up]) -> None:
    up = start("import time\ntime.sleep(60)\n")
    up.wait_for_line("stork: checking")
    wait_for(lambda: len(up.family()) == 2, "the check")
    family = up.family()
    assert up.stop() == 0
    wait_for(lambda: not any(process.is_running() for process in family), "the end of all that it started")


def test_a_module_in_the_current_folder_does_not_stand_in_for_one_of_ours(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path)
    folder, _ = deployment.write_folder()
    here = tmp_path / "here"
    here.mkdir()
    for name in ("click", "msgspec", "twisted"):
        (here / f"{name}.py").write_text("raise RuntimeError('the wrong module')\n")
    stork = [STORK[0], "-P", *STORK[1:], "up", "--config", str(folder)]
    up = Process(stork, tmp_path / "up.log", {**os.environ, "STORK_TICKET": "t"}, here)
    try:
        up.wait_for_line(READY, 60)
    finally:
        up.stop()
