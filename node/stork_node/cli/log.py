"""``stork log``: the operator's commands for the push log."""

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

import click

from stork_node.cli import EXIT_FAILED
from stork_node.cli.engine import log_frames, print_log_damages, print_log_info
from stork_node.cli.json_values import echo_json, to_json
from stork_node.transport.endpoints import ENGINE_VARIABLE

if TYPE_CHECKING:
    from stork_node.protocol.positions import Position
    from stork_node.push_log.segment_files.records import Record

C = TypeVar("C", bound=Callable[..., Any])

_PROGRESS_S = 3.0


def _data_option(command: C) -> C:
    return click.option(
        "--data",
        envvar="STORK_DATA",
        default=".stork",
        show_default=True,
        type=click.Path(path_type=Path),
        help="The publish server's data folder. [env: STORK_DATA]",
    )(command)


@click.group("log", context_settings={"help_option_names": ["-h", "--help"]})
def log() -> None:
    """
    Read the push log. It keeps the pushes for nodes and browsers that were away.

    \b
    Examples:
      stork log info
      stork log verify --data /data
      stork log cat --topic v1.orders.42 | jq .event.data
      stork log erase v1.user.7

    \b
    Environment:
      STORK_DATA            the publish server's data folder, if there is no --data
      STORK_ENGINE          the Redis that keeps the log in place of that folder
      STORK_PUBLISH_SERVER  erase: the publish server's host, if there is no --server or --data
      STORK_BUS_SECRET      erase: the secret of an encrypted bus
    """


@log.command()
@_data_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def info(context: click.Context, data: Path, as_json: bool) -> None:
    """Print a summary of the log, also while a publish server uses it."""
    if _is_on_engine(context):
        print_log_info(as_json)
        return
    from dataclasses import asdict

    from stork_node.protocol.timestamps import format_timestamp
    from stork_node.push_log import log_folder
    from stork_node.push_log.inspection import read_info

    found = read_info(log_folder(data))
    times = {
        name: None if ms is None else format_timestamp(ms / 1000)
        for name, ms in (("oldest", found.oldest_ms), ("newest", found.newest_ms))
    }
    if as_json:
        values = asdict(found) | {"folder": str(found.folder), "tail": None if found.tail is None else str(found.tail)}
        del values["oldest_ms"], values["newest_ms"]
        echo_json(values | times)
        return
    state = f"held by {found.holder}" if found.holder else "closed" if found.closed else "not closed"
    for name, value in (
        ("folder", found.folder),
        ("state", f"{state}, --sync {found.sync}" if found.sync else state),
        ("tail", found.tail or "-"),
        ("floor", found.floor),
        ("pushes", f"{found.pushes:,}, the newest of {times['newest'] or '-'}"),
        ("epochs", " ".join(found.epochs) or "-"),
        ("size", f"{found.size:,} bytes in segments: {found.segments}"),
    ):
        click.echo(f"{name:8}{value}")


@log.command()
@_data_option
@click.pass_context
def verify(context: click.Context, data: Path) -> int:
    """Read and check the whole log. Exit status 1 if a part of it is damaged."""
    if _is_on_engine(context):
        return EXIT_FAILED if print_log_damages() else 0
    from stork_node.push_log import log_folder
    from stork_node.push_log.inspection import verify as verify_log

    damaged = 0
    for checked in verify_log(log_folder(data)):
        damaged += checked.problem != ""
        end = f"; at its end {checked.pending}" if checked.pending else ""
        click.echo(f"{checked.file.name}  {checked.problem or f'{checked.pushes:,} pushes, fine{end}'}")
    return EXIT_FAILED if damaged else 0


@log.command()
@_data_option
@click.option("--topic", help="Only pushes to this topic.")
@click.option(
    "--after", type=click.IntRange(min=0), default=0, metavar="SEQUENCE", help="Only entries after this number."
)
@click.pass_context
def cat(context: click.Context, data: Path, topic: str | None, after: int) -> None:
    """
    Print the entries of the log, oldest first: one JSON object a line.

    If the log keeps only the number of a push, its line has no "topics" and no "event". The line of an erasure has
    "erases", its topic.
    """
    from stork_node.push_log import log_folder
    from stork_node.push_log.inspection import read_records

    if _is_on_engine(context):
        lines = (describe({"position": str(position)}, frame, position) for position, frame in log_frames(after))
    else:
        lines = (_describe(position, record) for position, record in read_records(log_folder(data), after))
    for line in lines:
        if topic is None or topic in line.get("topics", ()) or topic == line.get("erases"):
            click.echo(to_json(line))


