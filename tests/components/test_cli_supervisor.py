"""The parent process of ``stork up``, with children that write down what happens to them."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway import wait_for

PARENT = textwrap.dedent(
    """
    import sys
    from stork_node.launcher.child_process import ChildProcess
    from stork_node.launcher.readiness import ReadySocket
    from stork_node.launcher.supervisor import Supervisor

    class Operator:
        def ready(self):
            print("ready", flush=True)
        def say(self, line):
            print(line, flush=True)

    def child(name, code):
        return ChildProcess(name, [sys.executable, "-c", code, name], ready.environ) if code else None

    with ReadySocket() as ready:
        sys.exit(Supervisor(child("node", sys.argv[1]), child("publish server", sys.argv[2]), ready, Operator()).run())
    """
)

# In front of each child: says its name and pid, then what it is told.
CHILD = textwrap.dedent(
    """
    import os, signal, socket, subprocess, sys, time
    name = sys.argv[1]
    def say(text):
        os.write(1, f"{name} {text}\\n".encode())
    def on_term(*_):
        say("terminated")
        sys.exit(0)
    signal.signal(signal.SIGTERM, on_term)
    def ready():
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifying:
            notifying.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
    say(f"is {os.getpid()}")
    """
)
NODE = CHILD + "ready()\nwhile True: signal.pause()"
SERVER = STARTING_NODE = CHILD + "while True: signal.pause()"


class Parent:
    def __init__(self, folder: Path, node: str, publish_server: str = "") -> None:
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-c", PARENT, node, publish_server],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def lines(self) -> list[str]:
        return self._log.read_text().splitlines()

    def wait_for(self, line: str) -> None:
        wait_for(lambda: line in self.lines, line)

    def pid(self, name: str, start: int = 0) -> int:
        """The pid of a child after it has started ``start`` times more."""

        def pids() -> list[str]:
            return [line.removeprefix(f"{name} is ") for line in self.lines if line.startswith(f"{name} is ")]

        wait_for(lambda: len(pids()) > start, f"start {start} of {name}")
        return int(pids()[start])

    def ends(self) -> int:
        return self.popen.wait(30)

    @property
    def said(self) -> list[str]:
        """The output, without the lines that name processes."""
        return [line for line in self.lines if " is " not in line]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Parent]]:
    started: list[Parent] = []

    def start(node: str, publish_server: str = "") -> Parent:
        started.append(Parent(tmp_path, node, publish_server))
        return started[-1]

    yield start
    for parent in started:
        parent.popen.kill()
        parent.popen.wait()


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_the_node_first_and_then_the_publish_server(
    start: Callable[..., Parent], number: signal.Signals
) -> None:
    parent = start(NODE, SERVER)
    parent.wait_for("ready")
    pids = parent.pid("node"), parent.pid("publish server")
    parent.popen.send_signal(number)
    assert parent.ends() == 0
    assert parent.said == ["ready", "node terminated", "publish server terminated"]
    assert all(map(is_gone, pids))


def test_children_get_a_terminals_interrupt_from_their_parent_only(
    start: Callable[..., Parent],
) -> None:
    parent = start(NODE, SERVER)
    parent.wait_for("ready")
    parent.pid("publish server")
    os.killpg(parent.popen.pid, signal.SIGINT)
    assert parent.ends() == 0
    assert parent.said == ["ready", "node terminated", "publish server terminated"]


def test_a_second_signal_kills_what_does_not_end(start: Callable[..., Parent]) -> None:
    deaf = CHILD + 'signal.signal(signal.SIGTERM, lambda *_: say("asked"))\nready()\nwhile True: signal.pause()'
    parent = start(deaf, SERVER)
    parent.wait_for("ready")
    pids = parent.pid("node"), parent.pid("publish server")
    parent.popen.terminate()
    parent.wait_for("node asked")
    parent.popen.terminate()
    assert parent.ends() == 0
    assert all(map(is_gone, pids))


@pytest.mark.parametrize(("ending", "status"), [("sys.exit(0)", 0), ("sys.exit(3)", 3), ("os.abort()", 1)])
def test_it_ends_with_the_node_and_with_its_status(start: Callable[..., Parent], ending: str, status: int) -> None:
    node = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})\nready()\nsignal.sigwait({signal.SIGUSR1})\n"
    parent = start(CHILD + node + ending, SERVER)
    parent.wait_for("ready")
    publish_server = parent.pid("publish server")
    os.kill(parent.pid("node"), signal.SIGUSR1)
    assert parent.ends() == status
    assert is_gone(publish_server)


def test_what_the_node_left_behind_is_killed(start: Callable[..., Parent]) -> None:
    worker = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    parent = start(
        CHILD
        + f"worker = subprocess.Popen([sys.executable, '-c', {worker!r}], stdout=subprocess.PIPE)\n"
        + "worker.stdout.readline(); name = 'worker'; os.write(1, f'worker is {worker.pid}\\n'.encode()); sys.exit(4)"
    )
    assert parent.ends() == 4
    assert is_gone(parent.pid("worker"))


def test_a_publish_server_that_dies_is_started_again_after_a_pause(start: Callable[..., Parent]) -> None:
    parent = start(NODE, SERVER)
    parent.wait_for("ready")
    os.kill(parent.pid("publish server"), signal.SIGKILL)
    second = parent.pid("publish server", start=1)
    os.kill(second, signal.SIGKILL)
    parent.pid("publish server", start=2)
    assert parent.said == [
        "ready",
        "the publish server ended (SIGKILL); next start in 0.5 s",
        "the publish server ended (SIGKILL); next start in 1 s",
    ]
    parent.popen.terminate()
    assert parent.ends() == 0


def test_all_end_with_status_2_when_the_publish_server_refuses_settings(
    start: Callable[..., Parent],
) -> None:
    parent = start(STARTING_NODE, CHILD + "time.sleep(0.5); sys.exit(2)")
    node = parent.pid("node")
    assert parent.ends() == 2
    assert is_gone(node)
    assert "ready" not in parent.lines


def test_a_stop_before_the_node_is_ready_is_a_stop_as_asked(start: Callable[..., Parent]) -> None:
    parent = start(STARTING_NODE, SERVER)
    parent.pid("node"), parent.pid("publish server")
    parent.popen.terminate()
    assert parent.ends() == 0
    assert "ready" not in parent.lines


def test_children_end_when_their_parent_is_killed(start: Callable[..., Parent]) -> None:
    parent = start(NODE, SERVER)
    parent.wait_for("ready")
    pids = parent.pid("node"), parent.pid("publish server")
    parent.popen.kill()
    parent.popen.wait()
    wait_for(lambda: all(map(is_gone, pids)), "the end of both children")


def test_an_orphan_of_the_node_is_reaped_while_it_runs(start: Callable[..., Parent]) -> None:
    parent = start(
        CHILD
        + "middle = subprocess.Popen([sys.executable, '-c', "
        + "'import os, time; child = os.fork(); "
        + "print(child, flush=True) if child else (time.sleep(0.3), os._exit(0))'], stdout=subprocess.PIPE)\n"
        + "orphan = middle.stdout.readline().decode().strip(); middle.wait()\n"
        + "os.write(1, f'orphan is {orphan}\\n'.encode()); ready()\nwhile True: signal.pause()"
    )
    orphan = parent.pid("orphan")
    wait_for(lambda: not Path(f"/proc/{orphan}").exists(), "the orphan's burial")
    parent.popen.terminate()
    assert parent.ends() == 0
