"""The text of ``stork up``, and the processes that it starts."""

import socket
from pathlib import Path

import pytest

from stork_node.launcher.readiness import ReadySocket, tell_service_manager
from stork_node.launcher.up import runs_publish_server
from stork_node.launcher.welcome import Commands, welcome
from stork_node.resources import javascript_folder, template_folder

COMMANDS = Commands(stork=".venv/bin/stork", php_push="php scripts/push.php")


def test_the_welcome_of_a_trial_has_the_page_and_commands_to_paste() -> None:
    text = welcome(
        "http://127.0.0.1:8080/",
        "a/b",
        trial=True,
        endpoint="tcp://127.0.0.1:5557",
        encrypted=False,
        commands=COMMANDS,
    )
    assert (
        text
        == """
Stork node is ready.
TRIAL: STORK_TICKET is not set, so the ticket below was made up, for this start only.

  Page  http://127.0.0.1:8080/#ticket=a%2Fb
  Push  .venv/bin/stork push v1.test.1 --type hello --data '{"n": 1}'
  PHP   php scripts/push.php v1.test.1 hello '{"n": 1}'

Ctrl-C ends it.
"""
    )


def test_the_welcome_says_trial_only_where_the_ticket_was_made_up() -> None:
    text = welcome(
        "https://push.example/",
        "t",
        trial=False,
        endpoint="tcp://*:7557",
        encrypted=True,
        commands=Commands("stork", None),
    )
    assert (
        text
        == """
Stork node is ready.

  Page  https://push.example/#ticket=$STORK_TICKET
  Push  stork push v1.test.1 --type hello --data '{"n": 1}' --endpoint=tcp://127.0.0.1:7557

  Pushing needs STORK_BUS_SECRET, as it is set here.

Ctrl-C ends it.
"""
    )


@pytest.mark.parametrize(
    ("argv0", "shown"),
    [
        ("here/bin/stork", "here/bin/stork"),
        ("/opt/stork node/bin/stork", "'/opt/stork node/bin/stork'"),
    ],
)
def test_the_push_command_names_the_stork_that_runs(
    argv0: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert Commands.here(str(Path(argv0).absolute()), None).stork == shown


def test_the_push_command_is_short_where_stork_is_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "stork"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Commands.here(str(program), None) == Commands("stork", None)


@pytest.mark.parametrize(
    ("value", "runs"),
    [
        (None, True),
        ("", True),
        ("localhost", True),
        ("127.0.0.1", True),
        ("stork-1", False),
        ("10.0.0.7", False),
    ],
)
def test_a_publish_server_runs_here_unless_another_host_is_named(value: str | None, runs: bool) -> None:
    assert runs_publish_server({} if value is None else {"STORK_PUBLISH_SERVER": value}) is runs


def test_the_resources_are_found_in_a_checkout() -> None:
    assert (template_folder() / "config.json").is_file()
    assert (javascript_folder() / "stork.js").is_file()


def test_a_ready_socket_takes_the_word_of_sd_notify_and_no_other() -> None:
    with ReadySocket() as ready:
        assert ready.read() is False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as node:
            node.sendto(b"STATUS=starting", ready.environ["NOTIFY_SOCKET"])
            assert ready.read() is False
        tell_service_manager(ready.environ)
        assert ready.read() is True
    assert not Path(ready.environ["NOTIFY_SOCKET"]).exists()


def test_a_service_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    tell_service_manager({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    tell_service_manager({})
