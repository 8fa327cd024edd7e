"""The command line, as far as it goes without a server."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stork_node.cli import group
from stork_node.cli.json_values import printable, to_json
from stork_node.cli.publish_server import parse_arguments, publish_server
from stork_node.cli.session_options import session_target
from stork_node.clients.credentials import Credentials
from stork_node.errors import ConfigError, InvalidPush, NotConfirmed, Problem, StorkError
from stork_node.launcher.push_commands import PushCommands
from stork_node.publish_server.settings import PublishServerSettings

HEAVY = {"crossbar", "autobahn", "twisted", "zmq", "msgspec", "rich", "websockets"}


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", group.COMMANDS)
def test_each_command_has_a_help_with_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert group.run([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: stork {command}")
    assert "Environment:" in text or command in ("check", "init", "reload")
    assert "Examples:" in text or command in ("node", "push-key")


def test_the_list_of_commands_needs_none_of_them_loaded() -> None:
    loaded = python(
        "import sys; from stork_node.cli.group import run; run(['--help']); "
        "print(sorted(name for name in sys.modules if name.startswith('stork_node.cli.')))"
    )
    assert loaded.stdout.splitlines()[-1] == "['stork_node.cli.group']"


@pytest.mark.parametrize("command", ["push", "up", "node", "check", "init"])
def test_a_commands_help_loads_nothing_heavy(command: str) -> None:
    loaded = python(
        f"import sys; from stork_node.cli.group import run; run([{command!r}, '--help']); "
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    assert loaded.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("missing", "arguments", "said"),
    [
        (
            "click",
            ["push", "v1.test.1"],
            "stork: the command stork needs click, which only the node brings: pip install 'stork-node[node]'\n",
        ),
        (
            "autobahn",
            ["node", "--checked"],
            "stork: this command needs autobahn, which only the node brings: pip install 'stork-node[node]'\n",
        ),
        (
            "websockets",
            ["call", "--ticket", "t", "a.b"],
            "stork: WAMP needs the package websockets: pip install 'stork-node[caller]'\n",
        ),
    ],
)
def test_a_missing_package_is_one_sentence(missing: str, arguments: list[str], said: str) -> None:
    ended = python(
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['stork', *{arguments!r}]; "
        "from stork_node.cli import main; main()"
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", said)


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert group.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("stork 0.")


def test_an_unknown_command_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert group.run(["pusk"]) == 2
    assert f"there is no command 'pusk'; the commands are {', '.join(group.COMMANDS)}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ConfigError([Problem("a", "is wrong"), Problem("", "and this")]), 2, "stork: a: is wrong\nstork: and this\n"),
        (InvalidPush("no topics"), 2, "stork: invalid push: no topics\n"),
        (StorkError("it broke"), 1, "stork: it broke\n"),
        (
            NotConfirmed("tcp://a:1", 5, "no answer"),
            1,
            "stork: push not confirmed by tcp://a:1 within 5 ms: no answer\n",
        ),
        (KeyboardInterrupt(), 1, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_is_a_sentence_a_line_and_a_status(
    error: BaseException,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("stork_node.clients.publisher.Publisher.push", fail)
    assert group.run(["push", "v1.test.1"]) == status
    captured = capsys.readouterr()
    assert (captured.out, captured.err.lstrip("\n")) == ("", said)


def test_an_error_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("stork_node.clients.publisher.Publisher.push", fail)
    with pytest.raises(ZeroDivisionError):
        group.run(["push", "v1.test.1"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["push", "v1.test.1", "--data", "{n: 1}"], "--data: '{n: 1}' is not JSON"),
        (["push", "v1.test.1", "--data", "hello"], "(a text is '\"hello\"')"),
        (["push", "v1.test"], "topics[0]: 'v1.test' is not a topic"),
        (["push", "v1.test.1", "--endpoint", "publish"], "endpoint: 'publish' is not an endpoint"),
        (["push", "v1.test.1", "--push-key", "short"], "not a push key"),
        (["push"], "Missing argument 'TOPIC[,TOPIC]...'"),
        (["call", "a.b", "Ada", "--ticket", "t"], "argument 1: 'Ada' is not JSON"),
        (["call", "a.b", "--kwargs", "[]", "--ticket", "t"], "--kwargs: not a JSON object"),
        (["call", "a.b"], "no credentials: give --ticket, or set STORK_TICKET or CROSSBAR_BACKEND_SECRET"),
        (["watch", "v1.test.1", "--backend"], "--backend: CROSSBAR_BACKEND_SECRET is not set"),
        (["watch", "v1.test.1", "--match", "glob"], "'glob' is not one of"),
        (["publish-server", "--pull", "5555"], "--pull: '5555' is not an endpoint (want tcp://HOST:PORT)"),
        (["publish-server", "--pul", "tcp://*:1"], "No such option"),
        (["push-key"], "STORK_BUS_SECRET: is not set"),
    ],
)
def test_wrong_usage_is_named_with_status_2(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("STORK_TICKET", "CROSSBAR_BACKEND_SECRET", "STORK_BUS_SECRET"):
        monkeypatch.delenv(name, raising=False)
    assert group.run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err


def test_the_publish_servers_flags_are_its_settings() -> None:
    fields = [field.name for field in dataclasses.fields(PublishServerSettings)]
    assert [parameter.name for parameter in publish_server.params] == fields
    assert all(parameter.to_info_dict()["help"].split("[default")[0].strip() for parameter in publish_server.params)


def test_the_publish_servers_arguments_are_read_with_what_they_refer_to() -> None:
    read = parse_arguments(
        ["--pull", "tcp://${BIND:-127.0.0.1}:7555", "--heartbeat-s", "0.5", "--secret", "${SECRET}"],
        {"SECRET": "from the environment"},
    )
    assert (read.pull, read.heartbeat_s, read.secret) == ("tcp://127.0.0.1:7555", 0.5, "from the environment")
    assert read.router == PublishServerSettings().router


def test_a_flag_wins_over_the_environment_for_the_bind_address() -> None:
    read = parse_arguments(["--pull", "tcp://127.0.0.1:7555"], {"STORK_BIND": "0.0.0.0"})
    assert [read.pull, read.router, read.pub, read.replay] == [
        "tcp://127.0.0.1:7555",
        "tcp://0.0.0.0:5557",
        "tcp://0.0.0.0:5556",
        "tcp://0.0.0.0:5558",
    ]


@pytest.mark.parametrize(
    ("arguments", "secret"),
    [([], "of the environment"), (["--secret", "given"], "given"), (["--secret", ""], "")],
)
def test_a_flag_wins_over_the_environment_for_the_bus_secret(arguments: list[str], secret: str) -> None:
    assert parse_arguments(arguments, {"STORK_BUS_SECRET": "of the environment"}).secret == secret


@pytest.mark.parametrize(
    ("arguments", "problems"),
    [
        (
            ["--pull", "5555", "--heartbeat-s", "soon"],
            [
                Problem("--pull", "'5555' is not an endpoint (want tcp://HOST:PORT)"),
                Problem("--heartbeat-s", "'soon' is not a time in seconds (want 5 or 0.5)"),
            ],
        ),
        (
            ["--secret", "${NOWHERE}"],
            [Problem("--secret", "the environment variable NOWHERE is not set (and there is no ${NOWHERE:-default})")],
        ),
    ],
)
def test_all_wrong_arguments_of_the_publish_server_are_named(arguments: list[str], problems: list[Problem]) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_arguments(arguments, {})
    assert list(raised.value.problems) == problems


@pytest.mark.parametrize("arguments", [["--unknown", "1"], ["stray"], ["--pull"]])
def test_an_unknown_argument_of_the_publish_server_is_a_config_error(arguments: list[str]) -> None:
    with pytest.raises(ConfigError):
        parse_arguments(arguments, {})


@pytest.mark.parametrize(
    ("environ", "given", "credentials"),
    [
        ({"STORK_TICKET": "env"}, {}, Credentials(None, ticket="env")),
        ({"STORK_TICKET": "env"}, {"ticket": "flag", "authid": "ada"}, Credentials("ada", ticket="flag")),
        ({"STORK_TICKET": "env", "CROSSBAR_BACKEND_SECRET": "s"}, {}, Credentials(None, ticket="env")),
        (
            {"STORK_TICKET": "env", "CROSSBAR_BACKEND_SECRET": "s"},
            {"backend": True},
            Credentials("backend", secret="s"),
        ),
        ({"STORK_TICKET": "", "CROSSBAR_BACKEND_SECRET": "s"}, {}, Credentials("backend", secret="s")),
    ],
)
def test_a_ticket_comes_before_the_secret_unless_backend_is_asked_for(
    environ: dict[str, str], given: dict[str, object], credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("STORK_TICKET", "CROSSBAR_BACKEND_SECRET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    options = {"url": "ws://h/ws", "realm": "realm1", "ticket": None, "backend": False, "authid": None} | given
    assert session_target(**options).credentials == credentials  # type: ignore[arg-type]  # options as click gives them


def test_the_push_key_is_that_of_the_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from stork_node.transport.curve import push_key

    monkeypatch.setenv("STORK_BUS_SECRET", "a secret")
    assert group.run(["push-key"]) == 0
    assert capsys.readouterr().out == push_key("a secret") + "\n"


def test_the_keys_of_a_curve_socket_are_shown_in_both_forms(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from zmq.utils import z85

    from stork_node.transport.curve import ClientKeys

    monkeypatch.setenv("STORK_BUS_SECRET", "a secret")
    keys = ClientKeys.from_secret("a secret", "push")
    assert group.run(["push-key", "--curve"]) == 0
    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    assert [label for label, _, _ in lines] == ["server", "public", "secret"]
    assert [key.encode() for _, key, _ in lines] == [keys.server_public, keys.client.public, keys.client.secret]
    assert [bytes.fromhex(text) for _, _, text in lines] == [z85.decode(key) for _, key, _ in lines]


def test_what_a_terminal_would_obey_is_shown_instead() -> None:
    assert printable("grün\x1b[31m\x9b\r\n✓") == r"grün\x1b[31m\x9b\r\n✓"


def test_init_writes_a_folder_and_says_what_comes_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "deploy" / "stork"
    assert group.run(["init", str(folder)]) == 0
    assert {path.name for path in folder.iterdir()} == {"config.json", "app.py", "web"}
    here = PushCommands.here(sys.argv[0], os.environ).stork  # a command that works in this folder
    said = capsys.readouterr().out
    assert f"  {here} up --config {folder} " in said
    assert f"  {here} check --config {folder} " in said


def test_init_overwrites_nothing_unless_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "app.py").write_text("mine")
    assert group.run(["init", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"stork: {tmp_path}/app.py: is there already (overwrite it with --force)\n"
    assert (tmp_path / "app.py").read_text() == "mine"
    assert not (tmp_path / "config.json").exists()
    assert group.run(["init", str(tmp_path), "--force"]) == 0
    assert "@stork.authenticator" in (tmp_path / "app.py").read_text()


def test_init_into_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert group.run(["init", str(tmp_path / "file" / "stork")]) == 2
    assert "cannot be written: Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize("character", ["\x1b", "\x7f", "\x9b", "\u2028", "\u202e", "\u2066"])
def test_json_for_a_terminal_has_no_character_that_acts(character: str) -> None:
    text = to_json({"ä": f"A{character}31m"})
    assert character not in text
    assert "ä" in text
    assert json.loads(text) == {"ä": f"A{character}31m"}
