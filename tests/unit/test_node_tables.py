"""The table of nodes, leases, commands, and the state that a log keeps of them."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stork_node.nodes.commands import Commands
from stork_node.nodes.leases import LEASE_S, STALL_S, Leases
from stork_node.nodes.log_state import LogState, apply_frames
from stork_node.nodes.table import NodeTable
from stork_node.protocol.commands.documents import Command
from stork_node.protocol.commands.entries import NodeAttached, NodeGone, Obeyed, StateEntry
from stork_node.protocol.positions import Position
from stork_node.protocol.push import Push
from stork_node.push_log import SegmentLog, state_file

COMMAND = Command("disconnect", authid="7", id="k")
PUSH = Push(("v1.a.1",), "t", b"1", "2026-01-31T12:00:00.000Z")


def table(*names: str) -> NodeTable:
    found = NodeTable()
    for number, name in enumerate(names, 1):
        found.attach(NodeAttached(f"i{number}", name), number)
    return found


def test_nodes_of_one_name_have_labels_of_their_own():
    found = table("a", "b", "a", "a")
    assert list(found.labels().values()) == ["a", "b", "a~2", "a~3"]
    found.end(NodeGone("i1"))
    assert list(found.labels().values()) == ["b", "a", "a~2"]


def test_a_node_that_is_gone_is_known_to_be_so_for_a_while():
    found = table("a")
    for number in range(1_001):
        found.end(NodeGone(f"x{number}"))
    assert (found.is_gone("x0"), found.is_gone("x1"), found.is_gone("i1")) == (False, True, False)


def test_a_node_is_silent_after_ten_seconds_of_the_servers_awake_time():
    leases = Leases()
    assert leases.silent(["i1", "i2"], 0.0) == []
    now = 0.0
    while now < LEASE_S:
        now += 1.0
        leases.raise_for("i2", now)
        silent = leases.silent(["i1", "i2"], now)
    assert (silent, leases.age_s("i1", now), leases.age_s("i2", now)) == (["i1"], LEASE_S, 0.0)


def test_after_a_stall_and_in_a_new_epoch_watching_begins_anew():
    leases = Leases()
    for second in range(9):
        leases.silent(["i1"], float(second))
    assert leases.silent(["i1"], 8 + STALL_S + 0.1) == []
    assert leases.silent(["i1"], 12 + STALL_S) == []
    leases.begin_anew()
    for second in range(16, 25):
        assert leases.silent(["i1"], float(second)) == []


def test_a_command_is_complete_when_its_nodes_have_obeyed_or_are_gone():
    commands = Commands()
    commands.begin(COMMAND, 3, table("a", "b").labels())
    [found] = commands.given
    commands.obeyed("i1", 3, {"sessions": 1})
    commands.obeyed("i1", 3, {"sessions": 9})
    commands.obeyed("i9", 3, {"sessions": 9})
    commands.obeyed("i2", 4, {"sessions": 9})
    assert (found.is_complete, found.outcomes(1)) == (False, {"a": {"sessions": 1}, "b": "pending", "old-1": "old"})
    commands.gone("i2")
    assert (found.is_complete, found.outcomes()) == (True, {"a": {"sessions": 1}, "b": "gone"})
    assert commands.with_id("k") is commands.get(3) is found
    commands.forget(3)
    assert (commands.with_id("k"), len(commands)) == (None, 0)


ENTRIES = st.one_of(
    st.builds(Command, st.just("refresh"), st.sampled_from("78"), id=st.sampled_from(["k", "l", None])),
    st.builds(NodeAttached, st.sampled_from(["i1", "i2", "i3"]), st.sampled_from(["a", "b"])),
    st.builds(NodeGone, st.sampled_from(["i1", "i2", "i3"])),
    st.builds(Obeyed, st.sampled_from(["i1", "i2"]), st.integers(1, 3), st.integers(1, 9), st.just({"sessions": 1})),
)


@given(st.lists(ENTRIES, max_size=20), st.integers(0, 20))
def test_a_state_comes_back_at_any_number_and_goes_on(entries: list[StateEntry], cut: int):
    at_once, numbered = LogState(Position("e", 0)), []
    for number, entry in enumerate(entries, 1):
        if at_once.accepts(entry):
            at_once.apply(entry, number)
            numbered.append((number, entry))
    first = LogState(Position("e", 0))
    apply_frames(first, [item for item in numbered if item[0] <= cut])
    again = LogState.decode(first.encode())
    assert again is not None
    apply_frames(again, numbered)
    at_once.position = again.position
    assert again.encode() == at_once.encode()


@given(st.lists(ENTRIES, max_size=20))
def test_nobody_appends_for_the_dead_and_reports_have_no_gaps(entries: list[StateEntry]):
    state, alive, ended, reports = LogState(Position("e", 0)), set(), set(), {}
    for number, entry in enumerate(entries, 1):
        accepted = state.accepts(entry)
        match entry:
            case NodeAttached():
                assert accepted == (entry.incarnation not in alive | ended)
                alive |= {entry.incarnation} if accepted else set()
            case NodeGone():
                assert accepted == (entry.incarnation in alive)
                alive.discard(entry.incarnation)
                ended |= {entry.incarnation} if accepted else set()
            case Obeyed():
                is_next = entry.report == reports.get(entry.incarnation, 0) + 1
                assert accepted == (entry.incarnation in alive and is_next)
                reports |= {entry.incarnation: entry.report} if accepted else {}
        if accepted:
            state.apply(entry, number)


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[" * 5000, b'{"epoch":1}'])
def test_a_snapshot_that_was_not_written_is_none(content):
    assert LogState.decode(content) is None


# -- the file beside the log -------------------------------------------------------------------------------------------

GIVEN = [NodeAttached("i1", "a"), PUSH, COMMAND, Obeyed("i1", 1, 3, {"sessions": 2})]


def kept(folder) -> tuple[list[str], list[dict[str, object]]]:
    with SegmentLog(folder) as log:
        state = log.state
        return [row.incarnation for row in state.nodes.rows], [given.outcomes() for given in state.commands.given]


def test_the_state_is_that_of_the_tail_after_a_clean_end(tmp_path):
    with SegmentLog(tmp_path) as log:
        log.append(GIVEN)
    assert kept(tmp_path) == (["i1"], [{"a": {"sessions": 2}}])


@pytest.mark.parametrize("damage", [None, b"", b"{}"])
def test_what_was_appended_after_the_file_is_read_from_the_log(tmp_path, damage):
    log = SegmentLog(tmp_path)
    log.append(GIVEN)
    path = tmp_path / "state.json"
    before = path.read_bytes()
    log.close()
    path.write_bytes(before if damage is None else damage)
    assert kept(tmp_path) == (["i1"], [{"a": {"sessions": 2}}])


def test_the_state_outlives_what_retention_deletes(tmp_path):
    with SegmentLog(tmp_path, retention_bytes=4_000, segment_bytes=1_000) as log:
        log.append(GIVEN)
        for second in range(40):
            log.append([PUSH] * 3)
            log.tick(float(second))
        assert log.floor > 4
    assert kept(tmp_path) == (["i1"], [{"a": {"sessions": 2}}])


def test_a_new_epoch_has_no_state(tmp_path):
    with SegmentLog(tmp_path) as log:
        log.append(GIVEN)
        log.begin_new_epoch()
        assert (log.state.nodes.rows, log.state.commands.given) == ([], [])
        log.append([NodeAttached("i2", "b")])
    assert kept(tmp_path) == (["i2"], [])


def test_a_log_of_a_release_without_state_is_not_read_for_it(tmp_path):
    with SegmentLog(tmp_path) as log:
        log.append([PUSH])
    (tmp_path / "state.json").unlink()
    assert kept(tmp_path) == ([], [])
    assert (tmp_path / "state.json").exists()


def test_a_disk_that_refuses_the_state_is_told_of_and_tried_again(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with SegmentLog(tmp_path) as log:
        replace = state_file.replace_file
        monkeypatch.setattr(state_file, "replace_file", refuse)
        log.append(GIVEN)
        log.tick(100.0)
        log._state_file._writing.join()
        log.tick(100.0 + state_file.SAVE_S)
        assert log.trouble == "cannot keep the state of nodes: No space left on device"
        monkeypatch.setattr(state_file, "replace_file", replace)
        log.tick(100.0 + 2 * state_file.SAVE_S)
        log._state_file._writing.join()
        assert log.trouble == ""
    assert kept(tmp_path) == (["i1"], [{"a": {"sessions": 2}}])


def test_a_slow_disk_keeps_no_push_waiting(tmp_path, monkeypatch):
    goes_on = threading.Event()
    replace = state_file.replace_file

    def write_slowly(path, content):
        assert goes_on.wait(20)
        replace(path, content)

    with SegmentLog(tmp_path) as log:
        monkeypatch.setattr(state_file, "replace_file", write_slowly)
        log.append(GIVEN)
        for second in (100.0, 200.0):
            log.tick(second)
        assert log.append([PUSH])
        goes_on.set()
    assert kept(tmp_path) == (["i1"], [{"a": {"sessions": 2}}])
