import contextlib
import os
import socket
import tempfile
import threading

import pytest

from stork_node.launcher import control


@pytest.fixture
def environ():
    with tempfile.TemporaryDirectory() as runtime:  # with a path that is short enough for sockets
        yield {"XDG_RUNTIME_DIR": runtime}


def serve(path, *chunks):
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    asked = []

    def answer():
        connection, _ = listening.accept()
        with connection, listening:
            asked.append(connection.recv(100))
            with contextlib.suppress(BrokenPipeError):  # who asks may leave when it knows the outcome
                for chunk in chunks:
                    connection.sendall(chunk)

    thread = threading.Thread(target=answer)
    thread.start()
    return thread, asked


def test_a_node_is_found_by_the_folder_that_it_runs(tmp_path, environ):
    mine, other = tmp_path / "a", tmp_path / "b"
    paths = [control.socket_path(mine, environ, pid) for pid in (1, 2)]
    for path in [*paths, control.socket_path(other, environ, 3)]:
        path.touch()
    assert control.find_sockets(mine, environ) == paths
    assert control.find_sockets(tmp_path / "b" / ".." / "a", environ) == paths
    assert control.find_sockets(tmp_path / "c", environ) == []


def test_the_folder_of_the_sockets_is_this_users_alone(tmp_path, environ):
    path = control.socket_path(tmp_path, environ, 1)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert len(os.fsencode(path)) - len(os.fsencode(path.parent)) < 40  # a socket's path has at most 107 bytes
    path.touch()
    path.parent.chmod(0o755)
    assert control.socket_path(tmp_path, environ, 1).parent != path.parent
    assert control.find_sockets(tmp_path, environ) == []


def test_a_folder_with_too_long_a_path_is_passed_over(tmp_path):
    runtime = tmp_path / ("x" * 90)
    runtime.mkdir(mode=0o700)
    path = control.socket_path(tmp_path, {"XDG_RUNTIME_DIR": str(runtime)}, 1)
    assert runtime not in path.parents
    assert len(os.fsencode(path)) <= 107


def test_answers_come_as_they_are_given_and_end_with_the_outcome(tmp_path):
    path = tmp_path / "s"
    thread, asked = serve(path, control.encode("progress", "starting"), control.encode("error", "so it is"), b"more")
    assert list(control.ask(path, control.RELOAD)) == [("progress", "starting"), ("error", "so it is")]
    thread.join()
    assert asked == [b"reload\n"]


@pytest.mark.parametrize("chunks", [[], [control.encode("progress", "starting")], [b"nonsense\n"]])
def test_a_node_that_goes_away_in_the_middle_is_said(tmp_path, chunks):
    path = tmp_path / "s"
    thread, _ = serve(path, *chunks)
    with pytest.raises(control.NodeLost):
        list(control.ask(path, control.RELOAD))
    thread.join()


def test_the_socket_of_a_node_that_was_killed_is_removed(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
    assert control.ask(path, control.RELOAD) is None
    assert not path.exists()
