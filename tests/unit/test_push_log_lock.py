import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from stork_node.errors import ConfigError
from stork_node.push_log import LogInUse, SegmentLog
from stork_node.push_log.lock import holder
from tests.unit.push_log_tools import kill, open_log, pushes

HOLDER = """
import sys
from pathlib import Path
from stork_node.push_log import SegmentLog
log = SegmentLog(Path(sys.argv[1]))
print(log.tail, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the log in ``tmp_path``."""
    arguments = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.tail = process.stdout.readline().strip()
        yield process
        process.kill()


def test_a_log_that_another_process_holds_is_refused_and_says_who_does(other, tmp_path):
    with pytest.raises(LogInUse) as caught:
        SegmentLog(tmp_path)
    who = f"process {other.pid} on {socket.gethostname()}"
    assert str(caught.value) == f"the log in {tmp_path} is held by {who}: there is one publish server per deployment"
    assert isinstance(caught.value, ConfigError)
    assert (caught.value.folder, caught.value.holder) == (tmp_path, who)
    assert holder(tmp_path) == who


def test_a_log_that_is_refused_is_left_as_it_is(other, tmp_path):
    def state():
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}

    before = state()
    with pytest.raises(LogInUse):
        SegmentLog(tmp_path)
    assert state() == before


def test_a_log_is_free_again_at_once_when_its_holder_is_killed(other, tmp_path):
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert holder(tmp_path) == ""
    with SegmentLog(tmp_path) as log:
        assert str(log.tail) == other.tail


def test_a_log_cannot_be_held_twice_by_one_process_either(tmp_path):
    with open_log(tmp_path), pytest.raises(LogInUse, match=f"process {os.getpid()} on"):
        open_log(tmp_path)
    open_log(tmp_path).close()


def test_a_log_is_free_again_after_an_error_while_it_was_opened(tmp_path):
    log = open_log(tmp_path)
    log.append(pushes(3))
    kill(log)
    path = next(tmp_path.glob("*.segment"))
    whole = path.read_bytes()
    path.write_bytes(b"x" + whole[1:])
    with pytest.raises(Exception, match="is damaged at byte 0"):
        open_log(tmp_path)
    path.write_bytes(whole)
    with open_log(tmp_path) as log:
        assert log.tail.sequence == 3


def test_nobody_holds_a_log_that_is_not_there(tmp_path):
    assert holder(Path(tmp_path / "nothing")) == ""
