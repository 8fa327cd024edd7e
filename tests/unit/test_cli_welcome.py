"""The text of ``stork up``, and the processes that it starts."""

import socket
from pathlib import Path

import pytest

from stork_node.application.summary import Summary
from stork_node.launcher import push_commands
from stork_node.launcher.push_commands import PushCommands
from stork_node.launcher.readiness import ReadySocket, tell_service_manager
from stork_node.launcher.up import runs_publish_server
from stork_node.launcher.welcome import welcome
from stork_node.resources import javascript_folder, template_folder

COMMANDS = PushCommands(stork=".venv/bin/stork", php="php scripts/push.php")
SHIPPED = Summary(("v1.test", "v1.user"), ("virge.stork.example.foo",), takes_shared_ticket=True)


def test_the_welcome_of_a_trial_has_the_page_and_commands_to_paste() -> None:
    text = welcome(
        "http://127.0.0.1:8080/",
        "a/b",
        made_up=True,
        application=SHIPPED,
        commands=COMMANDS.to("tcp://127.0.0.1:5557", encrypted=False),
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
        made_up=False,
        application=SHIPPED,
        commands=PushCommands("stork").to("tcp://*:7557", encrypted=True),
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


@pytest.mark.parametrize(("feeds", "topic"), [(("v2.orders",), "v2.orders.1"), ((), "VERSION.FEED.ID")])
def test_the_welcome_names_nothing_that_the_application_does_not_know(feeds: tuple[str, ...], topic: str) -> None:
    text = welcome(
        "http://[::1]:8080/", "made-up", made_up=True, application=Summary(feeds), commands=PushCommands("stork")
    )
    assert (
        text
        == f"""
Stork node is ready.

  Page  http://[::1]:8080/
  Push  stork push {topic} --type hello --data '{{"n": 1}}'

Ctrl-C ends it.
"""
    )


def test_the_commands_of_a_container_are_for_its_host() -> None:
    commands = PushCommands("docker exec 4f2a stork", in_container=True).to("tcp://0.0.0.0:5557", encrypted=True)
    text = welcome("http://127.0.0.1:8080/", "t", made_up=True, application=SHIPPED, commands=commands)
    assert "  Push  docker exec 4f2a stork push v1.test.1 --type hello --data '{\"n\": 1}'\n" in text
    assert "The page's port is that of the container: -p may publish it at another one." in text
    assert "STORK_BUS_SECRET" not in text  # the command finds it in the container's environment


@pytest.mark.parametrize(
    ("pid", "init", "environ", "entry"),
    [
        (1, "stork", {}, "docker exec 4f2a "),
        (7, "tini", {}, "docker exec 4f2a "),
        (1, "stork", {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubectl exec 4f2a -- "),
        (7, "bash", {}, ""),  # somebody's shell in a container: the command works there
    ],
)
def test_only_the_main_process_of_a_container_is_entered_from_outside(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pid: int,
    init: str,
    environ: dict[str, str],
    entry: str,
) -> None:
    monkeypatch.setattr(push_commands, "_EXEC", {str(tmp_path): "docker exec"})
    monkeypatch.setattr(push_commands, "_name_of_init", lambda: init)
    monkeypatch.setattr(push_commands.socket, "gethostname", lambda: "4f2a")
    monkeypatch.setattr(push_commands.os, "getpid", lambda: pid)
    monkeypatch.setattr(push_commands.os, "getppid", lambda: 1)
    commands = PushCommands.here("/opt/stork/bin/stork", environ)
    assert commands.stork.startswith(entry)
    assert commands.stork.endswith("stork")
    assert commands.in_container is bool(entry)


def test_commands_are_handed_down_to_a_child_process() -> None:
    commands = PushCommands("stork", "php push.php", None, "--endpoint=tcp://a:1", encrypted=True)
    assert PushCommands.handed_down(commands.environ) == commands
    assert PushCommands.handed_down({}) is None


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
    assert PushCommands.here(str(Path(argv0).absolute()), {}).stork == shown


def test_the_push_command_is_short_where_stork_is_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "stork"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert PushCommands.here(str(program), {}).stork == "stork"


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