def _is_on_engine(context: click.Context) -> bool:
    """Whether the log is on an engine: STORK_ENGINE names one, and --data names no folder."""
    is_data_given = context.get_parameter_source("data") is click.core.ParameterSource.COMMANDLINE
    return bool(os.environ.get(ENGINE_VARIABLE)) and not is_data_given


@log.command()
@_data_option
@click.option("--server", metavar="ENDPOINT", help="The publish server's replay port. [default: tcp://127.0.0.1:5558]")
@click.argument("topic")
@click.pass_context
def erase(context: click.Context, data: Path, server: str | None, topic: str) -> None:
    """
    Remove all pushes to TOPIC so far, from the log and from the histories of all nodes.

    If a publish server uses the log, this command asks that server, which goes on serving. --data means: the local
    folder. --server or STORK_PUBLISH_SERVER: the server on that host. A server without STORK_BUS_SECRET accepts this
    from its own host only. Positions stay as they are. A push to several topics stays for the others. The disk itself
    is not wiped.
    """
    from stork_node.protocol.topics import Topic
    from stork_node.push_log import LogInUse
    from stork_node.transport.endpoints import Port, local_endpoint, publish_server_endpoint

    Topic.parse(topic)
    is_data_given = context.get_parameter_source("data") is click.core.ParameterSource.COMMANDLINE
    if server is None and os.environ.get("STORK_PUBLISH_SERVER") and not is_data_given:
        server = publish_server_endpoint(Port.REPLAY, os.environ).partition(",")[0]
    try:
        number = _show_progress(_erase_at(server, topic) if server else _erase_files(data, topic))
    except LogInUse:
        number = _show_progress(_erase_at(local_endpoint(Port.REPLAY), topic))
    click.echo(f"erased {number:,} pushes to {topic}")


def _erase_files(data: Path, topic: str) -> Iterator[int]:
    """The number of pushes found so far, again and again."""
    from stork_node.push_log import Erasure, SegmentLog, log_folder
    from stork_node.push_log.inspection import read_info

    folder = log_folder(data)
    read_info(folder)  # raises if there is no log: SegmentLog would begin one
    with SegmentLog(folder) as held:
        held.append([Erasure(topic)])
        yield from itertools.accumulate(held.erase(topic))


def _erase_at(server: str, topic: str) -> Iterator[int]:
    from stork_node.clients.eraser import ask_to_erase
    from stork_node.errors import ConfigError, Problem
    from stork_node.transport.endpoints import Endpoint

    try:
        server = str(Endpoint.parse(server))
    except ValueError as error:
        raise ConfigError([Problem("--server", str(error))]) from None
    for answer in ask_to_erase(server, os.environ.get("STORK_BUS_SECRET", ""), topic):
        yield answer.pushes


def _show_progress(counts: Iterator[int]) -> int:
    """The last of ``counts``. Until then, a line on stderr every few seconds."""
    number, say_at = 0, time.monotonic() + _PROGRESS_S
    for number in counts:
        if time.monotonic() > say_at:
            click.echo(f"erasing: {number:,} pushes so far", err=True)
            say_at = time.monotonic() + _PROGRESS_S
    return number


def _describe(position: "Position", record: "Record") -> dict[str, Any]:
    from stork_node.protocol.timestamps import format_timestamp
    from stork_node.push_log.entries import ERASED

    line: dict[str, Any] = {"position": str(position), "time": format_timestamp(record.time_ms / 1000)}
    if record.id:
        line["id"] = record.id.decode()
    if not record.frame and record.kind == ERASED:
        return line | {"erased": True}
    return describe(line, record.frame, position)


def describe(line: dict[str, Any], encoded: bytes, position: "Position") -> dict[str, Any]:
    """
    A line with what a frame says; an empty frame is that of a push that is not stored.

    Raises:
        InvalidFrame: it is none of a log.
    """
    from msgspec import to_builtins

    from stork_node.errors import InvalidFrame
    from stork_node.protocol.bus import EraseFrame, Heartbeat, OtherFrame, PushFrame, StateFrame, decode_frame
    from stork_node.protocol.commands.entries import entry_kind

    if not encoded:
        return line | {"store": False}
    frame = decode_frame(encoded)
    match frame:
        case PushFrame():
            return line | {"topics": frame.topics, "exclude": frame.exclude, "event": json.loads(frame.event)}
        case EraseFrame():
            return line | {"erases": frame.topic}
        case StateFrame():
            return line | {"kind": entry_kind(frame.content), "content": to_builtins(frame.content)}
        case OtherFrame():
            return line | {"kind": frame.kind}
        case Heartbeat():
            raise InvalidFrame(f"the log has a heartbeat at {position}")
        case _:
            assert_never(frame)
