"""The operators' view of a log: ``inspection``, and the commands ``stork log …``."""

import json
import os
import socket

import pytest
from click.testing import CliRunner

from stork_node.cli.log import log as command
from stork_node.push_log import UnusableFolder, log_folder
from stork_node.push_log.inspection import Checked, read_info, read_records, verify
from tests.unit.push_log_tools import Clock, kill, open_log, push, pushes, segment_files


def run(*arguments):
    return CliRunner().invoke(command, arguments, standalone_mode=False)


@pytest.fixture
def data(tmp_path):
    """A data folder with a log in three segments that was closed."""
    clock = Clock()
    with open_log(tmp_path / "log", segment_bytes=1, clock=clock) as log:
        log.append([push(1, id="k"), push(2, ["v1.user.7", "v1.a.1"], exclude=(5,))])
        clock.now += 1
        log.append([push(3, store=False)])
        clock.now += 1
        log.append([push(4)])
    return tmp_path


def test_info_says_what_is_in_a_log(data):
    info = read_info(log_folder(data))
    assert (info.holder, info.floor, info.segments, info.pushes, info.sync) == ("", 0, 3, 4, "second")
    assert info.closed
    assert info.tail is not None
    assert (info.tail.sequence, info.epochs) == (4, (info.tail.epoch,))
    assert (info.oldest_ms, info.newest_ms) == (1_700_000_000_000, 1_700_000_002_000)
    assert info.size == sum(path.stat().st_size for path in segment_files(log_folder(data)))
    printed = run("info", "--data", str(data)).output
    assert printed.splitlines() == [
        f"folder  {data}/log",
        "state   closed, --sync second",
        f"tail    {info.tail}",
        "floor   0",
        "pushes  4, the newest of 2023-11-14T22:13:22.000Z",
        f"epochs  {info.tail.epoch}",
        f"size    {info.size:,} bytes in segments: 3",
    ]
    as_json = json.loads(run("info", "--data", str(data), "--json").output)
    assert as_json["tail"] == str(info.tail)
    assert (as_json["oldest"], as_json["closed"]) == ("2023-11-14T22:13:20.000Z", True)


def test_a_log_is_looked_at_while_it_is_held_and_nothing_in_it_changes(tmp_path):
    folder = log_folder(tmp_path)
    with open_log(folder, segment_bytes=400) as log:
        log.append(pushes(3))
        log.append(pushes(3))
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        info = read_info(folder)
        assert (info.tail, info.pushes, info.closed) == (log.tail, 6, False)
        assert info.holder == f"process {os.getpid()} on {socket.gethostname()}"
        assert [(checked.problem, checked.pushes) for checked in verify(folder)] == [("", 3), ("", 3)]
        assert [position.sequence for position, _ in read_records(folder, 4)] == [5, 6]
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
        assert f"held by {info.holder}" in run("info", "--data", str(tmp_path)).output


def test_what_is_being_written_is_no_damage(tmp_path):
    log = open_log(tmp_path)
    log.append(pushes(3))
    kill(log)
    path = segment_files(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-10])
    (checked,) = verify(tmp_path)
    assert (checked.problem, checked.pushes) == ("", 2)
    assert checked.pending.endswith(" bytes: a record that was cut short")
    assert read_info(tmp_path).pushes == 2


def test_an_empty_folder_is_a_log_that_nobody_has_opened_yet(tmp_path):
    log_folder(tmp_path).mkdir()
    info = read_info(log_folder(tmp_path))
    assert (info.tail, info.pushes, info.oldest_ms, info.epochs) == (None, 0, None, ())
    assert run("info", "--data", str(tmp_path)).exit_code == 0
    assert run("verify", "--data", str(tmp_path)).output == ""


def test_a_folder_without_a_log_is_an_error(tmp_path):
    for arguments in (("info",), ("verify",), ("cat",)):
        result = run(*arguments, "--data", str(tmp_path))
        assert isinstance(result.exception, UnusableFolder)
        assert str(result.exception) == f"the log in {tmp_path}/log cannot be used: No such file or directory"


def test_verify_goes_on_after_damage_and_names_each(data):
    paths = segment_files(log_folder(data))
    paths[0].write_bytes(paths[0].read_bytes().replace(b'{"id":1}', b'{"id":9}'))
    paths[2].write_bytes(b"")
    result = run("verify", "--data", str(data))
    first, second, third = result.output.splitlines()
    assert first.startswith(f"{paths[0].name}  {paths[0]} is damaged at byte ")
    assert second == f"{paths[1].name}  1 pushes, fine"
    assert third.startswith(f"{paths[2].name}  {paths[2]} is damaged at byte 0: it does not begin as a segment does")
    assert result.return_value == 1


def test_verify_finds_nothing_in_a_good_log(data):
    assert list(verify(log_folder(data))) == [
        Checked(path, pushes, path.stat().st_size, "", "")
        for path, pushes in zip(segment_files(log_folder(data)), (2, 1, 1), strict=True)
    ]
    assert run("verify", "--data", str(data)).return_value == 0


def test_verify_names_a_missing_segment(data):
    paths = segment_files(log_folder(data))
    paths[1].unlink()
    problems = [checked.problem for checked in verify(log_folder(data))]
    assert problems[0] == ""
    assert problems[1].startswith(f"{paths[1]} is missing")


def test_cat_prints_one_object_a_line(data):
    tail = read_info(log_folder(data)).tail
    assert tail is not None
    lines = [json.loads(line) for line in run("cat", "--data", str(data)).output.splitlines()]
    assert [line["position"] for line in lines] == [f"{tail.epoch}:{number}" for number in (1, 2, 3, 4)]
    assert lines[0]["id"] == "k"
    assert lines[1] == {
        "position": f"{tail.epoch}:2",
        "time": "2023-11-14T22:13:20.000Z",
        "topics": ["v1.user.7", "v1.a.1"],
        "exclude": [5],
        "event": {"type": "order_paid", "data": {"id": 2}, "timestamp": "2026-01-31T12:00:00.000Z"},
    }
    assert lines[2] == {"position": f"{tail.epoch}:3", "time": "2023-11-14T22:13:21.000Z", "store": False}
    of_topic = run("cat", "--data", str(data), "--topic", "v1.user.7").output
    assert [json.loads(line) for line in of_topic.splitlines()] == [lines[1]]
    assert len(run("cat", "--data", str(data), "--after", "3").output.splitlines()) == 1


def test_erase_removes_a_topic_from_a_log_that_nobody_holds(data):
    assert run("erase", "--data", str(data), "v1.user.7").output == "erased 1 pushes to v1.user.7\n"
    assert run("erase", "--data", str(data), "v1.a.1").output == "erased 1 pushes to v1.a.1\n"
    lines = [json.loads(line) for line in run("cat", "--data", str(data)).output.splitlines()]
    assert lines[1] == {"position": lines[1]["position"], "time": "2023-11-14T22:13:20.000Z", "erased": True}
    assert read_info(log_folder(data)).closed


def test_the_data_folder_is_the_environments_unless_told_otherwise(data, monkeypatch):
    monkeypatch.setenv("STORK_DATA", str(data))
    assert f"folder  {data}/log" in run("info").output
