"""Commands from Python and the shell, to a real publish server; a raw peer stands for a node."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import zmq

from stork_node import (
    AsyncPublisher,
    InvalidCommand,
    NotConfirmed,
    Publisher,
    PushFailed,
    PushRefused,
    Stork,
    StorkError,
)
from stork_node.cli.group import run
from stork_node.clients.node_asker import NodeAsker
from stork_node.protocol.commands.leases import Lease, Leased, Report
from stork_node.protocol.commands.results import CommandResult
from tests.components.served import peer, serving
from tests.components.test_publish_server_nodes import say


@contextmanager
def obedient(server: Any) -> Iterator[None]:
    """A node that has attached, and reports each command at once."""
    stop, attached = threading.Event(), threading.Event()

    def live() -> None:
        with peer(zmq.DEALER, server.replay_endpoint) as socket:
            reports: tuple[Report, ...] = ()
            while not stop.wait(0.01):
                leased = say(socket, Lease("i1", "node-1", reports=reports))
                assert isinstance(leased, Leased)
                if leased.tail > 1:
                    reports = (Report(1, 2, {"sessions": 2}),)  # its own entry is the first of the log
                attached.set()

    thread = threading.Thread(target=live)
    thread.start()
    assert attached.wait(20)
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def server() -> Iterator[Any]:
    with serving() as running:
        yield running


def attach(server: Any) -> None:
    """A node that says nothing more."""
    with peer(zmq.DEALER, server.replay_endpoint) as socket:
        say(socket, Lease("i1", "node-1", "26.11", sessions=3))


def test_a_publisher_is_told_what_a_command_met(server):
    with Publisher(server.router_endpoint) as publisher:
        result = publisher.command("disconnect", authid="7")
        assert result == CommandResult(str(server.position), True, {})
        assert result.sessions == 0
        attach(server)
        pending = publisher.command("disconnect", authid="7", timeout_ms=0, id="k")
        assert (pending.complete, pending.nodes) == (False, {"node-1": "pending"})
        with pytest.raises(
            PushRefused, match=r"^command refused \(id_reused\): id: 'k' is that of another command"
        ) as no:
            publisher.command("refresh", authid="7", id="k")
        assert no.value.error == "id_reused"
        assert publisher.push("v1.a.1", type="t")


def test_an_async_publisher_gives_commands_beside_pushes(server):
    async def scenario() -> tuple[CommandResult, str]:
        async with AsyncPublisher(server.router_endpoint) as publisher:
            attach(server)
            given = asyncio.create_task(publisher.command("disconnect", authid="7", timeout_ms=300))
            position = await publisher.push("v1.a.1", type="t")
            return await given, position

    result, position = asyncio.run(scenario())
    assert (result.complete, result.nodes) == (False, {"node-1": "pending"})
    assert position


@pytest.mark.parametrize("use", ["blocking", "async"])
def test_what_cannot_be_given_is_an_error_before_anything_is_sent(use):
    def command(publisher_options: dict[str, Any], kind: str, **options: Any) -> CommandResult:
        if use == "blocking":
            with Publisher("tcp://127.0.0.1:1", **publisher_options) as publisher:
                return publisher.command(kind, **options)

        async def scenario() -> CommandResult:
            async with AsyncPublisher("tcp://127.0.0.1:1", **publisher_options) as publisher:
                return await publisher.command(kind, **options)

        return asyncio.run(scenario())

    with pytest.raises(InvalidCommand, match="authid: missing"):
        command({}, "disconnect")
    with pytest.raises(TypeError, match="a command has no option 'user'"):
        command({}, "disconnect", user="7")
    with pytest.raises(PushFailed, match="answered=False gives no commands"):
        command({"answered": False}, "disconnect", authid="7")
    with pytest.raises(NotConfirmed, match=r"^command not confirmed by"):
        command({"timeout_ms": 50}, "disconnect", authid="7", timeout_ms=0)


def test_handlers_give_commands_by_the_applications_publisher(server):
    stork = Stork()

    async def scenario() -> list[str]:
        async with AsyncPublisher(server.router_endpoint) as publisher:
            with Publisher(server.router_endpoint) as blocking:
                stork.connect(blocking, publisher)
                return [
                    (await publisher.command("refresh", authid="7")).position,
                    stork.publisher.command("forget", authid="7").position,
                ]

    assert len(set(asyncio.run(scenario()))) == 2
    for give in (stork.disconnect, stork.unsubscribe, stork.refresh, stork.forget):
        with pytest.raises(StorkError, match=r"is awaited in async def handlers"):
            give(authid="7")


def test_the_shell_gives_commands(server, capsys):
    at = ["--endpoint", server.router_endpoint]
    assert run(["disconnect", "--authid", "7", *at]) == 0
    assert capsys.readouterr().out == f"{server.position}\n"
    attach(server)
    assert run(["unsubscribe", "--topic", "v1.a.1", "--role", "frontend", "--timeout-ms", "0", *at]) == 1
    assert capsys.readouterr().out == f"{server.position}\n  node-1: pending\n"
    assert run(["forget", "--feed", "v1.a", "--timeout-ms", "0", "--json", *at]) == 1
    assert json.loads(capsys.readouterr().out)["nodes"] == {"node-1": "pending"}
    assert run(["refresh", "--session", "1", "--authid", "7", *at]) == 2
    assert "session: refresh names exactly one of authid, session" in capsys.readouterr().err


def test_the_shell_prints_what_a_node_has_met(server, capsys):
    with obedient(server):
        assert run(["disconnect", "--authid", "7", "--endpoint", server.router_endpoint]) == 0
    assert capsys.readouterr().out.endswith("\n  node-1: 2 sessions\n")


def test_the_shell_prints_the_nodes(server, capsys):
    attach(server)
    assert run(["status", "--server", server.replay_endpoint]) == 0
    head, _, columns, row = capsys.readouterr().out.splitlines()
    assert head == f"position {server.position}, nodes: 1"
    assert columns.split() == ["NODE", "STATE", "VERSION", "BEHIND", "SESSIONS"]
    assert row.split() == ["node-1", "attached", "26.11", "1", "3"]
    assert run(["status", "--json", "--server", server.replay_endpoint]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["position"], told["nodes"][0]["behind"], told["old"]) == (str(server.position), 1, 0)


def test_a_port_where_nobody_answers_is_one_sentence(monkeypatch, capsys):
    monkeypatch.setattr(NodeAsker.__init__, "__defaults__", (0.1,))
    assert run(["status", "--server", "tcp://127.0.0.1:1"]) == 1
    assert "stork: the nodes are not known: no answer from tcp://127.0.0.1:1" in capsys.readouterr().err
