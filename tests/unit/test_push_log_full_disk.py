"""A disk that is full, or fails: nothing of a batch is stored, and the log goes on by itself."""

import errno
import logging
import os
import threading
from contextlib import suppress

import pytest

from stork_node.push_log import StorageFailed, UnusableFolder
from tests.gateway import wait_for
from tests.unit.push_log_tools import REBOOTED, Clock, frames, kill, open_log, push, pushes, read_all, segment_files

FULL = "cannot store: No space left on device (the log in {})"


def fill(log, stored):
    """Store batches until the disk is full; returns how that was said."""
    while True:
        try:
            stored += frames(log.append(pushes(37)))
        except StorageFailed as error:
            return str(error)


class Disk:
    """Calls of ``os`` that fail while ``failing`` names them; ``short``: a write takes so many bytes before."""

    def __init__(self, monkeypatch):
        self.failing, self.short = {}, None
        for name in ("pwrite", "fdatasync", "fsync", "truncate", "ftruncate", "rename"):
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def _wrap(self, name, real):
        def call(*args):
            if name in self.failing:
                if name == "pwrite" and self.short:
                    real(args[0], bytes(args[1])[: self.short], args[2])
                raise OSError(self.failing[name], os.strerror(self.failing[name]))
            return real(*args)

        return call


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


@pytest.mark.parametrize("segment_bytes", [64 << 20, 50_000])
def test_a_full_disk_takes_whole_batches_or_none_until_there_is_room(small_disk, segment_bytes):
    folder = small_disk / "log"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(500_000))
    log = open_log(folder, segment_bytes=segment_bytes)
    stored = []
    assert fill(log, stored) == FULL.format(folder)
    assert 500 < len(stored) < 3000
    for _ in range(3):
        with pytest.raises(StorageFailed):
            log.append(pushes(500))
    assert log.tail.sequence == len(stored)
    assert read_all(log) == stored
    log.tick(0.0)

    ballast.unlink()
    again = log.append(pushes(37, id=None))
    assert again[0].position.sequence == len(stored) + 1
    stored += frames(again)
    kill(log)
    with open_log(folder) as log:
        assert read_all(log) == stored


def test_a_log_opens_and_closes_on_a_full_disk(small_disk):
    folder = small_disk / "log"
    log = open_log(folder)
    stored, tail = frames(log.append(pushes(3))), log.tail
    log.close()
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(100))
    log = open_log(folder)
    assert log.tail == tail
    assert read_all(log) == stored
    with pytest.raises(StorageFailed):
        log.append(pushes(3))
    log.close()
    log = open_log(folder)
    assert log.tail == tail
    ballast.unlink()
    assert log.append(pushes(1))[0].position.sequence == 4
    log.close()


def test_retention_makes_room_on_a_full_disk(small_disk):
    clock = Clock()
    log = open_log(small_disk / "log", segment_bytes=100_000, clock=clock, retention_s=100)
    fill(log, [])
    full = log.tail.sequence
    clock.now += 101
    log.tick(0.0)
    assert log.append(pushes(100))[0].position.sequence == full + 1
    log.close()


@pytest.mark.parametrize("short", [None, 1, 40, 500])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failed_write_stores_nothing_and_uses_no_number(tmp_path, disk, number, short):
    log = open_log(tmp_path)
    stored = frames(log.append(pushes(3)))
    before = segment_files(tmp_path)[0].read_bytes()
    disk.failing, disk.short = {"pwrite": number}, short
    with pytest.raises(StorageFailed) as caught:
        log.append([push(7, id="k"), push(8)])
    assert caught.value.reason == f"{os.strerror(number)} (the log in {tmp_path})"
    assert log.tail.sequence == 3
    assert segment_files(tmp_path)[0].read_bytes() == before
    disk.failing = {}
    assert log.recent_ids() == []
    stored += frames(log.append([push(7, id="k")]))
    assert log.tail.sequence == 4
    kill(log)
    with open_log(tmp_path) as log:
        assert read_all(log) == stored
        assert [pairs[0][0] for _, pairs in log.recent_ids()] == ["k"]


def test_a_failed_write_stops_all_others_until_it_is_undone(tmp_path, disk):
    log = open_log(tmp_path)
    stored = frames(log.append(pushes(3)))
    disk.failing, disk.short = {"pwrite": errno.ENOSPC, "ftruncate": errno.EIO}, 700
    with pytest.raises(StorageFailed, match="No space left"):
        log.append(pushes(3))
    disk.failing = {"ftruncate": errno.EIO}
    for _ in range(2):
        with pytest.raises(StorageFailed, match="Input/output error"):
            log.append(pushes(3))
    assert read_all(log) == stored
    disk.failing = {}
    stored += frames(log.append(pushes(1)))
    kill(log)
    with open_log(tmp_path) as log:
        assert read_all(log) == stored


def test_a_batch_that_cannot_be_synced_is_not_stored_with_sync_always(tmp_path, disk):
    log = open_log(tmp_path, sync="always")
    stored = frames(log.append(pushes(3)))
    disk.failing = {"fdatasync": errno.EIO}
    with pytest.raises(StorageFailed, match="Input/output error"):
        log.append(pushes(3))
    disk.failing = {}
    assert log.tail.sequence == 3
    stored += frames(log.append(pushes(1)))
    kill(log)
    with open_log(tmp_path) as log:
        assert read_all(log) == stored


def test_after_a_failed_sync_pushes_fail_until_all_is_on_disk_again(tmp_path, disk, caplog, monkeypatch):
    log = open_log(tmp_path)
    log.append(pushes(3))
    log.tick(0.0)
    stored = read_all(log) + frames(log.append(pushes(3)))
    disk.failing = {"fdatasync": errno.EIO}
    with caplog.at_level(logging.INFO):
        log.tick(1.0)
        log.tick(2.0)
        log.tick(3.0)
    assert caplog.messages == [f"log {tmp_path}: cannot force to disk: Input/output error"]
    assert log.trouble == "cannot force to disk: Input/output error"
    with pytest.raises(StorageFailed, match="Input/output error"):
        log.append(pushes(3))
    disk.failing = {}
    # What the failed sync was to write is written again: the kernel would not, and say that all is well.
    written = []
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: written.append(bytes(data)) or write(fd, data, at))
    log.tick(4.0)
    assert len(written) == 1
    assert written[0].count(b"stork 1 push") == 3
    assert log.trouble == ""
    stored += frames(log.append(pushes(3)))
    assert log.tail.sequence == 9
    kill(log)
    with open_log(tmp_path) as log:
        assert read_all(log) == stored


@pytest.mark.parametrize("call", ["pwrite", "fdatasync", "fsync", "rename"])
def test_a_segment_that_cannot_be_ended_or_begun_stores_nothing(tmp_path, disk, call):
    log = open_log(tmp_path, segment_bytes=1)
    stored = frames(log.append(pushes(3)))
    disk.failing = {call: errno.ENOSPC}
    for _ in range(2):
        with pytest.raises(StorageFailed, match="No space left"):
            log.append(pushes(3))
        assert read_all(log) == stored
    disk.failing = {}
    stored += frames(log.append(pushes(3)))
    stored += frames(log.append(pushes(3)))
    assert log.tail.sequence == len(stored) == 9
    kill(log)
    with open_log(tmp_path) as log:
        assert read_all(log) == stored
        assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("call", ["pwrite", "fdatasync", "fsync", "rename"])
def test_a_log_that_cannot_be_closed_is_one_that_was_killed(tmp_path, disk, call, caplog):
    log = open_log(tmp_path)
    stored = frames(log.append(pushes(3)))
    log.begin_new_epoch()
    disk.failing = {call: errno.ENOSPC}
    log.begin_new_epoch()
    log.close()
    assert caplog.messages[-1] == f"log {tmp_path}: it is not closed: No space left on device"
    disk.failing = {}
    with open_log(tmp_path) as log:
        assert log.tail.sequence == len(stored)


@pytest.mark.parametrize("call", ["pwrite", "fsync", "rename"])
def test_a_new_epoch_begins_on_a_full_disk_and_is_written_later(tmp_path, disk, call, caplog):
    log = open_log(tmp_path)
    before = log.append(pushes(3))[-1].position
    kill(log)
    disk.failing = {call: errno.ENOSPC}
    log = open_log(tmp_path, machine=REBOOTED)
    after = log.tail
    assert (after.sequence, after.epoch == before.epoch, log.floor) == (3, False, 3)
    assert caplog.messages[-1] == f"the epoch {after.epoch} is not on disk yet: No space left on device"
    with pytest.raises(StorageFailed):
        log.append(pushes(1))
    disk.failing = {}
    stored = frames(log.append(pushes(1)))
    kill(log)
    with open_log(tmp_path, machine=REBOOTED) as log:
        assert (log.tail.epoch, log.tail.sequence) == (after.epoch, 4)
        assert read_all(log) == stored


def test_a_disk_that_fails_at_the_opening_leaves_the_log_free(tmp_path, disk):
    log = open_log(tmp_path)
    log.append(pushes(4))
    kill(log)
    path = segment_files(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-1])
    disk.failing = {"truncate": errno.EROFS}
    with pytest.raises(UnusableFolder, match="Read-only file system"):
        open_log(tmp_path)
    disk.failing = {"fdatasync": errno.EIO}
    with pytest.raises(UnusableFolder, match="Input/output error"):
        open_log(tmp_path)
    disk.failing = {}
    with open_log(tmp_path) as log:
        assert log.tail.sequence == 3


def test_what_is_written_is_forced_to_disk_once_a_second(tmp_path, monkeypatch):
    synced = []
    sync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(fd) or sync(fd))
    with open_log(tmp_path) as log:
        synced.clear()
        for tenth in range(50):
            log.append(pushes(1))
            log.tick(tenth / 10)
        assert len(synced) == 5
        assert log.due(4.9) == pytest.approx(0.1)
        log.tick(5.0)
        assert len(synced) == 6
        for second in range(6, 20):
            log.tick(float(second))
        assert len(synced) == 6


def test_sync_always_is_before_each_answer_never_at_a_segments_end(tmp_path, monkeypatch):
    synced = []
    sync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: synced.append(fd) or sync(fd))
    for mode, expected in (("always", 10), ("never", 0)):
        with open_log(tmp_path / mode, sync=mode) as log:
            synced.clear()
            for second in range(10):
                log.append(pushes(1))
                log.tick(float(second))
            assert len(synced) == expected
            synced.clear()
        assert len(synced) == 1


def test_a_folder_that_cannot_be_used_is_an_error_that_names_it(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UnusableFolder) as caught:
        open_log(file / "log")
    assert str(caught.value) == f"the log in {file / 'log'} cannot be used: Not a directory"


def test_a_slow_disk_does_not_keep_pushes_waiting(tmp_path, monkeypatch):
    may_end, sync = threading.Event(), os.fdatasync

    def slow(fd):
        may_end.wait(30)
        sync(fd)

    with open_log(tmp_path, sync="second") as log:
        log.append(pushes(3))
        monkeypatch.setattr(os, "fdatasync", slow)
        log.tick(1.0)
        log.append(pushes(2))  # the disk is still at it
        log.tick(2.0)
        writer = log._chain.writer
        assert not writer.is_synced
        may_end.set()
        wait_for(lambda: writer._syncing.is_done, "the end of the sync")
        log.tick(3.0)
        wait_for(lambda: writer._syncing is None or writer._syncing.is_done, "the end of the next one")
        log.tick(4.0)
        assert writer.is_synced
        assert log.tail.sequence == 5


def test_a_slow_disk_that_fails_in_the_end_is_told_and_written_again(tmp_path, monkeypatch):
    may_end = threading.Event()

    def fail(fd):
        may_end.wait(30)
        raise OSError(errno.EIO, "Input/output error")

    with open_log(tmp_path, sync="second") as log:
        log.append(pushes(3))
        sync = os.fdatasync
        monkeypatch.setattr(os, "fdatasync", fail)
        log.tick(1.0)
        assert log.trouble == ""
        may_end.set()
        wait_for(lambda: log._chain.writer._syncing.is_done, "the end of the sync")
        log.tick(2.0)
        assert "Input/output error" in log.trouble
        monkeypatch.setattr(os, "fdatasync", sync)
        log.append(pushes(1))
        log.tick(3.0)
        assert log._chain.writer.is_synced
        assert log.trouble == ""
